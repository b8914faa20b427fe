"""Sends the steps of an answer to the caller, and notices when the caller has gone."""

import select
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from flask import Response, request

from emulator.request_log import Entry
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
    closed: Callable[[], None] = lambda: None,
) -> Response:
    """A response that sends the steps.

    `finished` is called before the last byte, `closed` however the response ends.
    """
    connection = request.environ.get("werkzeug.socket")
    body = _send(steps, connection, entry(), finished, closed)
    # One answer a connection, as the platforms do: some clients read until the connection closes.
    return Response(body, mimetype=mimetype, headers={"Connection": "close", **(headers or {})})


def _send(
    steps: Iterable[Step],
    connection: socket.socket | None,
    log_entry: Entry,
    finished: Callable[[], None],
    closed: Callable[[], None],
) -> Iterator[bytes]:
    is_over = False
    pending = b""
    try:
        for step in steps:
            # One frame waits, so that the platform counts the answer before the reader sees its
            # end.
            if pending:
                yield pending
                pending = b""
            if isinstance(step, bytes):
                pending = step
            elif isinstance(step, Cut):
                is_over = True
                raise ConnectionCut
            elif not _waits_with_caller(connection, step.seconds):
                return
        finished()
        if pending:
            yield pending
        is_over = True
    finally:
        log_entry.disconnected = not is_over
        closed()


def _waits_with_caller(connection: socket.socket | None, seconds: float) -> bool:
    """Waits these seconds. False as soon as the caller has gone."""
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
        # Nobody sends a second request before the answer to the first has ended: this is
        # close_notify.
        return True
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True
