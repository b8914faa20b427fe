"""The order of waiting questions: no address and no visitor takes the queue for itself."""

from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chat.agents.fair_queue import FairQueue, Origin

ADDRESSES, VISITORS = ("192.0.2.1", "192.0.2.2", "192.0.2.3"), ("alice", "bob")


def queue_of(*items: str) -> FairQueue[str]:
    """A queue of items named address-visitor-number, in order of arrival."""
    queue: FairQueue[str] = FairQueue()
    for item in items:
        address, visitor, _ = item.split("-")
        queue.add(item, Origin(address, visitor))
    return queue


def served(queue: FairQueue[str]) -> list[str]:
    return [queue.pop() for _ in range(len(queue))]


def test_addresses_are_served_by_turns() -> None:
    queue = queue_of("a-x-1", "a-x-2", "a-x-3", "b-x-1", "b-x-2", "c-x-1")
    assert served(queue) == ["a-x-1", "b-x-1", "c-x-1", "a-x-2", "b-x-2", "a-x-3"]


def test_visitors_of_an_address_are_served_by_turns() -> None:
    queue = queue_of("a-x-1", "a-x-2", "a-y-1", "b-z-1", "a-y-2")
    assert served(queue) == ["a-x-1", "b-z-1", "a-y-1", "a-x-2", "a-y-2"]


def test_the_questions_of_a_visitor_are_served_as_they_came() -> None:
    assert served(queue_of("a-x-1", "a-x-2", "a-x-3")) == ["a-x-1", "a-x-2", "a-x-3"]


def test_a_newcomer_is_next_after_a_crowd_of_one_address() -> None:
    queue = queue_of(*(f"a-v{number}-1" for number in range(60)))
    queue.pop()
    queue.add("b-x-1", Origin("b", "x"))
    assert queue.ahead_of("b-x-1") == 0
    assert queue.pop() == "b-x-1"


def test_a_stream_of_newcomers_does_not_starve_a_crowd() -> None:
    queue = queue_of("a-x-1", "a-x-2", "a-x-3")
    order = [queue.pop()]
    for number in range(4):
        queue.add(f"n{number}-x-1", Origin(f"n{number}", "x"))
        queue.add(f"m{number}-x-1", Origin(f"m{number}", "x"))
        order.append(queue.pop())
    assert "a-x-2" in order


def test_one_who_asks_again_at_once_does_not_pass_those_who_wait() -> None:
    queue = queue_of("a-x-1", "a-x-2", "a-x-3")
    numbers = (str(number) for number in count())
    order = []
    for _ in range(4):
        if not order or order[-1] == "b":
            queue.add(f"b-y-{next(numbers)}", Origin("b", "y"))
        order.append(queue.pop()[0])
    assert order == ["a", "b", "a", "b"]


def test_who_gives_up_and_comes_back_is_no_newcomer() -> None:
    queue = queue_of("a-x-1", "a-x-2", "b-x-1", "b-x-2")
    assert [queue.pop(), queue.pop()] == ["a-x-1", "b-x-1"]
    queue.remove("a-x-2")
    queue.add("a-x-3", Origin("a", "x"))
    assert served(queue) == ["b-x-2", "a-x-3"]


def test_it_says_when_the_first_of_an_origin_is_served() -> None:
    queue = queue_of("a-x-1", "a-x-2", "b-x-1", "b-y-1")
    assert queue.serves_until(lambda origin: True) == 1
    assert queue.serves_until(lambda origin: origin.address == "b") == 2
    assert queue.serves_until(lambda origin: origin.visitor == "y") == 4
    assert queue.serves_until(lambda origin: origin.visitor == "nobody") == 4


class QueueMachine(RuleBasedStateMachine):
    """Anybody comes, gives up and is served in any order, beside a plain list of who waits."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: FairQueue[int] = FairQueue()
        self.waiting: dict[int, Origin] = {}
        # Of each address that waits, who else was served since it waits for its turn.
        self.passed_by: dict[str, list[str]] = {}
        self.numbers = count()

    @rule(address=st.sampled_from(ADDRESSES), visitor=st.sampled_from(VISITORS))
    def come(self, address: str, visitor: str) -> None:
        number, origin = next(self.numbers), Origin(address, visitor)
        self.queue.add(number, origin)
        self.waiting[number] = origin
        self.passed_by.setdefault(address, [])

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.waiting)))
        self.queue.remove(number)
        self._forget(number)

    @precondition(lambda self: self.waiting)
    @rule()
    def serve(self) -> None:
        head = self.queue.head
        number = self.queue.pop()
        assert number == head
        address = self.waiting[number].address
        self._forget(number)
        if address in self.passed_by:
            self.passed_by[address] = []
        for other, addresses in self.passed_by.items():
            if other != address:
                addresses.append(address)
                assert addresses.count(address) <= 1, "an address passed another over"

    def _forget(self, number: int) -> None:
        assert number not in self.queue
        origin = self.waiting.pop(number)
        if origin.address not in {other.address for other in self.waiting.values()}:
            self.passed_by.pop(origin.address, None)

    @invariant()
    def everybody_who_waits_has_a_place(self) -> None:
        assert len(self.queue) == len(self.waiting)
        assert all(number in self.queue for number in self.waiting)
        places = [self.queue.ahead_of(number) for number in self.waiting]
        assert sorted(places) == list(range(len(self.waiting)))

    @invariant()
    def a_visitor_s_questions_stay_in_order(self) -> None:
        for origin in set(self.waiting.values()):
            own = [number for number, other in self.waiting.items() if other == origin]
            places = [self.queue.ahead_of(number) for number in own]
            assert places == sorted(places)

    def teardown(self) -> None:
        """Everybody left is served in the order of the places that were promised."""
        promised = sorted(self.waiting, key=self.queue.ahead_of)
        assert [self.queue.pop() for _ in range(len(self.queue))] == promised


QueueMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestQueueMachine = QueueMachine.TestCase
