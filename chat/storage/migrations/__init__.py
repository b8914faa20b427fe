"""Migrations: numbered steps from the first schema to this one, run at the start under a lock."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from chat.settings.errors import SettingsError

FOLDER = Path(__file__).parent
NEWEST = "0009"  # a test compares it with the newest file in versions/


def bring_up_to_date(engine: Engine, database: Path) -> None:
    """Makes or upgrades the tables, once for all processes that start. Raises SettingsError."""
    try:
        with _lock(database):
            if _version(engine) != NEWEST:
                _upgrade(engine)
    except (OSError, SQLAlchemyError) as error:
        reason = getattr(error, "orig", None) or error
        raise SettingsError("database", path=database, reason=reason) from None


def _version(engine: Engine) -> str | None:
    try:
        with engine.connect() as connection:
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except SQLAlchemyError:
        return None  # a database without tables


def _upgrade(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def _lock(database: Path) -> Iterator[None]:
    with open(f"{database}.migrating", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
