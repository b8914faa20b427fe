"""What was committed is on the disk, not only in the memory of the operating system."""

import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from chat.offload import beside_others
from chat.storage.engine.files import size_of

log = logging.getLogger("chat.storage")


class DatabaseDisk(Protocol):
    """The disk under a database, and the folder of this machine for files beside it."""

    @property
    def folder(self) -> Path:
        """A folder of this machine that can be written to."""

    @property
    def size(self) -> int:
        """Bytes of the database. Raises OSError, StorageError."""

    @property
    def free(self) -> int:
        """Bytes of room that are left in the folder: none while it cannot be reached."""

    def sync(self) -> None:
        """Returns once everything that was committed before is on the disk."""


class Disk:
    """The disk under the file of a database.

    SQLite's log is written by each commit and reaches the disk some seconds later. That survives
    a killed process and not a power cut. `sync` waits until the log is on the disk.
    """

    def __init__(self, database: Path, sync: Callable[[int], None] = os.fsync) -> None:
        self._database = database
        self._log = database.with_name(database.name + "-wal")
        self._sync = sync
        self._changed = threading.Condition()
        self._asked = self._synced = 0
        self._is_busy = False

    @property
    def folder(self) -> Path:
        """Where the database is: a folder that can be written to."""
        return self._database.parent

    @property
    def size(self) -> int:
        """Bytes of the database, with what is in its log. Raises OSError."""
        return size_of(self._database)

    @property
    def free(self) -> int:
        """Bytes of room that are left on it: none while it cannot be reached."""
        return _free(self._database.parent)

    def sync(self) -> None:
        """Returns once everything that was committed before is on the disk.

        One write to the disk serves all who were waiting when it began. A disk that refuses is
        logged and no error: the question is stored.
        """
        with self._changed:
            self._asked += 1
            mine = self._asked
        while (upto := self._turn(mine)) is not None:
            try:
                beside_others(self._write)
            except OSError as error:
                log.warning("%s did not reach the disk: %s", self._log, error)
            finally:
                with self._changed:
                    self._synced, self._is_busy = upto, False
                    self._changed.notify_all()

    def _turn(self, mine: int) -> int | None:
        """Waits until mine is synced (None), or until it is my turn to write for all callers."""
        with self._changed:
            while self._synced < mine:
                if not self._is_busy:
                    self._is_busy = True
                    # All who have asked by now have committed: one write serves them.
                    return self._asked
                self._changed.wait()
            return None

    def _write(self) -> None:
        file = os.open(self._log, os.O_RDONLY)
        try:
            self._sync(file)
        finally:
            os.close(file)


class ServerDisk:
    """The disk of a database server: here is only the folder for what is beside the database.

    `size` says how many bytes the database has.
    """

    def __init__(self, size: Callable[[], int]) -> None:
        self._size = size
        self._folder = Path(tempfile.gettempdir())

    @property
    def folder(self) -> Path:
        """The folder for temporary files."""
        return self._folder

    @property
    def size(self) -> int:
        """Bytes of the database with its indexes. Raises StorageError."""
        return self._size()

    @property
    def free(self) -> int:
        """Bytes of room in the folder. A server without room refuses what is to be stored."""
        return _free(self._folder)

    def sync(self) -> None:
        """Nothing: a commit comes back from the server when it is on its disk."""


def _free(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0
