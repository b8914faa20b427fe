"""A copy of the database while the site runs, and the way back."""

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from chat.settings.errors import SettingsError
from chat.storage.migrations import NEWEST, bring_up_to_date
from chat.storage.models import Worker, now
from chat.storage.sqlite import open_engine
from chat.storage.workers import has_ended, is_heard

TABLES = {"alembic_version", "conversations", "answers", "workers"}
BESIDE = ("-wal", "-shm", "-journal")


class BackupError(Exception):
    """Nothing was changed.

    `kind` names a sentence for the owner (chat/owner/words.py), `facts` fill it.
    """

    def __init__(self, kind: str, **facts: Any) -> None:
        super().__init__(kind)
        self.kind = kind
        self.facts = facts


@dataclass(frozen=True)
class Copied:
    """What was copied where. `before` is the database that was there until then."""

    path: Path
    size: int
    conversations: int
    before: Path | None = None


def backup(database: Path, target: Path, force: bool = False) -> Copied:
    """Copies the database of one moment into one file, mode 0600; others may write meanwhile.

    Raises BackupError: no_database, exists, damaged, unwritable.
    """
    if not database.is_file():
        raise BackupError("no_database", path=database)
    if not force and os.path.lexists(target):
        raise BackupError("exists", path=target)
    with _beside(target) as part:
        conversations = _copy(database, part)
        size = part.stat().st_size
        try:
            if force:
                part.replace(target)
            else:
                os.link(part, target)  # unlike a rename it never overwrites
        except FileExistsError:
            raise BackupError("exists", path=target) from None
    return Copied(target, size, conversations)


def restore(source: Path, database: Path, force: bool = False) -> Copied:
    """Puts a copy in the database's place, its tables brought up to date.

    The present database stays beside it under another name.

    Raises BackupError: no_backup, same, not_ours, newer, damaged, running, unwritable.
    """
    if not source.is_file():
        raise BackupError("no_backup", path=source)
    if database.exists() and source.samefile(database):
        raise BackupError("same", path=source)
    _refuse_strangers(source)
    if not force and (living := living_workers(database)):
        raise BackupError("running", pids=", ".join(str(one) for one in living))
    with _beside(database) as part:
        conversations = _copy(source, part)
        _prepare(part)
        size = part.stat().st_size
        _give_to_the_owner(part, database)
        before = _put_aside(database)
        part.rename(database)
    return Copied(database, size, conversations, before)


def living_workers(database: Path) -> list[int]:
    """The process ids of the site that uses a database; none when that cannot be read."""
    try:
        with closing(_open(database)) as db:
            rows = db.execute("SELECT id, host, pid, seen_at FROM workers").fetchall()
    except sqlite3.Error:
        return []
    workers = [
        Worker(id=id, host=host, pid=pid, seen_at=datetime.fromisoformat(seen).replace(tzinfo=UTC))
        for id, host, pid, seen in rows
    ]
    host = socket.gethostname()
    return [one.pid for one in workers if not has_ended(one, host) and is_heard(one, now())]


def _refuse_strangers(source: Path) -> None:
    """Raises BackupError unless it is a database of ours that this version can read."""
    try:
        with closing(_open(source)) as db:
            tables = {
                name
                for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            }
            if not tables >= TABLES:
                raise BackupError("not_ours", path=source)
            (version,) = db.execute("SELECT version_num FROM alembic_version").fetchone() or ("",)
    except sqlite3.Error as error:
        raise BackupError(
            "not_ours" if _is_no_database(error) else "damaged", path=source, reason=error
        ) from None
    if version > NEWEST:
        raise BackupError("newer", path=source, version=version, newest=NEWEST)


def _copy(source: Path, target: Path) -> int:
    """Copies a database into one file and checks it; how many conversations it has."""
    try:
        with closing(_open(source)) as ours, closing(sqlite3.connect(target)) as copy:
            # In one go: in pieces, every write of the site would begin it anew. Writers do not
            # have to wait.
            ours.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
            wrong = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if wrong != "ok":
                raise BackupError("damaged", path=source, reason=wrong)
            query = "SELECT count(*) FROM conversations WHERE deleted_at IS NULL"
            conversations: int = copy.execute(query).fetchone()[0]
    except sqlite3.Error as error:
        kind = "unwritable" if error.sqlite_errorcode in _TARGET_TROUBLES else "damaged"
        path = target.parent if kind == "unwritable" else source
        raise BackupError(kind, path=path, reason=error) from None
    with open(target, "rb") as file:
        os.fsync(file.fileno())
    return conversations


_TARGET_TROUBLES = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_READONLY}


def _prepare(part: Path) -> None:
    """Brings the tables up to date, without workers: other processes may have their pids now."""
    engine = open_engine(URL.create("sqlite", database=str(part)))
    try:
        bring_up_to_date(engine, part)
        with engine.begin() as db:
            db.exec_driver_sql("DELETE FROM workers")
        with engine.connect() as db:
            db.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    except SettingsError as error:
        raise BackupError("damaged", path=part, reason=error) from None
    finally:
        engine.dispose()


def _give_to_the_owner(part: Path, database: Path) -> None:
    """What root restores belongs to whoever runs the site, else the site could not write it."""
    if os.geteuid() == 0:
        owner = (database if database.exists() else database.parent).stat()
        os.chown(part, owner.st_uid, owner.st_gid)


def _put_aside(database: Path) -> Path | None:
    """Renames the present database and its log together; its -shm is of no use."""
    if not database.exists():
        before = None
    else:
        stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
        before = Path(f"{database}.before-{stamp}")
        database.rename(before)
    for ending in BESIDE:
        with suppress(FileNotFoundError):
            if before and ending != "-shm":
                Path(f"{database}{ending}").rename(f"{before}{ending}")
            else:
                Path(f"{database}{ending}").unlink()
    return before


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A new private file beside another one; it is deleted in the end unless it was renamed."""
    part = Path(f"{target}.{os.getpid()}.part")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield part
    except OSError as error:
        raise BackupError(
            "unwritable", path=target.parent, reason=error.strerror or error
        ) from None
    finally:
        for ending in ("", ".migrating", *BESIDE):
            Path(f"{part}{ending}").unlink(missing_ok=True)


def _open(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True, timeout=30)


def _is_no_database(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB
