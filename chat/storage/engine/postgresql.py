"""How PostgreSQL is reached: pooled, its clock and locks, opened again after it was gone.

Imported only where DATABASE_URL names such a server, and with it the driver, psycopg 3.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.types.string import StrDumper
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    NullPool,
    String,
    create_engine,
    event,
    text,
)
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.ext.compiler import compiles

from chat.legible import legible
from chat.settings.errors import SettingsError
from chat.storage.engine.disk import ServerDisk
from chat.storage.engine.numbers import NUMBERS
from chat.storage.engine.sqlite import as_json

log = logging.getLogger("chat.storage")

# Connections of a process. A server lets in 100 by default, for all processes and for the owner.
CONNECTIONS, MORE_CONNECTIONS = 5, 10
WRITERS = CONNECTIONS
# For a free connection of these, and for what another one holds locked.
WAIT_S = 10.0
LOCK_S = 5
CONNECTING: dict[str, Any] = {
    "connect_timeout": 5,
    # A server that is gone without a word is noticed within about half a minute.
    "keepalives": 1,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "application_name": "zhiye",
}
# Classes of SQLSTATE (postgresql.org/docs/current/errcodes-appendix.html) that pass: the
# connection, a deadlock, a lack of room or memory, an operator's intervention, the system.
TROUBLES = frozenset({"08", "40", "53", "55", "57", "58"})
READ_ONLY = "25006"
UNDEFINED_TABLE = "42P01"
CHANGING_TABLES = "zhiye: the tables change"
# The tables that hold what people wrote, or lead to it.
WRITTEN = ("answers", "conversations", "drawings", "outcomes", "uploads")
# The tables whose ids the server counts.
COUNTED = ("outcomes", "owner_log")


@compiles(String, "postgresql")
def _without_length(column_type: String, compiler: Any, **options: Any) -> str:
    """Texts are bounded where they come in; a length in the table would make a 500 of an oversight.

    On this database it saves nothing.
    """
    return "TEXT"


class LegibleDumper(StrDumper):
    """Texts as the server takes them: NUL and halves of a character become U+FFFD.

    Whatever a visitor or a platform sends may be stored or looked for, in any column.
    """

    def dump(self, obj: str) -> Any:
        try:
            return super().dump(obj)
        except (psycopg.DataError, UnicodeEncodeError):
            return super().dump(legible(obj))


def prepare(url: URL) -> None:
    """Nothing: whoever runs the server makes the database."""


def open_engine(url: URL) -> Engine:
    """The engine of a database on a server, with a pool of connections."""
    engine = create_engine(
        url,
        pool_size=CONNECTIONS,
        max_overflow=MORE_CONNECTIONS,
        pool_timeout=WAIT_S,
        connect_args=CONNECTING,
        isolation_level="READ COMMITTED",
        # Parameters are people's words: no error repeats them.
        hide_parameters=True,
        json_serializer=as_json,
    )
    _listen(engine)
    return engine


def open_existing(url: URL) -> Engine:
    """The engine of a command that asks little: it keeps no connection."""
    engine = create_engine(
        url,
        poolclass=NullPool,
        connect_args=CONNECTING,
        hide_parameters=True,
        json_serializer=as_json,
    )
    _listen(engine)
    return engine


def by_single_statements(engine: Engine) -> Engine:
    """Without BEGIN before and COMMIT or ROLLBACK behind, each of them a way there and back.

    The driver also forgets at a ROLLBACK what it has prepared.
    """
    return engine.execution_options(isolation_level="AUTOCOMMIT")


@contextmanager
def one_moment(engine: Engine) -> Iterator[Connection]:
    """A connection that reads everything as it was at its first query."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as db:
        yield db


@contextmanager
def alone(engine: Engine) -> Iterator[None]:
    """Holds a lock in a transaction of its own: the server gives it back when we die."""
    with engine.begin() as db:
        _require_unicode(db)
        # Whoever changes the tables, or moves a site, may take long.
        db.exec_driver_sql("SET LOCAL lock_timeout = 0")
        lock(db, CHANGING_TABLES)
        yield


def copy_before(engine: Engine, version: str) -> str:
    """Copies nothing: only the server's own tools could, and they are not here."""
    return "not copied: an earlier release needs what pg_dump has stored before"


def guard(engine: Engine) -> None:
    """Nothing: a server is not taken away as a file is."""


def is_trouble(error: DBAPIError) -> bool:
    """Whether the server cannot be used at the moment: gone, full, read-only, starting."""
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        # The driver itself has no connection, or lost it.
        return isinstance(error, OperationalError | InterfaceError)
    return state[:2] in TROUBLES or state == READ_ONLY


def lacks_tables(error: DBAPIError) -> bool:
    """Whether a table is missing."""
    return getattr(error.orig, "sqlstate", None) == UNDEFINED_TABLE


def lock(db: Connection, name: str) -> None:
    """Waits for a lock by name, which this transaction has until its end."""
    db.execute(_LOCK, {"name": name})


def try_to_hold(engine: Engine, name: str) -> Callable[[], None] | None:
    """Holds a lock by a connection: the server gives it back when that ends."""
    db = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        is_ours = db.execute(_TRY, {"name": name}).scalar_one()
    except BaseException:
        db.close()
        raise
    if not is_ours:
        db.close()
        return None

    def give_back() -> None:
        try:
            db.execute(_GIVE_BACK, {"name": name})
        except DBAPIError as error:
            # The connection was lost, and the lock with it.
            log.warning("the lock of %s was lost: %s", name, error.orig)
            db.invalidate()
        finally:
            db.close()

    return give_back


def time_of(engine: Engine) -> datetime | None:
    """The time by the server's clock, which is one for all hosts of a site."""
    with engine.connect() as db:
        at: datetime = db.execute(_NOW).scalar_one()
    return at.astimezone(UTC)


def restart_numbers(db: Connection) -> None:
    """The next question's number, and those of rows that are only counted, follow the stored."""
    db.execute(_RESTART)
    for table in COUNTED:
        db.exec_driver_sql(_RESTART_IDS.format(table=table))


def squeeze(engine: Engine) -> bool:
    """Gives the room of deleted rows back, to be overwritten by the next ones.

    The server's own log, copies of it and its disk are its administrator's.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.exec_driver_sql(f"VACUUM {', '.join(WRITTEN)}")
    return False


def disk(engine: Engine) -> ServerDisk:
    """The disk of the server, as far as it can be seen from here."""
    return ServerDisk(lambda: _size(engine))


_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_TRY = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")
_GIVE_BACK = text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))")
_NOW = text("SELECT clock_timestamp()")
_ENCODING = text("SHOW server_encoding")
_SIZE = text("SELECT pg_database_size(current_database())")
_RESTART = text(
    f"SELECT setval('{NUMBERS}', greatest((SELECT max(sequence) FROM answers), "
    f"(SELECT max(sequence) FROM conversations), (SELECT last_value FROM {NUMBERS}), 1))"
)
_RESTART_IDS = (
    "SELECT setval(pg_get_serial_sequence('{table}', 'id'), "
    "(SELECT coalesce(max(id), 0) + 1 FROM {table}), false)"
)


def _require_unicode(db: Connection) -> None:
    """Raises SettingsError unless the database takes the texts of all languages."""
    encoding: str = db.execute(_ENCODING).scalar_one()
    if encoding != "UTF8":
        place = db.engine.url.render_as_string(hide_password=True)
        raise SettingsError("database_encoding", place=place, encoding=encoding)


def _size(engine: Engine) -> int:
    with engine.connect() as db:
        size: int = db.execute(_SIZE).scalar_one()
    return size


def _listen(engine: Engine) -> None:
    event.listen(engine, "connect", _tune)
    event.listen(engine, "checkout", _refuse_a_dead_connection)


def _tune(connection: Any, record: Any) -> None:
    connection.adapters.register_dumper(str, LegibleDumper)
    connection.execute(f"SET lock_timeout = '{LOCK_S}s'")
    connection.commit()


def _refuse_a_dead_connection(connection: Any, record: Any, proxy: Any) -> None:
    """The pool replaces a connection that its server has closed, before anybody asks by it.

    Reading what has come costs no way to the server. First comes its last message, then the end.
    """
    try:
        connection.pgconn.consume_input()
        connection.pgconn.consume_input()
    except psycopg.Error as error:
        raise DisconnectionError("the server has closed the connection") from error
