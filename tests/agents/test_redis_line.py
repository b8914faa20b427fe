"""A line that processes share through Redis: exact, fair, and let go of by who dies."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chat.agents import line_script
from chat.agents.fair_queue import FairQueue, Origin
from chat.agents.line_script import KEYS, LEASE_S, STEP
from chat.agents.pacing import Account
from chat.refusals import AwayRefusal
from chat.shared.connection import Connection
from providers.base import Turn
from providers.events import Done, Event
from providers.stop import Stop, Stopped
from tests.kit.accounts import (
    Asker,
    JumpingClock,
    SharingProcesses,
    can_enter,
    open_account,
    shared_accounts,
)
from tests.kit.patience import eventually, soon
from tests.kit.servers.redis import RedisServer, redis_server

SCHOOL, HOME = "192.0.2.1", "192.0.2.2"
ADDRESSES, VISITORS = ("a" * 12, "b" * 12, "c" * 12), ("d" * 12, "e" * 12)
PROCESSES = ("1" * 16, "2" * 16, "3" * 16)
# What the state of a line has when nobody is there.
STAYS = {b"number", b"mean", b"last", b"next", b"called"}


# The order in Redis against the order of one process


@dataclass
class Steps:
    """Steps of processes that are only names, in the line of an account."""

    connection: Connection
    account: str
    seats: int = 1
    qps: float = 0.0

    def __post_init__(self) -> None:
        self._script = self.connection.script(STEP)
        with self.connection.calling() as calls:
            calls.hsetnx(self.connection.key("line"), "heard", time.time())

    def take(self, process: str, *operations: str, flags: str = "p") -> "Reply":
        keys = [self.connection.key("line", self.account, part) for part in KEYS]
        gap = 1 / self.qps if self.qps else 0.0
        arguments = [process, self.account, "", self.seats, gap, 2000, 100, f"-{flags}"]
        keys.append(self.connection.key("line"))
        word, *values = self.connection.run(self._script, keys, [*arguments, *operations])
        assert word == b"well", values
        granted, refused, places, *numbers = values
        ids = [id.decode() for id in places[::2]]
        return Reply(
            [id.decode() for id in granted],
            refused,
            dict(zip(ids, places[1::2], strict=True)),
            numbers,
        )


@dataclass
class Reply:
    granted: list[str]
    refused: list[Any]
    places: dict[str, int]
    numbers: list[int]


class LineMachine(RuleBasedStateMachine):
    """Questions of three processes come, give up and end in any order, at one seat.

    The model is the queue of one process.
    """

    steps: ClassVar[Steps]
    accounts: ClassVar[Iterator[int]] = count()

    def __init__(self) -> None:
        super().__init__()
        self.line = Steps(self.steps.connection, f"a{next(self.accounts)}")
        self.model: FairQueue[str] = FairQueue()
        self.seated: str | None = None
        self.numbers = count(1)

    @rule(
        process=st.sampled_from(PROCESSES),
        address=st.sampled_from(ADDRESSES),
        visitor=st.sampled_from(VISITORS),
    )
    def come(self, process: str, address: str, visitor: str) -> None:
        id = f"{process}{next(self.numbers)}"
        self.model.add(id, Origin(address, visitor))
        enter = f"enter {id} {address} {visitor} 0"
        self._check(self.line.take(process, enter, f"ask {id}").granted)

    @precondition(lambda self: len(self.model))
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from(sorted(self.model._origins)))
        self.model.remove(id)
        assert self.line.take(id[:16], f"leave {id}").granted == []

    @precondition(lambda self: self.seated)
    @rule(order=st.permutations(PROCESSES))
    def end(self, order: list[str]) -> None:
        seated, self.seated = self.seated, None
        assert seated is not None
        granted = self.line.take(seated[:16], f"leave {seated} 1.0").granted
        for process in order:
            granted += self.line.take(process).granted
        self._check(granted)

    def _check(self, granted: list[str]) -> None:
        """Whoever is next has the seat, if it is free."""
        expected = []
        if self.seated is None and self.model:
            self.seated = self.model.pop()
            expected = [self.seated]
        assert granted == expected

    @invariant()
    def everybody_has_the_place_of_the_model(self) -> None:
        places: dict[str, int] = {}
        for process in PROCESSES:
            places |= self.line.take(process).places
        assert places == {id: self.model.ahead_of(id) for id in self.model._origins}


def test_the_order_is_that_of_one_process(join: Callable[..., Connection]) -> None:
    class Machine(LineMachine):
        steps = Steps(join(), "model")

    run_state_machine_as_test(
        Machine, settings=settings(max_examples=25, stateful_step_count=30, deadline=None)
    )


# Several processes


@pytest.fixture
def sharing(redis: RedisServer, clock: JumpingClock) -> Iterator[SharingProcesses]:
    sharing = SharingProcesses(redis.url, clock)
    yield sharing
    sharing.leave()


def test_whoever_comes_and_goes_no_seat_is_lost_and_nothing_stays_in_redis(
    sharing: SharingProcesses, clock: JumpingClock
) -> None:
    shared = shared_accounts(sharing, 3, concurrency=2, qps=2000)
    chance, lock = random.Random(11), threading.Lock()
    seated, most, answered = 0, 0, []

    def answer(turn: Turn) -> Iterator[Event]:
        nonlocal seated, most
        with lock:
            seated += 1
            most = max(most, seated)
        try:
            turn.pace.wait(turn.stop, turn.deadline)
            yield Done()
        finally:
            with lock:
                seated -= 1

    def come(number: int) -> None:
        account, stop = shared[number % 3], Stop()
        turn = Turn("你好", "alice", stop, clock() + 30, pace=account)
        if number % 2:
            threading.Timer(chance.random() * 0.3, stop.request).start()
        with suppress(Stopped):
            place = account.enter(Origin(f"192.0.2.{number % 5}", f"v{number % 20}"))
            list(account.ask(turn, place, answer))
            answered.append(number)

    with ThreadPoolExecutor(60) as crowd:
        list(crowd.map(come, range(180)))
    assert most == 2
    assert {number for number in range(180) if number % 2 == 0} <= set(answered)
    assert eventually(lambda: left_in_redis(sharing) == {}), left_in_redis(sharing)
    assert [account.waiting for account in shared] == [0, 0, 0]


def left_in_redis(sharing: SharingProcesses) -> dict[str, Any]:
    """What tells of a question that waits or answers, or of a call."""
    connection = sharing.connections[0]
    keys = {part: connection.key("line", "qingyan:a", part) for part in KEYS}
    with connection.calling() as calls:
        left = {
            "turns": calls.zrange(keys["turns"], 0, -1),
            "tickets": calls.hkeys(keys["tickets"]),
            "seats": calls.smembers(keys["seats"]),
            "running": calls.lrange(keys["running"], 0, -1),
            "counts": [name for name in calls.hkeys(keys["state"]) if name not in STAYS],
        }
    return {name: items for name, items in left.items() if items}


# Who dies, and what Redis forgets


def test_who_takes_no_step_loses_seat_and_place(
    sharing: SharingProcesses, clock: JumpingClock
) -> None:
    (shared,) = shared_accounts(sharing, 1, concurrency=1)
    dead = Steps(sharing.connections[0], "qingyan:a")
    names = f"{ADDRESSES[0]} {VISITORS[0]}"
    ids = [f"{PROCESSES[0]}{number}" for number in range(3)]
    operations = [f"enter {id} {names} 0" for id in ids] + [f"ask {id}" for id in ids]
    granted = dead.take(PROCESSES[0], *operations).granted
    assert granted == ids[:1]
    asker = Asker(Origin(HOME, "guest")).ask(shared, clock)
    assert asker.places == [0]
    clock.jump(LEASE_S - 1)
    assert not asker.begun.wait(0.5)
    clock.jump(2)
    assert asker.begun.wait(soon(2))
    asker.end.set()
    assert asker.ended.wait(soon(1))
    later = Asker(Origin(HOME, "guest")).ask(shared, clock)
    assert later.begun.is_set() and not later.places, "the dead one's place is gone, too"
    later.end.set()


def forget_everything(sharing: SharingProcesses) -> None:
    """As a Redis that keeps nothing does when it is started again."""
    with sharing.connections[0].calling() as calls:
        calls.flushdb()


def test_seats_are_known_again_when_redis_has_forgotten_them(
    sharing: SharingProcesses, clock: JumpingClock
) -> None:
    shared = shared_accounts(sharing, 2, concurrency=2)
    seated = [Asker(Origin(SCHOOL, f"s{n}")).ask(shared[n], clock) for n in range(2)]
    waiting = [Asker(Origin(SCHOOL, f"v{n}")).ask(shared[n], clock) for n in range(2)]
    forget_everything(sharing)
    newcomer = Asker(Origin(HOME, "guest")).ask(shared[0], clock)
    time.sleep(line_script.CALM_S + 0.5)
    assert not any(asker.begun.is_set() for asker in [*waiting, newcomer])
    for asker in seated:
        asker.end.set()
    assert eventually(lambda: sum(a.begun.is_set() for a in [*waiting, newcomer]) == 2)
    time.sleep(0.2)
    assert sum(asker.begun.is_set() for asker in [*waiting, newcomer]) == 2
    for asker in [*waiting, newcomer]:
        asker.end.set()
    assert eventually(lambda: all(asker.ended.is_set() for asker in [*waiting, newcomer]))


def test_a_line_that_redis_has_lost_in_part_begins_anew(
    sharing: SharingProcesses, clock: JumpingClock, caplog: pytest.LogCaptureFixture
) -> None:
    (shared,) = shared_accounts(sharing, 1, concurrency=1)
    seated = Asker(Origin(SCHOOL, "s")).ask(shared, clock)
    waiting = Asker(Origin(SCHOOL, "v")).ask(shared, clock)
    connection = sharing.connections[0]
    with connection.calling() as calls:
        calls.delete(connection.key("line", "qingyan:a", "state"))
    seated.end.set()
    assert waiting.begun.wait(soon(line_script.CALM_S + 3))
    assert "begins anew" in caplog.text
    waiting.end.set()


# Redis is away


@pytest.fixture
def own_sharing(
    tmp_path: Path, clock: JumpingClock
) -> Iterator[tuple[SharingProcesses, RedisServer]]:
    """With a Redis that the test may kill."""
    server = redis_server(tmp_path).start()
    sharing = SharingProcesses(server.url, clock)
    yield sharing, server
    sharing.leave()
    server.end()


def test_while_redis_is_away_seats_are_given_to_nobody_and_calls_by_shares(
    own_sharing: tuple[SharingProcesses, RedisServer], clock: JumpingClock
) -> None:
    sharing, server = own_sharing
    lines = [sharing.join() for _ in range(2)]
    seats = [open_account(line, "qingyan:a", concurrency=2) for line in lines]
    calls = [open_account(line, "coze:a", qps=20) for line in lines]
    free = open_account(lines[0], "huawei:a")
    sharing.begin()
    assert eventually(lambda: all(c.processes == 2 for c in sharing.connections))
    seated = [Asker(Origin(SCHOOL, f"s{n}")).ask(seats[n], clock) for n in range(2)]
    waiting = Asker(Origin(HOME, "guest")).ask(seats[0], clock)

    server.kill()
    with pytest.raises(AwayRefusal) as caught:
        seats[0].enter(Origin(HOME, "guest"))
    assert caught.value.code == "unavailable" and caught.value.retry_after
    unlimited = Asker(Origin(HOME, "guest")).ask(free, clock)
    assert unlimited.begun.is_set()
    polling = Asker(Origin(HOME, "guest")).ask(calls[1], clock)
    assert polling.begun.wait(soon(3))
    assert 10 <= calls_in(calls, 2.0, clock) <= 2.0 * 20 + 3

    server.start()
    assert eventually(lambda: not any(c.is_away for c in sharing.connections))
    newcomer = Asker(Origin(SCHOOL, "new")).ask(seats[1], clock)
    assert calls_in(calls, line_script.CALM_S, clock) <= line_script.CALM_S * 20 + 3
    assert not waiting.begun.wait(1) and not newcomer.begun.is_set(), "the seats are still taken"
    seated[0].end.set()
    assert eventually(lambda: waiting.begun.is_set() or newcomer.begun.is_set())
    assert 5 < calls_in(calls, 1.0, clock) <= 1.0 * 20 + 2
    for asker in [*seated, waiting, newcomer, unlimited, polling]:
        asker.end.set()
        assert asker.ended.wait(soon(5)) and not asker.error


def test_a_process_that_has_never_reached_redis_gives_calls_and_no_seats(
    clock: JumpingClock, tmp_path: Path
) -> None:
    server = redis_server(tmp_path)
    sharing = SharingProcesses(server.url, clock)
    lines = sharing.join(processes=2)
    seats = open_account(lines, "qingyan:a", concurrency=2)
    calls = open_account(lines, "coze:a", qps=20)
    sharing.connections[0].connect()
    with pytest.raises(AwayRefusal):
        seats.enter(Origin(HOME, "guest"))
    asker = Asker(Origin(HOME, "guest")).ask(calls, clock)
    assert asker.begun.wait(soon(3))
    assert calls_in([calls], 1.0, clock) <= 10 + 2, "the share of one of two"
    server.start()
    sharing.begin()
    assert eventually(lambda: can_enter(seats, Origin(HOME, "guest")))
    asker.end.set()
    sharing.leave()
    server.end()


def calls_in(shared: list[Account], seconds: float, clock: JumpingClock) -> int:
    """How many calls the processes get together in so many seconds, when they want very many."""
    until = clock() + seconds

    def call(account: Account) -> int:
        for number in count():
            with suppress(Exception):
                account.wait(Stop(), until)
                continue
            return number
        raise AssertionError

    with ThreadPoolExecutor() as threads:
        return sum(threads.map(call, [account for account in shared for _ in range(5)]))
