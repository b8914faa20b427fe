"""Two hundred visitors at once, on each platform: no limit is broken, nobody waits behind a later
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

CROWD = 200
SAME_MOMENT_MS = 25 * ALLOWANCE**2  # who came so close together may be served in either order
ARRIVAL_DIGITS = 11  # a message's id begins with the milliseconds at which its question was taken


@dataclass
class Got:
    """What one of the crowd got."""

    reply: str = ""
    code: str | None = None
    retry_after: float | None = None
    arrived_ms: int = 0
    places: list[int] = field(default_factory=list)


@dataclass
class Crowd:
    """What all of them got, by their numbers, and what the platform saw."""

    got: list[Got]
    journal: dict[str, Any]

    def admitted(self, *paths: str) -> list[int]:
        """The numbers of the visitors, in the order in which their questions were asked."""
        asked = [one for one in self.journal["requests"] if one["path"].endswith(paths)]
        return [number_in(str(one["body"])) for one in sorted(asked, key=lambda one: one["number"])]


def question(number: int) -> str:
    return f"!pieces 4 0 visitor <{number}>"


def number_in(words: str) -> int:
    return int(words.partition("<")[2].partition(">")[0])


def ask_whole(url: str, number: int, agent: str) -> Got:
    response = Visitor(url).ask(question(number), agent=agent)
    told = response.json()
    if not response.ok:
        return Got("", told["code"], float(response.headers.get("Retry-After", 0)))
    return Got("".join(told["replies"]), arrived_ms=int(told["message_id"][:ARRIVAL_DIGITS], 16))


def ask_streaming(url: str, number: int, agent: str) -> Got:
    visitor = Visitor(url)
    told = list(visitor.hear(question(number), agent=agent))
    places = [
        one.data["position"]
        for one in told
        if one.name == "status" and one.data["state"] == "queued"
    ]
    last = told[-1]
    if last.name == "error":
        return Got("", last.data["code"], last.data.get("retry_after"), places=places)
    return Got(text(told), arrived_ms=int(str(visitor.message)[:ARRIVAL_DIGITS], 16), places=places)


Way = Callable[[str, int, str], Got]


def come_at_once(site: Site, agent: str, *ways: Way) -> list[Got]:
    """All of them through the door in the same moment, each in one of the ways."""
    door = threading.Barrier(CROWD)

    def come(number: int) -> Got:
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


def crowd_at(folder: Path, agent: str, *ways: Way, **given: Any) -> Crowd:
    """A site with one agent, its platform with its limits, and everybody who comes;

    `limits` are our own.
    """
    limits = given.pop("limits", {})
    with platform(**given) as emulator:
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
            got = come_at_once(site, agent, *ways)
        finally:
            site.end()
        return Crowd(got, emulator.journal())


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Crowd]]]:
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
    assert [one.code for one in crowd.got] == [None] * CROWD
    assert all(f"<{number}>" in one.reply for number, one in enumerate(crowd.got))
    assert crowd.journal["violations"] == []


def assert_first_come_first_served(crowd: Crowd, *paths: str, seats: int = 1) -> None:
    """Nobody is asked for after one who came later; those at once in several seats may overtake by
    a seat.
    """
    order = crowd.admitted(*paths)
    assert sorted(order) == list(range(CROWD)), "each question was asked once"
    latest, behind = 0, 0
    for number in order:
        arrived = crowd.got[number].arrived_ms
        behind = behind + 1 if arrived < latest - SAME_MOMENT_MS else 0
        assert behind < seats, (
            f"visitor {number} waited behind one who came {latest - arrived} ms later"
        )
        latest = max(latest, arrived)


def test_two_hundred_polled_chats_share_twenty_calls_a_second(
    begun: dict[str, Future[Crowd]],
) -> None:
    crowd = begun["coze polled"].result()
    assert_everybody_got_his_own_answer(crowd)
    assert_first_come_first_served(crowd, "/v3/chat")
    calls = sorted(
        one["at"]
        for one in crowd.journal["requests"]
        if one["path"] in ("/v3/chat", "/v3/chat/retrieve", "/v3/chat/message/list")
    )
    most = max(
        sum(at <= other < at + 1 for other in calls[n : n + 40]) for n, at in enumerate(calls)
    )
    assert most <= 22, "no second holds noticeably more than twenty, wherever it begins"


def test_two_hundred_streams_begin_twenty_a_second_and_are_told_their_places(
    begun: dict[str, Future[Crowd]],
) -> None:
    crowd = begun["coze streamed"].result()
    assert_everybody_got_his_own_answer(crowd)
    assert_first_come_first_served(crowd, "/v3/chat")
    places = [one.places for one in crowd.got if one.places]
    assert len(places) > CROWD / 2
    assert all(told == sorted(told, reverse=True) for told in places)
    assert max(told[0] for told in places) > CROWD / 2


def test_two_hundred_at_two_seats(begun: dict[str, Future[Crowd]]) -> None:
    crowd = begun["qingyan"].result()
    assert_everybody_got_his_own_answer(crowd)
    assert_first_come_first_served(crowd, "/stream", "/stream_sync", seats=2)


def test_two_hundred_at_ten_seats(begun: dict[str, Future[Crowd]]) -> None:
    crowd = begun["yuanqi"].result()
    assert_everybody_got_his_own_answer(crowd)
    assert_first_come_first_served(crowd, "/completions", seats=10)


def test_of_two_hundred_the_day_s_fifty_are_answered(begun: dict[str, Future[Crowd]]) -> None:
    crowd = begun["wenxin"].result()
    answered = [number for number, one in enumerate(crowd.got) if one.code is None]
    assert len(answered) == 50
    assert all(f"<{number}>" in crowd.got[number].reply for number in answered)
    refused = [one for one in crowd.got if one.code is not None]
    assert {one.code for one in refused} == {"quota_exhausted"}
    assert all(one.retry_after and 0 < one.retry_after <= 24 * 3600 for one in refused)
    asked = [one for one in crowd.journal["requests"] if one["path"].startswith("/assistant")]
    assert len(asked) == 50
    assert crowd.journal["violations"] == []


def test_two_hundred_where_no_limit_is_known(begun: dict[str, Future[Crowd]]) -> None:
    assert_everybody_got_his_own_answer(begun["huawei"].result())
