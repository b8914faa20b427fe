"""The page as a person needs it: forced colours, paper, large type, no motion, a second visit."""

from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.kit.browsing import DESK, GAP, PHONE, Person, ask, has_ended, prose
from tests.kit.site import Site

pytestmark = pytest.mark.browser

# 1280 by 1024, four times as large.
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
ENLARGED = {"viewport": {"width": 320, "height": 256}}


def style(element: Locator, name: str) -> str:
    return str(element.evaluate("(element, name) => getComputedStyle(element)[name]", name))


def box(element: Locator) -> tuple[float, float]:
    """Its upper and its lower edge."""
    edges = element.bounding_box()
    assert edges is not None
    return edges["y"], edges["y"] + edges["height"]


def has_border(element: Locator) -> bool:
    return style(element, "borderTopStyle") == "solid" and style(element, "borderTopWidth") != "0px"


def test_with_colours_of_ones_own_everything_has_an_edge(person: Callable[..., Person]) -> None:
    page = person(forced_colors="active", color_scheme="light").open()
    has_ended(ask(page, "!markdown !suggest"))
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        for selector in (
            ".question-text",
            ".send",
            ".suggestions .chip",
            ".avatar",
            ".writer",
            ".prose .code",
        ):
            assert has_border(page.locator(f".app {selector}").last), (scheme, selector)
        current = page.locator("[aria-current=page]").first
        assert style(current, "borderTopWidth") == "2px", scheme
        ground = style(page.locator("body"), "backgroundColor")
        arrow = style(page.locator(".send .icon").first, "stroke")
        assert arrow != ground, f"the arrow can be seen, {scheme}"


def test_with_colours_of_ones_own_the_focus_is_seen_once(person: Callable[..., Person]) -> None:
    page = person(forced_colors="active").open()
    expect(page.locator("#question")).to_be_focused()
    assert style(page.locator("#question"), "outlineStyle") == "none"
    assert style(page.locator(".writer"), "outlineStyle") == "solid"
    page.keyboard.press("Shift+Tab")
    expect(page.locator("#question")).not_to_be_focused()
    page.locator(".sidebar a").first.focus()
    assert style(page.locator(".sidebar a").first, "outlineStyle") == "solid"


@pytest.fixture(scope="module")
def printed(browser: Browser, site: Site) -> Iterator[Page]:
    """A conversation on paper, from a dark screen."""
    reader = Person(site, browser.new_context(color_scheme="dark", locale="en-US", **DESK))
    page = reader.open()
    has_ended(ask(page, "the first of two"))
    has_ended(ask(page, "!markdown !think !tool !cite !suggest"))
    page.emulate_media(media="print")
    yield page
    reader.context.close()
    assert not reader.faults


def test_on_paper_are_questions_and_answers_only(printed: Page) -> None:
    for selector in (".question-text", ".answer .prose"):
        for element in printed.locator(f"#transcript {selector}").all():
            expect(element).to_be_visible()
    for selector in (
        ".sidebar",
        "chat-composer",
        "header",
        ".avatar",
        ".chip",
        ".quiet",
        ".again",
        ".thought",
    ):
        for element in printed.locator(f".app {selector}").all():
            expect(element).to_be_hidden()


def test_paper_is_white_and_tells_who_speaks(printed: Page) -> None:
    assert style(printed.locator("body"), "backgroundColor") == "rgb(255, 255, 255)"
    assert style(printed.locator(".prose p").first, "color") == "rgb(0, 0, 0)"
    content = "element => getComputedStyle(element, '::before').content"
    assert printed.locator(".question").first.evaluate(content) == '"You"'
    expect(printed.locator(".by").first).to_be_visible()


def test_on_paper_nothing_is_cut_off(printed: Page) -> None:
    link = printed.locator(".prose a[href^=http]").first
    assert "http" in link.evaluate("element => getComputedStyle(element, '::after').content")
    assert style(printed.locator(".code pre").last, "whiteSpaceCollapse") == "preserve"
    assert style(printed.locator(".code pre").last, "textWrapMode") == "wrap"
    assert style(printed.locator(".prose tr").first, "breakInside") == "avoid"
    assert style(printed.locator(".scroller"), "overflowY") == "visible"
    assert printed.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_enlarged_four_times_there_is_room_to_read(person: Callable[..., Person]) -> None:
    page = person(**ENLARGED).open()
    assert page.locator(".scroller").evaluate("scroller => scroller.clientHeight") >= 90, (
        "on the welcome too"
    )
    has_ended(ask(page, "!markdown"))
    assert page.locator(".scroller").evaluate("scroller => scroller.clientHeight") >= 120
    edges = [
        box(page.locator(part)) for part in (".chat > header", "chat-transcript", "chat-composer")
    ]
    assert edges[0][1] <= edges[1][0] + 1 and edges[1][1] <= edges[2][0] + 1, (
        "nothing lies over another"
    )
    assert edges[2][1] <= 257, "and nothing below the edge"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_enlarged_four_times_the_drawer_is_read_to_its_end(person: Callable[..., Person]) -> None:
    page = person(**ENLARGED).open()
    page.locator("label.menu").click()
    last = page.locator(".settings > summary")
    last.scroll_into_view_if_needed()
    expect(last).to_be_in_viewport()


def test_what_is_new_comes_in_fast_and_for_some_not_at_all(person: Callable[..., Person]) -> None:
    moving = person(reduced_motion="no-preference").open()
    answer = ask(moving, "!pieces 20 100").locator(".answer")
    assert style(answer, "animationDuration") == "0.14s"
    still = person().open()
    answer = ask(still, "!pieces 20 100").locator(".answer")
    assert style(answer, "animationName") == "none"
    assert (
        float(style(still.locator(".chip, .quiet").last, "transitionDuration").split("s")[0])
        < 0.001
    )


def test_a_long_conversation_opens_at_its_end_and_stays_there(
    person: Callable[..., Person],
) -> None:
    alice = person(**PHONE)
    page = alice.open()
    for number in range(5):
        page.locator("#question").fill(f"!markdown {number}")
        page.locator(".send").tap()
        has_ended(page.locator("#transcript > .exchange").nth(number))
    page = alice.open(page.url.partition(str(alice.site.port))[2])
    scroller = page.locator(".scroller")
    assert style(page.locator(".exchange").first, "contentVisibility") == "auto"
    assert style(page.locator(".exchange").last, "contentVisibility") == "visible"
    page.wait_for_function("() => document.querySelector('.scroller').scrollTop > 0")
    page.wait_for_timeout(300)
    assert scroller.evaluate(GAP) < 20
    page.locator("#question").fill("!pieces 40 20 and on it goes")
    page.locator(".send").tap()
    has_ended(page.locator("#transcript > .exchange").last)
    assert scroller.evaluate(GAP) < 20
    scroller.evaluate("scroller => scroller.scrollTo(0, 0)")
    expect(page.locator(".exchange").first).to_be_in_viewport()
    expect(prose(page.locator(".exchange").first).locator("table")).to_be_visible()


def test_whoever_comes_again_asks_for_the_page_only(person: Callable[..., Person]) -> None:
    alice = person()
    alice.open().wait_for_load_state("networkidle")
    page = alice.context.new_page()
    session = alice.context.new_cdp_session(page)
    session.send("Network.enable")
    urls: list[str] = []
    session.on("Network.responseReceived", lambda event: _note(urls, event["response"]))
    page.goto(alice.site.url)
    page.wait_for_load_state("networkidle")
    assert urls == [f"{alice.site.url}/"]


def _note(urls: list[str], response: dict[str, object]) -> None:
    """Remembers what came over the network rather than from the cache."""
    is_ours = str(response["url"]).startswith("http")
    if is_ours and not response.get("fromDiskCache") and not response.get("fromPrefetchCache"):
        urls.append(str(response["url"]))
