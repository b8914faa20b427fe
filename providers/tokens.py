"""Bearer tokens that expire: fetched once, shared by every thread, renewed early, replaced when
refused."""

import logging
import threading
import time
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol
from weakref import WeakValueDictionary

from providers.errors import ProviderError, TimedOut
from providers.http import Http
from providers.stop import Stop

# A token that ends in the middle of an answer would fail it.
EARLY_S = 600.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Token:
    """What a platform gave: the secret, and for how many seconds it is good."""

    secret: str = field(repr=False)
    expires_in: float


class Vault(Protocol):
    """Keeps small documents between restarts, sealed, and lets one process at a time change one."""

    def load(self, name: str) -> dict[str, Any] | None: ...

    def save(self, name: str, value: dict[str, Any]) -> None: ...

    def lock(self, name: str) -> AbstractContextManager[None]: ...


class KeptToken:
    """Fetches the token of an account for all processes: the second takes what the first has kept.

    A platform may end the old token when it gives a new one; processes that each fetched their own
    would then refuse each other without end. `learn` gets a token that another process fetched.
    """

    def __init__(
        self,
        fetch: Callable[[], Token],
        vault: Vault,
        name: str,
        learn: Callable[[str], object],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._fetch = fetch
        self._vault = vault
        self._name = name
        self._learn = learn
        self._clock = clock
        self._last = ""

    def __call__(self) -> Token:
        """Another token than the last time. Raises what `fetch` raises."""
        with self._vault.lock(self._name):
            token = self._load()
            if token is None:
                token = self._fetch()
                ends_at = self._clock() + token.expires_in
                renew_at = ends_at - min(EARLY_S, token.expires_in / 10)
                document = {"secret": token.secret, "renew_at": renew_at, "ends_at": ends_at}
                self._vault.save(self._name, document)
        self._last = token.secret
        return token

    def _load(self) -> Token | None:
        """What another process has fetched since, if it need not be renewed yet."""
        stored_token = self._vault.load(self._name)
        if stored_token is None or stored_token["secret"] == self._last:
            return None
        now = self._clock()
        if stored_token["renew_at"] <= now:
            return None
        self._learn(stored_token["secret"])
        return Token(stored_token["secret"], stored_token["ends_at"] - now)


class _Flight:
    """One fetch under way; everybody who needs its token waits for it together."""

    def __init__(self) -> None:
        self._landed = threading.Condition()
        self._token: Token | None = None
        self._error: BaseException | None = None

    def land(self, token: Token | None, error: BaseException | None) -> None:
        with self._landed:
            self._token, self._error = token, error
            self._landed.notify_all()

    def wait(self, stop: Stop | None, deadline: float | None, provider: str) -> str:
        """The token's secret. Raises what the fetch raised, Stopped, or TimedOut."""
        with stop.interrupting(self._wake) if stop else nullcontext(), self._landed:
            while self._token is None and self._error is None:
                if stop is not None:
                    stop.check()
                patience = None if deadline is None else deadline - time.monotonic()
                if patience is not None and patience <= 0:
                    raise TimedOut("no token by the deadline", provider=provider)
                self._landed.wait(patience)
            if self._token is not None:
                return self._token.secret
            assert self._error is not None
            raise self._error

    def _wake(self) -> None:
        with self._landed:
            self._landed.notify_all()


class Tokens:
    """The current token of one account.

    `fetch` gets a new one, must end by itself, and runs on a thread of its own: whoever happens to
    ask first may be stopped without failing those who wait beside him. `early_s` is how long before
    its end a token is replaced, at most a tenth of its life; until the new one is there the old one
    serves.
    """

    def __init__(
        self,
        fetch: Callable[[], Token],
        provider: str,
        *,
        early_s: float = EARLY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._provider = provider
        self._early_s = early_s
        self._clock = clock
        self._lock = threading.Lock()
        self._flight: _Flight | None = None
        self._secret: str | None = None
        self._renew_at = 0.0
        self._ends_at = 0.0

    def current(
        self,
        refused_token: str | None = None,
        *,
        stop: Stop | None = None,
        deadline: float | None = None,
    ) -> str:
        """A token that is good as far as we know; never the one in `refused_token`, unless the
        platform grants it again.

        Raises what `fetch` raises (a failure is not remembered: the next caller fetches anew),
        Stopped, TimedOut.
        """
        with self._lock:
            now = self._clock()
            if self._secret is not None and (self._secret == refused_token or now >= self._ends_at):
                self._secret = None
            if self._secret is None or now >= self._renew_at:
                flight = self._flight or self._take_off()
            if self._secret is not None:
                return self._secret
        return flight.wait(stop, deadline, self._provider)

    def _take_off(self) -> _Flight:
        flight = _Flight()
        threading.Thread(target=self._fly, args=(flight,), name="token", daemon=True).start()
        self._flight = flight
        return flight

    def _fly(self, flight: _Flight) -> None:
        began = self._clock()
        token, error = None, None
        try:
            token = self._fetch()
        except BaseException as failure:
            error = failure
        with self._lock:
            self._flight = None
            if token is not None:
                self._secret = token.secret
                self._ends_at = began + token.expires_in
                self._renew_at = self._ends_at - min(self._early_s, token.expires_in / 10)
            elif self._secret is not None:
                log.warning("a token could not be renewed early: %s", _describe(error))
        flight.land(token, error)


_shared: "WeakValueDictionary[Hashable, Tokens]" = WeakValueDictionary()
_sharing = threading.Lock()


def shared(http: Http, account: Hashable, fetch: Callable[[], Token]) -> Tokens:
    """The one Tokens of an account, however many of its agents a site offers; `fetch` is the first
    one's.

    A platform that ends the old token when it gives a new one would otherwise set them against each
    other.
    """
    with _sharing:
        # The Http lives, and its id is its own, for as long as `fetch` refers to it.
        key = (id(http), account)
        tokens = _shared.get(key)
        if tokens is None:
            tokens = _shared[key] = Tokens(fetch, http.provider)
        return tokens


def _describe(error: BaseException | None) -> str:
    """What may be logged: our own errors hold no secret, of others only the kind is known to be
    safe."""
    return str(error) if isinstance(error, ProviderError) else type(error).__name__
