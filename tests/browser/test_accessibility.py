"""axe finds nothing in any page or state, in a phone's window by day and in a desk's by night."""

import os
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.states import DESK_STATES, STATES, State, answered, everything_opened, written
from tests.kit.browsing import DESK, PHONE, Person
from tests.kit.desk import PASSWORD
from tests.kit.emulator import Emulator
from tests.kit.patience import eventually
from tests.kit.site import ROOT, Site

pytestmark = pytest.mark.browser
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Where axe looks at once at what are several pictures.
TOGETHER = {
    State("written", written): ("typing", "file chosen"),
    State("everything open", everything_opened): (
        "answered",
        "thought open",
        "sources open",
        "step open",
        "details open",
    ),
}
ALONE = [
    state
    for state in STATES
    # axe is a script itself.
    if state.has_script and state.name not in sum(TOGETHER.values(), ())
]
CASES = [pytest.param(state, id=state.name) for state in (*TOGETHER, *ALONE)]
# The switches stand before the sidebar, in no landmark, so that Tab leads from them into the
# other. axe lets a skip link stand so.
ACCEPTED = {("region", "#drawer"), ("region", "#fold")}


@pytest.fixture(scope="module")
def axe() -> str:
    """The script of axe."""
    path = ROOT / "node_modules/axe-core/axe.min.js"
    if not path.exists() and not os.environ.get("CI"):
        pytest.skip("needs axe: npm ci")
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("state", CASES)
def test_axe_finds_nothing(
    person: Callable[..., Person], demo_site: Site, axe: str, state: State
) -> None:
    """Each state is reached once, by touch; a desk's window is one that grows."""
    page = person(demo_site, **PHONE, color_scheme="light").open()
    state.reach(page)
    assert by_day_and_night(page, axe, state.is_for_phones) == []


def test_axe_finds_nothing_at_the_owner_s_desk(
    person: Callable[..., Person],
    start_site: Callable[..., Site],
    emulator: Emulator,
    axe: str,
) -> None:
    site = start_site(DEMO_URL=emulator.url, ADMIN_PASSWORD=PASSWORD, OWNER_READS="on")
    page = person(site, **PHONE, color_scheme="light").open("/admin/sign-in")
    for state in DESK_STATES:
        page.set_viewport_size(PHONE["viewport"])
        page.emulate_media(color_scheme="light")
        state.reach(page)
        assert is_within(page), f"{state.name}: wider than a phone"
        assert by_day_and_night(page, axe, state.is_for_phones) == [], state.name


def by_day_and_night(page: Page, axe: str, is_for_phones: bool) -> list[str]:
    """What axe reports of the page in a phone's window by day, and in a desk's by night."""
    page.evaluate(axe)
    found = violations(page)
    page.emulate_media(color_scheme="dark")
    if not is_for_phones:
        page.set_viewport_size(DESK["viewport"])
    expect(page.locator("body")).to_have_css("background-color", "rgb(22, 24, 26)")
    # Colours change over a moment, even where nothing is to move.
    running = "document.getAnimations().filter(one => one.playState == 'running').length"
    assert eventually(lambda: page.evaluate(running) == 0)
    return found + violations(page)


def is_within(page: Page) -> bool:
    """Whether nothing makes the page scroll sideways. A phone's innerWidth grows with the page."""
    assert page.viewport_size
    width: int = page.evaluate("document.documentElement.scrollWidth")
    return width <= page.viewport_size["width"]


def violations(page: Page) -> list[str]:
    """What axe reports, one line for each element."""
    report = page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations'], preload: false})",
        RULES,
    )
    return [
        f"{rule['id']}: {rule['help']}: {node['html'][:200]}"
        for rule in report["violations"]
        for node in rule["nodes"]
        if (rule["id"], *node["target"]) not in ACCEPTED
    ]


def test_every_link_of_the_history_leads_somewhere(
    person: Callable[..., Person], demo_site: Site
) -> None:
    page = person(demo_site).open()
    answered(page)
    page.reload()
    assert page.locator(".citations li").count()
    assert page.locator("a:not([href])").count() == 0
