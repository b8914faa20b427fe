"""What a platform's account may be asked: in a second, at once, in a day; first come, first served.

The platforms' numbers are in providers/__init__.py. New turns wait in a queue for their first call;
every further call of a running turn (a poll, a list) waits in a second queue. The two queues are
served in turn, so that neither starves the other, and N polled chats that share Q calls a second
are each polled every max(1, N/Q) seconds without anybody having to compute it.
"""

import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

from chat.china import CHINA, until_tomorrow
from providers import Limits
from providers.base import Turn
from providers.errors import QuotaExhausted, RateLimited, TimedOut
from providers.events import Done, Event, Status
from providers.stop import Stop

# Calls are spaced a little wider than allowed: the network may push two together.
HEADROOM = 1.05
# The visitor hears nothing of a shorter wait.
SHORTEST_REPORTED_S = 1.0
LOOK_S = 1.0
FIRST_BACK_OFF_S = 2.0
LONGEST_BACK_OFF_S = 60.0
# A platform may ask for no longer pause: a date in place of seconds would be for ever.
LONGEST_PAUSE_S = 3600.0

# Counts one more question of an (account, day) within the limit; False when there is none left.
Spend = Callable[[str, str, int], bool]
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a turn waits in a queue: until a wish to stop, or a deadline."""

    stop: Stop
    deadline: float
    platform: str
    clock: Clock = time.monotonic

    def wait(self, called: threading.Event, seconds: float) -> None:
        """Waits until `called`, but not longer than so many seconds. Raises Stopped, TimedOut."""
        self.stop.check()
        left = self.deadline - self.clock()
        if left <= 0:
            raise TimedOut("still waiting in line at the deadline", provider=self.platform)
        called.wait(min(seconds, left))
        self.stop.check()


class _Ticket:
    """A place in a queue. `called` wakes its holder, who then has to look why."""

    def __init__(self) -> None:
        self.called = threading.Event()


class Rate:
    """Hands out calls, evenly spaced, to two queues in turn. `qps` 0 spaces nothing."""

    RUNNING, NEW = 0, 1

    def __init__(self, qps: float, clock: Clock = time.monotonic) -> None:
        self._gap = HEADROOM / qps if qps else 0.0
        self._clock = clock
        self._lock = threading.Lock()
        self._queues: tuple[deque[_Ticket], deque[_Ticket]] = (deque(), deque())
        self._served = self.NEW
        self._head: _Ticket | None = None
        self._next = 0.0

    def take(self, kind: int, patience: Patience) -> Iterator[int]:
        """Waits for a call; meanwhile yields to a new turn how many are ahead, about once a second.

        `kind` is RUNNING or NEW. Raises Stopped, TimedOut.
        """
        patience.stop.check()
        ticket = _Ticket()
        with self._lock:
            self._queues[kind].append(ticket)
            self._call_next()
        try:
            with patience.stop.interrupting(ticket.called.set):
                while (wait := self._wait_of(ticket, kind)) > 0:
                    if kind == self.NEW and (ahead := self._ahead(ticket)) is not None:
                        yield ahead
                    patience.wait(ticket.called, min(wait, LOOK_S))
        finally:
            self._leave(ticket, kind)

    @property
    def waiting(self) -> int:
        """How many new turns are in the queue."""
        return len(self._queues[self.NEW])

    def hold(self, seconds: float) -> None:
        """Gives nobody a call for a while."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)

    def _wait_of(self, ticket: _Ticket, kind: int) -> float:
        """Seconds to wait before looking again; 0 when the ticket has just taken its call."""
        with self._lock:
            if self._head is not ticket:
                return LOOK_S
            wait = self._next - self._clock()
            if wait > 0:
                # From now on only a wish to stop may wake it early. A wish made before this line is
                # seen at the next look.
                ticket.called.clear()
                return wait
            self._next = max(self._next, self._clock()) + self._gap
            self._served = kind
            return 0.0

    def _ahead(self, ticket: _Ticket) -> int | None:
        """How many new turns are ahead; None when the wait is too short to report."""
        with self._lock:
            ahead = self._queues[self.NEW].index(ticket)
            # Every other call goes to the queue of running turns, while somebody is in it.
            share = 2 if self._queues[self.RUNNING] else 1
            wait = max(0.0, self._next - self._clock()) + ahead * share * self._gap
        return ahead if wait >= SHORTEST_REPORTED_S else None

    def _leave(self, ticket: _Ticket, kind: int) -> None:
        with self._lock:
            self._queues[kind].remove(ticket)
            if self._head is ticket:
                self._head = None
                self._call_next()

    def _call_next(self) -> None:
        if self._head is not None:
            return
        for kind in (1 - self._served, self._served):
            if self._queues[kind]:
                self._head = self._queues[kind][0]
                self._head.called.set()
                return


class Seats:
    """How many answers are made at once. `limit` 0 seats everybody."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._taken = 0
        self._queue: deque[_Ticket] = deque()

    def take(self, patience: Patience) -> Iterator[int]:
        """Waits for a seat; meanwhile yields, about once a second, how many are ahead.

        Raises Stopped, TimedOut.
        """
        patience.stop.check()
        ticket = _Ticket()
        with self._lock:
            if not self._limit or (self._taken < self._limit and not self._queue):
                self._taken += 1
                return
            self._queue.append(ticket)
        try:
            with patience.stop.interrupting(ticket.called.set):
                while (ahead := self._ahead(ticket)) is not None:
                    yield ahead
                    patience.wait(ticket.called, LOOK_S)
        except BaseException:
            self._give_up(ticket)
            raise

    @property
    def waiting(self) -> int:
        """How many are in the queue."""
        return len(self._queue)

    def leave(self) -> None:
        """Gives the seat to whoever has waited longest."""
        with self._lock:
            self._pass_on()

    def _ahead(self, ticket: _Ticket) -> int | None:
        """How many are ahead; None when the seat is this ticket's."""
        with self._lock:
            return self._queue.index(ticket) if ticket in self._queue else None

    def _give_up(self, ticket: _Ticket) -> None:
        with self._lock:
            if ticket in self._queue:
                self._queue.remove(ticket)
            else:
                # The seat was given in the moment of giving up.
                self._pass_on()

    def _pass_on(self) -> None:
        if self._queue:
            self._queue.popleft().called.set()
        else:
            self._taken -= 1


class Account:
    """The budget of one account: a queue for new turns, a Pace for running ones."""

    def __init__(
        self,
        name: str,
        platform: str,
        limits: Limits,
        spend: Spend,
        clock: Clock = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._name = name
        self._platform = platform
        self._daily = limits.daily
        self._rate = Rate(limits.qps, clock)
        self._seats = Seats(limits.concurrency)
        self._spend = spend
        self._clock = clock
        self._now = now
        self._chance = chance
        self._lock = threading.Lock()
        self._refusals = 0
        self._held_until = 0.0
        self._full_day = ""

    def ask(self, turn: Turn, stream: Callable[[Turn], Iterator[Event]]) -> Iterator[Event]:
        """The events of `stream(turn)`, and before them `queued` with the turn's place.

        Raises QuotaExhausted before anything is asked, and whatever `stream` raises.
        """
        patience = self._patience(turn.stop, turn.deadline)
        self._refuse_when_full()
        yield from _statuses(self._seats.take(patience))
        try:
            yield from _statuses(self._rate.take(Rate.NEW, patience))
            self.spend()
            with closing(stream(turn)) as events:  # type: ignore[type-var]
                for event in events:
                    if isinstance(event, Done):
                        self._refusals = 0
                    yield event
        except RateLimited as error:
            self.refused(error.retry_after)
            # A question asked sooner would only wait here, so the visitor hears when to come back.
            error.retry_after = self._held_s
            raise
        finally:
            self._seats.leave()

    @property
    def waiting(self) -> int:
        """How many questions are queued: for a seat, then for their first call."""
        return self._seats.waiting + self._rate.waiting

    def wait(self, stop: Stop, deadline: float) -> None:
        with closing(self._rate.take(Rate.RUNNING, self._patience(stop, deadline))) as places:  # type: ignore[type-var]
            for _ in places:
                pass

    def spend(self) -> None:
        if not self._daily:
            return
        self._refuse_when_full()
        day = self._day
        if not self._spend(self._name, day, self._daily):
            self._full_day = day
            self._refuse_when_full()

    def refused(self, retry_after: float | None = None) -> None:
        with self._lock:
            now = self._clock()
            # Each of the calls that were under way together may be refused: that is one refusal.
            if now >= self._held_until:
                self._refusals = min(self._refusals + 1, 6)
            back_off = min(LONGEST_BACK_OFF_S, FIRST_BACK_OFF_S * 2 ** (self._refusals - 1))
            pause = min(retry_after or 0.0, LONGEST_PAUSE_S)
            seconds = max(pause, back_off * (0.5 + self._chance()))
            self._held_until = max(self._held_until, now + seconds)
        self._rate.hold(seconds)

    @property
    def _held_s(self) -> float:
        """Whole seconds until the account is asked again; at least one."""
        return max(1.0, math.ceil(self._held_until - self._clock()))

    def _patience(self, stop: Stop, deadline: float) -> Patience:
        return Patience(stop, deadline, self._platform, self._clock)

    def _refuse_when_full(self) -> None:
        """Raises QuotaExhausted when the day's budget is used up: nobody queues for nothing."""
        if self._full_day == self._day:
            raise QuotaExhausted(
                f"{self._daily} questions were asked today",
                provider=self._platform,
                retry_after=until_tomorrow(self._today),
            )

    @property
    def _today(self) -> datetime:
        return self._now().astimezone(CHINA)

    @property
    def _day(self) -> str:
        return self._today.date().isoformat()


def _statuses(places: Iterator[int]) -> Iterator[Status]:
    last = None
    # Closed at once: an exception's traceback would keep its place in the queue alive.
    with closing(places):  # type: ignore[type-var]
        for ahead in places:
            if ahead != last:
                last = ahead
                yield Status("queued", ahead)
