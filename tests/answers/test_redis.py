"""Two processes, one database, one Redis: an answer is followed and stopped at either."""

import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis
import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from chat.answers.live import UNREAD_S, Entry, Failed, Finished, LiveAnswers, Lost
from chat.answers.redis import RedisAnswer, RedisBridge
from chat.answers.redis_copies import KINDS
from chat.settings.model import Settings, secrets
from chat.shared.connection import Connection
from providers.events import Delta, Status
from tests.kit.emulator import Emulator, coze
from tests.kit.patience import eventually, soon
from tests.kit.servers.redis import PASSWORD, RedisServer, redis_server
from tests.kit.site import ServerEvent, Site, Visitor, environment, text
from tests.owner.test_doctor import both
from tests.owner.test_doctor import settings as qingyan

AWAY = "Redis cannot be used"
SITE = "test"
END = Finished("stop", ("all",))
Start = Callable[..., Site]


@dataclass
class Pair:
    """Two sites with one database and one Redis."""

    first: Site
    second: Site

    def visitor(self) -> tuple[Visitor, Visitor]:
        """The same person at both; who has asked at the first, follows at the second."""
        return Visitor(self.first.url), Visitor(self.second.url)

    @property
    def log(self) -> str:
        return self.first.log + self.second.log


def pair_of(start: Start, emulator: Emulator, server: RedisServer, folder: Path) -> Pair:
    common = {
        **coze(emulator),
        **qingyan("qingyan", emulator.url),
        "SECRET_KEY": "one-key-for-both-of-them",
        "DATABASE_URL": f"sqlite:///{folder / 'chat.db'}",
        "REDIS_URL": server.url,
    }
    return Pair(start(**common), start(**common))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = redis_server(tmp_path_factory.mktemp("redis"))
    yield server.start()
    server.end()


@pytest.fixture(scope="module")
def pair(
    keep_site: Start,
    emulator: Emulator,
    server: RedisServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Pair]:
    pair = pair_of(keep_site, emulator, server, tmp_path_factory.mktemp("both"))
    yield pair
    assert PASSWORD not in pair.log and "Traceback" not in pair.log, pair.log


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[RedisServer]:
    server = redis_server(tmp_path)
    yield server
    server.end()


@pytest.fixture
def bridge(server: RedisServer) -> Iterator[Callable[[], RedisBridge]]:
    """Processes of a site, as far as they share."""
    processes: list[tuple[RedisBridge, Connection]] = []

    def join() -> RedisBridge:
        connection = Connection(server.url, SITE)
        bridge = RedisBridge(connection, 600)
        processes.append((bridge, connection))
        bridge.connect(lambda message_id: None)
        connection.connect()
        return bridge

    yield join
    for bridge, connection in processes:
        bridge.disconnect()
        connection.disconnect()


def begin(
    here: Visitor, there: Visitor, question: str, count: int = 4, **more: object
) -> tuple[Iterator[ServerEvent], list[ServerEvent]]:
    """Asks here and hears a little; there knows of it then."""
    hearing = here.hear(question, **more)
    events = [next(hearing) for _ in range(count)]
    there.session.cookies.update(here.session.cookies)
    there.message, there.conversation = here.message, here.conversation
    return hearing, events


def ready(site: Site) -> dict[str, str]:
    answer = requests.get(f"{site.url}/readyz", timeout=10)
    assert answer.status_code == 200
    return answer.json()


def is_shared(pair: Pair) -> bool:
    """Whether the second process follows an answer of the first, and stops it."""
    here, there = pair.visitor()
    hearing, _ = begin(here, there, "!pieces 50 100 is it shared", 3)
    for event in there.follow():
        if event.name == "delta":
            there.stop()
    return list(hearing)[-1].data["finish_reason"] == event.data["finish_reason"] == "stopped"


# what readers elsewhere hear


def test_readers_elsewhere_outlive_the_process_that_made_the_answer(pair: Pair) -> None:
    here, there = pair.visitor()
    _broken_off = begin(here, there, "!pieces 30 50 outlived")
    bob, bob_there = pair.visitor()
    _another = begin(bob, bob_there, "!pieces 60 100 no record of it", agent="qingyan")
    reading, without_record = there.follow(), bob_there.follow()
    events = [next(reading) for _ in range(6)]
    assert [next(without_record) for _ in range(4)][-1].name != "error"
    pair.first.kill()
    so_far = text(events)
    try:
        for event in reading:
            assert event.id >= events[-1].id and event.name != "turn"
            events.append(event)
            if event.name in ("delta", "replace"):
                so_far = (
                    event.data["text"] if event.name == "replace" else so_far + event.data["text"]
                )
        assert event.name == "done" and event.data["replies"] == [so_far] and "outlived" in so_far
        ended = list(without_record)[-1]
        assert ended.name == "error" and ended.data["code"] == "unavailable", (
            "said by the database alone"
        )
    finally:
        pair.first.start()
    assert is_shared(pair)


# the copy itself


def find_remote(name: str, bridge: Callable[[], RedisBridge]) -> RedisAnswer:
    there = bridge()
    assert eventually(lambda: there.find(name) is not None)
    remote = there.find(name)
    assert remote is not None
    return remote


def key(message_id: str) -> str:
    """The name of an answer's stream in Redis."""
    return f"zhiye:{SITE}:answer:{message_id}"


def read(live: Any, position: int = 0) -> list[tuple[int, Entry]]:
    return [pair for batch in live.follow(position) for pair in batch]


ENTRIES: st.SearchStrategy[Entry] = st.one_of(
    *(
        st.builds(kind, **dict.fromkeys([slot.name for slot in fields(kind)], ...))
        for kind in KINDS.values()
    )
)


def test_every_entry_comes_through_unchanged(bridge: Callable[[], RedisBridge]) -> None:
    here, there = bridge(), bridge()

    @settings(max_examples=30)
    @example([Delta("half of a character: \ud83d"), Failed("timeout", 5.0)], 0, 1)
    @given(st.lists(ENTRIES, max_size=30), st.integers(0, 2**42), st.integers(0, 40))
    def comes_through(entries: list[Entry], start: int, beyond: int) -> None:
        whole = [entry for entry in entries if not isinstance(entry, Finished | Failed)] + [END]
        name = str(uuid.uuid4())
        live = here.open(name, start, time.monotonic)
        for entry in whole:
            live.append(entry)
        assert eventually(lambda: there.find(name))
        remote = there.find(name)
        assert remote is not None and remote.start == start
        beyond = min(beyond, len(whole) - 1)
        # Written down: there a number that is none is like another.
        assert repr(read(remote)) == repr(read(live)) == repr(list(enumerate(whole, start + 1)))
        assert repr(read(remote, start + beyond)) == repr(read(live, start + beyond))

    comes_through()


def test_who_no_longer_follows_elsewhere_is_forgotten_in_time(
    bridge: Callable[[], RedisBridge], server: RedisServer
) -> None:
    now, here = 1000.0, bridge()
    live = here.open("in line", 0, lambda: now)
    live.append(Status("queued", 3))
    next(find_remote("in line", bridge).follow())
    now += UNREAD_S
    with redis.Redis.from_url(server.url) as client:
        (sign,) = client.keys("*:in line:followed")
        assert 0 < client.ttl(sign) <= UNREAD_S
        # As when the time has passed.
        client.delete(sign)
    assert live.unread_s == UNREAD_S


def test_while_redis_is_away_no_answer_is_unread(own_server: RedisServer) -> None:
    now, connection = 1000.0, Connection(own_server.start().url, SITE)
    live = RedisBridge(connection, 600).open("in line", 0, lambda: now)
    own_server.kill()
    now += UNREAD_S
    assert live.unread_s == 0, "nobody can tell"


def test_a_long_answer_comes_in_many_items(
    bridge: Callable[[], RedisBridge], server: RedisServer
) -> None:
    whole: list[Entry] = [Delta(f"{number} ") for number in range(2000)]
    whole += [Delta("字" * 70_000), Delta("x"), END]
    here = bridge()
    live = here.open("long", 0, time.monotonic)
    for entry in whole:
        live.append(entry)
    assert [entry for _, entry in read(find_remote("long", bridge))] == whole
    with redis.Redis.from_url(server.url) as client:
        assert client.xlen(key("long")) > 4
        assert eventually(lambda: 0 < client.ttl(key("long")) <= 300)


def test_a_log_without_its_beginning_is_none(
    bridge: Callable[[], RedisBridge], server: RedisServer
) -> None:
    here, there = bridge(), bridge()
    live = here.open("trimmed", 0, time.monotonic)
    live.append(Delta("first"))
    assert eventually(lambda: there.find("trimmed"))
    remote = there.find("trimmed")
    assert remote is not None
    following = remote.follow()
    assert next(following) == [(1, Delta("first"))]
    with redis.Redis.from_url(server.url) as client:
        for number in range(3):
            size = client.xlen(key("trimmed"))
            live.append(Delta(f"{number}"))
            assert eventually(lambda size=size: client.xlen(key("trimmed")) > size)
        client.xtrim(key("trimmed"), maxlen=1, approximate=False)
        assert 0 < client.ttl(key("trimmed")) <= 900, "nothing stays for ever"
    assert there.find("trimmed") is None
    with pytest.raises(Lost):
        next(following)
    with redis.Redis.from_url(server.url) as client:
        client.delete(key("trimmed"))
    live.append(END)
    assert texts(find_remote("trimmed", bridge)) == ["first", "0", "1", "2"], (
        "what Redis forgot is written again"
    )
    with redis.Redis.from_url(server.url) as client:
        assert eventually(lambda: client.ttl(key("trimmed")) <= 300)


def texts(live: RedisAnswer) -> list[str]:
    return [entry.text for _, entry in read(live) if isinstance(entry, Delta)]


def test_an_answer_that_goes_on_in_another_log_is_lost_in_the_old_one(
    bridge: Callable[[], RedisBridge],
) -> None:
    first, heir, there = bridge(), bridge(), bridge()
    first.open("inherited", 0, time.monotonic).append(Delta("so far"))
    assert eventually(lambda: there.find("inherited"))
    old = there.find("inherited")
    assert old is not None
    following = old.follow()
    next(following)
    live = heir.open("inherited", 5000, time.monotonic)
    live.append(Delta("so far, and more"))
    live.append(END)
    with pytest.raises(Lost):
        list(following)
    new = there.find("inherited")
    assert new is not None and new.start == 5000 and texts(new) == ["so far, and more"]


def test_an_endless_answer_is_not_copied(bridge: Callable[[], RedisBridge]) -> None:
    here, there = bridge(), bridge()
    live = here.open("endless", 0, time.monotonic)
    live.append(Delta("x"))
    assert eventually(lambda: there.find("endless"))
    for _ in range(100):
        live.append(Delta("x" * 100_000))
    assert eventually(lambda: there.find("endless") is None)
    live.append(END)
    time.sleep(0.2)
    assert there.find("endless") is None and len(read(live)) == 102


LOADED = """
import os, sys, app, limits
app.create_app().extensions["chat"].start()
print("redis" in sys.modules)
os.environ["REDIS_URL"] = "redis://127.0.0.1:9"
app.create_app()
print("redis" in sys.modules)
"""


def test_nothing_of_redis_is_loaded_without_its_setting(tmp_path: Path) -> None:
    variables = environment(DEMO_URL="http://127.0.0.1:9")
    ran = subprocess.run(
        [sys.executable, "-c", LOADED],
        env=variables,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.stdout.split() == ["False", "True"], ran.stderr
    assert type(LiveAnswers().open("m")[0]).__name__ == "LiveAnswer"


# gone and back


def test_redis_is_killed_and_comes_back(
    start_site: Start, emulator: Emulator, own_server: RedisServer, tmp_path: Path
) -> None:
    pair = pair_of(start_site, emulator, own_server.start(), tmp_path)
    assert ready(pair.first) == {"status": "ok"}
    here, there = pair.visitor()
    hearing, events = begin(here, there, "!pieces 40 60 killed meanwhile")
    with ThreadPoolExecutor() as readers:
        elsewhere = readers.submit(lambda: list(there.follow()))
        time.sleep(0.5)
        own_server.kill()
        began = time.monotonic()
        events += list(hearing)
        assert time.monotonic() - began < soon(4), "who reads where it is made notices nothing"
    assert events[-1].data["replies"] == [text(events)]
    assert elsewhere.result()[-1].name == "done" and elsewhere.result()[-1].data == events[-1].data
    assert [event.name for event in elsewhere.result()].count("turn") == 1
    assert eventually(
        lambda: ready(pair.first) == ready(pair.second) == {"status": "ok", "redis": "redis_away"}
    )
    assert there.ask("without Redis").ok and here.stop().status_code == 202
    for site in (pair.first, pair.second):
        assert site.log.count(AWAY) == 1 and "Traceback" not in site.log
    own_server.start()
    assert eventually(lambda: ready(pair.first) == ready(pair.second) == {"status": "ok"})
    assert is_shared(pair), "without a restart"
    assert PASSWORD not in pair.log and "Redis can be used again" in pair.log


def test_an_answer_is_shared_again_when_redis_is_back_before_its_end(
    pair: Pair, server: RedisServer
) -> None:
    here, there = pair.visitor()
    hearing, _ = begin(here, there, "!pieces 150 80 shared again")
    with ThreadPoolExecutor() as readers:
        elsewhere = readers.submit(lambda: list(there.follow()))
        time.sleep(0.5)
        server.kill()
        server.start()
        assert eventually(lambda: ready(pair.first) == ready(pair.second) == {"status": "ok"})
        time.sleep(1.5)
        there.stop()
        events = list(hearing)
    followed = elsewhere.result()
    assert events[-1].data["finish_reason"] == "stopped" and followed[-1] == events[-1]
    assert [event.id for event in followed] == sorted({event.id for event in followed}), (
        "nothing twice"
    )
    assert followed[-1].data["replies"] == [text(followed)]


def test_redis_is_frozen_for_a_while(pair: Pair, server: RedisServer) -> None:
    here, there = pair.visitor()
    hearing, events = begin(here, there, "!pieces 30 50 frozen meanwhile")
    slowest = 0.0
    with ThreadPoolExecutor() as readers:
        elsewhere = readers.submit(lambda: list(there.follow()))
        time.sleep(0.3)
        server.freeze()
        try:
            last = time.monotonic()
            for event in hearing:
                events.append(event)
                slowest, last = max(slowest, time.monotonic() - last), time.monotonic()
            began = time.monotonic()
            assert here.ask("and another one").ok and there.get("/healthz").ok
            assert time.monotonic() - began < soon(3)
            followed = elsewhere.result()
        finally:
            server.thaw()
    assert slowest < soon(0.7)
    assert (
        followed[-1].data == events[-1].data == {"finish_reason": "stop", "replies": [text(events)]}
    )
    assert eventually(lambda: ready(pair.first) == ready(pair.second) == {"status": "ok"})
    assert is_shared(pair)


def test_the_site_starts_without_redis_and_finds_it_later(
    start_site: Start, emulator: Emulator, own_server: RedisServer
) -> None:
    site = start_site(**coze(emulator), REDIS_URL=own_server.url)
    assert eventually(lambda: ready(site) == {"status": "ok", "redis": "redis_away"})
    assert Visitor(site.url).ask("hello").ok
    assert site.log.count(AWAY) == 1 and site.log.count("WARNING") == 1 and PASSWORD not in site.log
    own_server.start()
    assert eventually(lambda: ready(site) == {"status": "ok"})


# what the owner learns


def test_the_doctor_says_what_is_wrong_with_redis(tmp_path: Path, server: RedisServer) -> None:
    away = server.url.replace(f":{server.port}/", ":9/")
    refused = server.url.replace("of%2Bredis", "of%2Banother")
    with redis.Redis.from_url(server.url) as client:
        rights = ("~zhiye:*", "resetchannels", "+@all")
        client.execute_command("ACL", "SETUSER", "deaf", "on", ">a-password", *rights)
    deaf = f"redis://deaf:a-password@127.0.0.1:{server.port}/0"
    for url, level, chinese, english in (
        (server.url, "ok", "Redis 可用", "Redis can be used"),
        (away, "warn", "不必重启", "no restart is needed"),
        (refused, "fail", "用户名和密码", "user and password"),
        (deaf, "fail", "频道", "the keys and channels zhiye:*"),
        ("http://127.0.0.1/", "fail", "不是 Redis 的地址", "not the address of a Redis"),
        (
            "redis://127.0.0.1/?colour=red",
            "fail",
            "不是 Redis 的地址",
            "not the address of a Redis",
        ),
    ):
        _, zh, en = both(tmp_path, {"REDIS_URL": url, "SECRET_KEY": "a-key-of-sixteen-signs"})
        lines = [line for line in en.splitlines() if "redis" in line.lower()]
        assert lines and lines[0].startswith(level), en
        assert chinese in zh and english in en
        assert "word/of" not in zh + en and "word%2Fof" not in zh + en


def test_a_wrong_address_ends_the_start_with_one_line(tmp_path: Path) -> None:
    variables = environment(DEMO_URL="http://127.0.0.1:9", REDIS_URL="http://:a-password@127.0.0.1")
    command = [sys.executable, "-m", "flask", "--app", "app", "run"]
    ran = subprocess.run(
        command, env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode != 0 and "a-password" not in ran.stderr
    assert ran.stderr.strip().splitlines()[-1].startswith("REDIS_URL: not the address of a Redis.")


def test_a_wrong_password_is_in_no_log(
    start_site: Start, emulator: Emulator, server: RedisServer
) -> None:
    wrong = server.url.replace("of%2Bredis", "of%2Banother")
    site = start_site(**coze(emulator), REDIS_URL=wrong, LOG_LEVEL="debug")
    assert eventually(lambda: "redis" in ready(site))
    assert Visitor(site.url).ask("hello").ok
    assert site.log.count(AWAY) == 1 and "word/of" not in site.log and "word%2Fof" not in site.log


def test_the_password_is_a_secret_of_its_own(server: RedisServer) -> None:
    known = secrets(Settings(redis_url=SecretStr(server.url)))
    assert {server.url, PASSWORD, quote(PASSWORD, safe="")} <= {*known}
    assert (
        secrets(Settings(redis_url=SecretStr("unix:///redis.sock?password=beside-it")))[-1]
        == "beside-it"
    )
