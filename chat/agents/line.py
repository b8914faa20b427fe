"""What the questions to one account wait in: a bounded room, then a seat, then calls a second.

This is the line of one process. Where several share the account, chat/agents/redis_line.py has it.
"""

import random
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from chat.agents.back_off import BackOff
from chat.agents.fair_queue import Origin
from chat.agents.queues import Clock, Patience, Rate, Seats
from chat.agents.waiting_room import RoomPlace, WaitingRoom
from providers import Limits


class Place(Protocol):
    """A question's place, from its admission to the end of its answer."""

    def wait(self, patience: Patience) -> Iterator[int]:
        """Waits for a seat and for the first call; meanwhile yields, about once a second, how many
        questions are ahead.

        Raises Stopped, OutOfTurn.
        """

    def leave(self) -> None:
        """Makes room for another question and gives up the seat. It may be called twice."""


class Line(Protocol):
    """The line of one account. `waiting` counts the questions of this process."""

    @property
    def waiting(self) -> int:
        """How many questions are in line, for a seat or for their first call."""

    @property
    def waiting_everywhere(self) -> int:
        """The same of all processes that share the account."""

    @property
    def back_off(self) -> BackOff:
        """The pause after refusals by the platform."""

    @property
    def whole_wait_s(self) -> float:
        """Seconds until everybody who waits now is served, as things are."""

    def enter(self, origin: Origin) -> Place:
        """A place for one more question. Raises QueueRefusal when too many wait already."""

    def take_further(self, patience: Patience) -> None:
        """Waits for a further call of a running turn. Raises Stopped, OutOfTurn."""

    def hold_back(self, retry_after: float | None) -> None:
        """Gives nobody a call for a while: the platform has refused one as one too many."""

    def forgive(self) -> None:
        """The account has answered: the next pause is a short one again."""


class Lines(Protocol):
    """Makes the lines of a process. `clock` is that of deadlines."""

    clock: Clock

    def line(self, name: str, limits: Limits) -> Line:
        """The line of the account of this name."""


# Tells other processes of an account's refusals; None seconds mean that their series has ended.
Tell = Callable[[float | None, int], object]


class LocalPlace:
    """A place in the line of one process."""

    def __init__(
        self, origin: Origin, room: RoomPlace, seats: Seats, rate: Rate, clock: Clock
    ) -> None:
        self._origin = origin
        self._room = room
        self._seats = seats
        self._rate = rate
        self._clock = clock
        self._seated_at: float | None = None

    def wait(self, patience: Patience) -> Iterator[int]:
        yield from self._seats.take(patience, self._origin)
        self._seated_at = self._clock()
        yield from self._rate.take_first(patience, self._origin)
        self._room.leave()

    def leave(self) -> None:
        self._room.leave()
        if self._seated_at is not None:
            seated_at, self._seated_at = self._seated_at, None
            self._seats.leave(self._clock() - seated_at)


class PausedLine:
    """A line whose account is left alone after refusals. `rate` gives the calls meanwhile to none,
    and `tell` tells the other processes.
    """

    def __init__(self, back_off: BackOff, rate: Rate, tell: Tell) -> None:
        self.back_off = back_off
        self._rate = rate
        self._tell = tell

    def hold_back(self, retry_after: float | None) -> None:
        seconds = self.back_off.refuse(retry_after)
        self._hold(seconds)
        self._tell(seconds, self.back_off.refusals)

    def forgive(self) -> None:
        if self.back_off.forgive():
            self._tell(None, 0)

    def learn(self, seconds: float | None, refusals: int) -> None:
        """Another process has met a refusal, or the end of a series of them."""
        if seconds is None:
            self.back_off.forgive()
        else:
            self.back_off.learn(seconds, refusals)
            self._rate.hold(seconds)

    def _hold(self, seconds: float) -> None:
        self._rate.hold(seconds)


class LocalLine(PausedLine):
    """The line of an account that only this process asks, or that has no limits."""

    def __init__(
        self,
        limits: Limits,
        address_share: int,
        back_off: BackOff,
        clock: Clock,
        tell: Tell = lambda seconds, refusals: None,
    ) -> None:
        super().__init__(back_off, Rate(limits.qps, clock), tell)
        self._clock = clock
        self._seats = Seats(limits.concurrency)
        self._has_line = bool(limits.qps or limits.concurrency)
        self._room = WaitingRoom(address_share, self._wait_for)

    @property
    def waiting(self) -> int:
        return self._room.total

    @property
    def waiting_everywhere(self) -> int:
        return self._room.total

    @property
    def whole_wait_s(self) -> float:
        return self._room.total * self._seconds_each

    def enter(self, origin: Origin) -> Place:
        if self._has_line:
            self._room.check(origin)
        place = self._room.enter(origin)
        return LocalPlace(origin, place, self._seats, self._rate, self._clock)

    def take_further(self, patience: Patience) -> None:
        self._rate.take_further(patience)

    @property
    def _seconds_each(self) -> float:
        """From one question being served to the next."""
        return max(self._seats.seconds_each, self._rate.seconds_each)

    def _wait_for(self, is_of: Callable[[Origin], bool]) -> float:
        """Seconds until the first question of such an origin is served, as things are."""
        queue = self._seats if self._seats.seconds_each else self._rate
        served = queue.serves_until(is_of) * self._seconds_each
        return max(self.back_off.retry_after_s, served)


class LocalLines:
    """The lines of a process that shares no account. An address counts for so many visitors."""

    def __init__(
        self,
        address_share: int = 0,
        clock: Clock = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.clock = clock
        self._address_share = address_share
        self._chance = chance

    def line(self, name: str, limits: Limits) -> Line:
        back_off = BackOff(self.clock, self._chance)
        return LocalLine(limits, self._address_share, back_off, self.clock)
