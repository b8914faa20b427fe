"""Signing in at a browser: on a phone and a desk, in both languages, with and without a script."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_accessibility import axe, violations
from tests.kit.browsing import DESK, PHONE, Person, has_ended, open_settings
from tests.kit.emulator import Emulator, coze
from tests.kit.members import ANN, CODES, age_all, sign_in
from tests.kit.site import Site, Visitor

# A fixture.
__all__ = ["axe"]
pytestmark = pytest.mark.browser
DEVICES = {"phone": PHONE, "desk": DESK}
WORDS = {
    "zh-CN": {
        "sign in": "登录",
        "code": "访问码",
        "wrong": "访问码不正确",
        "out": "退出登录",
        "again": "请先登录",
    },
    "en-US": {
        "sign in": "Sign in",
        "code": "Access code",
        "wrong": "This code is wrong",
        "out": "Sign out",
        "again": "Please sign in",
    },
}


@pytest.fixture(scope="module")
def site(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    return keep_site(**coze(emulator), ACCESS_CODES=CODES, SITE_NOTICE="馆内使用")


def enter(page: Page, code: str, words: dict[str, str]) -> None:
    page.get_by_label(words["code"]).fill(code)
    page.get_by_role("button", name=words["sign in"]).click()


def fits(page: Page) -> None:
    """Nothing stands out to the side."""
    assert page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )


@pytest.mark.parametrize(
    ("device", "language", "has_script"),
    [("phone", "zh-CN", True), ("desk", "en-US", True), ("desk", "zh-CN", False)],
)
def test_a_person_signs_in_asks_and_signs_out(
    person: Callable[..., Person], site: Site, device: str, language: str, has_script: bool
) -> None:
    words, options = (
        WORDS[language],
        {**DEVICES[device], "locale": language, "java_script_enabled": has_script},
    )
    page = person(site, **options).open("/search?q=some+words")
    expect(page.get_by_role("heading", level=1)).to_contain_text(words["sign in"])
    field = page.get_by_label(words["code"])
    expect(field).to_have_attribute("type", "password")
    expect(field).to_have_attribute("autocomplete", "current-password")
    # Only then can the page be asked.
    if has_script:
        fits(page)
    enter(page, "no such code", words)
    expect(page.get_by_role("alert")).to_contain_text(words["wrong"])
    expect(field).to_have_value("")
    enter(page, ANN, words)
    assert page.url.endswith("/search?q=some+words"), "back to where one wanted to go"
    page.goto(site.url)
    page.locator("#question").fill("hello")
    page.locator(".send").click()
    has_ended(page.locator(".exchange").first)
    if has_script:
        page.locator("#question").fill("half a thought")
        page.wait_for_function("() => localStorage.getItem('drafts')")
    if device == "phone":
        page.locator("label.menu").click()
    open_settings(page)
    page.locator(".settings details summary").click()
    expect(page.locator("nav details form p")).to_be_visible()
    page.get_by_role("button", name=words["out"], exact=True).click()
    expect(page.get_by_label(words["code"])).to_be_visible()
    assert "hello" not in page.content()
    if has_script:
        assert page.evaluate("localStorage.getItem('drafts')") is None


def test_a_person_behind_a_guesser_s_address_gets_in_by_a_puzzle(
    person: Callable[..., Person], emulator: Emulator, start_site: Callable[..., Site], axe: str
) -> None:
    site = start_site(**coze(emulator), ACCESS_CODES=CODES)
    page = person(site, locale="zh-CN").open("/search?q=1")
    for number in range(9):
        sign_in(Visitor(site.url), f"wrong-{number}")
    enter(page, ANN, WORDS["zh-CN"])
    expect(page.get_by_role("alert")).to_contain_text("请重新输入")
    page.evaluate(axe)
    assert violations(page) == []
    page.get_by_label("访问码").fill(ANN)
    with page.expect_request(lambda request: request.method == "POST") as sent:
        page.keyboard.press("Enter")
    assert "puzzle=" in (sent.value.post_data or "") and "nonce=" in (sent.value.post_data or "")
    expect(page.locator("nav")).to_be_visible()
    assert page.url.endswith("/search?q=1")


def test_the_language_is_changed_and_the_way_back_kept(
    person: Callable[..., Person], site: Site
) -> None:
    page = person(site).open("/conversations?x=1")
    page.get_by_role("link", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("登录")
    enter(page, ANN, WORDS["zh-CN"])
    assert page.url.endswith("/conversations?x=1")


def test_a_session_that_ends_while_typing_costs_nothing(
    person: Callable[..., Person], site: Site
) -> None:
    page, words = person(site, **PHONE).open(), WORDS["en-US"]
    enter(page, ANN, words)
    page.locator("#question").fill("the first")
    page.locator(".send").click()
    has_ended(page.locator(".exchange").first)
    there = page.url
    assert re.search("/c/", there)
    age_all(site)
    page.locator("#question").fill("a long question")
    page.locator(".send").click()
    expect(page.locator("chat-composer [role=alert]")).to_contain_text(words["again"])
    expect(page.locator("#question")).to_have_value("a long question")
    page.reload()
    enter(page, ANN, words)
    assert page.url == there
    expect(page.locator(".exchange")).to_have_count(1)
    expect(page.locator("#question")).to_have_value("a long question")
    page.locator(".send").click()
    has_ended(page.locator(".exchange").nth(1))


def test_signing_out_takes_along_what_was_typed_and_no_choice(
    person: Callable[..., Person], site: Site
) -> None:
    page = person(site, locale="zh-CN", color_scheme="light").open("/?lang=en")
    enter(page, ANN, WORDS["en-US"])
    # By the script.
    expect(page.locator("#question")).to_be_focused()
    open_settings(page)
    page.get_by_role("button", name="Light or dark").click()
    page.locator("#question").fill("nobody else's business")
    page.wait_for_function("() => localStorage.getItem('drafts')")
    page.locator(".sidebar .aside summary").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    enter(page, ANN, WORDS["en-US"])
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("#question")).to_have_value("")
    assert page.evaluate("localStorage.length") == 0


def test_the_page_is_fit_for_all(person: Callable[..., Person], site: Site) -> None:
    """Keyboard alone, large type, dark."""
    options: dict[str, Any] = {"viewport": {"width": 320, "height": 500}, "color_scheme": "dark"}
    page = person(site, **options).open()
    fits(page)
    page.keyboard.press("Tab")
    expect(page.get_by_label("Access code")).to_be_focused()
    page.keyboard.type(ANN)
    page.keyboard.press("Enter")
    expect(page.locator("#question")).to_be_visible()


def test_axe_finds_nothing(person: Callable[..., Person], site: Site, axe: str) -> None:
    page = person(site, **PHONE, color_scheme="light").open()
    enter(page, "no such code", WORDS["en-US"])
    expect(page.get_by_role("alert")).to_be_visible()
    page.evaluate(axe)
    assert violations(page) == []
    enter(page, ANN, WORDS["en-US"])
    page.locator("label.menu").click()
    page.locator("nav summary", has_text="ann").click()
    # The drawer slides.
    page.wait_for_timeout(300)
    page.evaluate(axe)
    assert violations(page) == []
    page.set_viewport_size(DESK["viewport"])
    expect(page.locator("main")).to_have_js_property("inert", False)
    assert violations(page) == []
