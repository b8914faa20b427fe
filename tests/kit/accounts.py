"""Accounts of platforms for tests, in the line of one process or in one that processes share."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from chat.agents.fair_queue import Origin
from chat.agents.line import Lines
from chat.agents.pacing import Account
from chat.agents.redis_lines import RedisLines
from chat.refusals import Refusal
from chat.shared.connection import Connection
from providers import Limits
from providers.base import Turn
from providers.errors import OutOfTurn
from providers.events import Done, Event, Status
from providers.stop import Stop, Stopped
from tests.kit.patience import eventually, soon

ASKER = "asker"


class JumpingClock:
    """The real clock, which may jump; it knows the last time that each thread has read."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.before_jump: list[Callable[[float], object]] = []
        self._readings = threading.local()

    def __call__(self) -> float:
        self._readings.last = time.monotonic() + self.ahead
        return self._readings.last

    def jump(self, seconds: float) -> None:
        for prepare in self.before_jump:
            prepare(seconds)
        self.ahead += seconds

    @property
    def last_time(self) -> float:
        """When a call was taken, exactly, for whoever has just taken one."""
        return getattr(self._readings, "last", time.monotonic())


class OpenAccount(Protocol):
    """Makes an account with these limits. An address counts for `share` visitors."""

    def __call__(self, share: int = 3, chance: float = 0.5, **limits: float) -> Account: ...


class OpenAccounts(Protocol):
    """Makes one account, as each of so many processes has it."""

    def __call__(self, processes: int, **limits: float) -> list[Account]: ...


class SharingProcesses:
    """Processes of one site that share lines by a Redis, all of them in this process.

    They begin without the calm of a site's first seconds.
    """

    def __init__(self, url: str, clock: JumpingClock) -> None:
        self.clock = clock
        self.connections: list[Connection] = []
        self._url = url
        self._site = secrets.token_hex(4)
        clock.before_jump.append(self._hear_nothing_of)

    def join(self, share: int = 3, chance: float = 0.5, processes: int = 1) -> RedisLines:
        """The lines of one more process, which believes at first that there are so many."""
        connection = Connection(self._url, self._site, lambda: self.clock.ahead, processes)
        lines = RedisLines(connection, share, self.clock, lambda: chance)
        self.connections.append(connection)
        return lines

    def account(self, lines: Lines, name: str = "qingyan:a", **limits: float) -> Account:
        """An account in these lines, from the moment when they share it."""
        account = open_account(lines, name, **limits)
        self.begin()
        return account

    def begin(self) -> None:
        """Whoever has joined takes part from now on."""
        calls = self.connections[0]._client
        calls.hset(self._heard_key, mapping={"heard": time.time() + self.clock.ahead})
        for connection in self.connections:
            if not connection.process:
                connection.connect()
        processes = self.connections[0].key("processes")
        assert eventually(lambda: calls.zcard(processes) >= len(self.connections))

    def leave(self) -> None:
        # An answer that has just ended still has something to say.
        for thread in threading.enumerate():
            if thread.name == ASKER:
                thread.join(soon(5))
        for connection in self.connections:
            connection.disconnect()
            connection._client.connection_pool.disconnect()

    @property
    def _heard_key(self) -> str:
        return self.connections[0].key("line")

    def _hear_nothing_of(self, seconds: float) -> None:
        """Nobody takes a jump of the clock for a silence of the site."""
        if self.connections:
            self.connections[0]._client.hincrbyfloat(self._heard_key, "heard", seconds)


def can_enter(account: Account, origin: Origin) -> bool:
    """Whether there is room for one more question; it leaves at once."""
    with suppress(Refusal):
        account.enter(origin).leave()
        return True
    return False


def open_account(lines: Lines, name: str = "qingyan:a", **limits: Any) -> Account:
    """An account in these lines that may be asked any number of questions a day."""
    return Account(name, name.partition(":")[0], Limits(**limits), lambda *_: True, lines)


def shared_accounts(sharing: SharingProcesses, processes: int, **limits: float) -> list[Account]:
    """An account as each of so many processes has it."""
    lines = [sharing.join() for _ in range(processes)]
    opened = [open_account(line, **limits) for line in lines]
    sharing.begin()
    return opened


@dataclass
class Asker:
    """A question on a thread of its own, whose answer ends when `end` is set."""

    origin: Origin
    stop: Stop = field(default_factory=Stop)
    places: list[int] = field(default_factory=list)
    begun: threading.Event = field(default_factory=threading.Event)
    end: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None

    def ask(self, account: Account, clock: JumpingClock, seconds: float = 60) -> "Asker":
        turn = Turn("你好", "alice", self.stop, clock() + seconds)
        place = account.enter(self.origin)

        def stream(_: Turn) -> Iterator[Event]:
            self.begun.set()
            self.end.wait(30)
            yield Done()

        def work() -> None:
            try:
                for event in account.ask(turn, place, stream):
                    if isinstance(event, Status) and event.position is not None:
                        self.places.append(event.position)
            except (Stopped, OutOfTurn) as error:
                self.error = error
            self.ended.set()

        threading.Thread(target=work, name=ASKER, daemon=True).start()
        assert eventually(lambda: self.begun.is_set() or self.places or self.ended.is_set())
        return self
