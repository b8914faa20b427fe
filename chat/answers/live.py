"""Live answers: each has one producer and many readers, and a Stop is handed over to its producer.

In memory. A live answer holds plain values, is only ever appended, and is read by position. So it
can be copied for other processes, and theirs be followed here (chat/answers/redis.py).
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from providers.events import Event
from providers.stop import Stop

# An ended answer stays so long, for readers who lost their connection.
KEPT_S = 300.0
# A question that waits in line unread so long gives up its place: a reload or a break of the
# network is shorter.
UNREAD_S = 20.0
# The finish_reason of an answer that was longer than this site shows.
CUT = "length"


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is complete, or was stopped. The last entry, unless that is Failed."""

    finish_reason: str
    replies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer ended early.

    `code` is a reason of the HTTP contract, `retry_after` is in seconds, `id` is the request that
    asked.
    """

    code: str
    retry_after: float | None = None
    id: str | None = None


Entry = Event | Finished | Failed


class Lost(Exception):
    """An answer of another process cannot be read on.

    The answer itself has not failed: what becomes of it is stored.
    """


class RemoteAnswer(Protocol):
    """The live answer of another process, as its readers see it."""

    start: int

    def follow(self, position: int = 0, quiet_s: float = 15) -> Iterator[list[tuple[int, Entry]]]:
        """Yields like LiveAnswer.follow. Raises Lost."""


class LiveAnswer:
    """What has happened in one answer so far.

    Positions count from 1; 0 is before the first entry. Those of a resumed answer count from
    `start`, which no position of its earlier process can have reached.
    """

    def __init__(self, start: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.start = start
        self._clock = clock
        self._entries: list[Entry] = []
        # A Condition makes an RLock. With a plain Lock, gevent would yield at each notify.
        self._changed = threading.Condition()
        self.ended_at: float | None = None
        self._readers: set[object] = set()
        self._last_read_at = clock()

    @property
    def unread_s(self) -> float:
        """For how many seconds nobody has followed it."""
        return 0.0 if self._readers else self._clock() - self._last_read_at

    def append(self, entry: Entry) -> None:
        """Adds an entry; Finished or Failed ends the answer."""
        with self._changed:
            self._entries.append(entry)
            if isinstance(entry, Finished | Failed):
                self.ended_at = self._clock()
            self._changed.notify_all()

    def follow(self, position: int = 0, quiet_s: float = 15) -> Iterator[list[tuple[int, Entry]]]:
        """Yields what comes after `position`, until the end, in larger batches to a slower reader.

        A position of an earlier process counts as none. An empty batch says that nothing happened
        for `quiet_s` seconds.
        """
        count = max(0, position - self.start)
        # One beyond the end is from an earlier process, too, whose clock was ahead of ours.
        if self.start and count > len(self._entries):
            count = 0
        reader = object()
        self._readers.add(reader)
        try:
            yield from self._read(count, quiet_s)
        finally:
            self._last_read_at = self._clock()
            self._readers.discard(reader)

    def _read(self, count: int, quiet_s: float) -> Iterator[list[tuple[int, Entry]]]:
        while True:
            with self._changed:
                if count >= len(self._entries) and self.ended_at is None:
                    self._changed.wait(quiet_s)
                fresh = self._entries[count:]
                has_ended = self.ended_at is not None
            if fresh or not has_ended:
                yield list(enumerate(fresh, self.start + count + 1))
            count += len(fresh)
            if has_ended:
                return


def is_unread(live: LiveAnswer) -> bool:
    """Whether nobody has followed it for so long that nobody may come again."""
    return live.unread_s >= UNREAD_S


class Bridge(Protocol):
    """The way to the other processes that serve this site."""

    @property
    def is_away(self) -> bool:
        """Whether the others cannot be reached."""

    def connect(self, stop: Callable[[str], object]) -> None:
        """Begins to share; `stop` gets the message ids that other processes wish to stop."""

    def disconnect(self) -> None:
        """Shares what is left."""

    def open(self, message_id: str, start: int, clock: Callable[[], float]) -> LiveAnswer:
        """A live answer of this process that the others can follow."""

    def find(self, message_id: str) -> RemoteAnswer | None:
        """The live answer of another process."""

    def stop(self, message_id: str) -> None:
        """Passes on a wish to stop."""


class LiveAnswers:
    """All live answers of this process, by message id, and the `bridge` to other processes."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, bridge: Bridge | None = None
    ) -> None:
        self._clock = clock
        self._bridge = bridge
        self._lock = threading.Lock()
        self._answers: dict[str, tuple[LiveAnswer, Stop]] = {}
        self._forgotten_at = clock()

    def open(self, message_id: str, is_resumed: bool = False) -> tuple[LiveAnswer, Stop]:
        """A new live answer to append to, and the wish to heed."""
        self._forget_old()
        start = time.time_ns() // 1_000_000 if is_resumed else 0
        if self._bridge is None:
            live = LiveAnswer(start, self._clock)
        else:
            live = self._bridge.open(message_id, start, self._clock)
        stop = Stop()
        with self._lock:
            self._answers[message_id] = live, stop
        return live, stop

    def connect(self) -> None:
        """Begins to share with other processes; once per process."""
        if self._bridge is not None:
            self._bridge.connect(self._stop)

    def disconnect(self) -> None:
        """Shares what is left."""
        if self._bridge is not None:
            self._bridge.disconnect()

    @property
    def is_cut_off(self) -> bool:
        """Whether the way to other processes is set up and does not work."""
        return self._bridge is not None and self._bridge.is_away

    def find(self, message_id: str) -> LiveAnswer | RemoteAnswer | None:
        """The answer to follow; None when it is not live, or ended a while ago."""
        entry = self._answers.get(message_id)
        if entry is not None:
            return entry[0]
        return self._bridge.find(message_id) if self._bridge is not None else None

    def stop(self, message_id: str) -> bool:
        """Asks a live answer to end, also one of another process.

        False when it is not live here.
        """
        if message_id not in self._answers and self._bridge is not None:
            self._bridge.stop(message_id)
        return self._stop(message_id)

    def _stop(self, message_id: str) -> bool:
        entry = self._answers.get(message_id)
        if entry is None or entry[0].ended_at is not None:
            return False
        entry[1].request()
        return True

    def count(self) -> int:
        """How many answers are being made."""
        return sum(live.ended_at is None for live, _ in list(self._answers.values()))

    def _forget_old(self) -> None:
        now = self._clock()
        with self._lock:
            if now - self._forgotten_at < KEPT_S / 10:
                return
            self._forgotten_at = now
            for message_id, (live, _) in list(self._answers.items()):
                if live.ended_at is not None and now - live.ended_at > KEPT_S:
                    del self._answers[message_id]
