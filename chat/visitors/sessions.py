"""Sessions of browsers that signed in: the browser has a token, the database its hash."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from chat.storage.models import now
from chat.storage.visitors.sessions import StoredSessions
from chat.visitors.codes import Code, Codes

LIFE = timedelta(days=30)
# Often enough to know which sessions are in use, without a write for each request.
SEEN_EVERY = timedelta(hours=1)


@dataclass(frozen=True)
class Session:
    """A browser that has signed in, with what code, as which visitor, and until when."""

    id: str
    code: Code
    visitor: str
    expires_at: datetime


class Sessions:
    """Begins, finds and ends sessions.

    A session ends with its code: when the code expires or leaves the settings.
    """

    def __init__(
        self, stored: StoredSessions, codes: Codes, clock: Callable[[], datetime] = now
    ) -> None:
        self._stored = stored
        self._codes = codes
        self._clock = clock

    def begin(self, code: Code, visitor: str) -> tuple[str, Session]:
        """A new session, and its token, which only the browser has."""
        token, at = secrets.token_urlsafe(32), self._clock()
        expires_at = min(at + LIFE, code.ends_at) if code.ends_at else at + LIFE
        session = Session(_hash(token), code, visitor, expires_at)
        self._stored.add(session.id, code.id, code.mark, visitor, at, expires_at)
        return token, session

    def find(self, token: str | None) -> Session | None:
        """The session of a cookie; None when it has ended or never existed."""
        if not token:
            return None
        id, at = _hash(token), self._clock()
        row = self._stored.get(id)
        if row is None:
            return None
        code = self._codes.by_mark(row.mark)
        if code is None:
            self._stored.delete(id)
            return None
        # It is deleted later (Housekeeper): when the clock is wrong it is good again afterwards.
        if not code.is_good(at) or row.expires_at <= at:
            return None
        if at - row.seen_at >= SEEN_EVERY:
            self._stored.note_seen(id, at)
        return Session(id, code, row.visitor, row.expires_at)

    def end(self, session: Session) -> bool:
        """Signs this browser out; returns whether the visitor is still signed in elsewhere."""
        self._stored.delete(session.id)
        return self._stored.has_any(session.visitor)

    def end_everywhere(self, visitor: str) -> None:
        """Signs every browser of the visitor out."""
        self._stored.delete_of(visitor)

    def move(self, session: Session, visitor: str) -> None:
        """Makes this browser another visitor, signed in as before."""
        self._stored.move(session.id, visitor)

    def move_all(self, visitor_from: str, visitor_to: str) -> None:
        """Makes all browsers of one visitor the other, who has the conversations now."""
        self._stored.move_all(visitor_from, visitor_to)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
