"""Every failure has one shape, the contract's status, and a sentence in both languages.

Every route is visited with every kind of failure it can have. What a program gets is JSON and
nothing else; what a browser gets is a page that says the same.
"""

import base64
import html
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from flask import Flask
from flask_babel import Babel, force_locale

from chat.web.errors import SENTENCES, STATUS, sentence
from tests.kit.emulator import Emulator, coze
from tests.kit.routes import routes
from tests.kit.site import ROOT, Site, Visitor

CONTRACT = {
    "bad_input": 400,
    "too_long": 413,
    "sign_in": 401,
    "cross_site": 403,
    "not_found": 404,
    "busy": 409,
    "rate_limited": 429,
    "quota_exhausted": 429,
    "unavailable": 502,
    "unexpected": 502,
    "blocked": 502,
    "needs_action": 502,
    "empty": 502,
    "misconfigured": 503,
    "timeout": 504,
}
ELSEWHERE = {"Origin": "https://elsewhere.example"}
JSON = {"Content-Type": "application/json"}
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
# What a browser is led away from.
PROGRAM = {"Accept": "application/json"}
WRONG = "Basic " + base64.b64encode(b"olivia:wrong").decode()


@dataclass(frozen=True)
class Failure:
    """A request that has to fail, and how."""

    method: str
    path: str
    status: int
    code: str
    headers: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.code} {self.status}"


def failure(
    line: str, code: str, status: int | None = None, headers: Any = None, **options: Any
) -> Failure:
    method, path = line.split(" ", 1)
    return Failure(method, path, status or CONTRACT[code], code, headers or {}, options)


def chat_body(message: Any, **more: Any) -> dict[str, Any]:
    return {"json": {"message": message, **more}}


FAILURES = [
    failure("POST /csp-report", "cross_site", headers=ELSEWHERE),
    failure("GET /?agent=nobody", "not_found"),
    failure("POST /", "bad_input", 405),
    failure("GET /c/nowhere", "not_found"),
    failure("GET /c/%ff%00", "not_found"),
    failure("DELETE /c/nowhere", "bad_input", 405),
    failure("POST /c/nowhere/clear", "not_found"),
    failure("POST /c/nowhere/clear", "cross_site", headers=ELSEWHERE),
    failure("GET /c/nowhere/clear", "bad_input", 405),
    failure("GET /chat", "bad_input", 405),
    failure("POST /chat", "bad_input", 415),
    failure("POST /chat", "bad_input", 415, {"Content-Type": "text/plain"}, data="hi"),
    failure("POST /chat", "bad_input", headers=JSON, data="{"),
    failure("POST /chat", "bad_input", headers=JSON, data="[1]"),
    failure("POST /chat", "bad_input", **chat_body("")),
    failure("POST /chat", "bad_input", **chat_body("a\x00b")),
    failure("POST /chat", "bad_input", **chat_body("hi", files=[1])),
    failure("POST /chat", "not_found", **chat_body("hi", files=["nowhere"])),
    failure("POST /chat", "bad_input", **chat_body("hi", files=["\ud800"])),
    failure("POST /chat", "not_found", **chat_body("hi", agent="nobody")),
    failure("POST /chat", "not_found", **chat_body("hi", conversation_id="nowhere")),
    failure("POST /chat", "bad_input", **chat_body("hi", conversation_id="\ud800")),
    failure("POST /chat", "bad_input", **chat_body("hi", conversation_id="x" * 1000)),
    failure("POST /chat", "too_long", **chat_body("x" * 8001)),
    failure("POST /chat", "too_long", headers=JSON, data=b"x" * 18_000_000),
    failure("POST /chat", "cross_site", headers=ELSEWHERE, **chat_body("hi")),
    failure(
        "POST /chat", "cross_site", headers={"Sec-Fetch-Site": "cross-site"}, **chat_body("hi")
    ),
    failure("POST /chat", "not_found", json={"bot_id": "1", "additional_messages": []}),
    failure("GET /chat/nowhere/events", "not_found"),
    failure("POST /chat/nowhere/events", "bad_input", 405),
    failure("POST /chat/nowhere/stop", "not_found"),
    failure("POST /chat/nowhere/feedback", "not_found", json={"rating": "up"}),
    failure("POST /chat/nowhere/stop", "cross_site", headers=ELSEWHERE),
    failure("GET /chat/nowhere/stop", "bad_input", 405),
    failure("POST /c/nowhere/title", "not_found", json={"title": "words"}),
    failure("POST /c/nowhere/title", "bad_input", json={"title": 7}),
    failure("POST /c/nowhere/title", "bad_input", json=["title"]),
    failure("POST /c/nowhere/title", "cross_site", headers=ELSEWHERE, data={"title": "words"}),
    failure("POST /c/nowhere/delete", "not_found"),
    failure("POST /c/nowhere/delete", "cross_site", headers=ELSEWHERE),
    failure("POST /c/nowhere/restore", "not_found"),
    failure("POST /c/nowhere/pin", "not_found", json={"pinned": True}),
    failure("POST /conversations/delete", "bad_input"),
    failure("POST /conversations/delete", "not_found", data={"id": "nowhere"}),
    failure("POST /conversations/delete", "cross_site", headers=ELSEWHERE, data={"id": "a"}),
    failure("GET /agents/nobody", "not_found"),
    failure("POST /agents", "bad_input", 405),
    failure("GET /icons/nowhere", "not_found"),
    failure("POST /sheets", "bad_input", 405),
    failure("POST /c/nowhere/share", "not_found"),
    failure("POST /c/nowhere/share", "cross_site", headers=ELSEWHERE),
    failure("POST /c/nowhere/unshare", "not_found"),
    failure("GET /c/nowhere/export.md", "not_found"),
    failure("GET /c/nowhere/export.json", "not_found"),
    failure("GET /s/nowhere", "not_found"),
    failure("GET /conversations?before=nowhere", "not_found"),
    failure("POST /forget", "bad_input"),
    failure("POST /forget", "cross_site", headers=ELSEWHERE, data={"sure": "yes"}),
    failure("POST /search", "bad_input", 405),
    failure("PUT /device", "bad_input", 405),
    failure("POST /device", "cross_site", headers=ELSEWHERE),
    failure("POST /device/claim", "not_found", data={"code": "WRONG"}),
    failure("POST /device/claim", "cross_site", headers=ELSEWHERE, data={"code": "WRONG"}),
    failure("GET /sign-in", "not_found"),
    failure("POST /sign-in", "not_found", data={"code": "any-code"}),
    failure("POST /sign-in", "cross_site", headers=ELSEWHERE, data={"code": "any-code"}),
    failure("GET /sign-out", "bad_input", 405),
    failure("POST /sign-out", "cross_site", headers=ELSEWHERE),
    failure("POST /manifest.webmanifest", "bad_input", 405),
    failure("POST /files", "bad_input"),
    failure("POST /files", "bad_input", files={"other": ("a.txt", b"x")}),
    failure("POST /files", "bad_input", 415, files={"file": ("a.exe", b"x")}),
    failure("POST /files", "bad_input", files={"file": ("a.pdf", b"")}),
    failure("POST /files", "bad_input", files={"file": ("../a.txt", b"x")}),
    failure("POST /files", "not_found", files={"file": ("a.txt", b"x")}, data={"agent": "nobody"}),
    failure("POST /files", "too_long", files={"file": ("a.txt", b"x" * 18_000_000)}),
    failure("POST /files", "cross_site", headers=ELSEWHERE, files={"file": ("a.txt", b"x")}),
    failure("GET /files", "bad_input", 405),
    failure("GET /files/nowhere", "not_found"),
    failure("POST /files/nowhere", "bad_input", 405),
    failure("GET /pictures/nowhere", "not_found"),
    failure("GET /pictures/nowhere?url=https://byteimg.com/a.png", "not_found"),
    failure("POST /pictures/nowhere", "bad_input", 405),
    failure("GET /oauth/coze/start", "sign_in", headers=PROGRAM),
    failure("GET /oauth/coze/start", "sign_in", headers={"Authorization": WRONG}),
    failure("GET /oauth/coze/start", "sign_in", headers={"Authorization": "Basic x", **PROGRAM}),
    failure("POST /oauth/coze/start", "bad_input", 405),
    failure("GET /oauth/coze/callback?code=x&state=y", "bad_input"),
    failure("POST /oauth/coze/callback", "bad_input", 405),
    failure("POST /healthz", "bad_input", 405),
    failure("POST /readyz", "bad_input", 405),
    failure("GET /metrics", "not_found", headers={"X-Forwarded-For": "203.0.113.9"}),
    failure("POST /metrics", "bad_input", 405),
    failure("POST /openapi.yaml", "bad_input", 405),
    failure("GET /static/any/nothing.js", "not_found"),
    failure("GET /static/any/%2e%2e%2fapp.py", "not_found"),
    failure("POST /static/any/css/page.css", "bad_input", 405),
    failure("GET /nowhere", "not_found"),
    failure("POST /nowhere", "not_found"),
    failure("PUT /nowhere", "cross_site", headers=ELSEWHERE),
]
# The codes of all others are in tests/faults.
OF_A_PLATFORM = {"!quota": "quota_exhausted", "!requires-action": "needs_action"}


@pytest.fixture(scope="module")
def site(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    return keep_site(**coze(emulator), ADMIN_PASSWORD="correct horse battery", UPLOAD_MAX_MB=1)


@pytest.fixture(scope="module")
def nobody() -> Iterator[requests.Session]:
    """A program without cookies."""
    with requests.Session() as session:
        yield session


def test_the_table_is_the_contract_s() -> None:
    assert STATUS == CONTRACT
    assert set(SENTENCES) == set(CONTRACT)


def test_every_route_is_visited() -> None:
    places = routes().bind("localhost")
    paths = {failing.path.partition("?")[0] for failing in FAILURES}
    visited = {
        places.match(path, method)[0]
        for path in paths
        for method in places.allowed_methods(path)
        if method not in ("HEAD", "OPTIONS")
    }
    assert {rule.endpoint for rule in routes().iter_rules()} == visited


@pytest.mark.parametrize("failing", FAILURES, ids=str)
def test_a_program_gets_the_one_shape(
    site: Site, nobody: requests.Session, failing: Failure
) -> None:
    response = nobody.request(
        failing.method,
        site.url + failing.path,
        headers=failing.headers,
        timeout=30,
        **failing.options,
    )
    assert_shape(response, failing.status, failing.code)
    if failing.status == 405:
        assert response.headers["Allow"]
    if failing.status == 401:
        assert response.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize(
    "failing",
    [case for case in FAILURES if case.method == "GET" and "Accept" not in case.headers],
    ids=str,
)
def test_a_browser_gets_a_page_that_says_the_same(site: Site, failing: Failure) -> None:
    response = requests.get(
        site.url + failing.path, headers={**HTML, **failing.headers}, timeout=30
    )
    assert response.status_code == failing.status
    assert response.headers["Content-Type"].startswith("text/html")
    assert response.headers["Cache-Control"] == "no-store"
    assert re.search(r'<html[^>]* lang="zh', response.text)
    assert any("\u4e00" <= char <= "\u9fff" for char in response.text)
    assert (response.headers["X-Request-Id"] in response.text) == (failing.status >= 500)
    assert_nothing_inside_shows(response.text)


@pytest.mark.parametrize(("question", "code"), OF_A_PLATFORM.items())
def test_a_platform_s_failure_has_the_one_shape(site: Site, question: str, code: str) -> None:
    visitor = Visitor(site.url)
    assert_shape(visitor.ask(question), CONTRACT[code], code)
    event = list(visitor.hear(question))[-1]
    assert (event.name, event.data["code"]) == ("error", code)
    assert (
        set(event.data) <= {"error", "code", "retry_after", "id"}
        and f"[{event.data['id']}]" in site.log
    )


def test_a_busy_conversation_has_the_one_shape(site: Site) -> None:
    visitor = Visitor(site.url)
    hearing = visitor.hear("!pieces 10 100")
    next(hearing)
    refused = visitor.ask("me too")
    assert_shape(refused, 409, "busy")
    assert int(refused.headers["Retry-After"]) > 0
    clearing = visitor.post(f"/c/{visitor.conversation}/clear")
    assert_shape(clearing, 409, "busy")
    list(hearing)


def test_who_guesses_the_owner_s_password_has_to_wait(
    emulator: Emulator, start_site: Callable[..., Site]
) -> None:
    site = start_site(**coze(emulator), ADMIN_PASSWORD="correct horse battery")
    for _ in range(10):
        requests.get(f"{site.url}/oauth/coze/start", auth=("olivia", "wrong"), timeout=10)
    refused = requests.get(f"{site.url}/oauth/coze/start", auth=("olivia", "wrong"), timeout=10)
    assert_shape(refused, 429, "rate_limited")
    assert int(refused.headers["Retry-After"]) > 0


@pytest.fixture(scope="module")
def broken_site(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    """One whose database lacks its tables: every question is a fault of ours."""
    site = keep_site(**coze(emulator))
    with closing(sqlite3.connect(site.folder / "instance" / "chat.db")) as database:
        database.executescript("DROP TABLE answers; DROP TABLE conversations")
    return site


def test_a_fault_of_ours_has_the_one_shape_and_reveals_nothing(broken_site: Site) -> None:
    visitor = Visitor(broken_site.url)
    for response in (
        visitor.ask("a secret question"),
        visitor.get("/c/x", headers={"Accept": "*/*"}),
    ):
        assert_shape(response, 500, "unexpected")
        number = response.json()["id"]
        assert re.search(rf"ERROR chat.web \[{number}\]: a fault of ours", broken_site.log)
    assert "a secret question" not in broken_site.log


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("zh", "编号"), ("en", "Tell the site's owner this number:")],
)
def test_the_page_of_a_fault_shows_its_number(
    broken_site: Site, language: str, sentence: str
) -> None:
    headers = {**HTML, "Accept-Language": language, "X-Request-Id": "mine0000"}
    response = requests.get(f"{broken_site.url}/c/x", headers=headers, timeout=10)
    number = response.headers["X-Request-Id"]
    assert response.status_code == 500 and number != "mine0000"
    assert sentence in html.unescape(response.text) and number in response.text
    assert f"[{number}]" in broken_site.log
    assert "mine0000" not in broken_site.log


@pytest.mark.parametrize("code", CONTRACT)
def test_every_reason_has_a_sentence_in_both_languages(code: str) -> None:
    """Also those that no request of this file can cause."""
    app = Flask(__name__)
    Babel(app, default_translation_directories=str(ROOT / "chat" / "translations"))
    with app.test_request_context(), force_locale("zh"):
        chinese = sentence(code)
    with app.test_request_context(), force_locale("en"):
        english = sentence(code)
    assert any("\u4e00" <= char <= "\u9fff" for char in chinese) and chinese[-1] in "。！"
    assert english.isascii() and english[-1] == "."


@pytest.mark.parametrize("failing", FAILURES[:1] + FAILURES[14:20], ids=str)
def test_the_sentence_is_in_the_language_of_the_reader(site: Site, failing: Failure) -> None:
    for wish, pattern in (("zh-CN,zh;q=0.9", "[\u4e00-\u9fff]"), ("en-GB,en;q=0.8", "^[ -~]+$")):
        response = requests.request(
            failing.method,
            site.url + failing.path,
            headers={**failing.headers, "Accept-Language": wish},
            timeout=10,
            **failing.options,
        )
        assert re.search(pattern, response.json()["error"])


def assert_shape(response: requests.Response, status: int, code: str) -> None:
    assert response.status_code == status, response.text[:500]
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    body = response.json()
    assert set(body) <= {"error", "code", "retry_after", "id"}
    assert (
        re.fullmatch(r"[2-9a-z]{8}", body["id"]) and response.headers["X-Request-Id"] == body["id"]
    )
    assert body["code"] == code and len(body["error"]) >= 5
    assert ("Retry-After" in response.headers) == ("retry_after" in body)
    assert_nothing_inside_shows(response.text)


def assert_nothing_inside_shows(text: str) -> None:
    assert not re.search(r"Traceback|site-packages|sqlite|werkzeug|\.py\b|Exception|pat_demo", text)
