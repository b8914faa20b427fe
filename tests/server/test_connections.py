"""Connections that say nothing give way to those that speak."""

from chat.server.connections import Connections


def test_an_address_that_has_too_many_loses_the_one_longest_idle() -> None:
    connections = Connections(most=100, per_address=2)
    for key in ("first", "second"):
        assert connections.open(key, "a") is None
        connections.begin_idling(key)
    connections.end_idling("first")
    connections.begin_idling("first")
    assert connections.open("third", "a") == "second"
    assert connections.open("another's", "b") is None


def test_an_address_whose_connections_are_all_in_use_does_without_a_new_one() -> None:
    connections = Connections(most=100, per_address=2)
    assert connections.open("first", "a") is None
    assert connections.open("second", "a") is None
    assert connections.open("third", "a") == "third"
    connections.close("third")
    connections.close("second")
    assert connections.open("third", "a") is None


def test_beyond_all_the_one_longest_idle_gives_way_whoever_has_it() -> None:
    connections = Connections(most=2, per_address=None)
    for key in ("first", "second"):
        assert connections.open(key, key) is None
        connections.begin_idling(key)
    assert connections.open("third", "c") == "first"
    connections.end_idling("first")
    assert connections.open("fourth", "c") == "second"
    connections.end_idling("second")
    # The server's own bound holds when none is idle.
    assert connections.open("fifth", "c") is None


def test_nothing_is_remembered_of_a_connection_that_has_ended() -> None:
    connections = Connections(most=100, per_address=10)
    for number in range(1000):
        connections.open(number, f"address {number % 50}")
        if number % 2:
            connections.begin_idling(number)
        connections.close(number)
    assert len(connections) == 0
    assert not connections._idle and not connections._idle_by_address and not connections._counts
