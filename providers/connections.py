"""Connections that another thread can hang up, and requests' adapter without what a site does not
want."""

import os
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_here = threading.local()


@dataclass(frozen=True)
class Network:
    """How the outside is reached.

    `ca_bundle` is a path (default certifi's), `proxy` a URL, `connections` how many stay open.
    """

    ca_bundle: str | None = None
    proxy: str | None = None
    connections: int = 1000

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        """One for all connections: loading the authorities takes 20 ms and some megabytes each
        time."""
        return ssl.create_default_context(cafile=self.ca_bundle or certifi.where())


class Wire:
    """The line one request uses, from the moment it has one until the pool has it back.

    `hang_up` may be called by any thread at any time; a line that is not there yet is hung up when
    it comes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._line: socket.socket | None = None
        self._is_hung_up = False

    def hang_up(self) -> None:
        with self._lock:
            self._is_hung_up = True
            self._shut()

    def take(self, line: socket.socket | None) -> None:
        with self._lock:
            self._line = line
            if self._is_hung_up:
                self._shut()

    def allow(self, seconds: float) -> None:
        """Lets the next read or write take so long."""
        with suppress(OSError):  # the line is closed: the read will say so
            if self._line is not None:
                self._line.settimeout(max(seconds, 0.001))

    def _shut(self) -> None:
        # By a copy of the descriptor: shutting a TLS object down would pull it from under its
        # reader.
        with suppress(OSError):
            if self._line is not None:
                with socket.socket(fileno=os.dup(self._line.fileno())) as copy:
                    copy.shutdown(socket.SHUT_RDWR)


class _Noted:
    """Mixed into urllib3's connections: tells the wire of this thread's request which line it uses.

    Asking the connection for its socket later would not do: it forgets it when the answer will
    close it.
    """

    sock: socket.socket | None
    wire: Wire | None = None
    _copy: socket.socket | None = None

    def connect(self) -> None:
        self.wire = getattr(_here, "wire", None)
        try:
            super().connect()  # type: ignore[misc]
        finally:
            if self._copy is not None:
                self._copy.close()
        if self.wire is not None:
            self.wire.take(self.sock)

    @property
    def is_connected(self) -> bool:
        """Whether the other side has not hung up.

        Under gevent, urllib3's select costs a tenth of a poll.
        """
        if self.sock is None or not hasattr(socket, "TCP_INFO"):
            return bool(super().is_connected)  # type: ignore[misc]
        with suppress(OSError):
            return (
                self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == b"\x01"
            )  # ESTABLISHED
        return False

    def _new_conn(self) -> socket.socket:
        line: socket.socket = super()._new_conn()  # type: ignore[misc]
        if self.wire is not None:
            # A copy, because the handshake takes the descriptor away from the socket it begins
            # with.
            self._copy = line.dup()
            self.wire.take(self._copy)
        return line

    def request(self, *args: Any, **options: Any) -> None:
        self.wire = getattr(_here, "wire", None)
        if self.wire is not None and self.sock is not None:
            self.wire.take(self.sock)
        super().request(*args, **options)  # type: ignore[misc]


class _PlainConnection(_Noted, HTTPConnection):
    pass


class _SecureConnection(_Noted, HTTPSConnection):
    pass


class _Returning:
    """Mixed into urllib3's pools: a line that comes back no longer belongs to the request it
    served."""

    def _put_conn(self, conn: Any) -> None:
        if conn is not None and conn.wire is not None:
            conn.wire.take(None)
            conn.wire = None
        super()._put_conn(conn)  # type: ignore[misc]


class _PlainPool(_Returning, HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _SecurePool(_Returning, HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class Adapter(HTTPAdapter):
    """requests' adapter with our connections, one TLS context, and a pool as large as our
    concurrency.

    It is used without a Session, whose merging of settings, cookie jar, hooks and redirects a site
    does not want and which take half of the time of a poll.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._pools: dict[str, Any] = {}
        super().__init__(pool_maxsize=network.connections)

    def send_on(
        self, wire: Wire, request: requests.PreparedRequest, timeout: tuple[float, float]
    ) -> Any:
        """Sends a request on a line that `wire` can hang up: urllib3's answer, its body unread."""
        _here.wire = wire
        try:
            return self.send(request, stream=True, timeout=timeout).raw
        finally:
            _here.wire = None

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options, ssl_context=self._network.ssl_context)
        self._use_our_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options, ssl_context=self._network.ssl_context)
        self._use_our_pools(manager)
        return manager

    def get_connection_with_tls_context(self, request: Any, *args: Any, **options: Any) -> Any:
        """The pool of the request's host."""
        origin = "/".join(request.url.split("/", 3)[:3])
        pool = self._pools.get(origin)
        if pool is None:
            proxy = self._network.proxy
            manager = self.proxy_manager_for(proxy) if proxy else self.poolmanager
            pool = self._pools.setdefault(origin, manager.connection_from_url(origin))
        return pool

    def request_url(self, request: Any, proxies: Any) -> str:
        """The path; the whole address for a proxy that has to read it."""
        is_read_by_proxy = self._network.proxy and request.url.startswith("http://")
        return str(request.url if is_read_by_proxy else request.path_url)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing to do: the context above verifies, and would be loaded again for each connection
        here."""

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        """Only what is used here: no copy of the headers, no cookies."""
        response = requests.Response()
        response.status_code = resp.status
        response.raw = resp
        return response

    @staticmethod
    def _use_our_pools(manager: Any) -> None:
        manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
