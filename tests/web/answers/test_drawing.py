"""Hostile text on the deployed site: while it is drawn, everybody else is served."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests

from tests.kit.emulator import Emulator, coze
from tests.kit.patience import ALLOWANCE
from tests.kit.site import Site, Visitor

SIZE = 90_000
TEXTS = [
    "- a\n",
    "|-|\n",
    "**a ",
    "[a](https://b.cn)\n\n",
    "$x$\n\n",
    "> ",
    "```tads3\nextern //\\\n```\n",
]
LONGEST_WAIT_S = 0.3 * ALLOWANCE
READERS = 10


@pytest.fixture(scope="module")
def site(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    """One that takes very long questions, and has answered one."""
    site = keep_site(**coze(emulator), MAX_MESSAGE_CHARS=100_000)
    assert Visitor(site.url).ask("你好").ok
    return site


@contextmanager
def measured_waits(site: Site) -> Iterator[list[float]]:
    """How long /healthz took, again and again, in seconds."""
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
        yield waits
    finally:
        is_over.set()
        watcher.join()


def html_of(stream: bytes) -> str:
    """The HTML of a page that has read this stream."""
    blocks: list[str] = []
    for event in stream.decode("utf-8").split("\n\n"):
        if "event: html\n" in event:
            data = json.loads(event.partition("\ndata: ")[2])
            blocks[data["from"] :] = data["blocks"]
    return "".join(blocks)


def ask(visitor: Visitor, text: str, pieces: int, seconds: int) -> bytes:
    """Asks an agent that repeats the text, as a page does; the whole stream of the answer."""
    body = {"message": f"!pieces {pieces} {seconds}\n\n{text}", "stream": True}
    response = visitor.post("/chat?html=live", json=body)
    visitor.conversation = response.content.partition(b'"conversation_id":"')[2][:29].decode()
    return response.content


@pytest.mark.parametrize("construct", TEXTS)
def test_nobody_waits_for_hostile_text(site: Site, construct: str) -> None:
    mallory = Visitor(site.url)
    text = construct * (SIZE // len(construct))
    with measured_waits(site) as waits:
        assert html_of(ask(mallory, text, 50, 1))
        page = mallory.get(f"/c/{mallory.conversation}")
    assert page.ok
    # One wait may be that of a busy machine.
    assert sorted(waits)[-2] < LONGEST_WAIT_S
    assert len(page.content) < 12 * len(text) + 200_000


def test_many_readers_of_one_answer_see_the_same(site: Site) -> None:
    mallory = Visitor(site.url)
    text = "- **a** `b` [c](https://d.cn)\n" * 1_000
    events = mallory.hear(f"!pieces 40 4\n\n{text}")
    next(events)
    pages: list[str] = []

    def read() -> None:
        address = f"/chat/{mallory.message}/events?html=live"
        pages.append(html_of(mallory.get(address).content))

    readers = [threading.Thread(target=read) for _ in range(READERS)]
    with measured_waits(site) as waits:
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
    assert sorted(waits)[-2] < LONGEST_WAIT_S
    assert len(pages) == READERS and len(set(pages)) == 1
    assert pages[0].count("<strong>a</strong>") == 1_000
