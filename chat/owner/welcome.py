"""The first way to the desk: a link with a key that is good once, to choose a password by."""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from chat.owner.identity import Owner
from chat.settings.model import Settings
from chat.storage.models import now
from chat.storage.owner.values import OwnerValues

# The name of the keys among the owner's values.
KEYS = "welcome"
# Hosts of one site start about together, each with a key of its own; a later start ends them.
TOGETHER = timedelta(minutes=2)
MOST_KEYS = 8
# Printed for whoever forgot the password, a key must not lie about for ever.
LIFE = timedelta(days=1)


class Welcome:
    """Knows keys by their hashes, in the database, so that all processes agree."""

    def __init__(
        self, values: OwnerValues, owner: Owner, clock: Callable[[], datetime] = now
    ) -> None:
        self._values = values
        self._owner = owner
        self._clock = clock

    def offer(self, key: str) -> bool:
        """Makes the key of a start good, unless the owner has a password.

        False too when it was offered before: another process of the same start has announced it.
        """
        if self._owner.may_exist:
            return False
        digest, is_new = _digest(key), False

        def add(keys: Any) -> list[dict[str, str]]:
            nonlocal is_new
            rows: list[dict[str, str]] = keys or []
            is_new = all(row["digest"] != digest for row in rows)
            return self._with(rows, digest, TOGETHER) if is_new else rows

        self._values.alter(KEYS, add)
        return is_new

    def new_key(self) -> str:
        """A key in place of all earlier ones, also where the owner has a password."""
        key = secrets.token_urlsafe(24)
        self._values.alter(KEYS, lambda keys: self._with([], _digest(key), TOGETHER))
        return key

    def fits(self, key: str) -> bool:
        """Whether the key is good. None is where the settings have a password."""
        if self._owner.is_locked:
            return False
        return self._fits(self._values.get(KEYS).value, key)

    def use(self, key: str, password: str) -> bool:
        """Uses the key up, all others with it, and makes this the password; False for a wrong key.

        One of two who come at once is too late.
        """
        is_good = False

        def use_up(keys: Any) -> Any:
            nonlocal is_good
            is_good = self._fits(keys, key)
            return None if is_good else keys

        if not self._owner.is_locked:
            self._values.alter(KEYS, use_up)
        if is_good:
            # Who has the shell and lost the phone comes back in by it.
            self._owner.codes.end()
            self._owner.choose(password)
        return is_good

    def _with(
        self, rows: list[dict[str, str]], digest: str, together: timedelta
    ) -> list[dict[str, str]]:
        at = self._clock()
        young = [row for row in rows if abs(at - _moment(row)) < together]
        return [*young[1 - MOST_KEYS :], {"digest": digest, "at": at.isoformat()}]

    def _fits(self, keys: Any, key: str) -> bool:
        at, digest = self._clock(), _digest(key)
        # A site without a password has nothing to lose by an old key, and nobody to ask for one.
        is_first = not self._owner.may_exist
        good = [row for row in keys or [] if is_first or abs(at - _moment(row)) < LIFE]
        return any([hmac.compare_digest(row["digest"], digest) for row in good])


def link(settings: Settings, key: str) -> str:
    """The whole address at which the owner chooses a password."""
    address = settings.public_url or local_address(settings)
    return f"{address}/admin/welcome?key={quote(key)}"


def local_address(settings: Settings) -> str:
    """The address of the site on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)
    host = f"[{host}]" if ":" in host.strip("[]") and "[" not in host else host
    return f"http://{host}:{settings.port}"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _moment(row: dict[str, str]) -> datetime:
    return datetime.fromisoformat(row["at"]).astimezone(UTC)
