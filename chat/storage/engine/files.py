"""The files of a database: private to their owner, and copied before their tables change."""

import os
import re
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from chat.settings.errors import SettingsError

PRIVATE = 0o600
# SQLite's own files beside a database: the log of the last commits, its index, and what a crash
# in the old mode leaves behind.
BESIDE = ("-wal", "-shm", "-journal")
MOST_COPIES = 2
# A step of the tables may write all rows again into the log, after the copy has taken its room.
ROOM_PER_BYTE = 2


def create(database: Path) -> None:
    """Makes an empty file for a database unless there is one. Raises OSError."""
    # One that is there is not even opened: a site also starts while its database is read-only.
    with suppress(FileExistsError):
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        os.close(os.open(database, flags, PRIVATE))


def make_private(database: Path) -> None:
    """Lets nobody but their owner read the files of a database, whatever an earlier release did.

    SQLite gives the files that it makes later the mode of the database.
    """
    for ending in ("", ".migrating", *BESIDE):
        # Whoever may write a file that belongs to somebody else cannot change its mode.
        with suppress(FileNotFoundError, PermissionError):
            path = f"{database}{ending}"
            if os.stat(path).st_mode & 0o777 != PRIVATE:
                os.chmod(path, PRIVATE)


def size_of(database: Path) -> int:
    """Bytes of a database, with what is in its log. Raises OSError."""
    log = Path(f"{database}-wal")
    return database.stat().st_size + (log.stat().st_size if log.exists() else 0)


def copy_before(database: Path, version: str) -> Path:
    """Copies a database that is about to become `version`, beside it, as chat.db.before-0009.

    Of such copies the newest MOST_COPIES stay. Raises SettingsError while the disk has no room for
    the copy and for the change, OSError, sqlite3.Error.
    """
    needed = size_of(database) * ROOM_PER_BYTE
    free = shutil.disk_usage(database.parent).free
    if free < needed:
        raise SettingsError(
            "no_room_to_copy",
            path=database,
            needed=_in_megabytes(needed),
            free=_in_megabytes(free),
        )
    target = Path(f"{database}.before-{version}")
    part = Path(f"{target}.part")
    part.unlink(missing_ok=True)
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE))
        with closing(open_read_only(database)) as ours, closing(sqlite3.connect(part)) as copy:
            ours.backup(copy)
            # A copy is one file.
            copy.execute("PRAGMA journal_mode = DELETE")
        with open(part, "rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    for path in copies_before(database)[:-MOST_COPIES]:
        path.unlink(missing_ok=True)
    return target


def copies_before(database: Path) -> list[Path]:
    """The copies that were made before a change of the tables, by version, the oldest first.

    What a restore has put aside has a date for a version, and is not among them.
    """
    pattern = re.compile(re.escape(database.name) + r"\.before-\d{4}")
    return sorted(path for path in database.parent.iterdir() if pattern.fullmatch(path.name))


def open_read_only(database: Path) -> sqlite3.Connection:
    """A connection that cannot write. What the file's own schema says runs with no rights."""
    db = sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True, timeout=30)
    db.execute("PRAGMA trusted_schema = OFF")
    return db


def _in_megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"
