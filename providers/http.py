"""The one door to the network: pooled sessions, time-outs, sizes, no redirects, failures translated
into ours.

An error's text never holds a URL: some platforms want their secret in the query
(platforms/wenxin.md §9.1).
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import requests
import urllib3
from requests.structures import CaseInsensitiveDict

from providers.connections import Adapter, Network, Wire
from providers.errors import (
    AuthRejected,
    NotConfigured,
    ProviderError,
    RateLimited,
    TimedOut,
    Unavailable,
    Unexpected,
)
from providers.payloads import DECODER, is_unclosed
from providers.stop import Stop, Stopped

__all__ = [
    "STATUS",
    "Http",
    "Network",
    "Response",
    "no_secret",
    "parse_json",
    "refusal",
    "retry_after",
]

CONNECT_S = 10.0
# Methods without an effect.
REPEATABLE = ("GET", "HEAD")
# GETs at once: hundreds of polls in one breath would hold up the rest of the process.
READS = 64
SEAT_S = 0.5
CALL_S = 60.0
BODY_LIMIT = 32 * 1024 * 1024
STREAM_LIMIT = 512 * 1024 * 1024
RETRY_PAUSES_S = (0.2, 0.8)
HEADERS = {"User-Agent": "chat-site", "Accept": "*/*", "Accept-Encoding": "gzip, deflate"}

NOT_SENT = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
BAD_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    urllib3.exceptions.LocationValueError,
)
BAD_REQUEST = (
    requests.exceptions.InvalidJSONError,
    requests.exceptions.InvalidHeader,
    requests.exceptions.UnrewindableBodyError,
)
STATUS: dict[int, type[ProviderError]] = {
    401: AuthRejected,
    403: AuthRejected,
    404: NotConfigured,
    408: Unavailable,
    429: RateLimited,
}


@dataclass
class Response:
    """A platform's answer.

    `status`, lower-case `headers`, and the body once: whole or in pieces as they come.
    """

    provider: str
    status: int
    headers: Mapping[str, str]
    _raw: Any = field(repr=False)
    _wire: Wire = field(repr=False)
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

        Raises Stopped, TimedOut at the deadline, Unavailable when the connection breaks or is
        silent for `quiet` seconds, Unexpected beyond `limit`.
        """
        size = 0
        while piece := self._piece(quiet):
            size += len(piece)
            if size > limit:
                raise Unexpected(f"sent more than {limit} bytes", provider=self.provider)
            yield piece

    def _piece(self, quiet: float | None) -> bytes:
        """The next bytes; none at the end."""
        remaining_s = None if self._deadline is None else self._deadline - time.monotonic()
        patience = min(
            (seconds for seconds in (remaining_s, quiet) if seconds is not None), default=None
        )
        if patience is not None:
            self._wire.allow(patience)
        try:
            piece: bytes = self._raw.read1(decode_content=True)
        except CAUGHT as error:
            raise translate_error(error, self.provider, self._stop, self._deadline) from None
        if self._stop is not None:
            self._stop.check()
        if not piece and self._raw.length_remaining:
            # read1 does not say so by itself.
            raise Unavailable(
                f"ended {self._raw.length_remaining} bytes too early", provider=self.provider
            )
        if piece and self._deadline is not None and time.monotonic() > self._deadline:
            raise TimedOut("still sending at the deadline", provider=self.provider)
        return piece

    def read(self, limit: int = BODY_LIMIT) -> bytes:
        """The whole body. Raises like `pieces`."""
        return b"".join(self.pieces(limit))

    def json(self) -> Any:
        """The whole body as JSON. Raises like `pieces`, and Unexpected when it is none."""
        return parse_json(self.read(), self.provider)


def no_secret(token: str) -> None:
    """Learns nothing: for callers without a log."""


class Http:
    """The door to one platform.

    Shared by all threads; keeps connections but no cookies, follows no redirects, reads no
    environment. `learn` receives each token that a platform grants, so that logs can leave it out.
    """

    def __init__(
        self, provider: str, network: Network, learn: Callable[[str], object] = no_secret
    ) -> None:
        self.provider = provider
        self.learn = learn
        self._network = network
        self._adapter = Adapter(network)
        self._seats = threading.Semaphore(READS)
        self._died_at = -math.inf
        # urllib3 logs addresses with their queries, and in those are some platforms' secrets.
        logging.getLogger("urllib3").setLevel(logging.ERROR)

    @contextmanager
    def open(
        self,
        method: str,
        url: str,
        *,
        stop: Stop | None = None,
        deadline: float | None = None,
        timeout: float = CALL_S,
        **content: Any,
    ) -> Iterator[Response]:
        """Sends a request and yields the Response; its connection is closed, or kept for the next,
        at the end.

        `content` is as requests has it (json, params, headers, data, files). `deadline` is in
        time.monotonic() seconds; the first byte has `timeout` seconds or until the deadline,
        whichever is sooner. A request that could not be sent is tried again, and so is one that
        died with a pooled connection and cannot have been taken; others never are. Raises Stopped,
        TimedOut, Unavailable, NotConfigured (no such address), Unexpected (a redirect).
        """
        network = self._network
        max_idle = network.read_idle if method in REPEATABLE else network.question_idle
        wire = Wire(max_idle, newer_than=self._died_at)
        with stop.interrupting(wire.hang_up) if stop else nullcontext():
            raw = self._send(wire, method, url, stop, deadline, timeout, content)
            try:
                if 300 <= raw.status < 400:
                    raise Unexpected(f"redirects (HTTP {raw.status})", provider=self.provider)
                headers = {name.lower(): value for name, value in raw.headers.items()}
                yield Response(self.provider, raw.status, headers, raw, wire, stop, deadline)
            finally:
                # Keeps the connection when the body was read to its end.
                raw.close()

    def call(self, method: str, url: str, **options: Any) -> tuple[Response, bytes]:
        """Sends a request and reads the whole answer: the Response and its body. All else as in
        `open`.

        Of GETs no more than READS are on their way at once; the others wait for a seat.
        """
        with (
            self._seat(**options) if method == "GET" else nullcontext(),
            self.open(method, url, **options) as response,
        ):
            return response, response.read()

    @contextmanager
    def _seat(
        self, stop: Stop | None = None, deadline: float | None = None, **options: Any
    ) -> Iterator[None]:
        while not self._seats.acquire(timeout=SEAT_S):
            if stop is not None:
                stop.check()
            if deadline is not None and time.monotonic() >= deadline:
                raise TimedOut("no call was free before the deadline", provider=self.provider)
        try:
            yield
        finally:
            self._seats.release()

    def _send(
        self,
        wire: Wire,
        method: str,
        url: str,
        stop: Stop | None,
        deadline: float | None,
        timeout: float,
        content: dict[str, Any],
    ) -> Any:
        pauses = [*RETRY_PAUSES_S, None]
        while True:
            if stop is not None:
                stop.check()
            patience = timeout if deadline is None else min(timeout, deadline - time.monotonic())
            if patience <= 0:
                raise TimedOut("the deadline passed before the request", provider=self.provider)
            try:
                request = _prepared(method, url, **content)
                return self._adapter.send_on(wire, request, (min(CONNECT_S, patience), patience))
            except CAUGHT as error:
                failure = translate_error(error, self.provider, stop, deadline)
            if self._was_a_dead_connection(failure, wire, method):
                continue
            pause = pauses.pop(0)
            if pause is None or not isinstance(failure, _NotSent):
                raise failure
            _sleep(pause, stop)

    def _was_a_dead_connection(self, failure: Exception, wire: Wire, method: str) -> bool:
        """Whether a request died with a pooled connection and can go on a fresh one, once.

        A request without an effect always can. A question can only when it was not written whole:
        of one that was, nobody knows whether it was taken.
        """
        if not wire.is_reused or not isinstance(failure, Unavailable):
            return False
        # Connections that rested beside it are likely to be dead as well.
        self._died_at = wire.newer_than = time.monotonic()
        wire.is_reused = False
        return method in REPEATABLE or not wire.is_sent


class _NotSent(Unavailable):
    """Nobody has seen the request: it may be tried again."""


def _prepared(
    method: str,
    url: str,
    *,
    params: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    json: Any = None,
    data: Any = None,
    files: Any = None,
) -> requests.PreparedRequest:
    request = requests.PreparedRequest()
    request.method = method
    request.url = _address(url)
    if params:
        request.url += ("&" if "?" in request.url else "?") + urlencode(params, doseq=True)
    request.headers = CaseInsensitiveDict(HEADERS)
    if headers:
        request.headers.update(headers)
    request.prepare_body(data, files, json)
    return request


@lru_cache(maxsize=256)
def _address(url: str) -> str:
    """An address as it goes over the wire; there are few, each asked for often."""
    request = requests.PreparedRequest()
    request.prepare_url(url, None)
    return str(request.url)


# What requests, urllib3 and the system raise; ValueError is what they say of a header with a line
# break.
CAUGHT = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)


def translate_error(
    error: BaseException, provider: str, stop: Stop | None = None, deadline: float | None = None
) -> Exception:
    """Our error for one of theirs, without its text: that holds addresses, and addresses hold
    secrets."""
    if stop is not None and stop.is_requested:
        return Stopped()
    if deadline is not None and time.monotonic() >= deadline:
        return TimedOut("no answer by the deadline", provider=provider)
    if isinstance(error, BAD_ADDRESS):
        return NotConfigured("the address is none", provider=provider)
    if isinstance(error, BAD_REQUEST):
        return Unexpected("the request cannot be written in HTTP", provider=provider)
    failure = _NotSent if _was_not_sent(error) else Unavailable
    return failure(_describe(error), provider=provider)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and what it wraps: urllib3 hides causes in `reason`, requests in its first
    argument."""
    ids: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        cause = waiting.pop(0)
        if isinstance(cause, BaseException) and id(cause) not in ids:
            ids.add(id(cause))
            yield cause
            waiting += [getattr(cause, "reason", None), *cause.args]
            waiting += [cause.__cause__, cause.__context__]


def _was_not_sent(error: BaseException) -> bool:
    return any(isinstance(cause, NOT_SENT) for cause in _chain(error))


def _describe(error: BaseException) -> str:
    causes = list(_chain(error))
    names = " / ".join(dict.fromkeys(type(cause).__name__ for cause in causes))
    texts = [cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror]
    return f"{names} ({texts[-1]})" if texts else names


def _sleep(seconds: float, stop: Stop | None) -> None:
    if stop is not None:
        stop.sleep(seconds)
    else:
        time.sleep(seconds)


def parse_json(body: bytes | str, provider: str) -> Any:
    """A body as JSON. Raises Unavailable when it ends too soon, Unexpected when it is none.

    Either tells the size, but not the text.
    """
    # A gateway that cuts a message may cut it inside of a character.
    text = body.decode("utf-8-sig", "replace") if isinstance(body, bytes) else body
    try:
        return DECODER.decode(text)
    except (ValueError, RecursionError):
        size = f"{len(body)} bytes"
    if is_unclosed(text):
        raise Unavailable(f"the answer broke off after {size}", provider=provider)
    raise Unexpected(f"sent {size} that are no JSON", provider=provider)


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
        wait = float(response.headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return max(0.0, wait) if math.isfinite(wait) else None
