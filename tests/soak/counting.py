"""Afterwards: is each question there once, with an end and the text its visitor saw."""

import os
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from chat import storage
from chat.china import CHINA
from chat.settings.model import Settings
from chat.storage.models import Answer, Conversation
from chat.web.errors import STATUS
from tests.soak.visitors import Promise

ENDS = {"done", "stopped", "failed", "interrupted"}
# Tracebacks that are no fault of ours. Gunicorn, when it ends, ends connections that have asked
# nothing, and may look at its closed door for one that came last.
KNOWN = (
    ("Error handling request (no URI read)", "GreenletExit"),
    ("Socket error processing request", "Bad file descriptor"),
)
# A text may be replaced by another one on purpose: what was heard before is then no part of it.
REPLACED = ("!intervene", "!replace", "!endless", "!strange")


def rows(database: str) -> list[dict[str, Any]]:
    """Every answer that is stored at this address."""
    columns = ("id", "question", "state", "code", "replies", "ended_at")
    found = _select(database, *(getattr(Answer, name) for name in columns))
    return [dict(zip(columns, values, strict=True)) for values in found]


def running(database: str) -> int:
    return sum(row["state"] == "running" for row in rows(database))


@dataclass
class Tally:
    """What some questions came to, counted from the answers themselves."""

    questions: int = 0
    answers: int = 0
    failed: int = 0
    tokens: int = 0
    people: set[str] = field(default_factory=set)
    codes: Counter[str] = field(default_factory=Counter)

    def add(self, visitor: str, state: str, code: str | None, usage: dict[str, int] | None) -> None:
        self.questions += 1
        self.tokens += (usage or {}).get("total") or 0
        self.people.add(visitor)
        if state in ("done", "stopped"):
            self.answers += 1
        elif state != "running":
            self.failed += 1
            self.codes[str(code)] += 1

    @property
    def numbers(self) -> dict[str, Any]:
        """All of them as the desk names them."""
        return {
            "questions": self.questions,
            "answers": self.answers,
            "failed": self.failed,
            "tokens": self.tokens,
            "visitors": len(self.people),
            "codes": dict(self.codes),
        }


def recount(database: str) -> dict[str, dict[Any, Tally]]:
    """By day, which is one in China, by agent and by access, as the desk sums it up."""
    tallies: dict[str, dict[Any, Tally]] = {"days": {}, "agents": {}, "accesses": {}}
    talk, columns = Conversation, (Answer.state, Answer.code, Answer.usage)
    found = _select(database, Answer.created_at, talk.agent, Answer.access, talk.visitor, *columns)
    for at, agent, access, *answer in found:
        keys = {"days": at.astimezone(CHINA).date().isoformat(), "agents": agent}
        for kind, key in {**keys, "accesses": access}.items():
            tallies[kind].setdefault(key, Tally()).add(*answer)
    return tallies


def wrong_numbers(usage: dict[str, Any], database: str) -> Iterator[str]:
    """Where the numbers of the owner's desk differ from a recount of the answers themselves.

    None was deleted, and all were asked within the days that the desk shows.
    """
    tallies = recount(database)
    for kind, key in (("days", "day"), ("agents", "id"), ("accesses", "access")):
        for row in usage[kind]:
            stored = tallies[kind].pop(row[key], Tally()).numbers
            yield from _wrong(str(row[key]), {**row, key: None}, {**stored, key: None})
        if tallies[kind]:
            yield f"the desk says nothing of {tallies[kind]}"


def wrong_today(tiles: dict[str, int], day: str, database: str) -> Iterator[str]:
    """The same of the page of that day."""
    yield from _wrong("today", tiles, recount(database)["days"].get(day, Tally()).numbers)


def _wrong(subject: str, numbers: dict[str, Any], stored: dict[str, Any]) -> Iterator[str]:
    if different := {name: said for name, said in numbers.items() if said != stored[name]}:
        yield f"the desk says of {subject} {different}, stored is {stored}"


def _select(database: str, *columns: Any) -> Sequence[Any]:
    query = select(*columns).select_from(Answer).join(Conversation)
    store = storage.open_existing(Settings(database_url=database))
    with closing(store), store.engine.connect() as db:
        return db.execute(query).all()


def integrity(database: str) -> Iterator[str]:
    """What SQLite finds wrong with its file; a server looks after its own."""
    path = database.removeprefix("sqlite:///")
    if path == database:
        return
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)) as db:
        for check in ("integrity_check", "foreign_key_check"):
            for result, *_ in db.execute(f"PRAGMA {check}"):
                if result != "ok":
                    yield f"{check}: {result}"


def broken(promises: list[Promise], stored: list[dict[str, Any]]) -> Iterator[str]:
    """Each promise that was not kept."""
    by_question: dict[str, list[dict[str, Any]]] = {}
    for row in stored:
        by_question.setdefault(row["question"], []).append(row)
        if row["state"] not in ENDS or not row["ended_at"]:
            yield f"no end: {row}"
        if row["state"] in ("failed", "interrupted") and row["code"] not in STATUS:
            yield f"a failure without a code: {row}"
    for promise in promises:
        matches = by_question.get(promise.question, [])
        if len(matches) > 1:
            yield f"stored {len(matches)} times: {promise.question}"
        is_known = bool(promise.message or promise.conversation)
        if is_known and not matches:
            yield f"lost: {promise.question} ({promise.message})"
        if is_known and matches:
            yield from _differences(promise, matches[0])


def _differences(promise: Promise, row: dict[str, Any]) -> Iterator[str]:
    """Where the database differs from what the visitor heard."""
    if promise.message and row["id"] != promise.message:
        yield f"another id: {promise.message} is {row}"
    text, heard = "".join(row["replies"]), promise.text
    if promise.way == "form" or not promise.is_whole:
        return
    where = f"{promise.question} {row['state']}"
    if promise.end:
        end = row["code"] if row["state"] in ("failed", "interrupted") else "done"
        if promise.end != end:
            yield f"heard {promise.end}, stored {end}: {promise.question}"
        if text != heard and not _lost_a_second(row, heard, text):
            yield f"heard {heard[:80]!r} to the end, stored {text[:80]!r}: {where}"
    elif not (
        _may_be_replaced(promise) or text.startswith(heard) or _lost_a_second(row, heard, text)
    ):
        yield f"heard {heard[:80]!r}, stored {text[:80]!r}: {where}"


def _may_be_replaced(promise: Promise) -> bool:
    return any(word in promise.question for word in REPLACED)


def _lost_a_second(row: dict[str, Any], heard: str, stored: str) -> bool:
    """What kill -9 costs where the platform keeps no record; another text than was heard is never
    stored.
    """
    return bool(row["state"] == "interrupted" and heard.startswith(stored))


def faults_in_the_log(log: str) -> Iterator[str]:
    """What a log holds that is a fault of ours; each kind once, with how often."""
    counts: Counter[str] = Counter()
    lines = log.splitlines()
    for number, line in enumerate(lines):
        if line.lstrip().startswith("Traceback"):
            deeper = " " * (len(line) - len(line.lstrip()) + 1)
            ending = next(
                (text for text in lines[number + 1 :] if text and not text.startswith(deeper)), ""
            )
            before = lines[number - 1] if number else ""
            if not any(what in before and error in ending for what, error in KNOWN):
                counts[f"{before[:150]} … {ending[:250]}"] += 1
        elif "a fault of ours" in line or "ended by a fault" in line:
            counts[line[-60:]] += 1
    for what, times in counts.items():
        yield f"in the log, {times} times: {what}"


class Workers:
    """The workers of a site, as the kernel sees them."""

    def __init__(self, master: int) -> None:
        self.pids = Path(f"/proc/{master}/task/{master}/children").read_text().split()

    @property
    def memory_mb(self) -> float:
        """That of the largest."""
        return max(self._memory_mb(pid) for pid in self.pids)

    def _memory_mb(self, pid: str) -> float:
        status = Path(f"/proc/{pid}/status").read_text()
        match = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        return int(match[1]) / 1024 if match else 0.0

    @property
    def threads(self) -> int:
        return sum(len(os.listdir(f"/proc/{pid}/task")) for pid in self.pids)

    @property
    def sockets(self) -> int:
        count = 0
        for pid in self.pids:
            for name in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    count += os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:")
        return count
