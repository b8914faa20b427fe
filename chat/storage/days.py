"""Budgets: how many questions an account has been asked on a day."""

from sqlalchemy import Engine, text

from chat.storage.engine.kinds import by_single_statements

# One statement: were the row read first and written second, two processes would let one more in.
_SPEND = text(
    "INSERT INTO days (account, day, asked) VALUES (:account, :day, 1) "
    "ON CONFLICT (account, day) DO UPDATE SET asked = days.asked + 1 WHERE days.asked < :limit "
    "RETURNING asked"
)
# What surely was asked before anybody counted. Where this is more than the count, days without a
# limit lie in between.
_BEGIN = text(
    "INSERT INTO days (account, day, asked) SELECT :account, :day, count(*) FROM outcomes "
    "WHERE day = :day AND (:agent = '' OR agent = :agent) AND "
    "(state NOT IN ('failed', 'stopped') OR first_s IS NOT NULL OR "
    "code IN ('timeout', 'blocked', 'empty', 'unexpected', 'needs_action')) "
    "ON CONFLICT (account, day) DO UPDATE SET asked = excluded.asked "
    "WHERE days.asked < excluded.asked"
)
_COUNT = text(
    "INSERT INTO days (account, day, asked) VALUES (:account, :day, 1) "
    "ON CONFLICT (account, day) DO UPDATE SET asked = days.asked + 1"
)
_GIVE_BACK = text(
    "UPDATE days SET asked = asked - 1 WHERE account = :account AND day = :day AND asked > 0"
)

_COUNTS = text("SELECT account, asked FROM days WHERE day = :day")


class Days:
    """Counts questions by account and day. A day is a date as text, 2026-01-31."""

    def __init__(self, engine: Engine) -> None:
        # Each is one statement, and so they are for the database.
        self._engine = by_single_statements(engine)

    def spend(self, account: str, day: str, limit: int) -> bool:
        """Counts one more question; False, and uncounted, when the day has its `limit` already."""
        with self._engine.begin() as db:
            values = {"account": account, "day": day, "limit": limit}
            return db.execute(_SPEND, values).first() is not None

    def begin(self, account: str, day: str, agent: str = "") -> None:
        """Counts what the site, or an agent of it, was asked while there was no limit."""
        with self._engine.begin() as db:
            db.execute(_BEGIN, {"account": account, "day": day, "agent": agent})

    def count(self, account: str, day: str) -> None:
        """Counts one more of what has no limit."""
        with self._engine.begin() as db:
            db.execute(_COUNT, {"account": account, "day": day})

    def counts(self, day: str) -> dict[str, int]:
        """How many were counted on a day, by account."""
        with self._engine.connect() as db:
            return {account: asked for account, asked in db.execute(_COUNTS, {"day": day})}

    def give_back(self, account: str, day: str) -> None:
        """Takes back one question that was not asked after all."""
        with self._engine.begin() as db:
            db.execute(_GIVE_BACK, {"account": account, "day": day})
