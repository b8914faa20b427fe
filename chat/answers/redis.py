"""Live answers through Redis: followed and stopped from every process with the same REDIS_URL."""

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

# For a connection, and for any call that does not wait by intention.
CALL_S = 1.0
# A reader waits so long at a time, and the listener until it asks for a sign of life.
BLOCK_S = 3.0
# Connections of a process. A reader who finds none free reads the stored answer instead.
CALLERS, READERS = 16, 1000
# Between two warnings that Redis is away.
WARNING_S = 60.0
STOP_CHANNEL = "zhiye:stop"

log = logging.getLogger("chat.redis")


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
        self._has_warned = False
        self._warned_at = float("-inf")

    def connect(self, stop: Callable[[str], object]) -> None:
        """Begins to write, and to stop answers when other processes wish; once, after the fork."""
        self._copier.start()
        threading.Thread(
            target=self._listen, args=(stop,), name="redis listener", daemon=True
        ).start()

    def disconnect(self) -> None:
        """Writes what is left, if that is possible at once."""
        self._ended.set()
        self._copier.end()

    def open(self, message_id: str, start: int, clock: Callable[[], float]) -> LiveAnswer:
        """A live answer of this process that others can follow."""
        return self._copier.open(message_id, start, clock)

    def find(self, message_id: str) -> RedisAnswer | None:
        """The live answer of another process; None when there is none, or its beginning is lost."""
        with suppress(RedisError, ValueError, KeyError):
            if self.is_away:
                return None
            items: Any = self._client.xrange(key(message_id), count=1)
            for _, item in items:
                start = int(item[b"start"])
                is_whole = int(item[b"first"]) == start + 1
                return RedisAnswer(self._readers, key(message_id), start) if is_whole else None
        return None

    def stop(self, message_id: str) -> None:
        """Tells the other processes of a wish to stop."""
        with suppress(RedisError):
            if not self.is_away:
                self._client.publish(STOP_CHANNEL, message_id)

    def look(self) -> tuple[str, str]:
        """For the doctor: the id of its finding, and the text of the error."""
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
                with closing(client.pubsub()) as subscription:
                    subscription.subscribe(STOP_CHANNEL)
                    for message in self._messages(subscription):
                        self._well()
                        pause = SHORTEST_S
                        if message["type"] == "message":
                            stop(message["data"].decode())
            except Exception as error:
                self._trouble(error)
            self._ended.wait(pause)
            pause = min(2 * pause, LONGEST_S)

    def _messages(self, subscription: Any) -> Iterator[Any]:
        """Yields messages, answers to pings included. Raises TimeoutError when a ping has none."""
        is_pinged = True
        while not self._ended.is_set():
            message = subscription.get_message(timeout=BLOCK_S)
            if message is not None:
                yield message
            elif is_pinged:
                raise redis.TimeoutError("no sign of life")
            else:
                subscription.ping()
            is_pinged = message is None

    def _trouble(self, error: Exception) -> None:
        with self._lock:
            self.is_away = True
            is_news = not self._has_warned and time.monotonic() - self._warned_at >= WARNING_S
            if is_news:
                self._has_warned, self._warned_at = True, time.monotonic()
        if is_news and not self._ended.is_set():
            log.warning(
                "Redis cannot be used (%s): answers are followed and stopped only "
                "where they are made",
                error,
                exc_info=not isinstance(error, RedisError),
            )

    def _well(self) -> None:
        if not self.is_away:
            return
        with self._lock:
            is_news, self.is_away, self._has_warned = self._has_warned, False, False
        if is_news:
            log.info("Redis can be used again")


def _client(pool: Any, url: str, seconds: float, **bounds: float) -> "redis.Redis":
    """A client without retries of its own: each call has a place here where it is made again."""
    try:
        connections = pool.from_url(
            url, socket_connect_timeout=CALL_S, socket_timeout=seconds, protocol=2, **bounds
        )
        # A wrong option in the address has to show now, not at the first call.
        connections.connection_class(**connections.connection_kwargs)
    except (ValueError, TypeError):
        raise SettingsError("redis_address") from None
    return redis.Redis(connection_pool=connections)
