"""A platform's line on the deployed site: whatever comes from one address, others have a turn."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import requests

from chat.agents import demo
from chat.answers.live import UNREAD_S
from chat.settings.model import Settings
from chat.web.events import QUIET_S
from tests.kit.emulator import Emulator, coze
from tests.kit.patience import eventually
from tests.kit.site import Site, Visitor, text, visitor_from

Start = Callable[..., Site]
SCHOOL, HOME, OFFICE = "192.0.2.1", "192.0.2.2", "192.0.2.3"
CROWD = 60


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
        """How many wait, as the site counts them."""
        metrics = requests.get(f"{self.site.url}/metrics", timeout=30).text
        match = re.search(r'waiting_questions{platform="qingyan"} (\d+)', metrics)
        assert match
        return int(match[1])

    def questions(self, since: int = 0) -> list[str]:
        """The questions that reached the platform after the request of this number."""
        entries = self.emulator.journal(since)["requests"]
        return [str(entry["body"]) for entry in entries if entry["path"].endswith("/stream")]


@pytest.fixture(scope="module")
def line(keep_site: Start) -> Iterator[Line]:
    url, process = demo.start()
    emulator = Emulator(url)
    emulator.change(pace_s=0, qingyan_concurrency=2)
    options = demo.accounts(Settings(demo_url=url))["qingyan"]
    account = {f"QINGYAN_{name.upper()}": value for name, value in options.items()}
    site = keep_site(**account, TRUSTED_PROXIES=1, ADDRESS_SHARE=100, GRACE_S=0)
    crowd = [
        visitor_from(site, SCHOOL).post(
            json={"message": f"!slow 3 school {number}", "stream": True}, stream=True
        )
        for number in range(CROWD)
    ]
    assert {response.status_code for response in crowd} == {200}
    yield Line(site, emulator, crowd)
    process.kill()
    process.wait()
    assert process.stdin is not None
    process.stdin.close()


def test_a_visitor_of_another_address_has_the_next_free_seat(line: Line) -> None:
    assert line.waiting > CROWD / 2
    mark = line.emulator.mark()
    events = list(visitor_from(line.site, HOME).hear("home"))
    assert text(events)
    places = [event.data["position"] for event in events if event.data.get("state") == "queued"]
    assert places == [0] * len(places)
    before = line.questions(mark)
    before = before[: next(place for place, body in enumerate(before) if "home" in body)]
    # A seat may have been taken between the look and the question.
    assert len(before) <= 1


def test_a_json_call_that_hangs_up_gives_up_its_place(line: Line) -> None:
    """Several, because one or two may just get a seat."""
    body = {"message": "!slow 3 gone"}
    for _ in range(6):
        with pytest.raises(requests.Timeout):
            visitor_from(line.site, HOME).session.post(
                f"{line.site.url}/chat", json=body, timeout=0.3
            )
    assert eventually(lambda: "nobody was reading" in line.site.log, 4)


def test_the_unread_give_up_their_places_and_who_reads_again_keeps_it(line: Line) -> None:
    """It takes its time by the clock: until the site notices, and then as long as a reload may."""
    early = visitor_from(line.site, OFFICE)
    for event in early.hear("!slow 1 office"):
        if event.name == "turn":
            break
    for response in line.crowd:
        response.close()
    time.sleep(UNREAD_S / 4)
    assert text(list(early.follow()))
    # All of them would take a minute and a half.
    assert eventually(lambda: line.waiting == 0, UNREAD_S + 2 * QUIET_S + 5)
    assert len(line.questions()) < CROWD * 3 / 4
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
