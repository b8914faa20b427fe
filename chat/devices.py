"""Moving to another device: a short code that is good once and for ten minutes, and two visitors made one."""

import hashlib
import hmac
import secrets
import threading
import unicodedata
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, insert, select, update

from chat.refusals import Refusal
from chat.storage import Storage, searching
from chat.storage.models import Conversation, Move, Upload, now

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # without 0 O, 1 I L, which look alike: 31 of them
LENGTH = 8  # 39.6 bits: at TRIES a minute, one live code is guessed in ten minutes once in four billion
GOOD_FOR = timedelta(minutes=10)


class Devices:
    """Hands out codes and takes each of them once. Wrong codes count against everybody, as for the owner.

    Whoever tries many codes thereby keeps others from moving for a minute. Accepted: it is rarely needed,
    and people behind one address must not be told apart by it.
    """

    TRIES, WINDOW = 20, timedelta(minutes=1)

    def __init__(self, storage: Storage, secret_key: str, clock: Callable[[], datetime] = now) -> None:
        self._engine = storage.engine
        self._key = secret_key.encode()
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: deque[datetime] = deque(maxlen=self.TRIES)

    def begin(self, visitor: str) -> str:
        """A new code for the visitor, as XXXX-XXXX. The one before it, and whatever has expired, is gone."""
        code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        at = self._clock()
        move = {"code_hash": self._hash(code), "visitor": visitor, "expires_at": at + GOOD_FOR}
        with self._engine.begin() as db:
            db.execute(delete(Move).where((Move.visitor == visitor) | (Move.expires_at <= at)))
            db.execute(insert(Move), move)
        return f"{code[:4]}-{code[4:]}"

    def peek(self, code: str) -> bool:
        """Whether a code is good; it stays so. Raises Refusal rate_limited after too many wrong ones."""
        self._refuse_guessing()
        mine = self._good(code)
        with self._engine.connect() as db:
            return self._counted(db.scalar(select(Move.visitor).where(mine))) is not None

    def claim(self, code: str) -> str | None:
        """The visitor of a code, which is used up; None when it is wrong. Raises Refusal rate_limited."""
        self._refuse_guessing()
        mine = self._good(code)
        with self._engine.begin() as db:
            # One statement: of two at once, one gets it.
            visitor = db.scalars(delete(Move).where(mine).returning(Move.visitor)).one_or_none()
        return self._counted(visitor)

    def adopt(self, visitor_from: str, visitor_to: str) -> None:
        """All conversations and files of one visitor become the other's, and are found by a search."""
        if visitor_from == visitor_to:
            return
        with self._engine.begin() as db:
            for kind in (Conversation, Upload):
                db.execute(update(kind).where(kind.visitor == visitor_from).values(visitor=visitor_to))
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

    def _refuse_guessing(self) -> None:
        with self._lock:
            if len(self._failures) == self.TRIES:
                wait = self._failures[0] + self.WINDOW - self._clock()
                if timedelta(0) < wait <= self.WINDOW:  # longer: the clock was set back since
                    raise Refusal("rate_limited", "codes of devices", retry_after=wait.total_seconds())

    def _counted(self, visitor: str | None) -> str | None:
        if visitor is None:
            with self._lock:
                self._failures.append(self._clock())
        return visitor
