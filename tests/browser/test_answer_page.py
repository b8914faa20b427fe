"""An answer that has ended: its line, its copy, its deletion; what is too wide for a phone."""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from tests.kit.browsing import INSECURE_HOST, PHONE, Person, ask, has_ended, prose

pytestmark = pytest.mark.browser

READ_CLIPBOARD = """async () => {
    const content = {}
    for (const item of await navigator.clipboard.read()) {
        for (const type of item.types) content[type] = await (await item.getType(type)).text()
    }
    return content
}"""
SAID = "1. 准备\n2. 下锅\n\n~~旧价~~新价"
LONG_FORMULA = "$" + " + ".join(f"x_{{{number}}}^2" for number in range(40)) + "$"


@pytest.mark.parametrize(
    ("locale", "zone"), [("zh-CN", "America/New_York"), ("en-US", "Pacific/Auckland")]
)
def test_the_line_of_an_answer_is_the_same_live_and_later(
    person: Callable[..., Person], locale: str, zone: str
) -> None:
    page = person(locale=locale, timezone_id=zone).open()
    exchange = ask(page, "!slow 1 how long did it take?")
    has_ended(exchange)
    expect(exchange.locator(".took")).not_to_be_empty()
    expect(exchange.locator(".tokens")).not_to_be_empty()
    has_ended(ask(page, "!late-error"), "failed")
    endless = ask(page, "!endless")
    expect(prose(endless)).not_to_be_empty()
    page.keyboard.press("Escape")
    has_ended(endless, "stopped")
    facts = page.locator(".exchange .facts")
    live = facts.all_text_contents()
    hour = datetime.now(ZoneInfo(zone)).strftime("%I" if locale == "en-US" else "%H")
    assert f"{int(hour)}:" in live[0] or f"{hour}:" in live[0]
    page.reload()
    assert facts.all_text_contents() == live


@pytest.mark.parametrize("host", ["127.0.0.1", INSECURE_HOST])
def test_a_copied_answer_is_the_markdown_that_was_said(
    person: Callable[..., Person], host: str
) -> None:
    page = person().open(host=host)
    exchange = ask(page, f"!pieces 3 5\n{SAID}")
    has_ended(exchange)
    for _ in ("live", "later"):
        page.locator(".exchange [data-copy=answer]").click()
        expect(page.locator("body > [role=status]")).to_have_text("Copied")
        page.locator("#question").fill("")
        page.keyboard.press("Control+V")
        assert SAID in page.locator("#question").input_value()
        page.locator("#question").fill("")
        page.reload()


def test_a_whole_conversation_is_copied_as_it_would_be_exported(
    person: Callable[..., Person],
) -> None:
    alice = person()
    alice.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = alice.open()
    has_ended(ask(page, "the first"))
    has_ended(ask(page, "the second"))
    page.locator(".menu-box summary").click()
    page.get_by_role("button", name="Copy the whole conversation").click()
    expect(page.locator("body > [role=status]")).to_have_text("Copied")
    export = page.evaluate("fetch(`${location.pathname}/export.md`).then(file => file.text())")
    assert page.evaluate(READ_CLIPBOARD) == {"text/plain": export}


def test_a_voice_and_an_ear_are_offered_where_the_browser_has_them(page: Page) -> None:
    exchange = ask(page, "to be heard")
    has_ended(exchange)
    has_voice = page.evaluate("globalThis.speechSynthesis?.getVoices().length > 0")
    expect(exchange.locator("[data-speak]")).to_be_visible(visible=has_voice)
    has_ear = page.evaluate("'SpeechRecognition' in window || 'webkitSpeechRecognition' in window")
    expect(page.locator("[data-listen]")).to_be_visible(visible=has_ear)


def test_a_copied_answer_keeps_its_looks_for_documents(person: Callable[..., Person]) -> None:
    alice = person(permissions=["clipboard-read", "clipboard-write"])
    page = alice.open()
    has_ended(ask(page, f"!pieces 3 5\n{SAID}\n\n```python\nx = 1\n```"))
    page.locator(".exchange [data-copy=answer]").click()
    expect(page.locator("body > [role=status]")).to_have_text("Copied")
    content = page.evaluate(READ_CLIPBOARD)
    assert SAID in content["text/plain"]
    assert "<li>准备</li>" in content["text/html"] and "<button" not in content["text/html"]


def test_a_thumb_is_pressed_released_and_explained_live_and_later(
    person: Callable[..., Person],
) -> None:
    page = person().open()
    has_ended(ask(page, "was this useful?"))
    up, down = page.locator("[data-rate=up]"), page.locator("[data-rate=down]")
    reason = page.locator(".reason")
    up.click()
    expect(up).to_have_attribute("aria-pressed", "true")
    expect(reason).to_be_hidden()
    down.press("Enter")
    expect(down).to_have_attribute("aria-pressed", "true")
    expect(up).to_have_attribute("aria-pressed", "false")
    reason.locator("textarea").fill("The opening hours are wrong")
    reason.locator("button").click()
    expect(reason.locator("summary")).to_have_text("Thank you, your reason was sent")
    page.reload()
    expect(down).to_have_attribute("aria-pressed", "true")
    expect(reason.locator("textarea")).to_have_value("The opening hours are wrong")
    down.click()
    expect(down).to_have_attribute("aria-pressed", "false")
    expect(reason).to_be_hidden()
    page.reload()
    expect(down).to_have_attribute("aria-pressed", "false")


def test_a_rating_that_is_refused_is_not_shown_as_given(person: Callable[..., Person]) -> None:
    page = person().open()
    has_ended(ask(page, "was this useful?"))
    page.context.clear_cookies()
    page.locator("[data-rate=up]").click()
    expect(page.locator("chat-composer [role=alert]")).not_to_be_empty()
    expect(page.locator("[data-rate=up]")).to_have_attribute("aria-pressed", "false")


def test_without_scripts_an_answer_is_rated_by_forms(person: Callable[..., Person]) -> None:
    page = person(java_script_enabled=False).open()
    page.locator("#question").fill("was this useful?")
    page.locator(".send").click()
    page.locator("[data-rate=down]").click()
    page.locator(".reason textarea").fill("It was not")
    page.locator(".reason button").click()
    expect(page.locator("[data-rate=down]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".reason textarea")).to_have_value("It was not")
    page.locator("[data-rate=down]").click()
    expect(page.locator("[data-rate=down]")).to_have_attribute("aria-pressed", "false")


def test_a_conversation_is_deleted_while_it_is_answered(page: Page) -> None:
    exchange = ask(page, "!endless")
    expect(prose(exchange)).not_to_be_empty()
    page.locator(".menu-box summary").click()
    page.locator("form[action$='/delete'] button").click()
    page.locator("form[action$='/restore'] button").click()
    expect(page.locator(".exchange")).to_have_attribute("data-state", "stopped")


def test_a_long_formula_scrolls_in_a_box_of_its_own(person: Callable[..., Person]) -> None:
    page = person(**PHONE).open()
    page.locator("#question").fill(f"!pieces 3 5 in a line {LONG_FORMULA} of text")
    page.locator(".send").tap()
    exchange = page.locator(".exchange")
    has_ended(exchange)
    expect(prose(exchange).locator("math").first).to_be_attached()
    scroller = page.locator(".scroller")
    assert scroller.evaluate("element => element.scrollWidth <= element.clientWidth")
    formula = prose(exchange).locator(".formula").first
    assert formula.evaluate("element => element.scrollWidth > element.clientWidth")
