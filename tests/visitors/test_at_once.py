"""What goes on at once is counted, in one process or over several."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from chat.shared.connection import Connection
from chat.visitors.at_once import AtOnce, Bound, LocalAtOnce
from chat.visitors.redis_at_once import RedisAtOnce

Join = Callable[..., Connection]


def process(join: Join) -> RedisAtOnce:
    """What one more process counts."""
    connection = join()
    at_once = RedisAtOnce(connection)
    connection.connect()
    return at_once


@pytest.fixture(params=["in memory", "in Redis"])
def at_once(request: pytest.FixtureRequest, join: Join) -> AtOnce:
    return LocalAtOnce() if request.param == "in memory" else process(join)


def test_each_name_has_its_bound_and_a_full_one_counts_nothing(at_once: AtOnce) -> None:
    alice, here = Bound("alice", 2), Bound("here", 3)
    assert [at_once.begin([alice, here]) for _ in range(3)] == [None, None, "alice"]
    assert at_once.begin([Bound("bob", 2), here]) is None
    assert at_once.begin([Bound("carol", 2), here]) == "here"
    assert at_once.begin([Bound("carol", 1)]) is None, "the refusal counted nothing"
    at_once.end(["alice", "here"])
    assert at_once.begin([alice, here]) is None


def test_a_bound_of_nought_is_none(at_once: AtOnce) -> None:
    for _ in range(20):
        assert at_once.begin([Bound("alice", 0)]) is None
    at_once.add(["alice"])
    assert at_once.begin([Bound("alice", 22)]) is None
    assert at_once.begin([Bound("alice", 22)]) == "alice"
    for _ in range(30):
        at_once.end(["alice"])
    assert at_once.begin([Bound("alice", 1)]) is None, "never less than nought"


def test_processes_count_exactly_together(join: Join) -> None:
    processes = [process(join) for _ in range(3)]
    bounds = [Bound("alice", 10), Bound("here", 11)]

    def begin(number: int) -> str | None:
        return processes[number % 3].begin(bounds)

    with ThreadPoolExecutor(12) as pool:
        names = list(pool.map(begin, range(60)))
    assert names.count(None) == 10
    began = [number % 3 for number, name in enumerate(names) if name is None]
    processes[began[0]].end(["alice", "here"])
    assert processes[0].begin(bounds) is None and processes[1].begin(bounds) == "alice"
