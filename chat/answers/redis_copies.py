"""The copies of live answers in Redis: how they are written, and how nothing waits for that.

An answer is a stream. An item of it is a batch of entries; its id is the position of the last of them, so
that a position (Last-Event-ID) means the same everywhere, and an item that is written twice is refused.
"""

import json
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, get_args

import redis
from redis.exceptions import RedisError

from chat.answers.live import KEPT_S, Entry, Failed, Finished, LiveAnswer
from providers.events import Event

BATCH_S = 0.02  # what is appended meanwhile goes together
BUSY_S = 1.0  # with very many answers more goes together, so that copying takes a fifth of the time at most
ITEM, ITEM_BYTES, AT_ONCE = 500, 64_000, 64  # entries and bytes in an item, answers in a pipeline
MOST_BYTES = 8_000_000  # of one answer; of a longer one there is no copy
RESTARTS = 3  # Redis may forget an answer so often before its copy is given up
SHORTEST_S, LONGEST_S = 0.25, 4.0  # between two tries while Redis is away
END_S = 2.0
KINDS: dict[str, Callable[..., Entry]] = {
    one.__name__: one for one in (*get_args(Event), Finished, Failed)
}
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def key(message_id: str) -> str:
    """The name of an answer's stream."""
    return f"zhiye:answer:{message_id}"


def encode(entries: list[Entry]) -> bytes:
    """Entries as JSON: of each the name of its class and its fields, in order."""
    return b"[" + b",".join(map(_encoded, entries)) + b"]"


def _encoded(entry: Entry) -> bytes:
    row = [type(entry).__name__, *(getattr(entry, name) for name in entry.__slots__)]
    return _JSON.encode(row).encode("utf-8", "surrogatepass")


def decode(text: bytes) -> list[Entry]:
    """The entries of `encode`. Raises ValueError for those of another release."""
    rows = json.loads(text.decode("utf-8", "surrogatepass"))
    try:
        return [KINDS[kind](*map(_plain, fields)) for kind, *fields in rows]
    except (KeyError, TypeError) as error:
        raise ValueError("entries of another release") from error


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class CopiedAnswer(LiveAnswer):
    """A log of this process that is copied. What is not about `append` belongs to the Copier's thread."""

    def __init__(
        self,
        name: str,
        start: int,
        clock: Callable[[], float],
        due: Callable[["CopiedAnswer"], None],
    ) -> None:
        super().__init__(start, clock)
        self.key = name
        self.sent = self.size = self.restarts = 0
        self.is_due = False
        self._due = due

    def append(self, entry: Entry) -> None:
        super().append(entry)
        if not self.is_due:
            self.is_due = True
            self._due(self)

    @property
    def is_behind(self) -> bool:
        """Whether something of it is not in Redis yet."""
        return self.sent < len(self._entries)

    def unsent(self) -> list[Entry]:
        """What is to be written next."""
        entries = self._entries[self.sent : self.sent + ITEM]
        size = 0
        for count, one in enumerate(entries):
            size += len(getattr(one, "text", None) or "")
            if size > ITEM_BYTES:
                return entries[: count + 1]
        return entries


class Copier:
    """Writes what is appended, in one thread. It keeps no entries of its own: the logs hold them anyway.

    While answers run their copies stay for `running_s` seconds. `trouble` and `well` are told how it goes.
    """

    def __init__(
        self,
        client: "redis.Redis",
        running_s: float,
        trouble: Callable[[Exception], None],
        well: Callable[[], None],
    ) -> None:
        self._client = client
        self._running_s = int(running_s)
        self._trouble = trouble
        self._well = well
        self._due: queue.SimpleQueue[CopiedAnswer | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self, message_id: str, start: int, clock: Callable[[], float]) -> CopiedAnswer:
        """A log that is copied from its first entry on."""
        return CopiedAnswer(key(message_id), start, clock, self._due.put)

    def start(self) -> None:
        """Begins to write; once per process, after the fork."""
        self._thread = threading.Thread(target=self._work, name="redis copier", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Writes what is left, if that is possible at once."""
        self._ended.set()
        if self._thread is not None:
            self._due.put(None)
            self._thread.join(END_S)

    def _work(self) -> None:
        due: list[CopiedAnswer] = []
        pause, took = SHORTEST_S, 0.0
        while self._gather(due, min(max(BATCH_S, 4 * took), BUSY_S)):
            try:
                began = time.monotonic()
                self._send(due)
                pause, took = SHORTEST_S, time.monotonic() - began
            except Exception as error:
                self._trouble(error)
                # What has ended is in the database. No more than the answers being made is kept for later.
                due[:] = [
                    one for one in due if one.ended_at is None and isinstance(error, RedisError)
                ]
                for one in due:
                    one.is_due = True
                if self._ended.wait(pause):
                    return
                pause = min(2 * pause, LONGEST_S)

    def _gather(self, due: list[CopiedAnswer], seconds: float) -> bool:
        """Waits until something is due, and for a moment more. False when there is nothing more to come."""
        is_last = self._ended.is_set()
        if not due and not is_last and (first := self._due.get()) is not None:
            due.append(first)
        self._ended.wait(seconds)
        with suppress(queue.Empty):
            while True:
                if (one := self._due.get_nowait()) is not None:
                    due.append(one)
        return bool(due) or not is_last

    def _send(self, due: list[CopiedAnswer]) -> None:
        """Writes all that is new in these; on the way, and after an error, `due` holds what is left."""
        while due:
            some = due[:AT_ONCE]
            self._send_some(some)
            due[:AT_ONCE] = [one for one in some if one.is_behind and not self._is_given_up(one)]

    def _send_some(self, some: list[CopiedAnswer]) -> None:
        pipe = self._client.pipeline(transaction=False)
        written: list[tuple[int, CopiedAnswer, int, int]] = []
        for one in some:
            time.sleep(0)  # there may be much to catch up with, and answers go first
            one.is_due = False  # before it is read: what comes from now on makes it due again
            if not (entries := one.unsent()):
                continue
            is_first, is_last = one.sent == 0, isinstance(entries[-1], Finished | Failed)
            if is_first:
                pipe.delete(one.key)  # of an earlier process
            end, text = one.sent + len(entries), encode(entries)
            item: dict[Any, Any] = {
                "start": one.start,
                "first": one.start + one.sent + 1,
                "entries": text,
            }
            written.append((len(pipe), one, end, len(text)))
            pipe.xadd(one.key, item, f"{one.start + end}-0", nomkstream=not is_first)
            if is_first or is_last:
                pipe.expire(one.key, int(KEPT_S) if is_last else self._running_s)
        results = pipe.execute(raise_on_error=False)
        for place, one, end, size in written:
            result = results[place]
            if result is None:  # Redis began anew, or had no room
                one.sent, one.size, one.restarts = 0, 0, one.restarts + 1
            elif isinstance(result, Exception) and "equal or smaller" not in str(result):
                raise result
            else:
                one.sent, one.size = end, one.size + size
        if written:
            self._well()

    def _is_given_up(self, one: CopiedAnswer) -> bool:
        """Takes an answer that is too long out of Redis; it stays due, so that nobody takes it up again."""
        if one.size <= MOST_BYTES and one.restarts <= RESTARTS:
            return False
        one.is_due = True
        self._client.delete(one.key)
        return True
