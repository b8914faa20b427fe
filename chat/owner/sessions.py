"""Sessions of the owner at the desk: the browser has a token, the database its hash."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from chat.owner.identity import Owner
from chat.storage.models import now
from chat.storage.owner.sessions import IDLE, LIFE, StoredOwnerSessions

# Often enough to know which sessions are in use, without a write for each request.
SEEN_EVERY = timedelta(minutes=10)


@dataclass(frozen=True)
class OwnerSession:
    """A browser in which the owner is signed in, and until when at most."""

    id: str
    expires_at: datetime


class OwnerSessions:
    """Begins, finds and ends sessions. All of them end with the password they began with."""

    def __init__(
        self, stored: StoredOwnerSessions, owner: Owner, clock: Callable[[], datetime] = now
    ) -> None:
        self._stored = stored
        self._owner = owner
        self._clock = clock

    def begin(self) -> tuple[str, OwnerSession]:
        """A new session, and its token, which only the browser has."""
        mark = self._owner.mark
        if mark is None:
            raise ValueError("a session needs a password")
        token, at = secrets.token_urlsafe(32), self._clock()
        session = OwnerSession(_hash(token), at + LIFE)
        self._stored.add(session.id, mark, at)
        return token, session

    def find(self, token: str | None) -> OwnerSession | None:
        """The session of a cookie; None when it has ended or never existed."""
        row = self._stored.get(_hash(token)) if token else None
        if row is None or row.mark != self._owner.mark:
            return None
        at = self._clock()
        if at - row.created_at >= LIFE or at - row.seen_at >= IDLE:
            return None
        if at - row.seen_at >= SEEN_EVERY:
            self._stored.note_seen(row.id, at)
        return OwnerSession(row.id, row.created_at + LIFE)

    def end(self, session: OwnerSession) -> None:
        """Signs this browser out."""
        self._stored.delete(session.id)

    def end_all(self) -> int:
        """Signs every browser out; returns how many there were."""
        return self._stored.delete_all()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
