"""The table as a person reads it, in docs/reliability.md and its Chinese sibling, made of what was seen."""

from pathlib import Path

from chat.web.errors import STATUS
from providers import PLATFORMS
from tests.faults.asking import Key, Seen
from tests.faults.table import DONE, FAULTS, Fault

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
BEGIN, END = "<!-- faults: written by `make reliability` -->\n", "<!-- end of faults -->\n"
ANSWERED = {"reliability.md": "answered", "reliability.zh-CN.md": "有回答"}


def write(seen: dict[Key, Seen]) -> list[str]:
    """Puts what was seen into the two documents; the names of those that said something else.

    Raises ValueError when one lacks its pair of comments.
    """
    stale = []
    for name in ANSWERED:
        text = (DOCS / name).read_text(encoding="utf-8")
        filled = _filled(text, seen, name)
        if filled != text:
            (DOCS / name).write_text(filled, encoding="utf-8")
            stale.append(name)
    return stale


def _filled(text: str, seen: dict[Key, Seen], name: str) -> str:
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(
            f"docs/{name}: put {BEGIN.strip()} and {END.strip()} around the place of the table"
        )
    return f"{before}{begin}\n{table(seen, chinese='zh' in name, answered=ANSWERED[name])}\n{end}{after}"


def table(seen: dict[Key, Seen], chinese: bool, answered: str) -> str:
    """One row a fault, one column a platform."""
    titles = [row.title if chinese else row.english for row in PLATFORMS.values()]
    lines = [
        _row("故障" if chinese else "What breaks", "模拟器" if chinese else "Emulator", *titles)
    ]
    lines.append("|---|---|" + "---|" * len(PLATFORMS))
    for fault in FAULTS:
        cells = (cell(seen, fault, platform, answered) for platform in PLATFORMS)
        lines.append(
            _row(fault.chinese if chinese else fault.what, f"`{fault.word.strip()}`", *cells)
        )
    return "\n".join(lines) + "\n"


def cell(seen: dict[Key, Seen], fault: Fault, platform: str, answered: str) -> str:
    """How one fault ends on one platform; by stream and form, and as JSON where that differs."""
    if platform not in fault.on:
        return "–"
    streamed, whole, form = (seen[fault.word, platform, way] for way in ("stream", "json", "form"))
    if streamed.ended != form.ended:
        return f"{streamed.ended}, {form.ended}?"
    told = _told(streamed, answered)
    if streamed.stored and streamed.code and "".join(streamed.stored[0]["replies"]):
        told += " ¶"
    if streamed.waits is not None:
        told += " ↻"
    return told if whole.ended == streamed.ended else f"{told}; JSON: {_told(whole, answered)}"


def _told(seen: Seen, answered: str) -> str:
    return answered if seen.ended == DONE else f"`{STATUS[seen.ended]} {seen.ended}`"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"
