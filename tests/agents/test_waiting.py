"""Who waits for an account: seats go round, the room is bounded, a wait in vain ends honestly."""

from collections.abc import Generator, Iterator
from contextlib import suppress
from functools import partial
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chat.agents import waiting_room
from chat.agents.fair_queue import Origin
from chat.agents.pacing import Account
from chat.agents.queues import FIRST_GUESS_S, Patience, Seats
from chat.refusals import QueueRefusal
from providers.base import Turn
from providers.errors import OutOfTurn, RateLimited, TimedOut
from providers.events import Done, Event, Status
from providers.stop import Stop, Stopped
from tests.kit.accounts import Asker, JumpingClock, OpenAccount, OpenAccounts
from tests.kit.patience import eventually

SCHOOL, HOME = "192.0.2.1", "192.0.2.2"


def turn(clock: JumpingClock, stop: Stop | None = None, seconds: float = 30.0) -> Turn:
    return Turn("你好", "alice", stop or Stop(), clock() + seconds)


def any_has_begun(askers: list[Asker]) -> bool:
    return any(asker.begun.is_set() for asker in askers)


def test_every_process_knows_how_many_wait_at_all(
    accounts: OpenAccounts, clock: JumpingClock
) -> None:
    shared = accounts(2, concurrency=1)
    seated = Asker(Origin(SCHOOL, "seated")).ask(shared[0], clock)
    askers = [Asker(Origin(HOME, f"v{n}")).ask(shared[n % 2], clock) for n in range(3)]
    assert eventually(lambda: [one.waiting_everywhere for one in shared] == [3, 3])
    for asker in [seated, *askers]:
        asker.end.set()
    assert eventually(lambda: [one.waiting_everywhere for one in shared] == [0, 0])


def test_the_places_are_the_order_in_which_questions_are_served(
    account: OpenAccount, clock: JumpingClock
) -> None:
    shared = account(concurrency=1)
    seated = Asker(Origin(SCHOOL, "seated")).ask(shared, clock)
    askers = [
        Asker(Origin(address, visitor)).ask(shared, clock)
        for address, visitor in [
            (SCHOOL, "anna"),
            (SCHOOL, "anna"),
            (SCHOOL, "ben"),
            (HOME, "cleo"),
            (HOME, "cleo"),
        ]
    ]
    # The school has the seat, and so the home is next.
    expected = [1, 4, 3, 0, 2]
    assert eventually(lambda: [asker.places[-1] for asker in askers] == expected)
    seated.end.set()
    order = []
    for _ in askers:
        waiting = [asker for asker in askers if asker not in order]
        assert eventually(partial(any_has_begun, waiting))
        order += [asker for asker in waiting if asker.begun.is_set()]
        order[-1].end.set()
    assert [expected[askers.index(asker)] for asker in order] == [0, 1, 2, 3, 4]


# The room


def fill(shared: Account, origins: Iterator[Origin]) -> tuple[int, QueueRefusal]:
    """Enters until it is refused: how many were let in, and the refusal."""
    for number in count():
        try:
            shared.enter(next(origins))
        except QueueRefusal as refusal:
            return number, refusal
    raise AssertionError


def refusal_of(shared: Account, origin: Origin) -> QueueRefusal:
    with pytest.raises(QueueRefusal) as caught:
        shared.enter(origin)
    return caught.value


def test_a_visitor_an_address_and_all_have_their_bounds(account: OpenAccount) -> None:
    most, of_visitor = waiting_room.WAITING, waiting_room.WAITING_OF_VISITOR
    numbers = count()
    rooms = {
        "visitor": (Origin(SCHOOL, "alice") for _ in numbers),
        "address": (Origin(SCHOOL, f"v{number}") for number in numbers),
        "all": (Origin(f"a{number}", f"v{number}") for number in numbers),
    }
    bounds = {name: fill(account(concurrency=2), origins)[0] for name, origins in rooms.items()}
    assert bounds == {"visitor": of_visitor, "address": 3 * of_visitor, "all": most}


def test_without_a_share_an_address_has_no_bound_of_its_own(account: OpenAccount) -> None:
    origins = (Origin(SCHOOL, f"v{number}") for number in count())
    assert fill(account(concurrency=2, share=0), origins)[0] == waiting_room.WAITING


def test_an_account_without_limits_has_no_line(account: OpenAccount) -> None:
    shared = account()
    places = [shared.enter(Origin(SCHOOL, "alice")) for _ in range(500)]
    assert shared.waiting == 500
    for place in places:
        place.leave()
        place.leave()
    assert shared.waiting == 0


def test_who_is_refused_hears_when_there_is_room_as_the_last_answers_went(
    account: OpenAccount, clock: JumpingClock
) -> None:
    """Two seats, answers of twenty seconds: a seat every ten, once enough have been seen."""
    shared = account(concurrency=2)
    alice = Origin(SCHOOL, "alice")

    def answer(_: Turn) -> Iterator[Event]:
        clock.jump(20)
        yield Done()

    def wait(origin: Origin) -> Iterator[Event]:
        events = shared.ask(turn(clock, seconds=600), shared.enter(origin), answer)
        next(events)
        return events

    for _ in range(30):
        list(shared.ask(turn(clock, seconds=600), shared.enter(alice), answer))
    seats = [begin(shared, clock) for _ in range(2)]
    waiting = [wait(Origin(HOME, f"guest {number}")) for number in range(3)]
    waiting += [wait(alice) for _ in range(waiting_room.WAITING_OF_VISITOR)]
    refusal = refusal_of(shared, alice)
    assert refusal.code == "rate_limited"
    # A guest is served before alice, whose address had the seats.
    assert refusal.retry_after == pytest.approx(20, abs=0.5)
    for events in [*waiting, *seats]:
        events.close()  # type: ignore[attr-defined]
    assert shared.waiting == 0


def test_a_refused_question_leaves_the_line_as_it_is(account: OpenAccount) -> None:
    shared = account(concurrency=2)
    fill(shared, iter(lambda: Origin(SCHOOL, "alice"), None))
    assert shared.waiting == waiting_room.WAITING_OF_VISITOR
    assert shared.enter(Origin(HOME, "guest"))


# A wait in vain


def begin(shared: Account, clock: JumpingClock) -> Generator[Event, None, None]:
    """Somebody who has the seat."""

    def stream(_: Turn) -> Iterator[Event]:
        yield Status("answering")
        yield Done()

    events = shared.ask(turn(clock, seconds=600), shared.enter(Origin(SCHOOL, "seated")), stream)
    assert isinstance(next(events), Status)
    return events  # type: ignore[return-value]


def never(_: Turn) -> Iterator[Event]:
    raise AssertionError("it was asked")
    yield Done()


def test_a_deadline_in_line_is_no_timeout_and_says_when_to_ask_again(
    account: OpenAccount, clock: JumpingClock
) -> None:
    shared = account(concurrency=1)
    seat = begin(shared, clock)
    place = shared.enter(Origin(HOME, "guest"))
    events = shared.ask(turn(clock, seconds=60), place, never)
    assert next(events) == Status("queued", 0)
    clock.jump(61)
    with pytest.raises(OutOfTurn) as caught:
        next(events)
    assert caught.value.reason == "rate_limited"
    assert caught.value.retry_after == pytest.approx(FIRST_GUESS_S)
    assert shared.waiting == 0
    seat.close()


def test_a_deadline_while_the_account_is_held_back_says_when_to_ask_again(
    account: OpenAccount, clock: JumpingClock
) -> None:
    shared = account(qps=20)
    shared.hold_back(40.0)
    with pytest.raises(OutOfTurn) as caught:
        shared.wait(Stop(), clock())
    assert caught.value.retry_after == 40
    events = shared.ask(turn(clock, seconds=0.3), shared.enter(Origin(HOME, "guest")), never)
    assert next(events) == Status("queued", 0)
    with pytest.raises(OutOfTurn) as caught:
        next(events)
    assert caught.value.retry_after == 40


def test_a_running_turn_that_is_too_late_for_a_call_took_too_long(
    account: OpenAccount, clock: JumpingClock
) -> None:
    shared = account(qps=20)
    shared.wait(Stop(), clock() + 1)
    with pytest.raises(TimedOut):
        shared.wait(Stop(), clock())


def test_a_wait_in_vain_is_no_refusal_by_the_platform(
    account: OpenAccount, clock: JumpingClock
) -> None:
    shared = account(concurrency=1, qps=1000)
    seat = begin(shared, clock)
    with pytest.raises(OutOfTurn):
        list(shared.ask(turn(clock, seconds=0.3), shared.enter(Origin(HOME, "guest")), never))
    clock.jump(0.1)
    shared.wait(Stop(), clock() + 1)
    seat.close()


def test_who_is_read_no_more_gives_up_the_place(account: OpenAccount, clock: JumpingClock) -> None:
    shared = account(concurrency=1)
    seat = begin(shared, clock)
    is_unread = False
    events = shared.ask(
        turn(clock, seconds=60),
        shared.enter(Origin(HOME, "guest")),
        never,
        lambda: is_unread,
    )
    assert next(events) == Status("queued", 0)
    is_unread = True
    with pytest.raises(OutOfTurn, match="nobody was reading"):
        next(events)
    assert shared.waiting == 0
    seat.close()


@pytest.mark.parametrize("ending", ["closed", "stopped", "refused by the platform", "done"])
def test_however_a_question_ends_its_place_is_free(
    account: OpenAccount, clock: JumpingClock, ending: str
) -> None:
    shared, stop = account(concurrency=1), Stop()

    def stream(turn: Turn) -> Iterator[Event]:
        if ending == "refused by the platform":
            raise RateLimited("too many", provider="qingyan")
        yield Done()

    if ending == "stopped":
        stop.request()
    events = shared.ask(turn(clock, stop), shared.enter(Origin(HOME, "guest")), stream)
    if ending == "closed":
        next(events)
        events.close()  # type: ignore[attr-defined]
    with suppress(Stopped, RateLimited):
        list(events)
    assert shared.waiting == 0


class SeatsMachine(RuleBasedStateMachine):
    """Questions come, give up and end in any order: the seats are always taken, never overtaken."""

    LIMIT = 2

    def __init__(self) -> None:
        super().__init__()
        self.seats = Seats(self.LIMIT)
        self.waiting: dict[int, Iterator[int]] = {}
        self.origins: dict[int, Origin] = {}
        self.seated: set[int] = set()
        self.numbers = count()

    @rule(address=st.sampled_from([SCHOOL, HOME, ""]), visitor=st.sampled_from("ab"))
    def come(self, address: str, visitor: str) -> None:
        number, origin = next(self.numbers), Origin(address, visitor)
        # A clock that stands still, and a millisecond to the deadline: no look takes longer.
        patience = Patience(Stop(), 0.001, "qingyan", clock=lambda: 0.0)
        self.origins[number] = origin
        self.waiting[number] = self.seats.take(patience, origin)
        self._look(number)

    @precondition(lambda self: self.seated)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.seated)))
        places = {number: self._look(number) for number in sorted(self.waiting)}
        self.seated.remove(number)
        self.seats.leave(1.0)
        for other in sorted(self.waiting):
            self._look(other)
        assert all(places[other] == 0 for other in self.seated if other in places)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.waiting)))
        self.waiting.pop(number).close()  # type: ignore[attr-defined]

    def _look(self, number: int) -> int | None:
        """The place of one who waits; None when there was a seat by now."""
        try:
            return next(self.waiting[number])
        except StopIteration:
            del self.waiting[number]
            self.seated.add(number)
            return None

    @invariant()
    def no_seat_is_empty_while_somebody_waits(self) -> None:
        assert len(self.seated) <= self.LIMIT
        if self.waiting:
            assert len(self.seated) == self.LIMIT

    def teardown(self) -> None:
        """Once everybody has gone, each seat can be had at once."""
        for places in self.waiting.values():
            places.close()  # type: ignore[attr-defined]
        for _ in self.seated:
            self.seats.leave(1.0)
        for _ in range(self.LIMIT):
            patience = Patience(Stop(), 0.001, "qingyan", clock=lambda: 0.0)
            assert list(self.seats.take(patience, Origin(HOME, "last"))) == []


SeatsMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestSeatsMachine = SeatsMachine.TestCase
