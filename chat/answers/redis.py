"""Live answers through Redis: followed and stopped from every process that has the same REDIS_URL."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from chat.answers.live import KEPT_S, Entry, Failed, Finished, LiveAnswer, Lost
from chat.answers.redis_copies import AT_ONCE, LONGEST_S, SHORTEST_S, Copier, decode, key
from chat.settings.errors import SettingsError

CALL_S = 1.0  # for a connection, and for any call that does not wait by intention
BLOCK_S = 3.0  # a reader waits so long at a time, and the listener until it asks for a sign of life
CALLERS, READERS = 16, 1000  # connections of a process; who finds none is told from the database
TOLD_S = 60.0
WISHES = "zhiye:stop"

log = logging.getLogger("chat.redis")


class RedisAnswer:
    """The log of an answer that another process makes. It can be followed like one of ours."""

    def __init__(self, readers: "redis.Redis", name: str, start: int) -> None:
        self.start = start
        self._readers = readers
        self._name = name

    def follow(
        self, position: int = 0, quiet_s: float = BLOCK_S
    ) -> Iterator[list[tuple[int, Entry]]]:
        """Yields like LiveAnswer.follow, an empty batch also sooner. Raises Lost when there is no reading on: Redis
        is away or has lost a part, or the answer goes on in another log.
        """
        read = max(self.start, position)
        while True:
            batch: list[tuple[int, Entry]] = []
            for start, first, entries in self._read(read, min(quiet_s, BLOCK_S)):
                if start != self.start or first > read + 1:
                    raise Lost
                fresh = entries[read + 1 - first :]
                batch += enumerate(fresh, read + 1)
                read += len(fresh)
            yield batch
            if batch and isinstance(batch[-1][1], Finished | Failed):
                return

    def _read(self, read: int, seconds: float) -> list[tuple[int, int, list[Entry]]]:
        try:
            found: Any = self._readers.xread(
                {self._name: f"{read}-0"}, AT_ONCE, max(1, int(seconds * 1000))
            )
            items = found[0][1] if found else []
            return [
                (int(one[b"start"]), int(one[b"first"]), decode(one[b"entries"]))
                for _, one in items
            ]
        except (RedisError, ValueError, KeyError):
            raise Lost from None


class RedisBridge:
    """What one process has to do with Redis. Who appends to a log here, or follows it, waits for none of it.

    `longest_s` is how long an answer may take. Raises SettingsError.
    """

    def __init__(self, url: str, longest_s: float) -> None:
        self.is_away = False
        self._client = _client(
            redis.BlockingConnectionPool, url, CALL_S, max_connections=CALLERS, timeout=CALL_S
        )
        self._readers = _client(
            redis.ConnectionPool, url, BLOCK_S + CALL_S, max_connections=READERS
        )
        self._copier = Copier(self._client, longest_s + KEPT_S, self._trouble, self._well)
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._is_told = False
        self._told_at = float("-inf")

    def connect(self, stop: Callable[[str], object]) -> None:
        """Begins to write, and to `stop` answers as others wish; once per process, after the fork."""
        self._copier.start()
        threading.Thread(
            target=self._listen, args=(stop,), name="redis listener", daemon=True
        ).start()

    def disconnect(self) -> None:
        """Writes what is left, if that is possible at once."""
        self._ended.set()
        self._copier.end()

    def open(self, message_id: str, start: int, clock: Callable[[], float]) -> LiveAnswer:
        """A log of this process that others can follow."""
        return self._copier.open(message_id, start, clock)

    def find(self, message_id: str) -> RedisAnswer | None:
        """The log of another process; None when there is none, or not from its beginning."""
        with suppress(RedisError, ValueError, KeyError):
            first: Any = [] if self.is_away else self._client.xrange(key(message_id), count=1)
            for _, item in first:
                start, begins = int(item[b"start"]), int(item[b"first"])
                return (
                    RedisAnswer(self._readers, key(message_id), start)
                    if begins == start + 1
                    else None
                )
        return None

    def stop(self, message_id: str) -> None:
        """Tells the other processes of a wish to stop."""
        with suppress(RedisError):
            if not self.is_away:
                self._client.publish(WISHES, message_id)

    def look(self) -> tuple[str, str]:
        """For the doctor: the id of what is found, and what Redis says."""
        try:
            self._client.xlen(key("none"))
        except (AuthenticationError, ResponseError) as error:
            return "redis_refused", str(error)
        except RedisError as error:
            return "redis_away", str(error)
        return "redis_ok", ""

    def _listen(self, stop: Callable[[str], object]) -> None:
        client: Any = self._client
        pause = SHORTEST_S
        while not self._ended.is_set():
            try:
                with closing(client.pubsub()) as heard:
                    heard.subscribe(WISHES)
                    for message in self._heard(heard):
                        self._well()
                        pause = SHORTEST_S
                        if message["type"] == "message":
                            stop(message["data"].decode())
            except Exception as error:
                self._trouble(error)
            self._ended.wait(pause)
            pause = min(2 * pause, LONGEST_S)

    def _heard(self, heard: Any) -> Iterator[Any]:
        """Yields what comes, signs of life included. Raises when there is none."""
        is_asked = True
        while not self._ended.is_set():
            message = heard.get_message(timeout=BLOCK_S)
            if message is not None:
                yield message
            elif is_asked:
                raise redis.TimeoutError("no sign of life")
            else:
                heard.ping()
            is_asked = message is None

    def _trouble(self, error: Exception) -> None:
        with self._lock:
            self.is_away = True
            is_news = not self._is_told and time.monotonic() - self._told_at >= TOLD_S
            if is_news:
                self._is_told, self._told_at = True, time.monotonic()
        if is_news and not self._ended.is_set():
            told = "Redis cannot be used (%s): answers are followed and stopped only where they are made"
            log.warning(told, error, exc_info=not isinstance(error, RedisError))

    def _well(self) -> None:
        if not self.is_away:
            return
        with self._lock:
            is_news, self.is_away, self._is_told = self._is_told, False, False
        if is_news:
            log.info("Redis can be used again")


def _client(pool: Any, url: str, seconds: float, **bounds: float) -> "redis.Redis":
    """No call is made twice by itself: each has a place here where it is made again."""
    try:
        made = pool.from_url(
            url, socket_connect_timeout=CALL_S, socket_timeout=seconds, protocol=2, **bounds
        )
        made.connection_class(
            **made.connection_kwargs
        )  # or a wrong option would show when it is too late
    except (ValueError, TypeError):
        raise SettingsError("redis_address") from None
    return redis.Redis(connection_pool=made)
