"""Bytes in flight: counted by address and in all, with room left on the disk."""

from contextlib import suppress

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from chat.refusals import FileRefusal
from chat.storage.engine.kinds import StorageRefusal
from chat.visitors.limits.bodies import LEFT_FREE, SMALL, Bodies, IncomingBody

MUCH = 10**12


def bodies(most: int = MUCH, per_address: int | None = None, room: int = MUCH) -> Bodies:
    return Bodies(most, per_address, lambda: room)


def test_an_address_announces_so_much_at_once() -> None:
    site = bodies(per_address=10 * SMALL)
    first = site.admit("a", 6 * SMALL)
    with pytest.raises(FileRefusal) as refused:
        site.admit("a", 5 * SMALL)
    assert refused.value.code == "rate_limited" and refused.value.retry_after
    site.admit("b", 10 * SMALL)
    first.end()
    site.admit("a", 10 * SMALL)


def test_a_small_body_is_not_counted() -> None:
    site = bodies(most=0, per_address=0, room=0)
    for length in (None, 0, 1, SMALL):
        site.admit("a", length).grow(SMALL)
    assert site.arrived == 0
    with pytest.raises(StorageRefusal):
        site.admit("a", SMALL + 1)


def test_who_announces_much_and_sends_nothing_is_in_nobody_s_way() -> None:
    site = bodies(most=10 * SMALL)
    for _ in range(100):
        site.admit("a", 10 * SMALL)
    body = site.admit("b", 10 * SMALL)
    for _ in range(10):
        body.grow(SMALL)
    with pytest.raises(FileRefusal):
        site.admit("c", 2 * SMALL)
    body.end()
    site.admit("c", 2 * SMALL)


@pytest.mark.parametrize("bounds", [{"most": 3 * SMALL}, {"per_address": 3 * SMALL}])
def test_a_body_without_a_length_is_counted_as_it_comes(bounds: dict[str, int]) -> None:
    site = bodies(**bounds)
    body = site.admit("a", None)
    for _ in range(3):
        body.grow(SMALL)
    with pytest.raises(FileRefusal):
        body.grow(1)
    body.end()
    assert site.arrived == 0
    site.admit("a", 3 * SMALL)


def test_room_for_questions_is_left_on_the_disk() -> None:
    free = [LEFT_FREE + 5 * SMALL]
    site = Bodies(MUCH, None, lambda: free[0])
    site.admit("a", 5 * SMALL)
    with pytest.raises(StorageRefusal) as refused:
        site.admit("a", 5 * SMALL + 1)
    assert refused.value.code == "unavailable" and refused.value.retry_after
    body = site.admit("a", None)
    for _ in range(5):
        body.grow(SMALL)
    # Another program fills the disk meanwhile.
    free[0] = LEFT_FREE
    with pytest.raises(StorageRefusal):
        body.grow(SMALL)


class Flights(RuleBasedStateMachine):
    """Bodies of three addresses, which grow and end in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.site = bodies(most=40 * SMALL, per_address=15 * SMALL)
        self.sizes: dict[IncomingBody, int] = {}

    @rule(address=st.sampled_from("abc"), length=st.none() | st.integers(0, 16 * SMALL))
    def admit(self, address: str, length: int | None) -> None:
        with suppress(FileRefusal):
            self.sizes[self.site.admit(address, length)] = 0

    @rule(data=st.data(), size=st.integers(1, 4 * SMALL))
    def grow(self, data: st.DataObject, size: int) -> None:
        if not self.sizes:
            return
        body = data.draw(st.sampled_from(list(self.sizes)))
        try:
            body.grow(size)
            self.sizes[body] += size
        except FileRefusal:
            body.end()
            del self.sizes[body]

    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        if self.sizes:
            body = data.draw(st.sampled_from(list(self.sizes)))
            body.end()
            body.end()
            del self.sizes[body]

    @invariant()
    def all_that_is_here_is_counted(self) -> None:
        large = [size for size in self.sizes.values() if size > SMALL]
        assert self.site.arrived == sum(large) <= 40 * SMALL

    def teardown(self) -> None:
        for body in self.sizes:
            body.end()
        assert self.site.arrived == 0 and not self.site._by_address


TestFlights = Flights.TestCase
