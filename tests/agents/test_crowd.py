"""A hundred visitors at once, on each platform: no limit is broken, nobody waits behind a later
comer.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chat.agents import demo
from chat.settings.model import Settings
from tests.kit.emulator import Emulator
from tests.kit.patience import ALLOWANCE
from tests.kit.site import Site, Visitor, text

CROWD = 100
# Who came so close together may be served in either order: between its id and its place in the
# line a question is stored, which takes long for a hundred at once. All take half a minute.
SAME_MOMENT_MS = 60 * ALLOWANCE**3
# A message's id begins with the milliseconds at which its question arrived.
ARRIVAL_DIGITS = 11


@dataclass
class Outcome:
    """What one of the crowd got."""

    reply: str = ""
    code: str | None = None
    retry_after: float | None = None
    arrived_ms: int = 0
    places: list[int] = field(default_factory=list)


@dataclass
class Crowd:
    """What all of them got, by their numbers, and what the platform saw."""

    outcomes: list[Outcome]
    journal: dict[str, Any]

    def admitted(self, *paths: str) -> list[int]:
        """The numbers of the visitors, in the order in which their questions were asked."""
        calls = [request for request in self.journal["requests"] if request["path"].endswith(paths)]
        return [
            number_in(str(request["body"]))
            for request in sorted(calls, key=lambda request: request["number"])
        ]


def question(number: int) -> str:
    return f"!pieces 4 0 visitor <{number}>"


def number_in(words: str) -> int:
    return int(words.partition("<")[2].partition(">")[0])


def ask_whole(url: str, number: int, agent: str) -> Outcome:
    response = Visitor(url).ask(question(number), agent=agent)
    body = response.json()
    if not response.ok:
        return Outcome("", body["code"], float(response.headers.get("Retry-After", 0)))
    return Outcome(
        "".join(body["replies"]), arrived_ms=int(body["message_id"][:ARRIVAL_DIGITS], 16)
    )


def ask_streaming(url: str, number: int, agent: str) -> Outcome:
    visitor = Visitor(url)
    events = list(visitor.hear(question(number), agent=agent))
    places = [
        event.data["position"]
        for event in events
        if event.name == "status" and event.data["state"] == "queued"
    ]
    last = events[-1]
    if last.name == "error":
        return Outcome("", last.data["code"], last.data.get("retry_after"), places=places)
    return Outcome(
        text(events), arrived_ms=int(str(visitor.message)[:ARRIVAL_DIGITS], 16), places=places
    )


Way = Callable[[str, int, str], Outcome]


def come_at_once(site: Site, agent: str, *ways: Way) -> list[Outcome]:
    """All of them through the door in the same moment, each in one of the ways."""
    door = threading.Barrier(CROWD)

    def come(number: int) -> Outcome:
        door.wait(30)
        return ways[number % len(ways)](site.url, number, agent)

    with ThreadPoolExecutor(CROWD) as pool:
        return list(pool.map(come, range(CROWD)))


@contextmanager
def platform(**switches: object) -> Iterator[Emulator]:
    """An emulator in a process of its own, so that the crowd here does not slow it down."""
    url, process = demo.start()
    try:
        emulator = Emulator(url)
        emulator.change(pace_s=0, **switches)
        yield emulator
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def crowd_at(folder: Path, agent: str, *ways: Way, **options: Any) -> Crowd:
    """A site with one agent, its platform with its limits, and everybody who comes;

    `limits` are our own.
    """
    limits = options.pop("limits", {})
    with platform(**options) as emulator:
        options = {**demo.accounts(Settings(demo_url=emulator.url))[agent], **limits}
        lines = [
            f"{name} = {value!r}"
            for name, value in {"id": agent, "platform": agent, **options}.items()
        ]
        folder.mkdir()
        agents = folder / "agents.toml"
        agents.write_text("\n".join(["[[agents]]", *lines]))
        site = Site(folder, {"AGENTS_FILE": agents}).start()
        try:
            outcomes = come_at_once(site, agent, *ways)
        finally:
            site.end()
        return Crowd(outcomes, emulator.journal())


@pytest.fixture(scope="module")
def crowds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Crowd]]]:
    """Coze's crowds take their time by the clock, not by the machine: the others come meanwhile."""
    folder = tmp_path_factory.mktemp("crowds")
    both = ask_whole, ask_streaming
    with ThreadPoolExecutor(2) as slow, ThreadPoolExecutor(1) as quick:
        yield {
            "coze polled": slow.submit(
                crowd_at, folder / "1", "coze", ask_whole, coze_qps=20, coze_work_s=0.3
            ),
            "qingyan": quick.submit(
                crowd_at, folder / "2", "qingyan", *both, qingyan_concurrency=2
            ),
            "yuanqi": quick.submit(crowd_at, folder / "3", "yuanqi", *both),
            "wenxin": quick.submit(
                crowd_at, folder / "4", "wenxin", *both, wenxin_daily=50, limits={"daily": 50}
            ),
            "huawei": quick.submit(crowd_at, folder / "5", "huawei", *both),
            "coze streamed": quick.submit(
                crowd_at, folder / "6", "coze", ask_streaming, coze_qps=20
            ),
        }


def assert_everybody_got_his_own_answer(crowd: Crowd) -> None:
    assert [outcome.code for outcome in crowd.outcomes] == [None] * CROWD
    assert all(f"<{number}>" in outcome.reply for number, outcome in enumerate(crowd.outcomes))
    assert crowd.journal["violations"] == []


def assert_first_come_first_served(crowd: Crowd, *paths: str, seats: int = 1) -> None:
    """Nobody is asked for after one who came later; those at once in several seats may overtake by
    a seat.
    """
    order = crowd.admitted(*paths)
    assert sorted(order) == list(range(CROWD)), "each question was asked once"
    latest, behind = 0, 0
    for number in order:
        arrived = crowd.outcomes[number].arrived_ms
        behind = behind + 1 if arrived < latest - SAME_MOMENT_MS else 0
        assert behind < seats, (
            f"visitor {number} waited behind one who came {latest - arrived} ms later"
        )
        latest = max(latest, arrived)


def test_a_hundred_polled_chats_share_twenty_calls_a_second(
    crowds: dict[str, Future[Crowd]],
) -> None:
    crowd = crowds["coze polled"].result()
    assert_everybody_got_his_own_answer(crowd)
    assert_first_come_first_served(crowd, "/v3/chat")
    calls = sorted(
        request["at"]
        for request in crowd.journal["requests"]
        if request["path"] in ("/v3/chat", "/v3/chat/retrieve", "/v3/chat/message/list")
    )
    most = max(
        sum(at <= other < at + 1 for other in calls[n : n + 40]) for n, at in enumerate(calls)
    )
    assert most <= 22, "no second holds noticeably more than twenty, wherever it begins"


def test_a_hundred_streams_begin_twenty_a_second_and_are_told_their_places(
    crowds: dict[str, Future[Crowd]],
) -> None:
    crowd = crowds["coze streamed"].result()
    assert_everybody_got_his_own_answer(crowd)
    assert_first_come_first_served(crowd, "/v3/chat")
    places = [outcome.places for outcome in crowd.outcomes if outcome.places]
    assert len(places) > CROWD / 2
    assert all(series == sorted(series, reverse=True) for series in places)
    assert max(series[0] for series in places) > CROWD / 2


def test_a_hundred_at_two_seats(crowds: dict[str, Future[Crowd]]) -> None:
    crowd = crowds["qingyan"].result()
    assert_everybody_got_his_own_answer(crowd)
    assert_first_come_first_served(crowd, "/stream", "/stream_sync", seats=2)


def test_a_hundred_at_ten_seats(crowds: dict[str, Future[Crowd]]) -> None:
    crowd = crowds["yuanqi"].result()
    assert_everybody_got_his_own_answer(crowd)
    assert_first_come_first_served(crowd, "/completions", seats=10)


def test_of_a_hundred_the_day_s_fifty_are_answered(crowds: dict[str, Future[Crowd]]) -> None:
    crowd = crowds["wenxin"].result()
    answered = [number for number, outcome in enumerate(crowd.outcomes) if outcome.code is None]
    assert len(answered) == 50
    assert all(f"<{number}>" in crowd.outcomes[number].reply for number in answered)
    refused = [outcome for outcome in crowd.outcomes if outcome.code is not None]
    assert {outcome.code for outcome in refused} == {"quota_exhausted"}
    assert all(outcome.retry_after and 0 < outcome.retry_after <= 24 * 3600 for outcome in refused)
    calls = [
        request for request in crowd.journal["requests"] if request["path"].startswith("/assistant")
    ]
    assert len(calls) == 50
    assert crowd.journal["violations"] == []


def test_a_hundred_where_no_limit_is_known(crowds: dict[str, Future[Crowd]]) -> None:
    assert_everybody_got_his_own_answer(crowds["huawei"].result())
