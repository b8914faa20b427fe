"""Two processes of one site both hear the owner, share a token, and count alone without Redis."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pytest
import requests

from emulator import create_emulator
from emulator.serving import serve
from tests.kit.desk import links, owner_of
from tests.kit.emulator import Emulator, coze, quick
from tests.kit.patience import eventually, soon
from tests.kit.servers.redis import PASSWORD, RedisServer, redis_server
from tests.kit.site import Site, Visitor, visitor_from
from tests.owner.test_doctor import settings as qingyan
from tests.storage.acting import command

Start = Callable[..., Site]
RATE = 6


@dataclass
class Processes:
    """Two processes behind one balancer, which the tests are."""

    sites: tuple[Site, Site]
    redis: RedisServer

    def visitors(self, address: str) -> tuple[Visitor, Visitor]:
        """One person, as each of the two knows it."""
        here, there = (visitor_from(site, address) for site in self.sites)
        here.get("/")
        there.session.cookies.update(here.session.cookies)
        return here, there

    def are_well(self) -> bool:
        """Whether both use Redis."""
        bodies = [requests.get(f"{site.url}/readyz", timeout=10).json() for site in self.sites]
        return bodies == [{"status": "ok"}] * 2


@pytest.fixture(scope="module")
def jealous() -> Iterator[Emulator]:
    """A Qingyan that ends a token when it gives another."""
    with serve(create_emulator(quick(qingyan_one_token=True))) as url:
        yield Emulator(url)


@pytest.fixture(scope="module")
def processes(
    keep_site: Start,
    emulator: Emulator,
    jealous: Emulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Processes]:
    folder = tmp_path_factory.mktemp("both")
    server = redis_server(folder).start()
    settings = {
        **coze(emulator),
        **qingyan("qingyan", jealous.url),
        "SECRET_KEY": "one-key-for-both-of-them",
        "DATABASE_URL": f"sqlite:///{folder / 'chat.db'}",
        "REDIS_URL": server.url,
        "TRUSTED_PROXIES": 1,
        "VISITOR_RATE": f"{RATE}/minute",
        "ADDRESS_SHARE": 2,
    }
    # The owner's commands are given at the first.
    (folder / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in settings.items()))
    sites = (keep_site(folder=folder, **settings), keep_site(**settings))
    yield Processes(sites, server)
    log = sites[0].log + sites[1].log
    assert PASSWORD not in log and "Traceback" not in log, log
    server.end()


def statuses(visitors: tuple[Visitor, Visitor], count: int) -> Counter[int]:
    """Asks by turns here and there, all at once, each time in a new conversation."""

    def ask(number: int) -> int:
        visitor = visitors[number % 2]
        options = {
            "json": {"message": "hi"},
            "headers": dict(visitor.session.headers),
            "cookies": dict(visitor.session.cookies),
        }
        return requests.post(f"{visitor.url}/chat", timeout=60, **options).status_code

    with ThreadPoolExecutor(count) as pool:
        return Counter(pool.map(ask, range(count)))


def test_a_block_from_the_shell_reaches_both(processes: Processes) -> None:
    visitors = processes.visitors("203.0.113.9")
    for word, status in (("block", 429), ("unblock", 200)):
        code, output = command(processes.sites[0].folder, word, "203.0.113.0/24")
        assert code == 0, output
        for visitor in visitors:
            assert eventually(partial(has_status, visitor, status), 1)


def has_status(visitor: Visitor, status: int) -> bool:
    return visitor.get("/").status_code == status


def test_an_agent_of_the_desk_is_there_and_gone_in_both_at_once(
    processes: Processes, emulator: Emulator
) -> None:
    first, second = processes.sites
    owner = owner_of(second if links(second) else first)
    paste = f"{emulator.url}/v3/chat pat_demo_only_not_a_secret 7480000000000000103"
    answer = owner.post("/admin/agents", data={"paste": paste, "id": "both", "name": "两处都在"})
    assert answer.status_code == 303, answer.text
    visitors = processes.visitors("192.0.2.6")
    for visitor in visitors:
        assert eventually(lambda one=visitor: "两处都在" in one.get("/").text, 0.9)
        assert visitor.ask("hi", agent="both").ok
    owner.post("/admin/agents/both/remove", data={"version": "1", "sure": "yes"})
    for visitor in visitors:
        assert eventually(lambda one=visitor: "两处都在" not in one.get("/").text, 0.9)


def test_processes_share_a_token_where_a_new_one_ends_the_old(
    processes: Processes, jealous: Emulator
) -> None:
    visitors = processes.visitors("192.0.2.4")
    mark = jealous.mark()
    for visitor in (*visitors, *visitors):
        answer = visitor.ask("hi", agent="qingyan")
        assert answer.ok, answer.text
    assert jealous.asked(mark).count("/chatglm/assistant-api/v1/get_token") == 1


def test_redis_goes_and_comes_back(processes: Processes) -> None:
    visitors = processes.visitors("192.0.2.5")
    assert statuses(visitors, 2) == {200: 2}
    processes.redis.kill()
    try:
        began = time.monotonic()
        alone = Counter[int]()
        for _ in range(RATE):
            alone += statuses(visitors, 2)
        assert time.monotonic() - began < soon(10)
        # Each counts half of the limit, and what was asked before it does not know.
        assert alone == {200: RATE, 429: RATE}
        assert statuses(processes.visitors("192.0.2.6"), 2) == {200: 2}
    finally:
        processes.redis.start()
    assert eventually(processes.are_well)
    others = processes.visitors("192.0.2.7")
    assert statuses(others, 2) == {200: 2}
    assert sum((statuses(others, 2) for _ in range(RATE)), Counter()) == {
        200: RATE - 2,
        429: RATE + 2,
    }
