"""How much a visitor may ask and send, by visitor and by address."""

import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.refusals import FileRefusal, RateRefusal, Refusal
from chat.settings.rate_text import parse_rates
from chat.shared.connection import Connection
from chat.visitors.limits.rate_counts import BoundedMemory, Claim, LocalRateCounts, RateCounts
from chat.visitors.limits.rates import RATES, VisitorLimits
from chat.visitors.limits.redis_rate_counts import RedisRateCounts
from tests.kit.clock import Clock
from tests.kit.emulator import Emulator, coze
from tests.kit.site import Site, Visitor, visitor_from

Start = Callable[..., Site]
PICTURE = b"\x89PNG\r\n\x1a\n" + b"0" * 64
MINUTE, DAY = 60, 24 * 3600


@pytest.fixture(params=["in memory", "in Redis"])
def counts(
    request: pytest.FixtureRequest, clock: Clock, join: Callable[..., Connection]
) -> RateCounts:
    if request.param == "in memory":
        return LocalRateCounts(clock)
    return RedisRateCounts(join(clock))


def limits_of(
    counts: RateCounts, rate: str, upload_mb: float = 1, address_share: int = 3
) -> VisitorLimits:
    return VisitorLimits(rate, upload_mb, address_share, lambda: counts)


def about(seconds: float) -> Any:
    """The clock of Redis goes on while a test runs."""
    return pytest.approx(seconds, abs=1)


# counting


def test_a_window_moves(counts: RateCounts, clock: Clock) -> None:
    rates = parse_rates("2/minute;3/1000 second")
    alice = Claim(rates, ("alice",))
    for at in (0, 30):
        clock.now = 1000 + at
        assert counts.wait(alice) == counts.take(alice) == 0
    assert counts.wait(alice) == about(30)
    assert counts.wait(Claim(rates, ("bob",))) == 0
    clock.now = 1061.0
    assert counts.wait(alice) == 0
    assert counts.take(alice) == 0
    clock.now = 1200.0
    assert counts.wait(alice) == about(800) == counts.take(alice), "the longer window is full"
    clock.now = 2001.0
    assert counts.wait(alice) == 0


def test_the_wait_is_for_as_many_as_are_asked_for(counts: RateCounts, clock: Clock) -> None:
    rates = parse_rates("10/minute")
    counts.add(Claim(rates, ("alice",), 6))
    clock.now += 10
    counts.add(Claim(rates, ("alice",), 3))
    waits = {cost: counts.wait(Claim(rates, ("alice",), cost)) for cost in (1, 2, 8, 11)}
    assert waits == {1: 0, 2: about(50), 8: about(60), 11: float("inf")}


def test_of_several_claims_all_are_counted_or_none(counts: RateCounts) -> None:
    one, two = Claim(parse_rates("1/minute"), ("a",)), Claim(parse_rates("2/minute"), ("b",))
    assert counts.take(one, two) == 0
    assert counts.take(one, two) > 0 and counts.take(two, one) > 0
    assert counts.take(two) == 0, "the second of two"
    assert counts.take(two) > 0


def test_what_is_given_back_may_be_taken_again(counts: RateCounts) -> None:
    claims = [Claim(parse_rates("2/minute"), ("a",)), Claim(parse_rates("9/hour"), ("a",), 3)]
    for _ in range(5):
        assert counts.take(*claims) == 0
        counts.give_back(*claims)
    assert [counts.take(*claims) == 0 for _ in range(3)] == [True, True, False]


def test_many_at_once_are_counted(counts: RateCounts) -> None:
    claim = Claim(parse_rates("2500/minute"), ("a",), 2400)
    assert counts.take(claim) == 0 and counts.take(claim) > 0
    assert counts.take(Claim(claim.rates, ("a",), 100)) == 0
    assert counts.take(Claim(claim.rates, ("a",))) > 0


def test_processes_count_exactly_together(join: Callable[..., Connection]) -> None:
    processes = [RedisRateCounts(join()) for _ in range(3)]
    claims = [Claim(parse_rates("40/minute"), ("v",)), Claim(parse_rates("50/day"), ("a",))]
    with ThreadPoolExecutor(24) as pool:
        waits = list(pool.map(lambda number: processes[number % 3].take(*claims), range(120)))
    assert waits.count(0) == 40
    assert [processes[0].take(claims[1]) for _ in range(11)].count(0) == 10


def test_redis_counts_as_memory_does(join: Callable[..., Connection]) -> None:
    names = iter(range(10**6))
    rates = parse_rates("3/10 second;7/60 second"), parse_rates("5/20 second")
    deeds = st.tuples(
        st.sampled_from(["take", "add", "wait", "pass"]),
        st.dictionaries(st.integers(0, 1), st.integers(1, 4), min_size=1).map(
            lambda wishes: [*wishes.items()]
        ),
        st.integers(1, 15),
    )

    @settings(max_examples=25)
    @given(st.lists(deeds, max_size=25))
    def agree(walk: list[tuple[str, list[tuple[int, int]], int]]) -> None:
        clock, name = Clock(), str(next(names))
        both = LocalRateCounts(clock), RedisRateCounts(join(clock))
        for deed, wishes, seconds in walk:
            # At the end of a window the clock of Redis must not be behind.
            clock.now += seconds if deed == "pass" else 0
            claims = [Claim(rates[kind], (name, str(kind)), cost) for kind, cost in wishes]
            if deed in ("take", "wait"):
                local, shared = (getattr(counts, deed)(*claims) for counts in both)
                assert shared == pytest.approx(local, abs=0.9)
                assert (shared == 0) is (local == 0)
            elif deed == "add":
                for counts in both:
                    counts.add(*claims)

    agree()


def test_a_visitor_who_left_is_forgotten() -> None:
    clock = Clock()
    memory = BoundedMemory(clock=clock)
    for number in range(50_000):
        clock.now += 0.01
        memory.acquire_entry(f"visitor {number}", 5, MINUTE)
    assert 5990 <= len(memory) <= 6010, "those of the last minute"
    clock.now += 61
    memory.acquire_entry("another visitor", 5, MINUTE)
    assert len(memory) == 1


def test_a_flood_of_visitors_is_bounded() -> None:
    memory = BoundedMemory(clock=Clock(), most_keys=10_000)
    for number in range(12_000):
        memory.acquire_entry(f"visitor {number}", 1, MINUTE)
    assert len(memory) == 10_000
    assert not memory.acquire_entry("visitor 11999", 1, MINUTE), "the latest are remembered"
    assert memory.acquire_entry("visitor 0", 1, MINUTE)


def test_an_address_has_the_rate_of_its_share_and_a_refusal_counts_nothing(
    counts: RateCounts, clock: Clock
) -> None:
    limits = limits_of(counts, "2/minute")
    for number in range(2 * 3):
        limits.check_question(f"v{number}", "192.0.2.1")
        limits.count_question(f"v{number}", "192.0.2.1")
    for _ in range(5):
        for ask in (limits.check_question, limits.count_question):
            with pytest.raises(Refusal) as refused:
                ask("somebody new", "192.0.2.1")
            assert refused.value.code == "rate_limited"
            assert refused.value.retry_after == about(60)
    limits.check_question("somebody new", "192.0.2.2")
    limits.check_question("somebody new", "")
    clock.now += 61
    limits.check_question("somebody new", "192.0.2.1")


def test_addresses_are_not_counted_with_a_share_of_nought(counts: RateCounts) -> None:
    limits = limits_of(counts, "1/minute", address_share=0)
    for number in range(50):
        limits.check_question(f"v{number}", "192.0.2.1")
        limits.count_question(f"v{number}", "192.0.2.1")
        limits.count_file(f"v{number}", "192.0.2.1", 2**20)
    with pytest.raises(Refusal):
        limits.check_question("v1", "192.0.2.1")


def test_the_log_says_when_it_is_the_owner_s_proxy() -> None:
    limits = VisitorLimits("1/minute", 1, 3)
    for address, says in (("127.0.0.1", True), ("10.0.0.3", True), ("8.8.8.8", False)):
        for number in range(3):
            limits.count_question(f"{number} of {address}", address)
        with pytest.raises(Refusal) as refused:
            limits.check_question("another", address)
        assert ("TRUSTED_PROXIES" in str(refused.value)) is says


def test_an_address_sends_so_much_in_a_day(counts: RateCounts) -> None:
    limits = limits_of(counts, "1000/minute", upload_mb=2)
    for number in range(30):
        limits.count_file(f"v{number}", "192.0.2.1", 2 * 2**20)
    with pytest.raises(FileRefusal) as refused:
        limits.count_file("another", "192.0.2.1", 2 * 2**20)
    assert refused.value.retry_after == about(DAY)
    limits.count_file("another", "192.0.2.1", 1000)
    limits.count_file("another", "192.0.2.2", 2 * 2**20)


def test_each_deed_has_its_own_rate_by_visitor_and_by_address(clock: Clock) -> None:
    limits = limits_of(LocalRateCounts(clock), "20/minute", address_share=2)
    for deed, rate in RATES.items():
        amount = int(rate.partition("/minute")[0])
        for _ in range(amount):
            limits.count_visitor(deed, "alice")
        for _ in range(2 * amount):
            limits.count_address(deed, "192.0.2.1")
        for refused in (
            lambda deed=deed: limits.count_visitor(deed, "alice"),
            lambda deed=deed: limits.count_address(deed, "192.0.2.1"),
        ):
            with pytest.raises(RateRefusal) as caught:
                refused()
            assert caught.value.code == "rate_limited"
            assert caught.value.retry_after == pytest.approx(60)
        limits.count_visitor(deed, "bob")
        limits.count_address(deed, "192.0.2.2")
        limits.count_address(deed, "")
    clock.now += 61
    limits.count_visitor("page", "alice")


@pytest.mark.parametrize(("rate", "share"), [("0", 3), ("20/minute", 0)])
def test_an_address_is_not_counted_where_the_owner_says_so(rate: str, share: int) -> None:
    limits = VisitorLimits(rate, 1, share)
    for _ in range(1000):
        limits.count_address("page", "192.0.2.1")


def test_whether_a_file_may_come_is_said_before_it_is_counted(counts: RateCounts) -> None:
    limits = limits_of(counts, "2/minute", upload_mb=20, address_share=1)
    for _ in range(5):
        limits.check_file("alice", "192.0.2.1", 20 * 2**20)
    for _ in range(2):
        limits.count_file("alice", "192.0.2.1", 2**20)
    with pytest.raises(FileRefusal):
        limits.check_file("alice", "192.0.2.2", 1)
    with pytest.raises(FileRefusal) as refused:
        limits.check_file("bob", "192.0.2.1", 199 * 2**20)
    assert refused.value.retry_after == about(DAY)


# on the site


@pytest.fixture(scope="module")
def proxied(emulator: Emulator, keep_site: Start) -> Site:
    """Two questions a minute; the tests are its proxy, and say where a visitor comes from."""
    return keep_site(**coze(emulator), VISITOR_RATE="2/minute", ADDRESS_SHARE=3, TRUSTED_PROXIES=1)


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


def test_new_cookies_do_not_evade_the_address_rate(proxied: Site) -> None:
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


def test_a_forged_address_does_not_evade_the_rate(proxied: Site) -> None:
    """Only what the owner's own proxy adds counts, which is the last."""
    codes = [
        visitor_from(proxied, f"198.51.100.{number}, 192.0.2.15").ask("hi").status_code
        for number in range(7)
    ]
    assert codes[-1] == 429


def test_simultaneous_questions_do_not_evade_the_rate(proxied: Site) -> None:
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


def test_a_question_refused_for_another_reason_is_not_counted(proxied: Site) -> None:
    alice = visitor_from(proxied, "192.0.2.17")
    alice.get("/")
    for _ in range(5):
        assert alice.ask("").status_code == 400
        assert alice.ask("hi", conversation_id="nowhere").status_code == 404
    assert [alice.ask("hi").status_code for _ in range(3)] == [200, 200, 429]


def test_files_are_counted_separately(proxied: Site) -> None:
    alice = visitor_from(proxied, "192.0.2.18")
    alice.get("/")

    def send() -> requests.Response:
        return alice.post("/files", files={"file": ("a.png", PICTURE)})

    assert [send().status_code for _ in range(2)] == [201, 201]
    refused = send()
    assert refused.status_code == 429 and refused.json()["code"] == "rate_limited"
    assert int(refused.headers["Retry-After"]) > 0
    assert alice.ask("hi").status_code == 200


def test_the_stored_files_of_a_visitor_are_bounded(start_site: Start, emulator: Emulator) -> None:
    site = start_site(**coze(emulator), UPLOAD_MAX_MB=0.1)
    alice = Visitor(site.url)
    alice.get("/")
    large = PICTURE + b"0" * 100_000

    def send(visitor: Visitor) -> int:
        return visitor.post("/files", files={"file": ("a.png", large)}).status_code

    assert [send(alice) for _ in range(12)] == [201] * 10 + [429] * 2
    assert send(Visitor(site.url)) == 201


# besides asking


def answers_in_a_row(
    visitor: Visitor, method: str, path: str, most: int
) -> tuple[int, Counter[int]]:
    """How many requests were served before the first that was refused, and all statuses."""
    statuses = []
    for _ in range(most + 3):
        response = visitor.session.request(
            method, visitor.url + path, allow_redirects=False, timeout=60
        )
        statuses.append(response.status_code)
        if response.status_code == 429:
            assert response.json()["code"] == "rate_limited"
            assert 1 <= int(response.headers["Retry-After"]) <= 60
    first = statuses.index(429) if 429 in statuses else len(statuses)
    return first, Counter(statuses)


@pytest.mark.parametrize(
    ("method", "path", "deed"),
    [
        ("GET", "/", "page"),
        ("GET", "/nowhere", "page"),
        ("GET", "/search?q=hi", "search"),
        ("GET", "/c/{conversation}/export.md", "export"),
        ("POST", "/c/{conversation}/share", "share"),
        ("POST", "/c/{conversation}/clear", "change"),
    ],
)
def test_whatever_costs_something_has_a_rate(
    proxied: Site, method: str, path: str, deed: str
) -> None:
    address = f"192.0.2.{30 + sum(path.encode()) % 200}"
    alice = visitor_from(proxied, address)
    alice.ask("hi")
    amount = int(RATES[deed].partition("/minute")[0])
    path = path.format(conversation=alice.conversation)
    served, statuses = answers_in_a_row(alice, method, path, amount)
    assert served == amount and statuses[429] == 3
    assert alice.get("/healthz").ok and alice.get("/static/any/css/page.css").ok
    bob = visitor_from(proxied, address)
    assert bob.get("/").ok, "another visitor of this address"


def test_a_newcomer_each_time_is_counted_by_address(proxied: Site) -> None:
    headers = {"X-Forwarded-For": "192.0.2.29", "Accept": "text/html", "Accept-Language": "en"}
    pages = [requests.get(proxied.url, headers=headers, timeout=60) for _ in range(363)]
    statuses = [page.status_code for page in pages]
    assert statuses == [200] * 360 + [429] * 3
    refused = pages[-1]
    assert "Too many requests at the moment" in refused.text and len(refused.content) < 4000
    assert "Set-Cookie" not in refused.headers and int(refused.headers["Retry-After"]) > 0
    assert requests.get(proxied.url, headers={"X-Forwarded-For": "192.0.2.28"}, timeout=60).ok


def test_reading_by_a_link_counts_and_sets_no_cookie(proxied: Site) -> None:
    alice = visitor_from(proxied, "192.0.2.27")
    alice.ask("hi")
    shared = alice.post(f"/c/{alice.conversation}/share", headers={"Accept": "application/json"})
    url, headers = proxied.url + shared.json()["url"], {"X-Forwarded-For": "192.0.2.26"}
    first = requests.get(url, headers=headers, timeout=60)
    assert first.ok and "Set-Cookie" not in first.headers
    rest = [requests.get(url, headers=headers, timeout=60).status_code for _ in range(361)]
    assert rest == [200] * 359 + [429] * 2
