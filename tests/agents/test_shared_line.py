"""Three processes of one site and a platform's limits: counted at the platform, never beyond."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
import requests

from chat.agents import demo
from chat.agents.line_script import LEASE_S
from chat.settings.model import Settings
from tests.kit.emulator import Emulator
from tests.kit.members import KEY
from tests.kit.patience import eventually, soon
from tests.kit.servers.redis import RedisServer
from tests.kit.site import Site, Visitor, text, visitor_from

Start = Callable[..., Site]
SCHOOL, HOME = "192.0.2.1", "192.0.2.2"
QPS, SEATS = 20, 2
CROWD = 60
# The ways in which a question that is polled calls the platform.
COZE_PATHS = ("/v3/chat", "/v3/chat/retrieve", "/v3/chat/message/list")


@dataclass
class Trio:
    """Three processes with a Coze account of twenty calls a second and a Qingyan one of two seats.

    The platform runs in a process of its own, and writes down each call that is one too many.
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

    def asked(self, since: int) -> list[str]:
        """The questions that reached Qingyan after the request of this number."""
        entries = self.emulator.journal(since)["requests"]
        return [str(entry["body"]) for entry in entries if entry["path"].endswith("/stream")]


@pytest.fixture(scope="module")
def trio(
    keep_site: Start, redis: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Trio]:
    url, process = demo.start()
    emulator = Emulator(url)
    emulator.change(pace_s=0, coze_qps=QPS, coze_work_s=0.3, qingyan_concurrency=SEATS)
    accounts = demo.accounts(Settings(demo_url=url))
    options = {
        f"{platform}_{name}".upper(): value
        for platform in ("coze", "qingyan")
        for name, value in accounts[platform].items()
    }
    common = {
        **options,
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
    process.kill()
    process.wait()
    assert process.stdin is not None
    process.stdin.close()


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
    assert eventually(lambda: waiting(trio) == 0)
    crowd = [trio.begin(number % 2, f"!slow 1 crowd {number}", SCHOOL) for number in range(10)]
    assert eventually(lambda: waiting(trio) == 10)
    mark = trio.emulator.mark()
    with ThreadPoolExecutor() as threads:
        guest = threads.submit(lambda: list(trio.visitor(2, HOME).hear("home", agent="qingyan")))
        assert eventually(lambda: waiting(trio) == 11)
        trio.sites[0].kill()
        began = time.monotonic()
        events = guest.result()
        took = time.monotonic() - began
    trio.sites[0].start()
    assert text(events), events
    assert took < soon(LEASE_S + 2)
    places = [event.data["position"] for event in events if event.data.get("state") == "queued"]
    assert set(places) == {0}, "it is next, whoever waits elsewhere"
    asked = trio.asked(mark)
    assert "home" in asked[0]
    # Half of the crowd died with its process, the other half is answered.
    assert eventually(lambda: waiting(trio) == 0, 30)
    assert sum("crowd" in body for body in trio.asked(mark)) == 5
    assert trio.emulator.journal(mark)["violations"] == []
    for response in [*seated, *crowd]:
        response.close()


def waiting(trio: Trio) -> int:
    """How many wait for Qingyan in all processes that live."""
    total = 0
    for site in trio.sites:
        if site.process is not None and site.process.poll() is None:
            metrics = requests.get(f"{site.url}/metrics", timeout=30).text
            lines = [line for line in metrics.splitlines() if "waiting_questions{" in line]
            total += sum(int(float(line.split()[-1])) for line in lines if "qingyan" in line)
    return total
