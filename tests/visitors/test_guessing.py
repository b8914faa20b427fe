"""The brake on guessing: a growing wait, a lock, a brake for all, and two ways past both."""

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chat.refusals import CrowdRefusal, GuessRefusal
from chat.shared.connection import Connection
from chat.visitors import guesses, guessing
from chat.visitors.addresses import address_of
from chat.visitors.guesses import (
    ADDRESSES,
    ALL,
    ALL_GAP_S,
    FREE,
    KNOWN_OF_CODE,
    LOCK_S,
    LOCKED_FROM,
    MOST_PAID,
    LocalGuesses,
    StoredGuesses,
)
from chat.visitors.guessing import (
    CHEAPEST_BITS,
    DEAREST_BITS,
    Brake,
    Guessing,
    KnownBrowser,
    Origin,
)
from chat.visitors.redis_guesses import RedisGuesses
from tests.kit.clock import Clock
from tests.kit.patience import eventually
from tests.kit.servers.redis import RedisServer

HERE, THERE = Origin("192.0.2.1"), Origin("192.0.2.2")


@pytest.fixture(params=["in memory", "in Redis"])
def store(
    request: pytest.FixtureRequest, clock: Clock, join: Callable[..., Connection]
) -> Callable[[str], StoredGuesses]:
    if request.param == "in memory":
        return lambda kind: LocalGuesses(clock)
    return partial(RedisGuesses, join(clock))


@pytest.fixture
def stored(store: Callable[[str], StoredGuesses]) -> StoredGuesses:
    return store("code")


@pytest.fixture
def brake(stored: StoredGuesses) -> Brake:
    return Brake("code", stored)


def size(stored: StoredGuesses) -> int:
    """How many addresses are remembered."""
    if isinstance(stored, LocalGuesses):
        return stored.size
    assert isinstance(stored, RedisGuesses)
    with stored._connection.calling() as calls:
        return len(list(calls.scan_iter(stored._connection.key("guesses", "code", "address", "*"))))


def about(seconds: float) -> Any:
    """The clock of Redis goes on while a test runs."""
    return pytest.approx(seconds, abs=0.9)


def wait(brake: Brake, origin: Origin = HERE) -> float:
    """Tries and is wrong: 0, or how long it has to wait first."""
    try:
        assert not brake.attempt(origin, lambda _: False)
    except GuessRefusal as refusal:
        assert refusal.code == "rate_limited" and refusal.retry_after
        return refusal.retry_after
    return 0.0


def is_let_in(brake: Brake, origin: Origin = HERE) -> bool:
    """Tries and is right."""
    try:
        return brake.attempt(origin, lambda _: True)
    except GuessRefusal:
        return False


def flood(brake: Brake, tries: int = ALL) -> None:
    """As many wrong tries, each from an address of its own."""
    for number in range(tries):
        wait(brake, Origin(f"198.51.{number // 250}.{number % 250}"))


def paid(address: str = HERE.address, bits: int = CHEAPEST_BITS) -> Origin:
    return Origin(address, paid_bits=bits)


def known(id: str = "tablet", code: str = "ann", address: str = HERE.address) -> Origin:
    return Origin(address, KnownBrowser(id, code))


def test_five_are_free_then_each_waits_longer_and_ten_lock(brake: Brake, clock: Clock) -> None:
    assert [wait(brake) for _ in range(FREE)] == [0.0] * FREE
    waits = []
    for _ in range(LOCKED_FROM - FREE + 1):
        waits.append(wait(brake))
        assert wait(brake) == about(waits[-1]), "a refused try does not count"
        clock.now += waits[-1] - 0.8
        assert wait(brake) > 0
        clock.now += 0.9
        assert wait(brake) == 0.0
    assert waits == [about(seconds) for seconds in (2, 4, 8, 16, 32, LOCK_S)]
    assert wait(brake) == about(LOCK_S), "after the lock one try, then the next lock"
    assert wait(brake, THERE) == 0.0


def test_after_a_quiet_hour_an_address_is_free_again(brake: Brake, clock: Clock) -> None:
    while not wait(brake):
        pass
    clock.now += guesses.FORGOTTEN_AFTER_S
    assert [wait(brake) for _ in range(FREE)] == [0.0] * FREE and wait(brake) > 0


def test_many_behind_one_address_may_each_mistype_once(brake: Brake, stored: StoredGuesses) -> None:
    for _ in range(ALL - 1):
        assert wait(brake) == 0.0
        assert is_let_in(brake)
    assert size(stored) == 0


def test_a_right_code_does_not_forgive_many_guesses(brake: Brake) -> None:
    wrong = 0
    while wait(brake) == 0.0:
        wrong += 1
        if wrong % (FREE - 1) == 0:
            assert is_let_in(brake)
    assert wrong < LOCKED_FROM


def test_a_right_one_that_does_not_forgive_takes_back_only_itself(brake: Brake) -> None:
    for _ in range(FREE - 1):
        assert wait(brake) == 0.0
        for _ in range(3):
            assert brake.attempt(HERE, lambda _: True, forgives=False)
    assert wait(brake) == 0.0 and wait(brake) == about(guesses.FIRST_WAIT_S)


def test_kinds_are_counted_separately(store: Callable[[str], StoredGuesses]) -> None:
    kinds = Guessing(store)
    for _ in range(FREE):
        wait(kinds.brake("code"))
    assert wait(kinds.brake("code")) > 0
    assert wait(kinds.brake("owner")) == 0.0 == wait(kinds.brake("key"))
    assert is_let_in(kinds.brake("owner"))
    assert wait(kinds.brake("code")) > 0, "a right password says nothing of codes"


def test_a_slow_try_of_one_kind_keeps_no_other_waiting(
    store: Callable[[str], StoredGuesses],
) -> None:
    kinds = Guessing(store)
    current = kinds.brake("code").begin(HERE)
    began = time.monotonic()
    assert wait(kinds.brake("key")) == 0.0 and wait(kinds.brake("code"), THERE) == 0.0
    assert time.monotonic() - began < guessing.PATIENCE_S / 2
    kinds.brake("code").end(current, is_right=False)


def run_at_once(act: list[threading.Thread]) -> None:
    for thread in act:
        thread.start()
    for thread in act:
        thread.join()


@pytest.mark.parametrize("is_right", [True, False])
def test_of_simultaneous_tries_right_ones_all_pass_and_wrong_ones_are_braked(
    brake: Brake, is_right: bool
) -> None:
    barrier, results = threading.Barrier(30), list[bool]()

    def check(_: guessing.Try) -> bool:
        time.sleep(0.01)
        return is_right

    def attempt() -> None:
        barrier.wait()
        try:
            results.append(brake.attempt(HERE, check))
        except GuessRefusal:
            return

    run_at_once([threading.Thread(target=attempt) for _ in range(30)])
    assert results == [is_right] * (30 if is_right else FREE)


def test_a_try_that_was_not_checked_is_not_counted(brake: Brake, stored: StoredGuesses) -> None:
    def refuse(_: guessing.Try) -> bool:
        raise CrowdRefusal(1.0)

    for _ in range(2 * LOCKED_FROM):
        with pytest.raises(CrowdRefusal):
            brake.attempt(HERE, refuse)
    assert size(stored) == 0 and wait(brake) == 0.0


def test_a_flood_from_many_addresses_brakes_all(brake: Brake, clock: Clock) -> None:
    flood(brake)
    clock.now += 1
    assert wait(brake) == about(ALL_GAP_S - 1)
    clock.now += ALL_GAP_S
    assert wait(brake) == 0.0
    assert wait(brake, THERE) == about(ALL_GAP_S)
    clock.now += guesses.ALL_WINDOW_S
    assert wait(brake) == wait(brake, THERE) == 0.0


def test_its_memory_is_bounded(clock: Clock) -> None:
    stored = LocalGuesses(clock)
    brake = Brake("code", stored)
    for number in range(ADDRESSES + 500):
        clock.now += ALL_GAP_S
        wait(brake, Origin(str(number)))
    assert stored.size == ADDRESSES


# known browsers


def test_a_known_browser_has_a_count_of_its_own(brake: Brake) -> None:
    flood(brake)
    assert wait(brake) > 0 and is_let_in(brake, known())
    assert [wait(brake, known()) for _ in range(FREE)] == [0.0] * FREE
    assert wait(brake, known()) > 0
    assert is_let_in(brake, known("phone")), "another browser has another count"


def test_a_code_makes_no_end_of_known_browsers(brake: Brake, clock: Clock) -> None:
    flood(brake)
    tries = [wait(brake, known(str(number))) for number in range(KNOWN_OF_CODE + 5)]
    assert tries.count(0.0) == KNOWN_OF_CODE
    assert wait(brake, known("phone", "bea")) == 0.0, "browsers of another code are not concerned"
    clock.now += guesses.KNOWN_WINDOW_S
    assert wait(brake, known("phone")) == 0.0


def test_wrong_tries_of_a_known_browser_brake_nobody_else(
    brake: Brake, stored: StoredGuesses
) -> None:
    for number in range(KNOWN_OF_CODE):
        wait(brake, known(str(number)))
    assert wait(brake, HERE) == 0.0 and size(stored) == 1


# puzzles


def test_a_solved_puzzle_leads_past_the_lock_and_the_flood(brake: Brake) -> None:
    while not wait(brake):
        pass
    flood(brake)
    assert brake.is_on(HERE) and brake.is_on(THERE) and not brake.is_on(known())
    for _ in range(20):
        assert is_let_in(brake, paid()), "right tries do not raise the price"
        while not wait(brake):
            pass


def test_the_price_of_an_address_doubles_until_no_puzzle_helps(brake: Brake) -> None:
    while not wait(brake):
        pass
    prices = []
    while (price := brake.price(HERE.address)) is not None:
        prices.append(price)
        assert wait(brake, paid(bits=price - guessing.RISE_BITS - 1)) > 0, "too easy"
        assert wait(brake, paid(bits=price)) == 0.0
    assert prices == list(range(CHEAPEST_BITS, DEAREST_BITS + 1))
    assert wait(brake, paid(bits=60)) > 0
    assert brake.price(THERE.address) == CHEAPEST_BITS + 1, "eight paid ones raise it for all"


def test_the_price_for_all_rises_with_paid_tries_and_they_are_bounded(clock: Clock) -> None:
    brake = Brake("code", LocalGuesses(clock))
    flood(brake)
    cost = tries = 0
    while (price := brake.price(f"10.0.{tries // 250}.{tries % 250}")) is not None:
        assert wait(brake, paid(f"10.0.{tries // 250}.{tries % 250}", price)) == 0.0
        cost, tries = cost + 2**price, tries + 1
        assert tries <= MOST_PAID
    assert tries == MOST_PAID
    # SECURITY.md names these: more than an hour of a browser for all of them, in an hour.
    assert 5e9 < cost < 9e9
    assert MOST_PAID + 3600 / ALL_GAP_S < 3600 / 2, "no more than one in two seconds ever was"


def test_a_right_paid_try_takes_back_a_wrong_one(brake: Brake) -> None:
    assert wait(brake, paid()) == wait(brake, paid()) == 0.0
    assert brake.price(HERE.address) == CHEAPEST_BITS + 2
    for price in (CHEAPEST_BITS + 2, CHEAPEST_BITS + 1, CHEAPEST_BITS):
        assert is_let_in(brake, paid(bits=price))
        assert brake.price(HERE.address) == max(CHEAPEST_BITS, price - 1)


def test_simultaneous_tries_from_everywhere_count_before_their_end(
    store: Callable[[str], StoredGuesses],
) -> None:
    brake = Brake("code", store("code"), patience_s=0.05)
    tries = [brake.begin(Origin(str(number))) for number in range(ALL)]
    assert wait(brake) > 0
    assert is_let_in(brake, paid()), "one who paid does not wait for them"
    brake.end(tries.pop(), is_right=True)
    assert wait(brake) == 0.0


def test_simultaneous_paid_tries_from_everywhere_raise_the_price(
    store: Callable[[str], StoredGuesses],
) -> None:
    brake = Brake("code", store("code"), patience_s=0.05)
    flood(brake)
    tries = [brake.begin(paid(str(number))) for number in range(3 * guessing.PAID_STEP)]
    assert wait(brake, paid()) > 0 and wait(brake, paid(bits=CHEAPEST_BITS + 1)) == 0.0
    brake.end(tries.pop(), is_right=None)


def test_simultaneous_paid_tries_cost_as_much_as_one_after_another(
    store: Callable[[str], StoredGuesses],
) -> None:
    brake, patience_s = Brake("code", store("code"), patience_s=0.1), 0.1
    while not wait(brake):
        pass
    tries = [brake.begin(paid()) for _ in range(1 + guessing.RISE_BITS)]
    began = time.monotonic()
    with pytest.raises(GuessRefusal):
        brake.begin(paid())
    assert time.monotonic() - began >= patience_s, "it waits for those under way"
    for current in tries:
        brake.end(current, is_right=False)
    assert brake.price(HERE.address) == CHEAPEST_BITS + len(tries)


# several processes


def test_processes_count_wrong_tries_together(join: Callable[..., Connection]) -> None:
    first, second = (Brake("code", RedisGuesses(join(), "code")) for _ in range(2))
    assert [wait((first, second)[number % 2]) for number in range(FREE)] == [0.0] * FREE
    assert wait(first) > 0 and wait(second) > 0


@pytest.mark.parametrize("is_right", [True, False])
def test_of_simultaneous_tries_at_three_processes_right_ones_all_pass_and_wrong_ones_are_braked(
    join: Callable[..., Connection], is_right: bool
) -> None:
    brakes = [Brake("code", RedisGuesses(join(), "code"), patience_s=20) for _ in range(3)]
    results = list[bool]()

    def check(_: guessing.Try) -> bool:
        time.sleep(0.01)
        return is_right

    def attempt(brake: Brake) -> None:
        try:
            results.append(brake.attempt(HERE, check))
        except GuessRefusal:
            return

    run_at_once([threading.Thread(target=attempt, args=(brakes[n % 3],)) for n in range(24)])
    assert results == [is_right] * (24 if is_right else FREE)


def test_a_try_whose_process_died_keeps_nobody_waiting_for_long(
    join: Callable[..., Connection], clock: Clock
) -> None:
    dead, brake = (
        Brake("code", RedisGuesses(join(clock), "code"), patience_s=0.01) for _ in range(2)
    )
    for _ in range(FREE):
        dead.begin(HERE)
    assert not is_let_in(brake)
    clock.now += guesses.UNDER_WAY_S
    assert is_let_in(brake)


@pytest.mark.parametrize("document", ["", "{", '{"wrong": 0, "of_a_later_release": 1}'])
def test_what_another_release_has_written_is_read_as_far_as_it_is_known(
    join: Callable[..., Connection], document: str
) -> None:
    connection = join()
    brake = Brake("code", RedisGuesses(connection, "code"))
    with connection.calling() as calls:
        for name in (("all",), ("address", HERE.address)):
            calls.set(connection.key("guesses", "code", *name), document, ex=60)
    assert [wait(brake) for _ in range(FREE)] == [0.0] * FREE and wait(brake) > 0


def test_while_redis_is_away_a_process_goes_on_with_what_it_knows(
    join: Callable[..., Connection], own_redis: RedisServer
) -> None:
    connections = [join(url=own_redis.url) for _ in range(2)]
    for connection in connections:
        connection.connect()
    assert eventually(lambda: [one.processes for one in connections] == [2, 2])
    first, second = (Brake("code", RedisGuesses(one, "code")) for one in connections)
    assert [wait(first, HERE), wait(second, HERE), wait(first, HERE)] == [0.0] * 3
    own_redis.kill()
    tries = [wait(first, HERE), wait(first, HERE)]
    assert tries == [0.0, about(8)], "the fourth is beyond the half of five, and so it waits"
    assert [wait(second, THERE) for _ in range(3)] == [0.0, 0.0, about(guesses.FIRST_WAIT_S)]
    assert is_let_in(second, Origin("192.0.2.3"))
    own_redis.start()
    assert eventually(lambda: not connections[1].is_away)
    assert [wait(second, THERE) for _ in range(FREE)] == [0.0] * FREE


class Brakes(RuleBasedStateMachine):
    """Strangers, known browsers and payers try in any order, against what SECURITY.md promises."""

    addresses = strategies.integers(0, 3).map("10.0.0.{}".format)
    browsers = strategies.none() | strategies.builds(
        KnownBrowser, strategies.sampled_from("abc"), strategies.sampled_from(["ann", "bea"])
    )

    @initialize(is_flooded=strategies.booleans())
    def begin(self, is_flooded: bool) -> None:
        self.clock = Clock()
        self.stored = LocalGuesses(self.clock)
        self.brake = Brake("code", self.stored)
        self.wrong = dict[str, deque[float]]()
        self.unpaid = deque[float]()
        if is_flooded:
            flood(self.brake)
            self.unpaid.extend([self.clock.now] * ALL)

    @rule(seconds=strategies.sampled_from([0.5, 3, 20, 1000, 4000]))
    def pass_by(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(
        address=addresses,
        browser=browsers,
        bits=strategies.sampled_from([0, 0, 16, 17, 20, 24, 40]),
        is_right=strategies.booleans(),
    )
    def attempt(
        self, address: str, browser: KnownBrowser | None, bits: int, is_right: bool
    ) -> None:
        origin = Origin(address, browser, bits)
        price, is_on = self.brake.price(address), self.brake.is_on(origin)
        try:
            current = self.brake.begin(origin)
        except GuessRefusal as refusal:
            assert is_on and (refusal.retry_after or 0) >= 1
            assert not price or bits < price - guessing.RISE_BITS
            return
        if current.way == "puzzle":
            assert price and bits >= price - guessing.RISE_BITS
        if not is_right:
            self.count_wrong(current)
        self.brake.end(current, is_right)

    def count_wrong(self, current: guessing.Try) -> None:
        address = current.origin.address
        if current.way == "address":
            self.unpaid.append(self.clock.now)
        if current.way != "browser":
            self.wrong.setdefault(address, deque()).append(self.clock.now)

    @invariant()
    def a_flood_gets_one_try_a_gap(self) -> None:
        window = [at for at in self.unpaid if self.clock.now - at < guesses.ALL_WINDOW_S]
        assert len(window) <= ALL + guesses.ALL_WINDOW_S / ALL_GAP_S + 1

    @invariant()
    def nobody_is_under_way(self) -> None:
        assert self.stored.size <= len(self.wrong) + ALL


TestBrakes = Brakes.TestCase
TestBrakes.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)


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
