"""Browsers in which the owner is signed in, by the hash of their cookie."""

from datetime import datetime, timedelta

from sqlalchemy import Engine, delete, insert, or_, select, update
from sqlalchemy.orm import Session

from chat.storage.models import OwnerSession

# A session ends when nobody used it for so long, and after its whole life in any case.
IDLE = timedelta(days=2)
LIFE = timedelta(days=14)


class StoredOwnerSessions:
    """The rows of the owner's sessions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, id: str, mark: str, at: datetime) -> None:
        """Stores a session that begins `at`."""
        row = {"id": id, "mark": mark, "created_at": at, "seen_at": at}
        with self._engine.begin() as db:
            db.execute(insert(OwnerSession), row)

    def get(self, id: str) -> OwnerSession | None:
        with Session(self._engine) as db:
            return db.scalar(select(OwnerSession).where(OwnerSession.id == id))

    def note_seen(self, id: str, at: datetime) -> None:
        """Stores that the owner's browser was here."""
        with self._engine.begin() as db:
            db.execute(update(OwnerSession).where(OwnerSession.id == id).values(seen_at=at))

    def delete(self, id: str) -> None:
        with self._engine.begin() as db:
            db.execute(delete(OwnerSession).where(OwnerSession.id == id))

    def delete_all(self) -> int:
        """Signs every browser out; returns how many there were."""
        with self._engine.begin() as db:
            return db.execute(delete(OwnerSession)).rowcount

    def expire(self, at: datetime) -> None:
        """Deletes those that have ended by the clock. Not while the clock may be wrong."""
        is_old = or_(OwnerSession.created_at <= at - LIFE, OwnerSession.seen_at <= at - IDLE)
        with self._engine.begin() as db:
            db.execute(delete(OwnerSession).where(is_old))
