"""Three processes behind nginx, on one PostgreSQL and one Redis, are one site."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from trustme import CA

from chat.agents import demo
from chat.settings.model import Settings
from tests.kit.emulator import Emulator, coze
from tests.kit.patience import eventually
from tests.kit.servers.cluster import Cluster, cluster, is_ready
from tests.kit.site import text

CROWD = 300
# Questions a day of the Wenxin agent.
DAY = 7
ENDS = {"done", "stopped", "failed", "interrupted"}


@pytest.fixture(scope="module")
def one(
    emulator: Emulator, authority: CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Three processes with a Coze agent, one of Yuanqi and one of Wenxin."""
    accounts = demo.accounts(Settings(demo_url=emulator.url))
    settings: dict[str, object] = {
        f"{platform}_{option}".upper(): value
        for platform in ("yuanqi", "wenxin")
        for option, value in accounts[platform].items()
        if option != "picture_path"
    }
    folder = tmp_path_factory.mktemp("cluster")
    with cluster(
        folder,
        authority,
        3,
        **coze(emulator),
        **settings,
        COZE_QPS=100,
        WENXIN_DAILY=DAY,
        GRACE_S=5,
    ) as started:
        yield started


def test_an_answer_is_asked_here_followed_there_and_stopped_elsewhere(one: Cluster) -> None:
    asking = one.newcomer(0)
    events = asking.hear("!pieces 100 60")
    next(event for event in events if event.name == "delta")
    followed = one.at(1, asking).follow()
    assert next(event for event in followed if event.name == "delta")
    assert one.at(2, asking).stop().status_code == 202
    for ended in (list(events)[-1], list(followed)[-1]):
        assert ended.name == "done" and ended.data["finish_reason"] == "stopped"


def test_a_conversation_goes_on_wherever_it_is_asked(one: Cluster) -> None:
    visitor = one.newcomer(0)
    for number in (0, 1, 2, 0):
        here = one.at(number, visitor)
        assert here.ask(f"wherever {number}").ok
        visitor.conversation = here.conversation
    page = one.at(1, visitor).get(f"/c/{visitor.conversation}").text
    assert [f"wherever {number}" in page for number in range(3)] == [True] * 3
    assert "wherever" in one.at(2, visitor).get("/search?q=wherever").text


def test_three_hundred_visitors_are_each_answered_once(one: Cluster) -> None:
    def ask(number: int) -> bool:
        reply = one.visitor().ask(f"crowd {number}.")
        return reply.ok and f"crowd {number}." in reply.json()["replies"][0]

    with ThreadPoolExecutor(24) as pool:
        assert all(pool.map(ask, range(CROWD)))
    rows = one.rows("crowd ")
    assert len(rows) == CROWD and {state for _, state in rows} == {"done"}


def test_the_seats_of_a_platform_are_counted_over_all(one: Cluster, emulator: Emulator) -> None:
    def ask(number: int) -> int:
        return one.newcomer(number % 3).ask("!slow 0.3", agent="yuanqi").status_code

    # Each process alone would take as many at once as the platform takes from all.
    with ThreadPoolExecutor(30) as pool:
        assert Counter(pool.map(ask, range(30))) == {200: 30}
    assert emulator.violations("concurrency") == []


def test_the_questions_of_a_day_are_counted_over_all(one: Cluster) -> None:
    def ask(number: int) -> int:
        return one.newcomer(number % 3).ask("today", agent="wenxin").status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = Counter(pool.map(ask, range(DAY + 5)))
    assert statuses == {200: DAY, 429: 5}


def test_servers_that_restart_under_load_lose_no_question(one: Cluster, emulator: Emulator) -> None:
    """Every question that was taken has one end, and was asked of the platform once at most."""
    over = threading.Event()
    taken: dict[str, str] = {}
    statuses: Counter[int] = Counter()

    def keep_asking(number: int) -> None:
        for count in range(1000):
            if over.is_set():
                return
            question, visitor = f"restart {number}/{count}.", one.newcomer((number + count) % 3)
            response = visitor.ask(question)
            statuses[response.status_code] += 1
            if response.ok:
                assert question in response.json()["replies"][0]
                taken[question] = response.json()["message_id"]

    mark = emulator.mark()
    with ThreadPoolExecutor(12) as pool:
        crowd = [pool.submit(keep_asking, number) for number in range(12)]
        try:
            for restart in (one.redis.kill, one.postgresql.stop):
                time.sleep(1)
                restart()
                time.sleep(1)
                (one.redis if restart == one.redis.kill else one.postgresql).start()
            assert eventually(lambda: all(map(is_ready, one.sites)))
            before = len(taken)
            assert eventually(lambda: len(taken) > before + 24), "it goes on without a restart"
        finally:
            over.set()
        for asker in crowd:
            asker.result()
    assert set(statuses) <= {200, 429, 502, 503}
    assert eventually(lambda: {state for _, state in one.rows("restart ")} <= ENDS)
    stored = dict(one.rows("restart "))
    assert {stored[message] for message in taken.values()} == {"done"}
    asked = Counter(
        str(entry["body"]["additional_messages"][-1]["content"])
        for entry in emulator.journal(mark)["requests"]
        if entry["path"] == "/v3/chat"
    )
    assert set(asked.values()) == {1}


def test_what_a_dead_process_was_answering_is_finished_by_another(one: Cluster) -> None:
    visitor = one.newcomer(0)
    events = visitor.hear_for("!pieces 50 100 outlives its process", 2.5)
    one.sites[0].kill()
    heard = list(one.at(1, visitor).follow())
    assert heard[-1].name == "done", heard[-1]
    whole = heard[-1].data["replies"][0]
    assert whole.startswith(text(events)) and len(whole) > len(text(events))
    assert one.at(2, visitor).ask("and on it goes").ok
    # Behind nginx nobody notices that one is gone.
    assert Counter(one.visitor().ask(f"still {n}").status_code for n in range(6)) == {200: 6}
    one.sites[0].start()


def test_an_update_of_one_after_the_other_cuts_nobody_off(one: Cluster) -> None:
    events = {number: one.newcomer(number).hear("!pieces 30 100") for number in range(3)}
    for stream in events.values():
        assert next(stream).name == "turn"
    over = threading.Event()
    statuses: Counter[int] = Counter()

    def keep_asking() -> None:
        while not over.is_set():
            statuses[one.visitor().ask("during the update").status_code] += 1

    askers = [threading.Thread(target=keep_asking) for _ in range(3)]
    for asker in askers:
        asker.start()
    for site in one.sites:
        site.end()
        site.start()
    over.set()
    for asker in askers:
        asker.join()
    assert set(statuses) == {200}
    for stream in events.values():
        assert list(stream)[-1].name == "done"
