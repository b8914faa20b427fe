"""What must not be anywhere: secrets, paths of machines, strings made to HTML in a second place."""

import re
from collections.abc import Iterator
from pathlib import Path

from tools.documents import sentence
from tools.source import dotted, imports, modules, name_of, tracked

STRING_TO_HTML = re.compile(
    r"\b(innerHTML|outerHTML|insertAdjacentHTML|setHTMLUnsafe|createContextualFragment|DOMParser"
    r"|srcdoc)\b|document\.write|\beval\(|new Function\b"
)
# The one script that turns a string into HTML.
DRAWS = "drawing.js"
# Unescaped HTML, and what the Content-Security-Policy blocks.
UNSAFE_TEMPLATE = re.compile(
    r"\|\s*safe\b|autoescape|<script(?![^>]*\ssrc=)|<style\b|\s(style|on\w+)="
)
SECRET = re.compile(
    r"\b(?:pat|sat|czs|czu)_[A-Za-z0-9]{24,}|\bsk-[A-Za-z0-9]{20,}|\bghp_[A-Za-z0-9]{30,}"
    r"|\bAKIA[A-Z0-9]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]"
)
# A test talks to the emulator, over a real socket.
PATCHING = ("mock", "unittest.mock", "mocker", "pytest_mock", "responses", "requests_mock", "vcr")
PATCHES = {"monkeypatch.setattr", "monkeypatch.setitem", "monkeypatch.delattr"}
PLACES_OF_ANY_MACHINE = set("app bin dev etc opt proc src sys tmp usr var".split())


def check(root: Path) -> Iterator[str]:
    """Every file that holds what it must not, and every module that does not say what it is."""
    yield from _modules(root)
    yield from _scripts(root)
    yield from _templates(root)
    yield from _repository(root)
    yield from _tests(root)


def _modules(root: Path) -> Iterator[str]:
    for path in modules(root):
        name = name_of(root, path)
        if not path.read_text(encoding="utf-8").strip():
            if path.name != "__init__.py":
                yield f"{name}: is empty"
        elif not 10 < len(sentence(path)) < 170:
            yield f"{name}: begins with no sentence that would do in a table of contents"


def _scripts(root: Path) -> Iterator[str]:
    for path in sorted((root / "static" / "js").rglob("*.js")):
        match = STRING_TO_HTML.search(path.read_text(encoding="utf-8"))
        if match and path.name != DRAWS:
            yield f"{name_of(root, path)}: {match[0]}; only {DRAWS} turns strings into HTML"


def _templates(root: Path) -> Iterator[str]:
    for path in sorted((root / "templates").rglob("*.html")):
        if match := UNSAFE_TEMPLATE.search(path.read_text(encoding="utf-8")):
            yield f"{name_of(root, path)}: {match[0].strip()} is not allowed in a template"


def _repository(root: Path) -> Iterator[str]:
    machine = _machine(root)
    for path in tracked(root):
        text = path.read_text(encoding="utf-8", errors="replace")
        name = name_of(root, path)
        if any("demo" not in secret.lower() for secret in SECRET.findall(text)):
            yield f"{name}: holds what looks like a secret"
        # The patterns themselves stand in this file.
        if name != "tools/house.py" and (match := machine.search(text)):
            yield f"{name}: {match[0]} is a path of somebody's machine"


def _tests(root: Path) -> Iterator[str]:
    for path in sorted((root / "tests").rglob("*.py")):
        for used in sorted({*imports(path), *dotted(path)}):
            if used in PATCHES or f"{used}.".startswith(tuple(f"{name}." for name in PATCHING)):
                yield f"{name_of(root, path)}: {used}; talk to the emulator instead"


def _machine(root: Path) -> re.Pattern[str]:
    """Paths of whoever wrote a file: of any home, or of where this copy happens to be."""
    places = [r"/home/\w", r"/Users/\w", r"/root/\w"]
    if root.parts[1] not in PLACES_OF_ANY_MACHINE:
        places.append(rf"(?<![\w.])/{re.escape(root.parts[1])}/\w")
    return re.compile("|".join(places))
