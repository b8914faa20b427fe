"""The one reader of platforms' bodies:

JSON or events, in any framing, told apart by the first byte.

Neither status nor content type say what a body is: errors come as JSON where a stream was asked
for, events come under HTTP 400, and gateways send pages (platforms/coze.md §15, qingyan.md §4.1).
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from providers import sse
from providers.errors import ProviderError, Unavailable, Unexpected
from providers.http import BODY_LIMIT, Response, parse_json, refusal
from providers.payloads import Fields, fields

# One JSON object may be printed over many lines; so many ends of lines are tried as its end.
MOST_TRIES = 200
EXCERPT = 400
_ENDS = ("}", "]")
# Words that gateways send as data to keep a connection open.
_HEARTBEATS = {"ping", "pong", "heartbeat", "keepalive", "keep-alive"}
_BEFORE_THE_FIRST_BYTE = b"\xef\xbb\xbf \r\n\t"

Kind = Literal["json", "events", "page", "empty"]


@dataclass(frozen=True, slots=True)
class Frame:
    """One JSON object of a body. `name` is that of its event, empty without one.

    `payload` is None when it is no JSON; `is_cut` then says that the body ended inside of it.
    `is_done` marks `[DONE]`, which has no payload either.
    """

    name: str
    payload: Fields | None
    is_done: bool = False
    is_cut: bool = False


class Body:
    """A response whose first byte has been read, which decides its `kind`.

    `quiet` is for how many seconds the platform may be silent. Raises like `Response.pieces`.
    """

    def __init__(self, response: Response, quiet: float | None = None) -> None:
        self._response = response
        self._rest = response.pieces(quiet=quiet)
        self._start = b""
        for piece in self._rest:
            self._start += piece
            if self._start.strip(_BEFORE_THE_FIRST_BYTE):
                break
        self.kind = _kind_of(self._start.lstrip(_BEFORE_THE_FIRST_BYTE))

    def json(self) -> Fields:
        """The body's only object; of events the first one.

        Raises Unexpected when it is none, Unavailable when it broke off or is empty.
        """
        if self.kind == "events":
            for frame in self.objects():
                if frame.payload is not None:
                    return frame.payload
            raise Unavailable("ended without an object", provider=self._response.provider)
        body = self._read_whole()
        return fields(parse_json(body.lstrip(_BEFORE_THE_FIRST_BYTE), self._response.provider))

    def _read_whole(self) -> bytes:
        """All bytes of the body, which can be read again."""
        size, pieces = len(self._start), [self._start]
        for piece in self._rest:
            size += len(piece)
            if size > BODY_LIMIT:
                raise Unexpected(
                    f"sent more than {BODY_LIMIT} bytes", provider=self._response.provider
                )
            pieces.append(piece)
        self._start, self._rest = b"".join(pieces), iter(())
        return self._start

    def read(self) -> bytes:
        """The whole body. Raises Unexpected beyond BODY_LIMIT."""
        return self._read_whole()

    def error_json(self) -> Fields:
        """The object of a failure; empty when the body has none, so that the status has to do."""
        if self.kind not in ("json", "events"):
            return {}
        try:
            return self.json()
        except (Unavailable, Unexpected):
            return {}

    @property
    def excerpt(self) -> str:
        """The beginning of the body as text, for the log and for known words in it."""
        return self._start[:EXCERPT].decode("utf-8", "replace")

    def frames(self) -> Iterator[Frame]:
        """Each object of the body as it comes, and what is none as a frame without payload.

        Raises Unexpected for a page, and for a line that is too long. A page under a status that
        says more raises the error of the status.
        """
        if self.kind == "page":
            raise self._page()
        try:
            yield from read_frames(chain([self._start], self._rest))
        except sse.TooLong as error:
            raise Unexpected(str(error), provider=self._response.provider) from None

    def objects(self) -> Iterator[Frame]:
        """Like `frames`, but a frame that is no JSON raises.

        Raises Unavailable where the body breaks off inside a frame, Unexpected elsewhere.
        """
        for frame in self.frames():
            if frame.payload is None and not frame.is_done:
                if frame.is_cut:
                    raise Unavailable("broke off inside a frame", provider=self._response.provider)
                raise Unexpected("sent a frame that is no JSON", provider=self._response.provider)
            yield frame

    def _page(self) -> ProviderError:
        if self._response.status >= 400:
            return refusal(self._response)
        return Unexpected("sent a page", provider=self._response.provider)


def _kind_of(start: bytes) -> Kind:
    if not start:
        return "empty"
    if start[:1] == b"<":
        return "page"
    if start[:1] in b'{["-0123456789' or start[:4] in (b"null", b"true", b"fals"):
        return "json"
    return "events"


def read_frames(pieces: Iterable[bytes], limit: int = sse.LIMIT) -> Iterator[Frame]:
    """Yields each JSON object of a stream of bytes, as soon as its last byte is there.

    Accepts lines of `data:` with or without a space, several of them for one object, blank lines
    between events or none, names of events or none, comments, empty data (which is nothing), bare
    lines of JSON, and objects printed over many lines. Raises sse.TooLong.
    """
    reader = _FrameReader(limit)
    for batch, is_cut in sse.line_batches(pieces, limit):
        for line in batch:
            if line.startswith("data:"):
                frame = reader.add_data(line[5:].removeprefix(" ").rstrip(), is_cut)
            else:
                frame = reader.add_line(line, is_cut)
            while frame is not None:
                yield frame
                frame = reader.next_frame()
    if (frame := reader.end()) is not None:
        yield frame


class _FrameReader:
    """The lines of one object as they come, and the name of their event."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._name = ""
        self._pending: list[str] = []
        self._size = 0
        self._tries = 0
        self._is_bare = False
        self._next: Frame | None = None

    def add_data(self, value: str, is_cut: bool) -> Frame | None:
        """The frame that a line of data completes."""
        if not value or value.isspace() or value.lower() in _HEARTBEATS:
            return None
        if self._pending:
            return self._continue(value)
        return self._begin(value, is_bare=False)

    def add_line(self, line: str, is_cut: bool) -> Frame | None:
        """The frame that any other line completes: it may be a field, a comment, or bare JSON."""
        if not line.strip():
            self._name = ""
            # A blank line ends an event, but may stand inside of an object that is printed.
            return self._give_up() if self._pending and not self._is_bare else None
        if self._pending and self._is_bare:
            return self._continue(line)
        if line.startswith("event:"):
            self._name = line[6:].strip()
        elif line.lstrip()[:1] in ("{", "["):
            return self._begin(line, is_bare=True)
        elif line.startswith("<"):
            # A gateway has put its page into the stream.
            return Frame(self._name, None)
        elif is_cut and not line.startswith(":"):
            return Frame(self._name, None, is_cut=True)
        return None

    def next_frame(self) -> Frame | None:
        """The second frame, where one line has completed two."""
        frame, self._next = self._next, None
        return frame

    def end(self) -> Frame | None:
        """The object that the end of the body leaves without its last line, if any."""
        if not self._pending:
            return None
        return Frame(self._name, None, is_cut=not self._pending[-1].rstrip().endswith(_ENDS))

    def _begin(self, value: str, is_bare: bool) -> Frame | None:
        if _is_done(value):
            return Frame(self._name, None, is_done=True)
        try:
            return Frame(self._name, fields(json.loads(value)))
        except (ValueError, RecursionError):
            self._pending, self._size, self._tries = [value], len(value), 0
            self._is_bare = is_bare
            return None

    def _continue(self, value: str) -> Frame | None:
        """One more line of an object, or the next object where this one is broken."""
        if _is_done(value) or (value.startswith("{") and _is_json(value)):
            broken = self._give_up()
            self._next = self._begin(value, self._is_bare)
            return broken
        self._pending.append(value)
        self._size += len(value) + 1
        if self._size > self._limit:
            raise sse.TooLong(f"an event of more than {self._limit} characters")
        if not value.rstrip().endswith(_ENDS):
            return None
        return self._try_whole()

    def _try_whole(self) -> Frame | None:
        self._tries += 1
        try:
            payload = json.loads("\n".join(self._pending))
        except (ValueError, RecursionError):
            return self._give_up() if self._tries >= MOST_TRIES else None
        self._pending = []
        return Frame(self._name, fields(payload))

    def _give_up(self) -> Frame:
        self._pending = []
        return Frame(self._name, None)


def _is_done(value: str) -> bool:
    """Whether a line is the end marker: `[DONE]`, also in quotes and with spaces (coze.md §1.5)."""
    return len(value) < 20 and value.strip(" \"'[]").upper() == "DONE"


def _is_json(value: str) -> bool:
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return False
    return True
