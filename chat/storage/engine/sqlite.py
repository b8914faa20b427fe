"""How SQLite is reached: tuned, waited for while others work, opened again after it was gone."""

import fcntl
import hashlib
import json
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event
from sqlalchemy.exc import DBAPIError, DisconnectionError

from chat.settings.errors import SettingsError
from chat.storage.engine import files
from chat.storage.engine.disk import Disk

PRAGMAS = (
    # Readers read while one writes.
    "journal_mode = WAL",
    # Survives a killed process; for power cuts see chat/storage/engine/disk.py.
    "synchronous = NORMAL",
    "foreign_keys = ON",
    # What is deleted is overwritten; Debian's SQLite does so anyhow.
    "secure_delete = ON",
    # SQLite would wait in C, where a gevent process can do nothing else meanwhile.
    "busy_timeout = 0",
)
WAIT_S = 5.0
LOOK_S = 0.02
WRITERS = 1
# SQLite's own codes for a file that cannot be used at the moment. A missing table is not among
# them: that does not pass.
TROUBLES = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB,
}


_HALF = re.compile("[\ud800-\udfff]")

# Of these the connection is none the worse.
PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL}


def prepare(url: URL) -> None:
    """Makes the folder, and an empty file for a database unless there is one.

    Raises SettingsError.
    """
    path = Path(url.database or "")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError("database_folder", path=path.parent, reason=error) from None
    try:
        files.create(path)
    except OSError as error:
        raise SettingsError("database", path=path, reason=error) from None


def open_engine(url: URL) -> Engine:
    """The engine of a SQLite database. Statements wait WAIT_S for a lock while others work."""
    engine = create_engine(
        url,
        pool_size=5,
        max_overflow=20,
        # Parameters are people's words: no error repeats them.
        hide_parameters=True,
        json_serializer=as_json,
    )
    waiting = _Waiting()
    event.listen(engine, "connect", _tune)
    event.listen(engine, "do_execute", waiting.execute)
    event.listen(engine, "do_executemany", waiting.execute_many)
    event.listen(engine, "handle_error", _give_up_the_connection)
    return engine


def as_json(value: Any) -> str:
    """JSON as it is stored: in UTF-8, but for halves of a character, which have to be escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return json.dumps(value) if _HALF.search(text) else text


def open_existing(url: URL) -> Engine:
    """The engine of a database that nobody makes: its queries raise StorageError."""
    place = Path(url.database or "").absolute().as_uri()
    return create_engine(f"sqlite:///{place}?mode=rw&uri=true")


def by_single_statements(engine: Engine) -> Engine:
    """The same: to begin and to end a transaction is no way to a server here."""
    return engine


@contextmanager
def one_moment(engine: Engine) -> Iterator[Connection]:
    """A connection that reads everything as it was at its first query."""
    with engine.connect() as db:
        # The driver begins nothing for what only reads.
        db.exec_driver_sql("BEGIN")
        yield db


@contextmanager
def alone(engine: Engine) -> Iterator[None]:
    """Around a change of the tables: of all processes that start, one is in it. Raises OSError."""
    path = f"{_path(engine)}.migrating"
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, files.PRIVATE)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def try_to_hold(engine: Engine, name: str) -> Callable[[], None] | None:
    """Holds a file beside the database; all processes that use it are on this machine."""
    mark = hashlib.sha256(name.encode()).hexdigest()[:16]
    path = f"{_path(engine)}.{mark}.lock"
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, files.PRIVATE)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return partial(os.close, file)


def copy_before(engine: Engine, version: str) -> str:
    """Copies the database beside it: where to. Raises as files.copy_before."""
    return f"copied to {files.copy_before(_path(engine), version)}"


def guard(engine: Engine) -> None:
    """From now on the database has to be there. Call it once the tables are made.

    A connection to a file that was deleted or replaced would go on writing where nobody will ever
    read, and a new one would begin an empty database; both would look like success.
    """
    database = _path(engine)
    # Only now is it certain that the file is a database of ours.
    files.make_private(database)

    @event.listens_for(engine, "do_connect")
    def refuse_to_begin_anew(dialect: Any, record: Any, arguments: Any, options: Any) -> None:
        if not database.exists():
            error = sqlite3.OperationalError(f"{database} is gone")
            error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
            raise error

    @event.listens_for(engine, "connect")
    def note(connection: Any, record: Any) -> None:
        record.info["file"] = _identity(database)

    @event.listens_for(engine, "checkout")
    def refuse_another_file(connection: Any, record: Any, proxy: Any) -> None:
        if record.info.get("file") != _identity(database):
            raise DisconnectionError("the database is gone, or another one has taken its place")


def is_trouble(error: DBAPIError) -> bool:
    """Whether the file cannot be used at the moment: locked, full, read-only, gone."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in TROUBLES


def lacks_tables(error: DBAPIError) -> bool:
    """Whether a table is missing."""
    return "no such table" in str(error.orig)


def lock(db: Connection, name: str) -> None:
    """Begins to write, whatever the name: nobody else writes then until the transaction has ended.

    What is read before the first write may change until it.
    """
    db.exec_driver_sql("UPDATE workers SET pid = pid WHERE 0")


def time_of(engine: Engine) -> datetime | None:
    """None: a file has no clock of its own, all who use it are on one machine."""
    return None


def restart_numbers(db: Connection) -> None:
    """Nothing: the next number is one more than the largest that is stored."""


def squeeze(engine: Engine) -> bool:
    """Empties the log, where deleted text still is. True while somebody reads in it."""
    with engine.connect() as db:
        is_busy = db.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
    return bool(is_busy)


def disk(engine: Engine) -> Disk:
    """The disk with the database's file."""
    return Disk(_path(engine))


class _Waiting:
    """Waits while another process writes.

    After one statement has waited in vain, the next ones hardly wait for a while: otherwise many
    callers would be refused one after another, each five seconds later.
    """

    def __init__(self) -> None:
        self._hopeless_until = 0.0

    def execute(self, cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
        return self._insist(cursor.execute, statement, parameters)

    def execute_many(self, cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
        return self._insist(cursor.executemany, statement, parameters)

    def _insist(self, run: Any, statement: str, parameters: Any) -> bool:
        until: float | None = None
        while True:
            try:
                run(statement, parameters)
                return True
            except sqlite3.OperationalError as error:
                # SQLITE_BUSY itself: of its extended codes some say that waiting is in vain.
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    raise
                at = time.monotonic()
                if until is None:
                    until = at + (LOOK_S * 5 if at < self._hopeless_until else WAIT_S)
                if at >= until:
                    self._hopeless_until = at + WAIT_S
                    raise
            time.sleep(LOOK_S)


def _give_up_the_connection(context: ExceptionContext) -> None:
    """Closes all connections after a trouble with the file.

    One that was opened while the file could not be written stays read-only, and so does every one
    that shares its memory.
    """
    code = getattr(context.original_exception, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in TROUBLES - PASSING:
        context.is_disconnect = True
        if context.execution_context is not None:
            # Otherwise the error's traceback keeps the file open.
            context.execution_context.cursor.close()
        if context.engine is not None:
            context.engine.dispose()


def _tune(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _path(engine: Engine) -> Path:
    return Path(engine.url.database or "")


def _identity(database: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(database)
    except OSError:
        return None
    return status.st_dev, status.st_ino
