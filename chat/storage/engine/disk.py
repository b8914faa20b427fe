"""What was committed is on the disk, not only in the memory of the operating system."""

import logging
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from chat.offload import beside_others
from chat.storage.engine.files import size_of

log = logging.getLogger("chat.storage")


class Disk:
    """The disk under the database.

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
        try:
            return shutil.disk_usage(self._database.parent).free
        except OSError:
            return 0

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
                    return self._asked
                self._changed.wait()
            return None

    def _write(self) -> None:
        file = os.open(self._log, os.O_RDONLY)
        try:
            self._sync(file)
        finally:
            os.close(file)
