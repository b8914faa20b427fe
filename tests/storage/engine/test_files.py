"""The files of a database: private whatever the umask, copied before their tables change."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chat.settings.errors import SettingsError
from chat.storage import migrations
from chat.storage.engine import files
from tests.storage.acting import Connect, Database, ask, end, migrate


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """Files only."""
    return Database(tmp_path)


@pytest.fixture
def loose_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    """The mode of every file of the database, by name."""
    return {path.name: oct(path.stat().st_mode & 0o777) for path in folder.glob("chat.db*")}


def test_nobody_else_reads_a_new_database(
    connect: Connect, tmp_path: Path, loose_umask: None
) -> None:
    tmp_path.chmod(0o777)
    store = connect()
    end(store, ask(store), "an answer")
    assert {"chat.db", "chat.db-wal", "chat.db-shm", "chat.db.migrating"} <= set(modes(tmp_path))
    assert set(modes(tmp_path).values()) == {"0o600"}


def test_an_older_database_becomes_private_with_its_log_and_its_copy(
    connect: Connect, tmp_path: Path, loose_umask: None
) -> None:
    migrate(tmp_path / "chat.db", "0007")
    reader = sqlite3.connect(tmp_path / "chat.db")
    reader.execute("PRAGMA journal_mode = WAL")
    reader.execute("SELECT count(*) FROM answers").fetchone()
    assert "0o644" in modes(tmp_path).values() or "0o666" in modes(tmp_path).values()
    connect()
    reader.close()
    assert f"chat.db.before-{migrations.NEWEST}" in modes(tmp_path)
    assert set(modes(tmp_path).values()) == {"0o600"}


def test_a_file_that_is_no_database_keeps_its_mode(connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "chat.db").write_text("notes of mine, and no database\n" * 100)
    (tmp_path / "chat.db").chmod(0o644)
    with pytest.raises(SettingsError):
        connect()
    assert modes(tmp_path)["chat.db"] == "0o644"


def test_the_copy_before_a_change_of_the_tables_is_the_old_database(
    connect: Connect, tmp_path: Path
) -> None:
    migrate(tmp_path / "chat.db", "0007")
    with closing(sqlite3.connect(tmp_path / "chat.db")) as db, db:
        db.execute("INSERT INTO days VALUES ('coze', '2026-01-01', 7)")
    connect()
    (copy,) = files.copies_before(tmp_path / "chat.db")
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("SELECT version_num FROM alembic_version").fetchone() == ("0007",)
        assert db.execute("SELECT asked FROM days").fetchone() == (7,)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert [path.name for path in tmp_path.glob("*.part*")] == []


def test_without_a_change_of_the_tables_there_is_no_copy(connect: Connect, tmp_path: Path) -> None:
    connect().close()
    connect()
    assert files.copies_before(tmp_path / "chat.db") == []


def test_the_newest_two_copies_stay_and_nothing_else_is_deleted(
    connect: Connect, tmp_path: Path
) -> None:
    others = ["chat.db.before-20260101-120000", "other.db.before-0003", "chat.db.before-0003.txt"]
    for name in ("chat.db.before-0003", "chat.db.before-0005", *others):
        (tmp_path / name).write_text("a copy")
    migrate(tmp_path / "chat.db", "0007")
    connect()
    names = {path.name for path in tmp_path.glob("*before*")}
    assert names == {"chat.db.before-0005", f"chat.db.before-{migrations.NEWEST}", *others}


def test_without_room_for_the_copy_nothing_is_changed(connect: Connect, tmp_path: Path) -> None:
    database = tmp_path / "chat.db"
    migrate(database, "0007")
    # A file with a hole takes no room, and a copy of what it says it is does.
    os.truncate(database, shutil.disk_usage(tmp_path).free)
    before = database.stat().st_size
    with pytest.raises(SettingsError) as raised:
        connect()
    assert raised.value.id == "no_room_to_copy" and "MB" in str(raised.value)
    assert database.stat().st_size == before
    assert files.copies_before(database) == []
