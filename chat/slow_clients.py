"""A visitor's connection that has to get on: clients that send or read too slowly are cut off."""

import errno
import socket
import time
from typing import Any

# A body, or a piece of an answer, has so long in any case.
QUIET_S = 30.0
# Bytes a second beyond that; a poor mobile network is faster.
SLOWEST = 16 * 1024


class TimedSocket:
    """A connected socket whose bodies and answers have a time by their size.

    The server itself limits the wait for the next request.
    """

    def __init__(
        self, connection: socket.socket, quiet_s: float = QUIET_S, slowest: float = SLOWEST
    ) -> None:
        self._socket = connection
        self._quiet_s = quiet_s
        self._slowest = slowest
        self._until: float | None = None
        self.is_late = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def expect_body(self) -> None:
        """From here on a body is read: it has its time, and each byte that comes extends it."""
        self._until = time.monotonic() + self._quiet_s

    def expect_request(self) -> None:
        """From here on the server watches the time."""
        self._until = None

    def recv(self, size: int) -> bytes:
        """As a socket's. Raises TimeoutError when a body is too slow."""
        if self._until is None:
            return self._socket.recv(size)
        left = self._until - time.monotonic()
        try:
            if left <= 0:
                raise TimeoutError("a body that does not end")
            with _Timeout(self._socket, left):
                data = self._socket.recv(size)
        except TimeoutError:
            self.is_late = True
            raise
        # Never further ahead than quiet_s: a lot of data at once must not buy a long silence.
        latest = time.monotonic() + self._quiet_s
        self._until = min(self._until + len(data) / self._slowest, latest)
        return data

    def sendall(self, data: bytes) -> None:
        """As a socket's. Raises BrokenPipeError when the client does not read."""
        try:
            with _Timeout(self._socket, self._quiet_s + len(data) / self._slowest):
                self._socket.sendall(data)
        except TimeoutError:
            # To the server it is as if the client had gone.
            raise BrokenPipeError(errno.EPIPE, "the client does not read") from None


class _Timeout:
    """A socket's time-out for one call."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._socket = connection
        self._seconds = seconds

    def __enter__(self) -> None:
        self._socket.settimeout(self._seconds)

    def __exit__(self, *error: object) -> None:
        self._socket.settimeout(None)
