"""What tests share: the emulated platforms and the site, on real loopback sockets and nowhere else."""

import ipaddress
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import requests
from playwright.sync_api import Browser, Page, sync_playwright

from emulator import EmulatorSettings, create_emulator
from emulator.serving import serve
from tests.kit.browsing import CHROMIUM, DESK, INSECURE_HOST, Person
from tests.kit.site import Site, Visitor


def _stay_on_this_machine(event: str, args: tuple[Any, ...]) -> None:
    """Nothing in a test may look up or reach another machine; a test that tries fails there and then."""
    if event == "socket.getaddrinfo":
        host = args[0]
    elif event == "socket.connect" and isinstance(args[1], tuple):
        host = args[1][0]
    else:
        return
    name = host.decode() if isinstance(host, bytes) else host
    if name not in (None, "", "localhost") and not _is_loopback(name):
        raise RuntimeError(f"a test tried to reach {name}")


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


sys.addaudithook(_stay_on_this_machine)
hypothesis.settings.register_profile(
    "patient", deadline=None
)  # tests that run beside others wait for them
hypothesis.settings.load_profile("patient")


@dataclass(frozen=True)
class Emulator:
    """A running emulator: `url` for the code under test, the rest for the test."""

    url: str

    def journal(self, since: int = 0) -> dict[str, Any]:
        """What it was asked, or only what came after the request of this number."""
        return requests.get(f"{self.url}/_emulator/journal?since={since}", timeout=5).json()

    def asked(self, since: int = 0) -> list[str]:
        """The paths of what was sent to it; a page may look at an agent's welcome at any time."""
        return [one["path"] for one in self.journal(since)["requests"] if one["method"] != "GET"]

    def mark(self) -> int:
        """The number of the last request."""
        return max((one["number"] for one in self.journal()["requests"]), default=0)

    def violations(self, kind: str) -> list[dict[str, Any]]:
        return [found for found in self.journal()["violations"] if found["kind"] == kind]

    def change(self, **switches: object) -> None:
        requests.post(f"{self.url}/_emulator/settings", json=switches, timeout=5).raise_for_status()


def quick(**switches: Any) -> EmulatorSettings:
    return EmulatorSettings(**{"pace_s": 0, "coze_work_s": 0.3, "coze_qps": 0, **switches})


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """One for the whole run: answers at once, refuses nobody for asking often."""
    with serve(create_emulator(quick())) as url:
        yield Emulator(url)


@pytest.fixture
def start_emulator() -> Iterator[Callable[..., Emulator]]:
    """For a test that needs its own switches, or an empty journal: `start_emulator(coze_qps=2)`."""
    with ExitStack() as stack:
        yield lambda **switches: Emulator(
            stack.enter_context(serve(create_emulator(quick(**switches))))
        )


@contextmanager
def _sites(folders: pytest.TempPathFactory) -> Iterator[Callable[..., Site]]:
    sites: list[Site] = []

    def start(folder: Path | None = None, **settings: object) -> Site:
        site = Site(folder or folders.mktemp("site"), settings)
        sites.append(site)
        return site.start()

    try:
        yield start
    finally:
        for site in sites:
            site.ask_to_end()
        for site in sites:
            site.end()


@pytest.fixture
def start_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Site]]:
    """`start_site(COZE_API_TOKEN=...)`: a site with these settings, stopped at the end of the test."""
    with _sites(tmp_path_factory) as start:
        yield start


@pytest.fixture(scope="session")
def keep_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Site]]:
    """The same for a site that many tests share."""
    with _sites(tmp_path_factory) as start:
        yield start


def coze(emulator: Emulator) -> dict[str, object]:
    """The settings of a site whose Coze is the emulator."""
    return {
        "COZE_API_TOKEN": "pat_demo_only_not_a_secret",
        "COZE_BOT_ID": "7480000000000000101",
        "COZE_API_BASE": emulator.url,
    }


@pytest.fixture(scope="session")
def site(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    """One for the whole run, with a Coze agent."""
    return keep_site(**coze(emulator))


@pytest.fixture(scope="session")
def demo_site(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    """One for the whole run, with all five platforms."""
    return keep_site(DEMO_URL=emulator.url)


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
    """Chromium, one for the whole run; without it these tests are skipped, except where they must run."""
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
    """`person(**DESK)` sits down at a browser of their own. In the end nothing may have gone wrong."""
    everybody: list[Person] = []

    def arrive(at: Site = site, **options: Any) -> Person:
        everybody.append(Person(at, browser.new_context(**{"locale": "en-US", **DESK, **options})))
        everybody[-1].context.set_default_timeout(15_000)
        return everybody[-1]

    yield arrive
    for one in everybody:
        one.context.close()
        assert not one.faults


@pytest.fixture
def page(person: Callable[..., Person]) -> Page:
    """A tab on a desk."""
    return person().open()
