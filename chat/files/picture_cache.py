"""Pictures in files without a name, as many as there is room for: the least used go first."""

import errno
import os
import tempfile
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from chat.refusals import PictureRefusal
from chat.visitors.limits.bodies import LEFT_FREE

# All files together: those being fetched, those in the cache, and those that slow readers read.
MOST_BYTES = 128 * 1024 * 1024
# Each takes an open file.
MOST_PICTURES = 100
# As long as a browser keeps it.
MAX_AGE_S = 24 * 3600.0
PIECE_BYTES = 64 * 1024


class Copy:
    """A picture in a file that has no name, so that nothing is left of it when the process ends.

    `content_type` is that of its bytes. Any number of readers read at their own speed.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        # Also when a whole cache is given up.
        weakref.finalize(self, file.close)
        # A closed file's number may be another file's at once.
        self._lock = threading.Lock()
        self.size = 0
        self.content_type = ""
        self.fetched_at = 0.0

    def write(self, data: bytes) -> None:
        """Adds bytes. Raises OSError."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
        self.size += len(data)

    def pieces(self) -> Iterator[bytes]:
        """Yields the bytes. Raises BrokenPipeError when the file had to make room for others."""
        position = 0
        while position < self.size:
            piece = self._read(position)
            position += len(piece)
            yield piece

    def close(self) -> None:
        """Gives the room back, whoever still reads."""
        with self._lock:
            self._file.close()

    def _read(self, position: int) -> bytes:
        with self._lock:
            if not self._file.closed:
                return os.pread(self._file.fileno(), PIECE_BYTES, position)
        # The server ends the connection, as it does when a reader has gone.
        raise BrokenPipeError(errno.EPIPE, "the picture had to make room for others")


class PictureCache:
    """Copies by their address.

    `folder` is where the files are, `room` the bytes of room on its disk. Copies that are being
    written count too and cannot be put out, so `most_bytes` has to be enough for all of them.
    """

    def __init__(
        self,
        folder: Path,
        room: Callable[[], int],
        most_bytes: int = MOST_BYTES,
        most_pictures: int = MOST_PICTURES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._room = room
        self._most_bytes = most_bytes
        self._most_pictures = most_pictures
        self._clock = clock
        self._lock = threading.RLock()
        # The longest unused first.
        self._copies: OrderedDict[str, Copy] = OrderedDict()
        self._unfinished: set[Copy] = set()

    @property
    def size(self) -> int:
        """The bytes of all files."""
        with self._lock:
            return sum(copy.size for copy in (*self._copies.values(), *self._unfinished))

    def find(self, url: str) -> Copy | None:
        """The copy of a picture, which is now the most recently used one."""
        with self._lock:
            self._drop_old()
            copy = self._copies.get(url)
            if copy is not None:
                self._copies.move_to_end(url)
            return copy

    def begin(self) -> Copy:
        """A copy to be written: `keep` or `discard` ends that. Raises OSError."""
        # It stays open for as long as the copy lasts.
        file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115
        copy = Copy(file)
        with self._lock:
            self._unfinished.add(copy)
        return copy

    def grow(self, copy: Copy, data: bytes) -> None:
        """Adds bytes to a copy. Raises OSError, PictureRefusal when the disk has no room."""
        with self._lock:
            self._make_room(len(data))
            copy.write(data)

    def keep(self, url: str, copy: Copy) -> None:
        """Keeps a copy that is whole."""
        with self._lock:
            self._unfinished.discard(copy)
            self._drop(url)
            while len(self._copies) >= self._most_pictures:
                self._drop(next(iter(self._copies)))
            copy.fetched_at = self._clock()
            self._copies[url] = copy

    def discard(self, copy: Copy) -> None:
        """Forgets a copy that was not kept."""
        with self._lock:
            if copy in self._unfinished:
                self._unfinished.remove(copy)
                copy.close()

    def _make_room(self, size: int) -> None:
        while self.size + size > self._most_bytes or self._room() < LEFT_FREE + size:
            if not self._copies:
                raise PictureRefusal("unavailable", "the disk is nearly full: no picture")
            self._drop(next(iter(self._copies)))

    def _drop_old(self) -> None:
        oldest = self._clock() - MAX_AGE_S
        for url in [url for url, copy in self._copies.items() if copy.fetched_at < oldest]:
            self._drop(url)

    def _drop(self, url: str) -> None:
        copy = self._copies.pop(url, None)
        if copy is not None:
            copy.close()
