"""Nobody becomes another visitor or the owner, and nobody gets in without a code."""

import re
from collections.abc import Callable

import pytest
import requests

from chat.visitors.access import Visitors
from chat.visitors.guessing import LOCKED_FROM
from tests.kit.attacks import API_KEY, CODE, ENDS, KEY, PAGE, PASSWORD, SECRET_CODE, WRITES
from tests.kit.emulator import Emulator, coze
from tests.kit.site import Site, Visitor
from tests.kit.sockets import SOON_S, send


@pytest.mark.parametrize(
    "cookie",
    [
        "planted",
        "ImFsaWNlIg.forged",
        '"ImFsaWNlIg"',
        Visitors("another key altogether").cookie("alice"),
        "A" * 3000,
        "a\xff\xfe",
        ".",
        "%00",
    ],
)
def test_a_planted_or_forged_cookie_is_replaced(site: Site, cookie: str) -> None:
    request = f"GET / HTTP/1.1\r\nCookie: visitor={cookie}\r\n".encode("latin-1")
    heard = send(site.port, request + ENDS + b"\r\n")
    assert heard is not None and heard.status == 200
    fresh_cookie = heard.headers["set-cookie"].partition("visitor=")[2].partition(";")[0]
    assert fresh_cookie != cookie and Visitors(KEY).read(fresh_cookie)


def test_a_planted_cookie_does_not_open_the_visitor_of_another_device(
    alice: Visitor, bob: Visitor, talk: str
) -> None:
    bob.get("/")
    planted = bob.session.cookies["visitor"]
    match = re.search(CODE, alice.post("/device").text)
    assert match
    bob.post("/device/claim", data={"code": match[0]}, headers=PAGE)
    assert bob.get(f"/c/{talk}").ok
    mallory = Visitor(bob.url)
    mallory.session.cookies["visitor"] = planted
    assert mallory.get(f"/c/{talk}").status_code == 404


def test_a_stranger_s_page_does_not_use_up_a_visitor_s_tries(alice: Visitor, bob: Visitor) -> None:
    for _ in range(LOCKED_FROM):
        assert alice.get("/device?code=WRONG", headers={**PAGE, "Sec-Fetch-Dest": "image"}).ok
    match = re.search(CODE, alice.post("/device").text)
    assert match and bob.get(f"/device?code={match[0]}", headers=PAGE).ok


@pytest.mark.parametrize("path", ["", "/export.md", "/export.json"])
def test_nobody_reads_another_s_conversation(bob: Visitor, talk: str, path: str) -> None:
    refused = bob.get(f"/c/{talk}{path}")
    assert refused.status_code == 404 and "my own words" not in refused.text


def test_nobody_follows_or_stops_another_s_answer(alice: Visitor, bob: Visitor) -> None:
    hearing = alice.hear("!pieces 10 50")
    next(hearing)
    assert bob.get(f"/chat/{alice.message}/events").status_code == 404
    assert bob.post(f"/chat/{alice.message}/stop").status_code == 404
    assert [event.data["finish_reason"] for event in hearing if event.name == "done"] == ["stop"]


@pytest.mark.parametrize("write", WRITES)
def test_nobody_changes_another_s_conversation(
    alice: Visitor, bob: Visitor, talk: str, write: str
) -> None:
    link = alice.post(f"/c/{talk}/share").json()["url"]
    if write == "restore":
        alice.post(f"/c/{talk}/delete")
    before = alice.get(f"/c/{talk}")
    assert bob.post(f"/c/{talk}/{write}", data={"title": "stolen"}).status_code == 404
    after = alice.get(f"/c/{talk}")
    assert before.status_code == after.status_code and "stolen" not in after.text
    assert bob.get(link).status_code == (404 if write == "restore" else 200)


@pytest.mark.parametrize("field", ["conversation_id", "after", "instead"])
def test_nobody_asks_into_another_s_conversation(
    alice: Visitor, bob: Visitor, talk: str, field: str
) -> None:
    bob.ask("hello")
    named = {field: talk if field == "conversation_id" else alice.message}
    refused = bob.post(json={"message": "hi", "conversation_id": bob.conversation, **named})
    assert refused.status_code == 404
    assert bob.get(f"/c/{bob.conversation}?at={alice.message}").status_code == 404


def test_nobody_sends_or_fetches_another_s_file(alice: Visitor, bob: Visitor) -> None:
    sent = alice.post("/files", files={"file": ("secret.pdf", b"%PDF-1.7 secret")})
    assert sent.status_code == 201
    assert bob.ask("what is in it?", files=[sent.json()["id"]]).status_code == 404
    for key in (sent.json()["id"], f"{sent.json()['id']}.x.y", "%2e%2e%2f", "%00"):
        assert alice.get(f"/files/{key}").status_code == 404


def test_a_link_cannot_be_guessed_and_ends_when_it_is_withdrawn(
    alice: Visitor, bob: Visitor, talk: str
) -> None:
    link = alice.post(f"/c/{talk}/share").json()["url"]
    token = link.removeprefix("/s/")
    assert len(token) >= 32 and bob.get(link).ok
    near = [
        token[:-1],
        token + "a",
        token[:-1] + ("a" if token[-1] != "a" else "b"),
        token.swapcase(),
    ]
    for guess in [*near, "%25", "_" * len(token), "%2a", talk, "' OR 1=1 --"]:
        assert bob.get(f"/s/{guess}").status_code == 404
    alice.post(f"/c/{talk}/unshare")
    assert bob.get(link).status_code == 404
    link = alice.post(f"/c/{talk}/share").json()["url"]
    alice.post(f"/c/{talk}/delete")
    alice.post(f"/c/{talk}/restore")
    assert bob.get(link).status_code == 404, (
        "deleting ended it, and taking back does not begin it again"
    )


def test_the_owner_s_password_cannot_be_tried_for_long(public: Site) -> None:
    def attempt(password: str) -> int:
        return requests.get(
            f"{public.url}/oauth/coze/start",
            auth=("olivia", password),
            allow_redirects=False,
            timeout=SOON_S,
        ).status_code

    assert attempt(PASSWORD) == 302
    tried = [attempt(f"guess {number}") for number in range(9)]
    assert tried == [401] * 5 + [429] * 4
    assert attempt(PASSWORD) == 429, "a right guess is not told from a wrong one"


@pytest.fixture(scope="module")
def closed(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    return keep_site(
        **coze(emulator), ACCESS_CODES=f"guests:{SECRET_CODE}", API_KEYS=f"kiosk:{API_KEY}"
    )


def sign_in(url: str, code: str, **cookies: str) -> requests.Response:
    return requests.post(
        f"{url}/sign-in",
        data={"code": code},
        cookies=cookies,
        allow_redirects=False,
        timeout=SOON_S,
    )


def test_signing_in_replaces_a_planted_session(closed: Site) -> None:
    attacker = requests.get(closed.url, timeout=SOON_S)
    planted = {"session": "planted", "visitor": attacker.cookies.get("visitor", "planted")}
    victim = sign_in(closed.url, SECRET_CODE, **planted)
    assert victim.status_code in (204, 303)
    assert victim.cookies["session"] != planted["session"]
    asked = {"json": {"message": "mine alone"}, "timeout": SOON_S}
    talk = requests.post(f"{closed.url}/chat", cookies=victim.cookies, **asked).json()[
        "conversation_id"
    ]
    for cookies in (planted, {"session": "planted"}, {"visitor": victim.cookies["visitor"]}):
        assert (
            requests.get(f"{closed.url}/c/{talk}", cookies=cookies, timeout=SOON_S).status_code
            == 401
        )
        assert requests.post(f"{closed.url}/chat", cookies=cookies, **asked).status_code == 401


@pytest.mark.parametrize(
    "path", ["/", "/conversations", "/search?q=a", "/c/nowhere", "/device", "/nowhere/x"]
)
def test_no_page_is_shown_without_a_code(closed: Site, path: str) -> None:
    response = requests.get(closed.url + path, headers=PAGE, timeout=SOON_S)
    assert response.status_code in (401, 404)
    assert "data-ask" not in response.text and "chat-composer" not in response.text


@pytest.mark.parametrize(
    "there",
    ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example", "evil"],
)
def test_signing_in_redirects_to_this_site_only(closed: Site, there: str) -> None:
    sent = {"data": {"code": SECRET_CODE, "next": there}, "headers": PAGE, "allow_redirects": False}
    answer = requests.post(f"{closed.url}/sign-in", timeout=SOON_S, **sent)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer wrong-key-of-16-letters", "Basic a3Vpc2s6", "Token x", "Bearer a b"],
)
def test_no_other_key_opens(closed: Site, given: str) -> None:
    headers = {"Authorization": given} if given else {}
    asked = requests.post(
        f"{closed.url}/chat", json={"message": "hi"}, headers=headers, timeout=SOON_S
    )
    assert (asked.status_code, asked.json()["code"]) in ((401, "sign_in"), (429, "rate_limited"))


def test_a_braked_guesser_does_not_learn_that_a_code_is_right(
    emulator: Emulator, start_site: Callable[..., Site]
) -> None:
    site = start_site(**coze(emulator), ACCESS_CODES=SECRET_CODE)
    inside = sign_in(site.url, SECRET_CODE)
    tried = [sign_in(site.url, f"guess number {number}").status_code for number in range(9)]
    assert tried == [401] * 5 + [429] * 4
    braked = sign_in(site.url, SECRET_CODE)
    assert braked.status_code == 429 and int(braked.headers["Retry-After"]) >= 1
    assert "session" not in braked.cookies
    response = requests.post(
        f"{site.url}/chat", json={"message": "hi"}, cookies=inside.cookies, timeout=SOON_S
    )
    assert response.ok, "who is in notices nothing"
