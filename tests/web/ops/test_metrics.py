"""GET /metrics gives true and bounded numbers to those who may read them."""

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import requests
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from chat.visitors.guessing import LOCKED_FROM
from chat.web.errors import STATUS
from chat.web.gate import security
from emulator.accounts import DEMO
from providers import PLATFORMS
from tests.kit.emulator import Emulator, coze
from tests.kit.members import CODES, HTML, KEY, KEYS, is_refused
from tests.kit.patience import ALLOWANCE
from tests.kit.routes import routes
from tests.kit.site import Site, Visitor
from tests.site.test_start import refusal

TOKEN = "canary-metrics-token-of-this-test"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
VIA_PROXY = {"X-Forwarded-For": "203.0.113.9"}
PARTS = {*(rule.endpoint.partition(".")[0] for rule in routes().iter_rules()), "desk", "none"}

Start = Callable[..., Site]
Numbers = dict[str, float]


@pytest.fixture(scope="module")
def site(emulator: Emulator, keep_site: Start) -> Site:
    """All platforms, in no hurry of anybody's."""
    return keep_site(DEMO_URL=emulator.url, COZE_QPS=0, METRICS_TOKEN=TOKEN, TRUSTED_PROXIES=1)


def fetch(site: Site, **headers: str) -> requests.Response:
    return requests.get(f"{site.url}/metrics", headers=headers, timeout=20)


def numbers(site: Site) -> Numbers:
    """All samples, by name with labels: {'zhiye_refusals_total code=busy': 1.0}."""
    response = fetch(site)
    assert response.status_code == 200, response.text
    return {
        " ".join(
            [one.name, *(f"{name}={value}" for name, value in sorted(one.labels.items()))]
        ): one.value
        for family in text_string_to_metric_families(response.text)
        for one in family.samples
    }


def grown(before: Numbers, after: Numbers, beginning: str) -> Numbers:
    """By how much the numbers of this name have grown, those that have."""
    return {
        name.removeprefix(beginning).strip(): by
        for name in after
        if name.startswith(beginning) and (by := round(after[name] - before.get(name, 0), 3))
    }


def wait_for(site: Site, wanted: Callable[[Numbers], bool]) -> Numbers:
    until = time.monotonic() + 10 * ALLOWANCE
    while not wanted(values := numbers(site)):
        assert time.monotonic() < until, values
        time.sleep(0.05)
    return values


# what it says


def test_it_is_prometheus_text_and_nobody_keeps_it(site: Site) -> None:
    response = fetch(site)
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store" and not response.cookies
    families = list(text_string_to_metric_families(response.text))
    assert len({one.name for one in families}) == len(families) > 10
    for one in families:
        assert one.name.startswith("zhiye_") and one.documentation and one.type != "unknown", one


OUTCOMES = [
    ("coze", "hello", "done"),
    ("coze", "!empty", "empty"),
    ("coze", "!requires-action", "needs_action"),
    ("qingyan", "hello", "done"),
    ("qingyan", "!unauthorized", "misconfigured"),
    ("wenxin", "!late-error", None),
    ("wenxin", "hello", "done"),
    ("yuanqi", "!html 502", "unavailable"),
    ("huawei", "hello", "done"),
    ("huawei", "!think", "done"),
]


def test_each_answer_is_counted_once_by_how_it_ended(site: Site) -> None:
    before, wanted, by_platform = numbers(site), Counter[str](), Counter[str]()
    for way in ("json", "stream"):
        for platform, question, outcome in OUTCOMES:
            visitor = Visitor(site.url)
            if way == "json":
                payload = visitor.ask(question, agent=platform).json()
            else:
                payload = list(visitor.hear(question, agent=platform))[-1].data
            assert outcome in (None, payload.get("code", "done")), payload
            wanted[
                f"agent={platform} outcome={payload.get('code', 'done')} platform={platform}"
            ] += 1
            by_platform[f"platform={platform}"] += 1
    after = numbers(site)
    assert grown(before, after, "zhiye_answers_total") == wanted
    assert grown(before, after, "zhiye_answer_seconds_count") == by_platform
    spoke = {f"platform={name}": 2 for name in PLATFORMS} | {"platform=huawei": 4}
    spoke["platform=wenxin"] += 1  # whose late error came after some words, as a stream
    del spoke["platform=yuanqi"]  # which failed before a word
    assert grown(before, after, "zhiye_first_words_seconds_count") == spoke
    assert grown(before, after, "zhiye_refusals_total") == {}, (
        "what a platform fails at is no refusal"
    )


def test_an_answer_that_was_stopped_is_no_failure(site: Site) -> None:
    before, visitor = numbers(site), Visitor(site.url)
    for payload in visitor.hear("!pieces 100 100", agent="huawei"):
        if payload.name == "delta":
            visitor.stop()
    wanted = {"agent=huawei outcome=stopped platform=huawei": 1}
    assert grown(before, numbers(site), "zhiye_answers_total") == wanted


def test_the_time_of_the_first_words_and_of_the_end(site: Site) -> None:
    before = numbers(site)
    list(Visitor(site.url).hear("!slow 1.2 !pause 2.2", agent="yuanqi"))
    after = numbers(site)
    first = grown(before, after, "zhiye_first_words_seconds_sum")["platform=yuanqi"]
    whole = grown(before, after, "zhiye_answer_seconds_sum")["platform=yuanqi"]
    assert 1.2 <= first <= 1.2 + ALLOWANCE and whole >= first + 2.2
    buckets = grown(before, after, "zhiye_first_words_seconds_bucket")
    assert "le=1.0 platform=yuanqi" not in buckets and buckets["le=5.0 platform=yuanqi"] == 1
    assert buckets["le=+Inf platform=yuanqi"] == 1
    buckets = grown(before, after, "zhiye_answer_seconds_bucket")
    assert "le=3.0 platform=yuanqi" not in buckets and buckets["le=10.0 platform=yuanqi"] == 1


def test_what_is_going_on_is_seen_and_goes_away(emulator: Emulator, start_site: Start) -> None:
    site = start_site(
        QINGYAN_API_KEY=DEMO["QINGYAN_API_KEY"],
        QINGYAN_API_SECRET=DEMO["QINGYAN_API_SECRET"],
        QINGYAN_ASSISTANT_ID=DEMO["QINGYAN_ASSISTANT_ID"],
        QINGYAN_API_BASE=f"{emulator.url}/chatglm/assistant-api/v1",
        QINGYAN_CONCURRENCY=1,
    )
    idle = numbers(site)
    names = [
        "zhiye_live_answers",
        "zhiye_waiting_questions platform=qingyan",
        "zhiye_event_streams",
    ]
    assert [idle[name] for name in names] == [0, 0, 0]
    people = [Visitor(site.url) for _ in range(3)]
    threads = [
        threading.Thread(target=lambda one=one: list(one.hear("!pieces 500 100"))) for one in people
    ]
    for thread in threads:
        thread.start()
    wait_for(site, lambda now: [now[name] for name in names] == [3, 2, 3])
    for visitor in people:
        visitor.stop()
    for thread in threads:
        thread.join()
    wait_for(site, lambda now: [now[name] for name in names] == [0, 0, 0])


def test_refusals_are_counted_by_their_reason(site: Site) -> None:
    before, visitor = numbers(site), Visitor(site.url)
    assert visitor.ask("").status_code == 400
    assert visitor.ask("hi", agent="nobody").status_code == 404
    assert visitor.get("/nowhere").status_code == 404
    assert visitor.get("/chat").status_code == 405
    assert visitor.post(data={"message": "x" * 9000}, headers=HTML).status_code == 413
    assert visitor.post(headers={"Origin": "https://elsewhere.example"}).status_code == 403
    after = numbers(site)
    wanted = {"code=bad_input": 2, "code=not_found": 2, "code=too_long": 1, "code=cross_site": 1}
    assert grown(before, after, "zhiye_refusals_total") == wanted
    assert grown(before, after, "zhiye_answers_total") == {}
    requested = {"part=none status=4xx": 2, "part=chat status=4xx": 4, "part=ops status=2xx": 1}
    assert grown(before, after, "zhiye_requests_total") == requested


def test_files_database_and_process_are_measured(site: Site) -> None:
    visitor = Visitor(site.url)
    assert visitor.post("/files", files={"file": ("a.pdf", b"%PDF-1.4")}).status_code == 201
    after = numbers(site)
    assert after["zhiye_uploads"] == 1
    assert after["zhiye_uploads_bytes"] == len(b"%PDF-1.4")
    file_size = (site.folder / "instance" / "chat.db").stat().st_size
    assert after["zhiye_database_bytes"] >= file_size > 0
    assert 20e6 < after["zhiye_process_resident_memory_bytes"] < 500e6
    assert after["zhiye_process_open_fds"] > 3
    assert abs(time.time() - after["zhiye_process_start_time_seconds"]) < 600


def test_without_its_database_it_tells_the_rest(emulator: Emulator, start_site: Start) -> None:
    site = start_site(**coze(emulator))
    assert "zhiye_uploads" in numbers(site)
    for path in (site.folder / "instance").glob("chat.db*"):
        path.rename(path.with_name(f"gone-{path.name}"))
    values = numbers(site)
    assert "zhiye_live_answers" in values and "zhiye_process_open_fds" in values
    assert not {"zhiye_uploads", "zhiye_database_bytes"} & set(values)


def test_of_several_processes_each_number_says_whose_it_is(
    emulator: Emulator, start_site: Start
) -> None:
    # Redis itself need not be there.
    site = start_site(**coze(emulator), REDIS_URL="redis://127.0.0.1:1/0")
    families = list(text_string_to_metric_families(fetch(site).text))
    processes = {one.labels["process"] for family in families for one in family.samples}
    assert site.process is not None
    workers = psutil.Process(site.process.pid).children()
    assert processes == {f"{socket.gethostname()}:{worker.pid}" for worker in workers}
    gauges = {one.name: one.value for family in families for one in family.samples}
    assert gauges["zhiye_processes"] == gauges["zhiye_redis_away"] == 1


def test_nobody_can_make_the_numbers_many(site: Site) -> None:
    def one_of_each(round: int) -> Iterator[tuple[str, str, dict[str, object]]]:
        for method in ("GET", "POST", "DELETE", f"ODD{round}"):
            yield method, f"/{round}/random-{round}", {}
            yield method, f"/static/v{round}/{round}.js", {}
            yield (
                method,
                f"/c/{round}",
                {"headers": {"Host": f"h{round}.example", "X-Real-IP": f"10.0.0.{round}"}},
            )
        yield "POST", "/chat", {"json": {"message": "hi", "agent": f"agent-{round}"}}
        yield "GET", f"/?agent={round}&lang={round}", {}
        yield "GET", "/metrics", {"headers": {"Authorization": f"Bearer {round}", **VIA_PROXY}}

    def bother(rounds: range) -> set[str]:
        with requests.Session() as session:
            for round in rounds:
                for method, path, options in one_of_each(round):
                    session.request(method, site.url + path, timeout=20, **options)  # type: ignore[arg-type]
        return set(numbers(site))

    assert bother(range(6)) == bother(range(6, 16))
    fixed = {
        "code": set(STATUS),
        "outcome": {*STATUS, "done", "stopped"},
        "agent": set(PLATFORMS),
        "platform": set(PLATFORMS),
        "part": PARTS,
        "status": {"2xx", "3xx", "4xx", "5xx"},
    }
    for family in text_string_to_metric_families(fetch(site).text):
        for sample in family.samples:
            for label, value in sample.labels.items():
                assert label == "le" or value in fixed[label], sample


# who may read it


@pytest.mark.parametrize(
    ("remote", "host", "header", "is_here"),
    [
        ("127.0.0.1", "127.0.0.1:8000", None, True),
        ("127.0.0.1", "localhost", None, True),
        ("::1", "[::1]:8000", None, True),
        ("::ffff:127.0.0.1", "127.0.0.1:8000", None, True),
        ("192.0.2.1", "127.0.0.1:8000", None, False),
        ("::ffff:192.0.2.1", "127.0.0.1:8000", None, False),
        ("2001:db8::1", "localhost", None, False),
        ("", "127.0.0.1", None, False),
        ("127.0.0.1", "chat.example.com", None, False),
        ("127.0.0.1", "127.0.0.1.example.com", None, False),
        *(("127.0.0.1", "127.0.0.1:8000", name, False) for name in security.FORWARDED),
        ("127.0.0.1", "127.0.0.1:8000", "x-forwarded-for", False),
    ],
)
def test_what_counts_as_this_machine(
    remote: str, host: str, header: str | None, is_here: bool
) -> None:
    headers = {"Host": host, **({header: "127.0.0.1"} if header else {})}
    with Flask(__name__).test_request_context(
        headers=headers, environ_base={"REMOTE_ADDR": remote}
    ):
        assert security.is_from_this_machine() == is_here


PROXIED = [
    # Not the address from which other tests guess.
    {"X-Forwarded-For": "203.0.113.10"},
    {"X-Forwarded-For": "127.0.0.1"},
    {"Forwarded": "for=127.0.0.1"},
    {"Via": "1.1 nginx"},
]
PROXIED += [{"X-Real-IP": "127.0.0.1"}, {"Host": "chat.example.com"}]


@pytest.mark.parametrize("hops", [0, 1, 2])
def test_through_a_proxy_nobody_reads_it_without_the_token(
    emulator: Emulator, start_site: Start, hops: int
) -> None:
    site = start_site(**coze(emulator), TRUSTED_PROXIES=hops)
    assert fetch(site).status_code == 200
    for headers in PROXIED:
        refused = fetch(site, **headers)
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found"), headers
        assert fetch(site, **headers, **BEARER).status_code == 404, "there is no token"
        assert "zhiye" not in refused.text and "WWW-Authenticate" not in refused.headers


def test_with_the_token_it_is_read_from_anywhere(site: Site) -> None:
    for headers in PROXIED:
        refused = fetch(site, **headers)
        assert is_refused(refused), headers
        assert refused.headers["WWW-Authenticate"] == 'Bearer realm="metrics"'
        read = fetch(site, **headers, **BEARER)
        assert read.status_code == 200 and "zhiye_answers_total" in read.text and not read.cookies
    wrong = (
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        "Bearer",
        "Bearer ü",
        f"Basic {TOKEN}",
        TOKEN,
    )
    for number, one in enumerate(wrong):
        headers = {"X-Forwarded-For": f"198.51.100.{number}", "Authorization": one}
        assert is_refused(
            fetch(site, **{name: value.encode() for name, value in headers.items()})
        ), one  # type: ignore[arg-type]
    assert is_refused(
        requests.get(f"{site.url}/metrics?token={TOKEN}", headers=VIA_PROXY, timeout=10)
    )
    assert TOKEN not in site.log


def test_who_guesses_is_kept_waiting_and_the_owner_is_not(site: Site) -> None:
    guesser, owner = {"X-Forwarded-For": "192.0.2.66"}, {"X-Forwarded-For": "192.0.2.67"}
    assert fetch(site, **owner, **BEARER).status_code == 200
    for place in (guesser, owner):
        refused = [
            fetch(site, **place, Authorization=f"Bearer wrong-{n}") for n in range(LOCKED_FROM + 1)
        ]
        assert [one.status_code for one in refused[:5]] == [401] * 5
        assert refused[-1].status_code == 429 and int(refused[-1].headers["Retry-After"]) > 0
    assert fetch(site, **guesser, **BEARER).status_code == 429, (
        "the right one is not looked at any more"
    )
    assert fetch(site, **owner, **BEARER).status_code == 200, (
        "where it was right before it stays so"
    )
    assert fetch(site).status_code == 200


def test_a_closed_site_has_its_own_lock_here(emulator: Emulator, start_site: Start) -> None:
    closed = {**coze(emulator), "ACCESS_CODES": CODES, "API_KEYS": KEYS}
    site = start_site(**closed)
    assert fetch(site).status_code == 200
    assert fetch(site, **VIA_PROXY).status_code == 404
    assert fetch(site, **VIA_PROXY, Authorization=f"Bearer {KEY}").status_code == 404
    site = start_site(**closed, METRICS_TOKEN=TOKEN)
    before = numbers(site)
    assert is_refused(fetch(site, **VIA_PROXY)) and is_refused(
        fetch(site, **VIA_PROXY, Authorization=f"Bearer {KEY}")
    )
    assert fetch(site, **VIA_PROXY, **BEARER).status_code == 200
    asked = requests.post(f"{site.url}/chat", json={"message": "hi"}, headers=BEARER, timeout=10)
    assert is_refused(asked), "it opens nothing else"
    signed_in = requests.post(
        f"{site.url}/sign-in", data={"code": "a-wrong-code"}, headers=HTML, timeout=10
    )
    assert signed_in.status_code == 401
    assert grown(before, numbers(site), "zhiye_refusals_total") == {"code=sign_in": 4}


def test_another_machine_asks_by_an_address(emulator: Emulator, start_site: Start) -> None:
    site = start_site(**coze(emulator), PUBLIC_URL="https://chat.example.com", METRICS_TOKEN=TOKEN)
    assert fetch(site, Host="10.0.0.5:8000", **BEARER).status_code == 200
    assert is_refused(fetch(site, Host="10.0.0.5:8000"))
    assert fetch(site).status_code == 200


@pytest.mark.parametrize(
    ("token", "english", "chinese"),
    [
        ("fifteen-letters", "too short: it takes at least 16 characters", "太短，至少要 16 个字符"),
        (
            "two words of a token",
            "a key has only letters, digits and signs",
            "密钥只能用英文字母、数字和符号",
        ),
        ("ein-schlüssel-für-alles", "a key has only letters", "密钥只能用英文字母"),
    ],
)
def test_a_token_that_is_none_ends_the_start(
    tmp_path: Path, token: str, english: str, chinese: str
) -> None:
    line = refusal(tmp_path, METRICS_TOKEN=token)
    assert line.startswith("METRICS_TOKEN: ") and english in line and token not in line
    assert chinese in line.partition(" / ")[2]
