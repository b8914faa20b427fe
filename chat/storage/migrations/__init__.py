"""Migrations: numbered steps from the first schema to this one, run at the start under a lock."""

import logging
import sqlite3
from datetime import tzinfo
from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from chat.china import CHINA
from chat.storage.engine import kinds

log = logging.getLogger("chat.storage")

FOLDER = Path(__file__).parent
# A test compares it with the newest file in versions/.
NEWEST = "0021"


def bring_up_to_date(engine: Engine, zone: tzinfo = CHINA) -> None:
    """Makes or upgrades the tables, once for all processes that start. Raises SettingsError.

    Tables that are upgraded are copied first, where they can be: an older release cannot read them
    any more. `zone` is the one in which days are counted.
    """
    kind = kinds.kind_of(engine)
    try:
        with kind.alone(engine):
            version = version_of(engine)
            if version == NEWEST:
                return
            if version is not None and version < NEWEST:
                copy = kind.copy_before(engine, NEWEST)
                log.info("the tables change from %s to %s; %s", version, NEWEST, copy)
            upgrade(engine, zone=zone)
    except (OSError, SQLAlchemyError, sqlite3.Error) as error:
        raise kinds.unusable(engine.url, error) from None


def upgrade(engine: Engine, version: str = "head", zone: tzinfo = CHINA) -> None:
    """Makes the tables of a version, the newest by default, from those that are there."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        config.attributes["zone"] = zone
        command.upgrade(config, version)


def versions() -> list[str]:
    """All versions there are, the oldest first."""
    return sorted(path.name[:4] for path in (FOLDER / "versions").glob("[0-9]*.py"))


def version_of(engine: Engine) -> str | None:
    """The version of the tables; None when there are none. Raises StorageError."""
    try:
        with engine.connect() as connection:
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except SQLAlchemyError as error:
        if kinds.lacks_tables(error):
            return None
        raise
