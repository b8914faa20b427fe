"""A platform's line on the deployed site: whatever comes from one address, others have a turn."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import requests

from chat.agents import demo
from chat.agents.line_script import LEASE_S
from chat.answers.live import UNREAD_S
from chat.settings.model import Settings
from chat.web.answers.events import QUIET_S
from tests.kit.emulator import Emulator, coze
from tests.kit.members import KEY
from tests.kit.patience import eventually, soon
from tests.kit.servers.redis import RedisServer
from tests.kit.site import Site, Visitor, text, visitor_from

Start = Callable[..., Site]
SCHOOL, HOME, OFFICE = "192.0.2.1", "192.0.2.2", "192.0.2.3"
QPS, SEATS = 20, 2
CROWD = 60
# The ways in which a question that is polled calls the platform.
COZE_PATHS = ("/v3/chat", "/v3/chat/retrieve", "/v3/chat/message/list")


@contextmanager
def platform(**switches: object) -> Iterator[tuple[Emulator, dict[str, object]]]:
    """A Coze and a Qingyan in a process of their own, and their settings."""
    url, process = demo.start()
    emulator = Emulator(url)
    emulator.change(pace_s=0, qingyan_concurrency=SEATS, **switches)
    accounts = demo.accounts(Settings(demo_url=url))
    yield (
        emulator,
        {
            f"{platform}_{name}".upper(): value
            for platform in ("coze", "qingyan")
            for name, value in accounts[platform].items()
        },
    )
    process.kill()
    process.wait()
    assert process.stdin is not None
    process.stdin.close()


def waiting_at(site: Site) -> int:
    """How many questions to Qingyan wait at a process, as it counts them."""
    metrics = requests.get(f"{site.url}/metrics", timeout=30).text
    lines = [line for line in metrics.splitlines() if "waiting_questions{" in line]
    return sum(int(float(line.split()[-1])) for line in lines if "qingyan" in line)


def questions(emulator: Emulator, since: int = 0) -> list[str]:
    """The questions that reached Qingyan after the request of this number."""
    entries = emulator.journal(since)["requests"]
    return [str(entry["body"]) for entry in entries if entry["path"].endswith("/stream")]


# one process


@dataclass
class Line:
    """Two seats of a platform, and a crowd of one address, each with a cookie of its own, that
    waits for them.
    """

    site: Site
    emulator: Emulator
    crowd: list[requests.Response]

    @property
    def waiting(self) -> int:
        return waiting_at(self.site)


@pytest.fixture(scope="module")
def line(keep_site: Start) -> Iterator[Line]:
    with platform() as (emulator, accounts):
        site = keep_site(**accounts, TRUSTED_PROXIES=1, ADDRESS_SHARE=100, GRACE_S=0)
        body = {"agent": "qingyan", "stream": True}
        crowd = [
            visitor_from(site, SCHOOL).post(
                json={"message": f"!slow 3 school {number}", **body}, stream=True
            )
            for number in range(CROWD)
        ]
        assert {response.status_code for response in crowd} == {200}
        yield Line(site, emulator, crowd)


def test_a_visitor_of_another_address_has_the_next_free_seat(line: Line) -> None:
    assert line.waiting > CROWD / 2
    mark = line.emulator.mark()
    events = list(visitor_from(line.site, HOME).hear("home", agent="qingyan"))
    assert text(events)
    places = [event.data["position"] for event in events if event.data.get("state") == "queued"]
    assert places == [0] * len(places)
    before = questions(line.emulator, mark)
    before = before[: next(place for place, body in enumerate(before) if "home" in body)]
    # A seat may have been taken between the look and the question.
    assert len(before) <= 1


def test_a_json_call_that_hangs_up_gives_up_its_place(line: Line) -> None:
    """Several, because one or two may just get a seat."""
    body = {"message": "!slow 3 gone", "agent": "qingyan"}
    for _ in range(6):
        with pytest.raises(requests.Timeout):
            visitor_from(line.site, HOME).session.post(
                f"{line.site.url}/chat", json=body, timeout=0.3
            )
    assert eventually(lambda: "nobody was reading" in line.site.log, 4)


def test_the_unread_give_up_their_places_and_who_reads_again_keeps_it(line: Line) -> None:
    """It takes its time by the clock: until the site notices, and then as long as a reload may."""
    early = visitor_from(line.site, OFFICE)
    for event in early.hear("!slow 1 office", agent="qingyan"):
        if event.name == "turn":
            break
    for response in line.crowd:
        response.close()
    time.sleep(UNREAD_S / 4)
    assert text(list(early.follow()))
    # All of them would take a minute and a half.
    assert eventually(lambda: line.waiting == 0, UNREAD_S + 2 * QUIET_S + 5)
    assert len(questions(line.emulator)) < CROWD * 3 / 4
    assert line.site.log.count("nobody was reading") > CROWD / 4


def test_an_address_has_its_share_of_live_answers(emulator: Emulator, start_site: Start) -> None:
    site = start_site(**coze(emulator), TRUSTED_PROXIES=1, ADDRESS_SHARE=2, GRACE_S=0)
    body = {"message": "!slow 20", "stream": True}

    def status(visitor: Visitor) -> int:
        response = visitor.post(json=body, stream=True)
        streams.append(response)
        return response.status_code

    streams: list[requests.Response] = []
    one = visitor_from(site, SCHOOL)
    assert [status(one) for _ in range(4)] == [200] * 3 + [429]
    assert [status(visitor_from(site, SCHOOL)) for _ in range(4)] == [200] * 3 + [429]
    refused = streams[-1]
    assert refused.json()["code"] == "rate_limited" and refused.headers["Retry-After"] == "5"
    assert status(visitor_from(site, HOME)) == 200
    assert "raise ADDRESS_SHARE" in site.log
    for response in streams:
        response.close()


# three processes, one of which dies


@dataclass
class Trio:
    """Three processes with a Coze account of twenty calls a second and a Qingyan one of two seats.

    The platform writes down each call that is one too many.
    """

    sites: tuple[Site, Site, Site]
    emulator: Emulator

    def visitor(self, number: int, address: str = "") -> Visitor:
        """A visitor of the process of this number, of an address of their own by default."""
        return visitor_from(self.sites[number % 3], address or f"198.51.100.{number}")

    def begin(self, number: int, question: str, address: str = "") -> requests.Response:
        """Asks Qingyan, and returns while the answer waits or comes."""
        body = {"message": question, "agent": "qingyan", "stream": True}
        return self.visitor(number, address).post(json=body, stream=True)

    @property
    def waiting(self) -> int:
        """How many wait for Qingyan in all processes that live."""
        living = (
            site for site in self.sites if site.process is not None and site.process.poll() is None
        )
        return sum(map(waiting_at, living))


@pytest.fixture(scope="module")
def trio(
    keep_site: Start, redis: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Trio]:
    with platform(coze_qps=QPS, coze_work_s=0.3) as (emulator, accounts):
        common = {
            **accounts,
            "SECRET_KEY": KEY,
            "DATABASE_URL": f"sqlite:///{tmp_path_factory.mktemp('trio') / 'chat.db'}",
            "REDIS_URL": redis.url,
            "TRUSTED_PROXIES": 1,
            "ADDRESS_SHARE": 100,
            "GRACE_S": 0,
        }
        with ThreadPoolExecutor() as starters:
            sites = tuple(starters.map(lambda _: keep_site(**common), range(3)))
        yield Trio(sites, emulator)  # type: ignore[arg-type]


def test_a_crowd_at_three_processes_keeps_to_the_limits_of_one_account(trio: Trio) -> None:
    mark = trio.emulator.mark()

    def ask(number: int) -> requests.Response:
        agent = "coze" if number < CROWD / 2 else "qingyan"
        return trio.visitor(number).ask(f"!pieces 4 0 visitor <{number}>", agent=agent)

    with ThreadPoolExecutor(CROWD) as crowd:
        answers = list(crowd.map(ask, range(CROWD)))
    assert [answer.status_code for answer in answers] == [200] * CROWD
    assert all(f"<{number}>" in answer.text for number, answer in enumerate(answers))
    journal = trio.emulator.journal(mark)
    assert journal["violations"] == []
    calls = sorted(call["at"] for call in journal["requests"] if call["path"] in COZE_PATHS)
    assert len(calls) > CROWD
    busiest = max(sum(at <= other < at + 1 for other in calls) for at in calls)
    assert busiest <= QPS + 2, "in no second noticeably more, wherever it begins"
    assert busiest > QPS / 2


def test_whoever_asks_at_another_process_has_a_turn_and_the_dead_let_go(trio: Trio) -> None:
    """A school waits at two processes; one of them, which has a seat, is killed."""
    seated = [trio.begin(number, f"!slow 20 seated {number}", SCHOOL) for number in (0, 1)]
    assert eventually(lambda: trio.waiting == 0)
    crowd = [trio.begin(number % 2, f"!slow 1 crowd {number}", SCHOOL) for number in range(10)]
    assert eventually(lambda: trio.waiting == 10)
    mark = trio.emulator.mark()
    with ThreadPoolExecutor() as threads:
        guest = threads.submit(lambda: list(trio.visitor(2, HOME).hear("home", agent="qingyan")))
        assert eventually(lambda: trio.waiting == 11)
        trio.sites[0].kill()
        began = time.monotonic()
        events = guest.result()
        took = time.monotonic() - began
    trio.sites[0].start()
    assert text(events), events
    assert took < soon(LEASE_S + 2)
    places = [event.data["position"] for event in events if event.data.get("state") == "queued"]
    assert set(places) == {0}, "it is next, whoever waits elsewhere"
    asked = questions(trio.emulator, mark)
    assert "home" in asked[0]
    # Half of the crowd died with its process, the other half is answered.
    assert eventually(lambda: trio.waiting == 0, 30)
    assert sum("crowd" in body for body in questions(trio.emulator, mark)) == 5
    assert trio.emulator.journal(mark)["violations"] == []
    for response in [*seated, *crowd]:
        response.close()
