"""The copies of live answers in Redis: how they are written, and how nothing waits for that.

An answer is a stream. An item of it is a batch of entries; its id is the position of the last of
them. So a position (Last-Event-ID) means the same everywhere, and Redis refuses an item that is
written twice.
"""

import json
import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, get_args

from chat.answers.live import KEPT_S, UNREAD_S, Entry, Failed, Finished, LiveAnswer
from chat.shared.connection import Away, Connection
from providers.events import Event

# What is appended within this time goes together.
BATCH_S = 0.02
# With very many answers more goes together, so that copying takes at most a fifth of the time.
BUSY_S = 1.0
# Entries and bytes in an item, answers in a pipeline.
ITEM, ITEM_BYTES, AT_ONCE = 500, 64_000, 64
# A longer answer has no copy.
MOST_BYTES = 8_000_000
# Redis may forget an answer so often before its copy is given up.
RESTARTS = 3
# Between two tries while Redis is away, which cost nothing.
SHORTEST_S, LONGEST_S = 0.25, 1.0
END_S = 2.0
KINDS: dict[str, Callable[..., Entry]] = {
    kind.__name__: kind for kind in (*get_args(Event), Finished, Failed)
}
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

log = logging.getLogger("chat.redis")


def key(connection: Connection, message_id: str) -> str:
    """The name of an answer's stream."""
    return connection.key("answer", message_id)


def sign_key(name: str) -> str:
    """The name of the sign that somebody follows the copy of this name."""
    return f"{name}:followed"


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
    """A live answer that is copied to Redis. All but `append` belongs to the Copier's thread.

    `is_followed` says whether somebody follows the copy of this name in another process.
    """

    def __init__(
        self,
        name: str,
        start: int,
        clock: Callable[[], float],
        due: Callable[["CopiedAnswer"], None],
        is_followed: Callable[[str], bool],
    ) -> None:
        super().__init__(start, clock)
        self.key = name
        self.sent = self.size = self.restarts = 0
        self.is_due = False
        self._due = due
        self._is_followed = is_followed

    def append(self, entry: Entry) -> None:
        super().append(entry)
        if not self.is_due:
            self.is_due = True
            self._due(self)

    @property
    def unread_s(self) -> float:
        """For how many seconds nobody has followed it here; 0 while somebody does elsewhere."""
        unread_s = super().unread_s
        return 0.0 if unread_s >= UNREAD_S and self._is_followed(self.key) else unread_s

    @property
    def is_behind(self) -> bool:
        """Whether Redis lacks some of its entries."""
        return self.sent < len(self._entries)

    def unsent(self) -> list[Entry]:
        """The entries to be written next, as many as fit into an item."""
        entries = self._entries[self.sent : self.sent + ITEM]
        size = 0
        for count, entry in enumerate(entries):
            size += len(getattr(entry, "text", None) or "")
            if size > ITEM_BYTES:
                return entries[: count + 1]
        return entries


class Copier:
    """Writes what is appended, in one thread. It keeps no entries: the live answers hold them.

    The copy of a running answer stays for `running_s` seconds.
    """

    def __init__(self, connection: Connection, running_s: float) -> None:
        self._connection = connection
        self._running_s = int(running_s)
        self._due: queue.SimpleQueue[CopiedAnswer | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self, message_id: str, start: int, clock: Callable[[], float]) -> CopiedAnswer:
        """A live answer that is copied from its first entry on."""
        name = key(self._connection, message_id)
        return CopiedAnswer(name, start, clock, self._due.put, self._is_followed)

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

    def _is_followed(self, name: str) -> bool:
        """Whether a copy is followed; while Redis is away nobody can tell, and it may be."""
        try:
            with self._connection.calling() as calls:
                return bool(calls.exists(sign_key(name)))
        except Away:
            return True

    def _work(self) -> None:
        due: list[CopiedAnswer] = []
        pause, took = SHORTEST_S, 0.0
        while self._gather(due, min(max(BATCH_S, 4 * took), BUSY_S)):
            try:
                began = time.monotonic()
                self._send(due)
                pause, took = SHORTEST_S, time.monotonic() - began
            except Away:
                # Ended answers are in the database, so only running ones are tried again.
                due[:] = [live for live in due if live.ended_at is None]
                for live in due:
                    live.is_due = True
                if self._ended.wait(pause):
                    return
                pause = min(2 * pause, LONGEST_S)
            except Exception:
                log.exception("answers cannot be copied to Redis")
                for live in due:
                    # None of them comes again.
                    live.is_due = True
                due.clear()

    def _gather(self, due: list[CopiedAnswer], seconds: float) -> bool:
        """Waits until something is due, and a moment more. False when nothing more will come."""
        is_last = self._ended.is_set()
        if not due and not is_last and (first := self._due.get()) is not None:
            due.append(first)
        self._ended.wait(seconds)
        with suppress(queue.Empty):
            while True:
                if (live := self._due.get_nowait()) is not None:
                    due.append(live)
        return bool(due) or not is_last

    def _send(self, due: list[CopiedAnswer]) -> None:
        """Writes all new entries; meanwhile, and after an error, `due` holds what is left."""
        while due:
            chunk = due[:AT_ONCE]
            self._send_chunk(chunk)
            due[:AT_ONCE] = [live for live in chunk if live.is_behind and not self._gives_up(live)]

    def _send_chunk(self, chunk: list[CopiedAnswer]) -> None:
        """Writes an item of each answer, all in one pipeline. Raises Away."""
        with self._connection.calling() as calls:
            pipe = calls.pipeline(transaction=False)
            writes: list[_Write] = []
            for live in chunk:
                # There may be much to catch up with, and answers go first.
                time.sleep(0)
                # Before it is read: what is appended from now on makes it due again.
                live.is_due = False
                if entries := live.unsent():
                    writes.append(self._add_item(pipe, live, entries))
            results = pipe.execute(raise_on_error=False)
            for write in writes:
                write.note(results[write.place])

    def _add_item(self, pipe: Any, live: CopiedAnswer, entries: list[Entry]) -> "_Write":
        is_first, is_last = live.sent == 0, isinstance(entries[-1], Finished | Failed)
        if is_first:
            # The copy of an earlier process.
            pipe.delete(live.key)
        end, text = live.sent + len(entries), encode(entries)
        item: dict[Any, Any] = {
            "start": live.start,
            "first": live.start + live.sent + 1,
            "entries": text,
        }
        write = _Write(live, len(pipe), end, len(text))
        pipe.xadd(live.key, item, f"{live.start + end}-0", nomkstream=not is_first)
        if is_first or is_last:
            pipe.expire(live.key, int(KEPT_S) if is_last else self._running_s)
        return write

    def _gives_up(self, live: CopiedAnswer) -> bool:
        """Takes an answer that is too long out of Redis; it stays due, so that it never returns."""
        if live.size <= MOST_BYTES and live.restarts <= RESTARTS:
            return False
        live.is_due = True
        with self._connection.calling() as calls:
            calls.delete(live.key)
        return True


@dataclass(frozen=True, slots=True)
class _Write:
    """An item on its way to Redis: the answer's entries up to `end`, at a place in the pipeline."""

    live: CopiedAnswer
    place: int
    end: int
    size: int

    def note(self, result: Any) -> None:
        """Counts the item as sent, or starts the copy anew. Raises the error of Redis."""
        live = self.live
        if result is None:
            # Redis began anew, or had no room.
            live.sent, live.size, live.restarts = 0, 0, live.restarts + 1
        elif isinstance(result, Exception) and "equal or smaller" not in str(result):
            raise result
        else:
            live.sent, live.size = self.end, live.size + self.size
