"""Werkzeug's threaded server in real HTTP/1.1: keep-alive, no delay, connections that can die."""

import ssl
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from io import BytesIO
from threading import Thread
from typing import Any

from flask import Flask
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from emulator.responding import ConnectionCut

_BACKLOG = 2048
_WITHOUT_BODY = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}


class Handler(WSGIRequestHandler):
    """Werkzeug's own handler closes every connection after one answer; this one keeps it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Server"

    def run_wsgi(self) -> None:
        environ = self.environ = self.make_environ()
        self._started = False
        self._is_chunked = False
        try:
            # Read before the answer begins: what is left over would be taken for the next request.
            environ["wsgi.input"] = BytesIO(self._body(environ))
            self._answer(self.server.app(environ, self._start_response))
        except (ConnectionCut, ConnectionError, TimeoutError, ssl.SSLError):
            self.close_connection = True
        except Exception as error:
            self.close_connection = True
            self.server.log("error", "%s %s: %r", self.command, self.path, error)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        if self.server.is_verbose:
            print(f"{self.command} {self.path.split('?')[0]} {code}", file=sys.stderr, flush=True)

    def _body(self, environ: dict[str, Any]) -> bytes:
        if environ.get("wsgi.input_terminated"):
            return bytes(environ["wsgi.input"].read())
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: object = None
    ) -> Any:
        self._status, self._headers = int(status.split()[0]), headers
        return self._send

    def _answer(self, parts: Iterable[bytes]) -> None:
        try:
            for part in parts:
                self._send(part)
            if not self._started:
                self._send(b"")
            if self._is_chunked:
                self.wfile.write(b"0\r\n\r\n")
        finally:
            if hasattr(parts, "close"):
                parts.close()

    def _send(self, part: bytes) -> None:
        if not self._started:
            self._send_head()
        if self.command == "HEAD" or not part:
            return
        self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if self._is_chunked else part)

    def _send_head(self) -> None:
        self._started = True
        names = {name.lower() for name, _ in self._headers}
        self.send_response(self._status)
        for name, value in self._headers:
            self.send_header(name, value)
        if "content-length" not in names and self._status not in _WITHOUT_BODY:
            self._is_chunked = self.request_version == "HTTP/1.1" and self.command != "HEAD"
            if self._is_chunked:
                self.send_header("Transfer-Encoding", "chunked")
            else:
                self.send_header("Connection", "close")
        self.end_headers()


class Server(ThreadedWSGIServer):
    """One thread a connection; the TLS handshake is made there too, so that nobody holds up the
    others.
    """

    def __init__(
        self, host: str, port: int, app: Flask, fd: int | None, tls: ssl.SSLContext | None
    ) -> None:
        super().__init__(host, port, app, Handler, fd=fd)
        self.socket.listen(_BACKLOG)
        self.is_verbose = False
        self.ssl_context = tls

    @property
    def url(self) -> str:
        return f"{'https' if self.ssl_context else 'http'}://{self.host}:{self.port}"

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.ssl_context is None:
            Handler(request, client_address, self)
            return
        with self.ssl_context.wrap_socket(request, server_side=True) as secured:
            Handler(secured, client_address, self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust the certificate, or leaves in the handshake, is its own
        business.
        """
        error = sys.exception()
        if not isinstance(error, OSError):
            self.log("error", "%r", error)


@contextmanager
def serve(
    app: Flask,
    host: str = "127.0.0.1",
    port: int = 0,
    fd: int | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> Iterator[str]:
    """Serves an app in a thread of this process and yields its base URL."""
    server = Server(host, port, app, fd, ssl_context)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.url
    finally:
        server.shutdown()
        thread.join()
