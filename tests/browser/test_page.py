"""The page in a real browser: asked, read, reloaded, stopped, copied, with and without a script."""

import re
from collections.abc import Callable
from datetime import datetime

import pytest
from playwright.sync_api import Page, Route, expect

from tests.kit.browsing import (
    DESK,
    INSECURE_HOST,
    PHONE,
    Person,
    ask,
    has_ended,
    open_settings,
    prose,
    refuse_questions,
)
from tests.kit.emulator import Emulator, coze
from tests.kit.site import Site

pytestmark = pytest.mark.browser


def test_an_answer_streams_into_the_page(page: Page) -> None:
    exchange = ask(page, "hello !pieces 20 100")
    expect(prose(exchange)).to_contain_text("hello")
    expect(exchange).to_have_attribute("data-state", "running")
    expect(exchange.locator(".answer")).to_have_attribute("aria-busy", "true")
    has_ended(exchange)
    expect(exchange.locator(".answer")).not_to_have_attribute("aria-busy", "true")
    assert re.search(r"/c/\w+$", page.url)
    expect(page.locator("#conversations .conversation")).to_have_attribute(
        "href", re.search(r"/c/\w+$", page.url)[0]
    )  # type: ignore[index]


def test_markdown_is_drawn_and_does_no_harm(page: Page) -> None:
    exchange = ask(page, "!markdown !pieces 60 5")
    has_ended(exchange)
    for selector in ("h3", "table", ".code .code-keyword", "math", "a[rel~=noopener]"):
        expect(prose(exchange).locator(selector).first).to_be_attached()
    assert prose(exchange).locator("script, img, iframe, [onerror]").count() == 0
    assert page.evaluate("document.querySelectorAll('[style]').length") == 0


def test_history_is_drawn_exactly_as_the_stream_was(page: Page) -> None:
    exchange = ask(page, "!markdown !two !pieces 60 5")
    has_ended(exchange)
    drawing = """prose => [...prose.children].map(block => {
        const copy = block.cloneNode(true)
        copy.querySelectorAll("[data-copy]").forEach(button => button.remove())
        // Their colours come later.
        for (const code of copy.querySelectorAll("code")) code.textContent = code.textContent
        return copy.outerHTML
    })"""
    streamed = prose(exchange).evaluate(drawing)
    page.reload()
    assert prose(page.locator(".exchange")).evaluate(drawing) == streamed


def test_thoughts_steps_sources_pictures_and_suggestions(page: Page) -> None:
    exchange = ask(page, "!think !tool !cite !image !suggest")
    has_ended(exchange)
    expect(exchange.locator(".tool")).to_have_attribute("data-state", "done")
    exchange.locator(".thought summary").click()
    expect(exchange.locator(".thought-text")).not_to_be_empty()
    chip = exchange.locator(".suggestions button").first
    question = chip.inner_text()
    chip.click()
    second = page.locator(".exchange").nth(1)
    expect(second.locator(".question-text")).to_have_text(question)
    has_ended(second)


def test_a_reload_or_the_back_button_in_the_middle_reads_on(page: Page) -> None:
    exchange = ask(page, "carry on !think !pieces 60 80")
    expect(prose(exchange)).to_contain_text("carry")
    page.clock.set_system_time(datetime(2031, 1, 1))
    page.reload()
    exchange = page.locator(".exchange")
    expect(exchange).to_have_attribute("data-state", "running")
    page.goto(page.url.partition("/c/")[0] + "/search")
    page.go_back()
    page.go_forward()
    page.go_back()
    expect(exchange).to_have_attribute("data-state", "running")
    has_ended(exchange)
    # It was asked before that.
    expect(exchange.locator(".about time")).not_to_contain_text("1/1/31")
    thought = exchange.locator(".thought-text").text_content()
    page.reload()
    expect(exchange).to_have_attribute("data-state", "done")
    assert exchange.locator(".thought-text").text_content() == thought


def test_a_second_tab_sees_the_same_answer(person: Callable[..., Person]) -> None:
    alice = person()
    first = alice.open()
    exchange = ask(first, "both of us !pieces 60 80")
    expect(prose(exchange)).to_contain_text("both")
    second = alice.open(re.search(r"/c/\w+$", first.url)[0])  # type: ignore[index]
    expect(second.locator(".exchange")).to_have_attribute("data-state", "running")
    has_ended(exchange)
    has_ended(second.locator(".exchange"))
    assert prose(second.locator(".exchange")).inner_text() == prose(exchange).inner_text()
    # The first tab knows nothing of the second's question, and the conversation knows both.
    has_ended(ask(second, "from the second"))
    has_ended(ask(first, "from the first"))
    first.reload()
    asked = ["both of us !pieces 60 80", "from the second", "from the first"]
    expect(first.locator(".question-text")).to_have_text(asked)


def test_a_lost_connection_is_read_on(person: Callable[..., Person]) -> None:
    alice = person()
    page = alice.open()
    exchange = ask(page, "hold the line !pieces 60 80")
    expect(prose(exchange)).to_contain_text("hold")
    page.evaluate("""() => {
        window.states = []
        const progress = document.querySelector(".exchange .progress")
        const note = () => window.states.push(progress.dataset.state)
        new MutationObserver(note).observe(progress, {attributes: true})
        const read = ReadableStreamDefaultReader.prototype.read
        ReadableStreamDefaultReader.prototype.read = function () {
            ReadableStreamDefaultReader.prototype.read = read
            return Promise.reject(new TypeError("network error"))
        }
    }""")
    expect(exchange.locator(".progress")).to_have_text("Connection lost. Connecting again…")
    expect(exchange.locator(".progress")).not_to_have_text("Connection lost. Connecting again…")
    has_ended(exchange)
    assert "waiting" not in page.evaluate("window.states"), "it had begun to speak"


@pytest.mark.parametrize("how", ["button", "Escape"])
def test_stop_stops_at_the_platform_too(
    person: Callable[..., Person], emulator: Emulator, how: str
) -> None:
    page = person().open()
    before = cancelled(emulator)
    exchange = ask(page, "!endless")
    expect(prose(exchange)).not_to_be_empty()
    if how == "button":
        page.get_by_role("button", name="Stop").click()
    else:
        page.keyboard.press("Escape")
    has_ended(exchange, "stopped")
    expect(exchange).to_contain_text("You stopped this answer.")
    expect(page.locator("#question")).to_be_focused()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    assert cancelled(emulator) == before + 1


def cancelled(emulator: Emulator) -> int:
    return sum("/v3/chat/cancel" in call["path"] for call in emulator.journal()["requests"])


def test_a_failure_says_what_happened_and_can_be_tried_again(page: Page) -> None:
    exchange = ask(page, "!late-error")
    has_ended(exchange, "failed")
    expect(exchange.locator(".problem.if-failed")).to_contain_text("Ask again")
    expect(page.locator("body > [role=status]")).to_contain_text("Ask again")
    exchange.get_by_role("button", name="Regenerate").click()
    has_ended(page.locator(".exchange"), "failed")
    page.reload()
    expect(page.locator(".exchange .problem.if-failed")).to_contain_text("Ask again")
    expect(page.locator(".versions")).to_contain_text("2 / 2")


def test_a_refused_question_comes_back(page: Page) -> None:
    refuse_questions(page, 429, "慢一点。", "rate_limited")
    ask(page, "too fast")
    expect(page.get_by_role("alert")).to_have_text("慢一点。")
    expect(page.locator("#question")).to_have_value("too fast")
    expect(page.locator(".exchange")).to_have_count(0)
    expect(page.locator(".welcome")).to_be_visible()


def test_an_unreachable_site_is_said_and_the_question_kept(person: Callable[..., Person]) -> None:
    alice = person()
    page = alice.open()
    alice.context.set_offline(True)
    ask(page, "anybody?")
    expect(page.get_by_role("alert")).to_contain_text("could not be reached")
    expect(page.locator("#question")).to_have_value("anybody?")


def test_a_file_goes_along_and_is_shown(page: Page, emulator: Emulator) -> None:
    page.locator("[type=file]").set_input_files(
        {"name": "报告.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4 quarterly"}
    )
    expect(page.locator(".chosen .file-name")).to_have_text("报告.pdf")
    exchange = ask(page, "what does it say?")
    has_ended(exchange)
    expect(exchange.locator(".file-name")).to_have_text("报告.pdf")
    expect(page.locator(".chosen")).to_be_hidden()
    assert "file_id" in str(emulator.journal()["requests"][-12:])
    page.reload()
    expect(page.locator(".exchange .file-name")).to_have_text("报告.pdf")


def test_without_javascript_the_form_gets_its_answer(person: Callable[..., Person]) -> None:
    page = person(java_script_enabled=False).open()
    page.locator("#question").fill("no script at all")
    page.get_by_role("button", name="Send").click()
    page.wait_for_url("**/c/*")
    expect(page.locator(".prose")).to_contain_text("no script at all", timeout=20_000)
    page.locator(".again").click()
    expect(page.locator(".versions")).to_contain_text("2 / 2")
    page.get_by_role("link", name="Earlier version").click()
    expect(page.locator(".versions")).to_contain_text("1 / 2")


def test_without_javascript_the_drawer_opens(person: Callable[..., Person]) -> None:
    page = person(java_script_enabled=False, **PHONE).open()
    expect(page.locator(".sidebar")).to_be_hidden()
    page.locator("label.menu").click()
    expect(page.locator(".sidebar")).to_be_visible()


@pytest.mark.parametrize("path", ["/", "/search"])
def test_the_drawer_covers_the_page_and_gives_the_keyboard_back(
    person: Callable[..., Person], path: str
) -> None:
    page = person(**PHONE).open(path)
    drawer, main = page.locator("#drawer"), page.locator("main")
    page.locator("label.menu").click()
    expect(main).to_have_js_property("inert", True)
    page.locator(".sidebar a").first.focus()
    page.keyboard.press("Escape")
    expect(page.locator(".sidebar")).to_be_hidden()
    expect(main).to_have_js_property("inert", False)
    expect(drawer).to_be_focused()
    drawer.press("Space")
    expect(page.locator(".sidebar a").first).to_be_focused()
    expect(main).to_have_js_property("inert", True)
    page.set_viewport_size(DESK["viewport"])
    expect(main).to_have_js_property("inert", False)


@pytest.mark.parametrize("host", ["127.0.0.1", INSECURE_HOST])
def test_code_is_copied_on_plain_http_too(person: Callable[..., Person], host: str) -> None:
    alice = person()
    page = alice.open(host=host)
    assert page.evaluate("isSecureContext") == (host == "127.0.0.1")
    exchange = ask(page, "!markdown")
    has_ended(exchange)
    exchange.get_by_role("button", name="Copy the code").first.click()
    expect(page.locator("body > [role=status]")).to_have_text("Copied")
    page.locator("#question").focus()
    page.keyboard.press("Control+V")
    expect(page.locator("#question")).to_have_value(re.compile("def greet"))


def test_copied_is_said_when_it_is_true_and_for_a_moment(person: Callable[..., Person]) -> None:
    page = person().open(host=INSECURE_HOST)
    exchange = ask(page, "short")
    has_ended(exchange)
    button = exchange.get_by_role("button", name="Copy the answer")
    status = page.locator("body > [role=status]")
    # Some in-app browsers forbid it.
    page.evaluate("document.execCommand = () => false")
    button.click()
    expect(page.get_by_role("alert")).to_contain_text("did not allow copying")
    expect(status).not_to_have_text("Copied")
    page.evaluate("delete document.execCommand")
    sign = button.locator("path").get_attribute("d") or ""
    button.dblclick()
    expect(status).to_have_text("Copied")
    expect(button.locator("path")).not_to_have_attribute("d", sign)
    page.wait_for_timeout(1700)
    expect(button.locator("path")).to_have_attribute("d", sign, timeout=100)


def test_the_keyboard_is_enough(person: Callable[..., Person]) -> None:
    page = person().open()
    back_to(page, "skip")
    page.keyboard.press("Enter")
    expect(page.locator("#question")).to_be_focused()
    page.keyboard.type("typed")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("twice")
    expect(page.locator("#question")).to_have_value("typed\ntwice")
    page.keyboard.press("Enter")
    has_ended(page.locator(".exchange"))
    expect(page.locator("#question")).to_be_focused()
    back_to(page, "again")
    page.keyboard.press("Enter")
    expect(page.locator(".versions")).to_contain_text("2 / 2")
    has_ended(page.locator(".exchange"))


def back_to(page: Page, name: str) -> None:
    """Shift+Tab until an element of this class has the focus."""
    for _ in range(30):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("name => document.activeElement.classList.contains(name)", name):
            return
    raise AssertionError(f"{name} cannot be reached")


def test_on_a_phone_enter_breaks_the_line_and_the_keyboard_stays_away(
    person: Callable[..., Person],
) -> None:
    page = person(**PHONE).open()
    page.locator("#question").fill("one")
    page.locator("#question").press("End")
    page.locator("#question").press("Enter")
    expect(page.locator("#question")).to_have_value("one\n")
    page.locator(".send").tap()
    has_ended(page.locator(".exchange"))
    expect(page.locator("#question")).not_to_be_focused()


def test_a_phone_never_scrolls_sideways(person: Callable[..., Person]) -> None:
    page = person(**PHONE).open()
    page.locator("#question").fill(
        "!markdown !tool !cite !suggest " + "https://example.com/" + "x" * 300
    )
    page.locator(".send").tap()
    has_ended(page.locator(".exchange"))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator(".scroller").evaluate(
        "scroller => scroller.scrollWidth <= scroller.clientWidth"
    )


def test_what_can_be_touched_is_large_enough(person: Callable[..., Person]) -> None:
    page = person(**PHONE).open()
    page.locator("#question").fill("!markdown !think !suggest !cite")
    page.locator(".send").tap()
    has_ended(page.locator(".exchange"))
    page.locator(".citations summary").tap()
    page.evaluate("""() => {
        const link = {href: "/", textContent: "京ICP备12345678号-1"}
        document.querySelector(".footer").append(Object.assign(document.createElement("a"), link))
        const source = document.querySelector("a.citation-title")
        Object.assign(source, {...link, className: "citation-title link", hidden: false})
    }""")
    small = page.evaluate("""() => [...document.querySelectorAll(`
            button, summary, textarea, label.menu, nav a, header a, .chip, .footer a,
            .citation-title.link`)]
        .filter(element => element.checkVisibility({visibilityProperty: true}))
        .map(element => [element.outerHTML.slice(0, 80), element.getBoundingClientRect()])
        .filter(([, box]) => box.height < 43.9 || box.width < 43.9).map(([html]) => html)""")
    assert small == []


def test_a_welcome_is_read_from_its_top(person: Callable[..., Person]) -> None:
    page = person(**{**PHONE, "viewport": {"width": 390, "height": 300}}).open()
    page.wait_for_timeout(200)
    assert page.locator(".scroller").evaluate("scroller => scroller.scrollTop") == 0
    expect(page.locator(".to-end")).to_be_hidden()


def test_on_a_wide_screen_a_welcome_stands_right_above_what_is_written(
    person: Callable[..., Person],
) -> None:
    page = person(viewport={"width": 2560, "height": 1440}).open()
    gap = """() => document.querySelector(".writer").getBoundingClientRect().top -
        document.querySelector(".welcome").getBoundingClientRect().bottom"""
    assert 0 <= page.evaluate(gap) < 40
    has_ended(ask(page, "and then it goes down"))
    below = "innerHeight - document.querySelector('.writer').getBoundingClientRect().bottom"
    page.wait_for_function(f"{below} < 80")


def test_a_page_enlarged_four_times_keeps_half_of_it_for_the_conversation(
    person: Callable[..., Person], demo_site: Site
) -> None:
    page = person(demo_site, viewport={"width": 320, "height": 256}).open()
    height = page.locator(".scroller").evaluate("it => it.getBoundingClientRect().height")
    assert height >= 128


def test_screen_readers_hear_states_not_tokens(page: Page) -> None:
    page.evaluate("""() => {
        window.heard = []
        const status = document.querySelector("body > [role=status]")
        const note = () => window.heard.push(status.textContent)
        new MutationObserver(note).observe(status, {childList: true})
    }""")
    exchange = ask(page, "short and sweet !pieces 10 20")
    has_ended(exchange)
    expect(page.locator("body > [role=status]")).to_contain_text("short and sweet")
    assert page.evaluate("window.heard.length") == 2
    assert page.evaluate("window.heard[0]").endswith("is answering")
    assert page.locator("[role=log]").get_attribute("aria-live") == "off"


TEXTS = (
    ".question-text",
    ".prose p",
    ".prose a",
    ".prose blockquote p",
    ".prose h3",
    ".prose .code-keyword",
    ".prose .code-comment",
    ".prose .code-string",
    ".by strong",
    ".thought summary",
    ".tool",
    ".chip",
    ".problem.if-failed",
    "#hint",
    "h1",
    ".conversation",
    ".again",
)


def test_texts_have_enough_contrast(person: Callable[..., Person]) -> None:
    page = person(color_scheme="light", reduced_motion="reduce").open()
    exchange = ask(page, "!markdown !think !tool !suggest")
    has_ended(exchange)
    last = ask(page, "!late-error")
    has_ended(last, "failed")
    expect(prose(exchange).locator(".code-string").first).to_be_attached()
    have_contrast(page)
    page.emulate_media(color_scheme="dark")
    expect(page.locator("body")).to_have_css("background-color", "rgb(22, 24, 26)")
    # Colours change over a moment, even where nothing is to move.
    page.wait_for_timeout(250)
    have_contrast(page)


def have_contrast(page: Page) -> None:
    for selector in TEXTS:
        element = page.locator(f".app {selector}").last
        if element.count():
            assert element.evaluate(CONTRAST) >= 4.5, selector


CONTRAST = """element => {
    const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true})
    const channels = colour => {
        canvas.clearRect(0, 0, 1, 1)
        canvas.fillStyle = colour
        canvas.fillRect(0, 0, 1, 1)
        return canvas.getImageData(0, 0, 1, 1).data
    }
    const linear = part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
    const light = colour => [...channels(colour)].slice(0, 3)
        .map(channel => linear(channel / 255))
        .reduce((sum, channel, at) => sum + channel * [0.2126, 0.7152, 0.0722][at], 0)
    let behind = element
    const isClear = () => channels(getComputedStyle(behind).backgroundColor)[3] < 255
    while (isClear()) behind = behind.parentElement
    const colours = [
        getComputedStyle(element).color, getComputedStyle(behind).backgroundColor,
    ]
    const [low, high] = colours.map(light).sort((a, b) => a - b)
    return (high + 0.05) / (low + 0.05)
}"""


def test_the_theme_is_remembered_without_a_flash(person: Callable[..., Person]) -> None:
    alice = person(color_scheme="light")
    page = alice.open()
    open_settings(page)
    page.get_by_role("button", name="Light or dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert 'data-theme="dark"' in page.request.get(page.url).text()
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 26)"


def test_the_first_visit_is_small(person: Callable[..., Person]) -> None:
    alice = person()
    page = alice.context.new_page()
    session = alice.context.new_cdp_session(page)
    session.send("Network.enable")
    sizes: list[float] = []
    urls: list[str] = []
    session.on("Network.requestWillBeSent", lambda event: urls.append(event["request"]["url"]))
    session.on("Network.loadingFinished", lambda loaded: sizes.append(loaded["encodedDataLength"]))
    page.goto(alice.site.url)
    page.wait_for_load_state("networkidle")
    assert len(urls) <= 6, urls
    assert sum(sizes) <= 30_000, sizes


def test_the_words_of_an_answer_wait_for_their_styles(page: Page) -> None:
    held: list[Route] = []
    page.route("**/rest.css", lambda route: held.append(route))
    exchange = ask(page, "Hello")
    expect(exchange).to_have_attribute("id", re.compile("^m-"))
    expect(prose(exchange)).to_be_empty()
    held[0].continue_()
    has_ended(exchange)
    expect(prose(exchange)).to_have_css("line-height", "28px")


def test_a_page_that_is_not_there_says_so(page: Page) -> None:
    page.goto(page.url + "c/nothing")
    expect(page.get_by_role("heading")).to_contain_text("does not exist")
    page.get_by_role("link", name="Back to the start page").click()
    expect(page.locator("#question")).to_be_visible()


def test_the_demo_says_that_it_is_one(person: Callable[..., Person], demo_site: Site) -> None:
    page = person(demo_site, **{**PHONE, "viewport": {"width": 390, "height": 844}}).open()
    expect(page.get_by_text("Answers are simulated")).to_be_visible()
    last = page.locator(".welcome a").last
    ends_at, writer = (each.bounding_box() for each in (last, page.locator(".writer")))
    assert ends_at and writer and ends_at["y"] + ends_at["height"] < writer["y"]
    last.click()
    chosen = page.locator("h1").inner_text()
    page.locator(".welcome [data-ask] button").first.click()
    has_ended(page.locator(".exchange"))
    page.reload()
    expect(page.locator("h1")).to_have_text(chosen)


def test_an_answer_cut_off_by_a_restart_says_so(
    person: Callable[..., Person], start_site: Callable[..., Site], emulator: Emulator
) -> None:
    site = start_site(**coze(emulator))
    page = person(site).open()
    exchange = ask(page, "keep going !pieces 40 200")
    expect(prose(exchange)).to_contain_text("keep")
    site.kill()
    expect(exchange.locator(".progress")).to_contain_text("Connecting again")
    site.start()
    expect(exchange).not_to_have_attribute("data-state", "running", timeout=40_000)
