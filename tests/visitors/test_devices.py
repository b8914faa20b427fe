"""Codes for another device work once, for ten minutes, and cannot be guessed."""

import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from chat import storage
from chat.refusals import GuessRefusal
from chat.settings.model import Settings
from chat.storage import NewQuestion, Storage
from chat.storage.models import Conversation, Move, Upload, now
from chat.visitors.devices import ALPHABET, Devices
from chat.visitors.guessing import FREE, LOCKED_FROM, Guessing
from tests.kit.filling import fill

KEY = "a key of this test"
HERE = "192.0.2.1"


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def pass_by(self, **time: float) -> None:
        self.at += timedelta(**time)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Storage]:
    opened = storage.connect(Settings(database_url=f"sqlite:///{tmp_path}/chat.db"))
    yield opened
    opened.engine.dispose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def devices(store: Storage, clock: Clock) -> Devices:
    return Devices(store.moves, KEY, Guessing(), clock)


def stored(store: Storage) -> list[str]:
    with store.engine.connect() as db:
        return list(db.scalars(select(Move.code_hash)))


def test_a_code_brings_its_visitor_once(devices: Devices, store: Storage) -> None:
    code = devices.begin("alice")
    assert re.fullmatch(f"[{ALPHABET}]{{4}}-[{ALPHABET}]{{4}}", code)
    assert devices.peek(code, HERE) and devices.peek(code, HERE)
    assert devices.claim(code, HERE) == "alice"
    assert (
        devices.claim(code, HERE) is None and not devices.peek(code, HERE) and stored(store) == []
    )


def test_a_code_is_not_in_the_database(devices: Devices, store: Storage) -> None:
    code = devices.begin("alice")
    (kept,) = stored(store)
    assert re.fullmatch("[0-9a-f]{64}", kept) and code.replace("-", "").lower() not in kept
    assert Devices(store.moves, "another key", Guessing()).claim(code, HERE) is None


@pytest.mark.parametrize(
    "typed",
    [
        str.lower,
        lambda code: f"  {code.replace('-', ' ')}\n",
        lambda code: code.replace("-", ""),
        lambda code: code.replace("-", "－"),
        lambda code: "".join(chr(ord(char) + 0xFEE0) if char != "-" else "—" for char in code),
    ],
)
def test_a_code_may_be_typed_in_many_ways(devices: Devices, typed: Callable[[str], str]) -> None:
    assert devices.claim(typed(devices.begin("alice")), HERE) == "alice"


@pytest.mark.parametrize("typed", ["", "-", "0" * 8, "é\ud83d\x00", "A" * 100_000, "' OR 1=1"])
def test_nonsense_is_a_wrong_code(devices: Devices, typed: str) -> None:
    devices.begin("alice")
    assert devices.claim(typed, HERE) is None and not devices.peek(typed, HERE)


def test_a_code_is_good_for_ten_minutes(devices: Devices, clock: Clock, store: Storage) -> None:
    code = devices.begin("alice")
    clock.pass_by(minutes=9, seconds=59)
    assert devices.peek(code, HERE)
    clock.pass_by(seconds=1)
    assert (
        not devices.peek(code, HERE)
        and devices.claim(code, HERE) is None
        and len(stored(store)) == 1
    )
    devices.begin("bob")
    assert len(stored(store)) == 1, "whatever has expired is deleted"


def test_a_new_code_replaces_the_old_one(devices: Devices) -> None:
    old, other, new = devices.begin("alice"), devices.begin("bob"), devices.begin("alice")
    assert devices.claim(old, HERE) is None
    assert (devices.claim(new, HERE), devices.claim(other, HERE)) == ("alice", "bob")


def test_one_of_ten_simultaneous_claims_succeeds(devices: Devices, store: Storage) -> None:
    for _ in range(5):
        code, got, barrier = devices.begin("alice"), list[str | None](), threading.Barrier(10)

        def claim(
            code: str = code, got: list[str | None] = got, barrier: threading.Barrier = barrier
        ) -> None:
            mine = Devices(store.moves, KEY, Guessing(), Clock())
            barrier.wait()
            got.append(mine.claim(code, HERE))

        threads = [threading.Thread(target=claim) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(got, key=str) == [None] * 9 + ["alice"]


def test_nobody_tries_many_codes(devices: Devices) -> None:
    """A code of one's own takes no wrong one back: everybody may have one made."""
    code, own = devices.begin("alice"), devices.begin("mallory")
    for number in range(FREE):
        assert not (devices.peek("WRONG", HERE) if number % 2 else devices.claim("WRONG", HERE))
        if number < FREE - 1:
            assert devices.peek(own, HERE)
    for act in (devices.peek, devices.claim):
        with pytest.raises(GuessRefusal) as raised:
            act(code, HERE)
        assert raised.value.code == "rate_limited" and raised.value.retry_after
    assert devices.claim(code, "192.0.2.2") == "alice", "others need not wait"


def test_right_codes_do_not_count_as_tries(devices: Devices) -> None:
    for _ in range(2 * LOCKED_FROM):
        assert devices.peek(code := devices.begin("alice"), HERE) and devices.claim(code, HERE)


# two visitors become one


def test_conversations_and_files_move_to_the_other_visitor(
    devices: Devices, store: Storage
) -> None:
    fill(store.engine, "phone", conversations=3, answers=2)
    asked = store.answers.store_question(NewQuestion("desk", "coze", "桌面上的疑问", "w1"))
    store.answers.end(asked.answer_id, "done", {"replies": ["回答"]})
    running = store.answers.store_question(NewQuestion("phone", "coze", "手机上的疑问", "w1"))
    with store.engine.begin() as db:
        file = {
            "name": "a.txt",
            "content_type": "text/plain",
            "size": 1,
            "data": b"a",
            "created_at": now(),
        }
        db.execute(insert(Upload), {"id": "u1", "visitor": "phone", **file})
    search = store.search
    assert len(search.find("phone", "疑问")) == len(search.find("desk", "疑问")) == 1
    code = devices.begin("phone")
    store.merge_visitors("phone", "desk")
    with store.engine.connect() as db:
        assert set(db.scalars(select(Conversation.visitor))) == {"desk"}
        assert db.scalar(select(Upload.visitor)) == "desk"
    assert devices.claim(code, HERE) is None
    assert store.answers.get("desk", running.answer_id).state == "running"
    assert search.find("phone", "疑问") == []
    store.answers.end(running.answer_id, "done", {"replies": []})
    found = [one.answer_id for one in search.find("desk", "疑问")]
    assert found == [running.answer_id, asked.answer_id]


def test_moved_conversations_are_searchable(devices: Devices, store: Storage) -> None:
    (id,) = fill(store.engine, "phone", conversations=1, answers=1)
    search = store.search
    fill(store.engine, "desk", conversations=2, answers=1, seed=2)
    (answer,) = store.conversations.answers(id, store.conversations.tree(id).branch())
    store.merge_visitors("phone", "desk")
    assert id in [one.conversation_id for one in search.find("desk", answer.question)]
    store.merge_visitors("desk", "desk")
    assert search.find("desk", answer.question)
