"""Guesses in Redis, for all processes together.

What counts for an origin is a few JSON documents. A change is made here and written if none of
them was changed elsewhere meanwhile; else it is made anew.
"""

import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

from chat.shared.connection import Away, Connection
from chat.visitors.guesses import (
    ALL,
    FORGOTTEN_AFTER_S,
    KNOWN_OF_CODE,
    MOST_PAID,
    Everybody,
    Guesses,
    LocalGuesses,
    Origin,
    Record,
    Result,
)

LOOK_S = 0.1
# Somebody always gets through; so many others in a row are no longer likely.
TRIES = 100

# Returns the time as text, and the documents.
_LOAD = """
return {string.format('%.6f', now), redis.call('MGET', unpack(KEYS))}
"""
# ARGV: seconds that the documents stay, then of each what was read and what is written; a missing
# one is empty. Returns whether it was written.
_SAVE = """
local documents = redis.call('MGET', unpack(KEYS))
for number, document in ipairs(documents) do
  if (document or '') ~= ARGV[2 * number] then
    return 0
  end
end
for number, key in ipairs(KEYS) do
  local old, new = ARGV[2 * number], ARGV[2 * number + 1]
  if new == '' then
    redis.call('DEL', key)
  elseif new ~= old then
    redis.call('SET', key, new, 'EX', ARGV[1])
  end
end
return 1
"""


class RedisGuesses:
    """StoredGuesses of all processes.

    While Redis is away each process goes on with what it knows, and allows its share.
    """

    look_s = LOOK_S

    def __init__(self, connection: Connection, kind: str) -> None:
        self._connection = connection
        self._kind = kind
        self._load = connection.script(_LOAD)
        self._save = connection.script(_SAVE)
        # Redis' clock, as far as it is known here.
        self._offset = 0.0
        self._local = LocalGuesses(
            lambda: time.monotonic() + self._offset, lambda: connection.processes
        )

    def look(self, origin: Origin) -> Guesses:
        """What counts for an origin now; changes to it are not kept."""
        try:
            return self._read(origin)[0]
        except Away:
            return self._local.look(origin)

    def change(self, origin: Origin, change: Callable[[Guesses], Result]) -> Result:
        """The result of `change`, whose changes are kept; nobody else changes them meanwhile."""
        try:
            for _ in range(TRIES):
                guesses, old = self._read(origin)
                result = change(guesses)
                if self._write(origin, old, guesses):
                    self._local.keep(origin, guesses)
                    return result
        except Away:
            pass
        return self._local.change(origin, change)

    def _read(self, origin: Origin) -> tuple[Guesses, list[bytes]]:
        """Raises Away."""
        at, texts = self._connection.run(self._load, self._keys(origin), [])
        now = float(at)
        self._offset = now - time.monotonic()
        old: list[bytes] = [text or b"" for text in texts]
        # Without a known browser its two are missing.
        everybody, address, browser, code = [*old, b"", b""][:4]
        guesses = Guesses(
            now,
            Record(**_fields(address, Record)).at(now),
            Record(**_fields(browser, Record)).at(now),
            _everybody(everybody).at(now),
            deque(_fields(code, Everybody).get("times", ()), KNOWN_OF_CODE),
        )
        return guesses, old

    def _write(self, origin: Origin, old: list[bytes], guesses: Guesses) -> bool:
        """Whether it could be written. Raises Away."""
        new = [_encoded(asdict(guesses.everybody)), _document(guesses.address)]
        if origin.browser is not None:
            code = _encoded({"times": guesses.code}) if guesses.code else b""
            new += [_document(guesses.browser), code]
        if new == old:
            return True
        args: list[Any] = [int(FORGOTTEN_AFTER_S)]
        for pair in zip(old, new, strict=True):
            args += pair
        return bool(self._connection.run(self._save, self._keys(origin), args))

    def _keys(self, origin: Origin) -> list[str]:
        names = [("all",), ("address", origin.address)]
        if origin.browser is not None:
            names += [("browser", origin.browser.id), ("code", origin.browser.code)]
        return [self._connection.key("guesses", self._kind, *name) for name in names]


def _fields(text: bytes, kind: type) -> dict[str, Any]:
    """The fields of a document that this release knows; what is no document has none."""
    try:
        document = json.loads(text or b"{}")
    except ValueError:
        return {}
    return {field.name: document[field.name] for field in fields(kind) if field.name in document}


def _everybody(text: bytes) -> Everybody:
    document = _fields(text, Everybody)
    document["times"] = deque(document.get("times", ()), ALL)
    document["paid"] = deque(document.get("paid", ()), MOST_PAID)
    return Everybody(**document)


def _document(record: Record) -> bytes:
    return b"" if record.is_empty else _encoded(asdict(record))


def _encoded(document: dict[str, Any]) -> bytes:
    return json.dumps(document, default=list, separators=(",", ":")).encode()
