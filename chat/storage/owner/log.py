"""What the owner did: commands and changes at the desk, with facts, never with visitors' words."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select
from sqlalchemy.orm import Session

from chat.storage.engine.kinds import StorageError, lock
from chat.storage.models import OwnerEntry, now

# A process looks for changes when somebody comes, but no more often than that.
LOOK_EVERY_S = 1.0


class Watch:
    """Notices what the owner has changed, in any process, within LOOK_EVERY_S.

    Sooner where somebody says `look_again`.
    """

    def __init__(
        self, version: Callable[[], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._version = version
        self._clock = clock
        self._looked_at = float("-inf")
        self._known = -1

    def look_again(self) -> None:
        """The owner may have changed something: whoever comes next gets what is stored."""
        self._looked_at = float("-inf")

    def look(self, read: Callable[[], object]) -> None:
        """Has it read again when something was changed since the last look."""
        at = self._clock()
        if at - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = at
        try:
            version = self._version()
            if version != self._known:
                read()
                self._known = version
        except StorageError:
            # Whoever needs the database is told so; what was read stays as it was.
            return


class OwnerLog:
    """The rows of the log. They are only ever added to, so the newest id is a version."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, command: str, **facts: Any) -> None:
        """Notes what was done. Facts hold no secret and nothing that a visitor wrote."""
        with self._engine.begin() as db:
            note(db, command, facts)

    def all(self) -> Sequence[OwnerEntry]:
        """Everything that was done, the oldest first."""
        with Session(self._engine) as db:
            return db.scalars(select(OwnerEntry).order_by(OwnerEntry.id)).all()

    def page(self, before: int | None, limit: int) -> Sequence[OwnerEntry]:
        """The latest entries, or those before one; the newest first."""
        newest = select(OwnerEntry).order_by(OwnerEntry.id.desc()).limit(limit)
        with Session(self._engine) as db:
            return db.scalars(
                newest if before is None else newest.where(OwnerEntry.id < before)
            ).all()

    def get(self, id: int) -> OwnerEntry | None:
        with Session(self._engine) as db:
            return db.get(OwnerEntry, id)

    def taken_back(self, ids: Collection[int]) -> set[int]:
        """Which of these a later entry has taken back."""
        later = select(OwnerEntry.facts).where(OwnerEntry.id > min(ids, default=0))
        with self._engine.connect() as db:
            # PostgreSQL looks into no JSON in which there is a NUL.
            return {facts.get("takes_back") for facts in db.scalars(later)}.intersection(ids)

    def version(self) -> int:
        """A number that grows with each entry."""
        with self._engine.connect() as db:
            return db.scalar(select(func.max(OwnerEntry.id))) or 0


def note(
    db: Connection,
    command: str,
    facts: Mapping[str, Any],
    change: Mapping[str, Any] | None = None,
) -> None:
    """Notes what was done in the transaction that does it.

    `change` is what it takes to take it back, and None where that cannot be.
    """
    # The ids are committed in their order, or a reader of `version` would miss a change.
    lock(db, "owner_log")
    row = {"at": now(), "command": command, "facts": dict(facts)}
    db.execute(insert(OwnerEntry), {**row, "change": dict(change) if change else None})
