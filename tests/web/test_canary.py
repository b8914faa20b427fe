"""What leaks: recognisable secrets are put wherever a site keeps one, every fault of every platform happens,
every page is fetched, and then none of them may be anywhere.
"""

import base64
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import pytest
import requests
from flask import Flask

from emulator import create_emulator
from emulator.accounts import DEMO
from emulator.coze.oauth import Grants
from emulator.coze.store import CozeStore
from emulator.qingyan.store import QingyanStore
from emulator.serving import serve
from providers import PLATFORMS
from tests.agents.test_oauth import authorise
from tests.conftest import quick
from tests.kit.canary import (
    ADDRESS,
    ALIASES,
    COOKIE,
    OURS,
    PEM,
    PUBLIC_PEM,
    TOKENS,
    Harvest,
    arrive,
    planted,
    spellings,
    words_of,
)
from tests.kit.company import COMPANY
from tests.kit.contract import FAILED, Scenario, codes
from tests.kit.contract import TOKENS as OF_TOKENS
from tests.kit.site import ROOT, Site, Visitor, environment
from tests.web.test_error_shape import FAILURES

CONTROL = "control-word-that-is-no-secret"
HTML = {"Accept": "text/html,application/xhtml+xml"}
WAYS = ("stream", "json", "form")
DOCTOR = ["-m", "flask", "--app", "app", "doctor"]
GUNICORN = ["-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), "app:app"]
PEOPLE_AT_ONCE = 16
SPOKEN = [*map(Scenario, ("", "!think !tool !cite !image !two !suggest", "!strange", "!leaky"))]
EXHAUSTING = {
    "rate_limited",
    "quota_exhausted",
    "timeout",
}  # whoever shares the account waits a while


@dataclass
class World:
    """Sites with canaries, what came out of them, and the emulator's app with what it has granted."""

    emulator: Flask
    sites: dict[str, Site] = field(default_factory=dict)
    visitors: dict[str, Iterator[Visitor]] = field(default_factory=dict)
    harvest: Harvest = field(default_factory=Harvest)
    cookies: set[str] = field(default_factory=set)
    outcomes: set[tuple[str, str, int]] = field(default_factory=set)

    def visitor_of(self, site: Site) -> Visitor:
        """One of those who have signed in."""
        return next(self.visitors[next(name for name, one in self.sites.items() if one is site)])

    @property
    def granted(self) -> list[str]:
        """The tokens that the emulator gave while all this happened."""
        state = self.emulator.extensions["emulator"]
        return [
            *state.store(CozeStore).issued,
            *state.store(Grants).refresh_tokens,
            *state.store(QingyanStore).grants,
        ]


@pytest.fixture(scope="module")
def world(keep_site: Callable[..., Site]) -> Iterator[World]:
    switches = {"aliases": ALIASES, "coze_consent": "allow", "coze_jwt_public_key": PUBLIC_PEM}
    unlimited = {"qingyan_daily": 0, "wenxin_daily": 0, "qingyan_concurrency": 0}
    app = create_emulator(quick(**switches, **unlimited))
    with serve(app) as url:
        found = World(app)
        for name, settings in settings_of(url).items():
            found.sites[name] = keep_site(**settings)
            # All of them now: later nobody may try a code, so many wrong ones will have been tried.
            found.visitors[name] = cycle(
                [arrive(found.sites[name].url) for _ in range(PEOPLE_AT_ONCE)]
            )
        authorise(found.sites["oauth"], ("olivia", OURS["ADMIN_PASSWORD"]))
        for site in found.sites.values():
            look_everywhere(site, found.visitor_of(site), found.harvest)
            be_careless(site, found.harvest)
            examine(site, found.harvest)
        ask_everything(found)
        token = found.sites["token"]
        break_down(token, found.visitor_of(token), found.harvest)
        for name, site in found.sites.items():
            measure(site, found.harvest)
            site.ask_to_end()
            site.end()
            found.harvest.add_folder(site.folder)
            found.harvest.add(f"log of {name}", site.log)
        yield found


def settings_of(url: str) -> dict[str, dict[str, object]]:
    """A site for each way to sign in to Coze; the first has all other platforms too."""
    secrets = planted()
    coze = {name for name in secrets if name.startswith("COZE_")}
    common: dict[str, object] = {
        "LOG_LEVEL": "debug",
        "CHAT_TIMEOUT_S": 3 * COMPANY,
        "COZE_BOT_ID": DEMO["COZE_BOT_ID"],
        "COZE_API_BASE": url,
        "COZE_WEB_BASE": url,
        "COZE_QPS": 0,
        "VISITOR_LIVE_ANSWERS": 0,
        **{name: secrets[name] for name in secrets.keys() - TOKENS.keys() - coze},
    }
    others = {
        **{name: secrets[name] for name in TOKENS.keys() - coze},
        **{
            name: DEMO[name]
            for name in ("QINGYAN_ASSISTANT_ID", "WENXIN_APP_ID", "YUANQI_ASSISTANT_ID")
        },
        "QINGYAN_API_BASE": f"{url}/chatglm/assistant-api/v1",
        "QINGYAN_CONCURRENCY": 0,
        "QINGYAN_DAILY": 0,
        "WENXIN_API_BASE": url,
        "WENXIN_TOKEN_BASE": url,
        "WENXIN_DAILY": 0,
        "YUANQI_API_BASE": f"{url}/openapi/v1",
        "YUANQI_CONCURRENCY": 0,
        "HUAWEI_AGENT_URL": url + DEMO["HUAWEI_AGENT_PATH"],
    }
    jwt = {name: DEMO[name] for name in ("COZE_JWT_APP_ID", "COZE_JWT_KEY_ID")}
    return {
        "token": {**common, **others, "COZE_API_TOKEN": secrets["COZE_API_TOKEN"]},
        "jwt": {**common, **jwt, "COZE_JWT_PRIVATE_KEY": PEM, "LOG_FORMAT": "json"},
        "oauth": {
            **common,
            "COZE_OAUTH_CLIENT_ID": DEMO["COZE_OAUTH_CLIENT_ID"],
            "COZE_OAUTH_CLIENT_SECRET": secrets["COZE_OAUTH_CLIENT_SECRET"],
        },
    }


def ask_everything(world: World) -> None:
    """Every fault of every platform, in every way to ask."""
    jobs = [(world.sites["token"], platform) for platform in PLATFORMS]
    jobs += [(world.sites["jwt"], "coze"), (world.sites["oauth"], "coze")]
    with ThreadPoolExecutor(len(jobs)) as pool:
        for _ in pool.map(lambda job: ask_one(world, *job), jobs):
            pass


def ask_one(world: World, site: Site, platform: str) -> None:
    """All scenarios of one platform, first those it answers, and last those that hold up the others."""
    of_all = [*SPOKEN, *OF_TOKENS]
    scenarios = [*of_all, *FAILED, *codes(platform)] if site is world.sites["token"] else of_all
    scenarios.sort(key=lambda one: one.outcome(platform) in EXHAUSTING)

    def ask(case: tuple[str, str]) -> None:
        words, way = case
        visitor = world.visitor_of(site)
        question = {"message": f"{words} {CONTROL}".strip(), "agent": platform}
        if way == "form":
            response = visitor.post(data=question, headers=HTML)
        else:
            response = visitor.post(json={**question, "stream": way == "stream"})
        world.harvest.add_response(response)
        world.outcomes.add((platform, way, response.status_code))
        world.cookies.add(visitor.session.cookies["visitor"])

    for way in WAYS:
        ask(("", way))
    with ThreadPoolExecutor(PEOPLE_AT_ONCE) as pool:
        for _ in pool.map(ask, [(one.words, way) for one in scenarios for way in ways(one.words)]):
            pass


def ways(words: str) -> tuple[str, ...]:
    """A form is answered from the same log as a stream, and codes differ by a number: once each is enough."""
    return WAYS[:1] if "code " in words else WAYS


def look_everywhere(site: Site, visitor: Visitor, harvest: Harvest) -> None:
    """All pages, and all refusals."""
    keep = harvest.add_response
    told = keep(visitor.ask(f"{CONTROL} to be shared")).json()
    here = f"/c/{told['conversation_id']}"
    shared = keep(visitor.post(f"{here}/share", json={})).json()["url"]
    exports = (f"{here}/export.md", f"{here}/export.json")
    for path in (here, *exports, "/", "/conversations", f"/search?q={CONTROL}"):
        keep(visitor.get(path, headers=HTML))
    keep(requests.get(site.url + shared, headers=HTML, timeout=10))
    page = keep(visitor.get("/device", headers=HTML)).text + visitor.get("/", headers=HTML).text
    files = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page))
    for path in (*files, "/manifest.webmanifest", "/healthz", "/readyz"):
        keep(visitor.get(path))
    keep(visitor.post("/device", headers=HTML))
    keep(visitor.post("/files", files={"file": ("a.pdf", b"%PDF-1.4")}))
    for failing in FAILURES:
        for more in ({}, HTML):
            given = {"headers": {**failing.headers, **more}, **failing.options}
            if "Cookie" not in failing.headers:
                given["cookies"] = visitor.session.cookies
            keep(requests.request(failing.method, site.url + failing.path, timeout=30, **given))
    for password in (OURS["ADMIN_PASSWORD"], COOKIE):
        given = {"auth": ("olivia", password), "allow_redirects": False}
        keep(requests.get(f"{site.url}/oauth/coze/start", timeout=10, **given))


def be_careless(site: Site, harvest: Harvest) -> None:
    """A visitor who hands over a secret in every place there is."""
    careless = {
        "Cookie": f"visitor={COOKIE}; other={COOKIE}",
        "Authorization": f"Bearer {COOKIE}",
        "X-Api-Key": COOKIE,
        "X-Request-Id": COOKIE,
    }
    places = (
        f"/device?code={ADDRESS}",
        f"/nowhere?token={ADDRESS}",
        f"/s/{ADDRESS}",
        f"/files/{ADDRESS}",
    )
    for path in ("/", "/nowhere", *places):
        for more in ({}, HTML):
            harvest.add_response(
                requests.get(site.url + path, headers={**careless, **more}, timeout=10)
            )
    asked = {"headers": careless, "json": {"message": "hi"}}
    harvest.add_response(requests.post(f"{site.url}/chat", timeout=10, **asked))
    harvest.add_response(requests.get(f"{site.url}/c/{CONTROL}", timeout=10))


def examine(site: Site, harvest: Harvest) -> None:
    """The doctor, in both its ways of speaking."""
    for options in (["--lang", "en"], ["--json", "--ask", "--lang", "zh"]):
        done = run([*DOCTOR, *options], site.folder, site.settings)
        harvest.add(f"doctor {options}", done.stdout + done.stderr)
        assert b"Traceback" not in done.stderr and b"127.0.0.1" in done.stdout


def run(
    command: list[str], folder: Path, settings: dict[str, object]
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment(**settings),
        capture_output=True,
        timeout=120,
    )


def measure(site: Site, harvest: Harvest) -> None:
    """The numbers of all that has happened, to who may read them and who may not."""
    secret = {
        "Authorization": f"Bearer {site.settings['METRICS_TOKEN']}",
        "X-Forwarded-For": "10.0.0.1",
    }
    for headers, status in (({}, 200), (secret, 200), ({"Via": COOKIE}, 401)):
        response = requests.get(f"{site.url}/metrics", headers=headers, timeout=10)
        assert harvest.add_response(response).status_code == status


def break_down(site: Site, visitor: Visitor, harvest: Harvest) -> None:
    """A fault of ours: a traceback in the log."""
    with closing(sqlite3.connect(site.folder / "instance" / "chat.db")) as database:
        database.executescript("DROP TABLE conversations")
    for headers in (HTML, {}):
        session = visitor.session.cookies["session"]
        given = {**headers, "Cookie": f"session={session}; visitor={COOKIE}"}
        response = requests.get(f"{site.url}/c/{CONTROL}", headers=given, timeout=10)
        assert harvest.add_response(response).status_code == 500


# the test proves itself


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
@pytest.mark.parametrize("word", [*TOKENS.values(), *OURS.values(), CONTROL])
def test_what_is_looked_for_would_be_found(word: str, before: str) -> None:
    written = {
        "plain": f"{before}{word}!",
        "Basic": base64.b64encode(f"{before}{word}!".encode()).decode(),
        "SQL": f"{before}{word}!".encode().hex(),
    }
    for how, text in written.items():
        harvest = Harvest()
        harvest.add(how, f"<<{text}>>")
        assert harvest.find(word), how
    assert all(len(one) >= 12 for one in spellings(word)), "a shorter one is found by chance"


def test_a_planted_word_is_found_wherever_secrets_are_looked_for(world: World) -> None:
    """All these places can hold what was said, so that it is no wonder that they hold no secret."""
    logs = (f"log of {name}" for name in world.sites)
    for place in (
        *logs,
        "instance/chat.db",
        "dump",
        "GET /c/",
        "GET /s/",
        "POST /chat",
        "GET /search",
    ):
        assert world.harvest.find(CONTROL, only=place), place


def test_the_numbers_hold_nothing_that_was_said(world: World) -> None:
    """And yet they count it."""
    assert world.harvest.find(
        'zhiye_answers_total{agent="coze",outcome="done"', only="GET /metrics"
    )
    for word in (CONTROL, ADDRESS, COOKIE, "127.0.0.1", "10.0.0.1"):
        assert world.harvest.find(word, only="GET /metrics") == [], word


def test_everything_was_asked_and_much_of_it_failed(world: World) -> None:
    for platform in PLATFORMS:
        for way in WAYS:
            assert (platform, way, 200) in world.outcomes, sorted(
                one for one in world.outcomes if one[:2] == (platform, way)
            )
        assert {(platform, "json", status) for status in (429, 502, 503, 504)} <= world.outcomes
    assert len(world.granted) > 5 and len(world.cookies) > 40
    log = world.sites["token"].log
    assert "Traceback" in log and " DEBUG " in log, "the log holds its worst"


def test_a_deliberate_leak_is_blanked_out(world: World) -> None:
    """The site's own log, told each secret in the plainest way."""
    site = world.sites["token"]
    leak = (
        "import logging, sys; from app import create_app; create_app()\n"
        "for secret in sys.argv[2:]: logging.getLogger('leak').error('%s %s', sys.argv[1], secret)"
    )
    secrets = [str(value) for value in site.settings.values() if value in planted().values()]
    folder = site.folder / "leak"
    folder.mkdir()
    done = run(["-c", leak, CONTROL, *secrets], folder, site.settings)
    lines = [line for line in done.stderr.decode().splitlines() if " leak: " in line]
    assert len(lines) == len(secrets) >= 8, done.stderr
    assert all(line.endswith(f"{CONTROL} ***") for line in lines)


# and nothing is found


def test_every_secret_of_the_settings_is_a_canary(world: World) -> None:
    given = {str(value) for site in world.sites.values() for value in site.settings.values()}
    assert {name for name, value in planted().items() if value not in given} == set()


@pytest.mark.parametrize("name", [*planted(), "a visitor's cookie"])
def test_no_secret_is_anywhere(world: World, name: str) -> None:
    for word in words_of({**planted(), "a visitor's cookie": COOKIE}[name]):
        assert world.harvest.find(word) == []


def test_no_token_that_was_granted_is_anywhere(world: World) -> None:
    for token in world.granted:
        assert world.harvest.find(token) == []


def test_no_cookie_that_was_given_is_in_a_log_or_a_database(world: World) -> None:
    for where, what in world.harvest.kept:
        if where.startswith(("log", "instance", "dump")):
            assert not world.cookies & {
                one.decode() for one in re.findall(rb"[\w.-]{40,}", what)
            }, where


def test_no_address_is_in_a_log_or_a_database(world: World) -> None:
    """The page that it asked for may repeat it."""
    for place in ("log", "instance", "dump"):
        assert world.harvest.find(ADDRESS, only=place) == []


@pytest.mark.parametrize("name", TOKENS)
def test_a_wrong_secret_is_not_told_in_the_complaint(
    tmp_path: Path, world: World, name: str
) -> None:
    """One with a gap in it ends the start: with a line that names the setting and nothing of its value."""
    site = next(one for one in world.sites.values() if name in one.settings)
    wrong = TOKENS[name].replace("&", " ")
    for command in (DOCTOR, GUNICORN) if name == "COZE_API_TOKEN" else (DOCTOR,):
        done = run(command, tmp_path, {**site.settings, name: wrong})
        said = (done.stdout + done.stderr).decode()
        assert done.returncode != 0 and name in said
        assert not any(part in said for part in (wrong, *wrong.split(), *wrong.split("/")[1:]))
