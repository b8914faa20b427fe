"""The log of requests, without their credentials, and of every rule that a caller broke."""

import re
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from threading import Lock
from typing import Any

HIDDEN = "***"
CAPACITY = 20_000

_SECRET_NAME = re.compile(
    r"secret|password|api_?key|authorization|signature|assertion|verifier"
    r"|^(access_|refresh_)?token$|^code$",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"\b(pat|sat|czu|czs|czr|code)_\w+|\bsk-[\w-]+|\bBearer\s+\S+", re.IGNORECASE
)


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


class RequestLog:
    """The entries and violations of one emulator; `at` counts seconds from its start."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._lock = Lock()
        self._numbers = count(1)
        self._entries: deque[Entry] = deque(maxlen=CAPACITY)
        self._violations: deque[dict[str, Any]] = deque(maxlen=CAPACITY)

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
            without_credentials(query),
            platform,
            without_credentials(body),
        )
        with self._lock:
            self._entries.append(entry)
        return entry

    def add_violation(self, entry: Entry, kind: str, detail: str) -> None:
        """Records that the caller broke a rule, whether or not the platform would have refused
        it.
        """
        at = round(time.monotonic() - self._started, 4)
        violation = {
            "at": at,
            "request": entry.number,
            "platform": entry.platform,
            "kind": kind,
            "detail": detail,
        }
        with self._lock:
            self._violations.append(violation)

    def as_json(self, since: int = 0) -> dict[str, Any]:
        """Everything, or only the requests after the one of this number."""
        with self._lock:
            requests = [vars(entry).copy() for entry in self._entries if entry.number > since]
            violations = list(self._violations)
        disconnected = [entry["number"] for entry in requests if entry["disconnected"]]
        return {"requests": requests, "violations": violations, "disconnected": disconnected}

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
            self._violations.clear()


def without_credentials(value: Any, name: str = "") -> Any:
    """A copy of a JSON value without the credentials, known by their names or their look."""
    if isinstance(value, dict):
        return {key: without_credentials(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_credentials(inner, name) for inner in value]
    if isinstance(value, str):
        return HIDDEN if _SECRET_NAME.search(name) else _SECRET_VALUE.sub(HIDDEN, value)
    return value
