"""Which of the known hashes a text was made of: a slow question, asked by few at once."""

import hmac
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from chat.offload import beside_others
from chat.refusals import CrowdRefusal
from chat.settings.hashes import Hash, Recipe
from chat.visitors.guessing import PATIENCE_S, Try

# scrypt with a work of 14 and blocks of 8 takes some 50 ms.
SECONDS_PER_WORK = 0.05 / (2**14 * 8)

Result = TypeVar("Result")


class Lane:
    """One piece of slow work after another. `cost_s` is how long a piece takes, as a first guess.

    Who would not be served within PATIENCE_S is refused at once instead of waiting in vain.
    """

    def __init__(self, cost_s: float) -> None:
        self._cost_s = cost_s
        self._seat = threading.Lock()
        self._lock = threading.Lock()
        self._inside = 0

    @property
    def is_busy(self) -> bool:
        """Whether somebody would have to wait."""
        return self._inside > 0

    def run(self, work: Callable[[], Result], deadline: float) -> Result:
        """The result of the work, begun before the deadline. Raises CrowdRefusal."""
        with self._lock:
            wait = self._inside * self._cost_s
            if time.monotonic() + wait > deadline:
                raise CrowdRefusal(wait)
            self._inside += 1
        try:
            if not self._seat.acquire(timeout=max(0.0, deadline - time.monotonic())):
                raise CrowdRefusal(wait)
            try:
                return self._measure(work)
            finally:
                self._seat.release()
        finally:
            with self._lock:
                self._inside -= 1

    def _measure(self, work: Callable[[], Result]) -> Result:
        began = time.monotonic()
        result = work()
        self._cost_s += (time.monotonic() - began - self._cost_s) / 4
        return result


class Matcher:
    """Compares texts with hashes of one kind.

    Strangers have one lane; known browsers and who solved a puzzle have another, which a crowd of
    strangers does not fill. So at most two hashes of a kind are made at once.
    """

    def __init__(self, known: Sequence[Hash]) -> None:
        self._hashes = known
        self._recipes = tuple(dict.fromkeys(known_hash.recipe for known_hash in known))
        cost_s = sum(_cost_s(recipe) for recipe in self._recipes)
        self._strangers, self._preferred = Lane(cost_s), Lane(cost_s)

    @property
    def is_crowded(self) -> bool:
        """Whether a stranger would have to wait."""
        return self._strangers.is_busy

    def match(self, text: str, current: Try | None = None) -> list[bool]:
        """For each hash, whether the text is what it was made of. Raises CrowdRefusal.

        Every recipe is followed once and every digest compared, so that the time it takes says
        nothing.
        """
        lane = self._preferred if current and current.is_preferred else self._strangers
        deadline = current.deadline if current else time.monotonic() + PATIENCE_S
        return lane.run(partial(self._compare, text), deadline)

    def _compare(self, text: str) -> list[bool]:
        digests = {recipe: beside_others(partial(recipe.digest, text)) for recipe in self._recipes}
        return [
            hmac.compare_digest(digests[known_hash.recipe], known_hash.digest)
            for known_hash in self._hashes
        ]


def _cost_s(recipe: Recipe) -> float:
    return float(2**recipe.work * recipe.block * recipe.lanes * SECONDS_PER_WORK)
