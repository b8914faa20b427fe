"""Questions and answers as a file: CSV for spreadsheets, JSON for programs, a piece at a time."""

import csv
import io
import json
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import pgettext

from chat.storage import Answer
from chat.storage.content import Content

# Excel takes a file without it for one in the system's own encoding.
BOM = "\ufeff"
# What a spreadsheet takes for the beginning of a formula, also where it is of full width.
_FORMULAS = frozenset("=+-@\t\r\n")


def as_csv(answers: Iterable[tuple[Answer, str]], zone: str) -> Iterator[str]:
    """A line for each answer, given with its visitor's name; times are those of the zone."""
    headings = _headings()
    yield BOM + _line(headings.values())
    for answer, visitor in answers:
        row = _row(answer, visitor)
        for name in ("asked_at", "ended_at"):
            row[name] = _local(row[name], zone)
        row["answer"] = "\n\n".join(row.pop("replies"))
        yield _line(_defused(row[name]) for name in headings)


def as_json(answers: Iterable[tuple[Answer, str]]) -> Iterator[str]:
    """A list of objects, one a line; times are ISO 8601 in UTC."""
    start = "["
    for answer, visitor in answers:
        row = _row(answer, visitor)
        for name in ("asked_at", "ended_at"):
            row[name] = row[name].isoformat(timespec="seconds") if row[name] else None
        yield f"{start}\n{json.dumps(row, ensure_ascii=False)}"
        start = ","
    yield "[]\n" if start == "[" else "\n]\n"


def _row(answer: Answer, visitor: str) -> dict[str, Any]:
    content = Content.of(answer)
    return {
        "asked_at": answer.created_at,
        "ended_at": answer.ended_at,
        "agent": answer.conversation.agent,
        "visitor": visitor,
        "access": answer.access,
        "question": answer.question,
        "files": [str(file["name"]) for file in answer.files],
        "replies": content.replies,
        "state": answer.state,
        "code": answer.code,
        "rating": answer.rating,
        "rating_reason": answer.rating_reason,
        "first_s": answer.first_s,
        "tokens": (content.usage or {}).get("total"),
        "trace": answer.trace,
        "message_id": answer.id,
        "conversation_id": answer.conversation_id,
    }


def _headings() -> dict[str, str]:
    """The columns of a CSV file in their order, in the language of the request."""
    return {
        "asked_at": pgettext("column", "Asked at"),
        "agent": pgettext("column", "Agent"),
        "visitor": pgettext("column", "Visitor"),
        "access": pgettext("column", "Access code"),
        "question": pgettext("column", "Question"),
        "files": pgettext("column", "Files"),
        "answer": pgettext("column", "Answer"),
        "state": pgettext("column", "State"),
        "code": pgettext("column", "Cause of failure"),
        "rating": pgettext("column", "Rating"),
        "rating_reason": pgettext("column", "Reason of the rating"),
        "ended_at": pgettext("column", "Ended at"),
        "first_s": pgettext("column", "Seconds to the first words"),
        "tokens": pgettext("column", "Tokens"),
        "trace": pgettext("column", "The platform's log id"),
        "message_id": pgettext("column", "Answer id"),
        "conversation_id": pgettext("column", "Conversation id"),
    }


def _line(cells: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _defused(cell: Any) -> Any:
    """A cell that no spreadsheet takes for a formula; numbers stay numbers."""
    text = ", ".join(cell) if isinstance(cell, list) else cell
    if not isinstance(text, str):
        return "" if text is None else text
    beginning = unicodedata.normalize("NFKC", text[:1] + text.lstrip()[:1])
    return text if _FORMULAS.isdisjoint(beginning) else f"'{text}"


def _local(at: datetime | None, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}" if at else ""
