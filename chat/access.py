"""Who is asking: a visitor known by a signed cookie, and by a pseudonym to the platforms; the owner."""

import hashlib
import hmac
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable

from itsdangerous import BadSignature, URLSafeSerializer

COOKIE = "visitor"
COOKIE_AGE_S = 365 * 24 * 3600


class Visitors:
    """Tells visitors apart without accounts: an id of chance, signed so that nobody can take another's."""

    def __init__(self, secret_key: str) -> None:
        self._key = secret_key.encode()
        self._serializer = URLSafeSerializer(secret_key, salt="visitor")

    def new(self) -> str:
        return secrets.token_urlsafe(18)

    def read(self, cookie: str | None) -> str | None:
        """The visitor of a cookie; None when there is none or it is not ours."""
        try:
            visitor = self._serializer.loads(cookie or "")
        except BadSignature:
            return None
        return visitor if isinstance(visitor, str) else None

    def cookie(self, visitor: str) -> str:
        return str(self._serializer.dumps(visitor))

    def pseudonym(self, visitor: str) -> str:
        """32 hex digits that stand for the visitor at a platform: stable, one for each, not reversible."""
        return hmac.new(self._key, b"platform-user:" + visitor.encode(), hashlib.sha256).hexdigest()[:32]


class Owner:
    """Knows the site's owner by a password, and does not let anybody try many."""

    TRIES, WINDOW_S = 10, 60.0

    def __init__(self, password: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._password = password
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: deque[float] = deque(maxlen=self.TRIES)

    @property
    def may_exist(self) -> bool:
        """Whether the site has a password for its owner at all."""
        return self._password is not None

    def is_locked_out(self) -> bool:
        """Whether so many wrong passwords came lately that even the right one has to wait."""
        with self._lock:
            full = len(self._failures) == self.TRIES
            return full and self._clock() - self._failures[0] < self.WINDOW_S

    def knows(self, password: str | None) -> bool:
        """Whether this is the owner's password. A wrong one is remembered against everybody."""
        if self._password is None or password is None:
            return False
        if hmac.compare_digest(password.encode(), self._password.encode()):
            return True
        with self._lock:
            self._failures.append(self._clock())
        return False
