"""The one door to the network: pooled sessions, time-outs, sizes, no redirects, failures translated into
ours.

An error's text never holds a URL: some platforms want their secret in the query (platforms/wenxin.md §9.1).
"""

import json
import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import cached_property
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import certifi
import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from providers.base import Stop, Stopped
from providers.errors import (
    AuthRejected,
    NotConfigured,
    ProviderError,
    RateLimited,
    TimedOut,
    Unavailable,
    Unexpected,
)

CONNECT_S = 10.0
CALL_S = 60.0
BODY_LIMIT = 32 * 1024 * 1024
STREAM_LIMIT = 512 * 1024 * 1024
NOT_SENT = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
RETRY_PAUSES_S = (0.2, 0.8)

STATUS: dict[int, type[ProviderError]] = {
    401: AuthRejected,
    403: AuthRejected,
    404: NotConfigured,
    408: Unavailable,
    429: RateLimited,
}

_here = threading.local()


@dataclass(frozen=True)
class Network:
    """How the outside is reached:

    `ca_bundle` a path (default certifi's), `proxy` a URL, `connections` kept open.
    """

    ca_bundle: str | None = None
    proxy: str | None = None
    connections: int = 1000

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        """One context for all connections:

        loading the authorities takes 20 ms and some megabytes each time.
        """
        return ssl.create_default_context(cafile=self.ca_bundle or certifi.where())


@dataclass
class _Wire:
    """The connection a request of this thread is using, so that another thread can hang up at any moment."""

    connection: HTTPConnection | None = None

    def hang_up(self) -> None:
        # Through a duplicate of the descriptor: shutting the TLS object itself would pull it from under its
        # reader.
        with suppress(OSError, AttributeError):
            assert self.connection is not None
            with socket.socket(fileno=os.dup(self.connection.sock.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)

    def allow(self, seconds: float) -> None:
        sock = self.connection.sock if self.connection else None
        if sock is not None:
            sock.settimeout(max(seconds, 0.001))


class _Noted:
    """Mixed into urllib3's connections: notes which of them carries the request of this thread."""

    def request(self, *args: Any, **options: Any) -> None:
        wire = getattr(_here, "wire", None)
        if wire is not None:
            wire.connection = self
        super().request(*args, **options)  # type: ignore[misc]


class _PlainConnection(_Noted, HTTPConnection):
    pass


class _SecureConnection(_Noted, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    """Requests' adapter with our connections, one TLS context, and a pool as large as our concurrency."""

    def __init__(self, network: Network) -> None:
        self._network = network
        super().__init__(pool_maxsize=network.connections)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options, ssl_context=self._network.ssl_context)
        self._use_our_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options, ssl_context=self._network.ssl_context)
        self._use_our_pools(manager)
        return manager

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing to do: the context above verifies, and would be loaded again for each connection here."""

    @staticmethod
    def _use_our_pools(manager: Any) -> None:
        manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}


@dataclass
class Response:
    """A platform's answer.

    `status`, lower-case `headers`, and the body once: whole or in pieces as they come.
    """

    provider: str
    status: int
    headers: Mapping[str, str]
    _raw: Any = field(repr=False)
    _wire: _Wire = field(repr=False)
    _stop: Stop | None = field(repr=False)
    _deadline: float | None = field(repr=False)

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def hurry(self, seconds: float) -> None:
        """Moves the deadline nearer: what is still to come has this long."""
        soon = time.monotonic() + seconds
        self._deadline = soon if self._deadline is None else min(self._deadline, soon)

    def pieces(self, limit: int = STREAM_LIMIT, quiet: float | None = None) -> Iterator[bytes]:
        """Yields bytes as they arrive, decompressed, until the platform closes.

        Raises Stopped, TimedOut at the deadline, Unavailable when the connection breaks or is silent for
        `quiet` seconds, Unexpected beyond `limit`.
        """
        size = 0
        while True:
            with _failures(self.provider, self._stop, self._deadline):
                self._allow(quiet)
                piece = self._raw.read1(decode_content=True)
            if self._stop is not None:
                self._stop.check()
            if not piece:
                return
            if self._deadline is not None and time.monotonic() > self._deadline:
                raise TimedOut("still sending at the deadline", provider=self.provider)
            size += len(piece)
            if size > limit:
                raise Unexpected(f"sent more than {limit} bytes", provider=self.provider)
            yield piece

    def _allow(self, quiet: float | None) -> None:
        left = None if self._deadline is None else self._deadline - time.monotonic()
        patience = [seconds for seconds in (left, quiet) if seconds is not None]
        if patience:
            self._wire.allow(min(patience))

    def read(self, limit: int = BODY_LIMIT) -> bytes:
        """The whole body. Raises like `pieces`."""
        return b"".join(self.pieces(limit))

    def json(self) -> Any:
        """The whole body as JSON. Raises like `pieces`, and Unexpected when it is none."""
        return parse_json(self.read(), self.provider)


class Http:
    """The pooled session of one platform.

    Shared by all threads; keeps no cookies and follows no redirects.
    """

    def __init__(self, provider: str, network: Network) -> None:
        self.provider = provider
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        if network.proxy:
            self._session.proxies = {"http": network.proxy, "https": network.proxy}
        adapter = _Adapter(network)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        # urllib3 would log each address with its query, and with it some platforms' secrets.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)

    @contextmanager
    def open(
        self,
        method: str,
        url: str,
        *,
        stop: Stop | None = None,
        deadline: float | None = None,
        timeout: float = CALL_S,
        **options: Any,
    ) -> Iterator[Response]:
        """Sends a request and yields the Response; its connection is closed, or kept for the next, at the
        end.

        `options` are those of requests (json, params, headers, files, auth). `deadline` is in
        time.monotonic() seconds; the first byte has `timeout` seconds or until the deadline, whichever is
        sooner. A request that could not be sent is tried again; one that may have arrived never is. Raises
        Stopped, TimedOut, Unavailable, Unexpected (a redirect).
        """
        wire = _Wire()
        with stop.interrupting(wire.hang_up) if stop else nullcontext():
            answer = self._send(wire, method, url, stop, deadline, timeout, options)
            try:
                if 300 <= answer.status_code < 400:
                    raise Unexpected(f"redirects (HTTP {answer.status_code})", provider=self.provider)
                headers = {name.lower(): value for name, value in answer.headers.items()}
                yield Response(self.provider, answer.status_code, headers, answer.raw, wire, stop, deadline)
            finally:
                answer.raw.close()  # keeps the connection when the body was read to its end

    def call(self, method: str, url: str, **options: Any) -> tuple[Response, bytes]:
        """Sends a request and reads the whole answer:

        the Response and its body. Options and errors as `open`.
        """
        with self.open(method, url, **options) as response:
            return response, response.read()

    def _send(
        self,
        wire: _Wire,
        method: str,
        url: str,
        stop: Stop | None,
        deadline: float | None,
        timeout: float,
        options: dict[str, Any],
    ) -> requests.Response:
        for pause in (*RETRY_PAUSES_S, None):
            if stop is not None:
                stop.check()
            patience = timeout if deadline is None else min(timeout, deadline - time.monotonic())
            if patience <= 0:
                raise TimedOut("the deadline passed before the request", provider=self.provider)
            _here.wire = wire
            try:
                with _failures(self.provider, stop, deadline):
                    return self._session.request(
                        method,
                        url,
                        stream=True,
                        allow_redirects=False,
                        timeout=(min(CONNECT_S, patience), patience),
                        **options,
                    )
            except _NotSent:
                if pause is None:
                    raise
                _sleep(pause, stop)
            finally:
                _here.wire = None
        raise AssertionError("unreachable")


class _NotSent(Unavailable):
    """Nobody has seen the request: it may be tried again."""


@contextmanager
def _failures(provider: str, stop: Stop | None, deadline: float | None) -> Iterator[None]:
    """Turns what requests and urllib3 raise into our errors, without their texts: those hold addresses."""
    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        if stop is not None and stop.is_requested:
            raise Stopped from None
        if deadline is not None and time.monotonic() >= deadline:
            raise TimedOut("no answer by the deadline", provider=provider) from None
        failure = _NotSent if _was_not_sent(error) else Unavailable
        raise failure(_describe(error), provider=provider) from None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and what it wraps: urllib3 hides causes in `reason`, requests in its first argument."""
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [getattr(one, "reason", None), *one.args, one.__cause__, one.__context__]


def _was_not_sent(error: BaseException) -> bool:
    return any(isinstance(one, NOT_SENT) for one in _chain(error))


def _describe(error: BaseException) -> str:
    names = [type(one).__name__ for one in _chain(error)]
    causes = [one.strerror for one in _chain(error) if isinstance(one, OSError) and one.strerror]
    return " / ".join(dict.fromkeys(names)) + (f" ({causes[-1]})" if causes else "")


def _sleep(seconds: float, stop: Stop | None) -> None:
    if stop is not None:
        stop.sleep(seconds)
    else:
        time.sleep(seconds)


def parse_json(body: bytes | str, provider: str) -> Any:
    """A body as JSON. Raises Unexpected, with the size but not the text, when it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Unexpected(f"sent {len(body)} bytes that are no JSON", provider=provider) from None


def refusal(response: Response, message: str = "", code: int | str | None = None) -> ProviderError:
    """The error for an HTTP status alone, when the body says nothing better."""
    kind = STATUS.get(response.status, Unavailable if response.status >= 500 else Unexpected)
    return kind(
        f"HTTP {response.status} {message}".rstrip(),
        provider=response.provider,
        code=code,
        retry_after=retry_after(response),
    )


def retry_after(response: Response) -> float | None:
    """The Retry-After header in seconds, when it is a number of them."""
    try:
        return max(0.0, float(response.headers["retry-after"]))
    except (KeyError, ValueError):
        return None
