"""Code is coloured in the browser, also while it grows, by a worker that is ended if it is slow."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.kit.browsing import PHONE, Person, ask, has_ended, prose
from tests.kit.site import Site

pytestmark = pytest.mark.browser

CODE = "def add(a, b):\n    # a sum\n    return 'x' + str(a + b + 10)\n"
# A magic word keeps the emulator from introducing itself, with code of its own.
BLOCK = f"!pieces 3 5\n```python\n{CODE}```"
WORKER = re.compile(r"/compiled/colouring-worker\.js")
ENDLESS = """addEventListener("message", () => {
    postMessage({isStarted: true})
    for (;;);
})"""


def test_code_is_coloured_and_its_text_stays_the_same(page: Page) -> None:
    exchange = ask(page, BLOCK)
    has_ended(exchange)
    code = prose(exchange).locator("code")
    for colour, text in {
        "keyword": "def",
        "name": "add",
        "comment": "# a sum",
        "string": "'x'",
        "number": "10",
    }.items():
        expect(code.locator(f".code-{colour}").first).to_have_text(text)
    assert code.evaluate("code => code.textContent").strip() == CODE.strip()
    page.reload()
    expect(page.locator(".prose .code-keyword").first).to_have_text("def")


def test_code_is_coloured_while_it_grows_and_does_not_flicker(page: Page) -> None:
    line = "value = compute(1, 'two')  # three\n"
    exchange = ask(page, f"!pieces 80 60\n```python\n{line * 40}```")
    code = prose(exchange).locator("code")
    expect(code.locator(".code-string").first).to_be_attached()
    expect(exchange).to_have_attribute("data-state", "running")
    page.evaluate("""() => {
        window.plain = 0
        const watch = () => {
            const code = document.querySelector(".prose code")
            if (code && !code.querySelector(".code-string")) window.plain++
            requestAnimationFrame(watch)
        }
        watch()
    }""")
    first = code.locator(".code-string").count()
    has_ended(exchange)
    expect(code.locator(".code-comment")).to_have_count(40)
    assert code.locator(".code-string").count() > first
    assert page.evaluate("window.plain") == 0


NOTE_GROWTH = """() => {
    window.growth = []
    let length = 0
    const watch = () => {
        const text = document.querySelector(".prose code")?.textContent ?? ""
        if (text.length !== length) window.growth.push(performance.now())
        length = text.length
        requestAnimationFrame(watch)
    }
    watch()
}"""


def test_a_long_block_grows_at_least_four_times_a_second(page: Page) -> None:
    page.evaluate(NOTE_GROWTH)
    code = "".join(f"value_{number} = compute({number}, 'text')\n" for number in range(200))
    exchange = ask(page, f"!pieces 100 50\n```python\n{code}```")
    has_ended(exchange)
    growth = page.evaluate("growth")
    seconds = (growth[-1] - growth[0]) / 1000
    assert len(growth) / seconds >= 4


def test_a_grammar_that_does_not_end_is_ended(page: Page) -> None:
    page.route(WORKER, lambda route: route.fulfill(content_type="text/javascript", body=ENDLESS))
    exchange = ask(page, BLOCK)
    has_ended(exchange)
    page.wait_for_timeout(1500)
    assert prose(exchange).locator("code span").count() == 0
    page.unroute(WORKER)
    has_ended(ask(page, f"once more {BLOCK}"))
    expect(page.locator(".exchange").nth(1).locator(".code-keyword").first).to_be_attached()


@pytest.mark.parametrize("missing", ["Worker", "IntersectionObserver", "module workers"])
def test_an_old_browser_shows_code_all_the_same(
    person: Callable[..., Person], missing: str
) -> None:
    alice = person(**PHONE)
    if missing == "module workers":
        # Such a browser takes the worker for a classic script, and fails at its imports.
        alice.context.add_init_script("""
            const Real = Worker
            window.Worker = class { constructor(url) { return new Real(url) } }
        """)
    else:
        alice.context.add_init_script(f"delete window.{missing}")
    page = alice.open()
    page.locator("#question").fill(BLOCK)
    page.locator(".send").click()
    has_ended(page.locator(".exchange"))
    page.wait_for_timeout(500)
    assert page.locator(".prose code").evaluate("code => code.textContent").strip() == CODE.strip()
    is_coloured = page.locator(".prose .code-keyword").count() > 0
    assert is_coloured == (missing == "IntersectionObserver")


def test_without_a_script_code_is_plain(person: Callable[..., Person]) -> None:
    page = person(java_script_enabled=False).open()
    page.locator("#question").fill(BLOCK)
    page.locator(".send").click()
    expect(page.locator(".prose code")).to_contain_text("return", timeout=20_000)


def test_what_has_no_code_and_no_formula_loads_nothing_for_them(
    person: Callable[..., Person], site: Site
) -> None:
    page = person(site).open()
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    has_ended(ask(page, "!pieces 3 5 only words and `a span`"))
    page.wait_for_load_state("networkidle")
    assert not [url for url in urls if "colouring" in url or "/vendor/" in url]
