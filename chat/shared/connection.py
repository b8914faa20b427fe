"""The connection of a process to Redis: calls, messages, its lease among the others, and outages.

Nobody waits for a Redis that is away: a call fails at once while `is_away`, and one thread looks
for its return.
"""

import hashlib
import hmac
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from chat.settings.errors import SettingsError

# For a connection, and for any call that does not wait by intention.
CALL_S = 1.0
# Calls of a process under way at once; the next one waits for its turn.
CALLERS = 32
# Between two looks for messages.
LOOK_S = 0.25
# Without a message for so long, the listener asks for a sign of life.
QUIET_S = 3.0
# A process says so often that it lives, and is dead after so long without that.
BEAT_S, LEASE_S = 2.0, 7.0
# Between two tries while Redis is away.
SHORTEST_S, LONGEST_S = 0.25, 2.0
# Between two warnings that Redis is away.
WARNING_S = 60.0
PREFIX = "zhiye"
# The channel on which processes hear that the owner has changed something.
OWNER = "owner"

# Before each script. The clock of all that is shared is Redis' own: hosts may disagree.
_NOW = """
local now = redis.call('TIME')
now = now[1] + now[2] / 1000000 + ARGV[#ARGV]
"""
# KEYS: the processes. ARGV: this process, seconds of its lease. Returns how many live, and whether
# this one is new.
_LEASE = """
-- The first write, so that it fails when Redis has no more memory.
local is_new = redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('EXPIRE', KEYS[1], 60)
return {redis.call('ZCARD', KEYS[1]), is_new}
"""

log = logging.getLogger("chat.redis")


class Away(Exception):
    """Redis cannot be used just now; what needs it is done without it, or refused."""


class Connection:
    """What a process has of Redis. `site` keeps apart the sites that use one Redis.

    `processes` is how many processes of the site lived at the last beat, this one among them;
    before the first it is what whoever makes the connection expects.
    `ahead` is how many seconds scripts add to the clock of Redis, which a test cannot set.
    Raises SettingsError for a wrong address. Connects to nothing before the first call.
    """

    def __init__(
        self,
        url: str,
        site: str = "",
        ahead: Callable[[], float] = lambda: 0.0,
        processes: int = 1,
    ) -> None:
        self.is_away = False
        self.process = ""
        self.processes = processes
        self._url = url
        self._ahead = ahead
        self._prefix = f"{PREFIX}:{site}" if site else PREFIX
        self._client = client(redis.ConnectionPool, url, CALL_S, max_connections=2 * CALLERS)
        # The pool would fail, or let calls wait that a broken Redis then fails one after another.
        self._callers = threading.BoundedSemaphore(CALLERS)
        self._lease = self.script(_LEASE)
        self._listeners: dict[str, Callable[[str], object]] = {}
        self._returns: list[Callable[[], object]] = []
        self._beats: list[Callable[[], object]] = []
        self._ends: list[Callable[[], object]] = []
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._has_warned = False
        self._warned_at = float("-inf")

    def key(self, *parts: str) -> str:
        """The name of a key or channel of this site."""
        return ":".join((self._prefix, *parts))

    @contextmanager
    def calling(self) -> Iterator["redis.Redis"]:
        """The client for brief calls. Raises Away in place of any error of Redis.

        A call may have been done although it failed.
        """
        if self.is_away:
            raise Away
        with self._callers:
            # Others may have waited before us in vain.
            if self.is_away:
                raise Away
            try:
                yield self._client
            except RedisError as error:
                self.trouble(error)
                raise Away from error

    def script(self, text: str) -> Any:
        """A script in Lua for `run`: it is atomic, and finds the time in seconds in `now`.

        Every key that it writes has to expire.
        """
        return self._client.register_script(_NOW + text)

    def run(self, script: Any, keys: Sequence[str], args: Sequence[str | int | float]) -> Any:
        """The result of a script. Raises Away."""
        with self.calling():
            return script(keys=keys, args=[*args, self._ahead()])

    def readers(self, seconds: float, most: int) -> "redis.Redis":
        """A client with connections of its own, for calls that wait up to so many seconds."""
        return client(redis.ConnectionPool, self._url, seconds + CALL_S, max_connections=most)

    def listen(self, channel: str, hear: Callable[[str], object]) -> None:
        """`hear` gets what any process says on a channel, this one too; it must be brief.

        Before `connect`.
        """
        self._listeners[self.key(channel)] = hear

    def say(self, channel: str, text: str) -> None:
        """Says something on a channel; lost while Redis is away."""
        with suppress(Away), self.calling() as calls:
            calls.publish(self.key(channel), text)

    def at_each_beat(self, renew: Callable[[], object]) -> None:
        """`renew` keeps up what stands for this process. It may raise Away. Before `connect`."""
        self._beats.append(renew)

    def at_return(self, come_back: Callable[[], object]) -> None:
        """`come_back` is called at the first beat, and when Redis can be used again.

        It may have forgotten everything then. Brief; it may raise Away. Before `connect`.
        """
        self._returns.append(come_back)

    def at_end(self, leave: Callable[[], object]) -> None:
        """`leave` gives up what stands for this process, at `disconnect`. It may raise Away."""
        self._ends.append(leave)

    def connect(self) -> None:
        """Begins to beat and to listen; once per process, after the fork.

        The others know of this process when it returns, unless Redis is away.
        """
        self.process = secrets.token_hex(8)
        try:
            self._renew()
        except Away:
            # It has been noted already.
            pass
        except Exception as error:
            self.trouble(error)
        threading.Thread(target=self._work, name="redis listener", daemon=True).start()

    def disconnect(self) -> None:
        """Ends the leases of this process at once, if that is possible, and closes everything."""
        self._ended.set()
        for leave in self._ends:
            with suppress(Away):
                leave()
        if self.process:
            with suppress(Away), self.calling() as calls:
                calls.zrem(self.key("processes"), self.process)
        self._client.connection_pool.disconnect()

    def look(self) -> tuple[str, str]:
        """For the doctor, who asks once: the id of its finding, and the text of the error."""
        try:
            self._client.xlen(self.key("none"))
            # A user may have keys, and neither channels nor scripts.
            self._client.publish(self.key("life"), "")
            self._client.eval("return 1", 0)
        except (AuthenticationError, ResponseError) as error:
            return "redis_refused", str(error)
        except RedisError as error:
            return "redis_away", str(error)
        finally:
            self.disconnect()
        return "redis_ok", ""

    def trouble(self, error: Exception) -> None:
        """A call has failed: nobody calls until the next beat succeeds."""
        with self._lock:
            self.is_away = True
            is_news = not self._has_warned and time.monotonic() - self._warned_at >= WARNING_S
            if is_news:
                self._has_warned, self._warned_at = True, time.monotonic()
        if is_news and not self._ended.is_set():
            log.warning(
                "Redis cannot be used (%s): limits count in each process, and answers are "
                "followed and stopped only where they are made",
                error,
                exc_info=not isinstance(error, RedisError),
            )

    def _well(self) -> None:
        with self._lock:
            is_news, self.is_away, self._has_warned = self._has_warned, False, False
        if is_news:
            log.info("Redis can be used again")

    def _work(self) -> None:
        client: Any = self._client
        pause = SHORTEST_S
        while not self._ended.is_set():
            try:
                with closing(client.pubsub()) as subscription:
                    # Messages of a process that listens to nothing still say that Redis lives.
                    subscription.subscribe(*self._listeners, self.key("life"))
                    for _ in self._looks(subscription):
                        pause = SHORTEST_S
            except Away:
                # It has been noted already.
                pass
            except Exception as error:
                self.trouble(error)
            self._ended.wait(pause)
            pause = min(2 * pause, LONGEST_S)

    def _looks(self, subscription: Any) -> Iterator[None]:
        """Beats and hears messages; yields after each beat. Raises RedisError."""
        beat_at = float("-inf")
        heard_at, is_pinged = time.monotonic(), False
        while not self._ended.is_set():
            if self.is_away or time.monotonic() - beat_at >= BEAT_S:
                beat_at = time.monotonic()
                self._renew()
                yield
            message = subscription.get_message(timeout=LOOK_S)
            if message is not None:
                heard_at, is_pinged = time.monotonic(), False
                self._hear(message)
            elif time.monotonic() - heard_at >= QUIET_S:
                if is_pinged:
                    raise redis.TimeoutError("no sign of life")
                subscription.ping()
                heard_at, is_pinged = time.monotonic(), True

    def _hear(self, message: Any) -> None:
        if message["type"] != "message":
            return
        hear = self._listeners.get(message["channel"].decode())
        if hear is not None:
            hear(message["data"].decode())

    def _renew(self) -> None:
        """Renews the lease of this process and what belongs to it. Raises RedisError, Away."""
        keys = [self.key("processes")]
        # Not within `calling`, which would fail at once: this is how the return is noticed.
        args = [self.process, LEASE_S, self._ahead()]
        processes, is_new = self._lease(keys=keys, args=args)
        self.processes = int(processes)
        has_returned = self.is_away
        self._well()
        if is_new or has_returned:
            for come_back in self._returns:
                come_back()
        for renew in self._beats:
            renew()


def site_name(secret_key: str) -> str:
    """What tells this site's keys from those of others in one Redis: the same in each process."""
    return hmac.new(secret_key.encode(), b"redis", hashlib.sha256).hexdigest()[:12]


def client(pool: Any, url: str, seconds: float, **bounds: float) -> "redis.Redis":
    """A client without retries of its own: each call has a place here where it is made again.

    Raises SettingsError.
    """
    # The library takes what is no number for the first database.
    if not re.fullmatch(r"/?\d*", urlsplit(url).path) and not url.startswith("unix:"):
        raise SettingsError("redis_address")
    try:
        connections = pool.from_url(
            url, socket_connect_timeout=CALL_S, socket_timeout=seconds, protocol=2, **bounds
        )
        # A wrong option in the address has to show now, not at the first call.
        connections.connection_class(**connections.connection_kwargs)
    except (ValueError, TypeError):
        raise SettingsError("redis_address") from None
    return redis.Redis(connection_pool=connections)
