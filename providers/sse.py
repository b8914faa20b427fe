"""Lines of text from bytes, however those are cut: the ground of server-sent events."""

from collections.abc import Iterable, Iterator

# A picture in Base64 fits; beyond it nobody sends a line in good faith.
LIMIT = 16 * 1024 * 1024
_LF = 10


class TooLong(ValueError):
    """A line is longer than any platform would send in good faith."""


def line_batches(pieces: Iterable[bytes], limit: int = LIMIT) -> Iterator[tuple[list[str], bool]]:
    """Yields the lines that each piece completes, without their ends (LF, CRLF or CR).

    Last comes, with True, the line that was never completed, if there is one. Text is UTF-8. Raises
    TooLong beyond `limit` bytes in a line.

    Only new pieces are searched for line ends: searching the buffer again would be quadratic.
    """
    buffer = bytearray()
    after_cr = False
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
            yield _split(buffer), False
            buffer = bytearray(piece[end:])
    if buffer:
        yield [_decode(buffer)], True


def _split(whole_lines: bytearray) -> list[str]:
    """Lines without their ends. Not str.splitlines, which also splits at U+2028 and others."""
    text = _decode(whole_lines)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    lines.pop()
    return lines


def _has_long_line(buffer: bytearray, limit: int) -> bool:
    return any(len(line) > limit for line in buffer.splitlines())


def _decode(line: bytearray) -> str:
    return line.decode("utf-8", "replace")
