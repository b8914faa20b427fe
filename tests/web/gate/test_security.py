"""Headers on every answer, cookies nobody else can read or make, a log without secrets."""

import re
from collections.abc import Callable
from http.cookies import SimpleCookie

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from chat.visitors.access import Visitors
from chat.web.frame.static import FILE_POLICY
from chat.web.gate.security import HEADERS, OF_DOCUMENTS, POLICY
from tests.kit.emulator import Emulator, coze
from tests.kit.site import Site, Visitor

TOKEN = "pat_demo_only_not_a_secret"


@pytest.fixture(scope="module")
def proxied(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    """A site behind one proxy of the owner's, which speaks HTTPS to the world."""
    return keep_site(**coze(emulator), TRUSTED_PROXIES=1)


@pytest.fixture(scope="module")
def public(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    """A site that knows its address, behind a proxy that says nothing."""
    return keep_site(**coze(emulator), PUBLIC_URL="https://Chat.example.com:443/")


# headers

ANSWERS: list[tuple[str, str, dict[str, str], int]] = [
    ("GET", "/", {}, 200),
    ("HEAD", "/", {}, 200),
    ("GET", "/healthz", {}, 200),
    ("GET", "/readyz", {}, 200),
    ("GET", "/static/any/nothing.js", {}, 404),
    ("GET", "/static/any/../../app.py", {}, 404),
    ("GET", "/static/any/%2e%2e/app.py", {}, 404),
    ("GET", "/nowhere", {}, 404),
    ("GET", "/nowhere", {"Accept": "text/html"}, 404),
    ("GET", "/c/nowhere", {"Accept": "text/html"}, 404),
    ("GET", "/chat/nowhere/events", {}, 404),
    ("GET", "/files/nowhere", {}, 404),
    ("GET", "/oauth/coze/start", {}, 404),
    ("POST", "/chat", {}, 415),
    ("POST", "/chat", {"Origin": "https://elsewhere.example"}, 403),
    ("DELETE", "/chat", {}, 405),
    ("OPTIONS", "/chat", {}, 200),
]


@pytest.mark.parametrize(("method", "path", "headers", "status"), ANSWERS)
def test_every_response_has_the_security_headers(
    site: Site, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    request = requests.Request(method, site.url, headers=headers).prepare()
    request.url = site.url + path  # as it is: requests would tidy up the dots
    response = requests.Session().send(request, timeout=10)
    assert response.status_code == status
    assert {name: response.headers.get(name) for name in HEADERS} == HEADERS


@pytest.mark.parametrize("headers", [{}, {"If-None-Match": "*"}])
@pytest.mark.parametrize(
    ("name", "policy", "is_document"),
    [
        ("icon.svg", FILE_POLICY, True),
        ("css/page.css", FILE_POLICY, False),
        ("compiled/site.js", FILE_POLICY, False),
        ("icon-180.png", FILE_POLICY, False),
        ("compiled/colouring-worker.js", POLICY, False),
    ],
)
def test_a_file_of_the_page_may_do_nothing_by_itself(
    site: Site, name: str, policy: str, is_document: bool, headers: dict[str, str]
) -> None:
    """A worker obeys the policy of its script, which lets it fetch."""
    response = requests.get(f"{site.url}/static/any/{name}", headers=headers, timeout=10)
    assert response.status_code == (304 if headers else 200)
    expected = {**HEADERS, "Content-Security-Policy": policy}
    if not is_document:
        expected |= dict.fromkeys(OF_DOCUMENTS)
    assert {name: response.headers.get(name) for name in HEADERS} == expected


def test_events_and_json_have_the_security_headers(alice: Visitor) -> None:
    for body in ({"message": "hi"}, {"message": "hi", "stream": True}):
        response = alice.post(json=body)
        assert {name: response.headers.get(name) for name in HEADERS} == HEADERS


def test_the_policy_allows_this_site_only(site: Site) -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "require-trusted-types-for 'script'" in policy
    assert not re.search(r"unsafe|https?:|\*", policy)
    page = requests.get(site.url, timeout=10).text
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|javascript:", page)


def test_private_responses_are_not_cached(alice: Visitor) -> None:
    alice.ask("hi")
    for path in (
        "/",
        f"/c/{alice.conversation}",
        f"/chat/{alice.message}/events",
        "/nowhere",
        "/c/nowhere",
    ):
        # Of a stream also that no proxy may compress it.
        is_stream = path.endswith("/events")
        wanted = "no-store, no-transform" if is_stream else "no-store"
        assert alice.get(path).headers["Cache-Control"] == wanted, path
    page = alice.get("/").headers["Vary"]
    assert {"Cookie", "Accept-Language"} <= {name.strip() for name in page.split(",")}


def test_static_files_are_cached_for_long_and_set_no_cookie(site: Site) -> None:
    for path in ("/static/any/css/page.css", "/healthz", "/readyz"):
        assert "Set-Cookie" not in requests.get(site.url + path, timeout=10).headers
    static = requests.get(f"{site.url}/static/any/css/page.css", timeout=10).headers
    assert "immutable" in static["Cache-Control"] and "public" in static["Cache-Control"]


# cookies and proxies


def cookies_of(url: str, **headers: str) -> SimpleCookie:
    """The cookies a newcomer gets who chooses a language."""
    response = requests.get(f"{url}/?lang=en", headers=headers, timeout=10)
    cookies: SimpleCookie = SimpleCookie()
    for line in response.raw.headers.getlist("Set-Cookie"):
        cookies.load(line)
    assert {name.removeprefix("__Host-") for name in cookies} == {"visitor", "language"}
    return cookies


def test_cookies_are_http_only_and_same_site(site: Site) -> None:
    for cookie in cookies_of(site.url).values():
        assert cookie["httponly"] and cookie["samesite"] == "Lax" and cookie["path"] == "/"
        assert not cookie["domain"] and int(cookie["max-age"]) > 30 * 24 * 3600
        assert not cookie["secure"], "else a site without HTTPS would know nobody again"


def test_behind_https_cookies_are_secure(proxied: Site) -> None:
    for cookie in cookies_of(proxied.url, **{"X-Forwarded-Proto": "https"}).values():
        assert cookie["secure"] and cookie["httponly"]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-Proto": "https"},
        {"X-Forwarded-Ssl": "on"},
        {"X-Forwarded-Protocol": "ssl"},
        {"X-Forwarded-Host": "evil.example"},
        {"Forwarded": "proto=https;host=evil.example"},
    ],
)
def test_without_a_proxy_forwarded_headers_are_ignored(site: Site, headers: dict[str, str]) -> None:
    assert not cookies_of(site.url, **headers)["visitor"]["secure"]
    refused = requests.post(
        f"{site.url}/chat",
        json={"message": ""},
        headers={**headers, "Origin": "https://evil.example"},
        timeout=10,
    )
    assert refused.status_code == 403


def test_only_the_owner_s_proxy_is_trusted(proxied: Site) -> None:
    headers = {"X-Forwarded-Proto": "https, http"}
    assert not cookies_of(proxied.url, **headers)["visitor"]["secure"], (
        "the last one is the proxy's"
    )


def test_header_names_with_an_underscore_are_ignored(site: Site) -> None:
    response = requests.get(
        f"{site.url}/healthz", headers={"SCRIPT_NAME": "/x", "PATH_INFO": "/"}, timeout=10
    )
    assert response.json() == {"status": "ok"}


# who may ask


def may_ask(site: Site, **headers: str) -> bool:
    """Whether a browser with these headers gets past the guard; the question itself is none."""
    spelled = {name.replace("_", "-"): value for name, value in headers.items()}
    status = requests.post(
        f"{site.url}/chat", json={"message": ""}, headers=spelled, timeout=10
    ).status_code
    assert status in (400, 403)
    return status == 400


def test_a_program_without_an_origin_may_write(site: Site) -> None:
    assert may_ask(site)


@pytest.mark.parametrize(
    ("value", "may"),
    [
        ("same-origin", True),
        ("none", True),
        ("same-site", False),
        ("cross-site", False),
        ("", False),
    ],
)
def test_sec_fetch_site_decides(site: Site, value: str, may: bool) -> None:
    assert may_ask(site, Sec_Fetch_Site=value, Origin="https://elsewhere.example") is may


@pytest.mark.parametrize(
    ("host", "origin", "may"),
    [
        ("chat.lan", "http://chat.lan", True),
        ("CHAT.lan", "http://chat.lan", True),
        ("chat.lan:80", "http://chat.lan", True),
        ("chat.lan:8000", "http://chat.lan:8000", True),
        ("xn--fiqs8s.lan", "http://xn--fiqs8s.lan", True),
        ("[::1]:8000", "http://[::1]:8000", True),
        ("chat.lan", "https://chat.lan", False),
        ("chat.lan", "http://chat.lan:8000", False),
        ("chat.lan:8000", "http://chat.lan", False),
        ("chat.lan", "http://chat.lan.evil.example", False),
        ("chat.lan", "http://evil.example#chat.lan", False),
        ("chat.lan", "null", False),
        ("chat.lan", "", False),
    ],
)
def test_an_old_browser_s_origin_must_be_this_site(
    site: Site, host: str, origin: str, may: bool
) -> None:
    assert may_ask(site, Host=host, Origin=origin) is may


def test_the_public_address_is_ours_whatever_the_proxy_says(public: Site) -> None:
    assert may_ask(public, Host="127.0.0.1:1", Origin="https://chat.example.com")
    assert not may_ask(public, Host="127.0.0.1:1", Origin="http://chat.example.com")
    assert not may_ask(public, Host="127.0.0.1:1", Origin="https://chat.example.com:8443")


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("chat.example.com", True),
        ("CHAT.example.com:8443", True),
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("localhost:8000", True),
        ("evil.example", False),
        ("chat.example.com.evil.example", False),
        ("evil.example#chat.example.com", False),
        ("chat.example.com@evil.example", False),
        ("192.0.2.1", False),
        ("", False),
    ],
)
def test_a_site_that_knows_its_address_has_no_other(public: Site, host: str, is_ours: bool) -> None:
    for path in ("/", "/chat/nowhere/events", "/static/any/css/page.css"):
        response = requests.get(public.url + path, headers={"Host": host}, timeout=10)
        assert (response.status_code != 400) is is_ours, path
        if not is_ours:
            assert response.json()["code"] == "bad_input"
            assert response.headers["Content-Type"] == "application/json"
    for path in ("/healthz", "/readyz"):
        assert requests.get(public.url + path, headers={"Host": "192.0.2.1"}, timeout=10).ok, (
            "probes"
        )


def test_a_wrong_host_has_its_sentence(public: Site) -> None:
    headers = {"Host": "evil.example", "Accept": "text/html", "Accept-Language": "en"}
    page = requests.get(public.url, headers=headers, timeout=10)
    assert page.status_code == 400 and "This site has another address." in page.text
    refused = requests.post(
        f"{public.url}/chat", json={"message": "hi"}, headers=headers, timeout=10
    )
    assert refused.status_code == 400
    assert "evil.example" not in page.text


def test_the_name_that_the_owner_s_proxy_passes_on_counts(
    emulator: Emulator, start_site: Callable[..., Site]
) -> None:
    site = start_site(**coze(emulator), PUBLIC_URL="https://chat.example.com", TRUSTED_PROXIES=1)

    def status(**headers: str) -> int:
        spelled = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.get(site.url, headers=spelled, timeout=10).status_code

    assert status(Host="inner:8000", X_Forwarded_Host="chat.example.com") == 200
    assert status(Host="chat.example.com", X_Forwarded_Host="evil.example") == 400
    assert status(Host="inner:8000") == 400


def test_over_tls_browsers_are_told_to_stay_there(proxied: Site, site: Site) -> None:
    for path in ("/", "/nowhere", "/static/any/css/page.css"):
        over_tls = requests.get(
            proxied.url + path, headers={"X-Forwarded-Proto": "https"}, timeout=10
        )
        assert over_tls.headers["Strict-Transport-Security"] == "max-age=31536000", path
        for url, headers in ((proxied.url, {}), (site.url, {"X-Forwarded-Proto": "https"})):
            plain = requests.get(url + path, headers=headers, timeout=10)
            assert "Strict-Transport-Security" not in plain.headers, path


def test_behind_a_proxy_the_outer_origin_is_ours(proxied: Site) -> None:
    outside = {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "chat.example.com"}
    assert may_ask(proxied, **outside, Origin="https://chat.example.com")
    assert not may_ask(proxied, **outside, Origin=proxied.url)


def test_other_sites_may_link_here(site: Site) -> None:
    response = requests.get(site.url, headers={"Sec-Fetch-Site": "cross-site"}, timeout=10)
    assert response.status_code == 200, "a link from another site leads here"


# visitors


def test_ids_are_long_and_never_the_same() -> None:
    visitors = Visitors("a-key-of-the-tests-0123456789")
    ids = {visitors.new() for _ in range(10_000)}
    assert len(ids) == 10_000 and all(len(one) >= 24 for one in ids)


@given(st.text(max_size=60))
def test_a_random_cookie_is_no_visitor(text: str) -> None:
    assert Visitors("a-key-of-the-tests-0123456789").read(text) is None


def test_a_cookie_is_valid_for_its_site_only() -> None:
    visitors, theirs = (
        Visitors("a-key-of-the-tests-0123456789"),
        Visitors("a-key-of-another-site-0123456"),
    )
    cookie = visitors.cookie("alice")
    assert visitors.read(cookie) == "alice"
    assert theirs.read(cookie) is None
    for place in range(len(cookie)):
        changed = cookie[:place] + ("A" if cookie[place] != "A" else "B") + cookie[place + 1 :]
        assert visitors.read(changed) in (None, "alice"), (
            "the last sign of a signature has bits to spare"
        )
    assert visitors.read(None) is None and visitors.read("") is None


def test_a_pseudonym_is_stable_unique_and_irreversible() -> None:
    visitors, others = (
        Visitors("a-key-of-the-tests-0123456789"),
        Visitors("a-key-of-another-site-0123456"),
    )
    assert visitors.pseudonym("alice") == visitors.pseudonym("alice")
    assert len({visitors.pseudonym(f"v{number}") for number in range(1000)}) == 1000
    assert re.fullmatch(r"[0-9a-f]{32}", visitors.pseudonym("alice"))
    assert visitors.pseudonym("alice") != others.pseudonym("alice")


# the log


def test_the_log_has_no_secret_no_question_and_no_forged_line(
    emulator: Emulator, site: Site
) -> None:
    visitor = Visitor(site.url)
    visitor.ask("my deepest wish")
    visitor.ask("!unauthorized my deepest wish")
    visitor.post(json={"message": "hi", "conversation_id": "my deepest wish"})
    visitor.post(json={"message": "hi", "conversation_id": "x" * 100_000})
    visitor.get("/c/%0a2026-01-01 ERROR made up")
    visitor.get("/nowhere?token=my+deepest+wish")
    visitor.post(json={"message": "hi"}, headers={"Origin": "https://evil.example/\x1b[2J"})
    assert TOKEN not in site.log
    assert "my deepest wish" not in site.log and "my+deepest" not in site.log
    assert "\n2026-01-01 ERROR made up" not in site.log and "\x1b" not in site.log
    assert max(map(len, site.log.splitlines())) < 2000
