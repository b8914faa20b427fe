"""Who has signed in: sessions in the database, known to a browser by a token and to us by its hash."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from chat.storage.models import now
from chat.storage.sessions import StoredSessions
from chat.visitors.codes import Code, Codes

LIFE = timedelta(days=30)
SEEN_EVERY = timedelta(
    hours=1
)  # often enough to know who is there, without a write for each request


@dataclass(frozen=True)
class Session:
    """A browser that has signed in, with what code, as which visitor, and until when."""

    id: str
    code: Code
    visitor: str
    expires_at: datetime


class Sessions:
    """Begins, finds and ends sessions. One ends with its code: by its day, or by leaving the settings."""

    def __init__(
        self, stored: StoredSessions, codes: Codes, clock: Callable[[], datetime] = now
    ) -> None:
        self._stored = stored
        self._codes = codes
        self._clock = clock

    def begin(self, code: Code, visitor: str) -> tuple[str, Session]:
        """A new session, and the token that only its browser gets to know."""
        token, at = secrets.token_urlsafe(32), self._clock()
        ends = min(at + LIFE, code.ends_at) if code.ends_at else at + LIFE
        session = Session(_hash(token), code, visitor, ends)
        self._stored.add(session.id, code.id, code.mark, visitor, at, ends)
        return token, session

    def find(self, token: str | None) -> Session | None:
        """The session of a cookie; None when it has ended, or there never was one."""
        if not token:
            return None
        id, at = _hash(token), self._clock()
        row = self._stored.get(id)
        if row is None:
            return None
        code = self._codes.marked(row.mark)
        if code is None or not code.is_good(at) or row.expires_at <= at:
            self._stored.delete(id)
            return None
        if at - row.seen_at >= SEEN_EVERY:
            self._stored.note_seen(id, at)
        return Session(id, code, row.visitor, row.expires_at)

    def end(self, session: Session) -> bool:
        """This browser is signed out. Whether the visitor is still signed in elsewhere."""
        self._stored.delete(session.id)
        return self._stored.has_any(session.visitor)

    def end_everywhere(self, visitor: str) -> None:
        """Every browser of the visitor is signed out."""
        self._stored.delete_of(visitor)

    def move(self, session: Session, visitor: str) -> None:
        """From now on this browser is another visitor, signed in as before."""
        self._stored.move(session.id, visitor)

    def follow(self, visitor_from: str, visitor_to: str) -> None:
        """All browsers of one visitor become the other, to whom the conversations have gone."""
        self._stored.move_all(visitor_from, visitor_to)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
