"""The two things that questions wait for: a seat at the platform, and a call a second."""

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass

from chat.agents.fair_queue import FairQueue, Origin
from providers.errors import OutOfTurn
from providers.stop import Stop

# Calls are spaced a little wider than allowed: the network may push two together.
HEADROOM = 1.05
# The visitor hears nothing of a shorter wait.
SHORTEST_REPORTED_S = 1.0
LOOK_S = 1.0
# How long an answer holds its seat, until some have shown it.
FIRST_GUESS_S = 10.0
# Of the mean of how long, the share of the newest answer.
NEWEST_SHARE = 0.2

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a turn waits in a queue: until a wish to stop, a deadline, or nobody reads it."""

    stop: Stop
    deadline: float
    platform: str
    clock: Clock = time.monotonic
    is_unread: Callable[[], bool] = lambda: False

    def wait(self, called: threading.Event, seconds: float) -> None:
        """Waits until `called`, but not longer than so many seconds. Raises Stopped, OutOfTurn."""
        self.stop.check()
        remaining_s = self.deadline - self.clock()
        if remaining_s <= 0:
            raise OutOfTurn("still waiting in line at the deadline", provider=self.platform)
        if self.is_unread():
            raise OutOfTurn("nobody was reading", provider=self.platform)
        called.wait(min(seconds, remaining_s))
        self.stop.check()


class _Ticket:
    """A place in a queue. `called` wakes its holder, who then has to look why."""

    def __init__(self) -> None:
        self.called = threading.Event()


class Rate:
    """Hands out calls, evenly spaced, to new questions and to running turns, alternately.

    New questions have a fair queue. A running turn has at most one further call in line, so those
    come in order. `qps` 0 spaces nothing.
    """

    def __init__(self, qps: float, clock: Clock = time.monotonic) -> None:
        self._gap = HEADROOM / qps if qps else 0.0
        self._clock = clock
        self._lock = threading.Lock()
        self._new: FairQueue[_Ticket] = FairQueue()
        self._running: deque[_Ticket] = deque()
        self._was_new = True
        self._next = 0.0

    def take_first(self, patience: Patience, origin: Origin) -> Iterator[int]:
        """Waits for the first call of a question; meanwhile yields, about once a second, how many
        questions are ahead.

        Raises Stopped, OutOfTurn.
        """
        patience.stop.check()
        ticket = _Ticket()
        with self._lock:
            self._new.add(ticket, origin)
            self._call_head()
        with closing(self._looks(ticket, patience, self._new.remove)) as looks:
            for _ in looks:
                if (ahead := self._ahead_of(ticket)) is not None:
                    yield ahead

    def take_further(self, patience: Patience) -> None:
        """Waits for a further call of a running turn. Raises Stopped, OutOfTurn."""
        patience.stop.check()
        ticket = _Ticket()
        with self._lock:
            self._running.append(ticket)
            self._call_head()
        for _ in self._looks(ticket, patience, self._running.remove):
            pass

    @property
    def seconds_each(self) -> float:
        """From one new question's call to the next, as things are."""
        # Every other call goes to running turns, while one of them waits.
        return self._gap * (2 if self._running else 1)

    def serves_until(self, is_of: Callable[[Origin], bool]) -> int:
        """How many new questions are served up to the first of such an origin."""
        with self._lock:
            return self._new.serves_until(is_of)

    def hold(self, seconds: float) -> None:
        """Gives nobody a call for a while."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)

    def _looks(
        self, ticket: _Ticket, patience: Patience, leave: Callable[[_Ticket], None]
    ) -> Generator[None, None, None]:
        """Waits for the call of a ticket in line, and yields before each look at the clock.

        Who gives up leaves the line. Raises Stopped, OutOfTurn.
        """
        try:
            with patience.stop.interrupting(ticket.called.set):
                while (wait := self._wait_of(ticket)) > 0:
                    yield
                    patience.wait(ticket.called, min(wait, LOOK_S))
        except BaseException:
            with self._lock:
                leave(ticket)
                self._call_head()
            raise

    def _wait_of(self, ticket: _Ticket) -> float:
        """Seconds to wait before looking again; 0 when the ticket has just taken its call."""
        with self._lock:
            # From now on only its turn or a wish to stop may wake it early. A wish made before this
            # line is seen at the next look.
            ticket.called.clear()
            if self._head is not ticket:
                return LOOK_S
            now = self._clock()
            if self._next > now:
                return self._next - now
            self._next = now + self._gap
            self._was_new = ticket in self._new
            if self._was_new:
                self._new.pop()
            else:
                self._running.popleft()
            self._call_head()
            return 0.0

    def _ahead_of(self, ticket: _Ticket) -> int | None:
        """How many new questions are ahead; None when the wait is too short to report."""
        with self._lock:
            ahead = self._new.ahead_of(ticket)
            wait = max(0.0, self._next - self._clock()) + ahead * self.seconds_each
        return ahead if wait >= SHORTEST_REPORTED_S else None

    @property
    def _head(self) -> _Ticket | None:
        """Who has the next call: of the two queues the one that had not the last, if it can."""
        heads = [self._running[0] if self._running else None, self._new.head]
        if not self._was_new:
            heads.reverse()
        return heads[0] or heads[1]

    def _call_head(self) -> None:
        if (head := self._head) is not None:
            head.called.set()


class Seats:
    """How many answers are made at once. `limit` 0 seats everybody."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._taken = 0
        self._queue: FairQueue[_Ticket] = FairQueue()
        self._mean_s = FIRST_GUESS_S

    def take(self, patience: Patience, origin: Origin) -> Iterator[int]:
        """Waits for a seat; meanwhile yields, about once a second, how many are ahead.

        Raises Stopped, OutOfTurn.
        """
        patience.stop.check()
        ticket = _Ticket()
        with self._lock:
            # Who gets a seat at once has had a turn, too.
            self._queue.add(ticket, origin)
            if not self._limit or self._taken < self._limit:
                self._taken += 1
                self._queue.pop()
                return
        try:
            with patience.stop.interrupting(ticket.called.set):
                while (ahead := self._ahead_of(ticket)) is not None:
                    yield ahead
                    patience.wait(ticket.called, LOOK_S)
        except BaseException:
            self._give_up(ticket)
            raise

    def leave(self, seconds: float) -> None:
        """Gives the seat, which was taken for so many seconds, to whose turn it is."""
        with self._lock:
            self._mean_s += NEWEST_SHARE * (seconds - self._mean_s)
            self._pass_on()

    @property
    def seconds_each(self) -> float:
        """From one free seat to the next, as the last answers went."""
        return self._mean_s / self._limit if self._limit else 0.0

    def serves_until(self, is_of: Callable[[Origin], bool]) -> int:
        """How many get a seat up to the first of such an origin."""
        with self._lock:
            return self._queue.serves_until(is_of)

    def _ahead_of(self, ticket: _Ticket) -> int | None:
        """How many are ahead; None when the seat is this ticket's."""
        with self._lock:
            return self._queue.ahead_of(ticket) if ticket in self._queue else None

    def _give_up(self, ticket: _Ticket) -> None:
        with self._lock:
            if ticket in self._queue:
                self._queue.remove(ticket)
            else:
                # The seat was given in the moment of giving up.
                self._pass_on()

    def _pass_on(self) -> None:
        if self._queue:
            self._queue.pop().called.set()
        else:
            self._taken -= 1
