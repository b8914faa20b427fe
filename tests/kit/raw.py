"""A server of raw sockets: what HTTP libraries on the other side would never do, it does."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress

Answer = Callable[[socket.socket, bytes], object]


class Server:
    """A server of raw sockets: notes each request, and lets `answer` do what it likes to the
    connection.

    `answer` returns True to keep the connection for a next request.
    """

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.tls = tls
        self.requests: list[bytes] = []
        self.connections = 0
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._listener.accept()
                self.connections += 1
                self._open.append(line)
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with suppress(OSError):
            if self.tls:
                line = self.tls.wrap_socket(line, server_side=True)
                self._open.append(line)
            while request := read_request(line):
                self.requests.append(request)
                if not self.answer(line, request):
                    break
        line.close()

    def close(self) -> None:
        for line in [self._listener, *self._open]:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()


def read_request(line: socket.socket) -> bytes:
    whole = b""
    while b"\r\n\r\n" not in whole:
        if not (part := line.recv(65536)):
            return b""
        whole += part
    head, _, body = whole.partition(b"\r\n\r\n")
    lengths = [
        int(one.split(b":")[1])
        for one in head.split(b"\r\n")
        if one.lower().startswith(b"content-length")
    ]
    while lengths and len(body) < lengths[0]:
        body += line.recv(65536)
    return head + b"\r\n\r\n" + body
