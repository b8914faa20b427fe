"""What this process has done, counted where it becomes known."""

import threading
from bisect import bisect_left
from collections import Counter
from itertools import accumulate

FIRST_S = (0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
WHOLE_S = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)


class Times:
    """How long something took, by platform: how many took no longer than each of `bounds`, in seconds."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self._counts: dict[str, list[int]] = {}
        self._sums: Counter[str] = Counter()

    def add(self, platform: str, seconds: float) -> None:
        counts = self._counts.setdefault(platform, [0] * (len(self.bounds) + 1))
        counts[bisect_left(self.bounds, seconds)] += 1
        self._sums[platform] += seconds  # type: ignore[assignment]

    def told(self) -> dict[str, tuple[list[int], float]]:
        """By platform: how many took no longer than each bound, at last how many there are; and their sum."""
        return {
            name: (list(accumulate(counts)), self._sums[name])
            for name, counts in self._counts.items()
        }


class Metrics:
    """Numbers that only grow. What they are counted by comes from fixed sets: the agents of the site, the
    reasons of the contract, our routes. So nobody from outside can make them many.

    The library that writes them out is not needed to count: chat/web/scraping.py imports it for whoever asks.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.answers: Counter[tuple[str, str, str]] = Counter()
        self.refusals: Counter[str] = Counter()
        self.requests: Counter[tuple[str, str]] = Counter()
        self.first, self.whole = Times(FIRST_S), Times(WHOLE_S)

    def ended(self, agent: str, platform: str, outcome: str) -> None:
        """An answer has ended: `outcome` is done, stopped, or the reason of its failure."""
        with self._lock:
            self.answers[agent, platform, outcome] += 1

    def took(self, platform: str, first_s: float | None, whole_s: float) -> None:
        """How long an answer took to its first words, None when there were none, and to its end."""
        with self._lock:
            if first_s is not None:
                self.first.add(platform, first_s)
            self.whole.add(platform, whole_s)

    def refused(self, code: str) -> None:
        """A request was refused for a reason of the contract."""
        with self._lock:
            self.refusals[code] += 1

    def answered(self, part: str, status: int) -> None:
        """A request to a part of the site, one of our blueprints or "none", was answered."""
        with self._lock:
            self.requests[part, f"{status // 100}xx"] += 1
