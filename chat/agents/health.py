"""Which agents cannot be reached at the moment, by how the last questions to them went."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from providers.errors import ProviderError, TimedOut, Unavailable

# In a row: one may be chance.
FAILURES = 3
# The failures may be no further apart than this.
WINDOW_S = 600.0
# An older failure says nothing about now.
FRESH_S = 3600.0


@dataclass
class Trouble:
    """Failures in a row, on the monotonic clock in seconds."""

    first_at: float
    last_at: float
    count: int = 1


class Health:
    """In the memory of one process: a new process learns from its next questions."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._troubles: dict[str, Trouble] = {}

    def note(self, agent_id: str, error: ProviderError | None) -> None:
        """Notes how a question went; `error` is None when the agent answered.

        A refusal counts as reached, too.
        """
        if not self.is_failure(error):
            self._troubles.pop(agent_id, None)
            return
        at = self._clock()
        with self._lock:
            trouble = self._troubles.get(agent_id)
            if trouble is None or at - trouble.last_at > WINDOW_S:
                self._troubles[agent_id] = Trouble(at, at)
            else:
                trouble.last_at, trouble.count = at, trouble.count + 1

    @staticmethod
    def is_failure(error: ProviderError | None) -> bool:
        """Whether an agent could not be reached, by what became of its question."""
        return isinstance(error, Unavailable | TimedOut)

    def unreachable(self) -> dict[str, float]:
        """The agents nobody could reach lately, each with for how many seconds."""
        at = self._clock()
        return {
            agent_id: at - trouble.first_at
            for agent_id, trouble in list(self._troubles.items())
            if trouble.count >= FAILURES and at - trouble.last_at < FRESH_S
        }
