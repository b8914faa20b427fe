"""Answers of the emulator on record, told again with something changed; and what comes of it."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from providers.base import Provider, Turn
from providers.errors import ProviderError
from providers.events import Event
from providers.stop import Stop, Stopped
from tests.kit.asking import USER
from tests.kit.raw import Server

MOST_EVENTS = 5000
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 7, 10**30, 1.5, float("inf"), float("nan"), "", "x", "-1", "1e999", "\ud83d",
    "\x00", "[]", '{"a": 1}', "{", "javascript:alert(1)", "字" * 2000, [], {}, [[]], [None], {"": None},
    {"text": {"text": []}},
)  # fmt: skip


@dataclass(frozen=True)
class Told:
    """One response on record."""

    status: int
    content_type: str
    body: bytes


@dataclass
class Record:
    """What an emulator answered, by method and path, in order."""

    told: dict[str, list[Told]] = field(default_factory=dict)

    def add(self, call: str, told: Told) -> None:
        self.told.setdefault(call, []).append(told)

    def take(self, call: str, times: int) -> Told | None:
        """What the call was told the time before this; its last answer again when it is called
        more often.
        """
        known = self.told.get(call)
        return known[min(times, len(known) - 1)] if known else None


@dataclass(frozen=True)
class Change:
    """One change of one value, somewhere: `place` counts the values of all bodies, around and
    around.
    """

    place: int
    kind: str
    value: int

    KINDS = (
        "delete",
        "replace",
        "nest in a list",
        "nest in an object",
        "as text",
        "twice",
        "unframe",
    )


@contextmanager
def recording(emulator: str, record: Record) -> Iterator[str]:
    """A server between a provider and the emulator that notes all that is said."""

    def forward(line: Any, request: bytes) -> None:
        method, path, headers, body = _read(request)
        kept = {
            name: value
            for name, value in headers.items()
            if name in ("authorization", "content-type")
        }
        response = requests.request(method, emulator + path, headers=kept, data=body, timeout=20)
        told = Told(
            response.status_code, response.headers.get("Content-Type", ""), response.content
        )
        record.add(_call(method, path), told)
        _send(line, told)

    with _serving(forward) as url:
        yield url


@contextmanager
def replaying(record: Record, changes: tuple[Change, ...]) -> Iterator[str]:
    """A server that says what is on record, with these changes."""
    altered = altered_by(record, changes)
    times: dict[str, int] = {}

    def answer(line: Any, request: bytes) -> None:
        method, path, _, _ = _read(request)
        call = _call(method, path)
        told = altered.take(call, times.get(call, 0))
        times[call] = times.get(call, 0) + 1
        _send(line, told or Told(404, "application/json", b"{}"))

    with _serving(answer) as url:
        yield url


@contextmanager
def _serving(answer: Any) -> Iterator[str]:
    server = Server(answer)
    try:
        yield server.url
    finally:
        server.close()


def _read(request: bytes) -> tuple[str, str, dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines)}
    return method, path, headers, body


def _call(method: str, path: str) -> str:
    return f"{method} {path.partition('?')[0]}"


def _send(line: Any, told: Told) -> None:
    head = f"HTTP/1.1 {told.status} X\r\nContent-Type: {told.content_type}\r\nConnection: close\r\n"
    line.sendall(f"{head}Content-Length: {len(told.body)}\r\n\r\n".encode() + told.body)


# Changes


def altered_by(record: Record, changes: tuple[Change, ...]) -> Record:
    """The record with the changes made, each at one of the values that all its bodies hold."""
    documents = [
        (call, number, document)
        for call, answers in record.told.items()
        for number, told in enumerate(answers)
        for document in _documents(told)
    ]
    values = [[document] for _, _, document in documents]
    for change in changes:
        _change(values, change)
    bodies: dict[tuple[str, int], list[Any]] = {}
    for (call, number, _), held in zip(documents, values, strict=True):
        bodies.setdefault((call, number), []).extend(held)
    altered = Record()
    for call, answers in record.told.items():
        for number, told in enumerate(answers):
            body = b"".join(_encoded(one) for one in bodies.get((call, number), []))
            altered.add(call, Told(told.status, told.content_type, body))
    return altered


@dataclass(frozen=True)
class Frame:
    """A part of a body: JSON with what stands before and after it; what is no JSON is all
    `before`.
    """

    before: bytes
    value: Any
    after: bytes = b""
    is_json: bool = True


def _documents(told: Told) -> Iterator[Frame]:
    """A body as frames: one when it is JSON, else one a line of its stream."""
    try:
        yield Frame(b"", json.loads(told.body))
        return
    except ValueError:
        pass
    for line in told.body.splitlines(keepends=True):
        start = line.find(b"{") if line.startswith((b"data:", b"{")) else -1
        if start < 0:
            yield Frame(line, None, is_json=False)
        else:
            yield Frame(line[:start], json.loads(line[start:]), b"\n")


def _encoded(frame: Frame) -> bytes:
    return frame.before + (json.dumps(frame.value).encode() if frame.is_json else b"") + frame.after


def _change(values: list[list[Frame]], change: Change) -> None:
    """Makes one change in place, at the place that the number comes to."""
    held = [(index, frame) for index, some in enumerate(values) for frame in some if frame.is_json]
    if not held:
        return
    index, frame = held[change.place % len(held)]
    if change.kind == "twice":
        values[index] = [*values[index], frame]
    elif change.kind == "unframe":
        values[index] = []
    else:
        holder = [json.loads(json.dumps(frame.value))]
        places = list(_places(holder))
        container, key = places[(change.place // len(held)) % len(places)]
        _put(container, key, change)
        whole = holder[0] if holder else {}
        values[index] = [
            Frame(frame.before, whole, frame.after) if one is frame else one
            for one in values[index]
        ]


def _put(container: Any, key: Any, change: Change) -> None:
    old = container[key]
    if change.kind == "delete":
        del container[key]
    elif change.kind == "nest in a list":
        container[key] = [old, old]
    elif change.kind == "nest in an object":
        container[key] = {"data": old, "text": old}
    elif change.kind == "as text":
        container[key] = json.dumps(old)
    else:
        container[key] = VALUES[change.value % len(VALUES)]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each place that holds a value, as its container and key: breadth first is not needed, all
    are there.
    """
    keys = (
        list(value)
        if isinstance(value, dict)
        else range(len(value))
        if isinstance(value, list)
        else ()
    )
    for key in keys:
        yield value, key
        yield from _places(value[key])


# What comes of it


@dataclass
class Outcome:
    """How an answer ended, how many events it had, how long it took."""

    ended: str
    events: int
    seconds: float


def outcome(provider: Provider, question: str, within: float, streaming: bool) -> Outcome:
    """Reads a provider to its end. Anything but an end that the contract knows is raised as it
    is.
    """
    began, count, last = time.monotonic(), 0, None
    turn = Turn(question, USER, Stop(), began + within, streaming=streaming)
    ended = "nothing"
    try:
        for event in provider.stream(turn):
            last, count = event, count + 1
            assert isinstance(event, Event), event
            assert count < MOST_EVENTS, "events without end"
        ended = type(last).__name__
    except ProviderError as error:
        ended = error.reason
        assert str(error), "a log that says nothing"
    except Stopped:
        ended = "stopped"
    return Outcome(ended, count, time.monotonic() - began)
