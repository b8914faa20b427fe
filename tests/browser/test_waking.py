"""A phone that wakes: a stream whose connection died meanwhile is noticed at once."""

import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.sleeping import SleepyNetwork
from tests.kit.browsing import PHONE, Person, has_ended, prose
from tests.kit.patience import ALLOWANCE
from tests.kit.site import Site

pytestmark = pytest.mark.browser

AT_ONCE_S = 6.0 * ALLOWANCE
# Long after the last byte came, as the clock of the phone has it.
LATER = "Date.now = (now => () => now() + 60_000)(Date.now)"
WAKINGS = {
    "online": "dispatchEvent(new Event('online'))",
    "pageshow": "dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))",
    "visible": f"{LATER}; document.dispatchEvent(new Event('visibilitychange'))",
}


@pytest.fixture
def network(site: Site) -> Iterator[SleepyNetwork]:
    network = SleepyNetwork(site.port).start()
    yield network
    network.end()


def test_a_dead_stream_is_noticed_on_waking(
    person: Callable[..., Person], network: SleepyNetwork
) -> None:
    page = person(network, **PHONE).open()
    page.locator("#question").fill("!pieces 100 150 before and after")
    page.locator(".send").tap()
    exchange = page.locator(".exchange")
    expect(prose(exchange)).not_to_be_empty()
    # The connections of the page's files are idle by now.
    page.wait_for_timeout(1500)
    for name, waking in WAKINGS.items():
        network.sleep()
        page.wait_for_timeout(300)
        text = prose(exchange).inner_text()
        page.wait_for_timeout(300)
        assert prose(exchange).inner_text() == text
        awoken_at = time.monotonic()
        page.evaluate(waking)
        page.wait_for_function(
            "text => document.querySelector('.prose').innerText !== text", arg=text, timeout=20_000
        )
        assert time.monotonic() - awoken_at < AT_ONCE_S, name
    has_ended(exchange)
    expect(prose(exchange)).to_contain_text("before and after")


def test_a_live_stream_survives_a_look_at_another_tab(person: Callable[..., Person]) -> None:
    page = person().open()
    page.locator("#question").fill("!pieces 20 150 still here")
    page.locator("#question").press("Enter")
    exchange = page.locator(".exchange")
    expect(prose(exchange)).not_to_be_empty()
    reopened: list[str] = []
    page.on("request", lambda request: reopened.append(request.url))
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    has_ended(exchange)
    assert not [url for url in reopened if "/events" in url]
