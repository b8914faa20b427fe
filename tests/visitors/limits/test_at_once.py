"""What goes on at once is counted, in one process or over several."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.shared.connection import Connection
from chat.visitors.limits.at_once import AtOnce, Bound, LocalAtOnce
from chat.visitors.limits.redis_at_once import RedisAtOnce
from tests.kit.patience import eventually
from tests.kit.servers.redis import RedisServer

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


def test_three_processes_count_as_one_does(join: Join) -> None:
    processes = [process(join) for _ in range(3)]
    examples = iter(range(10**6))
    steps = st.tuples(st.booleans(), st.integers(0, 2), st.integers(0, 3), st.integers(0, 1))

    @settings(max_examples=25)
    @given(st.lists(steps, max_size=40))
    def agree(walk: list[tuple[bool, int, int, int]]) -> None:
        example, one = next(examples), LocalAtOnce()
        going: list[tuple[int, list[str]]] = []
        for is_begin, number, who, where in walk:
            bounds = [Bound(f"{example} visitor {who}", 2), Bound(f"{example} at {where}", 3)]
            if is_begin:
                full_name = one.begin(bounds)
                assert processes[number].begin(bounds) == full_name
                if full_name is None:
                    going.append((number, [bound.name for bound in bounds]))
            elif going:
                number, names = going.pop(who % len(going))
                one.end(names)
                processes[number].end(names)

    agree()


def test_what_a_process_did_that_died_is_over_within_seconds(join: Join) -> None:
    here = process(join)
    dying = join()
    RedisAtOnce(dying).begin([Bound("alice", 1)])
    dying.connect()
    assert eventually(lambda: dying.processes == 2)
    assert here.begin([Bound("alice", 1)]) == "alice"
    # It beats no more and does not say that it ends.
    dying._ended.set()

    def has_lapsed() -> bool:
        with dying.calling() as calls:
            calls.zadd(dying.key("processes"), {dying.process: time.time() + 0.1})
        time.sleep(0.2)
        return here.begin([Bound("alice", 1)]) is None

    assert eventually(has_lapsed)


def test_redis_is_told_again_what_goes_on(join: Join, own_redis: RedisServer) -> None:
    connections = [join(url=own_redis.url) for _ in range(2)]
    here, there = (RedisAtOnce(connection) for connection in connections)
    for connection in connections:
        connection.connect()
    assert eventually(lambda: [one.processes for one in connections] == [2, 2])
    for _ in range(2):
        assert here.begin([Bound("alice", 4)]) is None
    own_redis.kill()
    assert here.begin([Bound("alice", 4)]) == "alice", "half of it is this process's share"
    here.end(["alice"])
    assert there.begin([Bound("alice", 4)]) is None
    own_redis.start()
    assert eventually(lambda: not any(one.is_away for one in connections))
    assert eventually(lambda: [one.processes for one in connections] == [2, 2])
    names = [(here, there)[number % 2].begin([Bound("alice", 4)]) for number in range(4)]
    assert names == [None, None, "alice", "alice"]
