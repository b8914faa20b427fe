"""Scripts that fail to load: no text is lost, no button changes its meaning, a retry works."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.kit.browsing import QUESTIONS, Person, ask, has_ended, prose
from tests.kit.site import Site

pytestmark = pytest.mark.browser

UNREACHABLE = "could not be reached"
# What comes on demand while a question is asked and answered.
ON_DEMAND = ["turn", "stream", "drawing", "drafts", "conversation", "beside"]


def fail_once(page: Page, module: str) -> list[Request]:
    """The module answers 502 when it is requested first. Returns the failed requests."""
    failed: list[Request] = []

    def answer(route: Route) -> None:
        if failed:
            route.continue_()
        else:
            failed.append(route.request)
            route.fulfill(status=502, body="Bad Gateway")

    page.route(re.compile(rf"/js/{module}\.js"), answer)
    return failed


def count_questions(page: Page) -> list[Request]:
    questions: list[Request] = []
    is_question = re.compile(r"/chat(\?html=live)?$")
    page.on(
        "request",
        lambda request: (
            questions.append(request)
            if request.method == "POST" and is_question.search(request.url)
            else None
        ),
    )
    return questions


def test_offline_before_the_first_key_costs_nothing(person: Callable[..., Person]) -> None:
    alice = person()
    page = alice.open()
    questions = count_questions(page)
    field = page.locator("#question")
    alice.context.set_offline(True)
    field.press_sequentially("anybody?")
    field.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text(UNREACHABLE)
    expect(field).to_have_value("anybody?")
    expect(page.locator(".exchange")).to_have_count(0)
    alice.context.set_offline(False)
    field.press("Enter")
    has_ended(page.locator(".exchange"))
    expect(page.locator(".question-text")).to_have_text("anybody?")
    assert len(questions) == 1


@pytest.mark.parametrize("module", ON_DEMAND)
def test_a_suggestion_is_asked_once_whichever_module_fails(
    person: Callable[..., Person], demo_site: Site, module: str
) -> None:
    page = person(demo_site).open()
    questions = count_questions(page)
    failed = fail_once(page, module)
    suggestion = page.locator(".welcome [data-ask] button").first
    suggestion.click()
    exchange = page.locator(".exchange")
    expect(exchange.or_(page.locator("[role=alert]:not([hidden])"))).to_be_visible()
    if failed and not exchange.count():
        expect(page.get_by_role("alert")).to_contain_text(UNREACHABLE)
        suggestion.click()
    has_ended(exchange)
    assert len(questions) == 1
    page.locator(".again").click()
    has_ended(exchange)
    expect(page.locator(".versions")).to_contain_text("2 / 2")
    assert questions[1].post_data_json["instead"]


def test_a_reload_reads_on_though_a_module_fails(page: Page) -> None:
    exchange = ask(page, "carry on !pieces 60 120")
    expect(prose(exchange)).to_contain_text("carry")
    failed = fail_once(page, "stream")
    page.reload()
    exchange = page.locator(".exchange")
    expect(exchange.locator(".progress")).to_have_text("Connection lost. Connecting again…")
    assert failed
    has_ended(exchange)
    expect(prose(exchange)).to_contain_text("carry on")


def test_again_is_no_second_question_without_the_module_of_what_stands_beside(page: Page) -> None:
    page.route(re.compile(r"/js/(beside|conversation)\.js"), lambda route: route.abort())
    has_ended(ask(page, "once !suggest"))
    answer = page.locator(".exchange").get_attribute("data-message-id")
    with page.expect_request(QUESTIONS) as sent:
        page.locator(".again").click()
    assert sent.value.post_data_json["instead"] == answer
    has_ended(page.locator(".exchange"))
    expect(page.locator(".exchange")).to_have_count(1)


def test_what_is_typed_while_a_question_leaves_is_the_next_one(page: Page) -> None:
    waiting: list[Route] = []
    page.route(re.compile(r"/js/turn\.js"), lambda route: waiting.append(route))
    field = page.locator("#question")
    field.fill("the first")
    field.press("Enter")
    field.press_sequentially(" and the second")
    page.wait_for_timeout(200)
    waiting[0].continue_()
    has_ended(page.locator(".exchange"))
    expect(page.locator(".question-text")).to_have_text("the first")
    expect(field).to_have_value(" and the second")
