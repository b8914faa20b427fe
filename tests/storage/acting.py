"""What tests of the storage do: ask, end, be refused, all at once."""

import json
import threading
from collections.abc import Callable, Sequence
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import alembic.command
import pytest
from alembic.config import Config
from sqlalchemy import create_engine

from chat.owner.commands import commands
from chat.refusals import Refusal
from chat.storage import NewQuestion, Storage, StoredQuestion, migrations
from chat.storage.models import Answer
from tests.kit.servers.postgresql import Databases

T = TypeVar("T")
Connect = Callable[..., Storage]
# For a test of what only a file can be or do.
only_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@dataclass
class Database:
    """Where a test stores: files in a folder, or databases that a server lends."""

    folder: Path
    databases: Databases | None = None
    names: dict[str, str] = field(default_factory=dict)

    @property
    def is_file(self) -> bool:
        return self.databases is None

    def address(self, name: str = "chat.db") -> str:
        """The address of the database that the test calls so."""
        if self.databases is None:
            return f"sqlite:///{self.folder}/{name}"
        if name not in self.names:
            self.names[name] = self.databases.lend()
        return self.databases.server.address(self.names[name])

    def give_back(self) -> None:
        """Lends them to the next test."""
        for name in self.names.values():
            assert self.databases is not None
            self.databases.give_back(name)


def ask(
    store: Storage, question: str = "hi", conversation: str | None = None, **who: str
) -> StoredQuestion:
    return store.answers.store_question(
        NewQuestion(
            who.get("visitor", "alice"),
            who.get("agent", "coze"),
            question,
            who.get("worker", "w1"),
            conversation_id=conversation,
            after=who.get("after"),
            instead=who.get("instead"),
        )
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


def migrate(path: Path, version: str) -> None:
    """A database of an earlier version, or the next versions of one."""
    engine = create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(migrations.FOLDER))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, version)
    engine.dispose()


def insert_old_rows(path: Path, *rows: tuple[str, str | None, str, str]) -> None:
    """One conversation, c1 of alice, in a database of any version, stored in this order.

    A row is an answer: its id, its parent (None in versions without), question and reply.
    """
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as db:
        db.exec_driver_sql(
            "INSERT INTO conversations (id, visitor, agent, title, created_at, updated_at) "
            "VALUES ('c1', 'alice', 'coze', 'old', '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
        )
        for id, parent, question, reply in rows:
            db.exec_driver_sql(
                "INSERT INTO answers (id, conversation_id, question, state, replies, thoughts, "
                "tools, media, citations, suggestions, worker, created_at) VALUES (?, 'c1', ?, "
                "'done', ?, '', '[]', '[]', '[]', '[]', 'w', '2026-01-01 00:00:00')",
                (id, question, json.dumps([reply])),
            )
            if parent is not None:
                update = "UPDATE answers SET parent = ? WHERE id = ?"
                db.exec_driver_sql(update, (parent, id))
    engine.dispose()


def say(store: Storage, visitor: str, question: str, answer: str) -> str:
    """A question with its whole answer; the conversation's id."""
    asked = store.answers.store_question(NewQuestion(visitor, "coze", question, "w1"))
    for length in range(0, len(answer), 500):  # as it grows, which leaves older versions behind
        store.answers.save({asked.answer_id: {"replies": [answer[:length]]}})
    store.answers.end(asked.answer_id, "done", {"replies": [answer]})
    return asked.conversation_id


def everything(database: Path) -> bytes:
    """All bytes of a database and of what lies beside it."""
    return b"".join(path.read_bytes() for path in database.parent.glob(f"{database.name}*"))


def command(folder: Path, *words: str, language: str = "en") -> tuple[int, str]:
    """A command of the owner: its exit code and what it says."""
    with chdir(folder):
        done = commands().test_cli_runner().invoke(args=[*words, "--lang", language])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output
