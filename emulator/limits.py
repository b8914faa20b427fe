"""How often and how many at once: token buckets, running calls and the distance between two
polls.
"""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from threading import Lock

# A poll that left its sender a second after the last may arrive a little less than a second after
# it.
_TOLERANCE_S = 0.05


class Limits:
    """The counters of one emulator; a key is whatever a platform counts by, such as ("coze",
    account).
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._buckets: dict[object, tuple[float, float]] = {}
        self._polled_at: dict[object, float] = {}
        self._running: Counter[object] = Counter()
        self._used: Counter[object] = Counter()

    def allows(self, key: object, per_second: float) -> bool:
        """Takes a token from a bucket that holds a second's worth; 0 per second means no limit."""
        if per_second <= 0:
            return True
        with self._lock:
            now = time.monotonic()
            tokens, since = self._buckets.get(key, (per_second, now))
            tokens = min(per_second, tokens + (now - since) * per_second)
            self._buckets[key] = (tokens - 1 if tokens >= 1 else tokens, now)
            return tokens >= 1

    def polled_too_soon(self, key: object, interval_s: float) -> bool:
        """Notes a poll and says whether the last one of the same key was less than an interval
        ago.
        """
        with self._lock:
            now = time.monotonic()
            last = self._polled_at.get(key)
            self._polled_at[key] = now
            return last is not None and now - last < interval_s - _TOLERANCE_S

    def enter(self, key: object, at_most: int) -> bool:
        """Counts a call that begins, unless so many are running already; 0 means no limit."""
        with self._lock:
            if at_most and self._running[key] >= at_most:
                return False
            self._running[key] += 1
            return True

    def leave(self, key: object) -> None:
        with self._lock:
            self._running[key] -= 1

    def leaver(self, key: object) -> Callable[[], None]:
        """What takes a call off again, once, however often it is called.

        Before the last byte of an answer, for who has read that may ask again; else when it is
        given up."""
        running = [key]

        def leave() -> None:
            with suppress(IndexError):
                self.leave(running.pop())

        return leave

    def use(self, key: object) -> int:
        """Counts one use, for a day's or a life's budget, and returns how many there were."""
        with self._lock:
            self._used[key] += 1
            return self._used[key]
