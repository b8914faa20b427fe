"""The calls of a shared account that a process gives by itself while Redis is away.

It gives its share of the calls a second, which is safe whatever the others do, and goes on until
all processes have told Redis what they have.
"""

from collections.abc import Callable
from dataclasses import dataclass

from chat.agents.queues import Clock
from chat.agents.tickets import Ticket

# A process is alone so long after its trouble began: a moment's trouble may be its own.
ALONE_AFTER_S = 1.0


@dataclass(frozen=True, slots=True)
class Shared:
    """What a line has of its process: the connection's state, and a way to the next step.

    `waiting` is how many questions of all processes Redis knows, None while it cannot be asked.
    """

    process: Callable[[], str]
    processes: Callable[[], int]
    is_away: Callable[[], bool]
    waiting: Callable[[], int | None]
    wake: Callable[[], object]
    clock: Clock
    chance: Callable[[], float]


class Alone:
    """One account's calls, given alternately to running turns and to new questions.

    `gap` is from one call to the next of all processes together; 0 when no limit is known.
    """

    def __init__(self, gap: float, shared: Shared) -> None:
        # When the next call is, by the clock.
        self.call_at = 0.0
        self._all_gap = gap
        self._shared = shared
        self._has_begun = False
        self._calm_until = 0.0
        # How many processes share the calls. Those that come back are counted one after another.
        self._companions = 1
        self._was_new = True

    @property
    def is_now(self) -> bool:
        """Whether this process gives calls by itself."""
        is_calm = self._shared.clock() < self._calm_until
        return self._has_begun and (is_calm or self._shared.is_away())

    @property
    def gap(self) -> float:
        """Seconds from one call of this process to the next."""
        return self._all_gap * max(self._companions, self._shared.processes())

    def begin(self) -> None:
        """A step could not be taken."""
        if self._has_begun:
            return
        self._has_begun = True
        self._companions = self._shared.processes()
        # The first calls of the processes must not be made together.
        wait = ALONE_AFTER_S + self.gap * self._shared.chance()
        self.call_at = self._shared.clock() + wait

    def note_step(self, calm_s: float) -> None:
        """A step was taken; for so long the processes tell Redis what they have."""
        self._calm_until = self._shared.clock() + calm_s
        self._has_begun = self._has_begun and calm_s > 0

    def head(self, call: Ticket | None, question: Ticket | None) -> Ticket | None:
        """Which of the two has the next call."""
        heads = (call, question) if self._was_new else (question, call)
        return heads[0] or heads[1]

    def take(self, head: Ticket, held_back_s: float) -> float:
        """Seconds until the head may take its call; 0 when it has just taken it."""
        now = self._shared.clock()
        pause = max(self.call_at - now, held_back_s)
        if pause > 0:
            return pause
        self.call_at = now + self.gap
        self._was_new = head.stage == "waiting"
        return 0.0
