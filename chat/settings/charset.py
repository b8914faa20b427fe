"""Text files as owners save them: in UTF-8, in UTF-16, or in the GBK of an older Windows."""

import codecs
import errno
import os
from pathlib import Path
from typing import NamedTuple

UTF8 = "UTF-8"
# Nobody writes so much by hand; /dev/zero never ends.
LARGEST = 2**20
# UTF-32 first: its mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8", UTF8),
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32LE"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32BE"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16LE"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16BE"),
)


class TextFile(NamedTuple):
    """What stands in a file, and the charset it was in, by the name that iconv knows."""

    text: str
    charset: str


def read(path: Path) -> TextFile:
    """The text of a file in any of these charsets. Raises OSError or UnicodeDecodeError."""
    with open(path, "rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return decode(data)


def decode(data: bytes) -> TextFile:
    """The text of these bytes. Raises UnicodeDecodeError when it is in none of the charsets."""
    for mark, codec, charset in _MARKS:
        if data.startswith(mark):
            return TextFile(data[len(mark) :].decode(codec), charset)
    if data.count(0) * 4 > len(data):
        # Names and "=" are ASCII: in UTF-16 every other byte of them is zero.
        is_little = data[1::2].count(0) >= data[::2].count(0)
        charset = "UTF-16LE" if is_little else "UTF-16BE"
        return TextFile(data.decode(charset), charset)
    try:
        return TextFile(data.decode("utf-8"), UTF8)
    except UnicodeDecodeError:
        return TextFile(data.decode("gb18030"), "GB18030")
