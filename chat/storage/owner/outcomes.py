"""The owner's numbers: one small row for each question of the last days, then one for each day.

A row is stored with its question and changed with the end of its answer, in the same transactions:
nothing is counted twice, whoever ends an answer and however often. No two answers share a row, so
that no process waits for another: on PostgreSQL one row for all that ended alike on a day halved
how many answers two processes could end in a second.

After OPEN_DAYS what has ended is summed up by days (`close`): ninety days are read as fast as one,
and of the visitors there is nothing left but their number. What is asked or ends on a closed day
after all, since a clock was set back, is added to it by and by.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    Connection,
    Engine,
    Select,
    Table,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    update,
)

from chat.offload import give_way
from chat.storage.engine.kinds import kind_of, lock
from chat.storage.models import RUNNING, Base

# By then nothing is being answered any more, whatever the zone.
OPEN_DAYS = 3
# A year and a month: whoever asks the database can compare with last year.
DAYS_KEPT = 400
# What a column of integers holds: a platform may say any number.
MOST_TOKENS = 2**31 - 1

_TABLE = Base.metadata.tables["outcomes"]
_CLOSED = Base.metadata.tables["closed_days"]
_OUTCOMES = _TABLE.c
_KEYS = _OUTCOMES.day, _OUTCOMES.agent, _OUTCOMES.access, _OUTCOMES.state, _OUTCOMES.code
_INSERT = insert(_TABLE)
_UPDATE = update(_TABLE).where(_OUTCOMES.answer_id == bindparam("answer"))
# An answer that was deleted while it was being made has no other end.
_HAS_ENDED = or_(_OUTCOMES.state != RUNNING, _OUTCOMES.answer_id.is_(None))
_CLOSE = text(
    "INSERT INTO closed_days (day, counts, visitors, first_words) "
    "VALUES (:day, :counts, :visitors, :first_words) ON CONFLICT (day) DO UPDATE SET "
    "counts = excluded.counts, visitors = excluded.visitors, first_words = excluded.first_words"
).bindparams(bindparam("counts", type_=JSON), bindparam("first_words", type_=JSON))


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
        tokens = func.coalesce(func.sum(_OUTCOMES.tokens), 0)
        query = select(*_KEYS, func.count(), tokens).group_by(*_KEYS)
        open_days, closed_days = self._read(query, _CLOSED.c.counts, first, last)
        rows = [*open_days, *([day, *count] for day, counts in closed_days for count in counts)]
        return [
            Count(date.fromisoformat(day), *key, *numbers)
            for (day, *key), numbers in _sums(rows).items()
        ]

    def visitors(self, first: date, last: date) -> dict[date, int]:
        """How many visitors asked something, by day."""
        visitors = func.count(_OUTCOMES.visitor_mark.distinct())
        query = select(_OUTCOMES.day, visitors).group_by(_OUTCOMES.day)
        open_days, closed_days = self._read(query, _CLOSED.c.visitors, first, last)
        counts: Counter[date] = Counter()
        for day, count in [*open_days, *closed_days]:
            counts[date.fromisoformat(day)] += count
        return dict(counts)

    def first_words(self, first: date, last: date) -> list[tuple[float, int]]:
        """After how many seconds answers began, shortest first, and how many did so then.

        Of closed days by tenths of a second.
        """
        query = select(_OUTCOMES.first_s, func.count()).group_by(_OUTCOMES.first_s)
        query = query.where(_OUTCOMES.first_s.is_not(None))
        open_days, closed_days = self._read(query, _CLOSED.c.first_words, first, last)
        counts: Counter[float] = Counter()
        for seconds, count in [*open_days, *(pair for _, pairs in closed_days for pair in pairs)]:
            counts[seconds] += count
        return sorted(counts.items())

    def close(self, today: date) -> None:
        """Sums up the days before the last OPEN_DAYS, each in a short transaction."""
        before = (today - timedelta(days=OPEN_DAYS - 1)).isoformat()
        query = select(_OUTCOMES.day).distinct().where(_OUTCOMES.day < before, _HAS_ENDED)
        with self._engine.connect() as db:
            days = db.scalars(query.order_by(_OUTCOMES.day)).all()
        for day in days:
            with self._engine.begin() as db:
                _close(db, day)
            # A day of a thousand answers takes twenty milliseconds: others come first.
            give_way()

    def expire(self, today: date) -> None:
        """Deletes what is older than DAYS_KEPT."""
        oldest = (today - timedelta(days=DAYS_KEPT)).isoformat()
        with self._engine.begin() as db:
            for table in (_TABLE, _CLOSED):
                db.execute(delete(table).where(table.c.day < oldest))

    def _read(
        self, query: Select[Any], column: Any, first: date, last: date
    ) -> tuple[Sequence[Any], Sequence[Any]]:
        """Rows of the days that are open, and a column of those that are closed, at one moment."""
        closed = select(_CLOSED.c.day, column)
        with kind_of(self._engine).one_moment(self._engine) as db:
            return (
                db.execute(_between(query, _TABLE, first, last)).all(),
                db.execute(_between(closed, _CLOSED, first, last)).all(),
            )


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


def _between(query: Select[Any], table: Table, first: date, last: date) -> Select[Any]:
    return query.where(table.c.day.between(first.isoformat(), last.isoformat()))


def _close(db: Connection, day: str) -> None:
    """Adds up what has ended of a day, to what was added up before, and deletes it."""
    lock(db, "closed days")
    ended = delete(_TABLE).where(_OUTCOMES.day == day, _HAS_ENDED)
    rows = db.execute(ended.returning(_TABLE)).all()
    closed = db.execute(select(_CLOSED).where(_CLOSED.c.day == day)).one_or_none()
    counts = [(row.agent, row.access, row.state, row.code, 1, row.tokens or 0) for row in rows]
    words = Counter(round(row.first_s, 1) for row in rows if row.first_s is not None)
    visitors = len({row.visitor_mark for row in rows})
    if closed is not None:
        counts += closed.counts
        words.update(dict(closed.first_words))
        visitors += closed.visitors
    sums = [[*key, *numbers] for key, numbers in _sums(counts).items()]
    values = {"counts": sums, "visitors": visitors, "first_words": sorted(words.items())}
    db.execute(_CLOSE, {"day": day, **values})


def _sums(rows: Sequence[Sequence[Any]]) -> dict[tuple[Any, ...], tuple[int, ...]]:
    """The sums of the last two values by all values before them."""
    sums: dict[tuple[Any, ...], tuple[int, ...]] = {}
    for *key, questions, tokens in rows:
        before = sums.get(tuple(key), (0, 0))
        sums[tuple(key)] = before[0] + questions, before[1] + tokens
    return sums
