"""The line of an account that several processes share, as one of them sees it.

A question, and a further call of a running turn, is a ticket. Redis holds the tickets of all
processes and decides whose turn it is (chat/agents/line_script.py); a process keeps its own, and
can name all of them again when Redis has forgotten them. Operations are collected and sent in one
step, in one thread (chat/agents/redis_lines.py), so that those who wait only wait.

While Redis is away a process gives its share of the calls by itself (chat/agents/alone.py). Seats
cannot be divided like that, since the others may hold any number of them: where there are seats
nobody new enters, and who waits goes on waiting.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from chat.agents.alone import Alone, Shared
from chat.agents.back_off import BackOff
from chat.agents.fair_queue import FairQueue, Origin
from chat.agents.line import PausedLine, Place, Tell
from chat.agents.line_script import NAME
from chat.agents.queues import (
    FIRST_GUESS_S,
    HEADROOM,
    LOOK_S,
    SHORTEST_REPORTED_S,
    Patience,
    Rate,
)
from chat.agents.tickets import Stage, Ticket
from chat.agents.waiting_room import WAITING, WAITING_OF_VISITOR, WaitingRoom
from chat.refusals import AwayRefusal, QueueRefusal
from providers import Limits

# A step takes two calls of a second at the most.
ENTER_S = 3.0
RETRY_S = 5.0
MICROSECONDS = 1_000_000


class RedisLine(PausedLine):
    """One account's line. A step of it is `arguments`, then `apply` or `fail`."""

    def __init__(
        self, limits: Limits, address_share: int, back_off: BackOff, shared: Shared, tell: Tell
    ) -> None:
        # Further calls of an account without a limit a second are only held back.
        super().__init__(back_off, Rate(0, shared.clock), tell)
        # When it is to be looked at again, by the clock.
        self.look_at = float("inf")
        self._seats = limits.concurrency
        self._gap = HEADROOM / limits.qps if limits.qps else 0.0
        self._most_of_address = address_share * WAITING_OF_VISITOR
        self._shared = shared
        self._lock = threading.Lock()
        self._numbers = count(1)
        # Of this process, in the order in which they came.
        self._questions: dict[str, Ticket] = {}
        self._calls: dict[str, Ticket] = {}
        self._operations: list[str] = []
        # Those who enter in the step that is being taken.
        self._entering: list[Ticket] = []
        # Whether Redis has something of this process, and whether it has to hear of everything.
        self._is_known, self._is_forgotten = False, True
        self._places_at = float("-inf")
        # As Redis has said in the last step.
        self._all, self._running, self._taken = 0, 0, 0
        self._next_at = 0.0
        self._mean_s = FIRST_GUESS_S
        # For when this process is alone: who waits, and its calls.
        self._room = WaitingRoom(address_share, self._wait_alone)
        self._queue: FairQueue[Ticket] = FairQueue()
        self._alone = Alone(self._gap, shared)

    # What Account uses

    @property
    def waiting(self) -> int:
        return self._room.total

    @property
    def waiting_everywhere(self) -> int:
        count = self._shared.waiting()
        return self.waiting if count is None else count

    @property
    def whole_wait_s(self) -> float:
        return self._all * self._seconds_each

    def enter(self, origin: Origin) -> Place:
        """Like Line.enter. Raises AwayRefusal where nobody can enter while Redis is away."""
        is_away = self._shared.is_away()
        if is_away and self._seats:
            raise _away()
        if is_away:
            self._room.check(origin)
        ticket = self._add_question(origin, "entered" if is_away else "entering")
        if not is_away and not ticket.called.wait(ENTER_S):
            ticket.refusal = _away()
        if ticket.refusal is not None:
            self.leave(ticket)
            raise ticket.refusal
        return RedisPlace(self, ticket, origin)

    def take_further(self, patience: Patience) -> None:
        """Like Line.take_further."""
        if not self._gap:
            self._rate.take_further(patience)
            return
        patience.stop.check()
        with self._lock:
            ticket = Ticket(self._new_id(), "calling")
            self._calls[ticket.id] = ticket
            self._send(*ticket.operations())
        try:
            with patience.stop.interrupting(ticket.called.set):
                while (pause := self._pause_of(ticket)) > 0:
                    patience.wait(ticket.called, pause)
        except BaseException:
            with self._lock:
                if self._calls.pop(ticket.id, None) is not None:
                    self._send(f"drop {ticket.id}")
                    self._call_head()
            raise

    def _hold(self, seconds: float) -> None:
        super()._hold(seconds)
        with self._lock:
            self._send(f"hold {seconds:.3f}")

    # What RedisPlace uses

    def wait(self, ticket: Ticket, origin: Origin, patience: Patience) -> Iterator[int]:
        """Like Place.wait."""
        patience.stop.check()
        with self._lock:
            ticket.stage = "waiting"
            self._queue.add(ticket, origin)
            self._send(f"ask {ticket.id}")
        with patience.stop.interrupting(ticket.called.set):
            while (pause := self._pause_of(ticket)) > 0:
                if (ahead := self._ahead_of(ticket)) is not None:
                    yield ahead
                patience.wait(ticket.called, pause)

    def leave(self, ticket: Ticket) -> None:
        """Gives up what it has. It may be called twice."""
        with self._lock:
            if self._questions.pop(ticket.id, None) is None:
                return
            self._leave_room(ticket)
            seconds = ""
            if ticket.seated_at is not None:
                seconds = f" {self._shared.clock() - ticket.seated_at:.3f}"
            self._send(f"leave {ticket.id}{seconds}")
            self._call_head()

    # A step

    def look_now(self) -> None:
        """Asks for a step."""
        self.look_at = float("-inf")
        self._shared.wake()

    def arguments(self) -> list[str | int | float]:
        """What the script needs beside the names, and all operations since the last step."""
        now = self._shared.clock()
        with self._lock:
            flags = ("k" if self._is_known else "") + ("w" if self._is_forgotten else "")
            operations, self._operations = self._operations, []
            if self._is_forgotten:
                operations = list(self._everything())
            if self._places_due_at <= now:
                self._places_at = now
                flags += "p"
            self._entering = self._of_stage("entering")
            self._is_known, self._is_forgotten = self._has_tickets, False
            # Until something happens meanwhile.
            self.look_at = float("inf")
        bounds = (WAITING, WAITING_OF_VISITOR)
        return [self._seats, self._gap, *bounds, f"-{flags}", *operations]

    def apply(self, reply: list[Any]) -> None:
        """Takes what a step has given. `reply` is that of STEP after its first word."""
        granted, refused, places, *numbers = reply
        wait, following, calm, self._all, self._running, self._taken, mean = numbers
        now = self._shared.clock()
        with self._lock:
            self._mean_s = mean / MICROSECONDS
            self._next_at = now + following / MICROSECONDS
            self._alone.note_step(calm / MICROSECONDS)
            for id in _texts(granted):
                self._serve(self._questions.get(id) or self._calls.get(id), now)
            for id, bound, waiting, served in refused:
                self._refuse(self._questions.get(id.decode()), bound.decode(), waiting, served)
            for ticket in self._entering:
                if ticket.refusal is None:
                    ticket.stage = "entered"
                ticket.called.set()
            for id, ahead in zip(_texts(places[::2]), places[1::2], strict=True):
                self._note_place(self._questions.get(id), ahead)
            if self._has_tickets:
                pause = wait / MICROSECONDS if 0 <= wait < LOOK_S * MICROSECONDS else LOOK_S
                self.look_at = min(self.look_at, now + pause, self._places_due_at)

    def fail(self) -> None:
        """A step could not be taken: Redis has to hear of everything when it is back."""
        with self._lock:
            self._is_forgotten = True
            self._operations = []
            for ticket in self._of_stage("entering"):
                ticket.stage = "entered"
                ticket.refusal = _away() if self._seats else None
                ticket.called.set()
            self._alone.begin()
            self._call_head()

    def forget(self) -> None:
        """Redis may have forgotten everything: it hears of all tickets in the next step."""
        with self._lock:
            self._is_forgotten = True
            self._is_known = False
            if self._has_tickets:
                self.look_now()

    def clear(self) -> None:
        """This process ends: the next step gives up all that it has."""
        with self._lock:
            self._questions.clear()
            self._calls.clear()
            self._is_forgotten = True

    # Inside, with the lock

    @property
    def _has_tickets(self) -> bool:
        return bool(self._questions or self._calls)

    def _new_id(self) -> str:
        return f"{self._shared.process()}{next(self._numbers)}"

    def _everything(self) -> Iterator[str]:
        if self.back_off.is_holding:
            yield f"hold {self.back_off.left_s:.3f}"
        for ticket in (*self._questions.values(), *self._calls.values()):
            yield from ticket.operations()

    def _send(self, *operations: str) -> None:
        self._operations += operations
        self.look_now()

    def _of_stage(self, stage: Stage) -> list[Ticket]:
        return [ticket for ticket in self._questions.values() if ticket.stage == stage]

    @property
    def _places_due_at(self) -> float:
        """When this process asks for the places of those who wait.

        All of them are counted for that, which takes the longer the more they are.
        """
        if not self._queue:
            return float("inf")
        is_new = any(ticket.ahead is None for ticket in self._of_stage("waiting"))
        share = min(1.0, self._all / WAITING) if is_new else 1.0
        return self._places_at + share * LOOK_S

    def _serve(self, ticket: Ticket | None, now: float) -> None:
        """Gives a ticket its call or its seat, unless it has been given up meanwhile."""
        if ticket is None or ticket.is_served:
            return
        if ticket.stage == "calling":
            del self._calls[ticket.id]
            ticket.stage = "served"
        else:
            self._leave_room(ticket)
            ticket.stage, ticket.seated_at = "seated", now
        ticket.called.set()

    def _leave_room(self, ticket: Ticket) -> None:
        if ticket.room is not None:
            ticket.room.leave()
        if ticket in self._queue:
            self._queue.remove(ticket)

    def _refuse(self, ticket: Ticket | None, bound: str, waiting: int, served: int) -> None:
        if ticket is not None:
            detail = f"{waiting} questions in line of {bound}"
            wait = max(self.back_off.retry_after_s, served * self._seconds_each)
            ticket.refusal = QueueRefusal("rate_limited", detail, retry_after=wait)

    def _note_place(self, ticket: Ticket | None, ahead: int) -> None:
        if ticket is not None and ticket.stage == "waiting":
            is_first, ticket.ahead = ticket.ahead is None, ahead
            if is_first:
                ticket.called.set()

    # Inside, without the lock

    def _add_question(self, origin: Origin, stage: Stage) -> Ticket:
        most_of_address = self._most_of_address if origin.address else 0
        names = f"{_name(origin.address)} {_name(origin.visitor)}"
        with self._lock:
            room = self._room.enter(origin)
            ticket = Ticket(self._new_id(), stage, names, most_of_address, room)
            self._questions[ticket.id] = ticket
            self._send(*ticket.operations())
        return ticket

    def _pause_of(self, ticket: Ticket) -> float:
        """Seconds to wait before looking again; 0 when the ticket has its turn."""
        with self._lock:
            # From now on only its turn or a wish to stop may wake it early.
            ticket.called.clear()
            if ticket.is_served:
                return 0.0
            return self._pause_alone(ticket) if self._alone.is_now else LOOK_S

    def _ahead_of(self, ticket: Ticket) -> int | None:
        """How many questions are ahead; None when that is unknown, or too short a wait."""
        with self._lock:
            if self._alone.is_now and ticket in self._queue and not self._seats:
                ahead, call_at = self._queue.ahead_of(ticket), self._alone.call_at
            elif ticket.ahead is not None:
                ahead, call_at = ticket.ahead, self._next_at
            else:
                return None
            if self._seats and self._taken >= self._seats:
                return ahead
            wait = max(0.0, call_at - self._shared.clock()) + ahead * self._call_each
            return ahead if wait >= SHORTEST_REPORTED_S else None

    @property
    def _call_each(self) -> float:
        """From one new question's call to the next, as things are."""
        gap = self._alone.gap if self._alone.is_now else self._gap
        return gap * (2 if self._running or self._calls else 1)

    @property
    def _seconds_each(self) -> float:
        """From one question being served to the next, as the last answers went."""
        seat_each = self._mean_s / self._seats if self._seats else 0.0
        return max(seat_each, self._call_each)

    # While this process is alone

    @property
    def _head(self) -> Ticket | None:
        """Who has the next call of this process."""
        question = None if self._seats else self._queue.head
        return self._alone.head(next(iter(self._calls.values()), None), question)

    def _call_head(self) -> None:
        if self._alone.is_now and (head := self._head) is not None:
            head.called.set()

    def _pause_alone(self, ticket: Ticket) -> float:
        """Seconds to wait before looking again; 0 when the ticket has just taken its turn."""
        if self._head is not ticket:
            return LOOK_S
        if pause := self._alone.take(ticket, self.back_off.left_s):
            return min(pause, LOOK_S)
        is_call = ticket.stage == "calling"
        self._serve(ticket, self._shared.clock())
        self._send(*((f"drop {ticket.id}",) if is_call else ticket.operations()))
        self._call_head()
        return 0.0

    def _wait_alone(self, is_of: Callable[[Origin], bool]) -> float:
        """Seconds until this process serves the first question of such an origin."""
        served = self._queue.serves_until(is_of) * self._call_each
        return max(self.back_off.retry_after_s, served)


class RedisPlace:
    """A place in a line that processes share."""

    def __init__(self, line: RedisLine, ticket: Ticket, origin: Origin) -> None:
        self._line = line
        self._ticket = ticket
        self._origin = origin

    def wait(self, patience: Patience) -> Iterator[int]:
        return self._line.wait(self._ticket, self._origin, patience)

    def leave(self) -> None:
        self._line.leave(self._ticket)


def _name(text: str) -> str:
    """Of one length and without spaces, whatever it stands for."""
    return hashlib.blake2b(text.encode(), digest_size=NAME // 2).hexdigest()


def _texts(words: list[bytes]) -> Iterator[str]:
    return (word.decode() for word in words)


def _away() -> AwayRefusal:
    return AwayRefusal("unavailable", "Redis is away", retry_after=RETRY_S)
