"""From an empty folder to an answer of the owner's own agent, in the browser alone."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.states import say
from tests.kit.browsing import PHONE, Person, has_ended
from tests.kit.desk import PASSWORD, links
from tests.kit.emulator import Emulator
from tests.kit.site import Site

pytestmark = pytest.mark.browser


def test_an_owner_gets_from_the_terminal_s_link_to_a_question_answered(
    emulator: Emulator, start_site: Callable[..., Site], person: Callable[..., Person]
) -> None:
    site = start_site(DEMO_URL=emulator.url)
    page = person(site, **PHONE).open(f"/admin/welcome?key={links(site)[-1]}")
    page.locator("#password").fill(PASSWORD)
    page.locator("#again").fill(PASSWORD)
    page.locator("main form button, .alone form button").first.click()
    page.locator("#paste").fill("https://www.coze.cn/space/1/bot/7480000000000000101")
    page.locator("form[action='/admin/agents'] button").click()
    page.locator("#option-api_token").fill("pat_demo_only_not_a_secret")
    page.locator("details summary").click()
    page.locator("#option-api_base").fill(emulator.url)
    page.locator("form[action='/admin/agents'] button").first.click()
    expect(page.get_by_role("status").first).to_be_visible()
    expect(page.locator("h1")).to_contain_text("模拟助手")
    page.locator("a[href^='/?agent=coze-']").click()
    expect(page.locator(".banner, .demo")).to_have_count(0)
    has_ended(say(page, "你好"))
