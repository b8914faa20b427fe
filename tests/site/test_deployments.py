"""One process on SQLite, and two on PostgreSQL and Redis: visitors notice no difference."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count

import pytest
import requests

from chat.visitors.guesses import FREE
from tests.kit.emulator import Emulator, coze
from tests.kit.members import KEY
from tests.kit.patience import soon
from tests.kit.servers.postgresql import Databases
from tests.kit.servers.redis import RedisServer
from tests.kit.site import ServerEvent, Site, Visitor, text, visitor_from

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Language": "en"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(32)
RATE = 6
HOUSES = count(1)


@dataclass
class Deployment:
    """A site, reached `here` and `there`: at its one process, or at two."""

    here: Site
    there: Site

    def visitor(self, address: str = "") -> tuple[Visitor, Visitor]:
        """One person as both know them, of an address of their own unless it is named."""
        address = address or f"198.51.100.{next(HOUSES)}"
        here, there = visitor_from(self.here, address), visitor_from(self.there, address)
        assert here.get("/").ok
        there.session.cookies.update(here.session.cookies)
        return here, there


@pytest.fixture(scope="module", params=["SQLite and memory", "PostgreSQL and Redis"])
def site(
    request: pytest.FixtureRequest, emulator: Emulator, keep_site: Callable[..., Site]
) -> Iterator[Deployment]:
    common = {
        **coze(emulator),
        "SECRET_KEY": "one-key-for-both-of-them",
        "TRUSTED_PROXIES": 1,
        "VISITOR_RATE": f"{RATE}/minute",
        "VISITOR_LIVE_ANSWERS": 2,
        "ADDRESS_SHARE": 2,
        "API_KEYS": f"kiosk:{KEY}",
    }
    if request.param == "SQLite and memory":
        alone = keep_site(**common)
        yield Deployment(alone, alone)
        assert "Traceback" not in alone.log, alone.log
        return
    databases: Databases = request.getfixturevalue("postgresql")
    redis: RedisServer = request.getfixturevalue("redis")
    name = databases.lend()
    common |= {"DATABASE_URL": databases.server.address(name), "REDIS_URL": redis.url}
    two = keep_site(**common), keep_site(**common)
    yield Deployment(*two)
    for process in two:
        # Otherwise it would beat until its database is somebody else's.
        process.discard()
        assert "Traceback" not in process.log, process.log
    databases.give_back(name)


def begin(
    here: Visitor, there: Visitor, question: str
) -> tuple[Iterator[ServerEvent], list[ServerEvent]]:
    """Asks here and hears a little; there knows of it then."""
    hearing = here.hear(question)
    events = [next(hearing) for _ in range(4)]
    there.message, there.conversation = here.message, here.conversation
    return hearing, events


# what is stored


def test_what_is_asked_here_is_found_exported_and_deleted_there(site: Deployment) -> None:
    here, there = site.visitor()
    stranger, _ = site.visitor()
    assert here.ask("where do quetzals live?").ok
    first, there.conversation = here.message, here.conversation
    assert text(list(there.hear("and axolotls?")))
    assert here.ask("where do okapis live?", instead=first).ok
    path = f"/c/{here.conversation}"
    page = there.get(path, headers=HTML).text
    assert "okapis" in page and "axolotls" not in page
    assert "<mark>quetzal</mark>" in there.get("/search?q=quetzal", headers=HTML).text
    assert "<mark>" not in stranger.get("/search?q=quetzal", headers=HTML).text
    assert "okapis" in there.get(f"{path}/export.md").text
    assert stranger.get(path).status_code == stranger.get(f"{path}/export.md").status_code == 404
    assert there.post(f"{path}/delete").status_code == 204
    assert here.get(path).status_code == 404
    assert here.post(f"{path}/restore").status_code == 204
    assert there.get(path).ok
    assert there.post("/forget", data={"sure": "yes"}).status_code == 204
    assert here.get(path).status_code == 404
    assert "<mark>" not in here.get("/search?q=quetzal", headers=HTML).text


def test_a_file_that_is_sent_here_goes_along_with_a_question_there(site: Deployment) -> None:
    here, there = site.visitor()
    sent = here.post("/files", files={"file": ("a.png", PNG, "image/png")})
    assert sent.ok, sent.text
    assert there.ask("what is this?", files=[sent.json()["id"]]).ok
    assert "a.png" in here.get(f"/c/{there.conversation}").text


# live answers


def test_an_answer_is_followed_there_with_the_same_events(site: Deployment) -> None:
    here, there = site.visitor()
    hearing, events = begin(here, there, "!pieces 30 40 heard twice")
    with ThreadPoolExecutor() as readers:
        elsewhere = readers.submit(lambda: list(there.follow()))
        later = readers.submit(lambda: list(there.follow(after=events[-1].id)))
        drawn = readers.submit(lambda: list(there.follow(query="?html=live")))
        events += list(hearing)
    assert elsewhere.result() == events
    assert later.result()[0].name == "turn" and later.result()[1:] == events[4:]
    assert drawn.result()[-1] == events[-1]
    assert any(event.name == "html" for event in drawn.result())
    assert events[-1].data["replies"] == [text(events)]
    assert list(there.follow()) == events, "also when it has ended"


def test_a_stop_there_ends_it_here_and_at_the_platform(
    site: Deployment, emulator: Emulator
) -> None:
    mark = emulator.mark()
    here, there = site.visitor()
    hearing, _ = begin(here, there, "!pieces 100 100")
    assert there.stop().status_code == 202
    assert list(hearing)[-1].data["finish_reason"] == "stopped"
    assert "/v3/chat/cancel" in emulator.asked(mark)


def test_strangers_neither_hear_nor_stop(site: Deployment) -> None:
    here, there = site.visitor()
    hearing, _ = begin(here, there, "!pieces 20 60")
    _, stranger = site.visitor()
    stranger.message = here.message
    assert stranger.stop().status_code == 404
    assert stranger.get(f"/chat/{here.message}/events").status_code == 404
    assert list(hearing)[-1].data["finish_reason"] == "stop"


def test_who_forgets_everything_there_ends_the_answer_first(site: Deployment) -> None:
    here, there = site.visitor()
    hearing, _ = begin(here, there, "!pieces 100 100")
    began = time.monotonic()
    assert there.post("/forget", data={"sure": "yes"}).ok
    assert time.monotonic() - began < soon(4)
    assert list(hearing)[-1].data.get("finish_reason") == "stopped"


# limits


def statuses(visitors: tuple[Visitor, Visitor], number: int, message: str = "hi") -> Counter[int]:
    """Asks by turns here and there, all at once, each time in a new conversation."""

    def ask(number: int) -> int:
        visitor = visitors[number % 2]
        options = {
            "json": {"message": message},
            "headers": dict(visitor.session.headers),
            "cookies": dict(visitor.session.cookies),
        }
        return requests.post(f"{visitor.url}/chat", timeout=60, **options).status_code

    with ThreadPoolExecutor(number) as pool:
        return Counter(pool.map(ask, range(number)))


def test_questions_are_counted_exactly(site: Deployment) -> None:
    visitors = site.visitor("192.0.2.1")
    for _ in range(RATE // 2):
        assert statuses(visitors, 2) == {200: 2}
    assert statuses(visitors, 6) == {429: 6}
    newcomers = site.visitor("192.0.2.1")
    assert sum((statuses(newcomers, 2) for _ in range(5)), Counter()) == {200: RATE, 429: 4}
    assert statuses(site.visitor("192.0.2.1"), 2) == {429: 2}, "the address has two shares"


def test_live_answers_are_counted_exactly(site: Deployment) -> None:
    visitors = site.visitor("192.0.2.2")
    assert statuses(visitors, 8, "!pause 1 hi") == {200: 2, 429: 6}
    assert statuses(visitors, 2) == {200: 2}, "refused ones did not count, and ended ones have gone"


def test_wrong_keys_are_counted(site: Deployment) -> None:
    def guess(number: int) -> int:
        headers = {"Authorization": f"Bearer wrong-{number}-{KEY}", "X-Forwarded-For": "192.0.2.3"}
        url = (site.here, site.there)[number % 2].url
        body = {"message": "hi"}
        return requests.post(f"{url}/chat", json=body, headers=headers, timeout=30).status_code

    assert [guess(number) for number in range(FREE + 2)] == [401] * FREE + [429] * 2
