"""The owner's numbers: one small row for each question, which outlives what was said.

A row is stored with its question and changed with the end of its answer, in the same transactions:
nothing is counted twice, whoever ends an answer and however often. No two answers share a row, so
that no process waits for another: on PostgreSQL one row for all that ended alike on a day halved
how many answers two processes could end in a second.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Select, bindparam, delete, func, insert, select, update

from chat.storage.models import RUNNING, Base

# A year and a month: whoever asks the database can compare with last year.
DAYS_KEPT = 400
# What a column of integers holds: a platform may say any number.
MOST_TOKENS = 2**31 - 1

_OUTCOMES = Base.metadata.tables["outcomes"].c
_TABLE = Base.metadata.tables["outcomes"]
_INSERT = insert(_TABLE)
_UPDATE = update(_TABLE).where(_OUTCOMES.answer_id == bindparam("answer"))


@dataclass(frozen=True)
class Count:
    """How many questions of a day were asked of an agent by one access, and ended in one way.

    `access` is None for visitors without a code. `code` is the reason of a failure.
    """

    day: date
    agent: str
    access: str | None
    state: str
    code: str | None
    questions: int
    tokens: int


class Outcomes:
    """What became of questions, by days: both ends of a period are days of it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def counts(self, first: date, last: date) -> list[Count]:
        """All questions of a period, counted by everything that tells them apart."""
        keys = _OUTCOMES.day, _OUTCOMES.agent, _OUTCOMES.access, _OUTCOMES.state, _OUTCOMES.code
        tokens = func.coalesce(func.sum(_OUTCOMES.tokens), 0)
        query = _between(select(*keys, func.count(), tokens), first, last).group_by(*keys)
        with self._engine.connect() as db:
            rows = db.execute(query).all()
        return [Count(date.fromisoformat(day), *rest) for day, *rest in rows]

    def visitors(self, first: date, last: date) -> dict[date, int]:
        """How many visitors asked something, by day."""
        visitors = func.count(_OUTCOMES.visitor_mark.distinct())
        query = _between(select(_OUTCOMES.day, visitors), first, last).group_by(_OUTCOMES.day)
        with self._engine.connect() as db:
            return {date.fromisoformat(day): count for day, count in db.execute(query)}

    def first_words(self, first: date, last: date) -> list[tuple[float, int]]:
        """After how many seconds answers began, shortest first, and how many did so then."""
        query = _between(select(_OUTCOMES.first_s, func.count()), first, last)
        query = query.where(_OUTCOMES.first_s.is_not(None))
        with self._engine.connect() as db:
            rows = db.execute(query.group_by(_OUTCOMES.first_s).order_by(_OUTCOMES.first_s))
            return [(seconds, count) for seconds, count in rows]

    def expire(self, today: date) -> None:
        """Deletes what is older than DAYS_KEPT."""
        oldest = today - timedelta(days=DAYS_KEPT)
        with self._engine.begin() as db:
            db.execute(delete(_TABLE).where(_OUTCOMES.day < oldest.isoformat()))


def insert_outcome(
    db: Connection, *, answer_id: str, visitor: str, agent: str, access: str | None, day: date
) -> None:
    """A question has been asked."""
    db.execute(
        _INSERT,
        {
            "answer_id": answer_id,
            "day": day.isoformat(),
            "agent": agent,
            "access": access,
            "visitor_mark": mark_of(visitor, day),
            "state": RUNNING,
        },
    )


def update_outcome(db: Connection, answer_id: str, columns: Mapping[str, Any]) -> None:
    """An answer has ended: `columns` are some of its row, `state` and `usage` among them."""
    values = {
        "state": columns["state"],
        "code": columns.get("code"),
        "first_s": columns.get("first_s"),
        "tokens": tokens_of(columns["usage"]),
    }
    db.execute(_UPDATE, {"answer": answer_id, **values})


def tokens_of(usage: Mapping[str, int] | None) -> int | None:
    """All tokens of an answer, None where the platform counts none."""
    if not usage:
        return None
    # Some count only what went in and what came out.
    total = usage.get("total") or usage.get("input", 0) + usage.get("output", 0)
    return max(0, min(total, MOST_TOKENS))


def mark_of(visitor: str, day: date) -> str:
    """Sixteen hex digits for a visitor on a day. Another day has another mark of the same visitor.

    A visitor's id is 144 bits of chance: nobody finds it by trying.
    """
    return hashlib.sha256(f"{day.isoformat()} {visitor}".encode()).hexdigest()[:16]


def _between(query: Select[Any], first: date, last: date) -> Select[Any]:
    return query.where(_OUTCOMES.day.between(first.isoformat(), last.isoformat()))
