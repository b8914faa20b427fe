"""Afterwards: is each question there once, with an end and the text its visitor saw."""

import json
import os
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from chat.web.errors import STATUS
from tests.soak.visitors import Promise

ENDS = {"done", "stopped", "failed", "interrupted"}
# Each answer with its day, which is one in China.
_RECOUNT = """
SELECT date(answers.created_at, '+8 hours'), visitor, agent, state, code,
    json_extract(usage, '$.total')
FROM answers JOIN conversations ON conversations.id = conversation_id
"""
# Tracebacks that are no fault of ours. Gunicorn, when it ends, ends connections that have asked
# nothing, and may look at its closed door for one that came last.
KNOWN = (
    ("Error handling request (no URI read)", "GreenletExit"),
    ("Socket error processing request", "Bad file descriptor"),
)
# A text may be replaced by another one on purpose: what was heard before is then no part of it.
REPLACED = ("!intervene", "!replace", "!endless", "!strange")


def rows(database: Path) -> list[dict[str, Any]]:
    """Every answer that is stored."""
    columns = "id", "question", "state", "code", "replies", "ended_at"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=20)) as db:
        tuples = db.execute(f"SELECT {', '.join(columns)} FROM answers").fetchall()
    answers = [dict(zip(columns, values, strict=True)) for values in tuples]
    return [{**row, "replies": json.loads(row["replies"])} for row in answers]


def running(database: Path) -> int:
    return sum(row["state"] == "running" for row in rows(database))


def wrong_numbers(usage: dict[str, Any], database: Path) -> Iterator[str]:
    """Where the numbers of the owner's desk differ from a recount of the answers themselves.

    None was deleted, and all were asked within the days that the desk shows.
    """
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=20)) as db:
        answers = db.execute(_RECOUNT).fetchall()
    days: dict[str, Counter[str]] = {}
    visitors: dict[str, set[str]] = {}
    agents: dict[str, Counter[str]] = {}
    for day, visitor, agent, state, code, tokens in answers:
        kind = {"done": "answers", "stopped": "answers", "running": "running"}.get(state, "failed")
        days.setdefault(day, Counter()).update({"questions": 1, kind: 1, "tokens": tokens or 0})
        visitors.setdefault(day, set()).add(visitor)
        agents.setdefault(agent, Counter())["questions"] += 1
        if kind == "failed":
            agents[agent].update({"failed": 1, f"code {code}": 1})
    for row in usage["days"]:
        count = days.pop(row["day"], Counter())
        count["visitors"] = len(visitors.get(row["day"], ()))
        if different := {
            name: row[name] for name in row if name != "day" and row[name] != count[name]
        }:
            yield f"the desk says of {row['day']} {different}, stored is {dict(count)}"
    for row in usage["agents"]:
        codes = {f"code {code}": times for code, times in row["codes"].items()}
        numbers = Counter({"questions": row["questions"], "failed": row["failed"], **codes})
        if numbers != (count := agents.pop(row["id"], Counter())):
            yield f"the desk says of {row['id']} {dict(numbers)}, stored is {dict(count)}"
    if days or agents:
        yield f"the desk says nothing of {days} {agents}"


def integrity(database: Path) -> Iterator[str]:
    """What SQLite finds wrong with its file."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=20)) as db:
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


class Process:
    """The worker of a site, as the kernel sees it."""

    def __init__(self, master: int) -> None:
        children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        self.pid = int(children[-1])

    @property
    def memory_mb(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        match = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        return int(match[1]) / 1024 if match else 0.0

    @property
    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/task"))

    @property
    def sockets(self) -> int:
        count = 0
        for name in os.listdir(f"/proc/{self.pid}/fd"):
            with suppress(OSError):
                count += os.readlink(f"/proc/{self.pid}/fd/{name}").startswith("socket:")
        return count
