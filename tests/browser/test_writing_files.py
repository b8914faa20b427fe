"""Files for a question: picked, pasted, dropped; sent ahead one by one, and named in errors."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.pasting import PNG, hand, pick
from tests.kit.browsing import PHONE, Person, ask, has_ended, refuse_questions
from tests.kit.emulator import Emulator
from tests.kit.site import Site

pytestmark = pytest.mark.browser


def chosen(page: Page) -> Locator:
    return page.locator(".chosen > li")


def test_several_choices_add_up_and_go_along(page: Page, emulator: Emulator) -> None:
    pick(page, "报告.pdf", "figures.xlsx")
    expect(chosen(page)).to_have_count(2)
    pick(page, "photo.png", data=PNG)
    expect(chosen(page).locator(".file-name")).to_have_text(
        ["报告.pdf", "figures.xlsx", "photo.png"]
    )
    expect(page.locator('.chosen > [data-state="sent"]')).to_have_count(3)
    with page.expect_request("**/chat?html=live") as sent:
        exchange = ask(page, "what do they say?")
    assert len(set(sent.value.post_data_json["files"])) == 3
    has_ended(exchange)
    expect(exchange.locator(".file-name")).to_have_text(["报告.pdf", "figures.xlsx", "photo.png"])
    expect(page.locator(".chosen")).to_be_hidden()
    page.reload()
    expect(page.locator(".exchange .file-name")).to_have_text(
        ["报告.pdf", "figures.xlsx", "photo.png"]
    )


def test_a_picture_has_a_preview(page: Page) -> None:
    pick(page, "red.png", data=PNG)
    colour = "canvas => [...canvas.getContext('2d').getImageData(44, 44, 1, 1).data]"
    assert page.locator(".chosen canvas").evaluate(colour) == [255, 0, 0, 255]
    pick(page, "broken.png", data=PNG[:20])
    expect(chosen(page).nth(1).locator("svg").first).to_be_visible()


def test_a_file_refused_is_named_with_the_reason_and_the_others_stay(page: Page) -> None:
    page.locator(".chosen").evaluate("chosen => chosen.dataset.mostBytes = 30")
    pick(page, "good.pdf", "virus.exe")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("is not supported: “virus.exe”")
    pick(page, "large.pdf", data=b"x" * 31)
    expect(alert).to_contain_text("“large.pdf” is larger than")
    expect(chosen(page).locator(".file-name")).to_have_text(["good.pdf"])
    pick(page, *[f"{number}.pdf" for number in range(11)])
    expect(chosen(page)).to_have_count(10)
    expect(alert).to_have_text(
        "At most 10 files go with a question: “9.pdf” was left out.\n"
        "At most 10 files go with a question: “10.pdf” was left out."
    )


def test_a_file_can_be_removed_by_its_own_button(person: Callable[..., Person]) -> None:
    page = person(**PHONE).open()
    pick(page, "one.pdf", "two.pdf")
    button = page.get_by_role("button", name="Remove one.pdf")
    box = button.bounding_box()
    assert box and box["width"] >= 43.9 and box["height"] >= 43.9
    button.click()
    expect(chosen(page).locator(".file-name")).to_have_text(["two.pdf"])
    expect(page.get_by_role("button", name="Remove two.pdf")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".chosen")).to_be_hidden()
    expect(page.locator("#question")).to_be_focused()


def test_a_question_waits_for_its_files(page: Page) -> None:
    waiting: list[Route] = []
    page.route("**/files", lambda route: waiting.append(route))
    pick(page, "slow.pdf")
    expect(page.get_by_role("progressbar", name="Sending slow.pdf")).to_be_visible()
    page.locator("#question").fill("when it is there")
    page.locator("#question").press("Enter")
    expect(page.locator(".send")).to_have_attribute("aria-busy", "true")
    expect(page.locator("body > [role=status]")).to_contain_text(
        "as soon as its files have arrived"
    )
    expect(page.locator(".exchange")).to_have_count(0)
    page.locator("#question").press("Enter")
    page.keyboard.press("Escape")
    expect(page.locator(".send")).not_to_have_attribute("aria-busy", "true")
    page.locator("#question").press("Enter")
    waiting[0].continue_()
    has_ended(page.locator(".exchange"))
    expect(page.locator(".exchange")).to_have_count(1)
    expect(page.locator(".exchange .file-name")).to_have_text("slow.pdf")
    expect(page.locator("#question")).to_have_value("")


def test_a_file_that_failed_holds_the_question_until_it_is_added_again(page: Page) -> None:
    page.route("**/files", lambda route: route.abort())
    pick(page, "report.pdf")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("“report.pdf” could not be sent")
    expect(chosen(page).get_by_text("Not sent")).to_be_visible()
    page.locator("#question").fill("what does it say?")
    page.locator("#question").press("Enter")
    expect(page.locator("#question")).to_have_value("what does it say?")
    expect(page.locator(".exchange")).to_have_count(0)
    page.unroute("**/files")
    pick(page, "report.pdf")
    expect(alert).to_be_hidden()
    expect(page.locator('.chosen > [data-state="sent"]')).to_have_count(1)
    expect(chosen(page)).to_have_count(1)
    page.locator("#question").press("Enter")
    has_ended(page.locator(".exchange"))


def test_the_servers_reason_is_told(page: Page) -> None:
    pick(page, "empty.pdf", data=b"")
    expect(page.get_by_role("alert")).to_contain_text("“empty.pdf” could not be sent")
    expect(page.get_by_role("alert")).to_contain_text("it is empty, of a kind it does not read")


def test_files_of_a_refused_question_come_back_with_it(page: Page) -> None:
    refuse_questions(page, 409, "Not now.", "busy")
    pick(page, "kept.pdf")
    ask(page, "refused")
    expect(page.get_by_role("alert")).to_have_text("Not now.")
    expect(chosen(page).locator(".file-name")).to_have_text("kept.pdf")
    page.unroute("**/chat?html=live")
    with page.expect_request("**/chat?html=live") as sent:
        page.locator("#question").press("Enter")
    assert len(sent.value.post_data_json["files"]) == 1


def test_pictures_are_pasted_and_numbered(page: Page) -> None:
    hand(page, "paste", ("image.png", "image/png"))
    expect(chosen(page)).to_have_count(1)
    hand(page, "paste", ("image.png", "image/png"), ("garden.png", "image/png"))
    expect(chosen(page).locator(".file-name")).to_have_text(
        ["image-1.png", "image-2.png", "garden.png"]
    )
    expect(page.locator('.chosen > [data-state="sent"]')).to_have_count(3)


def test_a_table_from_an_office_program_is_pasted_as_text(page: Page) -> None:
    hand(page, "paste", ("image.png", "image/png"), text="a table")
    assert page.evaluate("wasTaken") is False
    expect(page.locator(".chosen")).to_be_hidden()


def test_files_are_dropped_anywhere_on_the_page(page: Page) -> None:
    hint = page.get_by_text("Drop the files here")
    hand(page, "dragover", ("a.png", "image/png"), target="h1")
    assert page.evaluate("wasTaken")
    expect(hint).to_be_visible()
    hand(page, "dragleave", ("a.png", "image/png"), target="h1")
    expect(hint).to_be_hidden()
    hand(page, "dragover", ("a.png", "image/png"), target="h1")
    hand(page, "drop", ("a.png", "image/png"), ("b.exe", ""), target="h1")
    expect(hint).to_be_hidden()
    expect(chosen(page).locator(".file-name")).to_have_text(["a.png"])
    expect(page.get_by_role("alert")).to_contain_text("b.exe")


def test_text_is_dragged_as_ever(page: Page) -> None:
    hand(page, "dragover", text="only words")
    assert page.evaluate("wasTaken") is False


@pytest.fixture(scope="module")
def without_files(keep_site: Callable[..., Site], emulator: Emulator) -> Site:
    return keep_site(DEMO_URL=emulator.url, UPLOAD_MAX_MB=0)


def test_where_the_agent_takes_no_files_nothing_is_offered(
    person: Callable[..., Person], without_files: Site
) -> None:
    page = person(without_files).open()
    expect(page.locator("[type=file]")).to_have_count(0)
    for event in ("paste", "dragover", "drop"):
        hand(page, event, ("a.png", "image/png"))
        assert page.evaluate("wasTaken") is False
    has_ended(ask(page, "words will do"))


def test_without_javascript_the_files_go_along_with_the_form(person: Callable[..., Person]) -> None:
    page = person(java_script_enabled=False).open()
    pick(page, "plain.pdf", "figures.xlsx")
    page.locator("#question").fill("no script")
    page.get_by_role("button", name="Send").click()
    page.wait_for_url("**/c/*")
    expect(page.locator(".exchange .file-name")).to_have_text(["plain.pdf", "figures.xlsx"])


def test_without_their_module_the_form_takes_the_files_along(person: Callable[..., Person]) -> None:
    page = person().open()
    page.route(re.compile(r"/files\.js"), lambda route: route.abort())
    pick(page, "still.pdf")
    expect(page.get_by_role("alert")).to_contain_text("could not be reached")
    page.locator("#question").fill("all the same")
    page.locator("#question").press("Enter")
    page.wait_for_url("**/c/*")
    expect(page.locator(".exchange .file-name")).to_have_text("still.pdf")
