"""Hostile text on the deployed site: while it is drawn, everybody else is served."""

import threading
import time
from collections.abc import Callable

import pytest
import requests

from tests.conftest import Emulator, coze
from tests.kit.patience import ALLOWANCE
from tests.kit.site import Site, Visitor

SIZE = 90_000
TEXTS = [
    "- a\n",
    "|-|\n",
    "**a ",
    "[a](https://b.cn) ",
    "$x$ ",
    "> ",
    "```tads3\nextern //\\\n```\n",
]
LONGEST_WAIT_S = 0.3 * ALLOWANCE


@pytest.fixture(scope="module")
def site(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    """One that takes very long questions, and has answered one."""
    site = keep_site(**coze(emulator), MAX_MESSAGE_CHARS=100_000)
    assert Visitor(site.url).ask("你好").ok
    return site


@pytest.mark.parametrize("construct", TEXTS)
def test_nobody_waits_for_hostile_text(site: Site, construct: str) -> None:
    mallory = Visitor(site.url)
    text = construct * (SIZE // len(construct))
    waits: list[float] = []
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(0.01):
            started_at = time.monotonic()
            requests.get(f"{site.url}/healthz", timeout=60)
            waits.append(time.monotonic() - started_at)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        answer = mallory.ask("!pieces 200 1\n\n" + text).json()
        page = mallory.session.get(f"{site.url}/c/{answer['conversation_id']}", timeout=60)
    finally:
        is_over.set()
        watcher.join()
    # One wait may be that of a busy machine.
    assert page.ok and sorted(waits)[-2] < LONGEST_WAIT_S
    assert len(page.content) < 12 * len(text) + 200_000
