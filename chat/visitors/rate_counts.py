"""What was done lately, counted by the library `limits` in windows that move."""

import threading
import time
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from math import inf
from typing import cast

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


class RateCounts:
    """Counts against rates, in the storage of a URI that `limits` knows.

    `clock` is the storage's.
    """

    def __init__(self, uri: str = IN_MEMORY, clock: Clock = time.monotonic) -> None:
        options = {"clock": clock} if uri == IN_MEMORY else {}
        self._clock = clock
        storage = storage_from_string(uri, **options)  # type: ignore[arg-type]
        self._windows = cast(MovingWindowSupport, storage)
        self._limiter = MovingWindowRateLimiter(cast(Storage, storage))

    def wait(self, rates: Sequence[RateLimitItem], *name: str, cost: int = 1) -> float:
        """Seconds until the name may do it again `cost` times: 0 for now, inf for never."""
        return max((self._wait(rate, name, cost) for rate in rates), default=0.0)

    def add(self, rates: Sequence[RateLimitItem], *name: str, cost: int = 1) -> None:
        """Counts that the name does it now, `cost` times, as far as there is room."""
        for rate in rates:
            self._limiter.hit(rate, *name, cost=cost)

    def _wait(self, rate: RateLimitItem, name: tuple[str, ...], cost: int) -> float:
        if cost > rate.amount:
            return inf
        if self._limiter.test(rate, *name, cost=cost):
            return 0.0
        # The library says when one place is free. For more of them an earlier time has to leave the
        # window: the first of as many as, together with the cost, would be one too many.
        first, _ = self._windows.get_moving_window(
            rate.key_for(*name), rate.amount - cost + 1, rate.get_expiry()
        )
        return max(0.001, first + rate.get_expiry() - self._clock())
