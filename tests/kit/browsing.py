"""People at a browser: a real Chromium, and a note of whatever a page does that it must not."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.kit.site import Site

# Debian's Chromium without its own windows: a context opens three times as fast as with them.
CHROMIUM = "/usr/bin/chromium-headless-shell"
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
TABLET = {"viewport": {"width": 768, "height": 1024}}
DESK = {"viewport": {"width": 1440, "height": 900}}
DEVICES: dict[str, dict[str, Any]] = {"phone": PHONE, "tablet": TABLET, "desk": DESK}
# How many pixels there are below what is seen.
GAP = "scroller => scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop"
# A name, not a number: browsers trust loopback numbers, but on plain http they trust no name.
INSECURE_HOST = "site.test"
# Where the page sends a question.
QUESTIONS = "**/chat?html=live"


@dataclass
class Person:
    """Somebody at a browser. Whatever the page does wrong meanwhile is noted."""

    site: Site
    context: BrowserContext
    faults: list[str] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)

    def open(self, path: str = "/", host: str = "127.0.0.1") -> Page:
        """A new tab."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda message: self._judge_message(message.text))
        page.on("request", lambda request: self._judge_address(request.url))
        page.goto(f"http://{host}:{self.site.port}{path}")
        self.pages.append(page)
        return page

    def _judge_message(self, text: str) -> None:
        if "Content Security Policy" in text or "TrustedHTML" in text:
            self.faults.append(text)

    def _judge_address(self, url: str) -> None:
        if not re.match(rf"(http://(127\.0\.0\.1|{INSECURE_HOST}):{self.site.port}/|data:)", url):
            self.faults.append(f"a request to {url}")


def ask(page: Page, question: str) -> Locator:
    """Types a question and sends it with Enter; the exchange it begins."""
    count = page.locator("#transcript > .exchange").count()
    page.locator("#question").fill(question)
    page.locator("#question").press("Enter")
    return page.locator("#transcript > .exchange").nth(count)


def open_settings(page: Page) -> None:
    """Unfolds what the sidebar has at its foot."""
    page.locator(".settings > summary").click()


def refuse_questions(
    page: Page, status: int, sentence: str = "Not now.", code: str = "busy"
) -> None:
    """The next questions are refused so, as the server does."""
    body = json.dumps({"error": sentence, "code": code})
    page.route(
        QUESTIONS,
        lambda route: route.fulfill(status=status, content_type="application/json", body=body),
    )


def has_ended(exchange: Locator, state: str = "done") -> None:
    expect(exchange).to_have_attribute("data-state", state, timeout=20_000)


def prose(exchange: Locator) -> Locator:
    return exchange.locator(".prose")
