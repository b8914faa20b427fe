"""The door to the network: what fails becomes ours and tells no secret, what waits can be
stopped.
"""

import gzip
import inspect
import json
import os
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache

import pytest
import requests
import urllib3
from trustme import CA

from providers.errors import (
    AuthRejected,
    NotConfigured,
    ProviderError,
    RateLimited,
    TimedOut,
    Unavailable,
    Unexpected,
)
from providers.http import Http, Network, parse_json, refusal, translate_error
from providers.stop import Stop, Stopped
from tests.kit.certificates import certified
from tests.kit.patience import ALLOWANCE, soon
from tests.kit.raw import Answer, Server, read_request

SECRET = "s3cr3t-in-the-address"
OK = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n"
    + b'{"code": 0}'
)
OPEN_END = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = OPEN_END + b"Transfer-Encoding: chunked\r\n\r\n"
CLOSING = OPEN_END + b"Connection: close\r\n\r\n"


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(answer: Answer, tls: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(answer, tls))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture(scope="session")
def tls(authority: CA) -> ssl.SSLContext:
    return certified(authority, "127.0.0.1", "localhost")


@pytest.fixture(params=["plain", "tls"])
def either(request, serve, tls, bundle) -> Callable[[Answer], tuple[Server, Http]]:
    """Starts a server, plain or over TLS, and a door that trusts it."""

    def start(answer: Answer) -> tuple[Server, Http]:
        is_secure = request.param == "tls"
        return serve(answer, tls if is_secure else None), door(
            ca_bundle=str(bundle) if is_secure else None
        )

    return start


@cache
def network(**options: str) -> Network:
    """One for all doors of a kind: the authorities are slow to load."""
    return Network(**options)


def door(**options: str | None) -> Http:
    return Http("coze", network(**{name: value for name, value in options.items() if value}))


def always(response: bytes, keep: bool = True) -> Answer:
    def answer(line: socket.socket, request: bytes) -> bool:
        line.sendall(response)
        return keep

    return answer


def says_nothing(line: socket.socket, request: bytes) -> None:
    line.recv(1)  # until the caller leaves


def reset(line: socket.socket, request: bytes) -> None:
    """Hangs up rudely: the caller sees a reset connection."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    line.close()


@contextmanager
def ends_within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds * ALLOWANCE


@contextmanager
def stopped_after(stop: Stop, seconds: float) -> Iterator[list[float]]:
    """Asks for the end from another thread; yields a list that will hold when."""
    when: list[float] = []
    timer = threading.Timer(seconds, lambda: (when.append(time.monotonic()), stop.request()))
    timer.start()
    yield when
    timer.join()


# Failures become ours, and tell no secret


def every_exception_of(module: object) -> list[type[BaseException]]:
    return [
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Exception) and not issubclass(kind, Warning)
    ]


def instance(kind: type[BaseException]) -> BaseException:
    """An exception of this kind, its text full of what must not be told."""
    for arguments in (
        [SECRET],
        [None, SECRET],
        [None, SECRET, SECRET],
        [SECRET, SECRET, 0],
        [404, 500],
        [],
    ):
        with suppress(TypeError, AttributeError):
            return kind(*arguments)
    with suppress(TypeError):
        return kind(SECRET, doc=SECRET, pos=0)  # type: ignore[call-arg]
    error = kind.__new__(kind)
    error.args = (SECRET,)
    return error


KINDS = {
    *every_exception_of(requests.exceptions),
    *every_exception_of(urllib3.exceptions),
    OSError,
    ValueError,
}


@pytest.mark.parametrize(
    "kind", sorted(KINDS, key=lambda kind: f"{kind.__module__}.{kind.__name__}")
)
def test_every_exception_below_us_has_a_counterpart_without_its_text(kind):
    if not issubclass(
        kind, requests.RequestException | urllib3.exceptions.HTTPError | OSError | ValueError
    ):
        pytest.skip("not raised by a request")
    failure = translate_error(instance(kind), "coze")
    assert isinstance(failure, ProviderError)
    assert failure.provider == "coze"
    assert SECRET not in str(failure)


def broken(body: bytes) -> Answer:
    return always(body, keep=False)


FAILURES = {
    "reset": reset,
    "closed before a word": lambda line, request: None,
    "no HTTP": broken(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    "half a head": broken(b"HTTP/1.1 200 OK\r\nContent-"),
    "half a body": broken(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
    "half a chunk": broken(CHUNKED + b"ff\r\nabc"),
    "no chunk": broken(CHUNKED + b"zz\r\n"),
    "no end of chunks": broken(CHUNKED + b"3\r\nabc\r\n"),
    "no gzip": broken(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
    "redirect": broken(
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2/?k=" + SECRET.encode() + b"\r\n\r\n"
    ),
    "too many headers": broken(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n"),
    "long header": broken(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000 + b"\r\n\r\n"),
    "silence": says_nothing,
}


@pytest.mark.parametrize("failure", FAILURES)
def test_no_failure_tells_the_address_not_even_in_a_traceback(serve, failure, caplog):
    caplog.set_level("DEBUG")
    server = serve(FAILURES[failure])
    secret = {"secretKey": SECRET}
    with pytest.raises(ProviderError) as caught:
        parse_json(
            door().call("GET", server.url, params=secret, deadline=time.monotonic() + 0.5)[1],
            "coze",
        )
    told = str(caught.value) + "".join(traceback.format_exception(caught.value)) + caplog.text
    assert SECRET not in told
    assert "127.0.0" not in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "address", ["coze.example", "ftp://127.0.0.1/", "http://", "http://*.a/", "http://[/"]
)
def test_an_address_that_is_none_is_for_the_owner_to_mend(address):
    with pytest.raises(NotConfigured) as caught:
        door().call("GET", f"{address}?k={SECRET}")
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_what_cannot_be_said_in_http_is_our_own_mistake(serve):
    server = serve(always(OK))
    with pytest.raises(Unexpected):
        door().call("POST", server.url, json={"a": float("nan")})
    with pytest.raises(ProviderError) as caught:
        door().call("GET", server.url, headers={"Authorization": f"Bearer {SECRET}\r\nX: y"})
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert server.requests == []


# Connections


def test_connections_are_kept_and_used_again(either):
    server, http = either(always(OK))
    for _ in range(20):
        response, body = http.call(
            "POST", server.url, json={"a": "你"}, deadline=time.monotonic() + 5
        )
        assert (response.status, json.loads(body)) == (200, {"code": 0})
    assert (server.connections, len(server.requests)) == (1, 20)


def test_an_answer_left_unread_costs_its_connection_and_nothing_else(serve):
    server = serve(always(CHUNKED + b"3\r\nabc\r\n"))
    http = door()
    for _ in range(3):
        with http.open("GET", server.url) as response:
            assert next(response.pieces()) == b"abc"
    assert server.connections == 3


def test_a_kept_connection_the_server_has_closed_is_replaced(serve):
    server = serve(always(OK, keep=False))
    http = door()
    for _ in range(3):
        http.call("GET", server.url)
        time.sleep(0.05)
    assert server.connections == 3


def test_redirects_are_not_followed_and_the_token_stays_here(serve):
    elsewhere = serve(always(OK))
    moved = f"HTTP/1.1 307 Moved\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n".encode()
    server = serve(always(moved))
    with pytest.raises(Unexpected, match="redirects"):
        door().call("POST", server.url, json={}, headers={"Authorization": f"Bearer {SECRET}"})
    assert elsewhere.requests == []


def test_cookies_are_not_kept(serve):
    cookie = b"Set-Cookie: session=1; Path=/\r\nContent-Length: 2\r\n\r\n{}"
    server = serve(always(b"HTTP/1.1 200 OK\r\n" + cookie))
    http = door()
    http.call("GET", server.url)
    http.call("GET", server.url)
    assert b"cookie" not in b"".join(server.requests).lower()


def test_netrc_and_credentials_of_the_environment_are_not_read(serve, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login alice password wonderland\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server = serve(always(OK))
    door().call("GET", server.url)
    assert b"authorization" not in server.requests[0].lower()


def test_parameters_go_into_the_query_and_join_one_that_is_there(serve):
    server = serve(always(OK))
    door().call("GET", server.url + "/v1?x=1", params={"conversation_id": "7", "名": "值 &"})
    assert server.requests[0].startswith(
        b"GET /v1?x=1&conversation_id=7&%E5%90%8D=%E5%80%BC+%26 HTTP/1.1\r\n"
    )


def test_a_file_goes_as_multipart(serve):
    server = serve(always(OK))
    door().call("POST", server.url, files={"file": ("a.txt", b"abc")})
    assert b'name="file"; filename="a.txt"' in server.requests[0]


# Connections that died


def answers_once_then(death: Answer) -> Answer:
    """Answers the first request of each connection; the second one dies so."""
    answered: set[socket.socket] = set()

    def answer(line: socket.socket, request: bytes) -> bool:
        if line in answered:
            death(line, request)
            return False
        answered.add(line)
        line.sendall(OK)
        return True

    return answer


def test_a_question_takes_no_connection_that_has_rested(serve):
    """Where the network has forgotten it, the question would hang and could not be asked again."""
    server = serve(answers_once_then(says_nothing))
    http = Http("coze", Network(question_idle=0.2))
    http.call("POST", server.url, json={"q": 1})
    time.sleep(0.3)
    with ends_within(2):
        http.call("POST", server.url, json={"q": 2})
    assert (server.connections, len(server.requests)) == (2, 2)


def test_a_question_takes_a_connection_that_is_young(serve):
    server = serve(always(OK))
    http = door()
    for _ in range(3):
        http.call("POST", server.url, json={})
    assert server.connections == 1


@pytest.mark.parametrize("death", [reset, lambda line, request: None])
def test_a_read_goes_on_a_fresh_connection_when_a_used_one_dies(serve, death):
    server = serve(answers_once_then(death))
    http = door()
    for _ in range(3):
        assert http.call("GET", server.url)[0].status == 200
    assert len(server.requests) == 5


@pytest.mark.parametrize("death", [reset, lambda line, request: None])
def test_a_question_that_was_written_whole_is_not_asked_twice(serve, death):
    server = serve(answers_once_then(death))
    http = door()
    http.call("POST", server.url, json={"q": 1})
    with pytest.raises(Unavailable):
        http.call("POST", server.url, json={"q": 2})
    time.sleep(0.1)
    assert len(server.requests) == 2


def test_a_question_that_was_not_written_whole_is_asked_on_a_fresh_connection(serve):
    def closes_in_mid_request(line: socket.socket) -> None:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        line.recv(1000)
        line.close()

    bodies: list[int] = []

    def answer(line: socket.socket, request: bytes) -> bool:
        bodies.append(len(request))
        line.sendall(OK)
        if len(bodies) == 1:
            closes_in_mid_request(line)
            return False
        return True

    server, http = serve(answer), door()
    http.call("POST", server.url, json={})
    # More than the buffers on the way hold, so that it cannot be written whole.
    assert http.call("POST", server.url, data=b"x" * 12_000_000)[0].status == 200
    assert bodies[1] > 12_000_000 and server.connections == 2


def test_connections_that_rested_beside_a_dead_one_are_not_used(serve):
    """After a burst of five only one question is lost with the connections of the burst."""
    server, http = serve(answers_once_then(reset)), door()
    everybody = threading.Barrier(5)

    def ask(_: int) -> None:
        with http.open("POST", server.url, json={}) as response:
            everybody.wait(5)
            response.read()

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(ask, range(5)))
        assert server.connections == 5
        with pytest.raises(Unavailable):
            http.call("POST", server.url, json={})
        # The next burst would find the four others.
        list(pool.map(ask, range(5)))
    assert server.connections == 10


def test_silent_connections_are_probed(serve):
    server = serve(always(OK))
    with door().open("GET", server.url) as response:
        line = response._wire._socket
        assert line is not None
        assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_a_body_shorter_than_its_length_is_unavailable_and_what_came_is_there(serve, encoding):
    body = gzip.compress(b"abc") if encoding else b"abc"
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding or 'identity'}\r\n"
    length = f"Content-Length: {len(body) + 7}\r\n\r\n"
    server = serve(broken((head + length).encode() + body))
    pieces = []
    with (
        pytest.raises(Unavailable, match="7 bytes too early"),
        door().open("GET", server.url) as response,
    ):
        for piece in response.pieces():
            pieces.append(piece)
    assert pieces == [b"abc"]


# Once and only once


def test_a_refused_connection_is_tried_again():
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    began = time.monotonic()
    with pytest.raises(Unavailable, match="refused"):
        door().call("POST", f"http://127.0.0.1:{port}", json={})
    assert 0.9 < time.monotonic() - began < 3


def test_a_platform_that_comes_up_in_time_gets_the_question():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))  # taken, and refusing until it listens
    threading.Timer(0.1, listener.listen).start()

    def serve() -> None:
        time.sleep(0.15)
        line, _ = listener.accept()
        read_request(line)
        line.sendall(OK)
        line.close()

    server = threading.Thread(target=serve)
    server.start()
    assert (
        door().call("POST", f"http://127.0.0.1:{listener.getsockname()[1]}", json={})[0].status
        == 200
    )
    server.join()
    listener.close()


@pytest.mark.parametrize("rudeness", [reset, lambda line, request: None])
def test_a_question_that_may_have_arrived_is_never_repeated(serve, rudeness):
    server = serve(rudeness)
    with pytest.raises(Unavailable):
        door().call("POST", server.url, json={"q": 1})
    time.sleep(0.1)
    assert (server.connections, len(server.requests)) == (1, 1)


# Stop and the deadline


def trickles(head: bytes, piece: bytes, pause: float = 0.02) -> Answer:
    def answer(line: socket.socket, request: bytes) -> None:
        line.sendall(head)
        while True:
            line.sendall(piece)
            time.sleep(pause)

    return answer


BODIES = {
    "chunked": CHUNKED + b"3\r\nabc\r\n",
    "until it closes": CLOSING + b"abc",
    "of known length": OPEN_END + b"Content-Length: 1000\r\n\r\nabc",
    "of known length, closing": OPEN_END + b"Connection: close\r\nContent-Length: 1000\r\n\r\nabc",
}


def first_then_silence(head: bytes) -> Answer:
    def answer(line: socket.socket, request: bytes) -> None:
        line.sendall(head)
        line.recv(1)

    return answer


def test_stop_ends_the_wait_for_the_first_byte(either):
    server, http = either(says_nothing)
    http_stop = Stop()
    with stopped_after(http_stop, 0.15) as when, pytest.raises(Stopped):
        http.call("POST", server.url, json={}, stop=http_stop)
    assert time.monotonic() - when[0] < soon(0.2)
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", BODIES)
def test_stop_ends_a_silent_body(either, body):
    server, http = either(first_then_silence(BODIES[body]))
    stop = Stop()
    got = []
    with (
        stopped_after(stop, 0.15) as when,
        pytest.raises(Stopped),
        http.open("GET", server.url, stop=stop) as r,
    ):
        got += r.pieces()
        got += r.pieces()
    assert time.monotonic() - when[0] < soon(0.2)
    del got


def test_stop_ends_a_body_that_never_pauses(either):
    server, http = either(trickles(CHUNKED, b"3\r\nabc\r\n", pause=0))
    stop = Stop()
    with (
        stopped_after(stop, 0.15) as when,
        pytest.raises(Stopped),
        http.open("GET", server.url, stop=stop) as r,
    ):
        for _ in r.pieces():
            pass
    assert time.monotonic() - when[0] < soon(0.2)


def test_stop_ends_a_handshake_nobody_answers(serve, bundle):
    stop = Stop()
    with socket.create_server(("127.0.0.1", 0)) as listener, stopped_after(stop, 0.15) as when:
        address = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(Stopped):
            door(ca_bundle=str(bundle)).call("GET", address, stop=stop)
        assert time.monotonic() - when[0] < soon(0.2)


def test_a_stop_from_before_sends_nothing(serve):
    server = serve(always(OK))
    stop = Stop()
    stop.request()
    with pytest.raises(Stopped):
        door().call("POST", server.url, json={}, stop=stop)
    assert server.connections == 0


def test_a_stop_ends_the_pause_before_another_try():
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    stop = Stop()
    with stopped_after(stop, 0.15) as when, pytest.raises(Stopped):
        door().call("GET", f"http://127.0.0.1:{port}", stop=stop)
    assert time.monotonic() - when[0] < soon(0.2)


def test_a_stop_after_the_answer_leaves_the_kept_connection_to_the_next(serve):
    server = serve(always(OK))
    http = door()
    stop = Stop()
    with http.open("GET", server.url, stop=stop) as response:
        assert b"".join(response.pieces()) == b'{"code": 0}'
        stop.request()
        assert http.call("GET", server.url)[0].status == 200
    assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        says_nothing,
        *(first_then_silence(body) for body in BODIES.values()),
        trickles(CHUNKED, b"3\r\nabc\r\n"),
        trickles(CLOSING, b"a"),
    ],
)
def test_the_deadline_holds_on_silence_and_on_trickles(either, answer):
    server, http = either(answer)
    with ends_within(0.7), pytest.raises(TimedOut):
        http.call("GET", server.url, deadline=time.monotonic() + 0.25)


def test_a_deadline_that_has_passed_sends_nothing(serve):
    server = serve(always(OK))
    with pytest.raises(TimedOut):
        door().call("POST", server.url, json={}, deadline=time.monotonic())
    assert server.connections == 0


def test_the_first_byte_has_its_own_time(serve):
    server = serve(says_nothing)
    with ends_within(0.7), pytest.raises(Unavailable):
        door().call("GET", server.url, timeout=0.2, deadline=time.monotonic() + 60)


@pytest.mark.parametrize("body", BODIES)
def test_quiet_ends_a_stream_that_has_gone_silent(serve, body):
    server = serve(first_then_silence(BODIES[body]))
    got = []
    with ends_within(0.7), pytest.raises(Unavailable), door().open("GET", server.url) as response:
        for piece in response.pieces(quiet=0.2):
            got.append(piece)
    assert b"".join(got) == b"abc"


def test_hurry_moves_the_deadline_nearer(serve):
    server = serve(trickles(CHUNKED, b"3\r\nabc\r\n"))
    deadline = time.monotonic() + 60
    with (
        ends_within(0.7),
        pytest.raises(TimedOut),
        door().open("GET", server.url, deadline=deadline) as r,
    ):
        r.hurry(0.2)
        for _ in r.pieces():
            pass


# Bodies


@pytest.mark.parametrize("head", [b"X: y\r\n", b"x" * 65536], ids=["many headers", "a long header"])
def test_a_head_that_does_not_end_is_ended(serve, head):
    def answer(line, request):
        line.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        for _ in range(1000):
            line.sendall(head)

    server = serve(answer)
    with pytest.raises(Unavailable):
        door().call("GET", server.url + "/x", deadline=time.monotonic() + 10)


def test_bodies_have_their_limits(serve):
    server = serve(trickles(CHUNKED, b"400\r\n" + b"x" * 1024 + b"\r\n", pause=0))
    with (
        pytest.raises(Unexpected, match="more than 10000 bytes"),
        door().open("GET", server.url) as response,
    ):
        response.read(limit=10_000)


def test_compressed_bodies_are_read_and_counted_as_what_they_become(serve):
    packed = gzip.compress(b"x" * 1_000_000)
    headers = f"Content-Encoding: gzip\r\nContent-Length: {len(packed)}"
    head = f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\n".encode()
    server = serve(always(head + packed))
    assert len(door().call("GET", server.url)[1]) == 1_000_000
    with pytest.raises(Unexpected), door().open("GET", server.url) as response:
        response.read(limit=100_000)


def test_a_compressed_stream_arrives_piece_by_piece(serve):
    go_on = threading.Event()

    def answer(line: socket.socket, request: bytes) -> None:
        packer = __import__("zlib").compressobj(wbits=31)
        line.sendall(OPEN_END + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
        for word in (b"one", b"two"):
            piece = packer.compress(word) + packer.flush(2)
            line.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            go_on.wait(5)
        piece = packer.flush()
        line.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(piece), piece))

    server = serve(answer)
    with door().open("GET", server.url) as response:
        pieces = response.pieces()
        assert next(pieces) == b"one"
        go_on.set()
        assert list(pieces) == [b"two"]


def test_pieces_come_when_they_come_chunked_or_not(either):
    for head, frame in ((CHUNKED, lambda p: b"%x\r\n%b\r\n" % (len(p), p)), (CLOSING, lambda p: p)):
        go_on = threading.Event()

        def answer(line, request, head=head, frame=frame, go_on=go_on):
            line.sendall(head + frame("图".encode()))
            go_on.wait(5)
            line.sendall(frame("书".encode()) + (b"0\r\n\r\n" if head is CHUNKED else b""))

        server, http = either(answer)
        with http.open("GET", server.url) as response:
            pieces = response.pieces()
            assert next(pieces).decode() == "图"
            go_on.set()
            assert b"".join(pieces).decode() == "书"


def test_json_that_is_none_is_named_by_its_size_only():
    for body, kind in (
        (b"<html>" + SECRET.encode(), Unexpected),
        (b"\xff", Unexpected),
        (b'{"a": b}', Unexpected),
        (b"", Unavailable),
        (b"[" * 100_000, Unavailable),
        (b'{"token": "' + SECRET.encode(), Unavailable),
        ("\ufeff".encode() + b'{"a": "\xe4\xbd'[3:], Unexpected),
    ):
        with pytest.raises(kind) as caught:
            parse_json(body, "coze")
        assert SECRET not in "".join(traceback.format_exception(caught.value))
        assert str(len(body)) in str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Unexpected),
        (401, AuthRejected),
        (403, AuthRejected),
        (404, NotConfigured),
        (408, Unavailable),
        (429, RateLimited),
        (500, Unavailable),
        (502, Unavailable),
        (599, Unavailable),
    ],
)
def test_a_status_alone_says_who_can_help(serve, status, kind):
    server = serve(
        always(f"HTTP/1.1 {status} x\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n".encode())
    )
    response, _ = door().call("GET", server.url)
    failure = refusal(response)
    assert (type(failure), failure.retry_after) == (kind, 7.0)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("-3", 0.0), ("0.5", 0.5), ("inf", None), ("nan", None), ("1e999", None), ("Wed", None)],
)
def test_a_pause_that_is_no_number_of_seconds_is_none(serve, said, seconds):
    server = serve(
        always(f"HTTP/1.1 429 x\r\nRetry-After: {said}\r\nContent-Length: 0\r\n\r\n".encode())
    )
    response, _ = door().call("GET", server.url)
    assert refusal(response).retry_after == seconds


# TLS and proxies


def test_an_authority_we_do_not_know_is_refused_and_named_as_the_reason(serve, tls):
    server = serve(always(OK), tls)
    with pytest.raises(Unavailable, match="certificate verify failed"):
        door().call("GET", server.url + f"/?{SECRET}", deadline=time.monotonic() + 5)
    assert server.requests == []


def test_a_certificate_for_another_name_is_refused(serve, authority, bundle):
    server = serve(always(OK), certified(authority, "coze.example"))
    with pytest.raises(Unavailable, match="certificate"):
        door(ca_bundle=str(bundle)).call("GET", server.url)
    assert server.requests == []


def test_the_bundle_replaces_the_usual_authorities(serve, tls, bundle):
    server = serve(always(OK), tls)
    assert door(ca_bundle=str(bundle)).call("GET", server.url)[0].status == 200


def test_a_proxy_is_used_when_it_is_set(serve):
    proxy = serve(always(OK))
    door(proxy=proxy.url).call("GET", "http://api.coze.invalid/v3/chat", params={"a": "b"})
    assert proxy.requests[0].startswith(b"GET http://api.coze.invalid/v3/chat?a=b HTTP/1.1")
    assert b"\r\nHost: api.coze.invalid\r\n" in proxy.requests[0]


def tunnels(line: socket.socket, request: bytes) -> None:
    host, port = request.split()[1].decode().split(":")
    onward = socket.create_connection((host, int(port)))
    line.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")

    def pour(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while part := source.recv(65536):
                target.sendall(part)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    threading.Thread(target=pour, args=(line, onward), daemon=True).start()
    pour(onward, line)
    onward.close()


def test_a_proxy_tunnels_tls_and_does_not_see_the_token(serve, tls, bundle):
    server, proxy = serve(always(OK), tls), serve(tunnels)
    http = door(ca_bundle=str(bundle), proxy=proxy.url)
    for _ in range(2):
        http.call("GET", server.url, headers={"Authorization": f"Bearer {SECRET}"})
    assert len(server.requests) == 2
    assert proxy.requests[0].startswith(b"CONNECT 127.0.0.1:")
    assert SECRET.encode() not in b"".join(proxy.requests)
    assert proxy.connections == 1


def test_stop_reaches_through_a_proxy(serve, tls, bundle):
    server, proxy = serve(says_nothing, tls), serve(tunnels)
    stop = Stop()
    with stopped_after(stop, 0.15) as when, pytest.raises(Stopped):
        door(ca_bundle=str(bundle), proxy=proxy.url).call("GET", server.url, stop=stop)
    assert time.monotonic() - when[0] < soon(0.2)


def test_a_proxy_that_is_down_is_unavailable_and_its_password_not_told(serve):
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    with pytest.raises(Unavailable) as caught:
        door(proxy=f"http://alice:{SECRET}@127.0.0.1:{port}").call(
            "GET", "http://api.coze.invalid/"
        )
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_the_proxies_of_the_environment_are_not_used(serve, monkeypatch):
    proxy, server = serve(always(OK)), serve(always(OK))
    for name in (
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ):
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", os.devnull)
    assert door().call("GET", server.url)[0].status == 200
    assert proxy.connections == 0


# Many at once


def test_fifty_threads_share_one_door_and_mix_nothing_up(serve):
    def echo(line: socket.socket, request: bytes) -> bool:
        number = request.split(b"?n=")[1].split()[0]
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(number), number))
        return True

    server, http = serve(echo), door()
    wrong: list[object] = []

    def ask(thread: int) -> None:
        for turn in range(20):
            number = f"{thread}-{turn}"
            body = http.call("GET", server.url, params={"n": number}, stop=Stop())[1]
            if body != number.encode():
                wrong.append((number, body))

    threads = [threading.Thread(target=ask, args=(thread,)) for thread in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(server.requests) == 1000
    assert server.connections <= 50
