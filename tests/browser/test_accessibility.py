"""axe finds nothing in any page or state, in a phone's window by day and in a desk's by night."""

import os
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.states import STATES, State, answered, everything_opened, written
from tests.kit.browsing import DESK, PHONE, Person
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
# The switch stands before the drawer, in no landmark, so that Tab leads from the one into the
# other. axe lets a skip link stand so.
ACCEPTED = {("region", "#drawer")}


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
    page.evaluate(axe)
    assert violations(page) == []
    page.emulate_media(color_scheme="dark")
    if not state.is_for_phones:
        page.set_viewport_size(DESK["viewport"])
    expect(page.locator("body")).to_have_css("background-color", "rgb(22, 24, 26)")
    # Colours change over a moment, even where nothing is to move.
    page.wait_for_timeout(250)
    assert violations(page) == []


def violations(page: Page) -> list[str]:
    """What axe reports, one line for each element."""
    report = page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", RULES
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
