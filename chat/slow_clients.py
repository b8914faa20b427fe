"""A visitor's connection that has to get on: who says or takes in too little in too long a time is let go."""

import errno
import socket
import time
from typing import Any

QUIET_S = 30.0  # what a body, or a piece of an answer, has in any case
SLOWEST = 16 * 1024  # bytes a second of what is longer; a poor mobile network is faster


class Line:
    """A connected socket whose bodies and answers have a time by their size.

    What waits for the next request has a time of its own, which the server keeps.
    """

    def __init__(
        self, line: socket.socket, quiet_s: float = QUIET_S, slowest: float = SLOWEST
    ) -> None:
        self._line = line
        self._quiet_s = quiet_s
        self._slowest = slowest
        self._until: float | None = None
        self.is_late = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._line, name)

    def expect_body(self) -> None:
        """From here on a body is read: it has its time, and some of it back for each byte that comes."""
        self._until = time.monotonic() + self._quiet_s

    def expect_request(self) -> None:
        """From here on somebody else watches the time."""
        self._until = None

    def recv(self, size: int) -> bytes:
        """As a socket's. Raises TimeoutError when a body is too slow."""
        if self._until is None:
            return self._line.recv(size)
        left = self._until - time.monotonic()
        try:
            if left <= 0:
                raise TimeoutError("a body that does not end")
            with _Patience(self._line, left):
                data = self._line.recv(size)
        except TimeoutError:
            self.is_late = True
            raise
        # Never more than that ahead: who has sent a lot at once has not bought a long silence.
        self._until = min(self._until + len(data) / self._slowest, time.monotonic() + self._quiet_s)
        return data

    def sendall(self, data: bytes) -> None:
        """As a socket's. Raises BrokenPipeError when nobody takes it in."""
        try:
            with _Patience(self._line, self._quiet_s + len(data) / self._slowest):
                self._line.sendall(data)
        except TimeoutError:  # to the server it is as if they had gone
            raise BrokenPipeError(errno.EPIPE, "nobody takes it in") from None


class _Patience:
    """A socket's time-out for one call."""

    def __init__(self, line: socket.socket, seconds: float) -> None:
        self._line = line
        self._seconds = seconds

    def __enter__(self) -> None:
        self._line.settimeout(self._seconds)

    def __exit__(self, *error: object) -> None:
        self._line.settimeout(None)
