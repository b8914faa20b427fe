"""The line of an account is one, whether one process has it or several share it."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from chat.agents.fair_queue import Origin
from chat.agents.pacing import Account
from chat.agents.queues import HEADROOM
from chat.agents.waiting_room import WAITING_OF_VISITOR
from chat.refusals import QueueRefusal
from providers.base import Turn
from providers.errors import OutOfTurn
from providers.events import Done, Event
from providers.stop import Stop, Stopped
from tests.kit.accounts import Asker, JumpingClock, OpenAccounts, can_enter
from tests.kit.patience import eventually, soon

SCHOOL, HOME = "192.0.2.1", "192.0.2.2"


def test_seats_go_round_wherever_one_asks(accounts: OpenAccounts, clock: JumpingClock) -> None:
    shared = accounts(3, concurrency=2)
    seated = [Asker(Origin(SCHOOL, f"s{n}")).ask(shared[n], clock) for n in range(2)]
    crowd = [Asker(Origin(SCHOOL, f"v{n}")).ask(shared[n % 3], clock) for n in range(6)]
    assert all(asker.begun.is_set() for asker in seated)
    assert [asker.places[-1] for asker in crowd] == list(range(6))
    guest = Asker(Origin(HOME, "guest")).ask(shared[0], clock)
    assert guest.places == [0]
    assert eventually(lambda: [asker.places[-1] for asker in crowd] == list(range(1, 7)))
    began = time.monotonic()
    seated[0].end.set()
    assert guest.begun.wait(soon(0.5)), time.monotonic() - began
    assert not any(asker.begun.is_set() for asker in crowd)
    for asker in [*seated, guest, *crowd]:
        asker.end.set()
    assert all(asker.ended.wait(soon(5)) and not asker.error for asker in crowd)


def test_a_stop_gives_up_the_place(accounts: OpenAccounts, clock: JumpingClock) -> None:
    shared = accounts(2, concurrency=1)
    seated = Asker(Origin(SCHOOL, "s")).ask(shared[0], clock)
    first = Asker(Origin(SCHOOL, "v")).ask(shared[0], clock)
    second = Asker(Origin(SCHOOL, "w")).ask(shared[1], clock)
    assert second.places == [1]
    first.stop.request()
    assert first.ended.wait(soon(0.5)) and isinstance(first.error, Stopped)
    assert eventually(lambda: second.places[-1] == 0)
    seated.stop.request()
    seated.end.set()
    assert second.begun.wait(soon(0.5))
    second.end.set()


def test_calls_are_spaced_wherever_they_are_made(
    accounts: OpenAccounts, clock: JumpingClock
) -> None:
    shared = accounts(3, qps=100)
    times: list[float] = []

    def answer(turn: Turn) -> Iterator[Event]:
        times.append(time.monotonic())
        yield Done()

    def poll(account: Account) -> None:
        for _ in range(15):
            account.wait(Stop(), clock() + 30)
            times.append(time.monotonic())

    def ask(account: Account) -> None:
        for _ in range(15):
            turn = Turn("你好", "alice", Stop(), clock() + 30)
            list(account.ask(turn, account.enter(Origin(HOME, "alice")), answer))

    began = time.monotonic()
    with ThreadPoolExecutor() as threads:
        for account in shared:
            threads.submit(poll, account)
            threads.submit(ask, account)
    took = time.monotonic() - began
    assert len(times) == 90
    # Threads note their times a little late; the first call has no other before it.
    assert took >= 88 * HEADROOM / 100
    window = [sum(at <= other < at + 0.25 for other in times) for at in times]
    assert max(window) <= 28


def test_the_room_is_bounded_wherever_one_asks(accounts: OpenAccounts) -> None:
    first, second = accounts(2, concurrency=1)
    alice = Origin(SCHOOL, "alice")
    places = [
        account.enter(alice) for account in (first, second) for _ in range(WAITING_OF_VISITOR // 2)
    ]
    for account in (first, second):
        with pytest.raises(QueueRefusal) as caught:
            account.enter(alice)
        assert caught.value.code == "rate_limited" and caught.value.retry_after
    places[0].leave()
    assert eventually(lambda: can_enter(second, alice))


@pytest.mark.parametrize("limits", [{"qps": 1000}, {"concurrency": 3}, {}], ids=str)
def test_a_refusal_by_the_platform_holds_every_process_back(
    accounts: OpenAccounts, clock: JumpingClock, limits: dict[str, float]
) -> None:
    first, second = accounts(2, **limits)

    def is_heard() -> bool:
        # What is said while Redis takes its time is lost; the platform would refuse again.
        first.hold_back(40.0)
        return not may_call(second, clock)

    assert eventually(is_heard)
    asker = Asker(Origin(HOME, "guest")).ask(second, clock)
    assert asker.places == [0]
    clock.jump(39)
    assert not may_call(second, clock) and not may_call(first, clock)
    assert not asker.begun.is_set()
    clock.jump(1.5)
    assert asker.begun.wait(soon(2))
    assert may_call(second, clock) and may_call(first, clock)
    asker.end.set()


def may_call(account: Account, clock: JumpingClock) -> bool:
    """Whether there is a call to be had within a moment."""
    with suppress(OutOfTurn, Exception):
        account.wait(Stop(), clock() + 0.1)
        return True
    return False
