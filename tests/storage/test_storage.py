"""Real SQLite files: one running answer a conversation, nobody sees another's, migrations."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, delete, func, inspect, select

from chat import storage
from chat.refusals import Refusal
from chat.settings.errors import SettingsError
from chat.settings.model import Settings
from chat.storage import Storage, StoredQuestion, migrations
from chat.storage.answers import HISTORY
from chat.storage.models import Answer, Base, Conversation, new_id, now
from tests.kit.site import ROOT, environment

VERSIONS = sorted(path.name[:4] for path in (migrations.FOLDER / "versions").glob("[0-9]*.py"))
T = TypeVar("T")
Connect = Callable[..., Storage]


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Connect]:
    """Opens the database of a test; each call is another process's view of it."""
    opened: list[Storage] = []

    def open_one(name: str = "chat.db") -> Storage:
        opened.append(storage.connect(Settings(database_url=f"sqlite:///{tmp_path}/{name}")))
        return opened[-1]

    yield open_one
    for one in opened:
        one.engine.dispose()


@pytest.fixture
def store(connect: Connect) -> Storage:
    return connect()


def ask(
    store: Storage, question: str = "hi", conversation: str | None = None, **who: str
) -> StoredQuestion:
    return store.answers.ask(
        who.get("visitor", "alice"),
        who.get("agent", "coze"),
        question,
        who.get("worker", "w1"),
        conversation_id=conversation,
        after=who.get("after"),
        instead=who.get("instead"),
    )


def answers(store: Storage, conversation: str) -> Sequence[Answer]:
    shelf = store.conversations
    return shelf.answers(conversation, shelf.tree(conversation).branch())


def end(
    store: Storage, asked: StoredQuestion, *replies: str, state: str = "done", **columns: Any
) -> None:
    store.answers.end(asked.answer_id, state, {"replies": list(replies), **columns})


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as raised:
        act()
    return raised.value.code


def together(act: Callable[[int], T], count: int) -> list[T | Exception]:
    """What so many threads get that do this at the same moment."""
    barrier = threading.Barrier(count)
    results: list[T | Exception] = []

    def one(number: int) -> None:
        barrier.wait()
        try:
            results.append(act(number))
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


# questions and answers


def test_a_question_is_there_before_its_answer(store: Storage) -> None:
    asked = ask(store, "  what\n is   this? " + "x" * 100)
    (answer,) = answers(store, asked.conversation_id)
    assert (answer.id, answer.state, answer.replies) == (asked.answer_id, "running", [])
    title = store.conversations.get("alice", asked.conversation_id).title
    assert title.startswith("what is this? xxx") and len(title) == 40 and title.endswith("…")


def test_of_twenty_questions_at_once_one_is_answered(connect: Connect) -> None:
    first = connect()
    asked = ask(first)
    end(first, asked, "hello")
    stores = [first, connect(), connect()]
    results = together(lambda n: ask(stores[n % 3], f"question {n}", asked.conversation_id), 20)
    taken = [one for one in results if isinstance(one, StoredQuestion)]
    assert len(taken) == 1
    assert [one.code for one in results if isinstance(one, Refusal)] == ["busy"] * 19
    assert len(answers(first, asked.conversation_id)) == 2


def test_twenty_conversations_at_once_are_no_trouble(connect: Connect) -> None:
    stores = [connect(), connect()]
    results = together(lambda n: ask(stores[n % 2], visitor=f"visitor {n}"), 20)
    assert all(isinstance(one, StoredQuestion) for one in results), results


def test_busy_says_when_to_come_back_and_ends_with_the_answer(store: Storage) -> None:
    asked = ask(store)
    with pytest.raises(Refusal) as raised:
        ask(store, "me too", asked.conversation_id)
    assert raised.value.code == "busy" and raised.value.retry_after
    for state in ("failed", "stopped", "interrupted", "done"):
        end(store, asked, state=state)
        asked = ask(store, state, asked.conversation_id)


def test_what_is_another_visitor_s_does_not_exist(store: Storage) -> None:
    asked = ask(store)
    for act in (
        lambda: store.conversations.get("bob", asked.conversation_id),
        lambda: store.answers.get("bob", asked.answer_id),
        lambda: ask(store, "hi", asked.conversation_id, visitor="bob"),
        lambda: store.conversations.clear("bob", asked.conversation_id),
        lambda: store.conversations.get("alice", "nowhere"),
        lambda: store.answers.get("alice", "nowhere"),
        lambda: ask(store, "hi", "nowhere"),
    ):
        assert refused(act) == "not_found"
    assert store.conversations.of("bob", 10) == []
    assert len(answers(store, asked.conversation_id)) == 1


def test_a_conversation_stays_with_its_agent(store: Storage) -> None:
    asked = ask(store)
    end(store, asked)
    assert refused(lambda: ask(store, "hi", asked.conversation_id, agent="yuanqi")) == "bad_input"


def test_a_question_brings_what_went_before(store: Storage) -> None:
    asked = ask(store, "one")
    store.answers.note_accepted(asked, "thread", "chat-1", "trace")
    end(store, asked, "first", "and more")
    failed = ask(store, "two", asked.conversation_id)
    assert (failed.thread, failed.previous_chat) == ("thread", "chat-1")
    assert failed.earlier == (("one", "first\n\nand more"),)
    end(store, failed, "half", state="failed", chat="chat-2")
    third = ask(store, "three", asked.conversation_id)
    assert third.previous_chat == "chat-2", "also one that failed occupies its thread"
    assert third.earlier == (("one", "first\n\nand more"),), "what failed was not said"


def test_history_is_the_latest_part_in_order(store: Storage) -> None:
    asked = ask(store, "0")
    for number in range(HISTORY + 5):
        end(store, asked, f"answer {number}")
        time.sleep(0.001)  # ids sort by the millisecond
        asked = ask(store, str(number + 1), asked.conversation_id)
    questions = [int(question) for question, _ in asked.earlier]
    assert questions == list(range(5, HISTORY + 5))


def test_what_was_cleared_is_shown_but_not_told(store: Storage) -> None:
    asked = ask(store, "one")
    store.answers.note_accepted(asked, "thread", "chat", None)
    assert store.conversations.is_answering(asked.conversation_id)
    end(store, asked, "first")
    store.conversations.clear("alice", asked.conversation_id)
    again = ask(store, "two", asked.conversation_id)
    assert (again.earlier, again.thread) == ((), None)
    assert [one.question for one in answers(store, asked.conversation_id)] == ["one", "two"]


def test_conversations_come_latest_first(store: Storage) -> None:
    first, second = ask(store, "first"), ask(store, "second")
    end(store, first)
    assert [one.title for one in store.conversations.of("alice", 10)] == ["second", "first"]
    ask(store, "again", first.conversation_id)
    assert [one.title for one in store.conversations.of("alice", 10)] == ["first", "second"]
    assert second.conversation_id != first.conversation_id


def test_a_draft_is_saved_while_it_runs_and_never_over_its_end(store: Storage) -> None:
    one, two = ask(store), ask(store)
    store.answers.save(
        {one.answer_id: {"replies": ["so far"]}, two.answer_id: {"replies": ["here too"]}}
    )
    assert store.answers.get("alice", one.answer_id).replies == ["so far"]
    end(store, one, "so far and to the end")
    store.answers.save({one.answer_id: {"replies": ["so far"]}})
    answer = store.answers.get("alice", one.answer_id)
    assert (answer.state, answer.replies) == ("done", ["so far and to the end"])
    assert answer.ended_at is not None and now() - answer.ended_at < timedelta(minutes=1)


def test_half_characters_from_a_platform_can_be_stored(store: Storage) -> None:
    asked = ask(store)
    store.answers.save({asked.answer_id: {"replies": ["\ud83d"], "thoughts": "thought"}})
    end(store, asked, "\ud83d\x00")
    assert store.answers.get("alice", asked.answer_id).state == "done"


def test_json_is_stored_as_utf_8_and_read_in_either_shape(store: Storage) -> None:
    new, old = ask(store), ask(store)
    end(store, new, "你好")
    end(store, old, "")
    with store.engine.begin() as db:
        db.exec_driver_sql(
            "UPDATE answers SET replies = ? WHERE id = ?", ('["\\u4f60\\u597d"]', old.answer_id)
        )
        raw = "SELECT replies FROM answers WHERE id = ?"
        assert db.exec_driver_sql(raw, (new.answer_id,)).scalar() == '["你好"]'
    for asked in (new, old):
        assert store.answers.get("alice", asked.answer_id).replies == ["你好"]


def test_ids_are_in_order_of_time_and_cannot_be_guessed() -> None:
    ids = [new_id() for _ in range(1000)]
    assert len({one[11:] for one in ids}) == 1000
    assert [one[:11] for one in ids] == sorted(one[:11] for one in ids)
    assert all(re.fullmatch(r"[0-9a-f]{29}", one) for one in ids)


def test_deleting_a_conversation_deletes_its_answers(store: Storage) -> None:
    asked, kept = ask(store), ask(store)
    with store.engine.begin() as db:
        db.execute(delete(Conversation).where(Conversation.id == asked.conversation_id))
    with store.engine.connect() as db:
        assert db.scalars(select(Answer.id)).all() == [kept.answer_id]


def test_an_error_of_the_database_does_not_tell_what_people_wrote(store: Storage) -> None:
    with store.engine.begin() as db:
        db.exec_driver_sql("DROP TABLE answers")
    with pytest.raises(Exception, match="answers") as raised:
        ask(store, "a confession")
    assert "a confession" not in str(raised.value)


# workers and orphans


def test_the_dead_leave_orphans_and_the_living_none(store: Storage) -> None:
    mine, theirs = ask(store, worker="w1"), ask(store, worker="w2")
    end(store, ask(store, worker="w2"))
    assert [one.id for one in store.answers.orphans({"w1"})] == [theirs.answer_id]
    assert {one.id for one in store.answers.orphans(set())} == {mine.answer_id, theirs.answer_id}
    assert store.answers.orphans({"w1", "w2"}) == []
    assert store.answers.orphans({"w1"})[0].conversation.visitor == "alice", (
        "may be read afterwards"
    )


def test_of_two_workers_one_takes_an_orphan_over(connect: Connect) -> None:
    stores = [connect(), connect()]
    for _ in range(10):
        asked = ask(stores[0], worker="dead")
        found = [store.answers.orphans({"w0", "w1"})[0] for store in stores]
        results = together(
            lambda n, found=found: stores[n].answers.claim_orphan(found[n], f"w{n}"), 2
        )
        heirs = [one for one in results if one is not None]
        assert len(heirs) == 1 and isinstance(heirs[0], StoredQuestion), results
        assert heirs[0].answer_id == asked.answer_id
        end(stores[0], asked)


def test_an_ended_answer_has_no_heir(store: Storage) -> None:
    asked = ask(store, worker="dead")
    (orphan,) = store.answers.orphans({"w1"})
    end(store, asked, "after all")
    assert store.answers.claim_orphan(orphan, "w1") is None


def test_workers_are_remembered_until_they_are_buried(store: Storage) -> None:
    for worker in ("w1", "w2", "w3"):
        store.workers.beat(worker, "host", 1)
    store.workers.beat("w1", "host", 1)
    assert sorted(one.id for one in store.workers.all()) == ["w1", "w2", "w3"]
    store.workers.bury(["w3", "w2"])
    assert [one.id for one in store.workers.all()] == ["w1"]


# budgets


def test_twenty_at_once_never_spend_more_than_the_day_has(connect: Connect) -> None:
    stores = [connect(), connect()]
    results = together(lambda n: stores[n % 2].days.spend("coze:a", "2026-01-01", 7), 20)
    assert sorted(map(str, results)) == ["False"] * 13 + ["True"] * 7
    assert stores[0].days.spend("coze:a", "2026-01-02", 7) and stores[0].days.spend(
        "coze:b", "2026-01-01", 7
    )


# the file and its versions


def test_wal_and_foreign_keys_are_on(store: Storage) -> None:
    with store.engine.connect() as db:
        pragmas = {
            name: db.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1}


def test_the_newest_migration_is_known_and_none_is_missing() -> None:
    assert VERSIONS[-1] == migrations.NEWEST
    assert [f"{number:04}" for number in range(1, len(VERSIONS) + 1)] == VERSIONS


def _migrate(path: Path, target: str) -> None:
    engine = create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(migrations.FOLDER))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, target)
    engine.dispose()


def _schema(store: Storage) -> dict[str, Any]:
    found = inspect(store.engine)
    return {
        name: {
            "columns": {column["name"]: str(column["type"]) for column in found.get_columns(name)},
            "indexes": {
                index["name"]: (index["column_names"], index["unique"])
                for index in found.get_indexes(name)
            },
        }
        for name in found.get_table_names()
    }


def test_from_nothing_and_from_the_first_version_it_becomes_the_same(
    connect: Connect, tmp_path: Path
) -> None:
    _migrate(tmp_path / "old.db", "0001")
    old, new = connect("old.db"), connect("new.db")
    assert _schema(old) == _schema(new)
    assert set(_schema(new)) == {*Base.metadata.tables, "alembic_version"}


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_stored_survives_from_every_version(
    connect: Connect, tmp_path: Path, version: str
) -> None:
    path = tmp_path / "chat.db"
    _migrate(path, version)
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as db:
        db.exec_driver_sql(
            "INSERT INTO conversations (id, visitor, agent, title, created_at, updated_at) "
            "VALUES ('c1', 'alice', 'coze', 'old', '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
        )
        db.exec_driver_sql(
            "INSERT INTO answers (id, conversation_id, question, state, replies, thoughts, tools, "
            "media, citations, suggestions, worker, created_at) "
            "VALUES ('a1', 'c1', 'how?', 'done', "
            "'[\"so\"]', '', '[]', '[]', '[]', '[]', 'w', '2026-01-01 00:00:00')"
        )
    engine.dispose()
    store = connect()
    (answer,) = answers(store, "c1")
    assert (answer.question, answer.replies, answer.files) == ("how?", ["so"], [])
    assert ask(store, "and now?", "c1").earlier == (("how?", "so"),)
    if version < "0008":
        assert [hit.answer_id for hit in store.search.find("alice", "how")] == ["a1"]


def test_a_database_with_an_index_of_the_search_gets_plain_texts(
    connect: Connect, tmp_path: Path
) -> None:
    path = tmp_path / "chat.db"
    _migrate(path, "0007")
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as db:
        db.exec_driver_sql(
            "INSERT INTO conversations (id, visitor, agent, title, created_at, updated_at) "
            "VALUES ('c1', 'alice', 'coze', 't', '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
        )
        for number in range(1203):
            db.exec_driver_sql(
                "INSERT INTO answers (id, conversation_id, question, state, replies, thoughts, "
                "tools, media, citations, suggestions, worker, created_at) VALUES "
                f"('a{number:04}', 'c1', 'q', 'done', "
                f"'[\"\\u8bf7**\\u8bbe\\u7f6e**\\u9875 {number}.\"]', "
                "'', '[]', '[]', '[]', '[]', 'w', '2026-01-01 00:00:00')"
            )
        db.exec_driver_sql("INSERT INTO passages (answer, visitor, body) VALUES ('a', 'b', 'c')")
        db.exec_driver_sql("INSERT INTO searched VALUES ('alice', 'a0000')")
    engine.dispose()
    store = connect()
    for number in (0, 499, 500, 1202):
        (hit,) = store.search.find("alice", f"设置页 {number}.")
        assert hit.answer_id == f"a{number:04}"
    assert not [name for name in _schema(store) if name.startswith("passages")]


def test_alembic_finds_nothing_to_change(store: Storage) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations.FOLDER))
    with store.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.check(config)  # raises when models and migrations differ


def test_processes_that_start_at_once_migrate_once(tmp_path: Path) -> None:
    code = (
        "from chat import storage; from chat.settings.model import Settings; "
        "storage.connect(Settings(database_url='sqlite:///chat.db')).ping()"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment(), stderr=subprocess.PIPE
        )
        for _ in range(4)
    ]
    for process in processes:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said.decode()
    engine = create_engine(f"sqlite:///{tmp_path}/chat.db")
    with engine.connect() as db:
        assert db.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all() == [
            migrations.NEWEST
        ]
        assert db.scalar(select(func.count()).select_from(Conversation)) == 0
    engine.dispose()


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "mysql://localhost/chat",
        "sqlite://",
        "sqlite:////proc/nowhere/chat.db",
        f"sqlite:///{ROOT}/chat",
        f"sqlite:///{ROOT}/app.py",
    ],
)
def test_a_database_that_cannot_be_used_is_named_in_one_line(tmp_path: Path, url: str) -> None:
    before = (ROOT / "app.py").read_bytes()
    with pytest.raises(SettingsError) as raised:
        storage.connect(Settings(database_url=url))
    assert str(raised.value).startswith("DATABASE_URL: ") and "\n" not in str(raised.value)
    assert (ROOT / "app.py").read_bytes() == before
    for left in (ROOT / "chat.migrating", ROOT / "app.py.migrating"):
        left.unlink(missing_ok=True)
