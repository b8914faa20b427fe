"""Who is turned away is turned away by the head of the request; bodies are bounded while they come.

The senders here announce a body and send none of it, or stop somewhere: an answer that comes all
the same was made without the body.
"""

import errno
import itertools
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests

from app import create_app
from chat.settings.model import Settings
from chat.visitors.limits.bodies import LEFT_FREE, MOST_BYTES, SMALL
from chat.visitors.limits.rates import MEGABYTE
from tests.kit.emulator import Emulator, coze
from tests.kit.interface import DOCUMENT
from tests.kit.patience import eventually, soon
from tests.kit.site import Site, Visitor
from tests.kit.small_disk import fill, small_disk
from tests.kit.sockets import SOON_S

Start = Callable[..., Site]
CODE = "brass-lantern-42"
LARGE = 34 * MEGABYTE
POSTS = [
    re.sub(r"{\w+}", "nowhere", path) for path, item in DOCUMENT["paths"].items() if "post" in item
]
OPEN = ("/sign-in", "/sign-out", "/csp-report", "/nowhere")
KINDS = {
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "files": "multipart/form-data; boundary=a",
}
FILE_HEAD = b'--a\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
FILE = FILE_HEAD + b"\x89PNG\r\n\x1a\n" + b"0" * 64 + b"\r\n--a--\r\n"


@pytest.fixture(scope="module")
def open_site(emulator: Emulator, keep_site: Start) -> Site:
    """Everybody may ask; it is behind one proxy, so that a test says where a request comes from."""
    rates = {"VISITOR_RATE": "3/minute", "ADDRESS_SHARE": 3, "TRUSTED_PROXIES": 1}
    return keep_site(**coze(emulator), **rates, UPLOAD_MAX_MB=20)


@pytest.fixture(scope="module")
def closed_site(emulator: Emulator, keep_site: Start) -> Site:
    """For those with a code."""
    return keep_site(**coze(emulator), ACCESS_CODES=CODE)


addresses = (
    f"198.51.{third}.{fourth}" for third, fourth in itertools.product(range(256), repeat=2)
)


def head(path: str, kind: str, length: int | None, headers: tuple[str, ...] = ()) -> bytes:
    """The head of a POST from an address that was not there before."""
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        f"Content-Type: {KINDS[kind]}",
        f"X-Forwarded-For: {next(addresses)}",
        size,
        *headers,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def open_line(site: Site) -> socket.socket:
    return socket.create_connection(("127.0.0.1", site.port), timeout=SOON_S)


def status(line: socket.socket, patience_s: float = SOON_S) -> int:
    """The status of the answer on a connection; 0 when none comes in time."""
    line.settimeout(patience_s)
    try:
        answer = line.recv(65536)
    except TimeoutError:
        return 0
    assert answer.startswith(b"HTTP/1.1 "), answer
    return int(answer.split()[1])


def ask_with_head_only(site: Site, *arguments: object, **options: object) -> tuple[int, bytes]:
    """The status and the head of the answer to a request whose body is never sent."""
    with open_line(site) as line:
        line.sendall(head(*arguments, **options))  # type: ignore[arg-type]
        answer = line.recv(65536)
    return int(answer.split()[1]), answer.partition(b"\r\n\r\n")[0]


# the body of who is turned away


@pytest.mark.parametrize("path", [*POSTS, "/nowhere"])
@pytest.mark.parametrize("kind", KINDS)
def test_who_is_turned_away_is_answered_before_the_body(
    open_site: Site, closed_site: Site, path: str, kind: str
) -> None:
    for length in (LARGE, None):
        if path not in OPEN:
            code, answer = ask_with_head_only(closed_site, path, kind, length)
            assert code == 401 and b"Connection: close" in answer
        cross_site = ("Sec-Fetch-Site: cross-site",)
        code, answer = ask_with_head_only(open_site, path, kind, length, cross_site)
        assert code == 403 and b"Connection: close" in answer
    code, answer = ask_with_head_only(open_site, path, kind, 10**12)
    assert code in (404, 413) and b"Connection: close" in answer


def test_who_asks_too_often_is_answered_before_the_body(open_site: Site) -> None:
    alice, here = Visitor(open_site.url), "192.0.2.1"
    alice.session.headers["X-Forwarded-For"] = here
    alice.get("/")
    for _ in range(3):
        assert alice.ask("hi").ok
    cookies = "; ".join(f"{name}={value}" for name, value in alice.session.cookies.items())
    with open_line(open_site) as line:
        request = head("/chat", "json", 1000, (f"Cookie: {cookies}",))
        line.sendall(re.sub(rb"For: \S+", f"For: {here}".encode(), request))
        assert status(line) == 429


def test_little_of_a_body_is_taken_from_who_is_turned_away(closed_site: Site) -> None:
    """What the sender got rid of lies in the buffers of the system; the server reads 256 kB."""
    with open_line(closed_site) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
        line.sendall(head("/files", "files", LARGE))
        sent = 0
        with pytest.raises(OSError):
            while sent < LARGE:
                sent += line.send(b"x" * 65536)
        assert sent < 8 * MEGABYTE
        assert line.recv(65536).startswith(b"HTTP/1.1 401 "), "the answer is there all the same"


def test_who_waits_to_be_told_sends_nothing_in_vain(closed_site: Site, open_site: Site) -> None:
    expects = ("Expect: 100-continue",)
    code, answer = ask_with_head_only(closed_site, "/files", "files", len(FILE), expects)
    assert code == 401 and b"Connection: close" in answer
    with open_line(open_site) as line:
        line.sendall(head("/files", "files", len(FILE), expects))
        assert line.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.sendall(FILE)
        assert status(line) == 201


def test_a_connection_stays_after_a_small_body_that_was_not_read(closed_site: Site) -> None:
    with requests.Session() as session:
        for _ in range(3):
            response = session.post(f"{closed_site.url}/chat", json={"message": "hi"}, timeout=10)
            assert response.status_code == 401
            assert response.headers["Connection"] == "keep-alive"


# how large a body may be

BOUNDS = [
    ("/chat", "json", MEGABYTE),
    ("/chat", "form", MEGABYTE),
    ("/chat", "files", 36 * MEGABYTE),
    ("/files", "files", 20 * MEGABYTE + SMALL),
    ("/device/claim", "form", SMALL),
    ("/c/nowhere/title", "json", SMALL),
    ("/sign-in", "files", SMALL),
]


@pytest.mark.parametrize(("path", "kind", "most"), BOUNDS)
def test_each_route_has_its_largest_body(
    open_site: Site, closed_site: Site, path: str, kind: str, most: int
) -> None:
    site = closed_site if path == "/sign-in" else open_site
    assert ask_with_head_only(site, path, kind, most + 1)[0] == 413
    with open_line(site) as line:
        line.sendall(head(path, kind, most))
        assert status(line, patience_s=0.3) == 0, "the server waits for the body"


@pytest.mark.parametrize(("path", "kind", "most"), [BOUNDS[0], *BOUNDS[3:6]])
def test_a_body_without_a_length_is_as_long_at_most(
    open_site: Site, path: str, kind: str, most: int
) -> None:
    with open_line(open_site) as line:
        line.sendall(head(path, kind, None))
        start = FILE_HEAD if kind == "files" else b"{"
        line.sendall(f"{len(start):x}\r\n".encode() + start + b"\r\n")
        sent = 0
        try:
            while sent <= most:
                line.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                sent += 65536
        except OSError:
            pass
        assert status(line) == 413


def test_a_page_reads_no_body(open_site: Site) -> None:
    with open_line(open_site) as line:
        line.sendall(head("/", "files", LARGE).replace(b"POST", b"GET", 1))
        assert status(line) == 200


# how much at once


@contextmanager
def unfinished_bodies(site: Site) -> Iterator[list[int]]:
    """Thirty bodies of 20 MB at once, none of which ends: the statuses so far, 0 where none came.

    Their connections are closed behind.
    """

    def send(line: socket.socket) -> int:
        try:
            line.sendall(head("/files", "files", 20 * MEGABYTE) + FILE_HEAD)
            for _ in range(19 * 16):
                line.sendall(b"x" * 65536)
        except OSError:
            pass
        return status(line, patience_s=0.5)

    with ExitStack() as stack:
        lines = [stack.enter_context(open_line(site)) for _ in range(30)]
        with ThreadPoolExecutor(len(lines)) as senders:
            codes = list(senders.map(send, lines))
        yield codes


def test_unfinished_bodies_do_not_fill_the_disk(emulator: Emulator, start_site: Start) -> None:
    site = start_site(**coze(emulator), VISITOR_RATE="20/minute", ADDRESS_SHARE=3)
    with unfinished_bodies(site) as codes:
        assert codes.count(0) == 5, "three times the largest body are on their way"
        assert codes.count(429) == 25
        assert Visitor(site.url).ask("and a question?").ok
        sent = Visitor(site.url).post("/files", files={"file": ("a.png", FILE[len(FILE_HEAD) :])})
        assert sent.status_code == 201, "a small file finds its way"
    assert eventually(lambda: ask_with_head_only(site, "/files", "files", 25 * MEGABYTE)[0] == 413)


def test_bodies_that_stall_at_every_point_hold_nobody_up(open_site: Site) -> None:
    whole = head("/files", "files", len(FILE)) + FILE
    cuts = range(len(whole) - len(FILE), len(whole), 3)
    with ExitStack() as stack:
        for cut in cuts:
            line = stack.enter_context(open_line(open_site))
            line.sendall(re.sub(rb"For: \S+", f"For: {next(addresses)}".encode(), whole[:cut]))
        began = time.monotonic()
        alice = Visitor(open_site.url)
        alice.session.headers["X-Forwarded-For"] = "192.0.2.2"
        assert alice.ask("and a question?").ok
        assert alice.post("/files", files={"file": ("a.png", FILE[len(FILE_HEAD) :])}).ok
        assert time.monotonic() - began < soon(2)
    assert eventually(lambda: alice.get("/healthz").ok)
    assert "Traceback" not in open_site.log, open_site.log


def test_three_hundred_addresses_at_once_are_served(open_site: Site) -> None:
    results: list[int] = []

    def visit(address: str) -> None:
        headers = {"X-Forwarded-For": address}
        results.append(requests.get(open_site.url, headers=headers, timeout=60).status_code)

    threads = [threading.Thread(target=visit, args=(next(addresses),)) for _ in range(300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [200] * 300


# a small disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Room for a site, its temporary files, what has to stay free, and 60 MB."""
    with small_disk(tmp_path / "disk", LEFT_FREE // MEGABYTE + 60) as place:
        yield place


def send_much(site: Site) -> None:
    """What strangers send who fill the disk if they can."""
    with unfinished_bodies(site):
        pass


@pytest.mark.parametrize("has_codes", [True, False])
def test_on_a_small_disk_no_stranger_makes_a_question_fail(
    emulator: Emulator, start_site: Start, disk: Path, has_codes: bool
) -> None:
    codes = {"ACCESS_CODES": CODE} if has_codes else {}
    site = start_site(folder=disk, **coze(emulator), **codes, TMPDIR=disk, TRUSTED_PROXIES=1)
    alice = Visitor(site.url)
    if has_codes:
        assert alice.post("/sign-in", data={"code": CODE}).ok
    answers: list[int] = []
    flood = threading.Thread(target=send_much, args=(site,))
    flood.start()
    while flood.is_alive():
        answers.append(alice.ask("x" * 5000).status_code)
    flood.join()
    assert answers and set(answers) == {200}
    assert alice.get("/readyz").ok
    assert "Traceback" not in site.log, site.log


def test_a_disk_that_fills_while_a_body_comes_is_the_contract_s_refusal(
    emulator: Emulator, start_site: Start, disk: Path
) -> None:
    site = start_site(folder=disk, **coze(emulator), TMPDIR=disk)
    with open_line(site) as line:
        line.sendall(head("/files", "files", 20 * MEGABYTE) + FILE_HEAD)
        for _ in range(5 * 16):
            line.sendall(b"x" * 65536)
        fill(disk / "filler")
        try:
            for _ in range(14 * 16):
                line.sendall(b"x" * 65536)
        except OSError:
            pass
        assert status(line) == 502
    (disk / "filler").unlink()
    assert eventually(lambda: Visitor(site.url).ask("after").ok)
    assert "Traceback" not in site.log, site.log


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_no_room_anywhere_is_the_contract_s_refusal(tmp_path: Path, number: int) -> None:
    app = create_app(
        Settings(database_url=f"sqlite:///{tmp_path}/chat.db", demo_url="http://127.0.0.1:1")
    )

    @app.get("/full")
    def full() -> str:
        raise OSError(number, "no room")

    response = app.test_client().get("/full")
    assert response.status_code == 502 and response.json["code"] == "unavailable"
    assert response.headers["Retry-After"]


def test_all_bodies_together_are_bounded() -> None:
    """Less than a small server has to spare, more than its visitors send at once."""
    assert 7 * 36 * MEGABYTE <= MOST_BYTES < 512 * MEGABYTE
