"""Every state of the page that a visitor can see, and how to get there; a new one is one line."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urljoin

from playwright.sync_api import Locator, Page, expect

from tests.kit.browsing import has_ended, prose
from tests.kit.desk import PASSWORD

FULL = "!markdown !think !tool !cite !image !suggest 这件展品有什么故事？"
PDF = {"name": "展品目录 2026.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4"}


@dataclass(frozen=True)
class State:
    """One state of the demo's page. `reach` starts from the welcome."""

    name: str
    reach: Callable[[Page], object]
    is_for_phones: bool = False
    has_script: bool = True


def go(page: Page, path: str) -> None:
    page.goto(urljoin(page.url, path))


def at_desk(path: str) -> Callable[[Page], None]:
    """A page of the owner's desk, for a browser that is signed in or not."""

    def reach(page: Page) -> None:
        go(page, path)
        if page.locator("form[action='/admin/sign-in']").count():
            page.locator("#password").fill(PASSWORD)
            page.locator("form[action='/admin/sign-in'] button").click()
            page.wait_for_url(urljoin(page.url, path))

    return reach


def signing_in_wrongly(page: Page) -> None:
    """The form after a wrong password, which opens nothing, also for who is signed in."""
    page.context.clear_cookies()
    go(page, "/admin/sign-in")
    page.locator("#password").fill("something else entirely")
    page.locator("form[action='/admin/sign-in'] button").click()
    expect(page.get_by_role("alert")).to_be_visible()


def doctor(page: Page) -> None:
    """The report of the doctor, which is there once one was made."""
    at_desk("/admin/doctor")(page)
    if not page.locator(".finding").count():
        page.locator("main form button").first.click()
    expect(page.locator(".finding").first).to_be_visible()


def connecting(page: Page) -> None:
    """The form that asks for what a paste did not hold."""
    at_desk("/admin/agents")(page)
    page.locator("#paste").fill("https://www.coze.cn/space/1/bot/7480000000000000101")
    page.locator("form[action='/admin/agents'] button").click()
    expect(page.locator("#option-api_token")).to_be_visible()


def sending_without_a_session(page: Page) -> None:
    """A form that was filled in while the session ended."""
    at_desk("/admin/codes")(page)
    page.context.clear_cookies(name="owner")
    page.locator("#name").fill("ann")
    page.locator("form[action='/admin/codes'] button").click()
    expect(page.locator("a[target='_blank']")).to_be_visible()


def change_agent(page: Page) -> None:
    """The page of an agent that was connected at the desk, with all its options."""
    at_desk("/admin/agents")(page)
    if not page.locator(".agent-name a").count():
        connecting(page)
        page.locator("#option-api_token").fill("pat_demo_only_not_a_secret")
        page.locator("form[action='/admin/agents'] button").first.click()
        # Nobody answers where the demo's token is good.
        page.locator("button[name=anyway]").click()
    else:
        page.locator(".agent-name a").first.click()
    page.locator("form details summary").click()


def change_agent_wrongly(page: Page) -> None:
    change_agent(page)
    page.locator("#daily_limit").fill("many")
    page.locator("form[enctype] button").click()
    expect(page.get_by_role("alert").get_by_role("link")).to_be_visible()


def change_site_wrongly(page: Page) -> None:
    at_desk("/admin/site")(page)
    page.locator("#accent_color").fill("no colour")
    page.locator("form[enctype] button").click()
    expect(page.get_by_role("alert").get_by_role("link")).to_be_visible()


def make_code(page: Page) -> None:
    at_desk("/admin/codes")(page)
    page.locator("#name").fill(f"class{time.time_ns()}")
    page.locator("form[action='/admin/codes'] button").click()
    expect(page.locator(".qr")).to_be_visible()


def desk_drawer(page: Page) -> None:
    at_desk("/admin/password")(page)
    page.locator("label.menu").click()
    expect(page.locator(".sidebar")).to_be_visible()


def say(page: Page, question: str) -> Locator:
    """Asks with the button: on a phone Enter only breaks the line."""
    count = page.locator("#transcript > .exchange").count()
    page.locator("#question").fill(question)
    page.locator(".send").click()
    return page.locator("#transcript > .exchange").nth(count)


def answered(page: Page) -> None:
    has_ended(say(page, FULL))


def opened(what: str) -> Callable[[Page], None]:
    """The answered conversation with its part of this class open."""

    def reach(page: Page) -> None:
        answered(page)
        page.locator(f".{what} summary").first.click()
        expect(page.locator(f".{what}[open]").first).to_be_visible()

    return reach


def everything_opened(page: Page) -> None:
    """The answered conversation with all its parts open."""
    answered(page)
    for what in ("thought", "citations", "tool details", "about"):
        page.locator(f".{what} summary").first.click()
        expect(page.locator(f".{what}[open]").first).to_be_visible()


def written(page: Page) -> None:
    """A question that is not sent yet, with its file."""
    page.locator("#question").fill("我想看看青铜器，\n应该从哪个展厅开始？")
    page.locator("[type=file]").set_input_files(PDF)  # type: ignore[arg-type]


def streaming(page: Page) -> None:
    expect(prose(say(page, "!markdown !pieces 80 300")).locator("h3")).to_be_visible()


def working(page: Page) -> None:
    exchange = say(page, "!think !tool !pause 30 今天有什么活动？")
    expect(exchange.locator(".tools li").first).to_be_attached()


def failed(page: Page) -> None:
    has_ended(say(page, "!late-error"), "failed")


def stopped(page: Page) -> None:
    expect(prose(exchange := say(page, "!endless"))).not_to_be_empty()
    page.keyboard.press("Escape")
    has_ended(exchange, "stopped")


def queued(page: Page) -> None:
    """Qingyan answers two at once: these two, slowly."""
    go(page, "/?agent=qingyan")
    page.evaluate("""() => { for (const number of [1, 2]) fetch("/chat", {
        method: "POST",
        headers: {"Content-Type": "application/json"},
        body: JSON.stringify({message: `!slow 9 ${number}`, agent: "qingyan", stream: true}),
    }) }""")
    page.wait_for_timeout(500)
    expect(say(page, "轮到我了吗？").locator(".progress")).to_have_text(re.compile("queue|排队"))


def drawer(page: Page) -> None:
    has_ended(say(page, "这里有什么？"))
    page.locator("label.menu").click()
    expect(page.locator(".sidebar")).to_be_visible()


def editing(page: Page) -> None:
    answered(page)
    page.locator("[data-edit]").click()
    expect(page.locator(".editing")).to_be_visible()


def rated(page: Page) -> None:
    """The answered conversation, its answer found useless, with the field for the reason open."""
    answered(page)
    page.locator("[data-rate=down]").click()
    expect(page.locator(".reason textarea")).to_be_visible()


def versions(page: Page) -> None:
    answered(page)
    page.locator(".again").click()
    expect(page.locator(".versions")).to_contain_text("2 / 2")
    has_ended(page.locator(".exchange"))


def menu(page: Page) -> None:
    answered(page)
    page.locator(".menu-box summary").click()
    expect(page.locator(".menu-box .menu-sheet")).to_be_visible()


def sharing(page: Page) -> None:
    menu(page)
    page.locator(".menu-sheet form[action$='/share'] button").click()
    expect(page.locator("#share-link")).to_be_visible()


def passing_on(page: Page) -> None:
    answered(page)
    page.locator("[data-share] button").click()
    expect(page.locator("dialog .qr")).to_be_visible()


def switching(page: Page) -> None:
    page.locator(".switch summary").click()
    expect(page.locator(".switch .menu-sheet")).to_be_visible()


def going_to(page: Page) -> None:
    page.keyboard.press("Control+k")
    expect(page.locator("dialog li").first).to_be_visible()


def row_menu(page: Page) -> None:
    """What can be done with a conversation in the list."""
    if page.locator("label.menu").is_visible():
        page.locator("label.menu").click()
    row = page.locator(".sidebar .row").first
    row.hover()
    row.locator(".row-more").click()
    expect(page.locator(".row-menu[open]")).to_be_visible()


def menu_of_a_row(page: Page) -> None:
    has_ended(say(page, "这里有什么？"))
    row_menu(page)


def shared(page: Page) -> None:
    sharing(page)
    page.goto(page.locator("#share-link").input_value())


def deleted(page: Page) -> None:
    menu(page)
    page.locator("form[action$='/delete'] button").click()
    expect(page.locator("form[action$='/restore']")).to_be_visible()


def searched(page: Page) -> None:
    has_ended(say(page, "青铜器在哪个展厅？"))
    go(page, "/search?q=展厅")
    expect(page.locator("mark").first).to_be_visible()


def listed(page: Page) -> None:
    has_ended(say(page, "青铜器在哪个展厅？"))
    go(page, "/conversations")


def moving(page: Page) -> None:
    has_ended(say(page, "青铜器在哪个展厅？"))
    go(page, "/device")
    page.locator("form[action='/device'] button").click()
    expect(page.locator(".qr")).to_be_visible()


def pictured(page: Page) -> None:
    answered(page)
    page.locator(".prose .image, .media .picture").first.click()
    expect(page.locator("#lightbox")).to_be_visible()


def questions(page: Page) -> None:
    """What visitors asked, one answer of it found useless."""
    go(page, "/")
    rated(page)
    expect(page.locator("[data-rate=down]")).to_have_attribute("aria-pressed", "true")
    at_desk("/admin/questions")(page)


def read_conversation(page: Page) -> None:
    """The newest conversation as the owner reads it, with what came when."""
    at_desk("/admin/questions")(page)
    page.locator(".answer-line a").first.click()
    page.locator(".panel .as-table summary").last.click()
    expect(page.locator(".panel .rows").last).to_be_visible()


STATES = (
    State("welcome", lambda page: None),
    State(
        "typing",
        lambda page: page.locator("#question").fill("我想看看青铜器，\n应该从哪个展厅开始？"),
    ),
    State("file chosen", lambda page: page.locator("[type=file]").set_input_files(PDF)),  # type: ignore[arg-type]
    State("streaming", streaming),
    State("working", working),
    State("queued", queued),
    State("answered", answered),
    State("thought open", opened("thought")),
    State("sources open", opened("citations")),
    State("step open", opened("tool details")),
    State("details open", opened("about")),
    State("picture open", pictured),
    State("editing", editing),
    State("rated", rated),
    State("versions", versions),
    State("menu", menu),
    State("sharing", sharing),
    State("passing on", passing_on),
    State("switching the agent", switching),
    State("going to", going_to),
    State("menu of a row", menu_of_a_row),
    State("all agents", lambda page: go(page, "/agents")),
    State("an agent's link", lambda page: go(page, "/agents/coze")),
    State("shared", shared),
    State("deleted", deleted),
    State("search", searched),
    State("search without a match", lambda page: go(page, "/search?q=无")),
    State("all conversations", listed),
    State("no conversations", lambda page: go(page, "/conversations")),
    State("another device", moving),
    State("wrong code", lambda page: go(page, "/device?code=WRONG")),
    State("too long", lambda page: page.locator("#question").fill("长" * 8100)),
    State("failed", failed),
    State("stopped", stopped),
    State("drawer", drawer, is_for_phones=True),
    State("not found", lambda page: go(page, "/c/nothing")),
    State("no script", lambda page: None, has_script=False),
)
# The owner's desk. A test walks through them in one browser; a page of it is one line here.
DESK_STATES = (
    State("desk today", at_desk("/admin")),
    State("desk usage", at_desk("/admin/usage?days=30")),
    State("desk questions", questions),
    State("desk conversation", read_conversation),
    State("desk ratings", at_desk("/admin/thumbs")),
    State("desk doctor", doctor),
    State("desk backup", at_desk("/admin/backup")),
    State("desk agents", at_desk("/admin/agents")),
    State("desk connect an agent", connecting),
    State("desk site", at_desk("/admin/site")),
    State("desk blocked", at_desk("/admin/blocked")),
    State("desk log", at_desk("/admin/log")),
    State("desk one-time codes", at_desk("/admin/one-time")),
    State("desk password", at_desk("/admin/password")),
    State("desk drawer", desk_drawer, is_for_phones=True),
    State("desk site, wrong", change_site_wrongly),
    # From here on the site is no demo any more.
    State("desk agent", change_agent),
    State("desk agent, wrong", change_agent_wrongly),
    State("desk new code", make_code),
    State("desk access codes", at_desk("/admin/codes")),
    State("desk signed out", sending_without_a_session),
    State("desk sign-in", signing_in_wrongly),
)
