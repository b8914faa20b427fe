"""The engine: its pragmas, its errors, and databases that cannot be used."""

from pathlib import Path

import pytest

from chat import storage
from chat.settings.errors import SettingsError
from chat.settings.model import Settings
from chat.storage import Storage
from tests.kit.site import ROOT
from tests.storage.acting import Database, ask


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """Files only."""
    return Database(tmp_path)


def test_wal_and_foreign_keys_are_on(store: Storage) -> None:
    with store.engine.connect() as db:
        pragmas = {
            name: db.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1}


def test_an_error_of_the_database_does_not_repeat_the_question(store: Storage) -> None:
    with store.engine.begin() as db:
        db.exec_driver_sql("DROP TABLE answers")
    with pytest.raises(Exception, match="answers") as raised:
        ask(store, "a confession")
    assert "a confession" not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "mysql://localhost/chat",
        "postgresql://localhost",
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
