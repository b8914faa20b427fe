"""Requests byte by byte, as no HTTP library would send them, and what comes back."""

import socket
import time
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from typing import NamedTuple

from tests.kit.patience import ALLOWANCE

SOON_S = 10.0 * ALLOWANCE


class Heard(NamedTuple):
    """An answer: its status, its headers in small letters, its body."""

    status: int
    headers: dict[str, str]
    body: bytes


def send(port: int, request: bytes, *, is_whole: bool = True) -> Heard | None:
    """The first answer to these bytes, which comes soon. None: the line was cut.

    When the request `is_whole` nothing more is to be sent, and the server is told so.
    """
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=SOON_S) as line:
        with suppress(
            ConnectionError
        ):  # refused while it is sent: the answer may be there all the same
            line.sendall(request)
            if is_whole:
                line.shutdown(socket.SHUT_WR)
        try:
            answer = HTTPResponse(line)
            answer.begin()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            heard = Heard(answer.status, headers, answer.read())
        except (HTTPException, ConnectionError):
            heard = None
    assert time.monotonic() - began < SOON_S
    return heard


def everything(port: int, request: bytes) -> bytes:
    """All bytes that come for these, until the server closes the line or has been silent for a
    second.
    """
    whole = b""
    with socket.create_connection(("127.0.0.1", port), timeout=SOON_S) as line, suppress(OSError):
        line.sendall(request)
        while part := line.recv(65536):
            whole += part
            line.settimeout(1)
    return whole
