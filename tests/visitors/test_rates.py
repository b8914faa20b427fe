"""How much a visitor may ask and send, by visitor and by address; how many answers may be read at once."""

import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import requests

from chat.refusals import FileRefusal, Refusal, StreamRefusal
from chat.visitors import rates as visitor_limits
from chat.visitors.addresses import address_of
from chat.visitors.rates import ADDRESS_SHARE, VisitorLimits, Windows, parse
from chat.visitors.streams import PER_ADDRESS, Streams, room
from tests.conftest import Emulator, coze
from tests.kit.company import soon
from tests.kit.site import Site, Visitor

Start = Callable[..., Site]
PICTURE = b"\x89PNG\r\n\x1a\n" + b"0" * 64
MINUTE, DAY = 60, 24 * 3600


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


# the rates and who they are for


def test_rates_are_read() -> None:
    assert parse("20/minute;300/day") == ((20, MINUTE), (300, DAY))
    assert parse("5 per 10 second, 7/hour") == ((5, 10), (7, 3600))
    assert parse("0") == parse("") == ()


@pytest.mark.parametrize(
    "wrong", ["often", "20", "20/fortnight", "20/minute;", "0/minute", "20/minute x", "-1/day"]
)
def test_what_is_no_rate_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(wrong)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        (None, ""),
        ("unix:", ""),
    ],
)
def test_an_address_is_one_place(address: str | None, place: str) -> None:
    assert address_of(address) == place


# counting


def test_a_window_moves() -> None:
    clock, rates = Clock(), ((2, 60.0), (3, 1000.0))
    windows = Windows(clock)
    for at in (0, 30):
        clock.now = 1000 + at
        assert windows.wait("alice", rates) == 0
        windows.add("alice", rates)
    assert windows.wait("alice", rates) == pytest.approx(30)
    assert windows.wait("bob", rates) == 0
    clock.now = 1060.0
    assert windows.wait("alice", rates) == 0
    windows.add("alice", rates)
    clock.now = 1200.0
    assert windows.wait("alice", rates) == pytest.approx(800), "the longer window is full by now"
    clock.now = 2000.0
    assert windows.wait("alice", rates) == 0


def test_several_at_a_time() -> None:
    clock, rates = Clock(), ((10, 60.0),)
    windows = Windows(clock)
    windows.add("alice", rates, 6)
    clock.now += 10
    windows.add("alice", rates, 3)
    assert windows.wait("alice", rates, 1) == 0
    assert windows.wait("alice", rates, 2) == pytest.approx(50)
    assert windows.wait("alice", rates, 8) == pytest.approx(60)
    assert windows.wait("alice", rates, 11) == float("inf")


def test_whoever_has_gone_is_forgotten() -> None:
    clock, rates = Clock(), ((5, 60.0),)
    windows = Windows(clock)
    for number in range(50_000):
        clock.now += 0.01
        windows.add(f"visitor {number}", rates)
    assert 5990 <= len(windows) <= 6010, "those of the last minute"
    clock.now += 61
    windows.add("one more", rates)
    assert len(windows) == 1


def test_even_a_flood_of_visitors_has_its_bound() -> None:
    windows = Windows(Clock())
    began = time.monotonic()
    for number in range(visitor_limits.MOST_NAMES + 20_000):
        windows.add(f"visitor {number}", ((5, 60.0),))
    assert len(windows) == visitor_limits.MOST_NAMES
    assert windows.wait(f"visitor {number}", ((1, 60.0),)) > 0, "those who came last are known"
    assert time.monotonic() - began < soon(5)


def test_an_address_has_three_times_as_much_and_a_refusal_counts_nothing() -> None:
    clock = Clock()
    limits = VisitorLimits("2/minute", 1, clock)
    for number in range(2 * ADDRESS_SHARE):
        limits.check(f"v{number}", "192.0.2.1")
        limits.ask(f"v{number}", "192.0.2.1")
    for _ in range(5):
        with pytest.raises(Refusal) as refused:
            limits.check("somebody new", "192.0.2.1")
        assert refused.value.code == "rate_limited" and refused.value.retry_after == pytest.approx(
            60
        )
    limits.check("somebody new", "192.0.2.2")
    limits.check("somebody new", "")
    clock.now += 61
    limits.check("somebody new", "192.0.2.1")


def test_the_log_says_when_it_is_the_owner_s_proxy() -> None:
    limits = VisitorLimits("1/minute", 1)
    for address, says in (("127.0.0.1", True), ("10.0.0.3", True), ("8.8.8.8", False)):
        for number in range(ADDRESS_SHARE):
            limits.ask(f"{number}", address)
        with pytest.raises(Refusal) as refused:
            limits.check("another", address)
        assert ("TRUSTED_PROXIES" in str(refused.value)) is says


def test_an_address_sends_so_much_in_a_day() -> None:
    limits = VisitorLimits("1000/minute", 2, Clock())
    for number in range(30):
        limits.send(f"v{number}", "192.0.2.1", 2 * 2**20)
    with pytest.raises(FileRefusal) as refused:
        limits.send("another", "192.0.2.1", 2 * 2**20)
    assert refused.value.retry_after == pytest.approx(DAY)
    limits.send("another", "192.0.2.1", 1000)
    limits.send("another", "192.0.2.2", 2 * 2**20)


# on the site


@pytest.fixture(scope="module")
def proxied(emulator: Emulator, keep_site: Start) -> Site:
    """Two questions a minute; the tests are its proxy, and say where a visitor comes from."""
    return keep_site(**coze(emulator), VISITOR_RATE="2/minute", TRUSTED_PROXIES=1)


def visitor_from(site: Site, address: str) -> Visitor:
    visitor = Visitor(site.url)
    visitor.session.headers["X-Forwarded-For"] = address
    return visitor


def test_one_question_too_many_is_refused_and_not_stored(proxied: Site, emulator: Emulator) -> None:
    alice = visitor_from(proxied, "192.0.2.10")
    alice.get("/")
    for _ in range(2):
        assert alice.ask("hi").status_code == 200
    before = emulator.mark()
    for _ in range(3):
        refused = alice.ask("one too many")
        assert refused.status_code == 429
        assert refused.json()["code"] == "rate_limited" and refused.json()["error"]
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert emulator.asked(before) == []
    assert "one too many" not in alice.get(f"/c/{alice.conversation}").text


def test_a_stream_is_refused_with_json(proxied: Site) -> None:
    alice = visitor_from(proxied, "192.0.2.11")
    alice.get("/")
    for _ in range(2):
        list(alice.hear("hi"))
    refused = alice.post(
        json={"message": "hi", "stream": True}, headers={"Accept": "text/event-stream"}
    )
    assert refused.status_code == 429
    assert refused.headers["Content-Type"] == "application/json"
    assert refused.json()["retry_after"] > 0


def test_a_form_keeps_its_draft(proxied: Site) -> None:
    alice = visitor_from(proxied, "192.0.2.12")
    alice.get("/")
    for _ in range(2):
        alice.ask("hi")
    refused = alice.post(data={"message": "my long thought"}, headers={"Accept": "text/html"})
    assert refused.status_code == 429 and int(refused.headers["Retry-After"]) > 0
    assert re.search(r"<textarea[^>]*>\s*my long thought\s*</textarea>", refused.text)


def test_new_cookies_do_not_help(proxied: Site) -> None:
    codes = [visitor_from(proxied, "192.0.2.13").ask("hi").status_code for _ in range(8)]
    assert codes == [200] * 6 + [429] * 2
    assert visitor_from(proxied, "192.0.2.14").ask("hi").status_code == 200


def test_a_neighbouring_ipv6_address_is_the_same_place(proxied: Site) -> None:
    codes = [
        visitor_from(proxied, f"2001:db8:5:6::{number}").ask("hi").status_code
        for number in range(1, 8)
    ]
    assert codes == [200] * 6 + [429]
    assert visitor_from(proxied, "2001:db8:5:7::1").ask("hi").status_code == 200


def test_a_made_up_address_does_not_help(proxied: Site) -> None:
    """Only what the owner's own proxy adds counts, which is the last."""
    codes = [
        visitor_from(proxied, f"198.51.100.{number}, 192.0.2.15").ask("hi").status_code
        for number in range(7)
    ]
    assert codes[-1] == 429


def test_twenty_at_once_do_not_pass(proxied: Site) -> None:
    alice = visitor_from(proxied, "192.0.2.16")
    alice.get("/")
    with ThreadPoolExecutor(20) as pool:
        answers = list(
            pool.map(
                lambda _: requests.post(**request_of(alice, {"message": "hi"})).status_code,
                range(20),
            )
        )
    assert sorted(answers) == [200] * 2 + [429] * 18


def request_of(visitor: Visitor, body: dict[str, object]) -> dict[str, object]:
    headers = {"X-Forwarded-For": visitor.session.headers["X-Forwarded-For"]}
    cookies = dict(visitor.session.cookies)
    return {
        "url": f"{visitor.url}/chat",
        "json": body,
        "headers": headers,
        "cookies": cookies,
        "timeout": 60,
    }


def test_what_is_refused_for_another_reason_uses_nothing_up(proxied: Site) -> None:
    alice = visitor_from(proxied, "192.0.2.17")
    alice.get("/")
    for _ in range(5):
        assert alice.ask("").status_code == 400
        assert alice.ask("hi", conversation_id="nowhere").status_code == 404
    assert [alice.ask("hi").status_code for _ in range(3)] == [200, 200, 429]


def test_files_are_counted_apart(proxied: Site) -> None:
    alice = visitor_from(proxied, "192.0.2.18")
    alice.get("/")

    def send() -> requests.Response:
        return alice.post("/files", files={"file": ("a.png", PICTURE)})

    assert [send().status_code for _ in range(2)] == [201, 201]
    refused = send()
    assert refused.status_code == 429 and refused.json()["code"] == "rate_limited"
    assert int(refused.headers["Retry-After"]) > 0
    assert alice.ask("hi").status_code == 200


def test_so_much_of_a_visitor_is_kept(start_site: Start, emulator: Emulator) -> None:
    site = start_site(**coze(emulator), UPLOAD_MAX_MB=0.1)
    alice = Visitor(site.url)
    alice.get("/")
    large = PICTURE + b"0" * 100_000

    def send(visitor: Visitor) -> int:
        return visitor.post("/files", files={"file": ("a.png", large)}).status_code

    assert [send(alice) for _ in range(12)] == [201] * 10 + [429] * 2
    assert send(Visitor(site.url)) == 201


def test_a_wrong_rate_ends_the_start_with_one_line(start_site: Start) -> None:
    with pytest.raises(AssertionError, match=r"VISITOR_RATE: often is no rate\. Write it as"):
        start_site(VISITOR_RATE="often")


# live answers


def test_three_answers_at_once_and_no_more(site: Site) -> None:
    alice = Visitor(site.url)
    alice.get("/")
    headers = {
        "Cookie": "; ".join(f"{name}={value}" for name, value in alice.session.cookies.items())
    }
    with ExitStack() as open_answers, ThreadPoolExecutor(20) as pool:

        def ask(_: int) -> requests.Response:
            return open_answers.enter_context(
                requests.post(
                    f"{site.url}/chat",
                    json={"message": "!pieces 20 200", "stream": True},
                    headers=headers,
                    stream=True,
                    timeout=60,
                )
            )

        answers = list(pool.map(ask, range(20)))
        assert sorted(one.status_code for one in answers) == [200] * 3 + [429] * 17
        refused = next(one for one in answers if one.status_code == 429)
        assert refused.json()["code"] == "rate_limited" and int(refused.headers["Retry-After"]) > 0
        assert refused.json()["error"].startswith(("你之前的问题", "Your earlier questions"))
        assert Visitor(site.url).ask("hi").status_code == 200, "others may"
        for one in answers:
            one.content  # noqa: B018 - heard to its end
    assert alice.ask("hi").status_code == 200


def test_the_place_of_an_answer_is_free_when_its_end_is_told(site: Site) -> None:
    alice = Visitor(site.url)
    for _ in range(10):
        assert list(alice.hear("hi"))[-1].name == "done"
        alice.conversation = None
    assert list(alice.hear("!unauthorized"))[-1].name == "error"
    assert [alice.ask("!quota").status_code for _ in range(4)] == [429] * 4
    assert alice.ask("hi", conversation_id=None).status_code == 200


# streams


def test_streams_have_places() -> None:
    streams = Streams(3, per_address=2)
    first, _ = streams.enter("a"), streams.enter("a")
    with pytest.raises(StreamRefusal):
        streams.enter("a")
    streams.enter("b")
    with pytest.raises(StreamRefusal):
        streams.enter("c")
    first()
    first()
    streams.enter("c")
    with pytest.raises(StreamRefusal):
        streams.enter("c")


def test_pages_answer_while_no_more_streams_may(emulator: Emulator, start_site: Start) -> None:
    site = start_site(**coze(emulator), MAX_STREAMS=3, VISITOR_LIVE_ANSWERS=0)
    alice = Visitor(site.url)
    told = alice.hear("!pieces 30 100")
    next(told)
    path = f"{site.url}/chat/{alice.message}/events"
    with ExitStack() as readers:
        for _ in range(2):
            reader = readers.enter_context(alice.session.get(path, stream=True, timeout=30))
            assert reader.status_code == 200
        refused = alice.session.get(path, timeout=30)
        assert refused.status_code == 429 and int(refused.headers["Retry-After"]) > 0
        assert json.loads(refused.text)["code"] == "rate_limited"
        before = emulator.mark()
        assert Visitor(site.url).post(json={"message": "hi", "stream": True}).status_code == 429
        assert emulator.asked(before) == [], "nothing is asked that nobody can read"
        for place in ("/", "/healthz", "/readyz", f"/c/{alice.conversation}"):
            assert alice.get(place).status_code == 200
        list(told)
    until = time.monotonic() + 10
    while (
        status := alice.session.get(path, timeout=30).status_code
    ) == 429 and time.monotonic() < until:
        time.sleep(0.1)
    assert status == 200, "who has gone has given the place back"


def test_one_address_cannot_take_all_streams(emulator: Emulator, start_site: Start) -> None:
    site = start_site(**coze(emulator), VISITOR_RATE="1000/minute", TRUSTED_PROXIES=1)
    alice = visitor_from(site, "192.0.2.1")
    told = alice.hear("!pieces 50 200")
    next(told)
    path = f"{site.url}/chat/{alice.message}/events"
    with ExitStack() as readers:
        codes = [
            readers.enter_context(alice.session.get(path, stream=True, timeout=30)).status_code
            for _ in range(PER_ADDRESS)
        ]
        assert codes == [200] * (PER_ADDRESS - 1) + [429]
        other = alice.session.get(
            path, stream=True, headers={"X-Forwarded-For": "192.0.2.2"}, timeout=30
        )
        with other:
            assert other.status_code == 200
    alice.stop()
    list(told)


@pytest.mark.parametrize(
    ("wished", "open_files", "fit"),
    [(5000, 65536, 5000), (5000, 10240, 3246), (5000, 256, 1), (5000, -1, 5000)],
)
def test_no_more_streams_than_the_process_has_files_for(
    wished: int, open_files: int, fit: int
) -> None:
    """What is refused in a friendly way must be refused before the process runs out of them."""
    assert room(wished, open_files) == fit
