"""What this process has done, counted where it becomes known, and who may read it from another machine."""

import hmac
import threading
from bisect import bisect_left
from collections import Counter, deque
from itertools import accumulate

from pydantic import SecretStr

from chat.visitors.guessing import Guessing

FIRST_S = (0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
WHOLE_S = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
READERS = 16


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


class Readers:
    """Knows who may read the numbers from another machine: by METRICS_TOKEN, and not by trying many."""

    def __init__(self, token: SecretStr | None, guessing: Guessing) -> None:
        self._token = token.get_secret_value().encode() if token else None
        self._guessing = guessing
        self._known: deque[str] = deque(maxlen=READERS)

    @property
    def may_exist(self) -> bool:
        """Whether there is a token at all."""
        return self._token is not None

    def knows(self, given: str | None, address: str) -> bool:
        """Whether this is the token. Raises GuessRefusal after too many wrong ones.

        From where the right one came, it is never kept waiting: others who guess must not blind the owner.
        """
        if self._token is None or given is None:
            return False
        is_right = hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self._token)
        if is_right and address in self._known:
            return True
        if self._guessing.attempt("metrics", address, lambda: is_right):
            self._known.append(address)
        return is_right
