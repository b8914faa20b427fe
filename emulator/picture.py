"""The picture that emulated agents send: a hill under the sun, drawn here so that no binary is
kept.
"""

import struct
import zlib

WIDTH, HEIGHT = 480, 320


def png() -> bytes:
    """It as a PNG file of some kilobytes."""
    rows = b"".join(b"\0" + b"".join(_colour(x, y) for x in range(WIDTH)) for y in range(HEIGHT))
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    parts = (_chunk(b"IHDR", head), _chunk(b"IDAT", zlib.compress(rows, 9)), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _colour(x: int, y: int) -> bytes:
    if y > 210 + (x - 130) ** 2 // 900:
        return b"\x2f\x7d\x5b"
    if y > 190 + (x - 380) ** 2 // 500:
        return b"\x57\xa0\x7c"
    if (x - 330) ** 2 + (y - 90) ** 2 < 1600:
        return b"\xff\xd9\x6b"
    return bytes((150 + y // 4, 200 + y // 8, 235))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
