"""The connection of a process to Redis: leases, messages, outages."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from trustme import CA

from chat.settings.errors import SettingsError
from chat.shared.connection import BEAT_S, LEASE_S, Away, Connection, site_name
from tests.kit.patience import eventually, soon
from tests.kit.servers.redis import PASSWORD, RedisServer, redis_server

Join = Callable[..., Connection]


def lives(connection: Connection) -> bool:
    """Whether a call succeeds."""
    try:
        with connection.calling() as calls:
            return bool(calls.ping())
    except Away:
        return False


@pytest.mark.parametrize("end", ["/x", "/0;", "/-1", "/0/1"])
def test_a_database_that_is_no_number_is_refused(end: str) -> None:
    with pytest.raises(SettingsError, match="not the address of a Redis"):
        Connection(f"redis://127.0.0.1:1{end}")


def test_processes_know_how_many_they_are(join: Join) -> None:
    first, second = join(), join()
    first.connect()
    assert eventually(lambda: first.processes == 1)
    second.connect()
    assert eventually(lambda: first.processes == second.processes == 2)
    second.disconnect()
    assert eventually(lambda: first.processes == 1, 2 * LEASE_S)


def test_a_process_whose_lease_has_lapsed_is_no_longer_counted(join: Join) -> None:
    connection = join()
    connection.connect()
    with connection.calling() as calls:
        calls.zadd(connection.key("processes"), {"somebody": time.time() + BEAT_S + 1})
    assert eventually(lambda: connection.processes == 2)
    assert eventually(lambda: connection.processes == 1, 2 * BEAT_S + 1)


def test_a_message_reaches_every_process_of_the_site_and_no_other(
    join: Join, redis: RedisServer
) -> None:
    heard: list[tuple[str, str]] = []
    here, there = join(), join()
    stranger = Connection(redis.url, "another site")
    for name, connection in (("here", here), ("there", there), ("stranger", stranger)):
        connection.listen("owner", lambda text, name=name: heard.append((name, text)))
        connection.connect()
    assert eventually(lambda: here.processes == 2 and stranger.processes == 1)
    here.say("owner", "blocks: 张")
    assert eventually(lambda: len(heard) == 2)
    assert sorted(heard) == [("here", "blocks: 张"), ("there", "blocks: 张")]
    stranger.disconnect()


def test_redis_goes_and_comes_back_under_use(
    join: Join, own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "chat.redis")
    returns: list[bool] = []
    connection = join(url=own_redis.url)
    connection.at_return(lambda: returns.append(lives(connection)))
    connection.connect()
    assert eventually(lambda: returns == [True]), "at the first beat"
    own_redis.kill()
    assert not lives(connection) and connection.is_away
    began = time.monotonic()
    for _ in range(1000):
        assert not lives(connection)
    assert time.monotonic() - began < soon(0.5), "nobody waits for it"
    own_redis.start()
    assert eventually(lambda: lives(connection) and returns == [True, True])
    assert [line.levelname for line in caplog.records] == ["WARNING", "INFO"]
    assert PASSWORD not in caplog.text


def test_a_call_waits_a_second_for_a_redis_that_says_nothing(
    join: Join, own_redis: RedisServer
) -> None:
    connection = join(url=own_redis.url)
    assert lives(connection)
    own_redis.freeze()
    try:
        began = time.monotonic()
        assert not lives(connection)
        assert 0.9 < time.monotonic() - began < soon(2)
        assert not lives(connection)
        assert time.monotonic() - began < soon(2)
    finally:
        own_redis.thaw()


def test_a_redis_that_takes_nothing_more_is_away(
    join: Join, own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    connection = join(url=own_redis.url)
    connection.connect()
    assert eventually(lambda: connection.processes == 1 and lives(connection))
    with redis.Redis.from_url(own_redis.url) as owner:
        owner.config_set("maxmemory", "1")
        assert eventually(lambda: connection.is_away)
        time.sleep(1)
        assert connection.is_away, "though it answers"
        owner.config_set("maxmemory", "0")
        assert eventually(lambda: lives(connection))
    assert [line.levelname for line in caplog.records if line.levelname != "INFO"] == ["WARNING"]


def test_what_redis_forgot_is_told_again(join: Join, own_redis: RedisServer) -> None:
    returns: list[int] = []
    connection = join(url=own_redis.url)
    connection.at_return(lambda: returns.append(1))
    connection.connect()
    assert eventually(lambda: returns == [1])
    with connection.calling() as calls:
        calls.flushall()
    assert eventually(lambda: returns == [1, 1]), "though no call has failed"


def test_a_site_has_a_name_by_its_key_that_does_not_give_it_away() -> None:
    names = {site_name(f"a-secret-key-{number}") for number in range(100)}
    assert len(names) == 100 and not any("secret" in name for name in names)


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "redis://127.0.0.1/?colour=red", "rediss"])
def test_a_wrong_address_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(SettingsError):
        Connection(url)


def test_redis_is_reached_over_tls(join: Join, tmp_path: Path, authority: CA, bundle: Path) -> None:
    pem = authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem
    pem.write_to_path(str(tmp_path / "server.pem"))
    server = redis_server(tmp_path, tmp_path / "server.pem").start()
    try:
        assert lives(join(url=f"{server.url}?ssl_ca_certs={bundle}"))
        assert not lives(join(url=server.url)), "whom no authority vouches for is not believed"
    finally:
        server.end()
