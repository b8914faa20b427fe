"""Scripts and styles that do not come: no text is lost, no button changes its meaning."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.kit.browsing import Person, ask, has_ended, prose
from tests.kit.site import Site

pytestmark = pytest.mark.browser

UNREACHABLE = "could not be reached"
# All but what came with the page.
ON_DEMAND = re.compile(r"/compiled/(?!site\.js)|/rest\.css")


def fail_once(page: Page, address: str) -> list[Request]:
    """The address answers 502 when it is requested first. Returns the failed requests."""
    failed: list[Request] = []

    def answer(route: Route) -> None:
        if failed:
            route.continue_()
        else:
            failed.append(route.request)
            route.fulfill(status=502, body="Bad Gateway")

    page.route(re.compile(address), answer)
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
    field.press("Enter")
    has_ended(page.locator(".exchange"))
    expect(page.locator(".question-text")).to_have_text("anybody?")
    # The first one did not leave.
    assert len(questions) == 2


def test_without_the_modules_on_demand_every_question_is_asked_once(
    person: Callable[..., Person], demo_site: Site
) -> None:
    page = person(demo_site).open()
    page.route(ON_DEMAND, lambda route: route.fulfill(status=502, body="Bad Gateway"))
    questions = count_questions(page)
    # A double click is one question.
    twice = "form => { form.requestSubmit(); form.requestSubmit() }"
    page.locator(".welcome form[data-ask]").first.evaluate(twice)
    exchange = page.locator(".exchange")
    has_ended(exchange)
    assert len(questions) == 1
    exchange.locator("[data-copy=answer]").click()
    page.locator(".again").click()
    expect(page.locator(".versions")).to_contain_text("2 / 2")
    has_ended(exchange)
    assert len(questions) == 2
    assert questions[1].post_data_json["instead"]
    expect(exchange).to_have_count(1)


def test_a_suggestion_whose_question_meets_a_bad_gateway_is_asked_by_the_next_click(
    person: Callable[..., Person], demo_site: Site
) -> None:
    page = person(demo_site).open()
    failed = fail_once(page, r"/chat\?html=live$")
    suggestion = page.locator(".welcome [data-ask] button").first
    suggestion.click()
    expect(page.get_by_role("alert")).to_contain_text(UNREACHABLE)
    assert failed
    suggestion.click()
    has_ended(page.locator(".exchange"))
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_reload_reads_on_though_the_stream_fails_once(page: Page) -> None:
    exchange = ask(page, "carry on !pieces 60 80")
    expect(prose(exchange)).to_contain_text("carry")
    failed = fail_once(page, r"/events\?html=live$")
    page.reload()
    exchange = page.locator(".exchange")
    expect(exchange.locator(".progress")).to_have_text("Connection lost. Connecting again…")
    assert failed
    has_ended(exchange)
    expect(prose(exchange)).to_contain_text("carry on")


def test_a_click_whose_module_failed_works_the_next_time(page: Page) -> None:
    has_ended(ask(page, "rate me"))
    failed = fail_once(page, r"/rate\.js")
    button = page.locator("[data-rate=up]")
    with page.expect_response(re.compile(r"/rate\.js")):
        button.click()
    assert failed
    expect(button).to_have_attribute("aria-pressed", "false")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")


def test_what_copies_is_there_before_the_click(page: Page) -> None:
    """Safari lets a page copy only during the click itself."""
    with page.expect_response(re.compile(r"/copy\.js")):
        has_ended(ask(page, "copy me"))
