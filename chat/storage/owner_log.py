"""What the owner did: the commands that changed something, with facts, never with words."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select
from sqlalchemy.orm import Session

from chat.storage.engine.kinds import lock
from chat.storage.models import OwnerEntry, now


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

    def version(self) -> int:
        """A number that grows with each entry."""
        with self._engine.connect() as db:
            return db.scalar(select(func.max(OwnerEntry.id))) or 0


def note(db: Connection, command: str, facts: Mapping[str, Any]) -> None:
    """Notes what was done in the transaction that does it."""
    # The ids are committed in their order, or a reader of `version` would miss a change.
    lock(db, "owner_log")
    db.execute(insert(OwnerEntry), {"at": now(), "command": command, "facts": dict(facts)})
