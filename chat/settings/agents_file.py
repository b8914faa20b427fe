"""The file that AGENTS_FILE names: TOML in any charset, with the slips of a keyboard mended."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chat.settings import charset
from chat.settings.charset import UTF8
from providers.options import INVISIBLE

# Each is tried once; a file of nothing but slips is no TOML.
_MOST_SLIPS = 200
# What a Chinese keyboard has in place of the signs of TOML.
_SIGNS = str.maketrans("＝“”＂‘’［］｛｝，：＃　\u00a0", '="""\'\'[]{},:#  ')


@dataclass(frozen=True)
class AgentsFile:
    """What a file says, and how it was read: `mended` are the numbers of lines with other signs."""

    document: dict[str, Any]
    charset: str = UTF8
    mended: tuple[int, ...] = ()


def read(path: Path) -> AgentsFile:
    """Reads a file. Raises OSError, UnicodeDecodeError, or the TOMLDecodeError of its own text."""
    file = charset.read(path)
    text = re.sub(r"\r\n?", "\n", INVISIBLE.sub("", file.text))
    try:
        return AgentsFile(_parse(text), file.charset)
    except tomllib.TOMLDecodeError as error:
        mended = _mend(text)
        if mended is None:
            raise error from None
        return AgentsFile(mended.document, file.charset, mended.mended)


def place_of(error: tomllib.TOMLDecodeError) -> tuple[int, int] | None:
    """The line and column of an error; None at the end of a file.

    Before Python 3.14 they are only in its text.
    """
    location = re.search(r"at line (\d+), column (\d+)", str(error))
    return (int(location[1]), int(location[2])) if location else None


def _parse(text: str) -> dict[str, Any]:
    """TOML, as deep as anybody writes it: Python's parser calls itself for each level."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise tomllib.TOMLDecodeError("nested too deeply") from None


def _mend(text: str) -> AgentsFile | None:
    """The file with plain signs in the lines that TOML refuses; None where that does not help.

    Only there: in a text between quotes each sign means itself.
    """
    lines = text.split("\n")
    numbers: list[int] = []
    while len(numbers) < _MOST_SLIPS:
        try:
            return AgentsFile(_parse("\n".join(lines)), mended=tuple(numbers))
        except tomllib.TOMLDecodeError as error:
            place = place_of(error)
        if place is None or place[0] in numbers:
            return None
        number = place[0]
        plain = lines[number - 1].translate(_SIGNS)
        if plain == lines[number - 1]:
            return None
        lines[number - 1] = plain
        numbers.append(number)
    return None
