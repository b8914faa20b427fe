"""What a platform's account may be asked: in a second, at once, in a day; first come, first served.

The platforms' numbers are in providers/__init__.py. Turns wait in a line for their first call; every further
call of a running turn (a poll, a list) waits in a second line. The two lines take turns, so that neither
starves the other, and N polled chats that share Q calls a second are each polled every max(1, N/Q) seconds
without anybody having to compute it.
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

HEADROOM = 1.05  # calls are spaced a little wider than allowed: the network may push two together
TOLD_FROM_S = 1.0  # a shorter wait is not worth a word
LOOK_S = 1.0
FIRST_BACK_OFF_S = 2.0
LONGEST_BACK_OFF_S = 60.0
LONGEST_PAUSE_S = (
    3600.0  # that a platform may ask for: a date in place of seconds would be for ever
)

Spend = Callable[[str, str, int], bool]  # (account, day, limit): one more question, or False
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long somebody waits in a line: until a wish to stop, or a deadline."""

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
    """A place in a line. `called` wakes its holder; why, the holder has to look up."""

    def __init__(self) -> None:
        self.called = threading.Event()


class Rate:
    """Hands out calls, evenly spaced, to two lines in turn. `qps` 0 spaces nothing."""

    RUNNING, NEW = 0, 1

    def __init__(self, qps: float, clock: Clock = time.monotonic) -> None:
        self._gap = HEADROOM / qps if qps else 0.0
        self._clock = clock
        self._lock = threading.Lock()
        self._lines: tuple[deque[_Ticket], deque[_Ticket]] = (deque(), deque())
        self._served = self.NEW
        self._head: _Ticket | None = None
        self._next = 0.0

    def take(self, line: int, patience: Patience) -> Iterator[int]:
        """Waits for a call; meanwhile tells the line of new turns how many are ahead, about once a second.

        Raises Stopped, TimedOut.
        """
        patience.stop.check()
        ticket = _Ticket()
        with self._lock:
            self._lines[line].append(ticket)
            self._call_next()
        try:
            with patience.stop.interrupting(ticket.called.set):
                while (wait := self._wait_of(ticket, line)) > 0:
                    if line == self.NEW and (ahead := self._ahead(ticket)) is not None:
                        yield ahead
                    patience.wait(ticket.called, min(wait, LOOK_S))
        finally:
            self._leave(ticket, line)

    @property
    def waiting(self) -> int:
        """How many new turns are in line."""
        return len(self._lines[self.NEW])

    def hold(self, seconds: float) -> None:
        """Gives nobody a call for a while."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)

    def _wait_of(self, ticket: _Ticket, line: int) -> float:
        """0 when the call is this ticket's, which it then has taken; else how long to wait before looking."""
        with self._lock:
            if self._head is not ticket:
                return LOOK_S
            wait = self._next - self._clock()
            if wait > 0:
                # From now on only a wish to stop may wake it early; one made before this is seen next.
                ticket.called.clear()
                return wait
            self._next = max(self._next, self._clock()) + self._gap
            self._served = line
            return 0.0

    def _ahead(self, ticket: _Ticket) -> int | None:
        """How many new turns are ahead, when the wait is worth a word."""
        with self._lock:
            number = self._lines[self.NEW].index(ticket)
            shared = 2 if self._lines[self.RUNNING] else 1
            wait = max(0.0, self._next - self._clock()) + number * shared * self._gap
        return number if wait >= TOLD_FROM_S else None

    def _leave(self, ticket: _Ticket, line: int) -> None:
        with self._lock:
            self._lines[line].remove(ticket)
            if self._head is ticket:
                self._head = None
                self._call_next()

    def _call_next(self) -> None:
        if self._head is not None:
            return
        for line in (1 - self._served, self._served):
            if self._lines[line]:
                self._head = self._lines[line][0]
                self._head.called.set()
                return


class Seats:
    """How many answers are made at once. `limit` 0 seats everybody."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._taken = 0
        self._line: deque[_Ticket] = deque()

    def take(self, patience: Patience) -> Iterator[int]:
        """Waits for a seat; meanwhile tells, about once a second, how many are ahead.

        Raises Stopped, TimedOut.
        """
        patience.stop.check()
        ticket = _Ticket()
        with self._lock:
            if not self._limit or (self._taken < self._limit and not self._line):
                self._taken += 1
                return
            self._line.append(ticket)
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
        """How many are in line."""
        return len(self._line)

    def leave(self) -> None:
        """Gives the seat to whoever has waited longest."""
        with self._lock:
            self._pass_on()

    def _ahead(self, ticket: _Ticket) -> int | None:
        """How many are ahead; None when the seat is this ticket's."""
        with self._lock:
            return self._line.index(ticket) if ticket in self._line else None

    def _give_up(self, ticket: _Ticket) -> None:
        with self._lock:
            if ticket in self._line:
                self._line.remove(ticket)
            else:
                self._pass_on()  # the seat was given in the moment of giving up

    def _pass_on(self) -> None:
        if self._line:
            self._line.popleft().called.set()
        else:
            self._taken -= 1


class Account:
    """The budget that all agents of one account share: a Pace for running turns, a line for new ones."""

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
        """The events of `stream(turn)`, once it is this turn's turn; before, `queued` with its place.

        Raises QuotaExhausted before anything is asked, and whatever `stream` raises.
        """
        patience = self._patience(turn.stop, turn.deadline)
        self._refuse_when_full()
        yield from _queued(self._seats.take(patience))
        try:
            yield from _queued(self._rate.take(Rate.NEW, patience))
            self.spend()
            with closing(stream(turn)) as events:  # type: ignore[type-var]
                for event in events:
                    if isinstance(event, Done):
                        self._refusals = 0
                    yield event
        except RateLimited as error:
            self.refused(error.retry_after)
            # Whoever asks again sooner would only wait here: so the visitor is told when, by any platform.
            error.retry_after = self._held_s
            raise
        finally:
            self._seats.leave()

    @property
    def waiting(self) -> int:
        """How many questions are in line: for a seat, then for their first call."""
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
            # Of calls that were under way together each may be refused: that is one refusal, not many.
            if now >= self._held_until:
                self._refusals = min(self._refusals + 1, 6)
            longest = min(LONGEST_BACK_OFF_S, FIRST_BACK_OFF_S * 2 ** (self._refusals - 1))
            seconds = max(
                min(retry_after or 0.0, LONGEST_PAUSE_S), longest * (0.5 + self._chance())
            )
            self._held_until = max(self._held_until, now + seconds)
        self._rate.hold(seconds)

    @property
    def _held_s(self) -> float:
        """Whole seconds until the account is asked again; at least one."""
        return max(1.0, math.ceil(self._held_until - self._clock()))

    def _patience(self, stop: Stop, deadline: float) -> Patience:
        return Patience(stop, deadline, self._platform, self._clock)

    def _refuse_when_full(self) -> None:
        """Nobody waits in a line for a budget that is known to be used up."""
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


def _queued(places: Iterator[int]) -> Iterator[Status]:
    told = None
    # Closed here and now: an exception's traceback would keep it, and its place in the line, alive.
    with closing(places):  # type: ignore[type-var]
        for ahead in places:
            if ahead != told:
                told = ahead
                yield Status("queued", ahead)
