"""A visitor's connection that has to get on: clients that send or read too slowly are cut off."""

import errno
import socket
import time
from typing import Any

# A body, or a piece of an answer, has so long in any case.
QUIET_S = 30.0
# Bytes a second beyond that; a poor mobile network is faster.
SLOWEST = 16 * 1024
# Who is answered before the body was read goes on sending for a moment. As much is read, so that
# the answer is seen before the connection breaks.
LINGER_S = 2.0
LINGER_BYTES = 256 * 1024
GO_AHEAD = b"HTTP/1.1 100 Continue\r\n\r\n"


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
        self._awaits_go_ahead = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    @property
    def awaits_go_ahead(self) -> bool:
        """Whether the client sends its body only when it is told to, and nobody wanted it yet."""
        return self._awaits_go_ahead

    def expect_body(self, awaits_go_ahead: bool = False) -> None:
        """From here on a body is read: it has its time, and each byte that comes extends it."""
        self._until = time.monotonic() + self._quiet_s
        self._awaits_go_ahead = awaits_go_ahead

    def expect_request(self) -> None:
        """From here on the server watches the time."""
        self._until = None

    def recv(self, size: int) -> bytes:
        """As a socket's. Raises TimeoutError when a body is too slow."""
        if self._until is None:
            return self._socket.recv(size)
        if self._awaits_go_ahead:
            self._awaits_go_ahead = False
            self.sendall(GO_AHEAD)
        remaining_s = self._until - time.monotonic()
        try:
            if remaining_s <= 0:
                raise TimeoutError("a body that does not end")
            with _Timeout(self._socket, remaining_s):
                data = self._socket.recv(size)
        except TimeoutError:
            self.is_late = True
            raise
        # Never further ahead than quiet_s: a lot of data at once must not buy a long silence.
        latest = time.monotonic() + self._quiet_s
        self._until = min(self._until + len(data) / self._slowest, latest)
        return data

    def linger(self, seconds: float = LINGER_S, most: int = LINGER_BYTES) -> None:
        """Ends our side, and reads a little of what still comes, until the client has gone."""
        until = time.monotonic() + seconds
        try:
            self._socket.shutdown(socket.SHUT_WR)
            while most > 0 and (remaining_s := until - time.monotonic()) > 0:
                with _Timeout(self._socket, remaining_s):
                    data = self._socket.recv(min(most, 64 * 1024))
                if not data:
                    return
                most -= len(data)
        except OSError:
            return
        # Nothing more is read: its sender has to wait, and may look at the answer.
        time.sleep(max(0.0, until - time.monotonic()))

    @property
    def has_hung_up(self) -> bool:
        """Whether the client has closed its end while it waits for an answer."""
        try:
            with _Timeout(self._socket, 0):
                return not self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except ValueError:
            # A connection over TLS does not let one peek.
            return False
        except OSError:
            return True

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
