"""Migrations: numbered steps from the first schema to this one, run at the start under a lock."""

import fcntl
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from chat.settings.errors import SettingsError
from chat.storage.engine.files import PRIVATE, copy_before

log = logging.getLogger("chat.storage")

FOLDER = Path(__file__).parent
# A test compares it with the newest file in versions/.
NEWEST = "0011"


def bring_up_to_date(engine: Engine, database: Path) -> None:
    """Makes or upgrades the tables, once for all processes that start. Raises SettingsError.

    Tables that are upgraded are copied first: an older release cannot read them any more.
    """
    try:
        with _lock(database):
            version = _version(engine)
            if version == NEWEST:
                return
            if version is not None and version < NEWEST:
                copy = copy_before(database, NEWEST)
                log.info("the tables change from %s to %s; copied to %s", version, NEWEST, copy)
            upgrade(engine)
    except (OSError, SQLAlchemyError, sqlite3.Error) as error:
        reason = getattr(error, "orig", None) or error
        raise SettingsError("database", path=database, reason=reason) from None


def upgrade(engine: Engine, version: str = "head") -> None:
    """Makes the tables of a version, the newest by default, from those that are there."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)


def versions() -> list[str]:
    """All versions there are, the oldest first."""
    return sorted(path.name[:4] for path in (FOLDER / "versions").glob("[0-9]*.py"))


def _version(engine: Engine) -> str | None:
    try:
        with engine.connect() as connection:
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except SQLAlchemyError:
        # The database has no tables yet.
        return None


@contextmanager
def _lock(database: Path) -> Iterator[None]:
    file = os.open(f"{database}.migrating", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
