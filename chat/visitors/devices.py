"""Moving to another device: a short code that is good once and for ten minutes, and two visitors made one."""

import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, insert, select, update

from chat.storage import Storage
from chat.storage import search as searching
from chat.storage.models import Conversation, Move, Upload, now
from chat.visitors.guessing import Guessing

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # without 0 O, 1 I L, which look alike: 31 of them
LENGTH = (
    8  # 39.6 bits: at the 400 tries that the brake lets in within ten minutes, one in two billion
)
GOOD_FOR = timedelta(minutes=10)


class Devices:
    """Hands out codes and takes each of them once.

    Wrong ones are braked by address and over all. A right one takes none back: anybody may have one made.
    """

    def __init__(
        self,
        storage: Storage,
        secret_key: str,
        guessing: Guessing,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._engine = storage.engine
        self._key = secret_key.encode()
        self._guessing = guessing
        self._clock = clock

    def begin(self, visitor: str) -> str:
        """A new code for the visitor, as XXXX-XXXX. The one before it, and whatever has expired, is gone."""
        code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        at = self._clock()
        move = {"code_hash": self._hash(code), "visitor": visitor, "expires_at": at + GOOD_FOR}
        with self._engine.begin() as db:
            db.execute(delete(Move).where((Move.visitor == visitor) | (Move.expires_at <= at)))
            db.execute(insert(Move), move)
        return f"{code[:4]}-{code[4:]}"

    def peek(self, code: str, address: str) -> bool:
        """Whether a code is good; it stays so. Raises GuessRefusal after too many wrong ones."""

        def look() -> bool:
            with self._engine.connect() as db:
                return db.scalar(select(Move.visitor).where(self._good(code))) is not None

        return self._guessing.attempt("device", address, look, forgives=False)

    def claim(self, code: str, address: str) -> str | None:
        """The visitor of a code, which is used up; None when it is wrong. Raises GuessRefusal."""

        def take() -> str | None:
            with self._engine.begin() as db:
                # One statement: of two at once, one gets it.
                return db.scalars(
                    delete(Move).where(self._good(code)).returning(Move.visitor)
                ).one_or_none()

        return self._guessing.attempt("device", address, take, forgives=False)

    def adopt(self, visitor_from: str, visitor_to: str) -> None:
        """All conversations and files of one visitor become the other's, and are found by a search."""
        if visitor_from == visitor_to:
            return
        with self._engine.begin() as db:
            for kind in (Conversation, Upload):
                db.execute(
                    update(kind).where(kind.visitor == visitor_from).values(visitor=visitor_to)
                )
            db.execute(delete(Move).where(Move.visitor == visitor_from))
            searching.begin_anew(db, visitor_to)

    def _hash(self, code: str) -> str:
        """What is stored of a code, however it was typed: with spaces or hyphens, small, full-width."""
        letters = "".join(
            char for char in unicodedata.normalize("NFKC", code[:100]) if char.isalnum()
        ).upper()
        return hmac.new(self._key, b"move:" + letters.encode(), hashlib.sha256).hexdigest()

    def _good(self, code: str) -> ColumnElement[bool]:
        """Its row while it is good. One that is good for longer is from before the clock was set back."""
        at = self._clock()
        is_fresh = (Move.expires_at > at) & (Move.expires_at <= at + GOOD_FOR)
        return (Move.code_hash == self._hash(code)) & is_fresh
