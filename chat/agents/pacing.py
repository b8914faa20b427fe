"""What a platform's account may be asked: in a second, at once, in a day; and whose turn it is.

The platforms' numbers are in providers/__init__.py. New questions wait for a seat and for their
first call, by turns between addresses, then between visitors (chat/agents/line.py). Every further
call of a running turn (a poll, a list) waits in a second queue. Calls go to the two alternately, so
that neither starves the other, and N polled chats that share Q calls a second are each polled every
max(1, N/Q) seconds without anybody having to compute it.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime

from chat.agents.fair_queue import Origin
from chat.agents.line import Lines, LocalLines, Place
from chat.agents.queues import Patience
from chat.china import CHINA, until_tomorrow
from providers import Limits
from providers.base import Turn
from providers.errors import OutOfTurn, QuotaExhausted, RateLimited, TimedOut
from providers.events import Done, Event, Status
from providers.stop import Stop

# Counts one more question of an (account, day) within the limit; False when there is none left.
Spend = Callable[[str, str, int], bool]


class Account:
    """The budget of one account: its line, and its day. It is the Pace of running turns."""

    def __init__(
        self,
        name: str,
        platform: str,
        limits: Limits,
        spend: Spend,
        lines: Lines | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        lines = lines or LocalLines()
        self.name = name
        self._platform = platform
        self.limits = limits
        # Questions a day; 0 when no limit is known.
        self.daily = limits.daily
        # Calls a second; 0 when no limit is known.
        self.qps = limits.qps
        self._line = lines.line(name, limits)
        self._spend = spend
        self._clock = lines.clock
        self._now = now
        self._full_day = ""

    def enter(self, origin: Origin) -> Place:
        """A place for a question in line, which `ask` leaves in time.

        Raises QueueRefusal when too many wait already, or the line cannot be reached.
        """
        return self._line.enter(origin)

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
            yield from self._in_line(place.wait(patience))
            self.spend()
            yield from self._answer(turn, stream)
        finally:
            place.leave()

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
            error.retry_after = max(self._retry_after_s, self._line.whole_wait_s)
            raise

    def _answer(self, turn: Turn, stream: Callable[[Turn], Iterator[Event]]) -> Iterator[Event]:
        try:
            with closing(stream(turn)) as events:  # type: ignore[type-var]
                for event in events:
                    if isinstance(event, Done):
                        self._line.forgive()
                    yield event
        except RateLimited as error:
            self.hold_back(error.retry_after)
            # A question asked sooner would only wait here, so the visitor hears when to come back.
            error.retry_after = self._retry_after_s
            raise

    @property
    def waiting(self) -> int:
        """How many questions of this process are in line, for a seat or for their first call."""
        return self._line.waiting

    @property
    def waiting_everywhere(self) -> int:
        """The same of all processes of the site."""
        return self._line.waiting_everywhere

    @property
    def day(self) -> str:
        """The platform's day, by which its budget is counted."""
        return self._today.date().isoformat()

    def wait(self, stop: Stop, deadline: float) -> None:
        try:
            self._line.take_further(self._patience(stop, deadline))
        except OutOfTurn as error:
            if self._line.back_off.is_holding:
                error.retry_after = self._retry_after_s
                raise
            raise TimedOut("no call was free by the deadline", provider=self._platform) from error

    def spend(self) -> None:
        if not self.daily:
            return
        self._refuse_when_full()
        day = self.day
        if not self._spend(self.name, day, self.daily):
            self._full_day = day
            self._refuse_when_full()

    def hold_back(self, retry_after: float | None = None) -> None:
        self._line.hold_back(retry_after)

    @property
    def _retry_after_s(self) -> float:
        """Whole seconds until the account is asked again; at least one."""
        return self._line.back_off.retry_after_s

    def _patience(
        self, stop: Stop, deadline: float, is_unread: Callable[[], bool] = lambda: False
    ) -> Patience:
        return Patience(stop, deadline, self._platform, self._clock, is_unread)

    def _refuse_when_full(self) -> None:
        """Raises QuotaExhausted when the day's budget is used up: nobody queues for nothing."""
        if self._full_day == self.day:
            raise QuotaExhausted(
                f"{self.daily} questions were asked today",
                provider=self._platform,
                retry_after=until_tomorrow(self._today),
            )

    @property
    def _today(self) -> datetime:
        return self._now().astimezone(CHINA)
