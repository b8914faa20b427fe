"""Browsers that have signed in before, known by a signed cookie that names no visitor."""

import secrets

from itsdangerous import BadSignature, URLSafeTimedSerializer

from chat.visitors.codes import Code
from chat.visitors.guessing import KnownBrowser

COOKIE = "browser"
COOKIE_AGE_S = 365 * 24 * 3600
# Of a code's mark: enough to tell codes apart.
MARK_LENGTH = 12


class Browsers:
    """Makes and reads the cookies of known browsers."""

    def __init__(self, secret_key: str) -> None:
        self._serializer = URLSafeTimedSerializer(secret_key, salt="browser")

    def cookie(self, browser: KnownBrowser | None, code: Code) -> str:
        """The cookie of a browser that signs in with a code; one that is known keeps its id."""
        id = browser.id if browser else secrets.token_urlsafe(12)
        return str(self._serializer.dumps([id, code.mark[:MARK_LENGTH]]))

    def read(self, cookie: str | None) -> KnownBrowser | None:
        """The browser of a cookie; None without one, or if it is forged or too old."""
        try:
            id, code = self._serializer.loads(cookie or "", max_age=COOKIE_AGE_S)
        except (BadSignature, ValueError, TypeError):
            return None
        return KnownBrowser(str(id), str(code))
