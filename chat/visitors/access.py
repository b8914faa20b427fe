"""Who a visitor is: by a signed cookie, an access code or an API key."""

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
from chat.settings.code_lists import SHORTEST_CODE, SHORTEST_KEY, entries
from chat.settings.model import Settings
from chat.storage import Storage
from chat.storage.models import now
from chat.visitors.browsers import Browsers
from chat.visitors.codes import Code, CodeCache, Codes
from chat.visitors.guessing import Guessing, Origin
from chat.visitors.puzzles import Puzzle, Puzzles
from chat.visitors.sessions import Session, Sessions

COOKIE = "visitor"
COOKIE_AGE_S = 365 * 24 * 3600

log = logging.getLogger("chat.access")


class Visitors:
    """Tells visitors apart without accounts: by a random id with a signature."""

    def __init__(self, secret_key: str) -> None:
        self._key = secret_key.encode()
        self._serializer = URLSafeSerializer(secret_key, salt="visitor")

    @staticmethod
    def new() -> str:
        """A new random id."""
        # 144 bits of chance: signed or not, nobody guesses another visitor's id.
        return secrets.token_urlsafe(18)

    def read(self, cookie: str | None) -> str | None:
        """The visitor of a cookie; None without a cookie or with a wrong signature."""
        try:
            visitor = self._serializer.loads(cookie or "")
        except BadSignature:
            return None
        return visitor if isinstance(visitor, str) else None

    def cookie(self, visitor: str) -> str:
        return str(self._serializer.dumps(visitor))

    def pseudonym(self, visitor: str) -> str:
        """32 hex digits that name the visitor at a platform: stable, unique, not reversible."""
        return hmac.new(
            self._key, b"platform-user:" + visitor.encode(), hashlib.sha256
        ).hexdigest()[:32]


@dataclass(frozen=True)
class Asker:
    """A visitor, with the code or key if there is one; `session` is that of a browser."""

    visitor: str
    code: Code | None = None
    session: Session | None = None

    @property
    def is_program(self) -> bool:
        """Whether it is a program with an API key, which needs no cookie."""
        return self.code is not None and self.session is None

    @property
    def access_name(self) -> str | None:
        """The name of the code or key, such as code:museum; None without one."""
        if self.code is None:
            return None
        return f"{'key' if self.is_program else 'code'}:{self.code.label}"


class Access:
    """Knows codes, keys and sessions: signs visitors in and out, and counts what a code has left.

    What each may then do is decided in chat/web/gate/permissions.py.
    """

    def __init__(
        self,
        settings: Settings,
        secret_key: str,
        storage: Storage,
        guessing: Guessing,
        puzzles: Puzzles,
    ) -> None:
        codes, keys, zone = settings.access_codes, settings.api_keys, settings.time_zone
        self.codes = Codes(entries(codes, SHORTEST_CODE), secret_key, zone)
        self.keys = Codes(entries(keys, SHORTEST_KEY), secret_key, zone)
        self.sessions = Sessions(storage.sessions, self.codes)
        self.browsers = Browsers(secret_key)
        self._puzzles = puzzles
        self._code_brake = guessing.brake("code")
        self._key_brake = guessing.brake("key")
        self._secret_key = secret_key.encode()
        self._storage = storage
        self._key_cache = CodeCache()

    def read(self, codes: SecretStr | None) -> None:
        """Takes these access codes in place of those before; sessions end with their codes."""
        self.codes.read(entries(codes, SHORTEST_CODE))

    @property
    def is_closed(self) -> bool:
        """Whether the site has codes, so that agents are for those with a code."""
        return bool(self.codes.all)

    def origin(self, address: str, cookie: str | None, puzzle: str = "", nonce: str = "") -> Origin:
        """Where a try comes from: an address, the cookie of a known browser, a solved puzzle.

        The puzzle is used up, whatever becomes of the try.
        """
        paid_bits = self._puzzles.redeem(puzzle, nonce) if puzzle else 0
        return Origin(address, self.browsers.read(cookie), paid_bits)

    def puzzle(self, origin: Origin) -> Puzzle | None:
        """A puzzle whose solution lets this browser try a code; None if it needs none.

        None too where a puzzle would be so hard that waiting is better.
        """
        is_queue = origin.browser is None and self.codes.is_crowded
        if not is_queue and not self._code_brake.is_on(origin):
            return None
        bits = self._code_brake.price(origin.address)
        return self._puzzles.new(bits) if bits else None

    def sign_in(
        self, text: str, origin: Origin, former: Session | str | None
    ) -> tuple[str, Session] | None:
        """A session for a good code, with its token; None for a wrong or expired one.

        Token and visitor are new. The conversations of the browser's `former` visitor come along.
        Raises GuessRefusal after too many wrong ones.
        """
        code = self._code_brake.attempt(
            origin, lambda current: _if_good(self.codes.find(text, current))
        )
        if code is None:
            return None
        former_visitor = former.visitor if isinstance(former, Session) else former
        token, session = self.sessions.begin(code, Visitors.new())
        # Whoever has a copy of the old cookie has nothing from here on.
        if isinstance(former, Session):
            self.sessions.end(former)
        if former_visitor:
            self._storage.merge_visitors(former_visitor, session.visitor)
            self.sessions.move_all(former_visitor, session.visitor)
        log.info("signed in with the code %s", code.label)
        return token, session

    def sign_out(self, session: Session, everywhere: bool) -> None:
        """Ends a session, or all sessions of its visitor.

        With the last one the conversations move to a new visitor, so that old cookies open nothing.
        """
        if everywhere:
            self.sessions.end_everywhere(session.visitor)
        elif self.sessions.end(session):
            return
        self._storage.merge_visitors(session.visitor, Visitors.new())

    def find_program(self, key: str, address: str) -> Asker | None:
        """The program with an API key; None for a wrong or expired key. Raises GuessRefusal."""
        code = self._key_cache.get(key, address)
        if code is None:
            code = self._key_brake.attempt(
                Origin(address), lambda current: _if_good(self.keys.find(key, current))
            )
            if code is None:
                return None
            self._key_cache.add(key, code, address)
        # It may have expired since it was cached.
        if not code.is_good(now()):
            return None
        # A program is a visitor like others. Its id follows from its key, so that no row is needed.
        mark = hmac.new(
            self._secret_key, b"api-key:" + code.id.encode(), hashlib.sha256
        ).hexdigest()
        return Asker(f"key-{mark[:24]}", code)

    def spend(self, asker: Asker, at: datetime | None = None) -> Callable[[], None]:
        """Counts a question against the day of its code or key; returns the function that takes it
        back.

        Raises Refusal quota_exhausted.
        """
        code = asker.code
        if code is None or not code.daily:
            return lambda: None
        # The same day as the platforms' own budgets have.
        today = (at or now()).astimezone(CHINA)
        kind = "key" if asker.is_program else "code"
        account, day = f"{kind}:{code.id}", today.date().isoformat()
        if not self._storage.days.spend(account, day, code.daily):
            raise Refusal(
                "quota_exhausted", f"the {kind} {code.label}", retry_after=until_tomorrow(today)
            )
        return lambda: self._storage.days.give_back(account, day)


def _if_good(code: Code | None) -> Code | None:
    return code if code and code.is_good(now()) else None
