"""Puzzles that cost a browser some work, so that guessing has a price: a proof of work."""

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from itsdangerous import BadSignature, URLSafeTimedSerializer

# A slow phone needs four minutes for the dearest, if it has bad luck.
LIFE_S = 10 * 60
# Puzzles live a few minutes. When so many were used in that time, no more are taken.
MOST_USED = 10_000
# Whole numbers of JavaScript are exact below it.
LARGEST_NONCE = 2**53


@dataclass(frozen=True)
class Puzzle:
    """A signed text, and how many hashes its solution takes on average: 2**bits."""

    text: str
    bits: int


class UsedPuzzles(Protocol):
    """Which puzzles are used up: in this process, or in all of them together."""

    def add(self, id: str) -> bool:
        """Whether a puzzle was not used yet; from now on it is."""


class LocalUsedPuzzles:
    """UsedPuzzles in the memory of this process: MOST_USED at most, each for as long as it lives.

    Without room for one more, none counts.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._used: OrderedDict[str, float] = OrderedDict()

    def add(self, id: str) -> bool:
        with self._lock:
            now = self._clock()
            # A puzzle is older than its use, so that it has ended when this is forgotten.
            while self._used and now - next(iter(self._used.values())) > LIFE_S:
                self._used.popitem(last=False)
            if id in self._used or len(self._used) >= MOST_USED:
                return False
            self._used[id] = now
            return True


class Puzzles:
    """Sets puzzles and takes their solutions, each good once.

    A puzzle is a signed text with its difficulty in bits. Its solution is a number, the nonce, for
    which SHA-256(SHA-256(puzzle) + nonce in 8 bytes) begins with so many zero bits.
    """

    def __init__(self, secret_key: str, used: UsedPuzzles) -> None:
        self._serializer = URLSafeTimedSerializer(secret_key, salt="puzzle")
        self._used = used

    def new(self, bits: int) -> Puzzle:
        """A puzzle of this difficulty."""
        return Puzzle(str(self._serializer.dumps([bits, secrets.token_urlsafe(9)])), bits)

    def redeem(self, puzzle: str, nonce: str) -> int:
        """The bits of a solved puzzle, which is used up; 0 for a wrong, old or used one."""
        try:
            bits, id = self._serializer.loads(puzzle[:200], max_age=LIFE_S)
        except (BadSignature, ValueError, TypeError):
            return 0
        if not _is_number(nonce) or not is_solution(puzzle, int(nonce), bits):
            return 0
        return int(bits) if self._used.add(id) else 0


def is_solution(puzzle: str, nonce: int, bits: int) -> bool:
    """Whether a nonce solves a puzzle of so many bits; static/js/puzzle-worker.js looks for it."""
    seed = hashlib.sha256(puzzle.encode("utf-8", "surrogatepass")).digest()
    digest = hashlib.sha256(seed + nonce.to_bytes(8, "big")).digest()
    return int.from_bytes(digest, "big") >> (256 - bits) == 0


def _is_number(nonce: str) -> bool:
    return nonce.isascii() and nonce.isdecimal() and len(nonce) <= 16 and int(nonce) < LARGEST_NONCE
