"""The wall before the database: what SQLite and PostgreSQL each do in their own way, by one name.

Everything else in this room is the same for both. PostgreSQL's module, and its driver, are imported
only where DATABASE_URL names such a server.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sqlalchemy import URL, Connection, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from chat.refusals import Refusal
from chat.settings.errors import SettingsError
from chat.storage.engine import sqlite
from chat.storage.engine.disk import DatabaseDisk

RETRY_S = 10.0
SQLITE, POSTGRESQL = "sqlite", "postgresql"
# What people paste, and the driver that we have for it.
DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "sqlite+pysqlite": "sqlite",
}

# Other rooms catch by this name what the queries raise.
StorageError = SQLAlchemyError


class StorageRefusal(Refusal):
    """Nothing can be stored or read at the moment; it has a sentence of its own."""


class Kind(Protocol):
    """What a kind of database does in its own way; a module each.

    WRITERS is how many of a process it serves at once without one waiting for another.
    """

    WRITERS: int

    def prepare(self, url: URL) -> None:
        """Makes what has to be there before a connection. Raises SettingsError."""

    def open_engine(self, url: URL) -> Engine:
        """The engine of a database. It connects when it is first used."""

    def open_existing(self, url: URL) -> Engine:
        """The engine of a database that nobody makes: its queries raise StorageError."""

    def by_single_statements(self, engine: Engine) -> Engine:
        """The same, where each statement is a transaction of its own."""

    def one_moment(self, engine: Engine) -> AbstractContextManager[Connection]:
        """A connection that reads everything as it was at its first query."""

    def alone(self, engine: Engine) -> AbstractContextManager[None]:
        """Around a change of the tables: of all processes that start, one is in it at a time."""

    def copy_before(self, engine: Engine, version: str) -> str:
        """Copies the tables before they become `version`, where that can be done: what was done."""

    def guard(self, engine: Engine) -> None:
        """Call it once the tables are made: from now on the database has to be there."""

    def is_trouble(self, error: DBAPIError) -> bool:
        """Whether the database cannot be used at the moment."""

    def lacks_tables(self, error: DBAPIError) -> bool:
        """Whether a table is missing: the database has not been brought up to date."""

    def lock(self, db: Connection, name: str) -> None:
        """In a transaction: whoever takes the same lock waits until this transaction has ended."""

    def try_to_hold(self, engine: Engine, name: str) -> Callable[[], None] | None:
        """Takes what one of all processes may hold at a time; it is free again when that one dies.

        Returns what gives it back, or None while somebody else holds it.
        """

    def time_of(self, engine: Engine) -> datetime | None:
        """The time by the database's own clock, None when it has none."""

    def restart_numbers(self, db: Connection) -> None:
        """After rows were stored with numbers of their own: the next number follows theirs."""

    def squeeze(self, engine: Engine) -> bool:
        """Lets go of what deleted rows have left behind. False when nothing of them is left."""

    def disk(self, engine: Engine) -> DatabaseDisk:
        """The disk under a database."""


def kind_of(place: URL | Engine | Connection) -> Kind:
    """What is particular to the database at an address, of an engine or of a connection.

    Raises SettingsError when its driver is not there.
    """
    name = place.get_backend_name() if isinstance(place, URL) else place.dialect.name
    return _postgresql() if name == POSTGRESQL else sqlite


def by_single_statements(engine: Engine) -> Engine:
    """The same, where each statement is a transaction of its own: to read, or for one write."""
    return kind_of(engine).by_single_statements(engine)


def parse(address: str) -> URL:
    """The address of a database, with the driver that we have. Raises SettingsError."""
    try:
        url = make_url(address.strip())
    except (ArgumentError, ValueError):
        # The message repeats the address, or a part of its password.
        raise SettingsError("database_address") from None
    url = url.set(drivername=DRIVERS.get(url.drivername, url.drivername))
    if "@" in f"{url.host}{url.database}" and url.drivername != SQLITE:
        # Of a password with @ or / a part is taken for the host or the name, which errors repeat.
        raise SettingsError("database_address")
    is_known = url.drivername in (SQLITE, "postgresql+psycopg")
    # In memory each process would have one of its own, and lose it.
    if not is_known or url.database in (None, "", ":memory:"):
        raise SettingsError("database_kind")
    return url


def file_of(address: str) -> Path | None:
    """The file of a SQLite database; None when the address names none."""
    try:
        url = parse(address)
    except SettingsError:
        return None
    return Path(url.database or "") if url.drivername == SQLITE else None


def place_of(url: URL) -> str:
    """Where a database is, without its password: a file, or user@host:port/name of a server."""
    if url.drivername == SQLITE:
        return url.database or ""
    user = f"{url.username}@" if url.username else ""
    port = f":{url.port}" if url.port else ""
    return f"{user}{url.host or 'localhost'}{port}/{url.database}"


def unusable(url: URL, error: Exception) -> SettingsError:
    """Why a database cannot be used, for whoever starts the site."""
    if url.drivername == SQLITE:
        reason = getattr(error, "orig", None) or error
        return SettingsError("database", path=url.database, reason=reason)
    return SettingsError("database_server", place=place_of(url), reason=reason_of(error))


def reason_of(error: Exception) -> str:
    """What a driver says, in one line, without the hints, which it indents."""
    lines = str(getattr(error, "orig", None) or error).splitlines()
    return " ".join(line.strip() for line in lines if not line.startswith("\t")).rstrip(".")


def is_trouble(error: BaseException) -> bool:
    """Whether the database cannot be used at the moment: locked, full, read-only, gone."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    return _kind_of_error(error).is_trouble(error)


def leaves_doubt(error: BaseException) -> bool:
    """Whether a change may have been stored: the connection was lost before that was certain."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


def lacks_tables(error: BaseException) -> bool:
    """Whether a table is missing: the database has not been brought up to date."""
    return isinstance(error, DBAPIError) and _kind_of_error(error).lacks_tables(error)


@contextmanager
def only_if_stored() -> Iterator[None]:
    """Around what has to be stored before anything else. Raises StorageRefusal in trouble."""
    try:
        yield
    except SQLAlchemyError as error:
        if not is_trouble(error):
            raise
        raise StorageRefusal("unavailable", str(error.__cause__), retry_after=RETRY_S) from error


def lock(db: Connection, name: str) -> None:
    """In a transaction: whoever takes the same lock waits until this transaction has ended.

    It comes before whatever is read to be changed. SQLite has one writer at a time: there all
    names are one.
    """
    kind_of(db).lock(db, name)


def _kind_of_error(error: DBAPIError) -> Kind:
    return _postgresql() if hasattr(error.orig, "sqlstate") else sqlite


def _postgresql() -> Kind:
    try:
        from chat.storage.engine import postgresql
    except ImportError as error:
        raise SettingsError("database_driver", reason=error) from None
    return postgresql
