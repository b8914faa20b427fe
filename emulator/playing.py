"""Sending a stream's steps to the one who asked, and noticing when that one has gone."""

import select
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from flask import Response, request

from emulator.journal import Entry
from emulator.state import entry
from emulator.stream import Cut, Step


class ConnectionCut(ConnectionError):
    """Raised into the server so that it drops the connection as it stands."""


def respond(
    steps: Iterable[Step],
    *,
    mimetype: str = "text/event-stream",
    headers: Mapping[str, str] | None = None,
    finished: Callable[[], None] = lambda: None,
    ended: Callable[[], None] = lambda: None,
) -> Response:
    """A response that sends the steps; `finished` is called before the last byte, `ended` however it ends."""
    connection = request.environ.get("werkzeug.socket")
    body = _played(steps, connection, entry(), finished, ended)
    # One answer a connection, as the platforms do: some clients read until the connection closes.
    return Response(body, mimetype=mimetype, headers={"Connection": "close", **(headers or {})})


def _played(
    steps: Iterable[Step],
    connection: socket.socket | None,
    journal_entry: Entry,
    finished: Callable[[], None],
    ended: Callable[[], None],
) -> Iterator[bytes]:
    is_over = False
    held = b""
    try:
        for step in steps:
            # One frame is held back, so that the platform's books are closed before the reader sees the end.
            if held:
                yield held
                held = b""
            if isinstance(step, bytes):
                held = step
            elif isinstance(step, Cut):
                is_over = True
                raise ConnectionCut
            elif not _is_still_there(connection, step.seconds):
                return
        finished()
        if held:
            yield held
        is_over = True
    finally:
        journal_entry.disconnected = not is_over
        ended()


def _is_still_there(connection: socket.socket | None, seconds: float) -> bool:
    """Waits, but not longer than the one who asked."""
    if connection is None:
        time.sleep(seconds)
        return True
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if not poll.poll(left * 1000):
            return True
        if _has_left(connection):
            return False
        # It sent something we do not expect; wait out the rest without looking again.
        time.sleep(max(until - time.monotonic(), 0))
    return True


def _has_left(connection: socket.socket) -> bool:
    if isinstance(connection, ssl.SSLSocket):
        # Nobody sends a second request before the answer to the first has ended: it is the farewell.
        return True
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True
