"""What was done lately, counted against rates of the library `limits` in windows that move."""

import threading
import time
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Protocol

from limits import RateLimitItem

MOST_KEYS = 100_000

Clock = Callable[[], float]


class BoundedMemory:
    """The counts of this process: eight bytes a time, for as long as its window.

    The library's own memory keeps the name of everybody who ever asked, and looks through all of
    them after each question. Here keys without a time in their window are forgotten, and beyond
    MOST_KEYS of one length of window those longest silent.
    """

    def __init__(self, clock: Clock = time.monotonic, most_keys: int = MOST_KEYS) -> None:
        self._clock = clock
        self._most_keys = most_keys
        self._lock = threading.Lock()
        # By the seconds of the window, then by key, the longest silent first.
        self._windows: dict[int, OrderedDict[str, array[float]]] = {}

    def __len__(self) -> int:
        return sum(len(window) for window in self._windows.values())

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Counts `amount` times now, if no more than `limit` times are then in the window."""
        with self._lock:
            now = self._clock()
            window = self._windows.setdefault(expiry, OrderedDict())
            times = window.get(key) or array("d")
            del times[: bisect_right(times, now - expiry)]
            if len(times) + amount > limit:
                if not times:
                    window.pop(key, None)
                return False
            times.extend([now] * amount)
            window[key] = times
            window.move_to_end(key)
            self._forget_old_keys(now)
            return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Of the `limit` latest times in the window: the first, and how many they are."""
        with self._lock:
            now = self._clock()
            window = self._windows.get(expiry)
            times = (window and window.get(key)) or array("d")
            recent = times[bisect_right(times, now - expiry) :][-limit:]
            return (recent[0] if recent else now), len(recent)

    def give_back(self, key: str, expiry: int, amount: int) -> None:
        """Forgets the latest times of a key."""
        with self._lock:
            window = self._windows.get(expiry)
            if window is None or key not in window:
                return
            del window[key][-amount:]
            if not window[key]:
                del window[key]

    def _forget_old_keys(self, now: float) -> None:
        for expiry, window in self._windows.items():
            while window:
                key, times = next(iter(window.items()))
                if len(window) <= self._most_keys and times[-1] > now - expiry:
                    break
                del window[key]


@dataclass(frozen=True, slots=True)
class Claim:
    """What somebody wants to do: `cost` times, at these rates, counted under a name."""

    rates: Sequence[RateLimitItem]
    name: tuple[str, ...]
    cost: int = 1


class RateCounts(Protocol):
    """Counts against rates: those of one process, or those that all processes share."""

    def wait(self, *claims: Claim) -> float:
        """Seconds until all of them may be done: 0 for now, inf for never. Counts nothing."""

    def take(self, *claims: Claim) -> float:
        """Counts all of them and returns 0; or counts none and returns the seconds to wait."""

    def add(self, *claims: Claim) -> None:
        """Counts them as far as there is room: what is known only afterwards."""

    def give_back(self, *claims: Claim) -> None:
        """Takes back what was taken a moment ago."""


class LocalRateCounts:
    """RateCounts in the memory of this process."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._memory = BoundedMemory(clock)

    def wait(self, *claims: Claim) -> float:
        return max((self._wait(claim) for claim in claims), default=0.0)

    def take(self, *claims: Claim) -> float:
        with self._lock:
            if wait := self.wait(*claims):
                return wait
            self.add(*claims)
            return 0.0

    def add(self, *claims: Claim) -> None:
        for claim in claims:
            for rate in claim.rates:
                key = rate.key_for(*claim.name)
                self._memory.acquire_entry(key, rate.amount, rate.get_expiry(), claim.cost)

    def give_back(self, *claims: Claim) -> None:
        for claim in claims:
            for rate in claim.rates:
                self._memory.give_back(rate.key_for(*claim.name), rate.get_expiry(), claim.cost)

    def _wait(self, claim: Claim) -> float:
        return max((self._wait_of(rate, claim) for rate in claim.rates), default=0.0)

    def _wait_of(self, rate: RateLimitItem, claim: Claim) -> float:
        if claim.cost > rate.amount:
            return inf
        key, window_s = rate.key_for(*claim.name), rate.get_expiry()
        _, count = self._memory.get_moving_window(key, rate.amount, window_s)
        if count + claim.cost <= rate.amount:
            return 0.0
        # An earlier time has to leave the window: the first of as many as, together with the cost,
        # would be one too many.
        first, _ = self._memory.get_moving_window(key, rate.amount - claim.cost + 1, window_s)
        return max(0.001, first + window_s - self._clock())
