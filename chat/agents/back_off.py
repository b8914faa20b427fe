"""How long an account is left alone after its platform has refused a call as one too many."""

import math
import random
import threading
import time
from collections.abc import Callable

from chat.agents.queues import Clock

# After the first refusal; each further one doubles it.
FIRST_BACK_OFF_S = 2.0
LONGEST_BACK_OFF_S = 60.0
# The pause grows no further after so many refusals in a row.
MOST_REFUSALS = 6
# A platform may ask for no longer pause: a date in place of seconds would be for ever.
LONGEST_PAUSE_S = 3600.0


class BackOff:
    """The pause of one account. It doubles with each refusal until the next answer."""

    def __init__(
        self, clock: Clock = time.monotonic, chance: Callable[[], float] = random.random
    ) -> None:
        self.refusals = 0
        self._clock = clock
        self._chance = chance
        self._lock = threading.Lock()
        self._held_until = 0.0

    def refuse(self, retry_after: float | None) -> float:
        """Notes a refusal; returns for how many seconds nothing may be asked from now on."""
        with self._lock:
            # Each of the calls that were under way together may be refused: that is one refusal.
            if not self.is_holding:
                self.refusals = min(self.refusals + 1, MOST_REFUSALS)
            back_off: float = FIRST_BACK_OFF_S * 2 ** (self.refusals - 1)
            pause = min(retry_after or 0.0, LONGEST_PAUSE_S)
            seconds = max(pause, min(LONGEST_BACK_OFF_S, back_off) * (0.5 + self._chance()))
            self._hold(seconds)
        return seconds

    def learn(self, seconds: float, refusals: int) -> None:
        """Notes a refusal that another process has met."""
        with self._lock:
            self.refusals = refusals
            self._hold(seconds)

    def forgive(self) -> bool:
        """Ends a series of refusals; whether there was one."""
        was_refused, self.refusals = self.refusals > 0, 0
        return was_refused

    @property
    def is_holding(self) -> bool:
        """Whether nothing may be asked at the moment."""
        return self.left_s > 0

    @property
    def left_s(self) -> float:
        """Seconds until something may be asked again."""
        return max(0.0, self._held_until - self._clock())

    @property
    def retry_after_s(self) -> float:
        """The same in whole seconds; at least one."""
        return max(1.0, math.ceil(self.left_s))

    def _hold(self, seconds: float) -> None:
        self._held_until = max(self._held_until, self._clock() + seconds)
