"""Browsers that have signed in with an access code, by the hash of their cookie."""

from datetime import datetime

from sqlalchemy import ColumnElement, Engine, delete, insert, select, update
from sqlalchemy.orm import sessionmaker

from chat.storage.engine.kinds import by_single_statements
from chat.storage.models import SignIn


class StoredSessions:
    """The rows of the sessions."""

    def __init__(self, engine: Engine) -> None:
        # No query of this table is more than one statement.
        self._engine = by_single_statements(engine)
        self._sessions = sessionmaker(self._engine, expire_on_commit=False)

    def add(
        self, id: str, code: str, mark: str, visitor: str, at: datetime, expires_at: datetime
    ) -> None:
        """Stores a session that begins `at`."""
        row = {"id": id, "code": code, "mark": mark, "visitor": visitor}
        times = {"created_at": at, "seen_at": at, "expires_at": expires_at}
        with self._engine.begin() as db:
            db.execute(insert(SignIn), {**row, **times})

    def get(self, id: str) -> SignIn | None:
        with self._sessions() as db:
            return db.get(SignIn, id)

    def note_seen(self, id: str, at: datetime) -> None:
        """Stores that the browser of a session was here."""
        with self._engine.begin() as db:
            db.execute(update(SignIn).where(SignIn.id == id).values(seen_at=at))

    def has_any(self, visitor: str) -> bool:
        """Whether any browser is signed in as the visitor."""
        with self._engine.connect() as db:
            query = select(SignIn.id).where(SignIn.visitor == visitor).limit(1)
            return db.scalar(query) is not None

    def delete(self, id: str) -> None:
        self._delete(SignIn.id == id)

    def delete_of(self, visitor: str) -> None:
        """Deletes all sessions of a visitor."""
        self._delete(SignIn.visitor == visitor)

    def move(self, id: str, visitor: str) -> None:
        """Gives one session to another visitor."""
        self._move(SignIn.id == id, visitor)

    def move_all(self, visitor_from: str, visitor_to: str) -> None:
        """Gives all sessions of a visitor to another."""
        self._move(SignIn.visitor == visitor_from, visitor_to)

    def expire(self, at: datetime) -> None:
        """Deletes those that have expired. Not to be called while the clock may be wrong."""
        self._delete(SignIn.expires_at <= at)

    def _delete(self, condition: ColumnElement[bool]) -> None:
        with self._engine.begin() as db:
            db.execute(delete(SignIn).where(condition))

    def _move(self, condition: ColumnElement[bool], visitor: str) -> None:
        with self._engine.begin() as db:
            db.execute(update(SignIn).where(condition).values(visitor=visitor))
