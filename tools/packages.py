"""What is installed: every package that is asked for is pinned, by the hashes of its files."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

WANTED = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[\w.]+)", re.M)
PINNED = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>[\w.]+)[^\n\\]*(?P<hashes>(?:\\\n +--hash=sha256:\w{64} ?)*)",
    re.M,
)
LISTS = ("requirements", "requirements-dev")
CURE = "run `make requirements`"


def check(root: Path) -> Iterator[str]:
    """Every package that is asked for and not pinned so, or not pinned by a hash."""
    yield from _builder(root)
    for name in LISTS:
        wanted, pinned = root / f"{name}.in", root / f"{name}.txt"
        if wanted.is_file():
            yield from _compare(name, wanted.read_text("utf-8"), pinned.read_text("utf-8"))


def _builder(root: Path) -> Iterator[str]:
    """The wheel is built for whoever installs it as it is in tests."""
    project = root / "pyproject.toml"
    if not project.is_file():
        return
    wanted = (root / "requirements-dev.in").read_text("utf-8")
    for line in tomllib.loads(project.read_text("utf-8"))["build-system"]["requires"]:
        if not re.search(rf"^{re.escape(line)}\b", wanted, re.M):
            yield f"pyproject.toml: {line} is not in requirements-dev.in"


def _compare(name: str, wanted: str, pinned: str) -> Iterator[str]:
    pins = {_normal(match["name"]): match for match in PINNED.finditer(pinned)}
    for match in WANTED.finditer(wanted):
        pin = pins.get(_normal(match["name"]))
        if pin is None or pin["version"] != match["version"]:
            yield f"{name}.txt: {match[0]} of {name}.in is missing; {CURE}"
    for pin in pins.values():
        if not pin["hashes"]:
            yield f"{name}.txt: {pin['name']} has no hash; {CURE}"
    for address in re.findall(r"https?://\S+|^--(?:extra-)?index-url.*", pinned, re.M):
        yield f"{name}.txt: names a place to install from: {address}"


def _normal(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()
