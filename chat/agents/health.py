"""Which agents cannot be reached at the moment, by how the last questions to them went."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from providers.errors import ProviderError, TimedOut, Unavailable

FAILURES = 3  # in a row: one may be chance
WINDOW_S = 600.0  # and not further apart than this
FRESH_S = 3600.0  # so long a failure says something of now


@dataclass
class _Trouble:
    """Failures in a row, on the monotonic clock in seconds."""

    first_at: float
    last_at: float
    count: int = 1


class Health:
    """In the memory of one process: a new one knows nothing, and finds out by the next questions."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._troubles: dict[str, _Trouble] = {}

    def note(self, agent_id: str, error: ProviderError | None) -> None:
        """How a question went: None when the agent said something. A refusal has reached it as well."""
        if not isinstance(error, Unavailable | TimedOut):
            self._troubles.pop(agent_id, None)
            return
        at = self._clock()
        with self._lock:
            known = self._troubles.get(agent_id)
            if known is None or at - known.last_at > WINDOW_S:
                self._troubles[agent_id] = _Trouble(at, at)
            else:
                known.last_at, known.count = at, known.count + 1

    def unreachable(self) -> dict[str, float]:
        """The agents nobody could reach lately, each with for how many seconds."""
        at = self._clock()
        return {
            agent_id: at - one.first_at
            for agent_id, one in list(self._troubles.items())
            if one.count >= FAILURES and at - one.last_at < FRESH_S
        }
