"""What a picture costs its platform: one fetch for all readers, within bounds, whatever comes."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.parse import quote, urlsplit

import pytest
import requests

from chat.files.failures import PAUSE_S, Failures
from chat.files.pictures import AT_ONCE, MOST_BYTES, Pictures
from chat.refusals import PictureRefusal, RateRefusal, Refusal
from tests.kit.pictures import cache_of_site, pictures_of_site
from tests.kit.raw import Server
from tests.kit.site import Site

KEY = "a key for tests, nothing else"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nConnection: close\r\n"
LARGE = PNG + b"\0" * (MOST_BYTES - len(PNG))
DAY_S = 24 * 3600


class Platform:
    """A server of pictures that counts what it sends; a picture's path says how it behaves."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.sent = 0
        self.server = Server(self._answer)

    @property
    def fetches(self) -> int:
        return len(self.server.requests)

    def url(self, path: str) -> str:
        return f"{self.server.url}/{path}"

    def _answer(self, line: socket.socket, request: bytes) -> None:
        path = request.split()[1].decode()
        with suppress(OSError):
            if "held" in path:
                self.release.wait(10)
            if "endless" in path:
                self._send(line, HEAD + b"\r\n" + PNG)
                while True:
                    self._send(line, b"\0" * 65536)
            data = LARGE if "large" in path else PNG
            length = 2**40 if "boasting" in path else len(data) + ("short" in path) * 5
            self._send(line, HEAD + b"Content-Length: %d\r\n\r\n" % length)
            for position in range(0, len(data), 65536):
                self._send(line, data[position : position + 65536])

    def _send(self, line: socket.socket, data: bytes) -> None:
        line.sendall(data)
        self.sent += len(data)


@pytest.fixture
def platform() -> Iterator[Platform]:
    platform = Platform()
    yield platform
    platform.release.set()
    platform.server.close()


def fetch(pictures: Pictures, url: str, address: str = "198.51.100.7") -> bytes:
    return b"".join(pictures.fetch(pictures.sign(url), url, address).pieces())


def refusal(pictures: Pictures, url: str) -> str:
    with pytest.raises(Refusal) as caught:
        fetch(pictures, url)
    return caught.value.code


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_thirty_readers_of_a_picture_cost_one_fetch(platform: Platform) -> None:
    pictures = pictures_of_site(KEY, seats=1)
    url = platform.url("held")
    with ThreadPoolExecutor(30) as readers:
        answers = [
            readers.submit(fetch, pictures, url, f"198.51.100.{number % 3}") for number in range(30)
        ]
        wait_for(lambda: platform.fetches == 1)
        platform.release.set()
        assert {answer.result() for answer in answers} == {PNG}
    assert fetch(pictures, url) == PNG
    assert platform.fetches == 1


def test_slow_pictures_of_an_address_leave_seats_to_others(platform: Platform) -> None:
    pictures = pictures_of_site(KEY, seats=3)
    with ThreadPoolExecutor(10) as readers:
        slow = [readers.submit(fetch, pictures, platform.url(f"held{n}")) for n in range(10)]
        wait_for(lambda: platform.fetches == 3)
        assert fetch(pictures, platform.url("quick"), "203.0.113.9") == PNG
        assert platform.fetches == 4
        platform.release.set()
        assert {answer.result() for answer in slow} == {PNG}


def test_seats_are_bounded_in_all(platform: Platform) -> None:
    pictures = pictures_of_site(KEY, seats=3)
    with ThreadPoolExecutor(30) as readers:
        slow = [
            readers.submit(fetch, pictures, platform.url(f"held{n}"), f"198.51.100.{n}")
            for n in range(30)
        ]
        wait_for(lambda: platform.fetches == AT_ONCE)
        time.sleep(0.1)
        assert platform.fetches == AT_ONCE
        platform.release.set()
        assert {answer.result() for answer in slow} == {PNG}


@pytest.mark.parametrize(
    ("path", "code", "most_bytes"),
    [
        ("endless", "unavailable", MOST_BYTES + 8 * 2**20),
        ("boasting", "unavailable", 2**20),
        ("short", "unavailable", 2**20),
    ],
)
def test_a_platform_that_lies_about_lengths_is_refused_soon(
    platform: Platform, path: str, code: str, most_bytes: int
) -> None:
    cache = cache_of_site()
    pictures = pictures_of_site(KEY, cache=cache)
    assert refusal(pictures, platform.url(path)) == code
    # Sockets hold a few megabytes besides.
    assert platform.sent <= most_bytes
    assert cache.size == 0
    # And for whoever asks again at once.
    assert refusal(pictures, platform.url(path)) == code
    assert platform.fetches == 1


def test_what_failed_is_tried_again_after_a_while() -> None:
    now = 1000.0
    failures = Failures(lambda: now, most=2)
    failures.add("a", PictureRefusal("timeout"))
    with pytest.raises(PictureRefusal, match="timeout"):
        failures.check("a")
    failures.check("b")
    now += PAUSE_S
    failures.check("a")
    for url in "abc":
        failures.add(url, PictureRefusal("unavailable"))
    failures.check("a")
    with pytest.raises(PictureRefusal):
        failures.check("b")


def test_fetches_have_a_rate_by_address_and_copies_have_none(platform: Platform) -> None:
    pictures = pictures_of_site(KEY, rate="20/minute")
    for number in range(360):
        assert fetch(pictures, platform.url(f"{number}")) == PNG
    with pytest.raises(RateRefusal) as caught:
        fetch(pictures, platform.url("one-more"))
    assert caught.value.retry_after and platform.fetches == 360
    assert fetch(pictures, platform.url("359")) == PNG
    assert fetch(pictures, platform.url("one-more"), "203.0.113.9") == PNG


def test_large_pictures_count_by_the_megabyte(platform: Platform) -> None:
    pictures = pictures_of_site(KEY, rate="20/minute")
    with pytest.raises(RateRefusal):
        for number in range(100):
            fetch(pictures, platform.url(f"large{number}"))
    assert platform.fetches <= 360 / 11 + 1


def test_an_address_is_the_same_all_day_and_good_until_the_end_of_the_next(
    platform: Platform,
) -> None:
    midnight = 1_800_000_000 // DAY_S * DAY_S - 8 * 3600
    now = float(midnight)
    pictures = pictures_of_site(KEY, clock=lambda: now)
    url = platform.url("a.png")
    signature = pictures.sign(url)
    now = midnight + DAY_S - 1
    assert pictures.sign(url) == signature
    # The clock of another process may be ahead.
    now = midnight - 1
    assert pictures.fetch(signature, url)
    now = midnight + 2 * DAY_S - 1
    assert pictures.fetch(signature, url) and pictures.sign(url) != signature
    now = midnight + 2 * DAY_S
    with pytest.raises(Refusal, match="not_found"):
        pictures.fetch(signature, url)
    assert platform.fetches == 1


def test_a_full_disk_takes_no_picture(platform: Platform) -> None:
    pictures = pictures_of_site(KEY, cache=cache_of_site(room=2**20))
    assert refusal(pictures, platform.url("a.png")) == "unavailable"


def test_readers_who_hang_up_or_hold_on_cost_the_platform_nothing_more(
    platform: Platform, start_site: Callable[..., Site]
) -> None:
    site = start_site(
        SECRET_KEY=KEY, COZE_API_TOKEN="t", COZE_BOT_ID="1", COZE_API_BASE="http://127.0.0.1:9"
    )
    pictures = pictures_of_site(KEY)

    def path(url: str) -> str:
        return f"/pictures/{pictures.sign(url)}?url={quote(url, safe='')}"

    def begin(url: str) -> socket.socket:
        reader = socket.create_connection(("127.0.0.1", urlsplit(site.url).port or 0), 10)
        reader.sendall(f"GET {path(url)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert reader.recv(100).startswith(b"HTTP/1.1 200")
        return reader

    url = platform.url("large")
    for _ in range(60):
        begin(url).close()
    assert requests.get(site.url + path(url), timeout=10).content == LARGE
    assert platform.fetches == 1

    holding_on = begin(url)
    # As many as make the one that is read slowly give way.
    for number in range(14):
        response = requests.get(site.url + path(platform.url(f"large{number}")), timeout=10)
        assert len(response.content) == MOST_BYTES
    received = 100
    with holding_on, suppress(ConnectionError):
        while piece := holding_on.recv(2**20):
            received += len(piece)
    assert received < MOST_BYTES
    assert "Traceback" not in site.log
