"""The log of a live answer: appended by one producer, followed from any position by many readers.

In memory. A log holds plain values, is only ever appended, and is read by position; so it can be copied for
other processes, and theirs be followed here (chat/answers/redis.py).
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from providers.events import Event
from providers.stop import Stop

KEPT_S = 300.0  # an ended log stays this long, for readers who lost their connection


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is complete, or was stopped. The last entry of a log, unless that is Failed."""

    finish_reason: str
    replies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer ended early. `code` is a reason of the HTTP contract, `retry_after` in seconds, `id` the
    request it was asked in.
    """

    code: str
    retry_after: float | None = None
    id: str | None = None


Entry = Event | Finished | Failed


class Lost(Exception):
    """A log of another process cannot be read on. No error of its answer: what becomes of it is stored."""


class Journal(Protocol):
    """A log as its readers see it, wherever it is kept."""

    start: int

    def follow(self, position: int = 0, quiet_s: float = 15) -> Iterator[list[tuple[int, Entry]]]:
        """Like Log.follow. Raises Lost where it is kept by another process."""


class Log:
    """What has happened in one answer so far.

    Positions count from 1, those of a resumed answer from so far on that its earlier log cannot have come
    there; 0 is before the first entry.
    """

    def __init__(self, start: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.start = start
        self._clock = clock
        self._entries: list[Entry] = []
        self._changed = (
            threading.Condition()
        )  # with a plain Lock, gevent would yield at each notify
        self.ended_at: float | None = None

    def append(self, entry: Entry) -> None:
        """Adds an entry; Finished or Failed ends the log."""
        with self._changed:
            self._entries.append(entry)
            if isinstance(entry, Finished | Failed):
                self.ended_at = self._clock()
            self._changed.notify_all()

    def follow(self, position: int = 0, quiet_s: float = 15) -> Iterator[list[tuple[int, Entry]]]:
        """Yields what comes after `position`, in batches as large as the reader is slow, until the end.

        A position of an earlier log counts as none. An empty batch says that nothing happened for `quiet_s`
        seconds.
        """
        read = max(0, position - self.start)
        while True:
            with self._changed:
                if read >= len(self._entries) and self.ended_at is None:
                    self._changed.wait(quiet_s)
                fresh = self._entries[read:]
                ended = self.ended_at is not None
            if fresh or not ended:
                yield list(enumerate(fresh, self.start + read + 1))
            read += len(fresh)
            if ended:
                return


class Elsewhere(Protocol):
    """The other processes that serve this site. `is_away` says that they cannot be reached just now."""

    is_away: bool

    def start(self, stop: Callable[[str], object]) -> None:
        """Begins to share; `stop` is called with the message id when others wish an end."""

    def end(self) -> None:
        """Shares what is left."""

    def open(self, message_id: str, start: int, clock: Callable[[], float]) -> Log:
        """A log of this process that the others can follow."""

    def find(self, message_id: str) -> Journal | None:
        """The log of another process."""

    def stop(self, message_id: str) -> None:
        """Passes on a wish to stop."""


class Runs:
    """All live answers of this process, by message id, and the way to those `elsewhere`."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, elsewhere: Elsewhere | None = None
    ) -> None:
        self._clock = clock
        self._elsewhere = elsewhere
        self._lock = threading.Lock()
        self._runs: dict[str, tuple[Log, Stop]] = {}
        self._forgotten_at = clock()

    def open(self, message_id: str, is_resumed: bool = False) -> tuple[Log, Stop]:
        """A new log to append to, and the wish to heed."""
        self._forget_old()
        start = time.time_ns() // 1_000_000 if is_resumed else 0
        elsewhere = self._elsewhere
        journal = (
            elsewhere.open(message_id, start, self._clock) if elsewhere else Log(start, self._clock)
        )
        run = (journal, Stop())
        with self._lock:
            self._runs[message_id] = run
        return run

    def start(self) -> None:
        """Begins to share with other processes; once per process."""
        if self._elsewhere is not None:
            self._elsewhere.start(self._stop)

    def end(self) -> None:
        """Shares what is left."""
        if self._elsewhere is not None:
            self._elsewhere.end()

    @property
    def is_cut_off(self) -> bool:
        """Whether the way to other processes is set up and does not work."""
        return self._elsewhere is not None and self._elsewhere.is_away

    def find(self, message_id: str) -> Journal | None:
        """The log to follow; None when the answer is not live, or ended a while ago."""
        run = self._runs.get(message_id)
        if run is None and self._elsewhere is not None:
            return self._elsewhere.find(message_id)
        return run[0] if run else None

    def stop(self, message_id: str) -> bool:
        """Asks a live answer to end, also one of another process. False when it is not live here."""
        if message_id not in self._runs and self._elsewhere is not None:
            self._elsewhere.stop(message_id)
        return self._stop(message_id)

    def _stop(self, message_id: str) -> bool:
        run = self._runs.get(message_id)
        if run is None or run[0].ended_at is not None:
            return False
        run[1].request()
        return True

    def live(self) -> int:
        """How many answers are being made."""
        return sum(log.ended_at is None for log, _ in list(self._runs.values()))

    def _forget_old(self) -> None:
        now = self._clock()
        with self._lock:
            if now - self._forgotten_at < KEPT_S / 10:
                return
            self._forgotten_at = now
            for message_id, (log, _) in list(self._runs.items()):
                if log.ended_at is not None and now - log.ended_at > KEPT_S:
                    del self._runs[message_id]
