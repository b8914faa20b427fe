"""A site moves from SQLite to PostgreSQL: every row, as often as one likes, nothing lost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text

from chat import storage
from chat.settings.model import Settings
from chat.storage import Storage
from chat.storage.copies import relocation
from chat.storage.drawings import StoredDrawing
from chat.storage.models import Answer, Base, ClosedDay, now
from chat.storage.owner.agents import AgentContent
from chat.storage.owner.notices import Notice
from chat.storage.owner.values import Entry
from chat.storage.visitors.uploads import StoredFile
from tests.kit.filling import fill
from tests.kit.patience import soon
from tests.kit.servers.postgresql import PASSWORD, Databases
from tests.kit.site import environment
from tests.storage.acting import ask, command, end


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Storage]:
    """The site so far, with at least two rows in every table."""
    store = storage.connect(Settings(database_url=f"sqlite:///{tmp_path}/instance/chat.db"))
    for visitor in ("alice", "bob"):
        asked = ask(store, "**how** 你好 \U0001f600?\x00", visitor=visitor)
        store.answers.note_accepted(asked, "thread", "chat", None)
        steps = [{"id": "1", "name": "search", "input": "x\ud83d", "output": None}]
        usage = {"input": 1, "output": 2**40}
        end(store, asked, "so \ud83d\x00", tools=steps, usage=usage, thought_s=0.1)
        ask(store, "and?", asked.conversation_id, visitor=visitor)
        store.shares.create(visitor, asked.conversation_id, is_previewed=True)
        store.drawings.put({asked.answer_id: StoredDrawing("1", ["<p>so</p>"])})
        store.uploads.add(visitor, StoredFile("a.bin", "x/y", bytes(range(256))), lambda size: None)
        store.days.spend(visitor, "2026-01-01", 9)
        store.secrets.put(visitor, b"\x00\xff")
        store.moves.add(f"hash of {visitor}", visitor, now())
        store.sessions.add(f"id of {visitor}", "code", "mark", visitor, now(), now())
        store.blocks.add(f"{visitor} is out")
        store.owner_values.put(f"{visitor}'s title", {"zh": "馆"}, Entry("set", {}, {"a": 1}))
        store.owner_files.put(visitor.encode())
        content = AgentContent({"name": visitor}, "coze", b"\x00\xff")
        store.owner_agents.put(visitor, content, Entry("agent", {}), 0)
        store.notices.swap(visitor, None, Notice("failing", now()))
        store.owner_sessions.add(f"hash of {visitor}", "mark", now())
        store.workers.beat(f"worker of {visitor}", "another host", 1, now() - timedelta(days=1))
    counts = [["coze", None, "done", None, 3, 7]]
    days = [{"day": f"2026-01-0{n}", "counts": counts, "first_words": [[0.1, 3]]} for n in (1, 2)]
    with store.engine.begin() as db:
        db.execute(insert(ClosedDay).values(visitors=2), days)
    yield store
    store.close()


@pytest.fixture
def new(postgresql: Databases, tmp_path: Path) -> Iterator[Storage]:
    """Where it moves to: an empty database, which the settings in .env name."""
    name = postgresql.lend()
    address = postgresql.server.address(name)
    (tmp_path / ".env").write_text(f"DATABASE_URL={address}\n")
    store = storage.connect(Settings(database_url=address))
    yield store
    store.close()
    postgresql.give_back(name)


def count(store: Storage, table: str) -> int:
    with store.engine.connect() as db:
        return db.scalar(select(func.count()).select_from(Base.metadata.tables[table])) or 0


def moved(folder: Path, language: str = "en") -> str:
    code, said = command(folder, "move-data", language=language)
    assert code == 0, said
    return said


def refused(folder: Path, language: str = "en") -> str:
    code, said = command(folder, "move-data", language=language)
    assert code == 2 and PASSWORD not in said, said
    return said


def test_every_table_is_moved_but_that_of_the_processes() -> None:
    names = {table.name for table in relocation.tables()}
    assert names == set(Base.metadata.tables) - {"workers"}


def test_every_row_is_moved_and_the_site_goes_on_there(
    old: Storage, new: Storage, tmp_path: Path
) -> None:
    for table in relocation.tables():
        assert count(old, table.name) >= 2, table.name
    said = moved(tmp_path)
    assert "conversations 2" in said and "answers 4" in said and "every row was compared" in said
    assert PASSWORD not in said
    for table in relocation.tables():
        assert count(new, table.name) == count(old, table.name), table.name
    assert count(new, "workers") == 0
    (conversation,) = new.conversations.of("alice", 9)
    first, second = new.conversations.answers(
        conversation.id, new.conversations.tree(conversation.id).branch()
    )
    assert first.question == "**how** 你好 \U0001f600?\ufffd", "the server takes no NUL"
    assert (first.replies, first.thought_s) == (["so \ud83d\x00"], 0.1)
    assert first.usage == {"input": 1, "output": 2**40} and first.tools[0]["output"] is None
    assert first.created_at == old.answers.get("alice", first.id).created_at
    assert new.search.find("alice", "你好")[0].answer_id == first.id
    end(new, ask_nothing(second), "done there")
    later = ask(new, "later", conversation.id)
    tree = new.conversations.tree(conversation.id)
    assert list(tree.parents) == [first.id, second.id, later.answer_id], "numbers go on"
    new.owner_log.add("block", subject="somebody")
    said = refused(tmp_path)
    assert "other data" in said and "createdb" in said and "nothing was changed" in said
    assert "已有别的数据" in refused(tmp_path, "zh")
    assert old.answers.get("alice", second.id).state == "running", "the file stays as it was"


def ask_nothing(answer: Answer) -> storage.StoredQuestion:
    """An answer that was asked before, to be ended."""
    return storage.StoredQuestion(answer.id, answer.conversation_id)


def test_a_move_may_be_repeated_and_takes_what_is_new(
    old: Storage, new: Storage, tmp_path: Path
) -> None:
    assert "核对过" in moved(tmp_path, "zh")
    fill(old.engine, "carol", conversations=3, answers=2)
    assert "conversations 5" in moved(tmp_path)
    assert count(new, "conversations") == 5
    moved(tmp_path)


def test_a_target_that_changed_is_refused(old: Storage, new: Storage, tmp_path: Path) -> None:
    moved(tmp_path)
    with new.engine.begin() as db:
        db.execute(text("UPDATE uploads SET data = '\\x00' WHERE visitor = 'alice'"))
    before = count(new, "uploads")
    assert "rows of uploads" in refused(tmp_path)
    assert count(new, "uploads") == before


def test_a_move_that_was_killed_is_finished_by_the_next(
    old: Storage, new: Storage, tmp_path: Path
) -> None:
    fill(old.engine, "carol", conversations=300, answers=4, words=200)
    command_line = [sys.executable, "-m", "flask", "--app", "app", "move-data", "--lang", "en"]
    moving = subprocess.Popen(command_line, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE)
    until = time.monotonic() + soon(30)
    while not 0 < count(new, "answers") < 1200:
        assert moving.poll() is None and time.monotonic() < until, "it was too fast, or too slow"
        time.sleep(0.005)
    os.kill(moving.pid, signal.SIGKILL)
    moving.communicate()
    assert count(new, "answers") < 1204, "it was killed in mid-move"
    assert "conversations 302" in moved(tmp_path)
    assert count(new, "answers") == 1204


def test_rows_whose_conversation_was_deleted_by_hand_stay_behind(
    old: Storage, new: Storage, tmp_path: Path
) -> None:
    with old.engine.connect() as db:
        db.exec_driver_sql("PRAGMA foreign_keys = OFF")
        db.exec_driver_sql("DELETE FROM conversations WHERE visitor = 'bob'")
        db.commit()
        db.exec_driver_sql("PRAGMA foreign_keys = ON")
    said = moved(tmp_path)
    assert "conversations 1" in said and "answers 2" in said and "share links 1" in said


def test_a_site_that_runs_is_not_moved(old: Storage, new: Storage, tmp_path: Path) -> None:
    new.workers.beat("new", "another host", 4711, new.workers.now())
    assert "4711" in refused(tmp_path)
    new.workers.bury(["new"])
    old.workers.beat("old", "another host", 4712)
    assert "4712" in refused(tmp_path) and "running" in refused(tmp_path)
    old.workers.bury(["old"])
    moved(tmp_path)


def test_what_cannot_be_moved_is_said(old: Storage, new: Storage, tmp_path: Path) -> None:
    code, said = command(tmp_path, "move-data", "--from", "nowhere.db")
    assert code == 2 and "There is no database nowhere.db" in said
    code, said = command(tmp_path, "move-data", "--from", "postgres://a:s3cret@b/c")
    assert code == 2 and "--from takes the path of a SQLite file" in said and "s3cret" not in said
    (tmp_path / "notes.txt").write_text("no database")
    code, said = command(tmp_path, "move-data", "--from", "notes.txt")
    assert code == 2 and "not a database of this site" in said
    assert (tmp_path / "notes.txt").read_text() == "no database"
    (tmp_path / ".env").write_text("")
    code, said = command(tmp_path, "move-data")
    assert code == 2 and "DATABASE_URL=postgresql://" in said


def test_backup_and_restore_say_the_line_to_paste(new: Storage, tmp_path: Path) -> None:
    for words, program in (("backup", "pg_dump"), ("restore", "pg_restore")):
        for language in ("zh", "en"):
            code, said = command(tmp_path, words, "my copy.dump", language=language)
            assert code == 2 and program in said and "'my copy.dump'" in said, said
            assert "postgresql://zhiye@127.0.0.1:" in said and PASSWORD not in said


def test_the_owner_forgets_and_blocks_on_a_server(new: Storage, tmp_path: Path) -> None:
    asked = ask(new)
    end(new, asked, "an answer")
    assert command(tmp_path, "block", "192.0.2.7")[0] == 0
    code, said = command(tmp_path, "forget", asked.conversation_id)
    assert code == 0 and "conversations 1" in said, said
    code, said = command(tmp_path, "log")
    assert code == 0 and "block" in said and "forget" in said


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_doctor_looks_at_the_server(
    postgresql: Databases, new: Storage, tmp_path: Path, language: str
) -> None:
    _, said = command(tmp_path, "doctor", language=language)
    place = new.engine.url.render_as_string().partition("@")[2]
    assert place in said and PASSWORD not in said
    empty = postgresql.server.create(f"empty_{language}", is_copied=False)
    (tmp_path / ".env").write_text(f"DATABASE_URL={empty}\n")
    _, said = command(tmp_path, "doctor", language=language)
    assert ("还是空的" if language == "zh" else "is empty") in said
    code, said = command(tmp_path, "forget", "alice", language=language)
    assert code == 2 and ("还没有表" if language == "zh" else "has no tables yet") in said
    (tmp_path / ".env").write_text(f"DATABASE_URL={empty}_nowhere\n")
    code, said = command(tmp_path, "doctor", language=language)
    assert code == 2 and "does not exist" in said and PASSWORD not in said
