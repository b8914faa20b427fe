"""Asking a provider and keeping all it says; a server that says exactly these bytes."""

import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any, TypeVar

from providers.base import Provider, Turn
from providers.errors import ProviderError
from providers.events import Accepted, Delta, Done, Event, Rewrite
from providers.stop import Stop, Stopped

T = TypeVar("T")
USER = "0123456789abcdef0123456789abcdef"


@dataclass
class Heard:
    """The events of one answer, and what ended it when that was not Done."""

    events: list[Event] = field(default_factory=list)
    error: ProviderError | Stopped | None = None

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def text(self) -> str:
        return "".join(delta.text for delta in self.of(Delta))

    @property
    def replies(self) -> list[str]:
        deltas = self.of(Delta)
        count = max((delta.reply for delta in deltas), default=-1) + 1
        return [
            "".join(delta.text for delta in deltas if delta.reply == number)
            for number in range(count)
        ]

    @property
    def conversation(self) -> str | None:
        return next((event.conversation for event in self.of(Accepted) if event.conversation), None)


def final_text(events: Iterable[Event]) -> str:
    """The text of an answer of one reply in the end: what was added, and what took its place."""
    text = ""
    for event in events:
        if isinstance(event, Delta):
            text += event.text
        elif isinstance(event, Rewrite):
            text = event.text
    return text


def read_all(reader: Any, payloads: Iterable[Any]) -> list[Event]:
    """What a platform's reader makes of these payloads and of the end after them."""
    return [event for payload in payloads for event in reader.apply(payload)] + list(reader.end())


class Visitor:
    """Somebody who asks an agent and keeps the conversation, as the site does."""

    def __init__(self, provider: Provider, user: str = USER) -> None:
        self.provider, self.user = provider, user
        self.conversation: str | None = None
        self.stop = Stop()
        self.events: list[Event] = []

    def ask(self, question: str, streaming: bool = True, seconds: float = 10) -> str:
        """The text of the answer. Raises what the agent raises; `events` holds what came before."""
        deadline = time.monotonic() + seconds
        turn = Turn(
            question, self.user, self.stop, deadline, self.conversation, streaming=streaming
        )
        self.events = []
        for event in self.provider.stream(turn):
            self.events.append(event)
            if isinstance(event, Accepted):
                self.conversation = event.conversation
        assert isinstance(self.events[-1], Done)
        return self.said

    @property
    def said(self) -> str:
        return final_text(self.events)

    def all(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]


def ask(
    provider: Provider, question: str, within: float = 10, stop: Stop | None = None, **turn: Any
) -> Heard:
    """Asks and listens to the end."""
    heard = Heard()
    asked = Turn(
        question, turn.pop("user", USER), stop or Stop(), time.monotonic() + within, **turn
    )
    try:
        for event in provider.stream(asked):
            heard.events.append(event)
    except (ProviderError, Stopped) as error:
        heard.error = error
    return heard


@contextmanager
def saying(
    answer: bytes, status: str = "200 OK", kind: str = "text/event-stream", *, lingers: bool = False
) -> Iterator[str]:
    """A server that answers every request with these bytes; then it closes, or keeps silent until
    you do.
    """
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n".encode()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    line, _ = listener.accept()
                except OSError:
                    return
                with line:
                    _read_request(line)
                    line.sendall(head + answer)
                    if lingers:
                        line.recv(1)

        Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def _read_request(line: socket.socket) -> None:
    """All of it: a socket that closes with something unread resets the connection."""
    with line.makefile("rb") as request:
        size = 0
        while (field_line := request.readline()).strip():
            name, _, value = field_line.partition(b":")
            size = int(value) if name.lower() == b"content-length" else size
        request.read(size)
