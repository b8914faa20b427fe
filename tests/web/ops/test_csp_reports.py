"""Reports about blocked content: in the log, few, legible and without anybody's words."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser

from chat.visitors.limits.reports import Reports
from tests.kit.emulator import Emulator, coze
from tests.kit.patience import eventually
from tests.kit.site import Site, Visitor, visitor_from

BLOCKED = "the page's policy has blocked "
addresses: Iterator[int] = iter(range(1, 250))


@pytest.fixture(scope="module")
def proxied(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    return keep_site(**coze(emulator), TRUSTED_PROXIES=1)


def logged(site: Site) -> list[str]:
    """What was blocked, by the log so far."""
    lines = site.log.splitlines()
    return [line.partition(BLOCKED)[2] for line in lines if BLOCKED in line]


def new_address(site: Site) -> Visitor:
    return visitor_from(site, f"203.0.113.{next(addresses)}")


def old_report(**fields: Any) -> dict[str, Any]:
    return {"csp-report": {name.replace("_", "-"): field for name, field in fields.items()}}


def new_report(**fields: Any) -> dict[str, Any]:
    return {"type": "csp-violation", "age": 1, "url": "https://x/", "body": fields}


def send(
    visitor: Visitor, payload: Any, kind: str = "application/reports+json"
) -> requests.Response:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return visitor.post("/csp-report", data=body, headers={"Content-Type": kind})


def test_both_kinds_of_report_are_in_the_log(proxied: Site) -> None:
    visitor = new_address(proxied)
    old = old_report(
        document_uri=f"{proxied.url}/c/5b1f0c?secret=1",
        blocked_uri="https://evil.example:8443/collect?words=of+mine",
        violated_directive="img-src 'self' data:",
        script_sample="words of mine",
    )
    new = [
        new_report(
            documentURL=f"{proxied.url}/", blockedURL="inline", effectiveDirective="script-src-elem"
        ),
        new_report(documentURL="/nowhere/words", blockedURL="data", effectiveDirective="img-src"),
    ]
    assert send(visitor, old, "application/csp-report").status_code == 204
    assert send(visitor, new).status_code == 204
    assert logged(proxied)[-3:] == [
        "img-src: https://evil.example:8443 on /c/<conversation_id>",
        "script-src-elem: inline on /",
        "img-src: data on ?",
    ]
    assert "words" not in proxied.log and "secret=1" not in proxied.log


HOSTILE: list[Any] = [
    b"",
    b"no json",
    b"[" * 20_000,
    b"\xff\xfe",
    b"null",
    b'"text"',
    b"[1, null, {}, []]",
    {"csp-report": None},
    {"csp-report": []},
    [{"body": "text"}],
    [new_report(effectiveDirective=7, blockedURL=["x"], documentURL={})],
    old_report(blocked_uri="http://[::1", document_uri="http://[", violated_directive=""),
    old_report(blocked_uri="http://words\nof mine/", violated_directive="\x1b[2J"),
    old_report(blocked_uri="https://x:99999/", document_uri="//"),
    old_report(blocked_uri="a" * 5000 + "://x", violated_directive="a" * 5000),
    old_report(blocked_uri="javascript:alert('words')"),
]


@pytest.mark.parametrize("payload", HOSTILE, ids=range(len(HOSTILE)))
def test_any_report_is_taken_and_makes_a_short_legible_line(proxied: Site, payload: Any) -> None:
    before = len(logged(proxied))
    assert send(new_address(proxied), payload).status_code == 204
    lines = logged(proxied)[before:]
    assert all(len(line) < 200 and line.isprintable() for line in lines), lines
    assert "words" not in " ".join(lines)


def test_an_address_and_all_together_fill_no_log(site: Site) -> None:
    before = len(logged(site))
    report = [new_report(effectiveDirective="img-src", blockedURL="inline", documentURL="/")] * 9
    visitor = Visitor(site.url)
    for _ in range(20):
        assert send(visitor, report).status_code == 204
    assert len(logged(site)) - before <= 6 * 3
    assert send(visitor, b"x" * 60_000).status_code == 204, "not read"
    assert send(visitor, b"x" * 1_000_000).status_code == 413


def test_reports_are_counted_by_address_and_in_all() -> None:
    seconds = [0.0]
    reports = Reports(lambda: seconds[0])
    assert [reports.may_send("a") for _ in range(8)] == [True] * 6 + [False] * 2
    others = [reports.may_send(f"b{number}") for number in range(40)]
    assert others.count(True) == 24
    seconds[0] = 61.0
    assert reports.may_send("a")


def test_another_site_cannot_report(site: Site) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Content-Type": "application/csp-report"}
    refused = Visitor(site.url).post("/csp-report", data=b"{}", headers=headers)
    assert refused.status_code == 403


@pytest.mark.browser
def test_chromium_reports_what_the_policy_blocks(browser: Browser, proxied: Site) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(proxied.url)
    page.evaluate("new Image().src = 'http://127.0.0.1:1/words.png'; null")
    try:
        assert eventually(lambda: "img-src: http://127.0.0.1:1 on /" in logged(proxied))
    finally:
        context.close()
