"""Signing in and out: new cookies, worthless old ones, sessions that end with their code."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from chat.visitors.sessions import LIFE
from chat.web.frame.local import local
from tests.kit.emulator import Emulator, coze
from tests.kit.members import (
    ANN,
    BEA,
    CODES,
    HTML,
    KEY,
    KEYS,
    OLD,
    THRIFTY,
    age,
    cookies_of,
    is_refused,
    member,
    newcomer,
    rows,
    set_cookies,
    sign_in,
    with_cookies,
)
from tests.kit.site import Site, Visitor

Start = Callable[..., Site]


@pytest.fixture(scope="module")
def site(emulator: Emulator, keep_site: Start) -> Site:
    """Needs a code for everything."""
    return keep_site(**coze(emulator), ACCESS_CODES=CODES, API_KEYS=KEYS, TRUSTED_PROXIES=1)


# signing in and out


@pytest.mark.parametrize("code", ["", "wrong", ANN.upper(), OLD, KEY, f"ann:{ANN}", "x" * 10_000])
def test_wrong_codes_do_not_sign_in(site: Site, code: str) -> None:
    visitor = newcomer(site)
    response = sign_in(visitor, code)
    assert response.status_code == 401 and 'role="alert"' in response.text
    assert "session" not in visitor.session.cookies and is_refused(visitor.ask("hi"))
    told = newcomer(site).post(
        "/sign-in", data={"code": code}, headers={"Accept": "application/json"}
    )
    assert is_refused(told) and (not code or code not in told.json()["error"])


def test_the_session_cookie_is_same_site_and_for_thirty_days(site: Site) -> None:
    visitor = newcomer(site, **{"X-Forwarded-Proto": "https"})
    response = sign_in(visitor, ANN)
    for cookie in set_cookies(response).values():
        assert (
            cookie["httponly"]
            and cookie["samesite"] == "Lax"
            and cookie["secure"]
            and cookie["path"] == "/"
        )
    session = set_cookies(response)["__Host-session"]
    assert abs(int(session["max-age"]) - LIFE.total_seconds()) < 10
    plain = set_cookies(sign_in(newcomer(site), ANN))["session"]
    assert not plain["secure"], "on plain http no browser would send it back"
    stored = rows(site, "SELECT id, code FROM sessions")
    assert session.value not in str(stored) and all(
        re.fullmatch("[0-9a-f]{64}", id) for id, _ in stored
    )


def test_signing_in_renews_cookies_and_brings_the_conversations(site: Site) -> None:
    visitor = member(site)
    visitor.ask("from before")
    before = cookies_of(visitor)
    assert sign_in(visitor, BEA).status_code == 303
    after = cookies_of(visitor)
    assert not set(before.values()) & set(after.values())
    assert (
        visitor.get(f"/c/{visitor.conversation}").ok
        and "bea" in visitor.get("/", headers=HTML).text
    )
    assert is_refused(with_cookies(site, before).get("/conversations"))
    thief = with_cookies(site, {"visitor": before["visitor"]})
    sign_in(thief, BEA)
    assert thief.get(f"/c/{visitor.conversation}").status_code == 404, (
        "the old cookie is worth nothing"
    )


def test_a_visitor_from_before_the_codes_keeps_the_conversations(
    emulator: Emulator, start_site: Start
) -> None:
    site = start_site(**coze(emulator))
    visitor, forger = Visitor(site.url), Visitor(site.url)
    visitor.ask("from the open days")
    site.end()
    site.settings["ACCESS_CODES"] = ANN
    site.start()
    assert is_refused(visitor.get(f"/c/{visitor.conversation}"))
    cookie = visitor.session.cookies["visitor"]
    # Not its last character, of which some bits mean nothing.
    forged = cookie[:-2] + ("A" if cookie[-2] != "A" else "B") + cookie[-1]
    forger.session.cookies.set("visitor", forged)
    for one in (forger, visitor):
        assert sign_in(one, ANN).status_code == 303
    assert forger.get(f"/c/{visitor.conversation}").status_code == 404
    assert visitor.get(f"/c/{visitor.conversation}").ok


def test_an_expired_session_is_renewed_by_the_code_and_nothing_is_lost(site: Site) -> None:
    visitor = member(site)
    visitor.ask("keep this")
    age(site, visitor, LIFE + timedelta(seconds=1))
    refused = visitor.ask("one more")
    assert is_refused(refused)
    page = visitor.get(f"/c/{visitor.conversation}?at={visitor.message}", headers=HTML)
    there = f"/c/{visitor.conversation}?at={visitor.message}"
    assert page.status_code == 401 and f'name="next" value="{there}"' in page.text
    assert sign_in(visitor, ANN, next=there).headers["Location"] == there
    assert "keep this" in visitor.get(there).text


def test_the_sign_in_page_says_that_the_question_was_not_sent(site: Site) -> None:
    visitor = newcomer(site)
    form = {"message": "a long <question>", "agent": "coze", "conversation_id": ""}
    headers = {**HTML, "Accept-Language": "en", "Referer": f"{site.url}/?agent=coze"}
    page = visitor.post("/chat", data=form, headers=headers)
    assert page.status_code == 401 and "Your question was not sent" in page.text
    assert "a long" not in page.text, "the form of who is turned away is not read"
    assert 'name="next" value="/?agent=coze"' in page.text
    for elsewhere in ("https://evil.example/?agent=coze", "", "nonsense", f"{site.url}//evil"):
        page = visitor.post("/chat", data=form, headers={**HTML, "Referer": elsewhere})
        assert page.status_code == 401 and 'name="next" value="/"' in page.text


def test_signing_out_ends_the_session_and_leaves_nothing_behind(site: Site) -> None:
    visitor = member(site)
    visitor.ask("to be gone")
    before = cookies_of(visitor)
    out = visitor.post("/sign-out", headers=HTML, allow_redirects=False)
    assert out.status_code == 303 and "session" not in visitor.session.cookies
    assert is_refused(visitor.get("/conversations"))
    thief = with_cookies(site, before)
    assert is_refused(thief.get("/conversations"))
    sign_in(thief, BEA)
    assert thief.get(f"/c/{visitor.conversation}").status_code == 404
    assert visitor.post("/sign-out", headers={"Accept": "application/json"}).status_code == 204


def _moved(site: Site, first: Visitor, second: Visitor) -> None:
    """The second goes on with the first one's conversations."""
    code = re.search(r'<strong translate="no">([^<]+)</strong>', first.post("/device").text)
    assert code and second.post("/device/claim", data={"code": code[1]}, headers=HTML).ok


def test_another_device_needs_its_own_sign_in_and_shares_the_visitor(site: Site) -> None:
    first, second = member(site), newcomer(site)
    first.ask("shared by two")
    page = second.get("/device?code=ABCD-2345", headers=HTML)
    assert page.status_code == 401 and 'name="next" value="/device?code=ABCD-2345"' in page.text
    assert is_refused(second.post("/device/claim", data={"code": "ABCD-2345"}))
    sign_in(second, BEA)
    _moved(site, first, second)
    assert (
        second.get(f"/c/{first.conversation}").ok and ">bea<" in second.get("/", headers=HTML).text
    )
    first.post("/sign-out")
    assert second.get(f"/c/{first.conversation}").ok, (
        "one of two signs out: the other keeps everything"
    )
    third = member(site)
    _moved(site, second, third)
    second.post("/sign-out", data={"everywhere": "yes"})
    assert is_refused(third.get("/")) and is_refused(second.get("/"))


def test_of_two_devices_one_signs_in_again_and_the_other_follows(site: Site) -> None:
    first, second = member(site), member(site)
    first.ask("for both")
    _moved(site, first, second)
    sign_in(first, ANN)
    assert first.get(f"/c/{first.conversation}").ok and second.get(f"/c/{first.conversation}").ok


FOREIGN = [
    *(
        "",
        None,
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "///evil",
    ),
    *("/\t/evil.example", "/\n/evil.example", "javascript:alert(1)", "evil", " /", "/ x", "/\x00"),
]


@pytest.mark.parametrize(
    ("wish", "there"),
    [
        ("/c/abc?at=1", "/c/abc?at=1"),
        ("/?agent=七班", "/?agent=七班"),
        *((one, "/") for one in FOREIGN),
    ],
)
def test_next_leads_to_this_site_only(wish: str | None, there: str) -> None:
    assert local(wish) == there


def test_a_foreign_next_leads_to_the_start(site: Site) -> None:
    visitor = newcomer(site)
    page = visitor.get("/sign-in?next=//evil.example", headers=HTML)
    assert page.ok and 'name="next" value="/"' in page.text
    assert sign_in(visitor, ANN, next="//evil.example").headers["Location"] == "/"
    on = visitor.get("/sign-in?next=/conversations", headers=HTML, allow_redirects=False)
    assert on.headers["Location"] == "/conversations", "who is signed in is not asked again"


# codes that end


def test_codes_that_change_or_leave_end_their_sessions(
    emulator: Emulator, start_site: Start
) -> None:
    site = start_site(**coze(emulator), ACCESS_CODES=f"ann:{ANN},bea:{BEA},{THRIFTY}")
    ann, bea, nameless = (member(site, code) for code in (ANN, BEA, THRIFTY))
    site.end()
    site.settings["ACCESS_CODES"] = f"{THRIFTY},bea:{BEA}::100,ann:another-code-for-ann"
    site.start()
    assert is_refused(ann.get("/")) and bea.get("/").ok and nameless.get("/").ok
    assert sign_in(newcomer(site), ANN).status_code == 401
    site.end()
    site.settings["ACCESS_CODES"] = f"ann:{ANN},bea:{BEA}:2020-01-01,{THRIFTY}"
    site.start()
    assert is_refused(ann.get("/")), "the old session does not come back with the code"
    assert is_refused(bea.get("/")) and nameless.get("/").ok
    site.end()
    site.settings["ACCESS_CODES"] = ""
    site.start()
    assert ann.get("/").ok, "a site without codes asks for none"


def test_a_session_does_not_outlive_its_code(emulator: Emulator, start_site: Start) -> None:
    day = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    site = start_site(**coze(emulator), ACCESS_CODES=f"ann:{ANN}:{day}", TIME_ZONE="UTC")
    visitor = newcomer(site)
    life = int(set_cookies(sign_in(visitor, ANN))["session"]["max-age"])
    assert 3 * 86_400 <= life <= 4 * 86_400


def test_a_code_has_a_number_of_questions_a_day(site: Site) -> None:
    first, second = member(site, THRIFTY), member(site, THRIFTY)
    assert first.ask("one").ok and second.ask("two").ok
    for refused in (first.ask("three"), second.post(json={"message": "four", "stream": True})):
        assert refused.status_code == 429 and refused.json()["code"] == "quota_exhausted"
        assert 0 < refused.json()["retry_after"] <= 86_400 and refused.headers["Retry-After"]
    page = first.post("/chat", data={"message": "by form", "agent": "coze"}, headers=HTML)
    assert page.status_code == 429 and "by form</textarea>" in page.text
    assert not rows(site, "SELECT 1 FROM answers WHERE question IN ('three', 'four', 'by form')")
    assert member(site).ask("of another code").ok
