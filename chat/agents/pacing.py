"""What a platform's account may be asked: in a second, at once, in a day; and whose turn it is.

The platforms' numbers are in providers/__init__.py. New questions wait for a seat and for their
first call, by turns between addresses, then between visitors (chat/agents/fair_queue.py). Every
further call of a running turn (a poll, a list) waits in a second queue. Calls go to the two
alternately, so that neither starves the other, and N polled chats that share Q calls a second are
each polled every max(1, N/Q) seconds without anybody having to compute it.
"""

import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime

from chat.agents.fair_queue import Origin
from chat.agents.queues import Clock, Patience, Rate, Seats
from chat.agents.waiting_room import Place, WaitingRoom
from chat.china import CHINA, until_tomorrow
from providers import Limits
from providers.base import Turn
from providers.errors import OutOfTurn, QuotaExhausted, RateLimited, TimedOut
from providers.events import Done, Event, Status
from providers.stop import Stop

FIRST_BACK_OFF_S = 2.0
LONGEST_BACK_OFF_S = 60.0
# A platform may ask for no longer pause: a date in place of seconds would be for ever.
LONGEST_PAUSE_S = 3600.0

# Counts one more question of an (account, day) within the limit; False when there is none left.
Spend = Callable[[str, str, int], bool]


class Account:
    """The budget of one account: a fair queue for new questions, a Pace for running turns."""

    def __init__(
        self,
        name: str,
        platform: str,
        limits: Limits,
        spend: Spend,
        address_share: int = 0,
        clock: Clock = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._name = name
        self._platform = platform
        self._daily = limits.daily
        # Calls a second; 0 when no limit is known.
        self.qps = limits.qps
        self._rate = Rate(limits.qps, clock)
        self._seats = Seats(limits.concurrency)
        self._has_line = bool(limits.qps or limits.concurrency)
        self._room = WaitingRoom(address_share, self._wait_for)
        self._spend = spend
        self._clock = clock
        self._now = now
        self._chance = chance
        self._lock = threading.Lock()
        self._refusals = 0
        self._held_until = 0.0
        self._full_day = ""

    def enter(self, origin: Origin) -> Place:
        """A place for a question in line, which `ask` leaves in time.

        Raises QueueRefusal when too many wait already.
        """
        if self._has_line:
            self._room.check(origin)
        return self._room.enter(origin)

    def ask(
        self,
        turn: Turn,
        place: Place,
        stream: Callable[[Turn], Iterator[Event]],
        is_unread: Callable[[], bool] = lambda: False,
    ) -> Iterator[Event]:
        """The events of `stream(turn)`, and before them `queued` with the turn's place.

        Who `is_unread` while waiting gives up the place. Raises QuotaExhausted before anything is
        asked, OutOfTurn when nothing was asked in time, and whatever `stream` raises.
        """
        patience = self._patience(turn.stop, turn.deadline, is_unread)
        try:
            self._refuse_when_full()
            yield from self._in_line(self._seats.take(patience, place.origin))
            yield from self._ask_in_seat(turn, place, stream, patience)
        finally:
            place.leave()

    def _ask_in_seat(
        self,
        turn: Turn,
        place: Place,
        stream: Callable[[Turn], Iterator[Event]],
        patience: Patience,
    ) -> Iterator[Event]:
        seated_at = self._clock()
        try:
            yield from self._in_line(self._rate.take_first(patience, place.origin))
            place.leave()
            self.spend()
            yield from self._answer(turn, stream)
        finally:
            self._seats.leave(self._clock() - seated_at)

    def _in_line(self, places: Iterator[int]) -> Iterator[Status]:
        """`queued` whenever a place has changed."""
        last = None
        try:
            # Closed at once: an exception's traceback would keep its place in the queue alive.
            with closing(places):  # type: ignore[type-var]
                for ahead in places:
                    if ahead != last:
                        last = ahead
                        yield Status("queued", ahead)
        except OutOfTurn as error:
            error.retry_after = max(self._held_s, self._room.total * self._seconds_each)
            raise

    def _answer(self, turn: Turn, stream: Callable[[Turn], Iterator[Event]]) -> Iterator[Event]:
        try:
            with closing(stream(turn)) as events:  # type: ignore[type-var]
                for event in events:
                    if isinstance(event, Done):
                        self._refusals = 0
                    yield event
        except RateLimited as error:
            self.hold_back(error.retry_after)
            # A question asked sooner would only wait here, so the visitor hears when to come back.
            error.retry_after = self._held_s
            raise

    @property
    def waiting(self) -> int:
        """How many questions are in line, for a seat or for their first call."""
        return self._room.total

    def wait(self, stop: Stop, deadline: float) -> None:
        try:
            self._rate.take_further(self._patience(stop, deadline))
        except OutOfTurn as error:
            if self._clock() < self._held_until:
                error.retry_after = self._held_s
                raise
            raise TimedOut("no call was free by the deadline", provider=self._platform) from error

    def spend(self) -> None:
        if not self._daily:
            return
        self._refuse_when_full()
        day = self._day
        if not self._spend(self._name, day, self._daily):
            self._full_day = day
            self._refuse_when_full()

    def hold_back(self, retry_after: float | None = None) -> None:
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

    @property
    def _seconds_each(self) -> float:
        """From one question being served to the next."""
        return max(self._seats.seconds_each, self._rate.seconds_each)

    def _wait_for(self, is_of: Callable[[Origin], bool]) -> float:
        """Seconds until the first question of such an origin is served, as things are."""
        queue = self._seats if self._seats.seconds_each else self._rate
        return max(self._held_s, queue.serves_until(is_of) * self._seconds_each)

    def _patience(
        self, stop: Stop, deadline: float, is_unread: Callable[[], bool] = lambda: False
    ) -> Patience:
        return Patience(stop, deadline, self._platform, self._clock, is_unread)

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
