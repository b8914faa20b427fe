"""Live answers through Redis: followed and stopped from every process with the same REDIS_URL."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import redis
from redis.exceptions import RedisError

from chat.answers.live import KEPT_S, UNREAD_S, Entry, Failed, Finished, LiveAnswer, Lost
from chat.answers.redis_copies import AT_ONCE, Copier, decode, key, sign_key
from chat.shared.connection import Away, Connection
from providers.events import Status

# A reader waits so long at a time.
BLOCK_S = 3.0
# Connections for readers. One who finds none free reads the stored answer instead.
READERS = 1000
STOP = "stop"
# Whoever follows an answer in line says so that often.
SIGN_S = 5.0


class RedisAnswer:
    """A live answer of another process, read from its copy in Redis."""

    def __init__(self, readers: "redis.Redis", name: str, start: int) -> None:
        self.start = start
        self._readers = readers
        self._name = name

    def follow(
        self, position: int = 0, quiet_s: float = BLOCK_S
    ) -> Iterator[list[tuple[int, Entry]]]:
        """Yields like LiveAnswer.follow, an empty batch also sooner.

        Raises Lost when it cannot be read on: Redis is away or has lost a part, or another process
        goes on with the answer.
        """
        read = max(self.start, position)
        is_in_line, sign_at = True, 0.0
        while True:
            if is_in_line and time.monotonic() >= sign_at:
                sign_at = time.monotonic() + SIGN_S
                self._sign()
            batch: list[tuple[int, Entry]] = []
            for start, first, entries in self._read(read, min(quiet_s, BLOCK_S)):
                if start != self.start or first > read + 1:
                    raise Lost
                fresh = entries[read + 1 - first :]
                batch += enumerate(fresh, read + 1)
                read += len(fresh)
            is_in_line = is_in_line and all(isinstance(entry, Status) for _, entry in batch)
            yield batch
            if batch and isinstance(batch[-1][1], Finished | Failed):
                return

    def _sign(self) -> None:
        """Keeps the place in line of a question that is followed here."""
        try:
            self._readers.set(sign_key(self._name), 1, ex=int(UNREAD_S))
        except RedisError:
            raise Lost from None

    def _read(self, read: int, seconds: float) -> list[tuple[int, int, list[Entry]]]:
        milliseconds = max(1, int(seconds * 1000))
        try:
            reply: Any = self._readers.xread({self._name: f"{read}-0"}, AT_ONCE, milliseconds)
            items = reply[0][1] if reply else []
            return [
                (int(item[b"start"]), int(item[b"first"]), decode(item[b"entries"]))
                for _, item in items
            ]
        except (RedisError, ValueError, KeyError):
            raise Lost from None


class RedisBridge:
    """The way to other processes through Redis. Nobody in this process waits for it.

    `longest_s` is how long an answer may take.
    """

    def __init__(self, connection: Connection, longest_s: float) -> None:
        self._connection = connection
        self._readers = connection.readers(BLOCK_S, READERS)
        self._copier = Copier(connection, longest_s + KEPT_S)

    @property
    def is_away(self) -> bool:
        """Whether the other processes cannot be reached just now."""
        return self._connection.is_away

    def connect(self, stop: Callable[[str], object]) -> None:
        """Begins to write, and to stop answers when other processes wish.

        Once, after the fork and before the connection listens.
        """
        self._connection.listen(STOP, stop)
        self._copier.start()

    def disconnect(self) -> None:
        """Writes what is left, if that is possible at once."""
        self._copier.end()

    def open(self, message_id: str, start: int, clock: Callable[[], float]) -> LiveAnswer:
        """A live answer of this process that others can follow."""
        return self._copier.open(message_id, start, clock)

    def find(self, message_id: str) -> RedisAnswer | None:
        """The live answer of another process; None when there is none, or its beginning is lost."""
        name = key(self._connection, message_id)
        with suppress(Away, ValueError, KeyError):
            with self._connection.calling() as calls:
                items: Any = calls.xrange(name, count=1)
            for _, item in items:
                start = int(item[b"start"])
                is_whole = int(item[b"first"]) == start + 1
                return RedisAnswer(self._readers, name, start) if is_whole else None
        return None

    def stop(self, message_id: str) -> None:
        """Tells the other processes of a wish to stop."""
        self._connection.say(STOP, message_id)
