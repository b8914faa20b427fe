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

Found = TypeVar("Found")


@dataclass
class _Record:
    """Wrong tries from one address: how many, the last one's time, and when the next may come."""

    wrong: int = 0
    last: float = 0.0
    next: float = 0.0


class Guessing:
    """Counts wrong tries of each kind ("code", "key", "owner", "metrics", "device").

    After FREE wrong ones from an address each further has to wait twice as long as the one before, from
    LOCKED_FROM on LOCK_S. After ALL wrong ones within ALL_WINDOW_S, from wherever, one try is let in every
    ALL_GAP_S. Whoever is in already is asked for nothing and so not braked.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._one_at_a_time = threading.Lock()
        self._addresses: OrderedDict[tuple[str, str], _Record] = OrderedDict()
        self._all: dict[str, deque[float]] = {}
        self._next: dict[str, float] = {}

    def attempt(
        self, kind: str, address: str, look: Callable[[], Found], forgives: bool = True
    ) -> Found:
        """What `look` finds, which counts as a wrong try unless it is something. Raises GuessRefusal.

        A right one that `forgives` makes good for a wrong one; where anybody can have a right one made, it
        must not. One after another: a look takes its time, and of many right ones none must brake another.
        """
        with self._one_at_a_time:
            self.begin(kind, address)
            found = look()
            if found:
                self.right(kind, address, forgives)
            return found

    def begin(self, kind: str, address: str) -> None:
        """A try is made: it counts as wrong until `right` is told, so that many at once are counted too.

        Raises GuessRefusal with the seconds to wait; such a try must not be looked at, and is not counted.
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

    def right(self, kind: str, address: str, forgives: bool = True) -> None:
        """The try was right: it is no wrong one, and makes good for one before it if it `forgives`.

        For no more: who has a code would else guess others' between uses of their own. And for one, so that
        many people behind one address may each mistype once.
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
        """How many addresses are remembered; never more than ADDRESSES."""
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
