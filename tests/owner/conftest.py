"""What tests of the owner's room share: a database of their own, and a clock they set."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from chat import storage
from chat.settings.model import Settings
from chat.storage import Storage
from chat.storage.models import now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Storage]:
    opened = storage.connect(Settings(database_url=f"sqlite:///{tmp_path}/chat.db"))
    yield opened
    opened.close()


@pytest.fixture
def time() -> list[datetime]:
    """What the time is, to be set by the test."""
    return [now()]
