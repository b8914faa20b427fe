"""What is typed is never lost: kept, given back, counted, changed, in a real browser."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.kit.browsing import DESK, PHONE, Person, ask, has_ended, prose, refuse_questions

pytestmark = pytest.mark.browser

COMPOSER = "chat-composer"


def edit(page: Page, message: str, answer: str) -> None:
    page.locator(COMPOSER).evaluate(
        "(composer, [message, answer]) => composer.edit({message, answer})", [message, answer]
    )


def drafts(page: Page) -> list[list[str]]:
    """All that this browser keeps, as pairs."""
    pairs: list[list[str]] = page.evaluate("JSON.parse(localStorage.getItem('drafts') ?? '[]')")
    return pairs


def is_kept(page: Page, text: str) -> None:
    page.wait_for_function(
        """text => {
            const drafts = JSON.parse(localStorage.getItem('drafts') ?? '[]')
            return drafts.some(([, draft]) => draft === text)
        }""",
        arg=text,
    )


def nothing_is_kept(page: Page) -> None:
    page.wait_for_function("() => localStorage.getItem('drafts') === null")


def test_a_draft_survives_a_reload(page: Page) -> None:
    page.locator("#question").press_sequentially("half a thought")
    is_kept(page, "half a thought")
    page.reload()
    expect(page.locator("#question")).to_have_value("half a thought")


def test_each_conversation_has_its_own_draft(person: Callable[..., Person]) -> None:
    alice = person()
    page = alice.open()
    has_ended(ask(page, "the first conversation"))
    nothing_is_kept(page)
    first = page.url
    page.locator("#question").press_sequentially("for the first")
    is_kept(page, "for the first")
    page.goto(alice.site.url)
    expect(page.locator("#question")).to_have_value("")
    page.locator("#question").press_sequentially("for a new one")
    is_kept(page, "for a new one")
    page.goto(first)
    expect(page.locator("#question")).to_have_value("for the first")
    page.goto(alice.site.url)
    expect(page.locator("#question")).to_have_value("for a new one")


def test_a_draft_is_cleared_when_its_question_was_accepted_and_not_before(page: Page) -> None:
    waiting: list[Route] = []
    page.route("**/chat?html=live", lambda route: waiting.append(route))
    exchange = ask(page, "take your time")
    expect(exchange).to_be_visible()
    expect(page.locator("#question")).to_have_value("")
    page.wait_for_timeout(200)
    assert [text for _, text in drafts(page)] == ["take your time"]
    page.locator("#question").press_sequentially("and then")
    is_kept(page, "take your time\nand then")
    waiting[0].continue_()
    has_ended(exchange)
    page.wait_for_function(
        "() => JSON.parse(localStorage.getItem('drafts'))?.[0][1] === 'and then'"
    )
    assert len(drafts(page)) == 1
    expect(page.locator("#question")).to_have_value("and then")


# 401 and 404 are treated alike, and so are all others.
@pytest.mark.parametrize("status", [401, 409])
def test_a_refused_question_comes_back_in_front_of_what_was_typed_since(
    page: Page, status: int
) -> None:
    waiting: list[Route] = []
    page.route("**/chat?html=live", lambda route: waiting.append(route))
    ask(page, "refused")
    page.locator("#question").press_sequentially("newer words")
    waiting[0].fulfill(
        status=status, content_type="application/json", body='{"error": "Not now.", "code": "busy"}'
    )
    expect(page.get_by_role("alert")).to_have_text("Not now.")
    expect(page.locator("#question")).to_have_value("refused\nnewer words")
    expect(page.locator(".exchange")).to_have_count(0)
    is_kept(page, "refused\nnewer words")
    page.reload()
    expect(page.locator("#question")).to_have_value("refused\nnewer words")


def test_what_a_proxy_says_is_no_sentence_but_the_question_is_kept(page: Page) -> None:
    page.route(
        "**/chat?html=live", lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>")
    )
    ask(page, "through a proxy")
    expect(page.get_by_role("alert")).to_contain_text("could not be reached")
    expect(page.locator("#question")).to_have_value("through a proxy")


def test_an_expired_session_leaves_the_question_for_a_new_conversation(
    person: Callable[..., Person],
) -> None:
    alice = person()
    page = alice.open()
    has_ended(ask(page, "who am I?"))
    alice.context.clear_cookies()
    ask(page, "do you know me?")
    expect(page.get_by_role("alert")).to_contain_text("Start a new conversation")
    expect(page.locator("#question")).to_have_value("do you know me?")
    page.goto(alice.site.url)
    expect(page.locator("#question")).to_have_value("do you know me?")
    has_ended(ask(page, "do you know me?"))
    nothing_is_kept(page)


def test_what_the_server_gives_back_wins_over_a_draft(page: Page) -> None:
    page.locator("#question").press_sequentially("an old draft")
    is_kept(page, "an old draft")
    page.route("**/static/**/site.js", lambda route: route.abort())
    page.reload()
    long = "x" * 8001
    page.locator("#question").fill(long)
    page.unroute("**/static/**/site.js")
    # The form itself is sent: its module could not be loaded.
    page.locator(".send").click()
    expect(page.get_by_role("alert")).to_contain_text("too long")
    page.wait_for_timeout(300)
    expect(page.locator("#question")).to_have_value(long)


def test_without_its_module_the_form_still_asks(person: Callable[..., Person]) -> None:
    page = person().open()
    page.route("**/static/**/*.js", lambda route: route.abort())
    page.reload()
    page.locator("#question").fill("by the form alone")
    page.locator(".send").click()
    page.wait_for_url("**/c/*")
    expect(page.locator(".prose")).to_contain_text("by the form alone", timeout=20_000)


OLD_BROWSER = """
const missing = [
    "visualViewport", "ResizeObserver", "matchMedia", "createImageBitmap", "DataTransfer",
]
for (const name of missing) {
    Object.defineProperty(window, name, {value: undefined})
}
Object.defineProperty(window, "localStorage", {get() { throw new Error("SecurityError") }})
Object.defineProperty(CSS, "supports", {value: undefined})
"""


def test_an_in_app_browser_that_lacks_everything_can_ask(person: Callable[..., Person]) -> None:
    alice = person(**PHONE)
    alice.context.add_init_script(OLD_BROWSER)
    page = alice.open()
    page.locator("[type=file]").set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n"}
    )
    page.locator("#question").press_sequentially("one")
    low = page.locator("#question").bounding_box()
    page.locator("#question").fill("one\ntwo\nthree\nfour")
    high = page.locator("#question").bounding_box()
    assert low and high and high["height"] > low["height"] + 40
    page.locator(".send").click()
    has_ended(page.locator(".exchange"))
    expect(page.locator(".exchange .file-name")).to_have_text("a.png")


@pytest.mark.parametrize("device", [PHONE, DESK], ids=["phone", "desk"])
def test_the_field_grows_with_its_text_but_not_for_ever(
    person: Callable[..., Person], device: dict[str, object]
) -> None:
    page = person(**device).open()
    field = page.locator("#question")
    heights = []
    for lines in (1, 3, 200):
        field.fill("\n".join(["line"] * lines))
        box = field.bounding_box()
        heights.append(box["height"] if box else 0)
    assert heights[0] < heights[1] < heights[2] <= 0.41 * page.evaluate("innerHeight")
    field.fill("")
    box = field.bounding_box()
    assert box and box["height"] == heights[0]


def limit(page: Page, most: int) -> None:
    page.locator(".counter").evaluate("(counter, most) => counter.dataset.most = most", most)


def test_room_is_counted_near_the_limit_and_too_much_is_not_sent(page: Page) -> None:
    limit(page, 20)
    counter = page.locator(".counter")
    page.locator("#question").fill("🎉" * 18)
    expect(counter).to_have_text("")
    page.locator("#question").fill("🎉" * 19)
    expect(counter).to_have_text("1 left")
    assert counter.get_attribute("aria-live") == "polite"
    page.locator("#question").fill("字" * 32)
    expect(counter).to_have_text("12 too many")
    page.locator(".send").click()
    expect(page.get_by_role("alert")).to_contain_text("over the limit by 12")
    expect(page.locator(".exchange")).to_have_count(0)
    expect(page.locator("#question")).to_have_value("字" * 32)
    page.locator("#question").fill("short")
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(counter).to_have_text("")
    page.locator(".send").click()
    has_ended(page.locator(".exchange"))


def test_what_is_pasted_is_never_cut_off(page: Page) -> None:
    page.locator("#question").fill("字" * 9000)
    expect(page.locator("#question")).to_have_value("字" * 9000)
    expect(page.locator(".counter")).to_have_text("1,000 too many")


def test_up_in_an_empty_field_asks_to_edit_the_last_question(page: Page) -> None:
    page.evaluate("window.heard = 0; document.addEventListener('edit-last', () => window.heard++)")
    page.locator("#question").press("ArrowUp")
    assert page.evaluate("heard") == 1
    page.locator("#question").fill("not empty")
    page.locator("#question").press("ArrowUp")
    assert page.evaluate("heard") == 1


@pytest.mark.parametrize("how", ["button", "Escape"])
def test_leaving_an_edit_brings_back_what_was_being_written(page: Page, how: str) -> None:
    page.locator("#question").fill("what I was writing")
    edit(page, "an earlier question", "answer1")
    field = page.locator("#question")
    expect(field).to_have_value("an earlier question")
    expect(field).to_be_focused()
    expect(page.get_by_text("Editing an earlier question")).to_be_visible()
    if how == "button":
        page.get_by_role("button", name="Cancel editing").click()
    else:
        page.keyboard.press("Escape")
    expect(field).to_have_value("what I was writing")
    expect(field).to_be_focused()
    expect(page.locator(".editing")).to_be_hidden()
    with page.expect_request("**/chat?html=live") as sent:
        field.press("Enter")
    assert "instead" not in sent.value.post_data_json


def test_an_edited_question_says_which_answer_it_replaces(page: Page) -> None:
    has_ended(ask(page, "the frist question"))
    answer = page.locator(".exchange").get_attribute("data-message-id")
    assert answer
    page.locator("#question").fill("what I was writing")
    edit(page, "the frist question", answer)
    page.locator("#question").fill("the first question")
    with page.expect_request("**/chat?html=live") as sent:
        page.locator("#question").press("Enter")
    body = sent.value.post_data_json
    assert (body["message"], body["instead"]) == ("the first question", answer)
    assert re.fullmatch(r"\w+", body["conversation_id"])
    expect(page.locator("#question")).to_have_value("what I was writing")
    expect(page.locator(".editing")).to_be_hidden()
    expect(prose(page.locator(".exchange").last)).to_contain_text("the first question")


def test_a_refused_edit_is_an_edit_again(page: Page) -> None:
    page.locator("#question").fill("meanwhile")
    edit(page, "before", "answer1")
    refuse_questions(page, 409)
    page.locator("#question").fill("after")
    page.locator("#question").press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Not now.")
    expect(page.locator("#question")).to_have_value("after")
    expect(page.locator("chat-composer [name=instead]")).to_have_value("answer1")
    expect(page.locator(".editing")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#question")).to_have_value("meanwhile")


def test_an_edit_survives_a_reload(page: Page) -> None:
    has_ended(ask(page, "the frist question"))
    answer = page.locator(".exchange").get_attribute("data-message-id") or ""
    page.locator("#question").press_sequentially("beside it")
    edit(page, "the frist question", answer)
    page.locator("#question").fill("the first qu")
    is_kept(page, "the first qu")
    page.reload()
    expect(page.locator("#question")).to_have_value("the first qu")
    expect(page.locator("chat-composer [name=instead]")).to_have_value(answer)
    page.keyboard.press("Escape")
    expect(page.locator("#question")).to_have_value("beside it")
    page.reload()
    expect(page.locator("#question")).to_have_value("beside it")
    expect(page.locator(".editing")).to_be_hidden()


def test_a_question_is_asked_once_more_in_the_place_of_its_answer(page: Page) -> None:
    has_ended(ask(page, "once more"))
    answer = page.locator(".exchange").get_attribute("data-message-id")
    page.locator("#question").fill("not sent")
    with page.expect_request("**/chat?html=live") as sent:
        page.locator(".again").click()
    assert sent.value.post_data_json["instead"] == answer
    expect(page.locator("#question")).to_have_value("not sent")


def test_a_window_enlarged_four_times_leaves_the_field_usable(
    person: Callable[..., Person],
) -> None:
    page = person(viewport={"width": 320, "height": 256}).open()
    page.locator("#question").fill("line\n" * 20)
    edit(page, "line\n" * 20, "answer1")
    page.locator("[type=file]").set_input_files(
        [
            {"name": f"{name}.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4"}
            for name in "abc"
        ]
        + [{"name": "d.exe", "mimeType": "application/octet-stream", "buffer": b"MZ"}]
    )
    expect(page.get_by_role("alert")).to_be_visible()
    for selector in (
        "#question",
        ".send",
        ".attach",
        "[data-cancel-edit]",
        ".chosen",
        "[role=alert]",
    ):
        box = page.locator(selector).bounding_box()
        assert box and box["y"] >= 0 and box["y"] + box["height"] <= 256, (selector, box)
        assert box["height"] >= 43.5, (selector, box)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_controls_follow_each_other_and_have_names(page: Page) -> None:
    edit(page, "earlier", "answer1")
    page.get_by_role("button", name="Cancel editing").focus()
    names = []
    for _ in range(5):
        name = page.evaluate(
            "(({ title, ariaLabel, id }) => title || ariaLabel || id)(document.activeElement)"
        )
        names.append(name)
        page.keyboard.press("Tab")
    assert names == ["Cancel editing", "Add files", "question", "Speak", "Send"]
