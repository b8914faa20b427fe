"""The doctor's look at the database: a file that can be written, or a server that answers."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from chat.owner.doctor.findings import Finding, wrong_setting
from chat.settings.errors import SettingsError
from chat.settings.model import Settings
from chat.storage import open_existing
from chat.storage.engine.kinds import SQLITE, StorageError, parse, place_of, reason_of
from chat.storage.migrations import NEWEST, version_of


def is_server(settings: Settings) -> bool:
    """Whether DATABASE_URL names a server, not a file."""
    try:
        return parse(settings.database_url).drivername != SQLITE
    except SettingsError:
        return False


def examine(settings: Settings) -> Iterator[Finding]:
    """What there is to say about the database, which is not made for it."""
    try:
        url = parse(settings.database_url)
        if url.drivername != SQLITE:
            yield _server(settings, place_of(url))
            return
    except SettingsError as error:
        yield wrong_setting(error)
        return
    path = Path(url.database or "")
    folder = existing(path.parent)
    if not folder.is_dir():
        yield Finding("database_placeless", "database", {"path": path, "place": folder})
    elif not os.access(folder, os.W_OK):
        yield Finding("database_locked", "database", {"path": path, "place": folder})
    elif not path.exists():
        yield Finding("database_new", "database", {"path": path})
    else:
        yield _tables(path)


def _tables(path: Path) -> Finding:
    """Reads the version of a database's tables, without touching them."""
    if not os.access(path, os.R_OK | os.W_OK):
        return Finding("database_locked", "database", {"path": path, "place": path})
    try:
        database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)
        try:
            row = database.execute("SELECT version_num FROM alembic_version").fetchone()
            version = row[0] if row else ""
        finally:
            database.close()
    except sqlite3.Error as error:
        if "no such table" not in str(error):
            return Finding("database_broken", "database", {"path": path, "reason": error})
        version = ""
    return _about_version(path, version)


def _server(settings: Settings, place: str) -> Finding:
    """Asks the server for the version of the tables."""
    store = open_existing(settings)
    try:
        version = version_of(store.engine)
    except StorageError as error:
        return Finding("server_away", "database", {"path": place, "reason": reason_of(error)})
    finally:
        store.close()
    if version is None:
        return Finding("server_empty", "database", {"path": place})
    return _about_version(place, version)


def _about_version(place: Path | str, version: str) -> Finding:
    facts = {"path": place, "version": version or "0", "newest": NEWEST}
    if version == NEWEST:
        return Finding("database_ok", "database", facts)
    return Finding("database_old" if version < NEWEST else "database_newer", "database", facts)


def existing(path: Path) -> Path:
    """The path, or the nearest one above it that is there."""
    path = path.absolute()
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    return path
