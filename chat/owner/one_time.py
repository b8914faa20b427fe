"""One-time codes (TOTP) beside the owner's password: set up, checked once each, ended."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

from chat.agents.vault import fernet
from chat.settings.hashes import normalize
from chat.storage.owner.values import Entry, OwnerValues

if TYPE_CHECKING:
    from pyotp import TOTP

# The names of the secret and of the last step used among the owner's values.
SECRET, USED = "one_time", "one_time_used"
STEP_S = 30
# Clocks of phones and servers may differ by so many steps.
WINDOW = 1
# A secret that is shown has to be confirmed within this.
SETTING_UP_S = 1800


@dataclass(frozen=True)
class Proposal:
    """A secret that is not in force yet: for an app to scan, to be typed, and sealed for a form."""

    address: str
    secret: str
    sealed: str


class OneTimeCodes:
    """The owner's second proof. Its secret is sealed in the database, for all processes."""

    def __init__(
        self, values: OwnerValues, secret_key: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._values = values
        self._key = secret_key
        self._clock = clock

    @property
    def is_on(self) -> bool:
        """Whether a code is asked for."""
        return self.mark != ""

    @property
    def mark(self) -> str:
        """What changes with the secret; "" without one."""
        value = self._values.get(SECRET).value
        return str(value["sealed"]) if value else ""

    def propose(self, site: str) -> Proposal:
        """A new secret for the app of the owner's phone, under the site's name."""
        import pyotp

        secret = pyotp.random_base32()
        address = pyotp.TOTP(secret).provisioning_uri(name="admin", issuer_name=site)
        return Proposal(address, secret, self._seal(secret))

    def opened(self, sealed: str, site: str) -> Proposal | None:
        """A secret that was proposed, from the form; None when it is too old or not ours."""
        import pyotp

        secret = self._open(sealed, SETTING_UP_S)
        if secret is None:
            return None
        address = pyotp.TOTP(secret).provisioning_uri(name="admin", issuer_name=site)
        return Proposal(address, secret, sealed)

    def begin(self, proposal: Proposal, code: str) -> bool:
        """Asks for codes of this secret from now on, if the owner's app gives a right one."""
        step = self._step_of(proposal.secret, code)
        if step is None:
            return False
        self._values.put(SECRET, {"sealed": self._seal(proposal.secret)}, Entry("one-time-on", {}))
        self._values.alter(USED, lambda used: step)
        return True

    def verify(self, code: str) -> bool:
        """Whether a code is right, which uses it up; always where none is asked for."""
        if not self.is_on:
            return True
        secret = self._open(self.mark)
        step = self._step_of(secret, code) if secret else None
        return step is not None and self._use_up(step)

    def end(self) -> None:
        """Asks for no codes any more."""
        if self.is_on:
            self._values.put(SECRET, None, Entry("one-time-off", {}))

    def _use_up(self, step: int) -> bool:
        """Whether neither this code nor a later one was used before."""
        is_new = False

        def use(used: Any) -> Any:
            nonlocal is_new
            is_new = used is None or step > used
            return step if is_new else used

        self._values.alter(USED, use)
        return is_new

    def _step_of(self, secret: str, code: str) -> int | None:
        """The step of time to which a code belongs; None for a wrong one."""
        import pyotp

        totp: TOTP = pyotp.TOTP(secret)
        now, digits = int(self._clock()), normalize(code).replace(" ", "")
        if not digits.isascii():
            return None
        for offset in range(-WINDOW, WINDOW + 1):
            if compare_digest(totp.at(now, counter_offset=offset), digits):
                return now // STEP_S + offset
        return None

    def _seal(self, secret: str) -> str:
        return str(fernet(self._key).encrypt(secret.encode()).decode())

    def _open(self, sealed: str, longest_s: int | None = None) -> str | None:
        from cryptography.fernet import InvalidToken

        try:
            return str(fernet(self._key).decrypt(sealed.encode(), ttl=longest_s).decode())
        except (InvalidToken, UnicodeError):
            return None
