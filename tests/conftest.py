"""Fixtures that tests share: emulated platforms, sites and browsers, on real loopback sockets."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from trustme import CA

from chat.shared.connection import Connection
from emulator import create_emulator
from emulator.serving import serve
from tests.kit.browsing import CHROMIUM, DESK, INSECURE_HOST, Person
from tests.kit.clock import Clock
from tests.kit.desk import PASSWORD
from tests.kit.emulator import Emulator, coze, quick
from tests.kit.loopback import stay_on_loopback
from tests.kit.scheduling import FolderScheduling, sort_longest_first
from tests.kit.servers.postgresql import Databases, postgresql_server
from tests.kit.servers.redis import RedisServer, redis_server
from tests.kit.site import Site, Visitor

stay_on_loopback()
# Tests that run beside others wait for them.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return FolderScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    sort_longest_first(items)


# Drawing the dots of a waiting page sixty times a second would be most of the work.
AT_REST = {"locale": "en-US", "reduced_motion": "reduce"}


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """One for the whole run: answers at once, refuses nobody for asking often."""
    with serve(create_emulator(quick())) as url:
        yield Emulator(url)


@pytest.fixture
def start_emulator() -> Iterator[Callable[..., Emulator]]:
    """For a test that needs its own switches, or an empty request log:
    `start_emulator(coze_qps=2)`.
    """
    with ExitStack() as stack:
        yield lambda **switches: Emulator(
            stack.enter_context(serve(create_emulator(quick(**switches))))
        )


@contextmanager
def _sites(folders: pytest.TempPathFactory) -> Iterator[Callable[..., Site]]:
    sites: list[Site] = []

    def start(
        folder: Path | None = None, command: tuple[str, ...] = (), **settings: object
    ) -> Site:
        site = Site(folder or folders.mktemp("site"), settings, command=command)
        sites.append(site)
        return site.start()

    try:
        yield start
    finally:
        for site in sites:
            site.discard()


@pytest.fixture
def start_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Site]]:
    """`start_site(COZE_API_TOKEN=...)`: a site with these settings, stopped at the end of the
    test.
    """
    with _sites(tmp_path_factory) as start:
        yield start


@pytest.fixture(scope="session")
def keep_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Site]]:
    """The same for a site that many tests share."""
    with _sites(tmp_path_factory) as start:
        yield start


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def authority() -> CA:
    """Whom only those trust who have its `bundle`."""
    return CA()


@pytest.fixture(scope="session")
def bundle(authority: CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file with the certificate of the authority."""
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that is always there; who kills one starts another."""
    server = redis_server(tmp_path_factory.mktemp("redis"))
    yield server.start()
    server.end()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that the test may kill."""
    server = redis_server(tmp_path)
    yield server.start()
    server.end()


@pytest.fixture
def join(redis: RedisServer) -> Iterator[Callable[..., Connection]]:
    """`join()`: the connection of one more process of a site, not yet listening."""
    site = secrets.token_hex(4)
    connections: list[Connection] = []

    def join(ahead: Callable[[], float] = lambda: 0.0, url: str = "") -> Connection:
        connections.append(Connection(url or redis.url, site, ahead))
        return connections[-1]

    yield join
    for connection in connections:
        connection.disconnect()


@pytest.fixture(scope="session")
def site(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    """One for the whole run, with a Coze agent."""
    return keep_site(**coze(emulator))


@pytest.fixture(scope="session")
def demo_site(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    """One for the whole run, with all five platforms, whose owner has PASSWORD."""
    # At its end nobody waits for what is still being answered.
    switches = {"GRACE_S": 0, "ADMIN_PASSWORD": PASSWORD, "OWNER_READS": "on"}
    return keep_site(DEMO_URL=emulator.url, **switches)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Databases]:
    """Databases on a PostgreSQL of this run; without one these tests are skipped, except where
    they must run.
    """
    server = postgresql_server()
    try:
        yield Databases(server.start())
    finally:
        server.end()


@pytest.fixture
def alice(site: Site) -> Visitor:
    """Owns the conversation."""
    return Visitor(site.url)


@pytest.fixture
def bob(site: Site) -> Visitor:
    """Another visitor."""
    return Visitor(site.url)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, one for the whole run; without it these tests are skipped, except where they must
    run.
    """
    if not Path(CHROMIUM).exists() and not os.environ.get("CI"):
        pytest.skip(f"needs {CHROMIUM}: apt-get install chromium-headless-shell fonts-noto-cjk")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                f"--host-resolver-rules=MAP {INSECURE_HOST} 127.0.0.1",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture
def person(browser: Browser, site: Site) -> Iterator[Callable[..., Person]]:
    """`person(**DESK)` sits down at a browser of their own, where nothing moves that need not.
    In the end nothing may have gone wrong.
    """
    persons: list[Person] = []

    def arrive(at: Site = site, **options: Any) -> Person:
        persons.append(Person(at, browser.new_context(**{**AT_REST, **DESK, **options})))
        persons[-1].context.set_default_timeout(15_000)
        return persons[-1]

    yield arrive
    for person in persons:
        person.context.close()
        assert not person.faults


@pytest.fixture
def page(person: Callable[..., Person]) -> Page:
    """A tab on a desk."""
    return person().open()
