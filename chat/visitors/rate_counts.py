"""What was done lately, counted by the library `limits` in windows that move."""

import threading
import time
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Protocol, cast

from limits import RateLimitItem
from limits.storage import MovingWindowSupport, Storage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

IN_MEMORY = "bounded-memory://"
MOST_KEYS = 100_000

Clock = Callable[[], float]


class BoundedMemory(Storage, MovingWindowSupport):
    """The counts of this process: eight bytes a time, for as long as its window.

    The library's own memory keeps the name of everybody who ever asked, and looks through all of
    them after each question. Here keys without a time in their window are forgotten, and beyond
    MOST_KEYS of one length of window those longest silent.
    """

    # What the library finds this class by, as it does its own.
    STORAGE_SCHEME: list[str] | None = ["bounded-memory"]  # noqa: RUF012

    def __init__(
        self,
        uri: str | None = None,
        wrap_exceptions: bool = False,
        clock: Clock = time.monotonic,
        most_keys: int = MOST_KEYS,
    ) -> None:
        super().__init__(uri, wrap_exceptions)
        self._clock = clock
        self._most_keys = most_keys
        self._lock = threading.RLock()
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

    def clear(self, key: str) -> None:
        """Forgets one key."""
        with self._lock:
            for window in self._windows.values():
                window.pop(key, None)

    def reset(self) -> int:
        """Forgets all keys; says how many there were."""
        with self._lock:
            count = len(self)
            self._windows.clear()
            return count

    def check(self) -> bool:
        """Memory is always there."""
        return True

    @property
    def base_exceptions(self) -> type[Exception]:
        """What this storage might raise: nothing of its own."""
        return ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Fixed windows are not for this storage."""
        raise NotImplementedError

    def get(self, key: str) -> int:
        """Fixed windows are not for this storage."""
        raise NotImplementedError

    def get_expiry(self, key: str) -> float:
        """Fixed windows are not for this storage."""
        raise NotImplementedError

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
        self._memory = cast(
            BoundedMemory,
            storage_from_string(IN_MEMORY, clock=clock),  # type: ignore[arg-type]
        )
        self._limiter = MovingWindowRateLimiter(self._memory)

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
                self._limiter.hit(rate, *claim.name, cost=claim.cost)

    def give_back(self, *claims: Claim) -> None:
        for claim in claims:
            for rate in claim.rates:
                self._memory.give_back(rate.key_for(*claim.name), rate.get_expiry(), claim.cost)

    def _wait(self, claim: Claim) -> float:
        return max((self._wait_of(rate, claim) for rate in claim.rates), default=0.0)

    def _wait_of(self, rate: RateLimitItem, claim: Claim) -> float:
        if claim.cost > rate.amount:
            return inf
        if self._limiter.test(rate, *claim.name, cost=claim.cost):
            return 0.0
        # The library says when one place is free. For more of them an earlier time has to leave the
        # window: the first of as many as, together with the cost, would be one too many.
        first, _ = self._memory.get_moving_window(
            rate.key_for(*claim.name), rate.amount - claim.cost + 1, rate.get_expiry()
        )
        return max(0.001, first + rate.get_expiry() - self._clock())
