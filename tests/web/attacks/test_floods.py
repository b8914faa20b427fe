"""Endless bodies and thousands of connections keep nobody waiting."""

import os
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import requests

from chat.server.connections import PER_ADDRESS
from tests.kit.attacks import ENDS
from tests.kit.emulator import Emulator, coze
from tests.kit.site import Site, Visitor
from tests.kit.sockets import SOON_S, send

CROWD = 5000


def test_an_oversized_body_is_refused_before_it_is_sent(site: Site) -> None:
    for kind in (
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=a",
    ):
        for path in ("/chat", "/files", "/device/claim", "/c/nowhere/title"):
            head = f"POST {path} HTTP/1.1\r\nContent-Type: {kind}\r\nContent-Length: {10**12}\r\n"
            heard = send(site.port, head.encode() + ENDS + b"\r\n{", is_whole=False)
            assert heard is not None, (path, kind)
            assert heard.status in (400, 404, 413), (path, kind)


@pytest.mark.parametrize("path", ["/chat", "/files"])
def test_an_endless_body_is_cut_short(site: Site, path: str) -> None:
    head = (
        f"POST {path} HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    )
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", site.port), timeout=SOON_S) as line:
        line.sendall(head.encode() + ENDS + b"\r\n")
        with pytest.raises(ConnectionError):
            while sent < 200:  # MB
                line.sendall(chunk)
                sent += 1
    assert sent < 100


@pytest.fixture
def many_files() -> Iterator[None]:
    """This process may open as many connections as the crowd has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < CROWD + 500:
        assert not os.environ.get("CI"), "too few open files to try it: ulimit -Hn"
        pytest.skip(f"needs {CROWD + 500} open files, may have {hard}: ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, CROWD + 500), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
@pytest.mark.parametrize("addresses", [1, 250])
@pytest.mark.parametrize("rates", [{}, {"VISITOR_RATE": "20/minute", "ADDRESS_SHARE": 3}])
def test_five_thousand_silent_connections_keep_nobody_waiting(
    emulator: Emulator,
    start_site: Callable[..., Site],
    addresses: int,
    rates: dict[str, object],
) -> None:
    site = start_site(**coze(emulator), **rates)
    with ExitStack() as stack:
        crowd = []
        for number in range(CROWD):
            line = socket.create_connection(
                ("127.0.0.1", site.port),
                timeout=SOON_S,
                source_address=(f"127.0.1.{1 + number % addresses}", 0),
            )
            crowd.append(stack.enter_context(line))
            line.sendall((b"", b"G", b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")[number % 3])
        began = time.monotonic()
        assert requests.get(f"{site.url}/", timeout=SOON_S).ok
        assert Visitor(site.url).ask("hello").ok
        assert time.monotonic() - began < SOON_S
        began = time.monotonic()
        with socket.create_connection(
            ("127.0.0.1", site.port), timeout=SOON_S, source_address=("127.0.1.1", 0)
        ) as line:
            line.sendall(b"GET /healthz HTTP/1.1\r\n" + ENDS + b"\r\n")
            assert line.recv(65536).startswith(b"HTTP/1.1 200 "), "the crowd's own address as well"
        assert time.monotonic() - began < SOON_S
        if rates and addresses == 1:
            assert sum(is_open(line) for line in crowd) <= PER_ADDRESS


def is_open(line: socket.socket) -> bool:
    """Whether the other side has not closed a connection on which nothing was said."""
    line.setblocking(False)
    try:
        return bool(line.recv(1))
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def test_bodies_sent_byte_by_byte_keep_nobody_waiting(site: Site) -> None:
    """How long exactly: tests/server/test_slow_clients.py. Meanwhile nobody else waits."""
    head = b"POST /chat HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"
    with ExitStack() as stack:
        lines = [
            stack.enter_context(socket.create_connection(("127.0.0.1", site.port), timeout=SOON_S))
            for _ in range(100)
        ]
        for line in lines:
            line.sendall(head + ENDS + b"\r\n{")
        for line in lines:
            line.sendall(b" ")
        began = time.monotonic()
        assert Visitor(site.url).ask("hello").ok
        assert time.monotonic() - began < SOON_S
