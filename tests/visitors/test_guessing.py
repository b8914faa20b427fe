"""The brake on guessing: a growing wait, a lock, and a brake for all addresses."""

import threading

import pytest

from chat.refusals import Refusal
from chat.visitors import guessing
from chat.visitors.addresses import address_of
from chat.visitors.guessing import ADDRESSES, ALL, ALL_GAP_S, FREE, LOCK_S, LOCKED_FROM, Guessing

HERE, THERE = "192.0.2.1", "192.0.2.2"


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def brake(clock: Clock) -> Guessing:
    return Guessing(clock)


def wait(brake: Guessing, kind: str = "code", address: str = HERE) -> float:
    """Tries and is wrong: 0, or how long it has to wait first."""
    try:
        brake.begin_try(kind, address)
    except Refusal as refusal:
        assert refusal.code == "rate_limited" and refusal.retry_after
        return refusal.retry_after
    return 0.0


def test_five_are_free_then_each_waits_longer_and_ten_lock(brake: Guessing, clock: Clock) -> None:
    assert [wait(brake) for _ in range(FREE)] == [0.0] * FREE
    waits = []
    for _ in range(LOCKED_FROM - FREE + 1):
        waits.append(wait(brake))
        assert wait(brake) == waits[-1], (
            "whoever does not wait is neither let in nor locked out for longer"
        )
        clock.at += waits[-1] - 0.1
        assert wait(brake) == pytest.approx(0.1)
        clock.at += 0.2
        assert wait(brake) == 0.0
    assert waits == pytest.approx([2, 4, 8, 16, 32, LOCK_S], abs=0.2)
    assert wait(brake) == pytest.approx(LOCK_S), "after the lock one try, then the next lock"
    assert wait(brake, address=THERE) == 0.0


def test_after_a_quiet_hour_an_address_is_free_again(brake: Guessing, clock: Clock) -> None:
    while not wait(brake):
        pass
    clock.at += guessing.FORGOTTEN_AFTER_S
    assert [wait(brake) for _ in range(FREE)] == [0.0] * FREE and wait(brake) > 0


def test_many_behind_one_address_may_each_mistype_once(brake: Guessing) -> None:
    for _ in range(ALL - 1):
        assert wait(brake) == 0.0
        assert brake.attempt("code", HERE, lambda: True)
    assert brake.size == 0


def test_a_right_code_does_not_forgive_many_guesses(brake: Guessing) -> None:
    wrong = 0
    while wait(brake) == 0.0:
        wrong += 1
        if wrong % (FREE - 1) == 0:
            assert brake.attempt("code", HERE, lambda: True)
    assert wrong < LOCKED_FROM


def test_a_right_one_that_does_not_forgive_takes_back_only_itself(brake: Guessing) -> None:
    for _ in range(FREE - 1):
        assert wait(brake) == 0.0
        for _ in range(3):
            assert brake.attempt("code", HERE, lambda: True, forgives=False)
    assert wait(brake) == 0.0 and wait(brake) == pytest.approx(guessing.FIRST_WAIT_S)


def test_kinds_are_counted_separately(brake: Guessing) -> None:
    for _ in range(FREE):
        wait(brake, "code")
    assert wait(brake, "code") > 0 and wait(brake, "owner") == 0.0 and wait(brake, "key") == 0.0
    brake.count_right_try("owner", HERE)
    assert wait(brake, "code") > 0, "a right password says nothing of codes"


def test_simultaneous_tries_are_counted_too(brake: Guessing) -> None:
    barrier, let_in = threading.Barrier(30), list[bool]()

    def guess() -> None:
        barrier.wait()
        let_in.append(wait(brake) == 0.0)

    threads = [threading.Thread(target=guess) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(let_in) == FREE


def test_a_flood_from_many_addresses_brakes_all(brake: Guessing, clock: Clock) -> None:
    for number in range(ALL):
        assert wait(brake, address=f"198.51.100.{number}") == 0.0
        clock.at += 1
    assert wait(brake, address=HERE) == ALL_GAP_S - 1
    clock.at += ALL_GAP_S
    brake.begin_try("code", HERE)
    assert wait(brake, address=THERE) == ALL_GAP_S
    assert wait(brake, "owner", THERE) == 0.0
    clock.at += guessing.ALL_WINDOW_S
    assert wait(brake, address=HERE) == wait(brake, address=THERE) == 0.0


def test_its_memory_is_bounded(brake: Guessing, clock: Clock) -> None:
    for number in range(ADDRESSES + 500):
        clock.at += ALL_GAP_S
        wait(brake, address=str(number))
    assert brake.size == ADDRESSES


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("somewhere", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_an_address_is_a_household(remote: str | None, address: str) -> None:
    assert address_of(remote) == address
