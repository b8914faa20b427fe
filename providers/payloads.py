"""Reading the body of a platform: JSON or events, told apart by the first byte; fields of any kind,
safely."""

import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

from providers import sse
from providers.errors import ProviderError, Unavailable, Unexpected
from providers.http import Response, parse_json
from providers.stop import Stop, Stopped

LINGER_S = 3.0
Fields = dict[str, Any]


def fields(value: Any) -> Fields:
    """An object's fields; none when the value is no object."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """A list's items; none when the value is no list."""
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    """A text, or an id that came as a number; empty when the value is neither."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def whole(value: Any) -> int | None:
    """A whole number, also one that came as text or as 3.0; None when the value is none."""
    try:
        return None if isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def seconds(value: Any, default: float) -> float:
    """A span of time that makes sense, `default` when the value is none."""
    try:
        number = (
            float(value)
            if isinstance(value, int | float) and not isinstance(value, bool)
            else math.nan
        )
    except OverflowError:  # an int may have thousands of digits
        return default
    return number if 0 < number < math.inf else default


def address(value: Any) -> str | None:
    """A web address; None when the value is none: the text of an answer may not smuggle in
    `javascript:`."""
    return value if isinstance(value, str) and value.startswith(("https://", "http://")) else None


def json_value(body: str) -> Any:
    """A text as JSON; None when it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def json_object(body: str) -> Fields | None:
    """A text as a JSON object; None when it is anything else."""
    value = json_value(body)
    return value if isinstance(value, dict) else None


class Body:
    """A response whose first byte has been seen: `is_json`, `is_page`, or else a stream of events.

    Content types do not tell: errors come as JSON where a stream was asked for
    (platforms/qingyan.md §4.1).
    """

    def __init__(self, response: Response) -> None:
        self._provider = response.provider
        self._pieces = response.pieces()
        self._first = b""
        for piece in self._pieces:
            self._first += piece
            if self._first.strip(b"\xef\xbb\xbf \r\n\t"):
                break
        start = self._first.lstrip(b"\xef\xbb\xbf \r\n\t")[:1]
        self.is_json = start in (b"{", b"[")
        self.is_page = start == b"<"

    def json(self) -> Fields:
        """The body as one JSON object.

        Raises Unexpected when it is none, Unavailable when it broke off.
        """
        body = b"".join(chain([self._first], self._pieces)).removeprefix(b"\xef\xbb\xbf")
        return fields(parse_json(body, self._provider))

    def events(self) -> Iterator[Fields]:
        """Each event's JSON object.

        Raises Unavailable where the stream breaks off inside of one.
        """
        if self.is_page:
            raise Unexpected("sent a page where a stream was asked for", provider=self._provider)
        try:
            for event in sse.parse(chain([self._first], self._pieces)):
                if event.data.strip() not in ("", "[DONE]"):
                    yield self._object(event)
        except sse.TooLong as error:
            raise Unexpected(str(error), provider=self._provider) from None

    def _object(self, event: sse.ServerEvent) -> Fields:
        try:
            return fields(json.loads(event.data))
        except (ValueError, RecursionError):
            if event.cut:
                raise Unavailable("broke off inside an event", provider=self._provider) from None
            raise Unexpected("sent an event that is no JSON", provider=self._provider) from None


class Farewell:
    """What `farewell` gives: `stop` for the request, `begin()` for the moment of the last word."""

    def __init__(self, linger_s: float) -> None:
        self.stop = Stop()
        self.has_begun = False
        self.timer = threading.Timer(linger_s, self.stop.request)
        self.timer.daemon = True

    def begin(self) -> None:
        if not self.has_begun:
            self.has_begun = True
            self.timer.start()


@contextmanager
def farewell(stop: Stop, linger_s: float = LINGER_S) -> Iterator[Farewell]:
    """Lets a platform close its stream itself after its last word, but not for longer than
    `linger_s`.

    Were we to hang up first, it might take the reader for lost and forget the answer. What goes
    wrong after the last word is no failure any more.
    """
    ending = Farewell(linger_s)
    try:
        with stop.interrupting(ending.stop.request):
            yield ending
    except (Stopped, ProviderError):
        if not ending.has_begun:
            raise
    finally:
        ending.timer.cancel()
