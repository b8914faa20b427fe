"""Who is asking: a visitor known by a signed cookie, and by a pseudonym to the platforms."""

import hashlib
import hmac
import secrets

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
