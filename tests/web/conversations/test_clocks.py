"""A site beside a process whose clock is wrong: nothing is hidden on the page or in a file."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import pytest

from chat import storage
from chat.settings.model import Settings
from chat.storage import NewQuestion, Storage
from chat.storage.models import now
from tests.kit.emulator import Emulator, coze
from tests.kit.site import Site, Visitor

HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def site(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    return keep_site(**coze(emulator))


@pytest.mark.parametrize("off", [timedelta(hours=1), timedelta(days=-2)], ids=str)
def test_a_question_of_another_time_is_in_its_place(site: Site, off: timedelta) -> None:
    alice = Visitor(site.url)
    assert alice.ask("the apple first").ok
    earlier = alice.conversation
    _ask_by_another_clock(site, alice, "the apple of another time", off)
    assert alice.ask("the apple third").ok
    questions = ["the apple first", "the apple of another time", "the apple third"]
    assert _questions(alice.get(f"/c/{earlier}", headers=HTML).text) == questions
    quoted = re.findall(r"> (the apple .*)", alice.get(f"/c/{earlier}/export.md").text)
    # Each is quoted once more in its answer.
    assert list(dict.fromkeys(quoted)) == questions
    document = alice.get(f"/c/{earlier}/export.json").json()
    assert [answer["question"] for answer in document["answers"]] == questions
    alice.conversation = None
    assert alice.ask("another apple").ok
    listed = [alice.conversation, earlier]
    assert _listed(alice.get("/conversations", headers=HTML).text) == listed
    assert _listed(alice.get("/search?q=apple", headers=HTML).text) == listed


@pytest.mark.parametrize("off", [timedelta(days=1), timedelta(days=-3)], ids=str)
def test_no_day_comes_twice(site: Site, off: timedelta) -> None:
    alice = Visitor(site.url)
    for number in range(3):
        alice.conversation = None
        assert alice.ask(f"question {number}").ok
        if number == 1:
            _ask_by_another_clock(site, alice, "at another time", off)
    page = alice.get("/conversations", headers=HTML).text
    assert re.findall(r'<section data-day="(.*?)"', page) == ["今天"]


def _ask_by_another_clock(site: Site, visitor: Visitor, question: str, off: timedelta) -> None:
    """Stores what a process with such a clock would have, in the visitor's conversation."""
    path = site.folder / "instance/chat.db"
    with closing(sqlite3.connect(path)) as db:
        query = "SELECT visitor FROM conversations WHERE id = ?"
        (name,) = db.execute(query, [visitor.conversation]).fetchone()
    opened = storage.connect(Settings(database_url=f"sqlite:///{path}"))
    process = Storage.on(opened.engine, lambda: now() + off)
    stored = process.answers.store_question(
        NewQuestion(name, "coze", question, "another", conversation_id=visitor.conversation)
    )
    assert stored.thread, "the platform's memory goes on"
    process.answers.end(stored.answer_id, "done", {"replies": ["so"], "thread": stored.thread})
    process.close()


def _questions(page: str) -> list[str]:
    return re.findall(r'class="question-text">(.+?)<', page)


def _listed(page: str) -> list[str]:
    """The ids of the conversations in the page's main part, each once."""
    main = page.partition("<main")[2]
    return list(dict.fromkeys(re.findall(r"/c/([0-9a-f]{29})", main)))
