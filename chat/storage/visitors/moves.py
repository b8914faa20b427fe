"""Codes by which a visitor moves to another device, as hashes."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, delete, insert, select

from chat.storage.engine.kinds import lock
from chat.storage.models import Move

GOOD_FOR = timedelta(minutes=10)


class Moves:
    """The rows of the codes; each is good for GOOD_FOR and once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, code_hash: str, visitor: str, at: datetime) -> None:
        """Stores a code. The visitor's earlier one, and whatever has expired, is deleted."""
        row = {"code_hash": code_hash, "visitor": visitor, "expires_at": at + GOOD_FOR}
        is_over = (Move.visitor == visitor) | (Move.expires_at <= at)
        with self._engine.begin() as db:
            lock(db, f"moves {visitor}")
            db.execute(delete(Move).where(is_over))
            db.execute(insert(Move), row)

    def is_good(self, code_hash: str, at: datetime) -> bool:
        """Whether a code could be claimed."""
        with self._engine.connect() as db:
            return db.scalar(select(Move.visitor).where(_is_good(code_hash, at))) is not None

    def claim(self, code_hash: str, at: datetime) -> str | None:
        """Uses a code up: its visitor, None when it is not good."""
        # One statement: of two callers at once, one gets it.
        claim = delete(Move).where(_is_good(code_hash, at)).returning(Move.visitor)
        with self._engine.begin() as db:
            return db.scalars(claim).one_or_none()


def _is_good(code_hash: str, at: datetime) -> ColumnElement[bool]:
    # A row that is good for longer than GOOD_FOR is from before the clock was set back.
    is_fresh = (Move.expires_at > at) & (Move.expires_at <= at + GOOD_FOR)
    return (Move.code_hash == code_hash) & is_fresh
