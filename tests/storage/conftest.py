"""A database of its own for each test of the storage."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chat import storage
from chat.settings.model import Settings
from chat.storage import Storage
from tests.storage.acting import Connect


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
def store(connect: Connect, request: pytest.FixtureRequest) -> Storage:
    """A module may say by DATABASE where it is."""
    return connect(getattr(request.module, "DATABASE", "chat.db"))
