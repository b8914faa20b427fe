"""Which agents cannot be reached, in one process or in all of them."""

from collections.abc import Callable

import pytest

from chat.agents.health import FAILURES, Health
from chat.agents.redis_health import RedisHealth
from chat.shared.connection import Connection
from providers.errors import ContentBlocked, Unavailable
from tests.kit.accounts import JumpingClock
from tests.kit.patience import eventually
from tests.kit.servers.redis import RedisServer

GONE = Unavailable("no way", provider="coze")
Join = Callable[..., Connection]


@pytest.fixture(params=["in memory", "in Redis"])
def health(request: pytest.FixtureRequest, clock: JumpingClock, join: Join) -> Health:
    return Health(clock) if request.param == "in memory" else RedisHealth(join(clock), clock)


def test_only_failures_in_a_row_and_of_late_say_that_an_agent_cannot_be_reached(
    health: Health, clock: JumpingClock
) -> None:
    for _ in range(2):
        health.note("a", GONE)
    health.note("a", None)
    health.note("a", GONE)
    assert health.unreachable() == {}, "an answer came in between"
    clock.jump(700)
    for _ in range(2):
        health.note("a", GONE)
    assert health.unreachable() == {}, "the first was long ago"
    clock.jump(10)
    health.note("a", GONE)
    assert health.unreachable() == {"a": pytest.approx(10, abs=1)}
    health.note("b", ContentBlocked("no", provider="coze"))
    clock.jump(3700)
    assert health.unreachable() == {}, "nobody has tried for an hour"
    for _ in range(4):
        health.note("a", ContentBlocked("no", provider="coze"))
    assert health.unreachable() == {}, "who refuses can be reached"


def test_processes_learn_from_each_other(join: Join) -> None:
    connections = [join(), join()]
    first, second = (RedisHealth(connection) for connection in connections)
    for connection in connections:
        connection.connect()
    for number in range(FAILURES):
        (first, second)[number % 2].note("a", GONE)
    assert eventually(lambda: {*first.unreachable()} == {*second.unreachable()} == {"a"})
    second.note("a", None)
    assert second.unreachable() == {}
    assert eventually(lambda: first.unreachable() == {})


def test_while_redis_is_away_a_process_goes_by_its_own_questions(
    join: Join, own_redis: RedisServer
) -> None:
    health = RedisHealth(join(url=own_redis.url))
    health.note("a", GONE)
    own_redis.kill()
    for _ in range(FAILURES - 1):
        health.note("a", GONE)
    assert {*health.unreachable()} == {"a"}
    health.note("a", None)
    assert health.unreachable() == {}
