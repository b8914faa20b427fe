"""What is installed: every package that is asked for is pinned, by the hashes of its files."""

import re
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
    for name in LISTS:
        wanted, pinned = root / f"{name}.in", root / f"{name}.txt"
        if wanted.is_file():
            yield from _compare(name, wanted.read_text("utf-8"), pinned.read_text("utf-8"))


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
