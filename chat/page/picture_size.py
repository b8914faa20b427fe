"""How many pixels a picture has, by its head: a small file can be more than a browser can draw."""

import struct
from collections.abc import Callable

from chat import file_types

Size = tuple[int, int]
# Marks of JPEG before the numbers of a frame: those of all its kinds of coding, but three others.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def size_of(data: bytes) -> Size | None:
    """Width and height; None for what is cut short, and for drawings, which have no pixels."""
    for kind, read in _READERS:
        if kind.matches(data):
            try:
                return read(data)
            except (struct.error, IndexError):
                return None
    return None


def _png(data: bytes) -> Size:
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _jpeg(data: bytes) -> Size | None:
    at = 2
    while data[at] == 0xFF:
        mark = data[at + 1]
        if mark in _FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        # A filling byte stands alone; everything else says how long it is.
        at += 1 if mark == 0xFF else 2 + max(2, struct.unpack_from(">H", data, at + 2)[0])
    return None


def _webp(data: bytes) -> Size | None:
    form = data[12:16]
    if form == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        return width, height
    if form == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if form == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


_READERS: tuple[tuple[file_types.Kind, Callable[[bytes], Size | None]], ...] = (
    (file_types.PNG, _png),
    (file_types.JPEG, _jpeg),
    (file_types.WEBP, _webp),
)
