"""Conversations in a browser: reopened, searched, renamed, deleted, restored, shared, moved."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from chat import storage
from chat.settings.model import Settings
from chat.visitors.access import COOKIE, Visitors
from tests.kit.browsing import (
    DEVICES,
    PHONE,
    Person,
    ask,
    has_ended,
    open_settings,
    prose,
    refuse_questions,
)
from tests.kit.emulator import Emulator, coze
from tests.kit.filling import fill
from tests.kit.patience import eventually
from tests.kit.site import Site, Visitor

pytestmark = pytest.mark.browser

KEY = "not a secret at all"


def say(page: Page, question: str) -> None:
    """Asks with the button, with or without a script, and waits for the answer."""
    count = page.locator("#transcript > .exchange").count()
    page.locator("#question").fill(question)
    page.locator(".send").click()
    has_ended(page.locator("#transcript > .exchange").nth(count))


def questions(page: Page) -> list[str]:
    # Also of what is out of sight.
    return page.locator(".question-text").all_text_contents()


# versions


def test_an_edited_question_takes_the_place_of_the_old_one(page: Page) -> None:
    for question in ("one", "two", "three"):
        has_ended(ask(page, question))
    second = page.locator(".exchange").nth(1)
    second.hover()
    second.get_by_role("link", name="Edit the question").click()
    expect(page.locator("#question")).to_have_value("two")
    page.locator("#question").fill("two, but better")
    page.locator("#question").press("Enter")
    expect(page.locator(".exchange")).to_have_count(2)
    has_ended(page.locator(".exchange").nth(1))
    assert questions(page) == ["one", "two, but better"]
    page.get_by_role("link", name="Earlier version").click()
    expect(page.locator(".exchange")).to_have_count(3)
    assert questions(page) == ["one", "two", "three"]
    say(page, "four")
    assert questions(page) == ["one", "two", "three", "four"], "the old branch goes on"
    page.reload()
    assert questions(page) == ["one", "two", "three", "four"]


def test_the_arrow_up_edits_the_last_question(page: Page) -> None:
    has_ended(ask(page, "nearly right"))
    page.locator("#question").press("ArrowUp")
    expect(page.locator("#question")).to_have_value("nearly right")
    page.keyboard.press("Escape")
    expect(page.locator("#question")).to_have_value("")


def test_a_refused_edit_leaves_everything_as_it_was(page: Page) -> None:
    for question in ("one", "two"):
        has_ended(ask(page, question))
    refuse_questions(page, 429, "slower", "rate_limited")
    page.locator(".again").last.click()
    expect(page.get_by_role("alert")).to_have_text("slower")
    assert questions(page) == ["one", "two"]


# a long conversation, and a long list


@pytest.fixture(scope="module")
def rich(keep_site: Callable[..., Site], emulator: Emulator) -> tuple[Site, dict[str, Any], str]:
    """A site, the cookie of somebody with hundreds of conversations, and the id of a long one."""
    site = keep_site(**coze(emulator), SECRET_KEY=KEY)
    store = storage.connect(Settings(database_url=f"sqlite:///{site.folder}/instance/chat.db"))
    fill(store.engine, "rich", conversations=450, answers=1, apart_s=900, words=10)
    (long,) = fill(store.engine, "rich", conversations=1, answers=45, words=10)
    with store.engine.begin() as db:
        db.exec_driver_sql(
            "update answers set replies = json_array(?)"
            " where id = (select min(id) from answers where conversation_id = ?)",
            ("```python\nx = 1\n```", long),
        )
    # Of one day, and more than a page of the list.
    fill(store.engine, "busy", conversations=130, answers=1, apart_s=0.01, words=10)
    store.close()
    return site, cookie_of("rich", site), long


def cookie_of(visitor: str, site: Site) -> dict[str, Any]:
    return {"name": COOKIE, "value": Visitors(KEY).cookie(visitor), "url": site.url}


def test_earlier_messages_come_in_above_and_nothing_moves(
    person: Callable[..., Person], rich: tuple[Site, dict[str, Any], str]
) -> None:
    site, cookie, long = rich
    alice = person(site)
    alice.context.add_cookies([cookie])
    page = alice.open(f"/c/{long}")
    expect(page.locator(".exchange")).to_have_count(20)
    first = page.locator(".exchange").first
    first.scroll_into_view_if_needed()
    page.locator("[data-more]").scroll_into_view_if_needed()
    before = first.bounding_box()
    page.locator("[data-more]").click()
    expect(page.locator(".exchange")).to_have_count(40)
    after = page.locator(".exchange").nth(20).bounding_box()
    assert before and after and abs(before["y"] - after["y"]) < 60, "only the link's own height"
    page.locator("[data-more]").click()
    expect(page.locator(".exchange")).to_have_count(45)
    expect(page.locator("[data-more]")).to_have_count(0)
    # An id begins with the moment it was made.
    ids = page.locator(".exchange").evaluate_all("all => all.map(one => one.dataset.messageId)")
    assert ids == sorted(set(ids))
    expect(
        page.locator(".exchange").first.get_by_role("button", name="Copy the code")
    ).to_have_count(1)


def test_a_long_list_goes_on_as_it_is_scrolled(
    person: Callable[..., Person], rich: tuple[Site, dict[str, Any], str]
) -> None:
    site, cookie, _ = rich
    alice = person(site)
    alice.context.add_cookies([cookie])
    page = alice.open()
    assert page.locator(".sidebar .conversation").count() <= 51
    page.get_by_role("link", name="All conversations").click()
    links = page.locator("#all .conversation")
    expect(links).to_have_count(100)
    for hundreds in (2, 3, 4):
        links.last.scroll_into_view_if_needed()
        expect(links).to_have_count(100 * hundreds)
    days = page.locator("#all section").evaluate_all(
        "sections => sections.map(section => section.dataset.day)"
    )
    assert len(days) == len(set(days)), "a day goes on where it has begun"
    open_settings(page)
    page.locator("a[href='/conversations#forget']").click()
    expect(page.locator("#forget summary")).to_be_in_viewport()
    expect(links).to_have_count(400)


def test_what_begins_today_stands_under_today(page: Page, site: Site) -> None:
    days = page.locator(".sidebar .day:visible")
    expect(days).to_have_count(0)
    has_ended(ask(page, "from yesterday"))
    expect(days).to_have_text(["Today"])
    with closing(sqlite3.connect(site.folder / "instance/chat.db", timeout=10)) as db, db:
        earlier = (
            "update conversations set updated_at = datetime(updated_at, '-1 day') where id = ?"
        )
        assert db.execute(earlier, [page.url.rpartition("/")[2]]).rowcount == 1
    page.goto(f"{site.url}/")
    expect(days).to_have_text(["Yesterday"])
    has_ended(ask(page, "from today"))
    expect(days).to_have_text(["Today", "Yesterday"])
    expect(page.locator("#conversations .conversation .truncate")).to_have_text("from today")


# with a script and without


# Each device once, each language and the lack of a script at least once.
@pytest.mark.parametrize(
    ("device", "language", "has_script"),
    [("phone", "zh-CN", True), ("tablet", "en-US", False), ("desk", "zh-CN", False)],
)
def test_all_of_the_history_works(
    person: Callable[..., Person], device: str, language: str, has_script: bool
) -> None:
    page = person(**DEVICES[device], locale=language, java_script_enabled=has_script).open()
    say(page, "春天的青铜器")
    page.locator(".menu-box summary").click()
    page.locator("#title").fill("展厅")
    page.locator("form[action$='/title'] button").click()
    expect(page).to_have_title(re.compile("^展厅"))
    page.goto(page.url.split("/c/")[0] + "/search?q=青铜")
    expect(page.locator("mark").first).to_have_text("青铜")
    page.locator(".found a").click()
    expect(prose(page.locator(".exchange"))).to_contain_text("春天的青铜器")
    page.locator(".menu-box summary").click()
    page.locator(".menu-sheet form[action$='/share'] button").click()
    link = page.locator("#share-link").input_value()
    page.locator("form[action$='/delete'] button").click()
    expect(page.locator("#conversations .conversation")).to_have_count(0)
    if has_script:
        expect(page.locator("body > [role=status]")).to_contain_text("展厅")
    assert page.request.get(link).status == 404
    page.locator("form[action$='/restore'] button").click()
    expect(page).to_have_title(re.compile("^展厅"))
    assert (
        page.evaluate("document.documentElement.scrollWidth <= innerWidth") if has_script else True
    )


def test_without_a_script_the_new_answer_is_in_sight(person: Callable[..., Person]) -> None:
    page = person(**PHONE, java_script_enabled=False).open()
    for question in ("!markdown", "and now?"):
        say(page, question)
        expect(prose(page.locator(".exchange").last)).to_be_in_viewport()
        expect(page.locator(".bar")).to_be_in_viewport(ratio=1)


def test_without_a_script_a_running_answer_is_read_on_by_a_link(
    person: Callable[..., Person], site: Site, alice: Visitor
) -> None:
    hearing = alice.hear("!pieces 200 100")
    while next(hearing).name != "delta":
        pass
    reader = person(**PHONE, java_script_enabled=False)
    cookie = {"name": COOKIE, "value": alice.session.cookies[COOKIE], "url": site.url}
    reader.context.add_cookies([cookie])  # type: ignore[list-item]
    page = reader.open(f"/c/{alice.conversation}#m-{alice.message}")
    assert page.locator("[http-equiv=refresh]").count() == 0, (
        "it would take what is being typed along"
    )
    before = prose(page.locator(".exchange")).inner_text()
    link = page.get_by_role("link", name="Show the answer so far")
    assert eventually(
        lambda: link.click() or prose(page.locator(".exchange")).inner_text() != before
    )
    expect(page.locator(".question")).to_be_in_viewport()
    page.get_by_role("button", name="Stop").click()
    has_ended(page.locator(".exchange"), "stopped")


@pytest.mark.parametrize(("language", "has_script"), [("zh-CN", True), ("en-US", False)])
def test_conversations_move_to_another_device(
    person: Callable[..., Person], language: str, has_script: bool
) -> None:
    here = person(locale=language, java_script_enabled=has_script).open()
    say(here, "for my phone too")
    here.goto(here.url.split("/c/")[0] + "/device")
    here.locator("form[action='/device'] button").click()
    code = here.locator(".code-shown").inner_text().strip()
    there = person(**PHONE, locale=language, java_script_enabled=has_script).open("/device")
    there.locator("#code").fill(code.lower().replace("-", " "))
    there.locator("form[action='/device/claim'] button").click()
    there.locator("label.menu").click()
    expect(there.locator("#conversations")).to_contain_text("for my phone too")
    again = person(**PHONE).open(f"/device?code={code}")
    expect(again.get_by_role("alert")).to_be_visible()


def test_what_was_here_comes_along_only_when_asked_to(person: Callable[..., Person]) -> None:
    here, there = person().open(), person(**PHONE).open()
    say(here, "from the desk")
    say(there, "from the phone")
    here.goto(here.url.split("/c/")[0] + "/device")
    here.locator("form[action='/device'] button").click()
    there.goto(
        there.url.split("/c/")[0]
        + f"/device?code={here.locator('.code-shown').inner_text().strip()}"
    )
    there.get_by_role("button", name="Continue, and bring them along").click()
    there.locator("label.menu").click()
    expect(there.locator("#conversations .conversation")).to_have_count(2)
    here.goto(here.url.split("/device")[0])
    expect(here.locator("#conversations .conversation")).to_have_count(2)


def test_the_link_is_copied_and_the_menu_closes(page: Page) -> None:
    has_ended(ask(page, "to be shared"))
    page.locator(".menu-box summary").click()
    page.get_by_role("button", name="Share link").click()
    expect(page.locator("#share-link")).to_be_focused()
    page.get_by_role("button", name="Copy the link").click()
    expect(page.locator("body > [role=status]")).to_have_text("Copied")
    page.keyboard.press("Escape")
    expect(page.locator(".menu-box .menu-sheet")).to_be_hidden()
    page.locator(".menu-box summary").click()
    page.locator("#question").click()
    expect(page.locator(".menu-box .menu-sheet")).to_be_hidden()
    page.locator(".menu-box summary").press("Enter")
    # What has the focus next lies behind it.
    page.locator(".menu-sheet").get_by_role("button", name="Delete").press("Tab")
    expect(page.locator(".menu-box .menu-sheet")).to_be_hidden()


def test_the_link_of_an_agent_is_copied(page: Page) -> None:
    page.goto(page.url + "agents/coze")
    page.get_by_role("button", name="Copy the link").click()
    expect(page.locator("body > [role=status]")).to_have_text("Copied")


def test_the_language_changes_in_place(page: Page) -> None:
    page.goto(page.url + "search?q=bronze")
    open_settings(page)
    page.get_by_role("link", name="中文").click()
    assert "q=bronze" in page.url
    expect(page.locator("h1")).to_have_text("搜索对话")
    page.goto(page.url.partition("search")[0])
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.get_by_role("link", name="新对话").first).to_be_visible()


def test_what_deletes_everything_is_large_enough_to_touch(person: Callable[..., Person]) -> None:
    page = person(**PHONE).open("/conversations")
    page.locator("#forget summary").tap()
    for part in ("summary", "label", "button"):
        box = page.locator(f"#forget {part}").bounding_box()
        assert box and box["height"] >= 43.9, part


# at hand


def test_a_conversation_is_renamed_and_pinned_from_its_row_without_leaving_the_page(
    page: Page,
) -> None:
    say(page, "first words")
    page.locator("#question").fill("a draft that stays")
    row = page.locator(".sidebar .row")
    row.hover()
    row.locator(".row-more").click()
    row.locator("[name=title]").fill("another name")
    row.get_by_role("button", name="Rename").click()
    expect(page.locator(".sidebar .row .truncate")).to_have_text("another name")
    expect(row.locator(".row-more")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(row.locator("a.row-more")).to_be_focused()
    page.keyboard.press("Enter")
    row.get_by_role("button", name="Pin", exact=True).click()
    expect(page.locator("[data-pinned] .truncate")).to_have_text("another name")
    expect(page.locator("#question")).to_have_value("a draft that stays")
    expect(page).to_have_title(re.compile("^another name"))


def test_several_of_a_long_list_stay_chosen_while_another_is_pinned(
    person: Callable[..., Person], rich: tuple[Site, dict[str, Any], str]
) -> None:
    site, _, _ = rich
    busy = person(site)
    busy.context.add_cookies([cookie_of("busy", site)])  # type: ignore[list-item]
    page = busy.open("/conversations")
    rows = page.locator("#lists .row")
    rows.last.scroll_into_view_if_needed()
    # The rest belongs to a day that has begun.
    expect(rows).to_have_count(130)
    expect(page).to_have_url(f"{site.url}/conversations")
    for number in (2, 120):
        rows.nth(number).get_by_role("checkbox").check()
    last = rows.last
    title = last.locator(".truncate").inner_text()
    last.hover()
    last.locator(".row-more").click()
    last.get_by_role("button", name="Pin", exact=True).click()
    expect(page.locator("#lists [data-pinned] .truncate")).to_have_text(title, timeout=20_000)
    expect(page.locator("#lists :checked")).to_have_count(2)
    expect(rows).to_have_count(130)
    page.get_by_role("button", name="Delete selected").click()
    expect(page.get_by_role("main").get_by_role("status")).to_have_text("Conversations deleted: 2")
    page.get_by_role("button", name="Delete selected").click()
    expect(page.get_by_role("alert")).to_contain_text("Select the conversations")


def description(page: Page, address: str) -> str:
    """What messengers show below the title of a link."""
    match = re.search(r'"og:description" content="([^"]*)"', page.request.get(address).text())
    assert match
    return match[1]


def test_an_answer_is_shared_by_link_picture_and_copy(page: Page) -> None:
    say(page, "to be shared")
    page.get_by_role("button", name="Share", exact=True).click()
    dialog = page.get_by_role("dialog", name="Share")
    address = dialog.get_by_label("Link to this conversation").input_value()
    assert "to be shared" not in description(page, address)
    box = dialog.get_by_label("Show the first question in previews")
    box.check()
    # Until the site has answered it takes no other choice; then it has the focus again.
    expect(box).to_be_enabled()
    expect(box).to_be_focused()
    assert "to be shared" in description(page, address)
    # What goes wrong meanwhile is said in the sheet, which lies over the page.
    page.route("**/share", lambda route: route.abort())
    box.click()
    expect(dialog.get_by_role("alert")).to_contain_text("could not be reached")
    expect(box).to_be_checked()
    dialog.get_by_role("button", name="Copy the link").click()
    # Behind it nobody would hear it.
    expect(dialog.get_by_role("status")).to_have_text("Copied")
    with page.expect_download() as download:
        dialog.get_by_role("button", name="As a picture").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_shortcuts_go_to_agents_and_conversations_but_not_while_one_writes(page: Page) -> None:
    say(page, "青铜器在哪个展厅")
    page.locator("#question").press("/")
    page.locator("#question").press("?")
    expect(page.locator("#question")).to_have_value("/?")
    page.keyboard.press("Control+Shift+KeyO")
    expect(page.locator(".welcome")).to_be_visible()
    page.keyboard.press("Control+k")
    expect(page.locator("dialog input")).to_be_focused()
    expect(page.locator("dialog li").last).to_have_text("All conversations")
    page.keyboard.type("青铜")
    expect(page.locator("dialog li")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator(".question-text")).to_have_text("青铜器在哪个展厅")
    page.locator("#question").blur()
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(keys.locator("kbd")).to_have_count(8)
    keys.get_by_role("button", name="Close").click()
    expect(keys).to_have_count(0)
    page.keyboard.press("/")
    expect(page.locator("#question")).to_be_focused()
    # What was typed here before, and nothing more.
    expect(page.locator("#question")).to_have_value("/?")


def test_keys_that_work_alone_can_be_switched_off(page: Page) -> None:
    keys = page.get_by_role("dialog", name="Keyboard shortcuts")
    choice = keys.get_by_role("checkbox", name="Use the single-key shortcuts / and ?")
    page.locator(".settings > summary").click()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    choice.uncheck()
    page.keyboard.press("Escape")
    page.reload()
    page.locator("#question").blur()
    page.keyboard.press("?")
    page.keyboard.press("/")
    expect(page.locator("#question")).not_to_be_focused()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog", name="Go to")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator(".settings > summary").click()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(choice).not_to_be_checked()
    choice.check()
    page.keyboard.press("Escape")
    page.locator(".settings > summary").blur()
    page.keyboard.press("?")
    expect(choice).to_be_checked()


def test_the_sidebar_stays_folded_away(page: Page) -> None:
    page.locator(".sidebar label[for=fold]").click()
    expect(page.locator(".sidebar")).to_be_hidden()
    page.reload()
    expect(page.locator(".sidebar")).to_be_hidden()
    page.locator(".unfold").click()
    expect(page.locator(".sidebar")).to_be_visible()


def test_back_closes_what_lies_over_a_phone_s_page(person: Callable[..., Person]) -> None:
    page = person(**PHONE).open()
    say(page, "!image under one thumb")
    address = page.url
    for opener, layer in (
        ("label.menu", ".sidebar"),
        (".menu-box summary", ".menu-box .menu-sheet"),
        (".media .picture, .prose .image", "#lightbox"),
        ("[data-share] button", "dialog.sheet"),
    ):
        page.locator(opener).first.tap()
        expect(page.locator(layer)).to_be_visible()
        if layer == "dialog.sheet":
            # Where nothing can be downloaded, a picture is saved by holding it.
            page.get_by_role("button", name="As a picture").tap()
            expect(page.get_by_role("img", name="The answer as a picture")).to_be_visible()
        # A menu says a moment later that it is open.
        page.wait_for_function("() => history.state?.isCovered")
        page.go_back()
        expect(page.locator(layer)).to_be_hidden()
        expect(page).to_have_url(address)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Take a picture").tap()
    camera = chooser.value.element
    assert camera.get_attribute("capture") is not None
    assert camera.get_attribute("accept") == "image/jpeg,image/png"


@pytest.mark.parametrize("way", [0, -80], ids=["long press", "swipe"])
def test_a_finger_opens_the_menu_of_a_conversation_and_not_the_conversation(
    person: Callable[..., Person], way: int
) -> None:
    alice = person(**PHONE)
    page = alice.open()
    say(page, "to be touched")
    page.goto(page.url.partition("/c/")[0])
    page.locator("label.menu").tap()
    box = page.locator(".sidebar .row .conversation").bounding_box()
    assert box
    fingers = alice.context.new_cdp_session(page)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def touch(kind: str, *points: dict[str, float]) -> None:
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})

    # The module comes with the first touch, which scrolls.
    touch("touchStart", {"x": x, "y": y})
    touch("touchMove", {"x": x, "y": y - 40})
    touch("touchEnd")
    touch("touchStart", {"x": x, "y": y})
    for step in range(1, 5):
        touch("touchMove", {"x": x + way * step / 4, "y": y})
    expect(page.locator("dialog.row-menu")).to_be_visible()
    touch("touchEnd")
    page.get_by_role("button", name="Pin", exact=True).tap()
    expect(page.locator(".sidebar [data-pinned] .truncate")).to_have_text("to be touched")
    expect(page.locator(".welcome")).to_be_attached()
