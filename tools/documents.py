"""What the documents take from the code: the settings and the tables, written or compared."""

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from chat.agents import cures
from chat.settings import help as settings_help
from chat.settings.model import Settings
from chat.settings.platforms import ordered_options
from providers import PLATFORMS, Row, load
from providers.options import AgentOptions

ROOT = Path(__file__).resolve().parent.parent
# A room's inner rooms follow it.
ROOMS = tuple(
    f"{folder.relative_to(ROOT)}/*.py"
    for folder in sorted((ROOT / "chat").rglob("*"))
    if folder.is_dir() and folder.name != "versions"
)
LAYERS = {
    "The start": ("app.py", "gunicorn.conf.py", "zhiye.py"),
    "The application": ("chat/*.py", *ROOMS),
    "The platforms": ("providers/*.py", "providers/*/*.py"),
    "The emulated platforms": ("emulator/*.py", "emulator/*/*.py"),
    "Tools": ("tools/*.py",),
}
CAPABILITIES = {
    "streams": "Text comes while it is made",
    "remembers": "The platform keeps the history",
    "branches": "A question edited or asked again meets the history up to there only",
    "cancels": "Stop ends the work there",
    "records": "An answer can be read again",
    "suggests": "Follow-up questions",
    "counts": "Tells the tokens used",
    "introduces": "Name, welcome and first questions come from there",
    "pictures": "Pictures of an answer are shown; elsewhere they are links",
    "clears": "It can be made to forget",
    "files": "Files with a question",
    "images": "Pictures with a question",
    "fetches": "Fetches them from here, so `PUBLIC_URL` is needed",
    "grants": "The owner can authorise this site instead of making a token",
    "shares_tokens": "Several processes of a site use one token, for a new one may end the old",
}


class MissingMarker(Exception):
    """A document lacks the pair of comments between which its table belongs."""


def documents() -> dict[str, str]:
    """What each of these files should hold, by its path."""
    return {
        "config.example.env": settings_help.example(),
        "README.md": _document("README.md", "settings", settings_help.table(chinese=False)),
        "README.zh-CN.md": _document(
            "README.zh-CN.md", "settings", settings_help.table(chinese=True)
        ),
        "docs/architecture.md": _document("docs/architecture.md", "layout", layout()),
        "docs/providers.md": _document("docs/providers.md", "platforms", platforms()),
        "docs/doctor.md": _document("docs/doctor.md", "cures", cures.table(chinese=False)),
        "docs/doctor.zh-CN.md": _document(
            "docs/doctor.zh-CN.md", "cures", cures.table(chinese=True)
        ),
    }


def filled(text: str, name: str, table: str) -> str:
    """The text with `table` between the two comments that bear the name."""
    begin, end = f"<!-- {name}: written by `make documents` -->\n", f"<!-- end of {name} -->\n"
    before, has_begin, rest = text.partition(begin)
    _, has_end, after = rest.partition(end)
    if not (has_begin and has_end):
        raise MissingMarker(f"put {begin.strip()} and {end.strip()} around the place of the table")
    return f"{before}{begin}\n{table}\n{end}{after}"


def sentence(path: Path) -> str:
    """What a module is, by its docstring; empty when it has none."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = re.match(r".*?\.(?=\s+[A-Z`]|$)", " ".join(docstring.split()))
    return re.sub(r" \(platforms/[^)]*\)", "", first[0] if first else "")


def layout() -> str:
    """Every module with its sentence, a table for each layer."""
    lines: list[str] = []
    for title, patterns in LAYERS.items():
        lines += [f"### {title}", "", "| Module | What it is |", "|---|---|"]
        for path in (path for pattern in patterns for path in sorted(ROOT.glob(pattern))):
            if module_sentence := sentence(path):
                lines.append(_row(f"`{path.relative_to(ROOT)}`", module_sentence))
        lines.append("")
    return "\n".join(lines)


def platforms() -> str:
    """What each platform can do, and what an agent on it is given."""
    lines = [
        _row("", *(f"{row.title} {row.english}" for row in PLATFORMS.values())),
        "|---|" + ":-:|" * len(PLATFORMS),
    ]
    for capability, meaning in CAPABILITIES.items():
        lines.append(
            _row(meaning, *("✓" if getattr(row, capability) else "–" for row in PLATFORMS.values()))
        )
    for name, row in PLATFORMS.items():
        lines += ["", f"### {row.title} {row.english}", "", *_options(name, row)]
    return "\n".join(lines) + "\n"


def _options(name: str, row: Row) -> Iterator[str]:
    yield f'`platform = "{name}"`, read by `{row.folder.replace(".", "/")}/provider.py`.'
    if endings := (*row.files, *row.images):
        yield f"Takes files that end in {', '.join(endings)}."
    if row.pictures:
        yield f"Shows pictures from {', '.join(row.pictures)}."
    proof = load(name).PROVIDER.proof
    yield f"Done only on proof: {proof}. Without it what came is kept, as an answer that failed."
    yield ""
    yield _row("In agents.toml", "In .env", "Default", "What it is")
    yield "|---|---|---|---|"
    for key, field in ordered_options(name):
        setting = _setting(name, key)
        in_env = f"`{setting.upper()}`" if setting else ""
        default = _default(field) if key not in AgentOptions.model_fields else _limit(row, key)
        yield _row(f"`{key}`", in_env, default, _description(field, setting))


def _limit(row: Row, key: str) -> str:
    """What is known of the platform's own limit."""
    return f"`{limit:g}`" if (limit := getattr(row.limits, key, 0)) else "none known"


def _setting(platform: str, key: str) -> str | None:
    """The setting that gives an option its value for the agent of .env."""
    names = (f"{platform}_{key}", key)
    return next((name for name in names if name in Settings.model_fields), None)


def _description(field: FieldInfo, setting: str | None) -> str:
    return field.description or (setting and Settings.model_fields[setting].description) or ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value: Any = field.default
    if value is None or value is PydanticUndefined or isinstance(value, BaseModel | dict):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _document(path: str, name: str, table: str) -> str:
    try:
        return filled((ROOT / path).read_text(encoding="utf-8"), name, table)
    except MissingMarker as error:
        raise MissingMarker(f"{path}: {error}") from None


def main() -> None:
    parser = argparse.ArgumentParser("tools.documents", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail when a file is stale"
    )
    only_check = parser.parse_args().check
    try:
        texts = documents()
    except MissingMarker as error:
        sys.exit(str(error))
    stale = [path for path, text in texts.items() if _current(path) != text]
    if stale and only_check:
        sys.exit(f"stale: {', '.join(stale)}. Write them anew: make documents")
    for path in stale:
        (ROOT / path).write_text(texts[path], encoding="utf-8")
        print(f"wrote {path}")


def _current(path: str) -> str | None:
    file = ROOT / path
    return file.read_text(encoding="utf-8") if file.is_file() else None


if __name__ == "__main__":
    main()
