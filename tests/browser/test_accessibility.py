"""axe finds nothing to say about any page or state, light or dark, on a phone or on a desk."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.states import STATES, State, answered
from tests.kit.browsing import DESK, PHONE, Person
from tests.kit.emulator import Emulator
from tests.kit.site import ROOT, Site

pytestmark = pytest.mark.browser
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CASES = [
    pytest.param(state, device, id=f"{state.name} on a {name}")
    for state in STATES
    for name, device in {"phone": PHONE, "desk": DESK}.items()
    if state.has_script and not (state.is_for_phones and device is DESK)  # axe is a script
]
# The switch stands before the drawer, in no landmark, so that Tab leads from the one into the other. axe
# lets a skip link stand so.
ACCEPTED = {("region", "#drawer")}


@pytest.fixture(scope="module")
def axe() -> str:
    """The script of axe."""
    path = ROOT / "node_modules/axe-core/axe.min.js"
    if not path.exists() and not os.environ.get("CI"):
        pytest.skip("needs axe: npm ci")
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def demo_site(keep_site: Callable[..., Site], emulator: Emulator) -> Site:
    return keep_site(DEMO_URL=emulator.url, GRACE_S=0)  # nobody waits for what is still being said


@pytest.mark.parametrize(("state", "device"), CASES)
def test_axe_finds_nothing(
    person: Callable[..., Person],
    demo_site: Site,
    axe: str,
    state: State,
    device: dict[str, Any],
) -> None:
    page = person(demo_site, **device, color_scheme="light", reduced_motion="reduce").open()
    state.reach(page)
    page.evaluate(axe)
    told = violations(page)
    page.emulate_media(color_scheme="dark")
    expect(page.locator("body")).to_have_css("background-color", "rgb(22, 24, 26)")
    page.wait_for_timeout(250)  # colours change over a moment, even where nothing is to move
    told += violations(page)
    assert told == []


def violations(page: Page) -> list[str]:
    """What axe has to say, one line for each element."""
    found = page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", RULES
    )
    return [
        f"{one['id']}: {one['help']}: {node['html'][:200]}"
        for one in found["violations"]
        for node in one["nodes"]
        if (one["id"], *node["target"]) not in ACCEPTED
    ]


def test_every_link_of_the_history_leads_somewhere(
    person: Callable[..., Person], demo_site: Site
) -> None:
    page = person(demo_site).open()
    answered(page)
    page.reload()
    assert page.locator(".citations li").count()
    assert page.locator("a:not([href])").count() == 0
