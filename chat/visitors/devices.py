"""Moving to another device: a short code that is good once and for ten minutes."""

import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Callable
from datetime import datetime

from chat.storage.models import now
from chat.storage.visitors.moves import Moves
from chat.visitors.guessing import Guessing, Origin, Try

# 31 characters, without 0 and O, 1, I and L, which look alike.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
# 39.6 bits. The brake allows 220 tries in ten minutes, so the chance of a guess is one in three
# billion.
LENGTH = 8


class Devices:
    """Hands out codes, each good for one use.

    Wrong codes are braked by address and over all. A right code forgives no wrong one, because
    anybody can have a code made.
    """

    def __init__(
        self,
        moves: Moves,
        secret_key: str,
        guessing: Guessing,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._moves = moves
        self._key = secret_key.encode()
        self._brake = guessing.brake("device")
        self._clock = clock

    def begin(self, visitor: str) -> str:
        """A new code for the visitor, as XXXX-XXXX.

        The earlier one and all expired codes are deleted.
        """
        code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        self._moves.add(self._hash(code), visitor, self._clock())
        return f"{code[:4]}-{code[4:]}"

    def peek(self, code: str, address: str) -> bool:
        """Whether a code is good; it is not used up.

        Raises GuessRefusal after too many wrong ones.
        """

        def is_good(_: Try) -> bool:
            return self._moves.is_good(self._hash(code), self._clock())

        return self._brake.attempt(Origin(address), is_good, forgives=False)

    def claim(self, code: str, address: str) -> str | None:
        """The visitor of a code, which is used up; None for a wrong code. Raises GuessRefusal."""

        def claim_move(_: Try) -> str | None:
            return self._moves.claim(self._hash(code), self._clock())

        return self._brake.attempt(Origin(address), claim_move, forgives=False)

    def _hash(self, code: str) -> str:
        """The stored hash of a code, the same with spaces or hyphens, in small or full-width
        letters.
        """
        letters = "".join(
            char for char in unicodedata.normalize("NFKC", code[:100]) if char.isalnum()
        ).upper()
        return hmac.new(self._key, b"move:" + letters.encode(), hashlib.sha256).hexdigest()
