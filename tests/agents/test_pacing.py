"""What an account may be asked: evenly, first come first served, and never more than it may."""

import random
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from chat.agents.fair_queue import Origin
from chat.agents.pacing import Account
from chat.agents.queues import HEADROOM, Patience, Rate, Seats
from chat.settings.model import Settings
from chat.storage import Storage, connect
from providers import Limits
from providers.base import Turn
from providers.errors import OutOfTurn, QuotaExhausted, RateLimited, TimedOut, Unavailable
from providers.events import Delta, Done, Event, Status
from providers.stop import Stop, Stopped
from tests.kit.accounts import JumpingClock, OpenAccount
from tests.kit.patience import ALLOWANCE, eventually, soon

LONG_S = 30.0
ALICE = Origin("192.0.2.1", "alice")
NOON = datetime(2026, 1, 15, 4, 0, tzinfo=UTC)  # in China


@dataclass
class Waiting:
    """Somebody in a queue, on a thread of his own: his places, when he was served, what ended the
    wait.
    """

    stop: Stop = field(default_factory=Stop)
    places: list[int] = field(default_factory=list)
    served_at: float | None = None
    error: Exception | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    def begin(self, take: Callable[[Stop], Iterator[int]], clock: JumpingClock) -> "Waiting":
        def wait() -> None:
            try:
                for place in take(self.stop):
                    self.places.append(place)
                self.served_at = clock.last_time
            except (Stopped, OutOfTurn) as error:
                self.error = error
            self.ended.set()

        threading.Thread(target=wait, daemon=True).start()
        return self


def patience(
    stop: Stop | None = None, seconds: float = LONG_S, clock: JumpingClock | None = None
) -> Patience:
    now = clock or time.monotonic
    return Patience(stop or Stop(), now() + seconds, "coze", now)


Take = Callable[[Rate, Patience], Iterator[int]]


def first_call(rate: Rate, patience: Patience) -> Iterator[int]:
    """The first call of a question."""
    return rate.take_first(patience, ALICE)


def further_call(rate: Rate, patience: Patience) -> Iterator[int]:
    """A further call of a running turn, whose place nobody hears of."""
    rate.take_further(patience)
    yield from ()


def turns_at(
    rate: Rate, clock: JumpingClock, take: Take = first_call
) -> Callable[[Stop], Iterator[int]]:
    return lambda stop: take(rate, patience(stop, 100 * LONG_S, clock))


def queued_up(rate: Rate, clock: JumpingClock, count: int) -> list[Waiting]:
    """So many in the queue of new turns, one after another, while nobody gets a call."""
    queue = []
    for _ in range(count):
        queue.append(Waiting().begin(turns_at(rate, clock), clock))
        assert eventually(lambda: queue[-1].places)
    return queue


# Calls a second


def test_calls_are_spaced_by_the_rate_in_any_window(clock: JumpingClock) -> None:
    rate, times = Rate(200, clock), []

    def call(take: Take) -> None:
        for _ in range(25):
            for _ in take(rate, patience()):
                pass
            times.append(clock.last_time)

    threads = [
        threading.Thread(target=call, args=(take,))
        for _ in range(4)
        for take in (first_call, further_call)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times.sort()
    assert len(times) == 200
    assert min(later - earlier for earlier, later in pairwise(times)) >= HEADROOM / 200 - 1e-6


def test_a_rate_of_nought_spaces_nothing() -> None:
    rate, began = Rate(0), time.monotonic()
    for _ in range(1000):
        assert list(first_call(rate, patience())) == []
    assert time.monotonic() - began < soon(1)


def test_nobody_waits_behind_a_later_comer_and_each_is_told_his_place(clock: JumpingClock) -> None:
    rate = Rate(100, clock)
    rate.hold(1000)
    queue = queued_up(rate, clock, 12)
    assert [visitor.places[0] for visitor in queue] == list(range(12))
    clock.jump(1000)
    assert all(visitor.ended.wait(5) for visitor in queue)
    served = [visitor.served_at or 0.0 for visitor in queue]
    assert served == sorted(served)


def test_nobody_hears_of_a_wait_of_less_than_a_second(clock: JumpingClock) -> None:
    rate = Rate(200, clock)
    rate.hold(0.2)
    queue = [Waiting().begin(turns_at(rate, clock), clock) for _ in range(5)]
    assert all(visitor.ended.wait(5) for visitor in queue)
    assert [visitor.places for visitor in queue] == [[]] * 5


def test_places_go_down_when_somebody_leaves(clock: JumpingClock) -> None:
    rate = Rate(1, clock)
    rate.hold(1000)
    queue = queued_up(rate, clock, 4)
    queue[0].stop.request()
    queue[2].stop.request()
    assert eventually(lambda: queue[3].places[-1] == 1)
    assert isinstance(queue[0].error, Stopped) and isinstance(queue[2].error, Stopped)
    assert queue[1].places[-1] == 0


def test_new_and_running_turns_take_turns(clock: JumpingClock) -> None:
    rate = Rate(200, clock)
    rate.hold(1000)
    queues = [
        [Waiting().begin(turns_at(rate, clock, take), clock) for _ in range(10)]
        for take in (further_call, first_call)
    ]
    time.sleep(0.3)
    clock.jump(1000)
    everybody = [(visitor, number) for number, queue in enumerate(queues) for visitor in queue]
    assert all(visitor.ended.wait(5) for visitor, _ in everybody)
    order = [
        number for _, number in sorted((visitor.served_at, number) for visitor, number in everybody)
    ]
    assert all(earlier != later for earlier, later in pairwise(order))
    assert not any(visitor.places for visitor in queues[0])


def test_who_stops_at_the_head_passes_the_call_on(clock: JumpingClock) -> None:
    rate = Rate(2, clock)
    list(first_call(rate, patience()))
    began = time.monotonic()
    first = Waiting().begin(turns_at(rate, clock), clock)
    time.sleep(0.1)
    second = Waiting().begin(turns_at(rate, clock), clock)
    time.sleep(0.1)
    first.stop.request()
    assert first.ended.wait(soon(0.2)) and isinstance(first.error, Stopped)
    assert second.ended.wait(1)
    assert time.monotonic() - began < HEADROOM * 0.9, "it got the call the other would have had"


def test_a_stop_from_before_the_wait_takes_no_call(clock: JumpingClock) -> None:
    rate, stop = Rate(0.1, clock), Stop()
    stop.request()
    with pytest.raises(Stopped):
        list(first_call(rate, patience(stop)))
    assert list(first_call(rate, patience(seconds=0.5))) == []


@pytest.mark.parametrize("take", [first_call, further_call])
@pytest.mark.parametrize("is_head", [True, False])
def test_a_deadline_holds_in_the_queue(clock: JumpingClock, take: Take, is_head: bool) -> None:
    rate = Rate(0.1, clock)
    list(first_call(rate, patience()))
    if not is_head:
        Waiting().begin(turns_at(rate, clock, take), clock)
        time.sleep(0.1)
    began = time.monotonic()
    with pytest.raises(OutOfTurn):
        list(take(rate, patience(seconds=0.4)))
    assert 0.35 < time.monotonic() - began < soon(0.7)


def test_the_queue_moves_on_whoever_comes_and_goes() -> None:
    rate, chance, served = Rate(3000), random.Random(7), []
    everybody = [
        (Stop(), chance.random() * 0.3, chance.choice([first_call, further_call]))
        for _ in range(300)
    ]

    def wait(stop: Stop, take: Take) -> None:
        with suppress(Stopped):
            for _ in take(rate, patience(stop)):
                pass
            served.append(stop)

    threads = [threading.Thread(target=wait, args=(stop, take)) for stop, _, take in everybody]
    for thread, (stop, seconds, _) in zip(threads, everybody, strict=True):
        if seconds < 0.1:
            threading.Timer(seconds, stop.request).start()
        thread.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert {id(stop) for stop, _, _ in everybody if not stop.is_requested} <= {
        id(stop) for stop in served
    }
    assert list(first_call(rate, patience(seconds=1))) == []


def test_many_polled_chats_share_the_budget_evenly_and_new_ones_are_not_starved() -> None:
    """40 chats, none polled sooner than a tenth of a second after its last answer; 200 calls a
    second.
    """
    rate, ends_at = Rate(200), time.monotonic() + 2.0
    polls: list[list[float]] = [[] for _ in range(40)]

    def poll(times: list[float]) -> None:
        while time.monotonic() < ends_at:
            rate.take_further(patience())
            times.append(time.monotonic())
            time.sleep(0.1)

    threads = [threading.Thread(target=poll, args=(times,)) for times in polls]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    waits = []
    while time.monotonic() < ends_at:
        began = time.monotonic()
        list(first_call(rate, patience()))
        waits.append(time.monotonic() - began)
        time.sleep(0.1)
    for thread in threads:
        thread.join()
    fair_s = 40 / 200 * HEADROOM
    counts = [len(times) for times in polls]
    assert max(counts) - min(counts) <= 2
    assert min(counts) >= 2.0 / fair_s * 0.6 / ALLOWANCE
    assert sorted(waits)[len(waits) // 2] < fair_s / 4 * ALLOWANCE, (
        "a new turn waits for a call or two, not for all polls"
    )


# Answers at once


@pytest.mark.parametrize("limit", [1, 3])
def test_no_more_than_the_seats_and_in_order(limit: int) -> None:
    seats, lock = Seats(limit), threading.Lock()
    seated, most, order = 0, 0, []

    def sit(number: int, arrived: threading.Event) -> None:
        nonlocal seated, most
        for _ in seats.take(patience(), ALICE):
            arrived.set()
        arrived.set()
        with lock:
            order.append(number)
            seated += 1
            most = max(most, seated)
        time.sleep(0.02)
        with lock:
            seated -= 1
        seats.leave(0.02)

    threads = []
    for number in range(12):
        arrived = threading.Event()
        threads.append(threading.Thread(target=sit, args=(number, arrived)))
        threads[-1].start()
        assert arrived.wait(5)
    for thread in threads:
        thread.join()
    assert most <= limit
    # Two who get their seats in the same moment may note it the other way round.
    assert all(abs(place - number) < limit for place, number in enumerate(order))


def test_places_before_a_seat(clock: JumpingClock) -> None:
    seats = Seats(1)
    list(seats.take(patience(), ALICE))
    queue = []
    for _ in range(3):
        queue.append(Waiting().begin(lambda stop: seats.take(patience(stop), ALICE), clock))
        assert eventually(lambda: queue[-1].places)
    assert [visitor.places[0] for visitor in queue] == [0, 1, 2]
    queue[0].stop.request()
    assert queue[0].ended.wait(soon(0.5)) and isinstance(queue[0].error, Stopped)
    assert eventually(lambda: queue[2].places[-1] == 1)
    seats.leave(0.02)
    assert queue[1].ended.wait(soon(0.5)) and queue[1].error is None
    assert not queue[2].ended.is_set()


def test_a_deadline_before_a_seat_is_kept() -> None:
    seats = Seats(1)
    list(seats.take(patience(), ALICE))
    began = time.monotonic()
    with pytest.raises(OutOfTurn):
        list(seats.take(patience(seconds=0.3), ALICE))
    assert 0.25 < time.monotonic() - began < soon(0.6)
    seats.leave(0.02)
    assert list(seats.take(patience(seconds=0.1), ALICE)) == []


def test_a_seat_given_in_the_moment_of_giving_up_is_not_lost() -> None:
    seats, chance = Seats(2), random.Random(11)

    def sit(stop: Stop) -> None:
        with suppress(Stopped):
            list(seats.take(patience(stop), ALICE))
            time.sleep(0.001)
            seats.leave(0.02)

    stops = [Stop() for _ in range(300)]
    threads = [threading.Thread(target=sit, args=(stop,)) for stop in stops]
    for thread in threads:
        thread.start()
    for stop in chance.sample(stops, 150):
        stop.request()
        time.sleep(0.0005)
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert [list(seats.take(patience(seconds=1), ALICE)) for _ in range(2)] == [[], []]
    with pytest.raises(OutOfTurn):
        list(seats.take(patience(seconds=0.05), ALICE))


# An account


Stream = Callable[[Turn], Iterator[Event]]


def ask(
    account: Account, turn: Turn, stream: Stream, origin: Origin = ALICE
) -> Generator[Event, None, None]:
    """The events of a question."""
    yield from account.ask(turn, account.enter(origin), stream)


def turn(
    stop: Stop | None = None, seconds: float = LONG_S, clock: JumpingClock | None = None
) -> Turn:
    return Turn("你好", "alice", stop or Stop(), (clock or time.monotonic)() + seconds)


def answering(_: Turn) -> Iterator[Event]:
    yield Delta("你好")
    yield Done()


def refusing(_: Turn) -> Iterator[Event]:
    raise RateLimited("too many", provider="coze")
    yield Done()


def may_call(account: Account, clock: JumpingClock) -> bool:
    """Whether there is a call to be had at once."""
    try:
        account.wait(Stop(), clock())
    except (OutOfTurn, TimedOut):
        return False
    return True


def be_refused(account: Account, clock: JumpingClock) -> None:
    with pytest.raises(RateLimited):
        list(ask(account, turn(clock=clock), refusing))


def test_a_refusal_by_the_platform_holds_everybody_back(
    account: OpenAccount, clock: JumpingClock
) -> None:
    shared = account()
    be_refused(shared, clock)
    assert not may_call(shared, clock)
    waiting = Waiting().begin(
        lambda stop: (
            event.position
            for event in ask(shared, turn(stop, 99, clock), answering)
            if isinstance(event, Status)
        ),
        clock,
    )
    assert eventually(lambda: waiting.places == [0])
    clock.jump(1.9)
    assert not may_call(shared, clock)
    clock.jump(0.2)
    assert waiting.ended.wait(2) and waiting.error is None
    assert may_call(shared, clock)


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 1.0), (0.5, 2.0), (1.0, 3.0)])
def test_backing_off_has_jitter(
    account: OpenAccount, clock: JumpingClock, chance: float, seconds: float
) -> None:
    shared = account(chance=chance)
    shared.hold_back()
    clock.jump(seconds - 0.1)
    assert not may_call(shared, clock)
    clock.jump(0.2)
    assert may_call(shared, clock)


def test_each_refusal_after_a_pause_doubles_the_next_up_to_a_minute(
    account: OpenAccount, clock: JumpingClock
) -> None:
    shared = account()
    for seconds in (2, 4, 8, 16, 32, 60, 60):
        be_refused(shared, clock)
        clock.jump(seconds - 0.2)
        assert not may_call(shared, clock), seconds
        clock.jump(0.4)
        assert may_call(shared, clock), seconds
    assert list(ask(shared, turn(clock=clock), answering))[-1] == Done()
    be_refused(shared, clock)
    clock.jump(2.2)
    assert may_call(shared, clock), "an answer ends the series"


def test_calls_refused_together_are_one_refusal(account: OpenAccount, clock: JumpingClock) -> None:
    shared = account()
    for _ in range(50):
        shared.hold_back()
    clock.jump(2.2)
    assert may_call(shared, clock)


def test_the_platform_s_own_pause_is_kept(account: OpenAccount, clock: JumpingClock) -> None:
    shared = account()
    shared.hold_back(40.0)
    clock.jump(39)
    assert not may_call(shared, clock)
    clock.jump(1.1)
    assert may_call(shared, clock)


def test_a_pause_of_years_is_a_mistake_of_the_platform(
    account: OpenAccount, clock: JumpingClock
) -> None:
    shared = account()
    shared.hold_back(1_800_000_000.0)  # a date, where seconds belong
    clock.jump(3599)
    assert not may_call(shared, clock)
    clock.jump(1.1)
    assert may_call(shared, clock)


@pytest.mark.parametrize(("own", "expected"), [(None, 2.0), (7.0, 7.0)])
def test_who_is_refused_is_told_how_long_the_account_is_left_alone(
    account: OpenAccount, clock: JumpingClock, own: float | None, expected: float
) -> None:
    def refusing_for(_: Turn) -> Iterator[Event]:
        raise RateLimited("too many", provider="coze", retry_after=own)
        yield Done()

    with pytest.raises(RateLimited) as caught:
        list(ask(account(), turn(clock=clock), refusing_for))
    assert caught.value.retry_after == expected


@pytest.mark.parametrize("ending", ["done", "failed", "refused", "stopped", "abandoned", "queued"])
def test_however_a_turn_ends_its_seat_is_free_again(account: OpenAccount, ending: str) -> None:
    shared, stop = account(concurrency=1, chance=-0.5), Stop()

    def stream(turn: Turn) -> Iterator[Event]:
        yield Delta("你")
        if ending == "failed":
            raise Unavailable("gone", provider="coze")
        if ending == "refused":
            raise RateLimited("too many", provider="coze")
        turn.stop.check()
        yield Done()

    if ending == "queued":
        first = ask(shared, turn(), answering)
        next(first)
        with pytest.raises(OutOfTurn):
            list(ask(shared, turn(seconds=0.2), answering))
        first.close()
    else:
        events = ask(shared, turn(stop), stream)
        next(events)
        if ending == "stopped":
            stop.request()
        if ending == "abandoned":
            events.close()
        with suppress(Unavailable, RateLimited, Stopped):
            list(events)
    assert list(ask(shared, turn(seconds=0.3), answering))[-1] == Done()


def test_turns_are_admitted_in_the_order_they_came(account: OpenAccount) -> None:
    shared, admitted, lock = account(concurrency=2, qps=200), [], threading.Lock()

    def come(number: int, arrived: threading.Event) -> None:
        def stream(_: Turn) -> Iterator[Event]:
            arrived.set()
            with lock:
                admitted.append((time.monotonic(), number))
            time.sleep(0.03)
            yield Done()

        for event in ask(shared, turn(), stream):
            if isinstance(event, Status):
                arrived.set()

    threads = []
    for number in range(20):
        arrived = threading.Event()
        threads.append(threading.Thread(target=come, args=(number, arrived)))
        threads[-1].start()
        assert arrived.wait(5)
    for thread in threads:
        thread.join()
    assert all(abs(place - number) < 2 * ALLOWANCE for place, (_, number) in enumerate(admitted))


# The day


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    opened = connect(Settings(database_url=f"sqlite:///{tmp_path}/chat.db"))
    yield opened
    opened.engine.dispose()


@dataclass
class Day:
    """A wall clock that a test turns."""

    moment: datetime = NOON

    def __call__(self) -> datetime:
        return self.moment


def budget(storage: Storage, daily: int, now: Day, name: str = "wenxin:a") -> Account:
    return Account(name, "wenxin", Limits(daily=daily), storage.days.spend, now=now)


def is_asked(account: Account) -> bool:
    try:
        return list(ask(account, turn(), answering))[-1] == Done()
    except QuotaExhausted:
        return False


def test_over_the_day_s_budget_it_says_when_there_will_be_more(storage: Storage) -> None:
    shared = budget(storage, 3, Day())
    assert [is_asked(shared) for _ in range(5)] == [True, True, True, False, False]
    with pytest.raises(QuotaExhausted) as refused:
        list(ask(shared, turn(), answering))
    assert refused.value.retry_after == 12 * 3600  # it is noon in China
    assert refused.value.reason == "quota_exhausted"


def test_a_day_begins_at_midnight_in_china(storage: Storage) -> None:
    now = Day(datetime(2026, 1, 15, 15, 59, 59, tzinfo=UTC))
    shared = budget(storage, 1, now)
    assert is_asked(shared) and not is_asked(shared)
    now.moment += timedelta(seconds=1)
    assert is_asked(shared) and not is_asked(shared)
    now.moment += timedelta(hours=23, minutes=59, seconds=59)
    assert not is_asked(shared)


@pytest.mark.parametrize("days", [1, -1, 30], ids=str)
def test_a_clock_set_right_again_neither_reopens_a_day_nor_keeps_one_shut(
    storage: Storage, days: int
) -> None:
    now = Day()
    shared = budget(storage, 2, now)
    assert [is_asked(shared) for _ in range(3)] == [True, True, False]
    now.moment += timedelta(days=days)
    assert is_asked(shared), "another day by the only clock there is"
    now.moment -= timedelta(days=days)
    assert not is_asked(shared), "the day is as full as it was"
    assert not is_asked(budget(storage, 2, now)), "after a restart as well"
    now.moment += timedelta(days=days)
    assert [is_asked(shared) for _ in range(2)] == [True, False], "what was asked then counts"
    now.moment += timedelta(days=abs(days) + 1)
    assert is_asked(shared)


def test_a_day_s_count_survives_a_restart(storage: Storage, tmp_path: Path) -> None:
    assert [is_asked(budget(storage, 3, Day())) for _ in range(2)] == [True, True]
    again = connect(Settings(database_url=f"sqlite:///{tmp_path}/chat.db"))
    restarted = budget(again, 3, Day())
    assert [is_asked(restarted) for _ in range(2)] == [True, False]
    assert is_asked(budget(again, 4, Day())), "a larger budget is a larger budget at once"
    again.engine.dispose()


def test_each_account_has_a_day_of_its_own(storage: Storage) -> None:
    first, second = budget(storage, 1, Day()), budget(storage, 1, Day(), "wenxin:b")
    assert is_asked(first) and is_asked(second) and not is_asked(first)


def test_of_a_crowd_exactly_the_budget_is_asked(storage: Storage) -> None:
    shared, outcomes = budget(storage, 25, Day()), []
    threads = [
        threading.Thread(target=lambda: outcomes.append(is_asked(shared))) for _ in range(60)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(True) == 25 and outcomes.count(False) == 35


def test_a_question_asked_a_second_time_counts_twice(storage: Storage) -> None:
    shared = budget(storage, 3, Day())

    def twice(turn: Turn) -> Iterator[Event]:
        shared.spend()
        yield Done()

    assert list(ask(shared, turn(), twice)) == [Done()]
    assert is_asked(shared) and not is_asked(shared)


def test_nobody_waits_in_line_for_a_day_that_is_used_up(storage: Storage) -> None:
    shared = Account(
        "qingyan:a", "qingyan", Limits(concurrency=1, daily=1), storage.days.spend, now=Day()
    )
    assert is_asked(shared) and not is_asked(shared)
    began = time.monotonic()
    other = Account(
        "qingyan:b", "qingyan", Limits(concurrency=1, daily=1), storage.days.spend, now=Day()
    )
    assert is_asked(other) and not is_asked(other)
    shared.hold_back(20)
    assert not is_asked(shared)
    assert time.monotonic() - began < soon(1)


def test_who_stops_in_line_has_spent_nothing(storage: Storage) -> None:
    shared = Account(
        "qingyan:a", "qingyan", Limits(concurrency=1, daily=2), storage.days.spend, now=Day()
    )
    first, stop = ask(shared, turn(), answering), Stop()
    next(first)
    stop.request()
    with pytest.raises(Stopped):
        list(ask(shared, turn(stop), answering))
    list(first)
    assert is_asked(shared) and not is_asked(shared)
