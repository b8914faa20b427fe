"""What the owner gives the desk, and what the desk gives the owner, is nowhere to be read again.

tests/faults/test_canary.py has the secrets of the settings.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pyotp
import pytest
import requests

from emulator import create_emulator
from emulator.accounts import DEMO
from emulator.serving import serve
from tests.kit.canary import ALIASES, TOKENS, Output
from tests.kit.desk import PASSWORD, OwnerBrowser, links, owner_of
from tests.kit.emulator import quick
from tests.kit.members import sign_in
from tests.kit.robots import KEY, SECRET, Robots, robots
from tests.kit.site import Site, Visitor

WORD = "control-word-that-is-no-secret"
QUESTIONS = (WORD, "!leaky", "!expired", "!http 401")


@dataclass
class Desk:
    """Each secret by its name, the pages that show one once, and all that came out besides."""

    secrets: dict[str, str] = field(default_factory=dict)
    once: Output = field(default_factory=Output)
    output: Output = field(default_factory=Output)


@pytest.fixture(scope="module")
def desk(keep_site: Callable[..., Site]) -> Iterator[Desk]:
    """A desk where everything was done."""
    desk = Desk()
    with robots() as group, serve(create_emulator(quick(aliases=ALIASES))) as url:
        site = keep_site(OWNER_READS="on", LOG_LEVEL="debug")
        desk.secrets["the link"] = links(site)[-1]
        owner = owner_of(site)
        desk.secrets["the password"] = PASSWORD
        agent = connect(owner, url, desk)
        name_robots(owner, group, desk)
        visitor = let_in(site, owner, desk)
        for question in QUESTIONS:
            desk.output.add_response(visitor.ask(question, agent=agent))
        take_all_back(owner, desk)
        ask_for_codes(owner, desk)
        read_everything(site, owner, agent, desk)
        desk.output.add("messages to the robots", "\n".join(group.texts))
        assert len(group.texts) == 2
        # Signed in until the end: what the browser holds is stored as a hash.
        desk.secrets["the session"] = str(owner.session.cookies["owner"])
        site.end()
        desk.output.add_folder(site.folder)
        desk.output.add("log", site.log)
        yield desk


def connect(owner: OwnerBrowser, url: str, desk: Desk) -> str:
    """An agent's id."""
    token = desk.secrets["the agent's key"] = TOKENS["COZE_API_TOKEN"]
    options = {"bot_id": DEMO["COZE_BOT_ID"], "api_token": token, "api_base": url}
    form = {f"option-{name}": value for name, value in options.items()}
    wrong = {**form, "option-bot_id": "7480000000000000102"}
    for fields in (wrong, form):
        answer = owner.post("/admin/agents", data={"platform": "coze", "id": "guide", **fields})
        desk.output.add_response(answer)
    assert answer.status_code == 303, answer.text
    for asks in ({}, {"ask": "yes"}):
        desk.output.add_response(owner.post("/admin/agents/guide/test", data=asks))
    return "guide"


def name_robots(owner: OwnerBrowser, group: Robots, desk: Desk) -> None:
    desk.secrets |= {"the robot's key": KEY, "the robot's signing secret": SECRET}
    for number, address in enumerate((group.wecom, f"{group.wecom}\n{group.dingtalk}")):
        form = {"version-notify_url": f"{number}-", "notify_url": address}
        assert owner.post("/admin/site", data=form).status_code == 303
    wrong = {"version-notify_url": "2-", "notify_url": f"ftp://robots.example/?key={KEY}"}
    # What was typed wrong stands in its field again, as in any form.
    assert owner.post("/admin/site", data=wrong).status_code == 400
    desk.output.add_response(owner.post("/admin/site/test"))


def let_in(site: Site, owner: OwnerBrowser, desk: Desk) -> Visitor:
    """A visitor with a code."""
    page = desk.once.add_response(owner.post("/admin/codes", data={"name": "ann"})).text
    code = re.search(r"<code>([a-z0-9-]{14})</code>", page)
    assert code
    desk.secrets["the code"] = code[1]
    visitor = Visitor(site.url)
    assert sign_in(visitor, code[1]).status_code == 303
    return visitor


def take_all_back(owner: OwnerBrowser, desk: Desk) -> None:
    """The newest first, so that everything can be; the codes are not the last to go."""
    numbers = re.findall(r"/admin/log/(\d+)/take-back", owner.get("/admin/log").text)
    statuses = {owner.post(f"/admin/log/{number}/take-back").status_code for number in numbers}
    assert len(numbers) == 4 and statuses == {303, 409}
    numbers = re.findall(r"/admin/log/(\d+)/take-back", owner.get("/admin/log").text)
    for number in numbers[:3]:
        desk.output.add_response(owner.post(f"/admin/log/{number}/take-back"))


def ask_for_codes(owner: OwnerBrowser, desk: Desk) -> None:
    page = desk.once.add_response(owner.get("/admin/one-time")).text
    secret = re.findall(r">([A-Z2-7]{32})<", page)[0]
    sealed = re.findall(r'name="sealed" value="([^"]+)"', page)[0]
    form = {"sealed": sealed, "code": pyotp.TOTP(secret).at(int(time.time()))}
    assert desk.once.add_response(owner.post("/admin/one-time", data=form)).status_code == 303
    desk.secrets["the one-time codes' secret"] = secret


def read_everything(site: Site, owner: OwnerBrowser, agent: str, desk: Desk) -> None:
    """Every page and file of the desk, and what others may read."""
    start = desk.output.add_response(owner.get("/admin")).text
    paths = set(re.findall(r'href="(/admin[^"#?]*)', start)) | {f"/admin/agents/{agent}"}
    questions = owner.get("/admin/questions").text
    paths |= set(re.findall(r'href="(/admin/questions/\w+)', questions))
    paths |= {"/admin/one-time", "/admin/usage?days=90", "/admin/backup"}
    paths |= {f"/admin/questions?format={format}" for format in ("csv", "json")}
    assert len(paths) > 15
    for path in sorted(paths):
        assert desk.output.add_response(owner.get(path)).ok, path
    program = {"headers": {"Accept": "application/json"}}
    for path in ("/admin/usage", "/admin/doctor"):
        desk.output.add_response(owner.get(path, **program))
    for path in ("/", "/metrics", "/readyz", f"/?agent={agent}"):
        desk.output.add_response(requests.get(site.url + path, timeout=30))
    assert desk.output.find(WORD, only="GET /admin/questions?format=csv")
    assert desk.output.find("guide", only="GET /metrics")


@pytest.mark.parametrize("name", ["the code", "the one-time codes' secret"])
def test_what_is_shown_once_would_be_found(desk: Desk, name: str) -> None:
    assert desk.once.find(desk.secrets[name])


@pytest.mark.parametrize(
    "name",
    [
        "the password",
        "the agent's key",
        "the robot's key",
        "the robot's signing secret",
        "the code",
        "the one-time codes' secret",
    ],
)
def test_no_secret_of_the_desk_can_be_read_again(desk: Desk, name: str) -> None:
    assert desk.output.find(desk.secrets[name]) == []


@pytest.mark.parametrize("name", ["the link", "the session"])
def test_no_way_in_can_be_taken_from_a_page_or_the_database(desk: Desk, name: str) -> None:
    """The terminal shows the link, and its log with it: it was good once."""
    places = {place.partition(":")[0] for place in desk.output.find(desk.secrets[name])}
    assert places <= {"log", "log.txt"}
