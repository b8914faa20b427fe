"""The one reader of platforms' bodies: JSON or events in any framing, as the first byte tells.

Neither status nor content type say what a body is: errors come as JSON where a stream was asked
for, events come under HTTP 400, and gateways send pages (platforms/coze.md §15, qingyan.md §4.1).
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Literal

from providers import sse
from providers.errors import ProviderError, Unavailable, Unexpected
from providers.http import BODY_LIMIT, Response, parse_json, refusal
from providers.payloads import DECODER, Fields, error_object, is_unclosed, object_of, objects_of

# One JSON object may be printed over many lines; so many ends of lines are tried as its end.
MOST_TRIES = 200
EXCERPT = 400
# So many objects of a failure are looked at.
MOST_FRAMES = 20
_ENDS = ("}", "]")
# Words that gateways send as data to keep a connection open.
_HEARTBEATS = {"ping", "pong", "heartbeat", "keepalive", "keep-alive", "keep_alive"}
_QUOTES = " \"'[]"
_BOM = "\ufeff"
# What may stand between two objects of a list, or of a line.
_BETWEEN = ", \t\r\n\x1e"
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
        self._peeked: Iterator[Frame] | None = None
        # What was wrong with the body where it was only looked at.
        self._trouble: ProviderError | None = None
        for piece in self._rest:
            self._start += piece
            if self._start.strip(_BEFORE_THE_FIRST_BYTE):
                break
        self.kind = _kind_of(self._start.lstrip(_BEFORE_THE_FIRST_BYTE))

    def json(self) -> Fields:
        """The body's only object; of events, and of a list, the first one, or the failure in it.

        Raises Unexpected when it is none, Unavailable when it broke off or is empty.
        """
        if self.kind == "events":
            for frame in self.objects():
                if frame.payload is not None:
                    return frame.payload
            raise Unavailable("ended without an object", provider=self._response.provider)
        return object_in(self._read_whole(), self._response.provider)

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

    def first_object(self) -> Fields:
        """The first object of the body that has fields, in any frame; empty without one.

        It can be read again, and what is wrong with the body raises then.
        """
        if self.kind not in ("json", "events"):
            return {}
        try:
            return self.json() if self.kind == "json" else self._peek()
        except (Unavailable, Unexpected):
            return {}

    def _peek(self) -> Fields:
        frames, first = self.frames(), list[Frame]()
        try:
            for frame in frames:
                first.append(frame)
                if frame.payload:
                    return frame.payload
        except ProviderError as error:
            self._trouble = error
            raise
        finally:
            self._peeked = chain(first, frames)
        return {}

    def failure(self) -> Fields:
        """What the body of a failure says: its object, or plain words as its message."""
        first = self.first_object()
        frames = islice(self._peeked or (), MOST_FRAMES)
        rest = [frame.payload for frame in frames if frame.payload]
        payload = next(filter(error_object, [first, *rest]), first)
        return payload or ({} if self.kind == "page" else {"message": self.excerpt})

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
            yield from self._peeked or read_frames(chain([self._start], self._rest))
        except sse.TooLong as error:
            raise Unexpected(str(error), provider=self._response.provider) from None
        if self._trouble is not None:
            raise self._trouble

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


def object_in(body: bytes, provider: str) -> Fields:
    """The object that a body is. Of a list, or of lines, the first, or the failure among them.

    Raises Unexpected when it is none, Unavailable when it broke off or is empty.
    """
    body = body.lstrip(_BEFORE_THE_FIRST_BYTE)
    try:
        value = parse_json(body, provider)
    except ProviderError:
        objects = [frame.payload for frame in read_frames([body], BODY_LIMIT) if frame.payload]
        for payload in filter(error_object, objects):
            return payload
        raise
    if not isinstance(value, dict) and objects_of(value) == [{}]:
        raise Unexpected("sent JSON that is no object", provider=provider)
    return object_of(value)


def read_frames(pieces: Iterable[bytes], limit: int = sse.LIMIT) -> Iterator[Frame]:
    """Yields each JSON object of a stream of bytes, as soon as its last byte is there.

    Accepts lines of `data:` with or without a space, several of them for one object, blank lines
    between events or none, names of events or none, comments, empty data (which is nothing), bare
    lines of JSON, objects printed over many lines, several of them in one line, and a list of
    them in place of a stream. Raises sse.TooLong.
    """
    reader = _FrameReader(limit)
    for batch, is_cut in sse.line_batches(pieces, limit):
        for line in batch:
            line = line.removeprefix(_BOM)
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
        # Inside of a list that stands in place of a stream.
        self._is_list = False
        self._waiting: deque[Frame] = deque()

    def add_data(self, value: str, is_cut: bool) -> Frame | None:
        """The frame that a line of data completes."""
        if is_cut and not value:
            return Frame(self._name, None, is_cut=True)
        if not value or value.isspace() or value.strip(_QUOTES).lower() in _HEARTBEATS:
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
        if line.startswith("event:") and not is_cut:
            self._name = line[6:].strip()
        elif line.lstrip()[:1] in ("{", "[") or self._is_list:
            return self._begin(line.strip(), is_bare=True)
        elif is_cut and not line.startswith((":", "<")):
            return Frame(self._name, None, is_cut=True)
        elif line.startswith("<"):
            # A gateway has put its page into the stream.
            return Frame(self._name, None)
        return None

    def next_frame(self) -> Frame | None:
        """The next frame, where one line has completed several."""
        return self._waiting.popleft() if self._waiting else None

    def end(self) -> Frame | None:
        """The object that the end of the body leaves without its last line, if any."""
        if not self._pending:
            return Frame(self._name, None, is_cut=True) if self._is_list else None
        is_cut = self._is_list or is_unclosed("\n".join(self._pending))
        return Frame(self._name, None, is_cut=is_cut)

    def _begin(self, value: str, is_bare: bool) -> Frame | None:
        """The first object of a line. What follows it waits, and what is no whole object stays."""
        if _is_done(value):
            return Frame(self._name, None, is_done=True)
        self._is_bare = is_bare
        values, rest = _decode(value.strip(_BETWEEN) if self._is_list else value)
        if rest.startswith("[") and is_bare and not values and not self._is_list:
            self._is_list = True
            values, rest = _decode(rest[1:].lstrip(_BETWEEN))
        self._waiting += [Frame(self._name, one) for value in values for one in objects_of(value)]
        self._keep(rest)
        return self.next_frame()

    def _keep(self, rest: str) -> None:
        """Keeps what is no whole object yet, unless it is an end."""
        if self._is_list and rest.startswith("]"):
            self._is_list = False
        elif _is_done(rest):
            self._waiting.append(Frame(self._name, None, is_done=True))
        elif rest:
            self._pending, self._size, self._tries = [rest], len(rest), 0

    def _continue(self, value: str) -> Frame | None:
        """One more line of an object, or the next object where this one is broken."""
        if _is_done(value) or (value.startswith("{") and _is_json(value)):
            broken = self._give_up()
            if (next_one := self._begin(value, self._is_bare)) is not None:
                self._waiting.appendleft(next_one)
            return broken
        self._pending.append(value)
        self._size += len(value) + 1
        if self._size > self._limit:
            raise sse.TooLong(f"an event of more than {self._limit} characters")
        # In a list a comma may follow the end of an object.
        end = value.rstrip(_BETWEEN) if self._is_list else value.rstrip()
        return self._try_whole() if end.endswith(_ENDS) else None

    def _try_whole(self) -> Frame | None:
        self._tries += 1
        text = "\n".join(self._pending)
        if _decode(text)[0]:
            self._pending = []
            return self._begin(text, self._is_bare)
        return self._give_up() if self._tries >= MOST_TRIES else None

    def _give_up(self) -> Frame:
        self._pending = []
        return Frame(self._name, None)


def _decode(text: str) -> tuple[list[Any], str]:
    """The values that a text begins with, and the rest of it. Only objects and lists may be
    several.
    """
    try:
        return [DECODER.decode(text)], ""
    except (ValueError, RecursionError):
        pass
    values: list[Any] = []
    while text[:1] in ("{", "["):
        try:
            value, end = DECODER.raw_decode(text)
        except (ValueError, RecursionError):
            break
        values.append(value)
        text = text[end:].lstrip(_BETWEEN)
    return values, text


def _is_done(value: str) -> bool:
    """Whether a text is the end marker: `[DONE]`, also in quotes and with spaces (coze.md §1.5)."""
    return len(value) < 20 and value.strip(_QUOTES).upper() == "DONE"


def _is_json(value: str) -> bool:
    try:
        DECODER.decode(value)
    except (ValueError, RecursionError):
        return False
    return True
