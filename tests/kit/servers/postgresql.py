"""A PostgreSQL of one's own, from Debian's package, to be stopped and started again."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from chat import storage
from chat.settings.model import Settings
from chat.storage.engine.numbers import NUMBERS
from chat.storage.models import Base
from tests.kit.site import PATIENCE_S, hold_port

USER, PASSWORD = "zhiye", "p@ss:word/of+postgres-42"
# The server refuses to run as root.
UNPRIVILEGED = "nobody"
# Nothing in tests has to survive a power cut; a crash of the server loses nothing.
FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "jit": "off",
    "shared_buffers": "16MB",
    "max_connections": "200",
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
}


def _programs() -> Path | None:
    """The folder with initdb and postgres; Debian has them on no path."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


@dataclass
class PostgresqlServer:
    """A cluster in a folder of its own. `template` is a database that others are copied from."""

    programs: Path
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="postgresql-")))
    held: socket.socket = field(default_factory=hold_port)
    process: subprocess.Popen[bytes] | None = None
    template: str | None = None

    def __post_init__(self) -> None:
        password = self.folder / "password"
        password.write_text(PASSWORD)
        self._give_away(self.folder)
        self._give_away(password)
        self._run(
            "initdb",
            *("--pgdata", str(self._data), "--username", USER, "--pwfile", str(password)),
            *("--auth", "password", "--encoding", "UTF8", "--locale", "C", "--no-sync"),
        )

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def port(self) -> int:
        return int(self.held.getsockname()[1])

    def address(self, database: str) -> str:
        """The address of a database, as an owner pastes it."""
        password = quote(PASSWORD, safe="")
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> "PostgresqlServer":
        options = [f"--{name}={value}" for name, value in FAST.items()]
        with open(self.folder / "postgresql.txt", "ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self._data, f"--port={self.port}", *options],
                stdout=log,
                stderr=log,
                user=_unprivileged(),
                cwd="/",
            )
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            try:
                psycopg.connect(self.address("postgres"), connect_timeout=2).close()
                return self
            except psycopg.OperationalError:
                assert self.process.poll() is None, (self.folder / "postgresql.txt").read_text()
                time.sleep(0.02)
        raise AssertionError("postgres does not listen")

    def stop(self) -> None:
        """As an administrator restarts it: every connection is ended."""
        self._end_by(signal.SIGINT)

    def crash(self) -> None:
        """Without a goodbye to anybody; it recovers from its log at the next start."""
        self._end_by(signal.SIGQUIT)

    def create(self, name: str, is_copied: bool = True) -> str:
        """Makes a database, a copy of the template if there is one: its address."""
        template = self.template if is_copied and self.template else "template1"
        copied = sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        self.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)) + copied)
        return self.address(name)

    def drop(self, name: str) -> None:
        self.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )

    def execute(self, statement: sql.Composable) -> None:
        """A statement to the server as a whole."""
        with psycopg.connect(self.address("postgres"), autocommit=True) as db:
            db.execute(statement)

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.crash()
        self.held.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end_by(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(PATIENCE_S)

    def _run(self, program: str, *options: str) -> None:
        done = subprocess.run(
            [self.programs / program, *options],
            capture_output=True,
            text=True,
            user=_unprivileged(),
            cwd="/",
            timeout=PATIENCE_S * 3,
        )
        assert done.returncode == 0, done.stderr

    def _give_away(self, path: Path) -> None:
        if os.geteuid() == 0:
            shutil.chown(path, UNPRIVILEGED)


def _unprivileged() -> str | None:
    return UNPRIVILEGED if os.geteuid() == 0 else None


def postgresql_server() -> PostgresqlServer:
    """One that has not been started. Skips the test where there is no PostgreSQL, except where it
    must run.
    """
    programs = _programs()
    if programs is None:
        if os.environ.get("CI"):
            raise AssertionError("needs PostgreSQL: apt-get install postgresql")
        pytest.skip("needs PostgreSQL: apt-get install postgresql")
    return PostgresqlServer(programs)


@dataclass
class Databases:
    """Empty databases with our tables on one server. Those that are given back are used again."""

    server: PostgresqlServer
    free: list[str] = field(default_factory=list)
    count: int = 0

    def lend(self) -> str:
        """The name of an empty database with our tables."""
        if self.free:
            return self.free.pop()
        if self.server.template is None:
            storage.connect(Settings(database_url=self.server.create("template_of_ours"))).close()
            self.server.template = "template_of_ours"
        self.count += 1
        name = f"database_{self.count}"
        self.server.create(name)
        return name

    def give_back(self, name: str) -> None:
        """Empties a database for the next test."""
        with psycopg.connect(self.server.address(name), autocommit=True) as db:
            tables = sql.SQL(", ").join(map(sql.Identifier, Base.metadata.tables))
            db.execute("SET lock_timeout = '20s'")
            db.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(tables))
            db.execute(sql.SQL("ALTER SEQUENCE {} RESTART").format(sql.Identifier(NUMBERS)))
        self.free.append(name)
