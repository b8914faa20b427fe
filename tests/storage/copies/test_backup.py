"""Backup of a running site and the way back: whole, private, nothing overwritten."""

import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from chat import storage
from chat.settings.model import Settings
from chat.storage import Storage
from chat.storage.copies import backup
from chat.storage.migrations import NEWEST, versions
from chat.storage.models import now
from chat.storage.owner.values import Entry
from tests.kit.emulator import Emulator, coze
from tests.kit.filling import fill
from tests.kit.site import Site, Visitor, environment
from tests.storage.acting import Database, command, everything, insert_old_rows, migrate, say

DATABASE = "instance/chat.db"


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """Files only."""
    return Database(tmp_path)


def test_a_backup_of_a_busy_site_is_whole_and_comes_back(
    emulator: Emulator, start_site: Callable[..., Site]
) -> None:
    site = start_site(**coze(emulator))
    alice = Visitor(site.url)
    assert alice.ask("to be kept").ok
    hearing = Visitor(site.url).hear("!pieces 100 50")
    while next(hearing).name != "delta":
        pass
    line = [sys.executable, "-m", "flask", "--app", "app", "backup", "copy.db", "--lang", "en"]
    done = subprocess.run(
        line, cwd=site.folder, env=environment(), capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "") and "conversations: 2" in done.stdout, done
    copy = site.folder / "copy.db"
    assert copy.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in site.folder.glob("copy.db*")] == ["copy.db"], "one file"
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert list(hearing)[-1].name == "done", "the site went on meanwhile"
    assert alice.ask("after the backup").ok

    code, said = command(site.folder, "restore", "copy.db")
    assert code == 2 and "--force" in said, said
    assert "after the backup" in alice.get(f"/c/{alice.conversation}").text
    site.end()
    code, said = command(site.folder, "restore", "copy.db")
    assert code == 0 and ".before-" in said, said
    (before,) = (site.folder / "instance").glob("chat.db.before-*[0-9]")
    with closing(sqlite3.connect(before)) as db:
        questions = {question for (question,) in db.execute("SELECT question FROM answers")}
    assert "after the backup" in questions
    site.start()
    alice.url = site.url
    page = alice.get(f"/c/{alice.conversation}").text
    assert "to be kept" in page and "after the backup" not in page
    assert alice.ask("and on").ok


def test_a_restore_under_a_running_site_by_force_is_seen_by_it(
    emulator: Emulator, start_site: Callable[..., Site]
) -> None:
    site = start_site(**coze(emulator))
    alice = Visitor(site.url)
    assert alice.ask("to be kept").ok
    assert command(site.folder, "backup", "copy.db")[0] == 0
    assert alice.ask("after the backup").ok
    assert command(site.folder, "restore", "copy.db", "--force")[0] == 0
    assert alice.ask("and on").ok
    page = alice.get(f"/c/{alice.conversation}").text
    assert "to be kept" in page and "and on" in page and "after the backup" not in page


def test_a_backup_overwrites_nothing_unless_it_is_told_to(store: Storage, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    code, said = command(tmp_path, "backup", "there")
    assert code == 2 and "--force" in said
    assert (tmp_path / "there").read_text() == "mine"
    assert command(tmp_path, "backup", "there", "--force")[0] == 0
    assert (tmp_path / "there").read_bytes().startswith(b"SQLite")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["instance", "there"]


def test_an_older_backup_is_brought_up_to_date(tmp_path: Path) -> None:
    migrate(tmp_path / "old", "0005")
    insert_old_rows(tmp_path / "old", ("a1", None, "old words", "an answer"))
    assert command(tmp_path, "restore", "old")[0] == 0
    with closing(sqlite3.connect(tmp_path / "instance" / "chat.db")) as db:
        assert db.execute("SELECT version_num FROM alembic_version").fetchone() == (NEWEST,)
    opened = storage.connect(Settings(database_url=f"sqlite:///{tmp_path}/instance/chat.db"))
    assert len(opened.search.find("alice", "words")) == 1
    opened.engine.dispose()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_is_no_backup_changes_nothing(store: Storage, tmp_path: Path, language: str) -> None:
    say(store, "alice", "hello", "you")
    database = tmp_path / "instance" / "chat.db"
    for name, content in {"text": b"hello" * 500, "cut": b"", "other": b""}.items():
        (tmp_path / name).write_bytes(content)
    backup.backup(database, tmp_path / "whole")
    (tmp_path / "cut").write_bytes((tmp_path / "whole").read_bytes()[:20_000])
    with closing(sqlite3.connect(tmp_path / "other")) as db:
        db.execute("CREATE TABLE things (name TEXT)")
    backup.backup(database, tmp_path / "newer")
    with closing(sqlite3.connect(tmp_path / "newer")) as db, db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
    held = everything(database)
    for name in ("text", "cut", "other", "newer", "missing", "instance/chat.db"):
        code, said = command(tmp_path, "restore", name, language=language)
        assert code == 2 and len(said) > 10, (name, said)
        assert bool(re.search("[\u4e00-\u9fff]", said)) == (language == "zh")
    assert everything(database) == held
    assert command(tmp_path / "instance", "backup", "copy", language=language)[0] == 2, (
        "no database there"
    )


def test_a_disk_without_room_for_the_copy_is_said(store: Storage, tmp_path: Path) -> None:
    fill(store.engine, "rich", conversations=100, answers=10)
    limited = f"ulimit -f 100; exec {sys.executable} -m flask --app app backup copy --lang en"
    done = subprocess.run(
        ["sh", "-c", limited],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        timeout=60,
        text=True,
    )
    assert done.returncode == 2 and "cannot be written" in done.stderr, done
    assert [path.name for path in tmp_path.iterdir()] == ["instance"], "nothing half is left"


HARMLESS_STRANGERS = {
    "trigger": "CREATE TRIGGER spy AFTER INSERT ON answers BEGIN DELETE FROM conversations; END",
    "view": "CREATE VIEW spied AS SELECT * FROM answers",
    "table": "CREATE TABLE things (name TEXT); INSERT INTO things VALUES ('x')",
    "index": "CREATE UNIQUE INDEX trap ON answers (worker)",
    "column": "ALTER TABLE answers ADD COLUMN extra TEXT DEFAULT 'x'",
    "generated column": "ALTER TABLE answers ADD COLUMN extra TEXT AS (upper(question)) VIRTUAL",
    "virtual table": "CREATE VIRTUAL TABLE other USING fts5(body)",
    "orphan": "INSERT INTO shares VALUES ('t', 'gone', 'l', '2026-01-01', 0)",
}
IMPOSTORS = {
    "view": "ALTER TABLE days RENAME TO real; CREATE VIEW days AS SELECT * FROM real",
    "view of conversations": (
        "ALTER TABLE conversations RENAME TO real;CREATE VIEW conversations AS SELECT * FROM real"
    ),
    "virtual table": ("DROP TABLE days; CREATE VIRTUAL TABLE days USING fts5(account, day, asked)"),
    "generated column": (
        "ALTER TABLE days DROP COLUMN asked;"
        "ALTER TABLE days ADD COLUMN asked INTEGER AS (length(account)) VIRTUAL"
    ),
    "missing column": "ALTER TABLE days DROP COLUMN asked",
    "missing table": "DROP TABLE days",
    "version": "UPDATE alembic_version SET version_num = '0008; DROP TABLE answers'",
    "version as bytes": "UPDATE alembic_version SET version_num = x'00'",
    "no version": "DELETE FROM alembic_version",
}


def schema_of(database: Path) -> list[tuple[str, str, str]]:
    with closing(sqlite3.connect(database)) as db:
        return sorted(db.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master"))


def spoil(source: Path, target: Path, script: str) -> None:
    """A backup with something in it that is not ours."""
    backup.backup(source, target)
    with closing(sqlite3.connect(target)) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.executescript(script)


@pytest.mark.parametrize("stranger", HARMLESS_STRANGERS)
def test_a_restore_takes_rows_of_our_tables_and_nothing_else(
    store: Storage, tmp_path: Path, stranger: str
) -> None:
    database = tmp_path / "instance" / "chat.db"
    conversation = say(store, "alice", "hello", "you")
    schema = schema_of(database)
    spoil(database, tmp_path / "copy", HARMLESS_STRANGERS[stranger])
    store.close()
    code, output = command(tmp_path, "restore", "copy")
    assert code == 0, output
    assert schema_of(database) == schema
    with closing(sqlite3.connect(database)) as db:
        rows = db.execute("SELECT conversation_id, question FROM answers").fetchall()
        assert rows == [(conversation, "hello")]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    assert not list((tmp_path / "instance").glob("*.part*"))


@pytest.mark.parametrize("impostor", IMPOSTORS)
def test_what_only_looks_like_a_table_of_ours_is_refused(
    store: Storage, tmp_path: Path, impostor: str
) -> None:
    database = tmp_path / "instance" / "chat.db"
    say(store, "alice", "hello", "you")
    spoil(database, tmp_path / "copy", IMPOSTORS[impostor])
    before = everything(database)
    code, output = command(tmp_path, "restore", "copy")
    assert code == 2 and "nothing was changed" in output, output
    assert everything(database) == before
    assert not list((tmp_path / "instance").glob("*.part*"))


def test_a_backup_of_every_version_comes_back_as_the_newest(tmp_path: Path) -> None:
    (tmp_path / "instance").mkdir()
    for version in versions():
        old = tmp_path / f"old-{version}"
        migrate(old, version)
        with closing(sqlite3.connect(old)) as db, db:
            db.execute(
                "INSERT INTO conversations (id, visitor, agent, title, created_at, updated_at) "
                "VALUES ('c1', 'alice', 'coze', 't', '2026-01-01', '2026-01-01')"
            )
        code, output = command(tmp_path, "restore", old.name)
        assert code == 0 and "conversations: 1" in output, (version, output)
        with closing(sqlite3.connect(tmp_path / "instance" / "chat.db")) as db:
            assert db.execute("SELECT version_num FROM alembic_version").fetchone() == (NEWEST,)


def test_rows_that_a_change_of_the_tables_cannot_read_are_damage(tmp_path: Path) -> None:
    (tmp_path / "instance").mkdir()
    migrate(tmp_path / "old", "0007")
    with closing(sqlite3.connect(tmp_path / "old")) as db, db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute(
            "INSERT INTO conversations (id, visitor, agent, title, created_at, updated_at) "
            "VALUES ('c1', 'alice', 'coze', 't', '2026-01-01', '2026-01-01')"
        )
        db.execute(
            "INSERT INTO answers (id, conversation_id, question, state, replies, thoughts, tools, "
            "media, citations, suggestions, worker, created_at) VALUES ('a1', 'c1', 'q', 'done', "
            "'no json', '', '[]', '[]', '[]', '[]', 'w', '2026-01-01 00:00:00')"
        )
    code, output = command(tmp_path, "restore", "old")
    assert code == 2 and "damaged" in output, output
    assert list((tmp_path / "instance").glob("chat.db*")) == []


def test_a_restore_keeps_what_the_owner_did_since_and_begins_no_session_again(
    database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "chat.db"
    store = storage.connect(Settings(database_url=database.address()))
    store.owner_sessions.add("a hash", "a mark", now())
    store.owner_values.put("site_title", "青铜馆", Entry("set", {}, {"before": None}))
    backup.backup(path, tmp_path / "copy.db")
    store.owner_values.put("site_title", "瓷器馆", Entry("set", {}, {"before": "青铜馆"}))
    store.owner_sessions.delete_all()
    store.close()
    backup.restore(tmp_path / "copy.db", path, force=True)
    store = storage.connect(Settings(database_url=database.address()))
    changes = [entry.change for entry in store.owner_log.all()]
    assert changes == [{"before": None}, {"before": "青铜馆"}]
    assert store.owner_values.get("site_title").value == "青铜馆"
    assert store.owner_sessions.get("a hash") is None
    store.close()
