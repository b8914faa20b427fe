"""Who is asking, and who may: visitors by a signed cookie, by an access code or a key; the owner."""

import hashlib
import hmac
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from itsdangerous import BadSignature, URLSafeSerializer
from pydantic import SecretStr

from chat.china import CHINA, until_tomorrow
from chat.refusals import Refusal
from chat.settings import hashes
from chat.settings.code_lists import SHORTEST_CODE, SHORTEST_KEY, entries
from chat.settings.hashes import Hash
from chat.settings.model import Settings
from chat.storage import Storage
from chat.storage.models import now
from chat.visitors.codes import Code, Codes, Remembered, hash_of, matches
from chat.visitors.guessing import Guessing
from chat.visitors.sessions import Session, Sessions

COOKIE = "visitor"
COOKIE_AGE_S = 365 * 24 * 3600

log = logging.getLogger("chat.access")


class Visitors:
    """Tells visitors apart without accounts: an id of chance, signed so that nobody can take another's."""

    def __init__(self, secret_key: str) -> None:
        self._key = secret_key.encode()
        self._serializer = URLSafeSerializer(secret_key, salt="visitor")

    @staticmethod
    def new() -> str:
        """An id of chance, which nobody has."""
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
        return hmac.new(
            self._key, b"platform-user:" + visitor.encode(), hashlib.sha256
        ).hexdigest()[:32]


class Owner:
    """Knows the site's owner by a password, of which it keeps a hash, and does not let anybody try many."""

    def __init__(self, password: SecretStr | None, guessing: Guessing) -> None:
        self._hash = _password_hash(password) if password else None
        self._guessing = guessing

    @property
    def may_exist(self) -> bool:
        """Whether the site has a password for its owner at all."""
        return self._hash is not None

    def knows(self, password: str | None, address: str) -> bool:
        """Whether this is the owner's password. Raises GuessRefusal after too many wrong ones."""
        if self._hash is None or password is None:
            return False
        known = [self._hash]
        return self._guessing.attempt("owner", address, lambda: all(matches(password, known)))


@dataclass(frozen=True)
class Asker:
    """Who asks: a visitor, and by what code or key, if by any; `session` is that of a browser."""

    visitor: str
    code: Code | None = None
    session: Session | None = None

    @property
    def is_program(self) -> bool:
        """Whether it came with an API key: it has no cookie and needs none."""
        return self.code is not None and self.session is None


class Access:
    """Who may ask. Without access codes everybody; with them, who has given one, or has an API key."""

    def __init__(
        self,
        settings: Settings,
        secret_key: str,
        storage: Storage,
        guessing: Guessing,
    ) -> None:
        codes, keys, zone = settings.access_codes, settings.api_keys, settings.time_zone
        self.codes = Codes(entries(codes, SHORTEST_CODE), secret_key, zone)
        self.keys = Codes(entries(keys, SHORTEST_KEY), secret_key, zone)
        self.sessions = Sessions(storage.sessions, self.codes)
        self._guessing = guessing
        self._secret_key = secret_key.encode()
        self._storage = storage
        self._remembered = Remembered()

    @property
    def is_closed(self) -> bool:
        """Whether there are codes, so that agents are for those who have one."""
        return bool(self.codes.all)

    def sign_in(
        self, given: str, address: str, former: Session | str | None
    ) -> tuple[str, Session] | None:
        """A session for a good code, with its token; None for a wrong or expired one.

        Token and visitor are new. The conversations of the `former` visitor of this browser come along.
        Raises GuessRefusal after too many wrong ones.
        """
        code = self._guessing.attempt("code", address, lambda: _good(self.codes.find(given)))
        if code is None:
            return None
        before = former.visitor if isinstance(former, Session) else former
        token, session = self.sessions.begin(code, Visitors.new())
        if isinstance(former, Session):
            self.sessions.end(former)
        if before:
            self._storage.merge_visitors(before, session.visitor)
            self.sessions.follow(before, session.visitor)
        log.info("signed in with the code %s", code.label)
        return token, session

    def sign_out(self, session: Session, everywhere: bool) -> None:
        """Ends a session, or all of its visitor. With the last one its old cookies are worth nothing."""
        if everywhere:
            self.sessions.end_everywhere(session.visitor)
        elif self.sessions.end(session):
            return
        self._storage.merge_visitors(session.visitor, Visitors.new())

    def program(self, given: str, address: str) -> Asker | None:
        """Who comes with an API key; None for a wrong or expired one. Raises GuessRefusal."""
        code = self._remembered.get(given, address)
        if code is None:
            code = self._guessing.attempt("key", address, lambda: _good(self.keys.find(given)))
            if code is None:
                return None
            self._remembered.keep(given, address, code)
        if not code.is_good(now()):
            return None
        mark = hmac.new(
            self._secret_key, b"api-key:" + code.id.encode(), hashlib.sha256
        ).hexdigest()
        return Asker(f"key-{mark[:24]}", code)

    def spend(self, asker: Asker, at: datetime | None = None) -> Callable[[], None]:
        """Counts a question against the day of its code or key; call what is returned to take that back.

        Raises Refusal quota_exhausted.
        """
        code = asker.code
        if code is None or not code.daily:
            return lambda: None
        today = (at or now()).astimezone(CHINA)
        kind = "key" if asker.is_program else "code"
        account, day = f"{kind}:{code.id}", today.date().isoformat()
        if not self._storage.days.spend(account, day, code.daily):
            raise Refusal(
                "quota_exhausted", f"the {kind} {code.label}", retry_after=until_tomorrow(today)
            )
        return lambda: self._storage.days.give_back(account, day)


def _good(code: Code | None) -> Code | None:
    return code if code and code.is_good(now()) else None


def _password_hash(password: SecretStr) -> Hash:
    recipe = hashes.new_recipe(hashes.WORK_IN_MEMORY)
    return hash_of(password.get_secret_value(), recipe)
