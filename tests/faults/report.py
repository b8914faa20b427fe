"""The table of faults as a person reads it, in docs/reliability.md and its Chinese sibling."""

from collections.abc import Mapping
from pathlib import Path

from chat.web.errors import STATUS
from providers import PLATFORMS
from tests.faults.harvest import Outcome
from tests.faults.table import DONE, FAULTS, Cell, Fault

DOCS = Path(__file__).resolve().parents[2] / "docs"
BEGIN = "<!-- faults: written by `make reliability` -->\n"
END = "<!-- end of faults -->\n"
ANSWERED = {"reliability.md": "answered", "reliability.zh-CN.md": "有回答"}

Outcomes = Mapping[Cell, Outcome]


def write(outcomes: Outcomes) -> list[str]:
    """Writes the outcomes into the two documents. Returns the names of those that changed.

    Raises ValueError when a document lacks its pair of comments.
    """
    stale = []
    for name in ANSWERED:
        text = (DOCS / name).read_text(encoding="utf-8")
        filled = _fill(text, outcomes, name)
        if filled != text:
            (DOCS / name).write_text(filled, encoding="utf-8")
            stale.append(name)
    return stale


def _fill(text: str, outcomes: Outcomes, name: str) -> str:
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"docs/{name}: put {BEGIN.strip()} and {END.strip()} around the table")
    content = table(outcomes, chinese="zh" in name, answered=ANSWERED[name])
    return f"{before}{begin}\n{content}\n{end}{after}"


def table(outcomes: Outcomes, chinese: bool, answered: str) -> str:
    """One row a fault, one column a platform."""
    titles = [row.title if chinese else row.english for row in PLATFORMS.values()]
    head = ["故障", "模拟器"] if chinese else ["What breaks", "Emulator"]
    lines = [_line(*head, *titles), "|---|---|" + "---|" * len(PLATFORMS)]
    for fault in FAULTS:
        cells = [_cell(outcomes, fault, platform, answered) for platform in PLATFORMS]
        title = fault.chinese if chinese else fault.what
        lines.append(_line(title, f"`{fault.word.strip()}`", *cells))
    return "\n".join(lines) + "\n"


def _cell(outcomes: Outcomes, fault: Fault, platform: str, answered: str) -> str:
    """How one fault ends on one platform; by stream and form, and as JSON where that differs."""
    if platform not in fault.on:
        return "–"
    stream = outcomes[Cell(fault, platform, "stream")]
    whole = outcomes[Cell(fault, platform, "json")]
    form = outcomes[Cell(fault, platform, "form")]
    if stream.name != form.name:
        return f"{stream.name}, {form.name}?"
    text = _name(stream, answered)
    if stream.rows and stream.code and "".join(stream.rows[0]["replies"]):
        text += " ¶"
    if stream.retry_after is not None:
        text += " ↻"
    return text if whole.name == stream.name else f"{text} · JSON {_name(whole, answered)}"


def _name(outcome: Outcome, answered: str) -> str:
    return answered if outcome.name == DONE else f"`{STATUS[outcome.name]} {outcome.name}`"


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"
