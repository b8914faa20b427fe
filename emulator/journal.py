"""What the emulator was asked: every request without its credentials, every breach of a rule."""

import re
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from threading import Lock
from typing import Any

HIDDEN = "***"
KEPT = 20_000

_SECRET_NAME = re.compile(
    r"secret|password|api_?key|authorization|signature|assertion|verifier|^(access_|refresh_)?token$|^code$",
    re.I,
)
_SECRET_VALUE = re.compile(r"\b(pat|sat|czu|czs|czr|code)_\w+|\bsk-[\w-]+|\bBearer\s+\S+", re.I)


@dataclass
class Entry:
    """One request; the ids are filled in as soon as the platform knows them."""

    number: int
    at: float
    wall: float
    method: str
    path: str
    query: dict[str, str]
    platform: str
    body: Any
    status: int | None = None
    ids: dict[str, str] = field(default_factory=dict)
    disconnected: bool = False


class Journal:
    """The entries and violations of one emulator; `at` counts seconds from its start."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._lock = Lock()
        self._numbers = count(1)
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._violations: deque[dict[str, Any]] = deque(maxlen=KEPT)

    def open(
        self, method: str, path: str, query: dict[str, str], platform: str, body: Any
    ) -> Entry:
        at = round(time.monotonic() - self._started, 4)
        entry = Entry(
            next(self._numbers),
            at,
            time.time(),
            method,
            path,
            scrubbed(query),
            platform,
            scrubbed(body),
        )
        with self._lock:
            self._entries.append(entry)
        return entry

    def violation(self, entry: Entry, kind: str, detail: str) -> None:
        """Records that the caller broke a rule, whether or not the platform would have refused it."""
        at = round(time.monotonic() - self._started, 4)
        found = {
            "at": at,
            "request": entry.number,
            "platform": entry.platform,
            "kind": kind,
            "detail": detail,
        }
        with self._lock:
            self._violations.append(found)

    def as_json(self, since: int = 0) -> dict[str, Any]:
        """All that is kept, or the requests after the one of this number."""
        with self._lock:
            requests = [vars(entry).copy() for entry in self._entries if entry.number > since]
            violations = list(self._violations)
        gone = [entry["number"] for entry in requests if entry["disconnected"]]
        return {"requests": requests, "violations": violations, "disconnected": gone}

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
            self._violations.clear()


def scrubbed(value: Any, name: str = "") -> Any:
    """A copy of a JSON value in which every credential, known by its name or its look, is hidden."""
    if isinstance(value, dict):
        return {key: scrubbed(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [scrubbed(inner, name) for inner in value]
    if isinstance(value, str):
        return HIDDEN if _SECRET_NAME.search(name) else _SECRET_VALUE.sub(HIDDEN, value)
    return value
