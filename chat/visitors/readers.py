"""Who may read the site's numbers from another machine: whoever has METRICS_TOKEN."""

import hmac
from collections import deque

from pydantic import SecretStr

from chat.visitors.guessing import Guessing, Origin

# Addresses that have shown the right token, newest last.
MOST_ADDRESSES = 16


class Readers:
    """Checks METRICS_TOKEN, and brakes those who guess it."""

    def __init__(self, token: SecretStr | None, guessing: Guessing) -> None:
        self._token = token.get_secret_value().encode() if token else None
        self._brake = guessing.brake("metrics")
        self._addresses: deque[str] = deque(maxlen=MOST_ADDRESSES)

    @property
    def may_exist(self) -> bool:
        """Whether the site has a token at all."""
        return self._token is not None

    def knows(self, token: str | None, address: str) -> bool:
        """Whether this is the token. Raises GuessRefusal after too many wrong ones.

        An address that has shown the right token never waits: guessers must not blind the owner.
        """
        if self._token is None or token is None:
            return False
        is_right = hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self._token)
        if is_right and address in self._addresses:
            return True
        if self._brake.attempt(Origin(address), lambda _: is_right):
            self._addresses.append(address)
        return is_right
