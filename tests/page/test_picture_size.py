"""A picture's pixels are read from its head, and one with too many is no logo."""

import struct

import pytest

from chat.page.look import logo_of
from chat.page.picture_size import size_of
from chat.settings.errors import SettingsError

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480)
JPEG = (
    b"\xff\xd8"
    + b"\xff\xe0"
    + struct.pack(">H", 16)
    + bytes(14)
    # A filling byte, then a frame of the kind that shows itself bit by bit.
    + b"\xff\xff\xc2"
    + struct.pack(">HBHH", 17, 8, 480, 640)
    + bytes(10)
)


def webp(form: bytes, head: bytes) -> bytes:
    body = b"WEBP" + form + struct.pack("<I", len(head)) + head
    return b"RIFF" + struct.pack("<I", len(body)) + body


WEBP = {
    "lossy": webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 640, 480)),
    "lossless": webp(b"VP8L", b"\x2f" + struct.pack("<I", 639 | 479 << 14)),
    "extended": webp(b"VP8X", bytes(4) + (639).to_bytes(3, "little") + (479).to_bytes(3, "little")),
}


@pytest.mark.parametrize("data", [PNG, JPEG, *WEBP.values()], ids=["png", "jpeg", *WEBP])
def test_the_size_is_that_of_the_head(data: bytes) -> None:
    assert size_of(data) == (640, 480)
    for end in range(len(data) - 15):
        assert size_of(data[:end]) in (None, (640, 480))


@pytest.mark.parametrize("size", [(50_000, 50_000), (4097, 1), (0, 5)])
def test_a_picture_that_no_phone_can_draw_is_no_logo(size: tuple[int, int]) -> None:
    with pytest.raises(SettingsError) as refused:
        logo_of(PNG[:16] + struct.pack(">II", *size))
    assert refused.value.id == "logo_pixels"


@pytest.mark.parametrize("data", [PNG[:14], JPEG[:20], b"RIFF\0\0\0\0WEBPnone"])
def test_a_picture_without_a_head_is_none(data: bytes) -> None:
    with pytest.raises(SettingsError) as refused:
        logo_of(data)
    assert refused.value.id == "logo_kind"


def test_comments_without_a_drawing_cost_no_more_than_their_length() -> None:
    """A second way through each comment would be 2 ** 25_000 ways through all."""
    with pytest.raises(SettingsError):
        logo_of(b"<!---->" * 25_000)
    assert logo_of(b'<?xml version="1.0"?>\n<!-- a --> <!-- b -->\n<svg/>'[:-2] + b">")
