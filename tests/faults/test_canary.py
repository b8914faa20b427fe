"""Leaks: recognisable secrets are put wherever a site keeps one, every fault of every platform
happens, every page is fetched, and then none of them may be anywhere.

The faults are those of the harvest that test_outcomes.py reads as well.
"""

import base64
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner, Result
from flask import Flask

from chat.owner.commands import examine as doctor
from emulator import create_emulator
from emulator.accounts import DEMO
from emulator.serving import serve
from providers import PLATFORMS
from tests.agents.test_oauth import authorise
from tests.faults.harvest import Harvest
from tests.faults.table import CELLS, WAYS
from tests.kit.canary import (
    ADDRESS,
    ALIASES,
    COOKIE,
    OURS,
    PEM,
    PUBLIC_PEM,
    TOKENS,
    Output,
    coze_settings,
    granted_tokens,
    parts_of,
    platform_settings,
    secret_settings,
    sign_in,
    spellings,
)
from tests.kit.desk import OwnerBrowser
from tests.kit.emulator import NO_DAILY_LIMIT, quick
from tests.kit.fork_server import GUNICORN
from tests.kit.patience import ALLOWANCE
from tests.kit.site import Site, Visitor, environment
from tests.web.test_error_shape import FAILURES

CONTROL = "control-word-that-is-no-secret"
HTML = {"Accept": "text/html,application/xhtml+xml"}
DOCTOR = ["-m", "flask", "--app", "app", "doctor"]
# Answers that hold everything a platform can send, and refusals of a token (each kind of sign-in
# has its own).
QUESTIONS = [
    "",
    "!think !tool !cite !image !two !suggest",
    "!strange",
    "!leaky",
    "!expired",
    "!http 401",
    "!unauthorized",
]


@dataclass
class World:
    """Sites with canaries, what came out of them, and the emulator's app with what it has
    granted.
    """

    emulator: Flask
    sites: dict[str, Site] = field(default_factory=dict)
    visitors: dict[tuple[str, str], Visitor] = field(default_factory=dict)
    output: Output = field(default_factory=Output)
    cookies: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def world(keep_site: Callable[..., Site]) -> Iterator[World]:
    switches = {"aliases": ALIASES, "coze_consent": "allow", "coze_jwt_public_key": PUBLIC_PEM}
    unlimited = {**NO_DAILY_LIMIT, "qingyan_concurrency": 0}
    app = create_emulator(quick(**switches, **unlimited))
    with serve(app) as url:
        world = World(app)
        for name, settings in settings_of_sites(url).items():
            site = world.sites[name] = keep_site(**settings)
            # Now: later nobody may try a code, so many wrong ones will have been tried.
            for platform in platforms_of(name):
                world.visitors[name, platform] = sign_in(site.url)
        authorise(world.sites["oauth"], ("olivia", OURS["ADMIN_PASSWORD"]))
        owner = OwnerBrowser(world.sites["token"]).sign_in(OURS["ADMIN_PASSWORD"])
        jobs = [partial(ask_questions, world, *key) for key in world.visitors]
        for name, site in world.sites.items():
            jobs.append(partial(visit, site, world.visitors[name, "coze"], world.output))
        with ThreadPoolExecutor(len(jobs)) as pool:
            for result in [pool.submit(job) for job in jobs]:
                result.result()
        token, visitor = world.sites["token"], world.visitors["token", "coze"]
        read_as_owner(owner, world.output)
        examine(world.sites, world.output)
        be_refused(token, visitor, world.output)
        break_down(token, visitor, world.output)
        for name, site in world.sites.items():
            measure(site, world.output)
            site.end()
            world.output.add_folder(site.folder)
            world.output.add(f"log of {name}", site.log)
        yield world


@pytest.fixture(scope="module")
def output(world: World, harvest: Harvest) -> Output:
    """All that came out of all sites."""
    return Output([*world.output.items, *harvest.output.items])


@pytest.fixture(scope="module")
def granted(world: World, harvest: Harvest) -> list[str]:
    """The tokens that the platforms handed out while all this happened."""
    return [*granted_tokens(world.emulator), *harvest.granted]


def settings_of_sites(url: str) -> dict[str, dict[str, object]]:
    """A site for each way to sign in to Coze; the first has all other platforms too."""
    secrets = secret_settings()
    coze = {name for name in secrets if name.startswith("COZE_")}
    common: dict[str, object] = {
        **coze_settings(url),
        "LOG_LEVEL": "debug",
        "CHAT_TIMEOUT_S": 3 * ALLOWANCE,
        "VISITOR_LIVE_ANSWERS": 0,
        "OWNER_READS": "on",
        **{name: secrets[name] for name in secrets.keys() - TOKENS.keys() - coze},
    }
    jwt = {name: DEMO[name] for name in ("COZE_JWT_APP_ID", "COZE_JWT_KEY_ID")}
    return {
        "token": {**common, **platform_settings(url)},
        "jwt": {**common, **jwt, "COZE_JWT_PRIVATE_KEY": PEM, "LOG_FORMAT": "json"},
        "oauth": {
            **common,
            "COZE_OAUTH_CLIENT_ID": DEMO["COZE_OAUTH_CLIENT_ID"],
            "COZE_OAUTH_CLIENT_SECRET": secrets["COZE_OAUTH_CLIENT_SECRET"],
        },
    }


def platforms_of(name: str) -> list[str]:
    return list(PLATFORMS) if name == "token" else ["coze"]


def visit(site: Site, visitor: Visitor, output: Output) -> None:
    """All pages of a site, and what a careless visitor hands over."""
    look_everywhere(site, visitor, output)
    be_careless(site, output)


def ask_questions(world: World, name: str, platform: str) -> None:
    """Asks one agent in every way."""
    visitor = world.visitors[name, platform]
    for words in QUESTIONS:
        for way in WAYS:
            question = {"message": f"{words} {CONTROL}".strip(), "agent": platform}
            if way == "form":
                response = visitor.post(data=question, headers=HTML)
            else:
                response = visitor.post(json={**question, "stream": way == "stream"})
            world.output.add_response(response)
            world.cookies.add(visitor.session.cookies["visitor"])


def look_everywhere(site: Site, visitor: Visitor, output: Output) -> None:
    """All pages."""
    keep = output.add_response
    payload = keep(visitor.ask(f"{CONTROL} to be shared")).json()
    here = f"/c/{payload['conversation_id']}"
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
    for password in (OURS["ADMIN_PASSWORD"], COOKIE):
        options = {"auth": ("olivia", password), "allow_redirects": False}
        keep(requests.get(f"{site.url}/oauth/coze/start", timeout=10, **options))


def read_as_owner(owner: OwnerBrowser, output: Output) -> None:
    """All pages of the desk, answers of all platforms there, and the files of all of them."""
    start = output.add_response(owner.get("/admin/questions")).text
    pages = set(re.findall(r'href="(/admin[^"#?]*)', start))
    assert {"/admin", "/admin/log", "/admin/thumbs"} <= pages
    path: str | None = "/admin/questions"
    while path is not None:
        page = output.add_response(owner.get(path)).text
        # What a question is answered, each platform is asked in several ways.
        pages |= set(re.findall(r'href="(/admin/questions/\w+)', page)[::4])
        older = re.search(r'href="(/admin/questions\?before=\d+)"', page)
        path = older[1] if older else None
    assert len(pages) > len(QUESTIONS) + len(PLATFORMS)
    for path in sorted(pages):
        assert output.add_response(owner.get(path)).ok, path
    for format in ("csv", "json"):
        file = output.add_response(owner.get(f"/admin/questions?format={format}"))
        assert CONTROL in file.text


def be_refused(site: Site, visitor: Visitor, output: Output) -> None:
    """Every failure that a request can have but for huge ones, as a program and as a browser."""
    for failing in [failing for failing in FAILURES if failing.code != "too_long"]:
        for more in ({}, HTML):
            options = {"headers": {**failing.headers, **more}, **failing.options}
            if "Cookie" not in failing.headers:
                options["cookies"] = visitor.session.cookies
            output.add_response(
                requests.request(failing.method, site.url + failing.path, timeout=30, **options)
            )


def be_careless(site: Site, output: Output) -> None:
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
            output.add_response(
                requests.get(site.url + path, headers={**careless, **more}, timeout=10)
            )
    question = {"headers": careless, "json": {"message": "hi"}}
    output.add_response(requests.post(f"{site.url}/chat", timeout=10, **question))
    output.add_response(requests.get(f"{site.url}/c/{CONTROL}", timeout=10))


def examine(sites: dict[str, Site], output: Output) -> None:
    """The doctor, in both its languages; once as a command, whose log goes to the terminal."""
    token = sites["token"]
    process = run([*DOCTOR, "--json", "--ask", "--lang", "zh"], token.folder, token.settings)
    output.add("doctor as a command", process.stdout + process.stderr)
    assert b"Traceback" not in process.stderr and b"127.0.0.1" in process.stdout
    for name, site in sites.items():
        for options in (["--lang", "en"], ["--json", "--ask", "--lang", "zh"]):
            result = run_doctor(site.folder, site.settings, options)
            output.add(f"doctor of {name} {options}", result.output)
            assert "127.0.0.1" in result.output


def run_doctor(folder: Path, settings: dict[str, object], options: list[str]) -> Result:
    """The doctor in this process: to start another one takes seconds."""
    environ = {name: str(value) for name, value in settings.items()}
    with chdir(folder):
        return CliRunner(env=environ).invoke(doctor, options)


def run(
    command: Sequence[str], folder: Path, settings: dict[str, object]
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment(**settings),
        capture_output=True,
        timeout=120,
    )


def measure(site: Site, output: Output) -> None:
    """The numbers of all that has happened, to who may read them and who may not."""
    secret = {
        "Authorization": f"Bearer {site.settings['METRICS_TOKEN']}",
        "X-Forwarded-For": "10.0.0.1",
    }
    for headers, status in (({}, 200), (secret, 200), ({"Via": COOKIE}, 401)):
        response = requests.get(f"{site.url}/metrics", headers=headers, timeout=10)
        assert output.add_response(response).status_code == status


def break_down(site: Site, visitor: Visitor, output: Output) -> None:
    """A fault of ours: a traceback in the log."""
    with closing(sqlite3.connect(site.folder / "instance" / "chat.db")) as database:
        database.executescript("DROP TABLE conversations")
    for headers in (HTML, {}):
        session = visitor.session.cookies["session"]
        cookies = {**headers, "Cookie": f"session={session}; visitor={COOKIE}"}
        response = requests.get(f"{site.url}/c/{CONTROL}", headers=cookies, timeout=10)
        assert output.add_response(response).status_code == 500


# What is looked for would be found


@pytest.mark.parametrize("word", [*TOKENS.values(), *OURS.values(), CONTROL])
def test_a_word_is_found_in_every_spelling(word: str) -> None:
    for before in ("", "a", "ab", "abc"):
        text = f"{before}{word}!".encode()
        written = {
            "plain": text,
            "Basic": base64.b64encode(text),
            "SQL": text.hex().encode(),
        }
        for name, spelling in written.items():
            output = Output()
            output.add(name, b"<<" + spelling + b">>")
            assert output.find(word), name
    # A shorter one would be found by chance.
    assert all(len(spelling) >= 12 for spelling in spellings(word))


def test_a_planted_word_is_found_wherever_secrets_are_looked_for(world: World) -> None:
    """All these places can hold what was said, so that it is no wonder that they hold no secret."""
    logs = (f"log of {name}" for name in world.sites)
    pages = ("GET /c/", "GET /s/", "POST /chat", "GET /search")
    for place in (*logs, "instance/chat.db", "dump", *pages):
        assert world.output.find(CONTROL, only=place), place


def test_the_metrics_count_and_hold_nothing_that_was_said(world: World) -> None:
    count = 'zhiye_answers_total{agent="coze",outcome="done"'
    assert world.output.find(count, only="GET /metrics")
    for word in (CONTROL, ADDRESS, COOKIE, "127.0.0.1", "10.0.0.1"):
        assert world.output.find(word, only="GET /metrics") == [], word


def test_the_logs_that_are_searched_hold_their_worst(
    world: World, harvest: Harvest, granted: list[str]
) -> None:
    log = world.sites["token"].log
    assert "Traceback" in log and " DEBUG " in log
    assert len(harvest.outcomes) == len(CELLS)
    assert len(granted) > 5
    assert len(harvest.cookies) > 40
    assert harvest.output.find(" DEBUG ", only="log of usual")


def test_a_deliberate_leak_is_blanked_out(world: World) -> None:
    """The site's own log is given each secret in the plainest way."""
    site = world.sites["token"]
    leak = (
        "import logging, sys; from app import create_app; create_app()\n"
        "for secret in sys.argv[2:]: logging.getLogger('leak').error('%s %s', sys.argv[1], secret)"
    )
    canaries = secret_settings().values()
    secrets = [str(value) for value in site.settings.values() if value in canaries]
    folder = site.folder / "leak"
    folder.mkdir()
    process = run(["-c", leak, CONTROL, *secrets], folder, site.settings)
    lines = [line for line in process.stderr.decode().splitlines() if " leak: " in line]
    assert len(lines) == len(secrets) >= 8, process.stderr
    assert all(line.endswith(f"{CONTROL} ***") for line in lines)


# No secret is anywhere


def test_every_secret_of_the_settings_is_a_canary(world: World) -> None:
    values = {str(value) for site in world.sites.values() for value in site.settings.values()}
    assert {name for name, value in secret_settings().items() if value not in values} == set()


@pytest.mark.parametrize("name", [*secret_settings(), "a visitor's cookie"])
def test_no_secret_is_anywhere(output: Output, name: str) -> None:
    for word in parts_of({**secret_settings(), "a visitor's cookie": COOKIE}[name]):
        assert output.find(word) == []


def test_no_token_that_was_granted_is_anywhere(output: Output, granted: list[str]) -> None:
    for token in granted:
        assert output.find(token) == []


def test_no_cookie_of_a_visitor_is_in_a_log_or_a_database(
    world: World, harvest: Harvest, output: Output
) -> None:
    cookies = world.cookies | harvest.cookies
    for where, content in output.items:
        if where.startswith(("log", "instance", "dump")):
            words = {word.decode() for word in re.findall(rb"[\w.-]{40,}", content)}
            assert not cookies & words, where


def test_no_address_is_in_a_log_or_a_database(world: World) -> None:
    """The page that it asked for may repeat it."""
    for place in ("log", "instance", "dump"):
        assert world.output.find(ADDRESS, only=place) == []


@pytest.mark.parametrize("name", TOKENS)
def test_a_wrong_secret_is_not_repeated_by_the_doctor(
    tmp_path: Path, world: World, name: str
) -> None:
    """One with a gap ends the doctor with a line that names the setting, not its value."""
    settings = settings_with_a_gap(world, name)
    result = run_doctor(tmp_path, settings, [])
    assert result.exit_code != 0 and name in result.output
    assert_not_repeated(result.output, str(settings[name]))


def test_a_wrong_secret_is_not_repeated_by_the_start(tmp_path: Path, world: World) -> None:
    settings = settings_with_a_gap(world, "COZE_API_TOKEN")
    process = run(GUNICORN[1:], tmp_path, settings)
    text = (process.stdout + process.stderr).decode()
    assert process.returncode != 0 and "COZE_API_TOKEN" in text
    assert_not_repeated(text, str(settings["COZE_API_TOKEN"]))


def settings_with_a_gap(world: World, name: str) -> dict[str, object]:
    site = next(site for site in world.sites.values() if name in site.settings)
    return {**site.settings, name: TOKENS[name].replace("&", " ")}


def assert_not_repeated(text: str, secret: str) -> None:
    assert not any(part in text for part in (secret, *secret.split(), *secret.split("/")[1:]))
