"""Server-sent events from bytes, however those are cut.

Tolerant where the platforms differ (any chunking, LF, CRLF or CR, a missing space, comments, several data
lines, no blank line before the end) and strict about memory: a line or an event beyond `limit` bytes is
refused.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LIMIT = 16 * 1024 * 1024
_ENDS = (b"\n", b"\r")


class TooLong(ValueError):
    """A line or an event is longer than anybody would send in good faith."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event. `cut` says that the bytes ended inside of it, so that its data may be half of something."""

    name: str
    data: str
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end. `cut` says that the bytes stopped before the end of the line came."""

    text: str
    cut: bool = False


def lines(pieces: Iterable[bytes], limit: int = LIMIT) -> Iterator[Line]:
    """Yields each line of a stream of bytes, decoded as UTF-8. Raises TooLong beyond `limit` bytes."""
    held: list[bytes] = []
    size = 0
    after_cr = False
    for piece in pieces:
        if after_cr and piece.startswith(b"\n"):
            piece = piece[1:]
            after_cr = False
        if piece:
            after_cr = piece.endswith(b"\r")
        for part in piece.splitlines(keepends=True):
            size += len(part)
            if size > limit:
                raise TooLong(f"a line of more than {limit} bytes")
            held.append(part)
            if part.endswith(_ENDS):
                yield Line(_text(held))
                held, size = [], 0
    if held:
        yield Line(_text(held), cut=True)


def parse(pieces: Iterable[bytes], limit: int = LIMIT) -> Iterator[ServerEvent]:
    """Yields each event that has data. Raises TooLong beyond `limit` bytes."""
    name, data, size, cut = "", [], 0, False
    for line in lines(pieces, limit):
        if line.text:
            cut = line.cut
            field, _, value = line.text.partition(":")
            value = value.removeprefix(" ")
            if field == "data":
                data.append(value)
                size += len(value)
                if size > limit:
                    raise TooLong(f"an event of more than {limit} characters")
            elif field == "event":
                name = value
            continue
        if data:
            yield ServerEvent(name or "message", "\n".join(data))
        name, data, size = "", [], 0
    if data:
        yield ServerEvent(name or "message", "\n".join(data), cut)


def _text(held: list[bytes]) -> str:
    return b"".join(held).rstrip(b"\r\n").decode("utf-8", "replace").removeprefix("\ufeff")
