"""A database of its own for each test of the storage: of SQLite, and once more of PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chat import storage
from chat.settings.model import Settings
from chat.storage import Storage
from tests.kit.servers.postgresql import Databases
from tests.storage.acting import Connect, Database


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Where a test stores: the same tests hold for both. `only_sqlite` leaves the other one out."""
    databases: Databases | None = None
    if request.param == "postgresql":
        databases = request.getfixturevalue("postgresql")
    database = Database(tmp_path, databases)
    yield database
    database.give_back()


@pytest.fixture
def connect(database: Database) -> Iterator[Connect]:
    """Opens the database of a test; each call is another process's view of it."""
    opened: list[Storage] = []

    def open_one(name: str = "chat.db") -> Storage:
        opened.append(storage.connect(Settings(database_url=database.address(name))))
        return opened[-1]

    yield open_one
    for one in opened:
        one.engine.dispose()


@pytest.fixture
def store(connect: Connect, request: pytest.FixtureRequest) -> Storage:
    """A module may say by DATABASE where it is."""
    return connect(getattr(request.module, "DATABASE", "chat.db"))
