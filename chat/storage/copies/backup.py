"""A copy of the database while the site runs, and the way back."""

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from chat.storage.engine.files import BESIDE, PRIVATE, open_read_only
from chat.storage.engine.sqlite import open_engine
from chat.storage.migrations import NEWEST, upgrade, versions
from chat.storage.models import Worker, now
from chat.storage.workers import has_ended, is_heard

TABLES = {"alembic_version", "conversations", "answers", "workers"}


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
                # Unlike a rename a link never overwrites.
                os.link(part, target)
        except FileExistsError:
            raise BackupError("exists", path=target) from None
    return Copied(target, size, conversations)


def open_copy(database: Path) -> tuple[BinaryIO, int]:
    """A copy of one moment as an open file without a name, and how many conversations it has.

    Raises BackupError: no_database, damaged, unwritable.
    """
    if not database.is_file():
        raise BackupError("no_database", path=database)
    with _beside(database.with_name("download")) as part:
        conversations = _copy(database, part)
        return open(part, "rb"), conversations


def restore(source: Path, database: Path, force: bool = False) -> Copied:
    """Puts the rows of a copy in the database's place, in tables that are made anew.

    Nothing else of the copy is taken: no trigger, view, index or table that is not ours. What the
    owner did is not undone: the longer log of the two stays. The present database stays beside it
    under another name.

    Raises BackupError: no_backup, same, not_ours, newer, damaged, running, unwritable.
    """
    if not source.is_file():
        raise BackupError("no_backup", path=source)
    if database.exists() and source.samefile(database):
        raise BackupError("same", path=source)
    version = version_of(source)
    if not force and (living := living_workers(database)):
        raise BackupError("running", pids=", ".join(str(pid) for pid in living))
    with _beside(database) as part:
        conversations = _copy_rows(source, part, version, database)
        size = part.stat().st_size
        _give_to_the_owner(part, database)
        before = _put_aside(database)
        part.rename(database)
    return Copied(database, size, conversations, before)


def living_workers(database: Path) -> list[int]:
    """The process ids of the site that uses a database; none when that cannot be read."""
    try:
        with closing(open_read_only(database)) as db:
            rows = db.execute("SELECT id, host, pid, seen_at FROM workers").fetchall()
    except sqlite3.Error:
        return []
    workers = [
        Worker(id=id, host=host, pid=pid, seen_at=datetime.fromisoformat(seen).replace(tzinfo=UTC))
        for id, host, pid, seen in rows
    ]
    host = socket.gethostname()
    return [
        worker.pid for worker in workers if not has_ended(worker, host) and is_heard(worker, now())
    ]


def version_of(source: Path) -> str:
    """The version of a database of ours. Raises BackupError unless this version can read it."""
    try:
        with closing(open_read_only(source)) as db:
            if not {name for name, _ in _tables(db, "main")} >= TABLES:
                raise BackupError("not_ours", path=source)
            (version,) = db.execute("SELECT version_num FROM alembic_version").fetchone() or ("",)
    except sqlite3.Error as error:
        kind = "not_ours" if _is_no_database(error) else "damaged"
        raise BackupError(kind, path=source, reason=error) from None
    if not isinstance(version, str) or version not in versions():
        if isinstance(version, str) and version > NEWEST:
            raise BackupError("newer", path=source, version=version, newest=NEWEST)
        raise BackupError("not_ours", path=source)
    return version


def _copy(source: Path, target: Path) -> int:
    """Copies a database into one file and checks it; how many conversations it has."""
    try:
        with closing(open_read_only(source)) as source_db, closing(sqlite3.connect(target)) as copy:
            # In one go: in pieces, every write of the site would begin it anew. Writers do not
            # have to wait.
            source_db.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
            _require_whole(copy, source)
            conversations = _count_conversations(copy)
    except sqlite3.Error as error:
        raise _trouble(error, source, target) from None
    _sync_to_disk(target)
    return conversations


def _copy_rows(source: Path, part: Path, version: str, database: Path) -> int:
    """Fills a new database with the rows of one of that version, and brings it up to date.

    Returns how many conversations it has.
    """
    engine = open_engine(URL.create("sqlite", database=str(part)))
    try:
        upgrade(engine, version)
        engine.dispose()
        with closing(
            sqlite3.connect(part.absolute().as_uri(), uri=True, isolation_level=None)
        ) as db:
            # An expression in the schema of the source may call nothing that has an effect.
            db.execute("PRAGMA trusted_schema = OFF")
            db.execute("ATTACH ? AS source", [f"{source.resolve().as_uri()}?mode=ro"])
            _require_whole(db, source, "source")
            _fill_tables(db, source)
            db.execute("DETACH source")
        upgrade(engine)
        # The mode in which it is one file is not to be had while others have it open.
        engine.dispose()
        with closing(sqlite3.connect(part)) as db:
            with db:
                _delete_the_momentary(db)
                _keep_the_longer_log(db, database)
            db.execute("PRAGMA journal_mode = DELETE")
            conversations = _count_conversations(db)
    except DBAPIError as error:
        raise _trouble(error.orig, source, part) from None
    except sqlite3.Error as error:
        raise _trouble(error, source, part) from None
    except ValueError as error:
        # A change of the tables reads what was stored as JSON.
        raise BackupError("damaged", path=source, reason=error) from None
    finally:
        engine.dispose()
    _sync_to_disk(part)
    return conversations


def _delete_the_momentary(db: sqlite3.Connection) -> None:
    """Takes out what was true only when the copy was made."""
    # Other processes may have the pids of its workers now.
    db.execute("DELETE FROM workers")
    # A session or a link that has ended since the copy must not begin again.
    db.execute("DELETE FROM owner_sessions")
    db.execute("DELETE FROM owner_values WHERE name = 'welcome'")


def _fill_tables(db: sqlite3.Connection, source: Path) -> None:
    """Copies each of our tables from the attached source; what is beside them stays behind."""
    copied_tables = dict(_tables(db, "source"))
    db.execute("BEGIN")
    for table, _ in _tables(db, "main"):
        if _is_searched_text(table) or table == "alembic_version":
            continue
        columns = _columns(db, "main", table)
        # A virtual table runs code of a module, a generated column an expression: ours are plain.
        is_plain = copied_tables.get(table, "").upper().startswith("CREATE TABLE")
        if not is_plain or not _columns(db, "source", table) >= columns:
            raise BackupError("not_ours", path=source)
        names = ", ".join(f'"{column}"' for column in sorted(columns))
        db.execute(f'DELETE FROM main."{table}"')
        db.execute(f'INSERT INTO main."{table}" ({names}) SELECT {names} FROM source."{table}"')
    # Rows whose conversation somebody deleted by hand would stop a later change of the tables.
    for table, rowid, *_ in db.execute("PRAGMA main.foreign_key_check").fetchall():
        db.execute(f'DELETE FROM main."{table}" WHERE rowid = ?', [rowid])
    db.execute("COMMIT")


def _keep_the_longer_log(db: sqlite3.Connection, database: Path) -> None:
    """What the owner did since the backup stays on record, as far as it can be read."""
    with suppress(sqlite3.Error), closing(open_read_only(database)) as present:
        # That of an earlier version has fewer columns.
        columns = sorted(_columns(present, "main", "owner_log"))
        names, places = ", ".join(columns), ", ".join("?" for _ in columns)
        entries = f"SELECT {names} FROM owner_log ORDER BY id"
        rows = present.execute(entries).fetchall()
        if len(rows) > len(db.execute(entries).fetchall()):
            db.execute("DELETE FROM owner_log")
            db.executemany(f"INSERT INTO owner_log ({names}) VALUES ({places})", rows)


def _tables(db: sqlite3.Connection, schema: str) -> list[tuple[str, str]]:
    """The tables of a database with how they were made, without SQLite's own."""
    query = f"SELECT name, sql FROM {schema}.sqlite_master WHERE type = 'table'"
    return [(name, sql) for name, sql in db.execute(query) if not name.startswith("sqlite_")]


def _columns(db: sqlite3.Connection, schema: str, table: str) -> set[str]:
    """The columns of a table that hold a value: `hidden` are those that are generated."""
    rows = db.execute(f'PRAGMA {schema}.table_xinfo("{table}")')
    return {name for _, name, _, _, _, _, hidden in rows if not hidden}


def _is_searched_text(table: str) -> bool:
    """Whether a table was part of the full-text index, which step 0008 drops."""
    return table == "passages" or table.startswith("passages_")


def _require_whole(db: sqlite3.Connection, source: Path, schema: str = "main") -> None:
    """Raises BackupError when a page of the database is damaged."""
    result = db.execute(f"PRAGMA {schema}.integrity_check(1)").fetchone()[0]
    if result != "ok":
        raise BackupError("damaged", path=source, reason=result)


def _count_conversations(db: sqlite3.Connection) -> int:
    query = "SELECT count(*) FROM conversations WHERE deleted_at IS NULL"
    count: int = db.execute(query).fetchone()[0]
    return count


def _sync_to_disk(path: Path) -> None:
    """Waits until a file is on the disk."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _trouble(error: BaseException | None, source: Path, target: Path) -> BackupError:
    """What an error of SQLite means: the source is damaged, or the target cannot be written."""
    code = getattr(error, "sqlite_errorcode", None)
    kind = "unwritable" if code in _TARGET_TROUBLES else "damaged"
    path = target.parent if kind == "unwritable" else source
    return BackupError(kind, path=path, reason=error)


_TARGET_TROUBLES = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_READONLY}


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
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE))
        yield part
    except OSError as error:
        raise BackupError(
            "unwritable", path=target.parent, reason=error.strerror or error
        ) from None
    finally:
        for ending in ("", *BESIDE):
            Path(f"{part}{ending}").unlink(missing_ok=True)


def _is_no_database(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB
