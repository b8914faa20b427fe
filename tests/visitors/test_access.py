"""Codes open the site, keys let programs in, and open agents answer everybody."""

import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask

from chat.agents.offered import load_agents
from chat.agents.vault import Vault
from chat.owner.doctor import access as doctor_access
from chat.settings import hashes
from chat.settings.model import Settings
from chat.storage import open_existing
from chat.visitors.guessing import ALL
from chat.web.gate import permissions
from emulator.accounts import DEMO
from tests.kit.emulator import Emulator, coze
from tests.kit.members import (
    ANN,
    BEA,
    CODES,
    HTML,
    KEY,
    KEYS,
    OLD,
    OLD_KEY,
    POOR_KEY,
    SECRETS,
    is_refused,
    member,
    newcomer,
    program,
    sign_in,
    solve,
)
from tests.kit.patience import soon
from tests.kit.site import Site, Visitor
from tests.site.test_start import refusal

OPEN_AND_CODED = """
[[agents]]
id = "coded"
platform = "coze"
bot_id = "7480000000000000101"
name = "Coded agent"

[[agents]]
id = "free"
platform = "coze"
bot_id = "7480000000000000103"
name = "Free agent"
access = "open"
"""

Start = Callable[..., Site]


@pytest.fixture(scope="module")
def site(emulator: Emulator, keep_site: Start) -> Site:
    """Needs a code for everything."""
    return keep_site(**coze(emulator), ACCESS_CODES=CODES, API_KEYS=KEYS, TRUSTED_PROXIES=1)


@pytest.fixture(scope="module")
def mixed(emulator: Emulator, keep_site: Start, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Has an agent for all and one for those with a code."""
    folder = tmp_path_factory.mktemp("mixed")
    (folder / "agents.toml").write_text(OPEN_AND_CODED)
    settings = {**coze(emulator), "COZE_BOT_ID": "", "AGENTS_FILE": "agents.toml"}
    return keep_site(folder, **settings, ACCESS_CODES=CODES, API_KEYS=KEYS, TRUSTED_PROXIES=1)


# what is closed, and what is not


def routes() -> dict[str, tuple[str, str]]:
    """Method and an address for each endpoint."""
    import app

    site = Flask("nothing", static_folder=None)
    for name in vars(app).values():
        if bp := getattr(name, "bp", None):
            site.register_blueprint(bp)
    return {
        rule.endpoint: (
            sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})[0],
            re.sub("<[^>]+>", "x", rule.rule),
        )
        for rule in site.url_map.iter_rules()
    }


def test_every_route_is_closed_except_the_named_ones(site: Site) -> None:
    found = routes()
    assert set(found) >= permissions.OPEN | permissions.WITH_OPEN_AGENTS, (
        "names of routes that are gone"
    )
    for endpoint, (method, path) in found.items():
        visitor = newcomer(site)
        response = visitor.session.request(
            method, site.url + path, timeout=10, allow_redirects=False
        )
        is_open = endpoint in permissions.OPEN - {
            "signing_in.enter"
        }  # which refuses, as no code was given
        assert (response.status_code == 401) != is_open, endpoint
        assert is_open or is_refused(response)
        assert not visitor.session.cookies or is_open, "who is turned away gets no cookie"


def test_a_site_without_codes_is_open(emulator: Emulator, start_site: Start) -> None:
    site = start_site(**coze(emulator))
    visitor = Visitor(site.url)
    visitor.session.headers["Authorization"] = "Bearer pat_of_a_copied_page"
    assert visitor.ask("hi").ok and visitor.get(f"/c/{visitor.conversation}").ok
    page = visitor.get("/", headers=HTML).text
    assert "/sign-in" not in page and "/sign-out" not in page
    assert visitor.get("/sign-in").status_code == 404 and sign_in(visitor, ANN).status_code == 404
    assert visitor.get("/device").ok


def test_a_browser_gets_the_sign_in_page_and_a_program_the_reason(site: Site) -> None:
    page = newcomer(site).get("/", headers=HTML)
    assert page.status_code == 401 and page.headers["Cache-Control"] == "no-store"
    assert 'name="code"' in page.text and 'autocomplete="current-password"' in page.text
    told = newcomer(site).ask("hi")
    assert is_refused(told) and told.headers["WWW-Authenticate"].startswith("Bearer")
    assert "Basic" not in told.headers["WWW-Authenticate"], (
        "no browser may ask for a password of its own"
    )


def test_with_a_code_everything_works(site: Site) -> None:
    visitor = member(site)
    assert visitor.ask("hi").ok
    assert [one.name for one in visitor.hear("hello")][-1] == "done"
    page = visitor.get(f"/c/{visitor.conversation}", headers=HTML)
    assert page.ok and ">ann<" in page.text and "/sign-out" in page.text
    for path in (
        "/conversations",
        "/search?q=hi",
        f"/c/{visitor.conversation}/export.md",
        "/device",
    ):
        assert visitor.get(path).ok
    shared = visitor.post(
        f"/c/{visitor.conversation}/share", headers={"Accept": "application/json"}
    )
    stranger = newcomer(site).get(shared.json()["url"])
    assert stranger.ok and "hello" in stranger.text and not stranger.cookies


def test_others_with_the_same_code_see_nothing(site: Site) -> None:
    first, second = member(site), member(site)
    first.ask("mine alone")
    assert second.get(f"/c/{first.conversation}").status_code == 404
    assert "mine alone" not in second.get("/conversations").text


# programs


def test_a_program_is_one_visitor_without_cookies(site: Site) -> None:
    one, other_address = program(site), program(site)
    assert one.ask("hi").ok and not one.session.cookies
    assert other_address.get(f"/c/{one.conversation}").ok and other_address.get("/conversations").ok
    assert one.post(f"/c/{one.conversation}/delete").status_code == 204 and not one.session.cookies
    assert program(site, POOR_KEY).get(f"/c/{one.conversation}").status_code == 404
    assert one.post("/device/claim", data={"code": "ABCD-2345"}).status_code == 400
    poor = program(site, POOR_KEY)
    assert poor.ask("the one").ok and poor.ask("the next").json()["code"] == "quota_exhausted"


@pytest.mark.parametrize("key", ["wrong", "", ANN, OLD_KEY, KEY.upper(), KEY + "x", "é" * 20])
def test_a_wrong_key_is_refused_even_with_a_session(site: Site, key: str) -> None:
    visitor = member(site)
    refused = visitor.get("/", headers={"Authorization": f"Bearer {key}".encode(), **HTML})
    assert refused.status_code == 401 and 'name="code"' not in refused.text
    assert is_refused(visitor.ask("hi")) is False, "without it the session is as good as ever"


def test_keys_alone_leave_the_pages_open(emulator: Emulator, start_site: Start) -> None:
    site = start_site(**coze(emulator), API_KEYS=KEYS)
    somebody, machine, wrong = (
        Visitor(site.url),
        program(site),
        program(site, "0123456789abcdef-not"),
    )
    assert (
        somebody.ask("hi").ok and somebody.get("/").ok and "/sign-in" not in somebody.get("/").text
    )
    assert machine.ask("hi").ok and not machine.session.cookies
    assert is_refused(wrong.ask("hi")) and wrong.get("/healthz").ok
    assert somebody.get(f"/c/{machine.conversation}").status_code == 404


def test_hashes_in_the_settings_work_as_codes(emulator: Emulator, start_site: Start) -> None:
    ann, key, owner = (
        hashes.make_hash(text, hashes.new_recipe(12))
        for text in (ANN, KEY, "correct horse battery")
    )
    codes = {"ACCESS_CODES": f"ann:{ann}:2899-01-01:5", "API_KEYS": f"kiosk:{key}"}
    site = start_site(**coze(emulator), **codes, ADMIN_PASSWORD=owner)
    assert member(site).ask("hi").ok and program(site).ask("hi").ok
    for password, status in (("correct horse battery", 404), ("wrong", 401), (str(owner), 401)):
        answer = requests.get(f"{site.url}/oauth/coze/start", auth=("x", password), timeout=10)
        assert answer.status_code == status, "404: this agent has no web app"
    site.end()
    site.start()
    assert member(site).ask("again").ok


# agents for all, and agents for those with a code


def test_without_a_code_only_open_agents_are_listed_and_asked(mixed: Site) -> None:
    visitor = newcomer(mixed)
    page = visitor.get("/", headers=HTML)
    assert page.ok and "Free agent" in page.text and "Coded agent" not in page.text
    assert 'href="/sign-in?next=%2F"' in page.text and "/device" not in page.text
    assert visitor.ask("hi").ok and visitor.get(f"/c/{visitor.conversation}").ok
    assert newcomer(mixed).ask("hi", agent="free").ok
    assert is_refused(newcomer(mixed).ask("hi", agent="coded"))
    coze_body = {
        "bot_id": "7480000000000000101",
        "additional_messages": [{"role": "user", "content": "hi"}],
    }
    assert is_refused(newcomer(mixed).post("/chat", json=coze_body))
    file = {"file": ("a.pdf", b"%PDF-1.4")}
    assert is_refused(newcomer(mixed).post("/files", data={"agent": "coded"}, files=file))
    assert newcomer(mixed).post("/files", data={"agent": "free"}, files=file).status_code == 201
    page = newcomer(mixed).get("/?agent=coded", headers=HTML)
    assert (
        page.status_code == 401
        and 'value="/?agent=coded"' in page.text
        and "Coded agent" not in page.text
    )
    form = {"message": "", "agent": "coded"}
    assert "Coded agent" not in newcomer(mixed).post("/chat", data=form, headers=HTML).text
    assert is_refused(newcomer(mixed).get("/device"))


def test_with_a_code_all_agents_are_listed_and_asked(mixed: Site) -> None:
    visitor = newcomer(mixed)
    visitor.ask("before signing in", agent="free")
    began = visitor.conversation
    sign_in(visitor, ANN)
    page = visitor.get("/", headers=HTML).text
    assert "Free agent" in page and "Coded agent" in page
    assert visitor.get(f"/c/{began}").ok
    visitor.conversation = None
    assert visitor.ask("hi", agent="coded").ok


def test_conversations_with_a_closed_agent_need_a_code_on_every_route(mixed: Site) -> None:
    visitor = member(mixed)
    visitor.ask("zebra in secret", agent="coded")
    secret, message = visitor.conversation, visitor.message
    visitor.conversation = None
    visitor.ask("zebra in the open", agent="free")
    free = visitor.conversation
    del visitor.session.cookies["session"]
    for method, path in (
        *(("GET", f"/c/{secret}{more}") for more in ("", "?edit=1", "/export.md", "/export.json")),
        *(
            ("POST", f"/c/{secret}/{what}")
            for what in ("clear", "title", "delete", "restore", "share", "unshare")
        ),
        ("GET", f"/chat/{message}/events"),
        ("POST", f"/chat/{message}/stop"),
        ("POST", f"/chat/{message}/feedback"),
    ):
        response = visitor.session.request(
            method, mixed.url + path, data={"title": "x"}, timeout=10
        )
        assert is_refused(response), path
    visitor.conversation = secret
    assert is_refused(visitor.ask("more")) and is_refused(visitor.ask("more", agent="coded"))
    form = {"message": "", "agent": "free", "conversation_id": secret}
    for path in ("/", "/conversations", "/search?q=zebra", f"/?deleted={secret}"):
        page = visitor.get(path, headers=HTML)
        assert page.ok and "secret" not in page.text.replace(secret or "", ""), path
        assert "zebra in the open" in page.text, path
    assert "zebra" not in visitor.post("/chat", data=form, headers=HTML).text
    assert visitor.get(f"/c/{free}").ok
    sign_in(visitor, ANN)
    visitor.post(f"/c/{secret}/delete")
    del visitor.session.cookies["session"]
    assert "secret" not in visitor.get(f"/?deleted={secret}").text.replace(secret or "", "")
    assert is_refused(visitor.post(f"/c/{secret}/restore"))


def test_an_agent_that_needs_a_code_needs_access_codes(emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "agents.toml").write_text(OPEN_AND_CODED.replace('"open"', '"code"'))
    said = refusal(tmp_path, AGENTS_FILE="agents.toml", COZE_API_TOKEN="sat_demo_only")
    assert "access: there is no code. Set ACCESS_CODES." in said


# guessing, the log, the start


def test_a_guesser_waits_and_others_do_not(site: Site) -> None:
    guesser, neighbour, inside = newcomer(site), newcomer(site), member(site)
    statuses = [sign_in(guesser, f"wrong-{number}").status_code for number in range(8)]
    assert statuses == [401] * 5 + [429] * 3
    refused = sign_in(guesser, ANN)
    assert refused.status_code == 429 and int(refused.headers["Retry-After"]) > 0
    told = guesser.post("/sign-in", data={"code": ANN}, headers={"Accept": "application/json"})
    assert told.json()["code"] == "rate_limited" and "question" not in told.json()["error"]
    assert sign_in(neighbour, ANN).status_code == 303 and inside.get("/").ok
    key = newcomer(site, **{"X-Forwarded-For": guesser.session.headers["X-Forwarded-For"]})
    for number in range(5):
        assert is_refused(key.get("/", headers={"Authorization": f"Bearer wrong-{number}"}))
    assert key.get("/", headers={"Authorization": f"Bearer {KEY}"}).status_code == 429
    assert program(site).get("/").ok


def test_a_flood_of_wrong_codes_shuts_no_honest_visitor_out(
    emulator: Emulator, start_site: Start
) -> None:
    site = start_site(**coze(emulator), ACCESS_CODES=f"{ANN},{BEA}", TRUSTED_PROXIES=1)
    inside, known = member(site), member(site)
    known.post("/sign-out", headers=HTML)
    statuses = [sign_in(newcomer(site), "wrong-code").status_code for _ in range(ALL + 1)]
    assert statuses == [401] * ALL + [429] and inside.ask("hi").ok
    is_over = threading.Event()

    def go_on() -> None:
        while not is_over.wait(0.05):
            sign_in(newcomer(site), "wrong-code")

    flood = threading.Thread(target=go_on)
    flood.start()
    try:
        assert [sign_in(known, ANN).status_code for _ in range(15)] == [303] * 15
        # BEA was not used before, so that nothing is known of it.
        assert [_enter_by_puzzle(site) for _ in range(15)] == [303] * 15
        assert sign_in(newcomer(site), ANN).status_code == 429, "without a puzzle it waits"
    finally:
        is_over.set()
        flood.join()


def _enter_by_puzzle(site: Site) -> int:
    visitor = newcomer(site)
    solution = solve(visitor.get("/sign-in", headers=HTML).text)
    assert solution
    return sign_in(visitor, BEA, **solution).status_code


def test_a_puzzle_is_good_for_one_try_and_each_costs_more(site: Site) -> None:
    guesser = newcomer(site)
    for number in range(6):
        sign_in(guesser, f"wrong-{number}")
    page = guesser.get("/sign-in", headers=HTML).text
    solution = solve(page)
    assert sign_in(guesser, "wrong", **solution).status_code == 401
    again = sign_in(guesser, ANN, **solution)
    assert again.status_code == 429 and "session" not in again.cookies
    (before,), (after,) = (re.findall(r'data-bits="(\d+)"', text) for text in (page, again.text))
    assert int(after) == int(before) + 1
    harder = solve(again.text)
    assert sign_in(guesser, ANN, **harder).status_code == 303, "the locked address may try"


def test_sixty_wrong_tries_at_once_keep_no_right_one_waiting(
    emulator: Emulator, start_site: Start
) -> None:
    """Hashed codes, each with a salt of its own: the worst that the settings allow."""
    stored = [str(hashes.make_hash(text, hashes.new_recipe())) for text in (ANN, BEA)]
    site = start_site(**coze(emulator), ACCESS_CODES=",".join(stored), TRUSTED_PROXIES=1)
    with ThreadPoolExecutor(60) as pool:
        wrong = [pool.submit(sign_in, newcomer(site), "wrong-code") for _ in range(60)]
        began, visitor = time.monotonic(), newcomer(site)
        solution = solve(visitor.get("/sign-in", headers=HTML).text)
        assert sign_in(visitor, BEA, **solution).status_code == 303
        took = time.monotonic() - began
        again = time.monotonic()
        assert sign_in(visitor, BEA).status_code == 303
        assert time.monotonic() - again < soon(0.5), "a code that was right costs no hash"
        statuses = {future.result().status_code for future in wrong}
    assert took < soon(3) and statuses == {401, 429}


def test_no_code_is_in_the_log_or_in_the_database(site: Site, mixed: Site) -> None:
    for code in (ANN, OLD, "wrong"):
        sign_in(newcomer(site), code)
        newcomer(site).get(f"/sign-in?code={code}&next={code}")
        newcomer(site).get(f"/{code}", headers={"Authorization": f"Bearer {code}"})
    program(site).get(f"/?key={KEY}")
    for one in (site, mixed):
        kept = b"".join(path.read_bytes() for path in (one.folder / "instance").glob("chat.db*"))
        for secret in SECRETS:
            assert secret not in one.log and secret.encode() not in kept
    assert "signed in with the code ann" in site.log


@pytest.mark.parametrize(
    ("language", "words"), [("zh", "没有设置访问码"), ("en", "without access codes")]
)
def test_a_site_that_is_open_to_the_network_says_so(
    emulator: Emulator, start_site: Start, language: str, words: str
) -> None:
    site = start_site(**coze(emulator), HOST="0.0.0.0", DEFAULT_LANGUAGE=language)
    (line,) = [line for line in site.log.splitlines() if " WARNING " in line]
    assert words in line and "0.0.0.0" in line and "ACCESS_CODES" in line
    site.end()
    (site.folder / "log.txt").unlink()
    site.settings["ACCESS_CODES"] = ANN
    site.start()
    assert " WARNING " not in site.log


@pytest.mark.parametrize(
    ("settings", "is_warned"),
    [
        ({"public_url": "https://chat.example.com"}, True),
        ({"public_url": "https://chat.example.com", "trusted_proxies": 1}, False),
        ({"public_url": "http://chat.example.com"}, False),
        ({"public_url": "https://127.0.0.1:8443"}, False),
        ({}, False),
    ],
)
def test_the_doctor_warns_of_https_without_a_trusted_proxy(
    settings: dict[str, Any], is_warned: bool
) -> None:
    found = [one.id for one in doctor_access.examine(Settings(**settings), None)]
    assert ("access_proxy" in found) == is_warned


def test_the_doctor_says_for_how_many_visitors_an_address_counts() -> None:
    def finding(**settings: Any) -> Any:
        findings = doctor_access.examine(Settings(**settings), None)
        return next((finding for finding in findings if finding.id == "access_share"), None)

    assert finding(address_share=0) is None and finding(visitor_live_answers=0) is None
    words = finding(address_share=40).seen("en")
    assert "ADDRESS_SHARE is 40" in words and "answers at once: 120" in words
    assert "ADDRESS_SHARE" in finding().seen("zh")


@pytest.mark.parametrize(
    ("settings", "is_advised"),
    [
        ({"api_keys": KEYS}, True),
        ({"api_keys": KEYS, "coze_ask": "stream"}, False),
        ({"api_keys": KEYS, "coze_qps": 0}, False),
        ({}, False),
    ],
)
def test_the_doctor_advises_streams_where_programs_would_use_all_calls_up(
    settings: dict[str, Any], is_advised: bool
) -> None:
    chosen = Settings(coze_api_token=DEMO["COZE_API_TOKEN"], coze_bot_id="1", **settings)
    vault = Vault(open_existing(chosen).secrets, "")
    agents = load_agents(chosen, lambda account, day, limit: True, vault)
    findings = {one.id: one for one in doctor_access.examine(chosen, agents)}
    assert ("agent_polls" in findings) == is_advised
    if is_advised:
        advice = findings["agent_polls"]
        assert advice.level == "ok" and advice.about == "coze"
        assert "20 calls a second" in advice.seen("en") and "COZE_ASK=stream" in advice.seen("zh")
