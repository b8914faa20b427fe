"""Clients that are silent, slow or do not read are dropped and hold up nobody."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
import requests

from chat.server.slow_clients import QUIET_S, TimedSocket
from tests.kit.emulator import Emulator, coze
from tests.kit.patience import ALLOWANCE, soon
from tests.kit.site import Site

HEAD_S = 15
IDLE = 1000
POST = b"POST /chat HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def site(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    return keep_site(**coze(emulator))


def open_line(site: Site) -> socket.socket:
    return socket.create_connection(("127.0.0.1", site.port), timeout=60)


def seconds_until_closed(
    connection: socket.socket, say: bytes = b"", every_s: float = 0.2
) -> float:
    """How long the site keeps a connection on which a byte comes now and then, or none."""
    began = time.monotonic()
    connection.settimeout(every_s)
    rest = iter(say)
    while time.monotonic() - began < 60:
        try:
            if (byte := next(rest, None)) is not None:
                connection.sendall(bytes([byte]))
            if not connection.recv(65536):
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - began


def test_a_client_that_hangs_up_is_noticed_and_one_that_waits_or_speaks_is_not() -> None:
    here, there = socket.socketpair()
    with here, there:
        connection = TimedSocket(here)
        assert not connection.has_hung_up
        there.sendall(b"GET")
        assert not connection.has_hung_up
        assert connection.recv(10) == b"GET", "looking takes nothing"
        there.close()
        assert connection.has_hung_up


def test_everybody_who_dawdles_is_let_go_in_time(site: Site) -> None:
    """One test for all of them, since each takes as long as the site has patience."""
    ways = {
        "silent": (b"", b"", HEAD_S),
        "half a head": (POST, b"", HEAD_S),
        "a head byte by byte": (POST, b"X-Slow: " + b"a" * 1000, HEAD_S),
        "no body": (POST + b"Content-Length: 100\r\n\r\n", b"", QUIET_S),
        "a body byte by byte": (POST + b"Content-Length: 1000\r\n\r\n", b"{" + b" " * 900, QUIET_S),
        "chunks byte by byte": (
            POST + b"Transfer-Encoding: chunked\r\n\r\n",
            b"1\r\n{\r\n" * 100,
            QUIET_S,
        ),
        "a body for nobody": (
            POST.replace(b"chat", b"nowhere") + b"Content-Length: 1000\r\n\r\n",
            b" " * 900,
            HEAD_S,
        ),
    }
    took: dict[str, float] = {}

    def dawdle(name: str, head: bytes, rest: bytes) -> None:
        with open_line(site) as connection:
            connection.sendall(head)
            took[name] = seconds_until_closed(connection, rest)

    threads = [threading.Thread(target=dawdle, args=(name, *way[:2])) for name, way in ways.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, (_, _, patience) in ways.items():
        assert took[name] < patience + 3 * ALLOWANCE, (name, took)
    assert took["silent"] > HEAD_S - 2 and took["no body"] > QUIET_S - 2, took
    assert "Traceback" not in site.log


def test_a_thousand_idle_connections_keep_nobody_waiting(site: Site) -> None:
    with ExitStack() as lines:
        for number in range(IDLE):
            connection = lines.enter_context(open_line(site))
            if number % 2:
                connection.sendall(POST)
        slowest = 0.0
        for _ in range(20):
            began = time.monotonic()
            assert requests.get(f"{site.url}/", timeout=10).status_code == 200
            slowest = max(slowest, time.monotonic() - began)
    assert slowest < soon(3)


@contextmanager
def pair(quiet_s: float, slowest: float = 1e9) -> Iterator[tuple[TimedSocket, socket.socket]]:
    here, there = socket.socketpair()
    with here, there:
        yield TimedSocket(here, quiet_s, slowest), there


def test_a_body_has_its_time_as_a_whole() -> None:
    with pair(0.3) as (connection, visitor):
        connection.expect_body()
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            while True:
                visitor.sendall(b"x")
                connection.recv(10)
                time.sleep(0.01)
        assert 0.2 < time.monotonic() - began < 0.3 + ALLOWANCE
        assert connection.is_late


def test_a_body_that_gets_on_has_time_for_all_of_it() -> None:
    with pair(0.3, slowest=1000) as (connection, visitor):
        connection.expect_body()
        for _ in range(6):
            visitor.sendall(b"x" * 200)
            assert len(connection.recv(4096)) == 200
            time.sleep(0.1)
        visitor.sendall(b"y")
        assert connection.recv(10) == b"y"


def test_who_sent_much_at_once_has_bought_no_silence() -> None:
    with pair(0.2, slowest=1000) as (connection, visitor):
        connection.expect_body()
        visitor.sendall(b"x" * 100_000)
        got = 0
        while got < 100_000:
            got += len(connection.recv(65536))
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            connection.recv(10)
        assert time.monotonic() - began < 0.3 + ALLOWANCE


def test_who_waits_for_a_request_is_watched_by_the_server() -> None:
    with pair(0.05) as (connection, visitor):
        connection.expect_body()
        connection.expect_request()
        threading.Timer(0.2, visitor.sendall, (b"x",)).start()
        assert connection.recv(10) == b"x"


def test_who_does_not_listen_is_let_go() -> None:
    with pair(0.2) as (connection, _):
        began = time.monotonic()
        with pytest.raises(BrokenPipeError):
            connection.sendall(b"x" * 50_000_000)
        assert time.monotonic() - began < 0.3 + ALLOWANCE


def test_who_listens_slowly_gets_it_all() -> None:
    with pair(0.2, slowest=1_000_000) as (connection, visitor):
        got: list[int] = []

        def listen() -> None:
            while sum(got) < 1_000_000:
                got.append(len(visitor.recv(100_000)))
                time.sleep(0.04)

        listener = threading.Thread(target=listen)
        listener.start()
        connection.sendall(b"x" * 1_000_000)
        listener.join(10)
        assert sum(got) == 1_000_000
