"""Moving to another device: a short code that is good once and for ten minutes."""

import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Callable
from datetime import datetime

from chat.storage.models import now
from chat.storage.moves import Moves
from chat.visitors.guessing import Guessing

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # without 0 O, 1 I L, which look alike: 31 of them
LENGTH = (
    8  # 39.6 bits: at the 400 tries that the brake lets in within ten minutes, one in two billion
)


class Devices:
    """Hands out codes and takes each of them once.

    Wrong ones are braked by address and over all. A right one takes none back: anybody may have one made.
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
        self._guessing = guessing
        self._clock = clock

    def begin(self, visitor: str) -> str:
        """A new code for the visitor, as XXXX-XXXX. The one before it, and whatever has expired, is gone."""
        code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        self._moves.add(self._hash(code), visitor, self._clock())
        return f"{code[:4]}-{code[4:]}"

    def peek(self, code: str, address: str) -> bool:
        """Whether a code is good; it stays so. Raises GuessRefusal after too many wrong ones."""

        def look() -> bool:
            return self._moves.is_good(self._hash(code), self._clock())

        return self._guessing.attempt("device", address, look, forgives=False)

    def claim(self, code: str, address: str) -> str | None:
        """The visitor of a code, which is used up; None when it is wrong. Raises GuessRefusal."""

        def take() -> str | None:
            return self._moves.claim(self._hash(code), self._clock())

        return self._guessing.attempt("device", address, take, forgives=False)

    def _hash(self, code: str) -> str:
        """What is stored of a code, however it was typed: with spaces or hyphens, small, full-width."""
        letters = "".join(
            char for char in unicodedata.normalize("NFKC", code[:100]) if char.isalnum()
        ).upper()
        return hmac.new(self._key, b"move:" + letters.encode(), hashlib.sha256).hexdigest()
