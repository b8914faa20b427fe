"""What the documents say is so: links, files, commands, magic words, settings, both READMEs."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from chat.owner.commands import COMMANDS
from chat.settings.help import published
from providers import PLATFORMS, Row, options
from tools import documents
from tools.source import name_of, syntax

READMES = ("README.md", "README.zh-CN.md")
GUIDES = ("docs/operating.md", "docs/operating.zh-CN.md")
# Commands of Flask's own, and the one that only `zhiye` has.
OTHER_COMMANDS = {"flask": {"run", "routes", "shell"}, "zhiye": {"run"}}
TARGETS = {"run", "test", "check", "documents", "messages", "css", ".venv/runs"}
FOLDERS = "chat|providers|emulator|tests|tools|static|deploy|docs|bench"
# What a Row says besides what a platform can do.
ROW_FACTS = {"title", "english", "folder", "account", "limits"}


def check(root: Path) -> Iterator[str]:
    """Every statement of a document that a machine can see to be wrong."""
    words = _magic_words(root)
    for path in _documents(root):
        yield from _links(root, path)
        yield from _files(root, path)
        for word in re.findall(r"`!([a-z-]+)[ \d]*`", path.read_text(encoding="utf-8")):
            if word not in words:
                yield f"{name_of(root, path)}: no emulator knows !{word}"
    yield from _commands(root)
    yield from owner_commands(root)
    yield from _readmes(root)
    yield from twins(root, *GUIDES)
    yield from _options()
    yield from _promises(root)
    first = re.search(r"^## (.*)$", _read(root, "CHANGELOG.md"), re.MULTILINE)
    if not first or not re.fullmatch(r"\d+\.\d+\.\d+", first[1]):
        yield "CHANGELOG.md: does not begin with a version"


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language, without the indentation of the list they may be in."""
    pattern = rf"^( *)```{language}\n(.*?)^ *```$"
    matches = re.findall(pattern, text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", body, flags=re.MULTILINE) for indent, body in matches]


def rows(text: str) -> list[list[str]]:
    """The cells of all tables, without heads and rules."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def _documents(root: Path) -> list[Path]:
    return sorted([*root.glob("*.md"), *root.glob("docs/*.md"), *root.glob("deploy/*.md")])


def _read(root: Path, name: str) -> str:
    return (root / name).read_text(encoding="utf-8")


def _without_code(text: str) -> str:
    pattern = r"^ *```.*?^ *```$|<!--.*?-->|`[^`\n]*`"
    return re.sub(pattern, "", text, flags=re.MULTILINE | re.DOTALL)


def _slug(heading: str) -> str:
    """The name that a heading has in a link, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def _links(root: Path, path: Path) -> Iterator[str]:
    for target in re.findall(r"\]\(([^)\s]+)\)", _without_code(path.read_text(encoding="utf-8"))):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        place = (path.parent / name).resolve() if name else path
        if not place.is_relative_to(root) or not place.exists():
            yield f"{name_of(root, path)}: the link {target} leads nowhere"
        elif anchor:
            headings = re.findall(r"^#+ (.*)$", place.read_text(encoding="utf-8"), re.MULTILINE)
            if anchor not in {_slug(heading) for heading in headings}:
                yield f"{name_of(root, path)}: there is no heading {target}"


def _files(root: Path, path: Path) -> Iterator[str]:
    for name in re.findall(rf"`((?:{FOLDERS})/[\w./-]+\.\w+)`", path.read_text(encoding="utf-8")):
        # acme is the platform of the examples.
        if not (root / name).exists() and "acme" not in name:
            yield f"{name_of(root, path)}: there is no {name}"


def _magic_words(root: Path) -> set[str]:
    """What the emulated platforms obey, as their docstrings have it."""
    modules = root.glob("emulator/**/*.py")
    docstrings = (ast.get_docstring(syntax(module)) or "" for module in modules)
    return set(re.findall(r"!([a-z-]+)", " ".join(docstrings)))


def _commands(root: Path) -> Iterator[str]:
    targets = set(re.findall(r"^([.\w/-]+):", _read(root, "Makefile"), re.MULTILINE))
    for missing in sorted(TARGETS - targets):
        yield f"Makefile: there is no {missing}"
    others = [root / "deploy" / "zhiye.service", root / "tools" / "documents.py"]
    for path in (*_documents(root), *others):
        for name in re.findall(r"`make ([.\w/]+)", path.read_text(encoding="utf-8")):
            if name not in targets:
                yield f"{name_of(root, path)}: there is no make {name}"


def owner_commands(root: Path) -> Iterator[str]:
    """Commands of the owner that a document names, in a block or between backticks."""
    known = {command.name for command in COMMANDS}
    for path in [*_documents(root), *root.glob("compose.yaml")]:
        text = path.read_text(encoding="utf-8")
        for program, name in re.findall(
            r"(?:^|[`/ ])(flask|zhiye) (?!zhiye )([a-z][a-z-]+)\b", text, re.M
        ):
            if name not in known | OTHER_COMMANDS[program]:
                yield f"{name_of(root, path)}: there is no {program} {name}"


def _readmes(root: Path) -> Iterator[str]:
    for name in READMES:
        text = _read(root, name)
        yield from _settings(name, text)
        yield from _sections(name, text)
    yield from twins(root, *READMES)


def twins(root: Path, one: str, other: str) -> Iterator[str]:
    """Two languages of one document have the same headings, lists, tables, links and examples."""
    english, chinese = _read(root, one), _read(root, other)
    for pattern in (r"^(#+) ", r"^ *```(\w*)", r"^ *(\d+\.|-|\*) ", r"^(\|)"):
        if re.findall(pattern, english, re.M) != re.findall(pattern, chinese, re.M):
            yield f"{other}: is not built as {one} is, see {pattern}"
    places = rf"\]\(((?!#|{Path(one).stem})[^)]+)\)"
    if sorted(re.findall(places, english)) != sorted(re.findall(places, chinese)):
        yield f"{other}: has other links than {one}"
    for language in ("dotenv", "nginx"):
        if blocks(english, language) != blocks(chinese, language):
            yield f"{other}: has other settings in its examples than {one}"


def _settings(readme: str, text: str) -> Iterator[str]:
    settings = [name for _, name, _ in published()]
    listed = [cells[0].strip("`") for cells in rows(text)]
    if [name for name in listed if name in settings] != settings:
        yield f"{readme}: its table of settings is not the settings"
    examples = [line for block in blocks(text, "dotenv") for line in block.splitlines()]
    names = [line.partition("=")[0] for line in examples]
    names += re.findall(r"`([A-Z][A-Z_]{3,})(?:=[^`]*)?`", text)
    for name in names:
        if not {name, name.removesuffix("_FILE")} & set(settings):
            yield f"{readme}: there is no setting {name}"


def _sections(readme: str, text: str) -> Iterator[str]:
    headings = "\n".join(re.findall(r"^### .*$", text, re.MULTILINE))
    examples = "\n".join(blocks(text, "dotenv"))
    for platform, row in PLATFORMS.items():
        if row.title not in headings or row.english not in headings:
            yield f"{readme}: has no section about {row.title} {row.english}"
        for name, option in options(platform).model_fields.items():
            setting = f"{platform}_{name}".upper()
            if option.is_required() and f"{setting}=" not in examples:
                yield f"{readme}: no example sets {setting}"


def _options() -> Iterator[str]:
    for cells in rows(documents.platforms()):
        if len(cells) == 4 and not cells[3]:
            yield f"providers: the option {cells[0]} has no description"
    capabilities = {field.name for field in fields(Row)} - ROW_FACTS
    for name in sorted(capabilities ^ set(documents.CAPABILITIES)):
        yield f"tools/documents.py: CAPABILITIES and Row differ by {name}"


def _promises(root: Path) -> Iterator[str]:
    """Each promise of SECURITY.md names tests that there are."""
    table = _read(root, "SECURITY.md").partition("| Promise |")[2].partition("\n## ")[0]
    promises = [line for line in table.splitlines() if line.startswith("| ")]
    if len(promises) < 10:
        yield "SECURITY.md: its table of promises is gone"
    for promise in promises:
        names = re.findall(r"`(tests/[\w/.]+)`", promise)
        if not names or not all((root / name).exists() for name in names):
            yield f"SECURITY.md: tests are missing: {promise[:80]}"
