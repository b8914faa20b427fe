"""The brake on guessing codes, keys and passwords: by address, and over all of them."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from chat.refusals import GuessRefusal

FREE, LOCKED_FROM = 5, 10
FIRST_WAIT_S, LOCK_S = 2.0, 15 * 60.0
FORGOTTEN_AFTER_S = 60 * 60.0
ALL, ALL_WINDOW_S, ALL_GAP_S = 100, 10 * 60.0, 2.0
ADDRESSES = 10_000

Result = TypeVar("Result")


@dataclass
class _Record:
    """Wrong tries from one address: how many, the last one's time, and when the next may come."""

    wrong: int = 0
    last: float = 0.0
    next: float = 0.0


class Guessing:
    """Counts wrong tries of each kind ("code", "key", "owner", "metrics", "device").

    After FREE wrong tries from an address each further try waits twice as long as the one before;
    from LOCKED_FROM on it waits LOCK_S. After ALL wrong tries within ALL_WINDOW_S, from any
    address, one try is let in every ALL_GAP_S. A visitor who has signed in makes no try and is not
    braked.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._one_at_a_time = threading.Lock()
        self._addresses: OrderedDict[tuple[str, str], _Record] = OrderedDict()
        self._all: dict[str, deque[float]] = {}
        self._next: dict[str, float] = {}

    def attempt(
        self, kind: str, address: str, check: Callable[[], Result], forgives: bool = True
    ) -> Result:
        """The result of `check`, which counts as a wrong try if it is false. Raises GuessRefusal.

        A right try that `forgives` takes back a wrong one; it must not where anybody can have a
        right code made. Tries run one after another, because a check is slow, and right tries must
        not brake each other.
        """
        with self._one_at_a_time:
            self.begin_try(kind, address)
            result = check()
            if result:
                self.count_right_try(kind, address, forgives)
            return result

    def begin_try(self, kind: str, address: str) -> None:
        """Counts a try as wrong until `count_right_try`, so that simultaneous tries are counted
        too.

        Raises GuessRefusal with the seconds to wait; such a try must not be checked, and is not
        counted.
        """
        with self._lock:
            now = self._clock()
            record = self._addresses.get((kind, address), _Record())
            if now - record.last >= FORGOTTEN_AFTER_S:
                record = _Record()
            wait = max(record.next - now, self._wait_of_all(kind, now))
            if wait > 0:
                raise GuessRefusal("rate_limited", f"tries of the kind {kind}", retry_after=wait)
            self._count(kind, address, record, now)

    def count_right_try(self, kind: str, address: str, forgives: bool = True) -> None:
        """Counts a try as right after all; if it `forgives`, it takes back one wrong try before it.

        It takes back one, so that many people behind one address may each mistype once; and not
        more, so that nobody guesses others' codes between uses of their own.
        """
        with self._lock:
            record = self._addresses.pop((kind, address), _Record())
            left = record.wrong - (2 if forgives else 1)
            if left > 0:
                self._addresses[kind, address] = _Record(left, record.last, self._clock())
            if self._all.get(kind):
                self._all[kind].pop()

    @property
    def size(self) -> int:
        """How many addresses are in memory; never more than ADDRESSES."""
        return len(self._addresses)

    def _count(self, kind: str, address: str, record: _Record, now: float) -> None:
        record.wrong, record.last = record.wrong + 1, now
        record.next = now + _wait_after(record.wrong)
        self._addresses[kind, address] = record
        self._addresses.move_to_end((kind, address))
        while len(self._addresses) > ADDRESSES:
            self._addresses.popitem(last=False)
        self._all.setdefault(kind, deque(maxlen=ALL)).append(now)
        self._next[kind] = now + ALL_GAP_S

    def _wait_of_all(self, kind: str, now: float) -> float:
        tries = self._all.get(kind)
        if not tries:
            return 0.0
        is_flood = len(tries) == ALL and now - tries[0] < ALL_WINDOW_S
        return self._next[kind] - now if is_flood else 0.0


def _wait_after(wrong: int) -> float:
    if wrong < FREE:
        return 0.0
    return LOCK_S if wrong >= LOCKED_FROM else FIRST_WAIT_S * 2 ** (wrong - FREE)
