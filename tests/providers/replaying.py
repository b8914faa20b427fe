"""Records what the emulator answers a provider, and plays it back with something changed."""

import json
import time
from collections.abc import Iterable, Iterator
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
    None,
    True,
    False,
    0,
    -1,
    7,
    10**30,
    1.5,
    float("inf"),
    float("nan"),
    "",
    "x",
    "-1",
    "1e999",
    "\ud83d",
    "\x00",
    "[]",
    '{"a": 1}',
    "{",
    "javascript:alert(1)",
    "字" * 2000,
    [],
    {},
    [[]],
    [None],
    {"": None},
    {"text": {"text": []}},
)


@dataclass(frozen=True)
class Response:
    """One response on record."""

    status: int
    content_type: str
    body: bytes


@dataclass
class Record:
    """What an emulator answered, by method and path, in order."""

    responses: dict[str, list[Response]] = field(default_factory=dict)

    def add(self, call: str, response: Response) -> None:
        self.responses.setdefault(call, []).append(response)

    def take(self, call: str, times: int) -> Response | None:
        """The response of the call at this count; its last one when it is called more often."""
        responses = self.responses.get(call)
        return responses[min(times, len(responses) - 1)] if responses else None


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
    """A server between a provider and the emulator that records every response."""

    def forward(line: Any, request: bytes) -> None:
        method, path, headers, body = _read(request)
        forwarded = {
            name: value
            for name, value in headers.items()
            if name in ("authorization", "content-type")
        }
        original = requests.request(
            method, emulator + path, headers=forwarded, data=body, timeout=20
        )
        content_type = original.headers.get("Content-Type", "")
        response = Response(original.status_code, content_type, original.content)
        record.add(_call(method, path), response)
        _send(line, response)

    with _serving(forward) as url:
        yield url


@contextmanager
def replaying(record: Record, changes: tuple[Change, ...]) -> Iterator[str]:
    """A server that answers from the record, with these changes."""
    altered = altered_by(record, changes)
    times: dict[str, int] = {}

    def answer(line: Any, request: bytes) -> None:
        method, path, _, _ = _read(request)
        call = _call(method, path)
        response = altered.take(call, times.get(call, 0))
        times[call] = times.get(call, 0) + 1
        _send(line, response or Response(404, "application/json", b"{}"))

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
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return method, path, headers, body


def _call(method: str, path: str) -> str:
    return f"{method} {path.partition('?')[0]}"


def _send(line: Any, response: Response) -> None:
    head = f"HTTP/1.1 {response.status} X\r\nContent-Type: {response.content_type}\r\n"
    head += "Connection: close\r\n"
    line.sendall(f"{head}Content-Length: {len(response.body)}\r\n\r\n".encode() + response.body)


# Changes


def altered_by(record: Record, changes: tuple[Change, ...]) -> Record:
    """The record with the changes made, each at one of the values that all its bodies hold."""
    documents = [
        (call, number, document)
        for call, answers in record.responses.items()
        for number, response in enumerate(answers)
        for document in _documents(response)
    ]
    values = [[document] for _, _, document in documents]
    for change in changes:
        _change(values, change)
    bodies: dict[tuple[str, int], list[Any]] = {}
    for (call, number, _), frames in zip(documents, values, strict=True):
        bodies.setdefault((call, number), []).extend(frames)
    altered = Record()
    for call, answers in record.responses.items():
        for number, response in enumerate(answers):
            body = b"".join(_encode(frame) for frame in bodies.get((call, number), []))
            altered.add(call, Response(response.status, response.content_type, body))
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


def _documents(response: Response) -> Iterator[Frame]:
    """A body as frames: one when it is JSON, else one a line of its stream."""
    try:
        yield Frame(b"", json.loads(response.body))
        return
    except ValueError:
        pass
    for line in response.body.splitlines(keepends=True):
        start = line.find(b"{") if line.startswith((b"data:", b"{")) else -1
        if start < 0:
            yield Frame(line, None, is_json=False)
        else:
            yield Frame(line[:start], json.loads(line[start:]), b"\n")


def _encode(frame: Frame) -> bytes:
    return frame.before + (json.dumps(frame.value).encode() if frame.is_json else b"") + frame.after


def _change(values: list[list[Frame]], change: Change) -> None:
    """Makes one change in place, at the place that the number comes to."""
    documents = [
        (index, frame) for index, frames in enumerate(values) for frame in frames if frame.is_json
    ]
    if not documents:
        return
    index, frame = documents[change.place % len(documents)]
    if change.kind == "twice":
        values[index] = [*values[index], frame]
    elif change.kind == "unframe":
        values[index] = []
    else:
        holder = [json.loads(json.dumps(frame.value))]
        places = list(_places(holder))
        container, key = places[(change.place // len(documents)) % len(places)]
        _put(container, key, change)
        whole = holder[0] if holder else {}
        values[index] = [
            Frame(frame.before, whole, frame.after) if other is frame else other
            for other in values[index]
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
    """Each place that holds a value, as its container and key."""
    if isinstance(value, dict):
        keys: Iterable[Any] = list(value)
    elif isinstance(value, list):
        keys = range(len(value))
    else:
        keys = ()
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
    """Reads a provider to its end. Whatever the contract does not know is raised as it is."""
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
