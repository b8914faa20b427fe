"""A database of every version becomes one of the newest, rows and all."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, func, inspect, select

from chat import storage
from chat.settings.model import Settings
from chat.storage import Storage, migrations
from chat.storage.models import Base, Conversation
from tests.kit.servers.postgresql import Databases
from tests.kit.site import environment
from tests.storage.acting import Connect, answers, ask, insert_old_rows, migrate, only_sqlite

VERSIONS = sorted(path.name[:4] for path in (migrations.FOLDER / "versions").glob("[0-9]*.py"))


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


def test_the_newest_migration_is_known_and_none_is_missing() -> None:
    assert VERSIONS[-1] == migrations.NEWEST
    assert [f"{number:04}" for number in range(1, len(VERSIONS) + 1)] == VERSIONS


@only_sqlite
def test_from_nothing_and_from_the_first_version_it_becomes_the_same(
    connect: Connect, tmp_path: Path
) -> None:
    migrate(tmp_path / "old.db", "0001")
    old, new = connect("old.db"), connect("new.db")
    assert _schema(old) == _schema(new)
    assert set(_schema(new)) == {*Base.metadata.tables, "alembic_version"}


@only_sqlite
@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_stored_survives_from_every_version(
    connect: Connect, tmp_path: Path, version: str
) -> None:
    path = tmp_path / "chat.db"
    migrate(path, version)
    insert_old_rows(path, ("a1", None, "how?", "so"))
    store = connect()
    (answer,) = answers(store, "c1")
    assert (answer.question, answer.replies, answer.files) == ("how?", ["so"], [])
    assert ask(store, "and now?", "c1").earlier == (("how?", "so"),)
    if version < "0008":
        assert [hit.answer_id for hit in store.search.find("alice", "how")] == ["a1"]


@only_sqlite
def test_a_database_with_an_index_of_the_search_gets_plain_texts(
    connect: Connect, tmp_path: Path
) -> None:
    path = tmp_path / "chat.db"
    migrate(path, "0007")
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


@only_sqlite
def test_what_a_clock_ahead_has_stored_comes_before_what_followed_it(
    connect: Connect, tmp_path: Path
) -> None:
    path = tmp_path / "chat.db"
    migrate(path, "0008")
    insert_old_rows(
        path,
        ("1-first", None, "one", "1"),
        ("9-ahead", "1-first", "two", "2"),
        ("5-set-right", "9-ahead", "three", "3"),
    )
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as db:
        db.exec_driver_sql("UPDATE conversations SET cleared_after = '9-ahead'")
    engine.dispose()
    store = connect()
    assert [one.question for one in answers(store, "c1")] == ["one", "two", "three"]
    assert ask(store, "four", "c1").earlier == (("three", "3"),), "two and before were forgotten"


@only_sqlite
def test_no_answer_comes_before_its_parent_although_that_was_stored_later(
    connect: Connect, tmp_path: Path
) -> None:
    path = tmp_path / "chat.db"
    migrate(path, "0004")
    # 0005 makes a branch of them in the order of their ids.
    insert_old_rows(
        path,
        ("1", None, "one", "1"),
        ("9", None, "three", "3"),
        ("5", None, "two", "2"),
    )
    store = connect()
    assert [one.question for one in answers(store, "c1")] == ["one", "two", "three"]
    assert len(ask(store, "four", "c1").earlier) == 3


def test_alembic_finds_nothing_to_change(store: Storage) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations.FOLDER))
    with store.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.check(config)  # raises when models and migrations differ


def start_together(address: str, folder: Path, count: int) -> None:
    """So many processes open a database at the same moment, each as a site that starts."""
    code = (
        "from chat import storage; from chat.settings.model import Settings; "
        "storage.connect(Settings()).ping()"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=folder,
            env=environment(DATABASE_URL=address),
            stderr=subprocess.PIPE,
        )
        for _ in range(count)
    ]
    for process in processes:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said.decode()


def is_new_and_empty(store: Storage) -> bool:
    with store.engine.connect() as db:
        versions = db.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all()
        count = db.scalar(select(func.count()).select_from(Conversation))
    return versions == [migrations.NEWEST] and count == 0


@only_sqlite
def test_processes_that_start_at_once_migrate_once(connect: Connect, tmp_path: Path) -> None:
    start_together(f"sqlite:///{tmp_path}/chat.db", tmp_path, 4)
    assert is_new_and_empty(connect())


def test_processes_that_start_at_once_migrate_once_on_a_server(
    postgresql: Databases, tmp_path: Path
) -> None:
    address = postgresql.server.create("fresh", is_copied=False)
    start_together(address, tmp_path, 3)
    store = storage.connect(Settings(database_url=address))
    assert is_new_and_empty(store)
    store.close()
