"""Pictures on the page: in their place before they come, and opened large."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.kit.browsing import PHONE, Person, ask, has_ended, prose
from tests.kit.site import Site

pytestmark = pytest.mark.browser


def is_drawn(picture: Locator) -> None:
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("picture => picture.naturalWidth") > 0


def test_a_picture_appears_in_the_answer_and_opens_large(page: Page) -> None:
    exchange = ask(page, "!image")
    has_ended(exchange)
    picture = prose(exchange).locator("a.image img")
    is_drawn(picture)
    expect(picture).to_have_attribute("src", re.compile("^/pictures/"))
    box = picture.bounding_box() or {}
    assert (box["width"], box["height"]) == (288, 192), "whatever size the picture has"
    picture.click()
    large = page.locator("#lightbox")
    expect(large).to_be_visible()
    is_drawn(large.locator("img"))
    page.keyboard.press("Escape")
    expect(large).to_be_hidden()
    expect(prose(exchange).locator("a.image")).to_be_focused()
    page.keyboard.press("Enter")
    expect(large).to_be_visible()
    large.locator("button").click()
    expect(large).to_be_hidden()
    page.reload()
    is_drawn(prose(page.locator(".exchange")).locator("a.image img"))


def test_what_closes_a_picture_or_empties_a_search_ends_no_edit(page: Page) -> None:
    exchange = ask(page, "!image")
    has_ended(exchange)
    page.locator("#question").press("ArrowUp")
    prose(exchange).locator("a.image img").click()
    expect(page.locator("#lightbox")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#lightbox")).to_be_hidden()
    page.get_by_role("searchbox").press("Escape")
    page.wait_for_timeout(100)
    expect(page.locator(".editing")).to_be_visible()
    page.locator("#question").press("Escape")
    expect(page.locator(".editing")).to_be_hidden()


def test_without_a_script_a_picture_is_a_link_to_itself(person: Callable[..., Person]) -> None:
    page = person(java_script_enabled=False, **PHONE).open()
    page.locator("#question").fill("!image")
    page.locator(".send").click()
    link = page.locator(".prose a.image")
    expect(link).to_have_attribute("href", re.compile("^/pictures/"))
    expect(link).to_have_attribute("target", "_blank")
    with page.expect_popup() as opened:
        link.click()
    assert "/pictures/" in opened.value.url


def test_a_picture_beside_the_text_opens_large_too(
    person: Callable[..., Person], demo_site: Site
) -> None:
    page = person(demo_site).open("/?agent=qingyan")
    exchange = ask(page, "!image")
    has_ended(exchange)
    picture = exchange.locator(".media .picture img")
    is_drawn(picture)
    picture.click()
    expect(page.locator("#lightbox")).to_be_visible()
    page.reload()
    is_drawn(page.locator(".media .picture img"))


def test_a_footnote_s_mark_leads_to_its_note(page: Page) -> None:
    question = "claim[^1] and another[^2]\n\n[^1]: the source\n[^2]: the other"
    page.locator("#question").fill(question)
    page.locator(".send").click()
    exchange = page.locator(".exchange").first
    has_ended(exchange)
    prose(exchange).locator("p sup.mark a").first.click()
    expect(page.locator(":target")).to_contain_text("the source")
    assert len(page.context.pages) == 1


def test_a_click_for_a_tab_of_its_own_opens_that_and_nothing_else(page: Page) -> None:
    exchange = ask(page, "!image")
    has_ended(exchange)
    picture = prose(exchange).locator("a.image img")
    is_drawn(picture)
    with page.context.expect_page() as opened:
        picture.click(modifiers=["Control"])
    assert "/pictures/" in opened.value.url
    page.wait_for_timeout(300)
    expect(page.locator("#lightbox")).to_be_hidden()
