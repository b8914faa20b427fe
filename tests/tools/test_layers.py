"""The rules of the house that a machine can hold us to: who may import whom, and what nobody may do."""

import ast
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from providers import PLATFORMS
from tools.documents import sentence

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ("app", "chat", "providers", "emulator")
MAY_IMPORT = {
    "app": {"chat", "providers"},
    "gunicorn.conf": {"chat"},
    "chat": {"providers"},
    "providers": set(),
    "emulator": set(),
}
KNOWS_FLASK = ("app.py", "chat/web/", "chat/web/security.py", "chat/owner/commands.py", "emulator/")
READS_THE_ENVIRONMENT = {
    "chat/settings/model.py",
    "gunicorn.conf.py",
}  # the second only sets DEMO_URL
OPENS_SESSIONS = {"providers/http.py"}
PATCHING = {"mock", "unittest.mock", "mocker", "pytest_mock", "responses", "requests_mock", "vcr"}
STRING_TO_HTML = re.compile(
    r"\b(innerHTML|outerHTML|insertAdjacentHTML|setHTMLUnsafe|createContextualFragment|DOMParser|srcdoc)\b"
    r"|document\.write|\beval\(|new Function\b"
)
SECRET = re.compile(
    r"\b(?:pat|sat|czs|czu)_[A-Za-z0-9]{24,}|\bsk-[A-Za-z0-9]{20,}|\bghp_[A-Za-z0-9]{30,}|\bAKIA[A-Z0-9]{16}\b"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]"
)
PLACES_OF_ANY_MACHINE = {
    "app",
    "bin",
    "dev",
    "etc",
    "opt",
    "proc",
    "src",
    "sys",
    "tmp",
    "usr",
    "var",
}


def ours(*layers: str) -> list[Path]:
    """The modules of these layers, or of all: what runs, without tests and benches."""
    tops = [ROOT / "app.py", ROOT / "gunicorn.conf.py"]
    tops += [path for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]
    return [path for path in tops if not layers or layer_of(path) in layers]


def layer_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> Iterator[str]:
    """The full names of all modules and things a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: say the whole name of what you import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def dotted(path: Path) -> Iterator[str]:
    """Everything a file names with dots, such as `os.environ` or `requests.get`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


def tracked() -> list[Path]:
    """What is in the repository and can be read as text."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git here")
    paths = [ROOT / name for name in listed.decode().split("\0") if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:4096]]


# layers


def test_imports_flow_one_way() -> None:
    for path in ours():
        layer = layer_of(path)
        tops = {name.partition(".")[0] for name in imports(path)} & {*LAYERS, "tests", "bench"}
        assert tops <= MAY_IMPORT[layer] | {layer}, f"{name_of(path)} imports {tops}"


def test_flask_stays_at_the_door() -> None:
    for path in ours():
        names = {name for name in imports(path) if re.match(r"flask|werkzeug", name)}
        assert not names or name_of(path).startswith(KNOWS_FLASK), (
            f"{name_of(path)} imports {names}"
        )


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("layer", ["providers", "emulator"])
def test_a_platform_knows_no_other_platform(layer: str, platform: str) -> None:
    others = {f"{layer}.{other}" for other in PLATFORMS if other != platform}
    files = [path for path in ours(layer) if re.match(rf"{platform}(_|\.py)", path.name)]
    assert files
    for path in files:
        for name in imports(path):
            is_foreign = any(re.match(rf"{re.escape(other)}(_|\.|$)", name) for other in others)
            assert not is_foreign, f"{name_of(path)} imports {name}"


def test_one_door_to_the_network() -> None:
    """Time-outs, certificates, redirects and redaction are decided once."""
    verbs = {"get", "post", "put", "patch", "delete", "head", "options", "request"}
    for path in ours("app", "chat", "providers", "gunicorn.conf"):
        used = {*dotted(path), *imports(path)}
        assert not used & {f"requests.{verb}" for verb in verbs}, name_of(path)
        assert not {
            name for name in used if re.match(r"(httpx|http\.client|urllib\.request)", name)
        }
        if name_of(path) not in OPENS_SESSIONS:
            assert not used & {"requests.Session", "requests.session"}, name_of(path)


def test_the_environment_is_read_in_one_place() -> None:
    for path in ours():
        used = {*dotted(path), *imports(path)} & {
            "os.environ",
            "os.environb",
            "os.getenv",
            "os.putenv",
        }
        assert not used or name_of(path) in READS_THE_ENVIRONMENT, f"{name_of(path)} uses {used}"


def test_gunicorn_only_tells_where_the_demo_is() -> None:
    text = (ROOT / "gunicorn.conf.py").read_text(encoding="utf-8")
    assert re.findall(r"os\.environ\S*", text) == ['os.environ["DEMO_URL"],']
    assert re.search(r'^\s*os\.environ\["DEMO_URL"\], \S+ = ', text, re.MULTILINE)


# how files look


@pytest.mark.parametrize("path", ours(), ids=name_of)
def test_a_module_begins_with_a_sentence(path: Path) -> None:
    if not path.read_text(encoding="utf-8").strip():
        assert path.name == "__init__.py"
        return
    assert 10 < len(sentence(path)) < 170


# tests


def test_nothing_is_mocked() -> None:
    for path in sorted((ROOT / "tests").rglob("*.py")):
        names = {*imports(path), *dotted(path)}
        found = {
            name for name in names for patching in PATCHING if f"{name}.".startswith(f"{patching}.")
        }
        found |= names & {"monkeypatch.setattr", "monkeypatch.setitem", "monkeypatch.delattr"}
        assert not found, f"{name_of(path)}: {found}. Talk to the emulator instead"


def test_a_test_cannot_leave_this_machine() -> None:
    """conftest.py listens to what Python does; these are the ways out that it has to close."""
    elsewhere = "203.0.113.1"  # RFC 5737: for documents, never a machine
    ways = [
        lambda: socket.getaddrinfo("example.com", 443),
        lambda: socket.create_connection((elsewhere, 443), timeout=0.1),
        lambda: socket.create_connection(("2001:db8::1", 443), timeout=0.1),
    ]
    for leave in ways:
        with pytest.raises(RuntimeError, match="tried to reach"):
            leave()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        socket.create_connection(listener.getsockname()[:2], timeout=5).close()


# what must not be anywhere


def test_one_place_turns_strings_into_html() -> None:
    for path in sorted((ROOT / "static" / "js").rglob("*.js")):
        found = STRING_TO_HTML.search(path.read_text(encoding="utf-8"))
        assert path.name == "drawing.js" or not found, f"{name_of(path)}: {found}"
    for path in sorted((ROOT / "templates").rglob("*.html")):
        text = path.read_text(encoding="utf-8")
        found = re.search(
            r"\|\s*safe\b|autoescape|<script(?![^>]*\ssrc=)|<style\b|\s(style|on\w+)=", text
        )
        assert not found, f"{name_of(path)}: {found}"


def test_no_secret_is_in_the_repository() -> None:
    for path in tracked():
        for found in SECRET.findall(path.read_text(encoding="utf-8", errors="replace")):
            assert "demo" in found.lower(), f"{name_of(path)} holds what looks like a secret"


def test_no_machine_is_in_the_repository() -> None:
    """No path of whoever wrote a file: of any home, or of where this copy happens to be."""
    places = [r"/home/\w", r"/Users/\w", r"/root/\w"]
    if ROOT.parts[1] not in PLACES_OF_ANY_MACHINE:
        places.append(rf"(?<![\w.])/{ROOT.parts[1]}/\w")
    pattern = re.compile("|".join(places))
    for path in tracked():
        if path != Path(__file__):
            found = pattern.search(path.read_text(encoding="utf-8", errors="replace"))
            assert not found, f"{name_of(path)}: {found}"
