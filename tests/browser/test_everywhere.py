"""What the page promises, a walk for each chapter: on a phone in Chinese, on a desk in English."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from babel.support import Translations
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.pasting import hand, pick
from tests.browser.states import FULL, answered, queued, say, stopped
from tests.kit.browsing import DEVICES, GAP, Person, has_ended, prose
from tests.kit.site import ROOT, Site

pytestmark = pytest.mark.browser

DRAWN = ("h3", "ul ul", "ol", "blockquote", ".task-list-item", ".code .code-keyword", "math", "s")
# Each device once and each language once; the tablet has the phone's page with the desk's keys.
PHONE_WALK, DESK_WALK = ("phone", "zh-CN"), ("desk", "en-US")
# For a chapter that looks alike everywhere.
on_phone = pytest.mark.parametrize("walk", [PHONE_WALK], indirect=True, ids="-".join)
on_desk = pytest.mark.parametrize("walk", [DESK_WALK], indirect=True, ids="-".join)
TOUCH = """(element, types) => {
    for (const type of types) element.dispatchEvent(new TouchEvent(type, {bubbles: true}))
}"""
Sentence = Callable[[str], str]


@pytest.fixture(params=[PHONE_WALK, DESK_WALK], ids="-".join)
def walk(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A device and a language."""
    device, language = request.param
    return device, language


@pytest.fixture
def device(walk: tuple[str, str]) -> str:
    return walk[0]


@pytest.fixture
def sentence(walk: tuple[str, str]) -> Sentence:
    """An English sentence of the page in the language of the walk."""
    _, language = walk
    return Translations.load(str(ROOT / "chat" / "translations"), [language[:2]]).gettext


@pytest.fixture
def here(person: Callable[..., Person], demo_site: Site, walk: tuple[str, str]) -> Page:
    """The demo's welcome, on the device and in the language of the walk."""
    device, language = walk
    page = person(
        demo_site, **DEVICES[device], locale=language, reduced_motion="no-preference"
    ).open()
    expect(page.locator("html")).to_have_attribute(
        "lang", {"zh-CN": "zh-CN", "en-US": "en"}[language]
    )
    return page


def at_the_end(page: Page) -> None:
    scroller = page.locator(".scroller")
    page.wait_for_timeout(100)
    assert scroller.evaluate(GAP) < 20


def grows(scroller: Locator) -> None:
    height = scroller.evaluate("it => it.scrollHeight")
    scroller.page.wait_for_function(
        "height => document.querySelector('.scroller').scrollHeight > height + 60", arg=height
    )


def contains(exchange: Locator, text: str) -> None:
    """Where the sentence has %%s, the page has a number."""
    expect(exchange).to_contain_text(re.compile(re.escape(text).replace("%%s", r"[\d.]+")))


def test_the_conversation(here: Page, sentence: Sentence) -> None:
    expect(here.locator(".welcome")).to_be_visible()
    here.locator(".welcome [data-ask] button").first.click()
    has_ended(here.locator(".exchange"))
    exchange = say(here, FULL)
    has_ended(exchange)
    # Code is coloured when it comes near the screen.
    prose(exchange).locator(".code").first.scroll_into_view_if_needed()
    for selector in DRAWN:
        expect(prose(exchange).locator(selector).first).to_be_attached()
    # A wide table scrolls in its box; formulas have their font.
    expect(prose(exchange).locator(".table").first).to_have_css("display", "block")
    here.wait_for_function("[...document.fonts].some(font => font.status === 'loaded')")
    expect(prose(exchange).locator(".code").first).to_have_attribute("data-language", "python")
    expect(
        prose(exchange).get_by_role("button", name=sentence("Copy the code")).first
    ).to_be_attached()
    assert prose(exchange).locator("script, [onerror]").count() == 0
    expect(exchange.locator(".thought-text")).to_be_hidden()
    exchange.locator(".thought summary").click()
    expect(exchange.locator(".thought-text")).to_be_visible()
    exchange.locator(".tool summary").first.click()
    expect(exchange.locator(".tool-output").first).to_be_visible()
    exchange.locator(".citations summary").click()
    expect(exchange.locator(".citations li").first).to_be_visible()
    exchange.locator(".prose .image, .media .picture").first.click()
    expect(here.get_by_role("dialog", name=sentence("Image"))).to_be_visible()
    here.get_by_role("dialog").get_by_role("button", name=sentence("Close")).click()
    exchange.locator(".about summary").click()
    expect(exchange.locator(".about time")).to_be_visible()
    exchange.get_by_role("button", name=sentence("Copy the answer")).click()
    expect(here.locator("body > [role=status]")).to_have_text(sentence("Copied"))
    exchange.locator(".suggestions button").first.click()
    has_ended(here.locator(".exchange").nth(2))
    thinking = say(here, "!think !pieces 5 100")
    has_ended(thinking)
    contains(thinking.locator(".thought summary"), sentence("Thought for %%s s"))
    assert here.evaluate("document.documentElement.scrollWidth <= innerWidth")


@on_phone
def test_the_ends_an_answer_can_have(here: Page, sentence: Sentence) -> None:
    sentences = {
        "!late-error": (
            "The agent could not be reached, or the answer broke off. Ask again in a moment."
        ),
        # Its record is asked several times: not the one that is tried again.
        "!empty": "The agent finished without an answer. Ask again, perhaps in other words.",
        "!blocked": (
            "The platform refused this question or its answer as inappropriate. Ask something else."
        ),
        "!requires-reply": (
            "The agent asks for a step that this site cannot take. Ask in another way."
        ),
    }
    for question, text in sentences.items():
        exchange = say(here, question)
        has_ended(exchange, "failed")
        expect(exchange.locator(".problem.if-failed")).to_have_text(sentence(text))
    exchange.get_by_role("button", name=sentence("Regenerate")).click()
    expect(here.get_by_role("group", name=sentence("Versions of this question"))).to_contain_text(
        "2 / 2", timeout=20_000
    )
    has_ended(here.locator(".exchange").last, "failed")
    stopped(here)
    contains(here.locator(".exchange").last, sentence("You stopped this answer."))
    here.reload()
    contains(here.locator(".exchange").last, sentence("You stopped this answer."))
    expect(here.locator(".problem.if-failed:visible").first).to_have_text(
        sentence(sentences["!late-error"])
    )


@on_desk
def test_waiting_is_told_in_words(here: Page, sentence: Sentence) -> None:
    exchange = say(here, "!slow 4 今天有什么活动？")
    contains(exchange.locator(".progress"), sentence("Thinking"))
    # Seconds go by.
    expect(exchange.locator(".progress")).to_contain_text(re.compile(r"[12]"))
    has_ended(exchange)
    queued(here)
    contains(here.locator(".exchange .progress"), sentence("In the queue"))
    here.get_by_role("button", name=sentence("Stop")).click()
    has_ended(here.locator(".exchange"), "stopped")


@on_phone
def test_versions_of_a_question(here: Page, sentence: Sentence) -> None:
    answered(here)
    here.locator(".again").click()
    expect(here.locator(".versions")).to_contain_text("2 / 2")
    has_ended(here.locator(".exchange"))
    here.get_by_role("link", name=sentence("Edit the question")).click()
    expect(here.get_by_text(sentence("Editing an earlier question"))).to_be_visible()
    here.locator("#question").fill("in other words")
    here.locator(".send").click()
    expect(here.locator(".exchange")).to_have_count(1)
    expect(here.locator(".versions")).to_contain_text("3 / 3")
    expect(prose(here.locator(".exchange"))).to_contain_text("in other words")
    has_ended(here.locator(".exchange"))
    here.get_by_role("link", name=sentence("Earlier version")).click()
    expect(here.locator(".versions")).to_contain_text("2 / 3")
    expect(prose(here.locator(".exchange")).locator("h3")).to_be_visible()


def test_writing(here: Page, sentence: Sentence, device: str) -> None:
    field = here.locator("#question")
    low = field.bounding_box()
    field.fill("one\ntwo\nthree")
    high = field.bounding_box()
    assert low and high and high["height"] > low["height"] + 20
    field.fill("")
    field.press_sequentially("nihao")
    for composing in ("{key: 'Enter', isComposing: true", "{key: 'Enter', keyCode: 229"):
        event = f"new KeyboardEvent('keydown', {composing}, bubbles: true, cancelable: true}})"
        field.evaluate(f"it => it.dispatchEvent({event})")
    # Safari's order.
    field.evaluate("""field => {
        const enter = {key: 'Enter', bubbles: true, cancelable: true}
        field.dispatchEvent(new CompositionEvent('compositionend', {bubbles: true}))
        field.dispatchEvent(new KeyboardEvent('keydown', enter))
    }""")
    expect(here.locator(".exchange")).to_have_count(0)
    here.wait_for_function("() => localStorage.getItem('drafts')?.includes('nihao')")
    here.reload()
    expect(field).to_have_value("nihao")
    field.press("End")
    field.press("Enter")
    if device == "phone":
        expect(field).to_have_value("nihao\n")
        here.get_by_role("button", name=sentence("Send")).click()
    has_ended(here.locator(".exchange"))
    if device != "phone":
        field.press("ArrowUp")
        expect(field).to_have_value("nihao")
        here.keyboard.press("Escape")
        expect(field).to_have_value("")
    field.fill("字" * 8003)
    expect(here.locator(".counter")).to_have_text(sentence("%%s too many").replace("%%s", "3"))
    here.locator(".send").click()
    too_long = sentence("This question is over the limit by %%s. Shorten it, or ask in parts.")
    expect(here.get_by_role("alert")).to_have_text(too_long.replace("%%s", "3"))
    expect(field).to_have_value("字" * 8003)
    field.fill("refused")
    here.route("**/chat?html=live", lambda route: refuse(route, "慢一点。"))
    here.locator(".send").click()
    expect(here.get_by_role("alert")).to_have_text("慢一点。")
    expect(field).to_have_value("refused")


def refuse(route: Route, text: str) -> None:
    body = f'{{"error": "{text}", "code": "rate_limited"}}'
    route.fulfill(status=429, content_type="application/json", body=body)


@on_desk
def test_writing_with_files(here: Page, sentence: Sentence, tmp_path: Path) -> None:
    pick(here, "报告.pdf", "red.png")
    hand(here, "paste", ("pasted.png", "image/png"))
    hand(here, "drop", ("dropped.png", "image/png"))
    names = here.locator(".chosen .file-name")
    expect(names).to_have_count(4)
    expect(here.locator(".chosen canvas").first).to_be_visible()
    here.get_by_role("button", name=sentence("Remove %%s").replace("%%s", "dropped.png")).click()
    expect(names).to_have_count(3)
    pick(here, "virus.exe")
    expect(here.get_by_role("alert")).to_have_text(
        sentence("This kind of file is not supported: “%%s”").replace("%%s", "virus.exe")
    )
    exchange = say(here, "what do they say?")
    has_ended(exchange)
    expect(exchange.locator(".file-name")).to_have_count(3)


def test_reading(here: Page, sentence: Sentence, device: str) -> None:
    has_ended(say(here, "the first question takes the welcome away"))
    here.evaluate("""() => {
        window.shifts = []
        const nodes = shift => shift.sources.map(source => source.node?.className)
        const note = shift => window.shifts.push([shift.value, nodes(shift)])
        new PerformanceObserver(list => list.getEntries().forEach(note))
            .observe({type: "layout-shift"})
    }""")
    exchange = say(here, "!markdown !pieces 80 60")
    expect(prose(exchange).locator("table")).to_be_attached()
    at_the_end(here)
    scroller = here.locator(".scroller")
    if device == "phone":
        # A table is swiped sideways.
        scroller.evaluate(TOUCH, ["touchmove", "touchend"])
        grows(scroller)
        at_the_end(here)
        scroller.evaluate(TOUCH, ["touchmove"])
        scroller.evaluate("scroller => scroller.scrollBy(0, -250)")
    else:
        scroller.hover()
        here.mouse.wheel(0, -250)
    expect(here.locator(".to-end")).to_contain_text(sentence("New"))
    top = scroller.evaluate("it => it.scrollTop")
    has_ended(exchange)
    assert scroller.evaluate("it => it.scrollTop") == top
    here.locator(".to-end").click()
    at_the_end(here)
    expect(here.locator(".to-end")).to_be_hidden()
    # Nothing is new to whoever only went up.
    scroller.evaluate("scroller => scroller.scrollBy(0, -250)")
    expect(here.locator(".to-end")).to_be_visible()
    expect(here.locator(".to-end > span").last).to_be_hidden()
    shifts = here.evaluate("window.shifts")
    assert sum(value for value, _ in shifts) < 0.01, shifts
