"""Connections that another thread can hang up, and the adapter that makes requests use them."""

import math
import os
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ProtocolError

# The kernel asks a silent peer whether it is still there: after 20 s, then three times.
_PROBES = (("TCP_KEEPIDLE", 20), ("TCP_KEEPALIVE", 20), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
SOCKET_OPTIONS = [
    *HTTPConnection.default_socket_options,
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    # Each system has some of them.
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), n)
        for name, n in _PROBES
        if hasattr(socket, name)
    ),
]

INTERIM = range(102, 200)
# A server that says 100 Continue without end would keep a thread for ever.
INTERIM_MOST = 50
LINES_MOST = 100
LINE_MOST = 65536

_here = threading.local()


@dataclass(frozen=True)
class Network:
    """How the outside is reached.

    `ca_bundle` is a path (default certifi's), `proxy` a URL, `connections` how many stay open.
    `question_idle` and `read_idle` are the seconds that a pooled connection may have rested before
    a request with an effect, or one without. Networks forget a quiet connection without a word,
    some within seconds; a question on it would wait for nothing and cannot be asked again.
    """

    ca_bundle: str | None = None
    proxy: str | None = None
    connections: int = 1000
    question_idle: float = 4.0
    read_idle: float = 30.0

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        """One for all connections: loading the authorities takes 20 ms and some megabytes each
        time."""
        return ssl.create_default_context(cafile=self.ca_bundle or certifi.where())


class Wire:
    """The socket of one request, from the moment it has one until the pool has it back.

    `hang_up` may be called by any thread at any time; a socket that is not there yet is hung up
    when it comes. A pooled connection is used for it when it has rested for `max_idle` seconds at
    most, and since `newer_than` (time.monotonic() seconds). `is_reused`: the connection has served
    another request before; `is_sent`: the whole request has been written.
    """

    def __init__(self, max_idle: float = math.inf, newer_than: float = -math.inf) -> None:
        self.max_idle = max_idle
        self.newer_than = newer_than
        self.is_reused = False
        self.is_sent = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_hung_up = False

    def hang_up(self) -> None:
        with self._lock:
            self._is_hung_up = True
            self._shut()

    def attach(self, sock: socket.socket | None) -> None:
        with self._lock:
            self._socket = sock
            if self._is_hung_up:
                self._shut()

    def allow(self, seconds: float) -> None:
        """Lets the next read or write take so long."""
        # When the socket is closed the read raises.
        with suppress(OSError):
            if self._socket is not None:
                self._socket.settimeout(max(seconds, 0.001))

    def _shut(self) -> None:
        # By a copy of the descriptor: shutting a TLS object down would pull it from under its
        # reader.
        with suppress(OSError):
            if self._socket is not None:
                with socket.socket(fileno=os.dup(self._socket.fileno())) as copy:
                    copy.shutdown(socket.SHUT_RDWR)


_Response: Any = HTTPConnection.response_class


class _FinalResponse(_Response):  # type: ignore[misc]
    """A response after the interim ones: the standard library skips only those of status 100.

    Gateways send 102 and 103 while an agent works.
    """

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(INTERIM_MOST):
            line: tuple[str, int, str] = super()._read_status()
            if line[1] not in INTERIM:
                return line
            if not any(not self.fp.readline(LINE_MOST).strip() for _ in range(LINES_MOST)):
                break
        raise ProtocolError("interim responses without end")


class _Attaching:
    """Mixed into urllib3's connections: attaches their socket to the wire of this thread's request.

    Asking the connection for its socket later would not do: it forgets it when the answer will
    close it.
    """

    response_class: Any = _FinalResponse
    sock: socket.socket | None
    wire: Wire | None = None
    _copy: socket.socket | None = None
    _returned_at = math.inf
    _is_fresh = True

    @property
    def is_connected(self) -> bool:
        """Whether the pool may hand this connection out: it lives, and is not idle for too long.

        A connection that the network has forgotten looks alive. The next request on it would wait
        for nothing, and a question cannot be sent twice.
        """
        wire: Wire | None = getattr(_here, "wire", None)
        if wire is not None and not self._is_young_enough(wire):
            return False
        return bool(super().is_connected)  # type: ignore[misc]

    def _is_young_enough(self, wire: Wire) -> bool:
        idle = time.monotonic() - self._returned_at
        return idle <= wire.max_idle and self._returned_at > wire.newer_than

    def rest(self) -> None:
        """Back to the pool: it no longer belongs to the request it served."""
        self._returned_at = time.monotonic()
        self._is_fresh = False
        if self.wire is not None:
            self.wire.attach(None)
            self.wire = None

    def connect(self) -> None:
        self.wire = getattr(_here, "wire", None)
        self._is_fresh = True
        try:
            super().connect()  # type: ignore[misc]
        finally:
            if self._copy is not None:
                self._copy.close()
        if self.wire is not None:
            self.wire.attach(self.sock)

    def _new_conn(self) -> socket.socket:
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]
        if self.wire is not None:
            # A copy, because the handshake takes the descriptor away from the socket it begins
            # with.
            self._copy = sock.dup()
            self.wire.attach(self._copy)
        return sock

    def request(self, *args: Any, **options: Any) -> None:
        self.wire = getattr(_here, "wire", None)
        if self.wire is not None:
            self.wire.is_reused = self.sock is not None and not self._is_fresh
            self.wire.is_sent = False
            self.wire.attach(self.sock)
        super().request(*args, **options)  # type: ignore[misc]
        if self.wire is not None:
            self.wire.is_sent = True


class _PlainConnection(_Attaching, HTTPConnection):
    pass


class _SecureConnection(_Attaching, HTTPSConnection):
    pass


class _Returning:
    """Mixed into urllib3's pools: a socket that comes back is detached from its request."""

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.rest()
        super()._put_conn(conn)  # type: ignore[misc]


class _PlainPool(_Returning, HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _SecurePool(_Returning, HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class Adapter(HTTPAdapter):
    """requests' adapter with connections that can be hung up, and one TLS context for all of them.

    It is used without a Session, which doubles the CPU time of a poll (0.75 ms against 0.4 ms) and
    whose environment, cookie jar, hooks and redirects a site does not want.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        proxy = network.proxy
        self._proxies = {"http": proxy, "https": proxy} if proxy else None
        super().__init__(pool_maxsize=network.connections)

    def send_on(
        self, wire: Wire, request: requests.PreparedRequest, timeout: tuple[float, float]
    ) -> Any:
        """Sends a request on a socket that `wire` can hang up.

        Returns urllib3's response, its body unread. Raises what requests and urllib3 raise.
        """
        _here.wire = wire
        try:
            return self.send(request, stream=True, timeout=timeout, proxies=self._proxies).raw
        finally:
            _here.wire = None

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(
            *args,
            **options,
            ssl_context=self._network.ssl_context,
            socket_options=SOCKET_OPTIONS,
        )
        self._use_our_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(
            proxy,
            **options,
            ssl_context=self._network.ssl_context,
            socket_options=SOCKET_OPTIONS,
        )
        self._use_our_pools(manager)
        return manager

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing: the context above verifies, and requests would load it anew per connection."""

    @staticmethod
    def _use_our_pools(manager: Any) -> None:
        manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
