"""Server-sent events from bytes, however those are cut.

Tolerant where the platforms differ (any chunking, LF, CRLF or CR, a missing space, comments,
several data lines, no blank line before the end) and strict about memory: a line or an event beyond
`limit` bytes is refused.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LIMIT = 16 * 1024 * 1024
_LF = 10


class TooLong(ValueError):
    """A line or an event is longer than anybody would send in good faith."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event.

    `cut` says that the bytes ended inside of it, so that its data may be half of something.
    """

    name: str
    data: str
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end.

    `cut` says that the bytes stopped before the end of the line came.
    """

    text: str
    cut: bool = False


def lines(pieces: Iterable[bytes], limit: int = LIMIT) -> Iterator[Line]:
    """Yields each line of a stream of bytes, decoded as UTF-8.

    Raises TooLong beyond `limit` bytes.
    """
    for batch, cut in _batches(pieces, limit):
        for text in batch:
            yield Line(text, cut)


def parse(pieces: Iterable[bytes], limit: int = LIMIT) -> Iterator[ServerEvent]:
    """Yields each event that has data. Raises TooLong beyond `limit` bytes."""
    name = ""
    data: list[str] = []
    size, cut = 0, False
    for batch, is_rest in _batches(pieces, limit):
        cut = is_rest
        for line in batch:
            if not line:
                if data:
                    yield ServerEvent(
                        name or "message", data[0] if len(data) == 1 else "\n".join(data)
                    )
                    data, size = [], 0
                name = ""
                continue
            field, _, value = line.partition(":")
            if value.startswith(" "):
                value = value[1:]
            if field == "data":
                data.append(value)
                size += len(value) + 1
                if size > limit:
                    raise TooLong(f"an event of more than {limit} characters")
            elif field == "event":
                name = value
    if data:
        yield ServerEvent(name or "message", "\n".join(data), cut)


def _batches(pieces: Iterable[bytes], limit: int) -> Iterator[tuple[list[str], bool]]:
    """Yields the lines that each piece completes; last, with True, a line that was never completed.

    A line is recognised by its end alone, and only once: pieces are looked at, what is in the
    buffer is not.
    """
    buffer = bytearray()
    after_cr = False
    is_first = True
    for piece in pieces:
        if not piece:
            continue
        if after_cr and piece[0] == _LF:
            piece = piece[1:]
        end = max(piece.rfind(b"\n"), piece.rfind(b"\r")) + 1
        after_cr = piece.endswith(b"\r")
        buffer += piece[:end] if end else piece
        if len(buffer) > limit and _has_long_line(buffer, limit):
            raise TooLong(f"a line of more than {limit} bytes")
        if end:
            batch = _split(buffer)
            if is_first:
                batch[0] = batch[0].removeprefix("\ufeff")
                is_first = False
            yield batch, False
            buffer = bytearray(piece[end:])
    if buffer:
        yield [_text(buffer).removeprefix("\ufeff") if is_first else _text(buffer)], True


def _split(whole_lines: bytearray) -> list[str]:
    """Lines without their ends. Not str.splitlines, which also splits at U+2028 and others."""
    text = _text(whole_lines)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    whole = text.split("\n")
    whole.pop()
    return whole


def _has_long_line(buffer: bytearray, limit: int) -> bool:
    return any(len(line) > limit for line in buffer.splitlines())


def _text(line: bytearray) -> str:
    return line.decode("utf-8", "replace")
