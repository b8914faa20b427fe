"""What a platform's account may be asked: in a second, at once, in a day; first come, first served.

The platforms' numbers are in providers/__init__.py. Turns wait in a line for their first call; every further
call of a running turn (a poll, a list) waits in a second line. The two lines take turns, so that neither
starves the other, and N polled chats that share Q calls a second are each polled every max(1, N/Q) seconds
without anybody having to compute it.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone

from providers import Limits
from providers.base import Event, Status, Stop, Turn
from providers.errors import QuotaExhausted, RateLimited, TimedOut

CHINA = timezone(timedelta(hours=8))  # the platforms' day; none says so, all are Chinese
HEADROOM = 1.05  # calls are spaced a little wider than allowed: the network may push two together
TOLD_FROM_S = 1.0  # a shorter wait is not worth a word
LOOK_S = 1.0
FIRST_BACK_OFF_S = 2.0
LONGEST_BACK_OFF_S = 60.0

Spend = Callable[[str, str, int], bool]  # (account, day, limit): one more question, or False


class _Ticket:
    """A place in a line. `called` is set when it may be its turn."""

    def __init__(self) -> None:
        self.called = threading.Event()


class Rate:
    """Hands out calls, evenly spaced, to two lines in turn. `qps` 0 spaces nothing."""

    RUNNING, NEW = 0, 1

    def __init__(self, qps: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._gap = HEADROOM / qps if qps else 0.0
        self._clock = clock
        self._lock = threading.Lock()
        self._lines: tuple[deque[_Ticket], deque[_Ticket]] = (deque(), deque())
        self._served = self.NEW
        self._head: _Ticket | None = None
        self._next = 0.0

    def take(self, line: int, stop: Stop) -> Iterator[int]:
        """Waits for a call; meanwhile yields, about once a second, how many are ahead. Raises Stopped."""
        ticket = _Ticket()
        with self._lock:
            self._lines[line].append(ticket)
            self._call_next()
        try:
            with stop.interrupting(ticket.called.set):
                while (patience := self._try(ticket)) > 0:
                    if (ahead := self._ahead(ticket, line)) is not None:
                        yield ahead
                    self._pause(ticket, stop, min(patience, LOOK_S))
        finally:
            self._leave(ticket, line)

    def hold(self, seconds: float) -> None:
        """Gives nobody a call for a while."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)

    def _try(self, ticket: _Ticket) -> float:
        """Takes the call if it is this ticket's; else says how long to wait before looking again."""
        with self._lock:
            if self._head is not ticket:
                return LOOK_S
            wait = self._next - self._clock()
            if wait > 0:
                return wait
            self._next = max(self._next, self._clock()) + self._gap
            return 0.0

    def _ahead(self, ticket: _Ticket, line: int) -> int | None:
        """How many are ahead, when the wait is worth a word."""
        with self._lock:
            number = self._lines[line].index(ticket)
            shared = 2 if self._lines[1 - line] else 1
            wait = max(0.0, self._next - self._clock()) + number * shared * self._gap
        return number if wait >= TOLD_FROM_S else None

    def _pause(self, ticket: _Ticket, stop: Stop, seconds: float) -> None:
        if self._head is ticket:
            stop.sleep(seconds)
        else:
            ticket.called.wait(seconds)
            stop.check()

    def _leave(self, ticket: _Ticket, line: int) -> None:
        with self._lock:
            self._lines[line].remove(ticket)
            if self._head is ticket:
                self._head, self._served = None, line
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

    def take(self, stop: Stop) -> Iterator[int]:
        """Waits for a seat; meanwhile yields, about once a second, how many are ahead. Raises Stopped."""
        with self._lock:
            if not self._limit or (self._taken < self._limit and not self._line):
                self._taken += 1
                return
            ticket = _Ticket()
            self._line.append(ticket)
        try:
            while not ticket.called.is_set():
                yield self._line.index(ticket)
                with stop.interrupting(ticket.called.set):
                    ticket.called.wait(LOOK_S)
                stop.check()
        except BaseException:
            self._give_up(ticket)
            raise

    def leave(self) -> None:
        """Gives the seat to whoever has waited longest."""
        with self._lock:
            if self._line:
                self._line.popleft().called.set()
            else:
                self._taken -= 1

    def _give_up(self, ticket: _Ticket) -> None:
        with self._lock:
            if ticket in self._line:
                self._line.remove(ticket)
                return
        self.leave()  # the seat was given in the moment of giving up


class Account:
    """The budget that all agents of one account share: a Pace for running turns, a line for new ones."""

    def __init__(
        self,
        name: str,
        platform: str,
        limits: Limits,
        spend: Spend,
        clock: Callable[[], float] = time.monotonic,
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
        self._refusals = 0

    def ask(self, turn: Turn, stream: Callable[[Turn], Iterator[Event]]) -> Iterator[Event]:
        """The events of `stream(turn)`, once it is this turn's turn; before, `queued` with its place.

        Raises QuotaExhausted before anything is asked, and whatever `stream` raises.
        """
        yield from _queued(self._seats.take(turn.stop), turn.deadline, self._platform)
        try:
            yield from _queued(self._rate.take(Rate.NEW, turn.stop), turn.deadline, self._platform)
            self.spend()
            with closing(stream(turn)) as events:  # type: ignore[type-var]
                yield from events
            self._refusals = 0
        except RateLimited as error:
            self.refused(error.retry_after)
            raise
        finally:
            self._seats.leave()

    def wait(self, stop: Stop, deadline: float) -> None:
        for _ in self._rate.take(Rate.RUNNING, stop):
            if self._clock() > deadline:
                raise TimedOut("no call was free before the deadline", provider=self._platform)

    def spend(self) -> None:
        if self._daily and not self._spend(self._name, self._today.date().isoformat(), self._daily):
            raise QuotaExhausted(
                f"{self._daily} questions were asked today",
                provider=self._platform,
                retry_after=self._until_tomorrow,
            )

    def refused(self, retry_after: float | None = None) -> None:
        seconds = min(LONGEST_BACK_OFF_S, FIRST_BACK_OFF_S * 2**self._refusals)
        self._refusals = min(self._refusals + 1, 6)
        self._rate.hold(max(retry_after or 0.0, seconds * (0.5 + self._chance())))

    @property
    def _today(self) -> datetime:
        return self._now().astimezone(CHINA)

    @property
    def _until_tomorrow(self) -> float:
        """Seconds until the platforms' next day."""
        midnight = (self._today + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return (midnight - self._today).total_seconds()


def _queued(places: Iterator[int], deadline: float, platform: str) -> Iterator[Status]:
    told = None
    for ahead in places:
        if time.monotonic() > deadline:
            raise TimedOut("still waiting in line at the deadline", provider=platform)
        if ahead != told:
            told = ahead
            yield Status("queued", ahead)
