"""The lines of .env: read as python-dotenv reads them, with the slips of a keyboard mended."""

import io
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dotenv.main import resolve_variables
from dotenv.parser import Binding, parse_stream

from chat.settings import charset
from chat.settings.charset import UTF8

# Web pages hide these in what is copied from them.
_INVISIBLE = re.compile("[\u200b\u2060\ufeff]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
# A name and a value as other programs write them: shells, Windows, YAML, JSON, a Chinese keyboard.
_SETTING = re.compile(
    r"""\s*(?:-\s+|\$env:|(?:export|set|env)\s+)?
    ["'“”‘’＂＇]?(?P<name>[^\s=＝:：#"'“”‘’＂＇]+)["'“”‘’＂＇]?
    \s*[=＝:：]\s*(?P<value>.*)""",
    re.VERBOSE | re.IGNORECASE,
)
_FIRST_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PAIRS = ('""', "''", "“”", "””", "‘’", "’’", "＂＂", "＇＇", "「」")


class Line(NamedTuple):
    """One setting of the file, where it stands."""

    number: int
    name: str
    value: str


class UnreadLine(NamedTuple):
    """A line that sets nothing, and the word that it begins with. The rest may be a secret."""

    number: int
    word: str


@dataclass(frozen=True)
class EnvFile:
    """What a file .env says, and what of it says nothing."""

    lines: tuple[Line, ...] = ()
    unread: tuple[UnreadLine, ...] = ()
    charset: str = UTF8

    @property
    def values(self) -> dict[str, str]:
        """The settings by name, the last of a name; `${NAME}` in a value is what NAME is."""
        pairs = [(line.name, line.value) for line in self.lines]
        resolved = resolve_variables(pairs, override=True)
        return {name: value or "" for name, value in resolved.items()}


def read(path: Path) -> EnvFile:
    """Reads a file; one that is not there is empty. Raises OSError or UnicodeDecodeError."""
    try:
        file = charset.read(path)
    except FileNotFoundError:
        return EnvFile()
    parts = list(_parts(file.text))
    return EnvFile(
        tuple(part for part in parts if isinstance(part, Line)),
        tuple(part for part in parts if isinstance(part, UnreadLine)),
        file.charset,
    )


def _parts(text: str) -> Iterator[Line | UnreadLine]:
    # Of \r\n after a line that is none, python-dotenv makes two lines.
    plain = re.sub(r"\r\n?", "\n", _INVISIBLE.sub("", text))
    for binding in parse_stream(io.StringIO(plain)):
        if _is_plain(binding):
            if binding.key is not None:
                yield Line(_number(binding), binding.key, _unquoted(binding.value or ""))
        else:
            yield from _mended(_number(binding), binding.original.string.strip())


def _is_plain(binding: Binding) -> bool:
    """Whether python-dotenv has understood a line as it was meant."""
    if binding.error or (binding.key is not None and binding.value is None):
        return False
    if binding.key is not None and not _NAME.fullmatch(binding.key):
        return False
    # A quote that was forgotten takes the next settings into its value.
    lines = (binding.value or "").split("\n")[1:]
    return not any(re.match(r"\s*[A-Z][A-Z0-9_]+=", line) for line in lines)


def _mended(first: int, text: str) -> Iterator[Line | UnreadLine]:
    for number, line in enumerate(text.split("\n"), first):
        match = _SETTING.match(line)
        name = unicodedata.normalize("NFKC", match["name"]) if match else ""
        if match and _NAME.fullmatch(name):
            yield Line(number, name, _value(match["value"]))
        elif line.strip() and not line.lstrip().startswith(("#", "＃", "//")):
            word = _FIRST_WORD.match(unicodedata.normalize("NFKC", line.strip()))
            yield UnreadLine(number, word[0] if word else "")


def _value(text: str) -> str:
    """What follows the sign, without a comment, and without the comma that JSON has after it."""
    quoted = re.match(r"""(["'“‘＂＇])(.*?)(["'”’＂＇])\s*[,;，；]?\s*(?:#.*)?$""", text)
    if quoted and quoted[1] + quoted[3] in _PAIRS:
        return quoted[2]
    return re.sub(r"\s+#.*", "", text).strip().strip("\"'“”‘’＂＇")


def _unquoted(value: str) -> str:
    """The value without a pair of the quotes that a Chinese keyboard has."""
    is_quoted = len(value) > 1 and value[0] + value[-1] in _PAIRS[2:]
    return value[1:-1] if is_quoted else value


def _number(binding: Binding) -> int:
    """The number of the line that a binding begins in, blank lines before it skipped."""
    text = binding.original.string
    blank = text[: len(text) - len(text.lstrip())]
    return binding.original.line + blank.count("\n")


def repeated(lines: Iterable[Line]) -> Iterator[tuple[Line, Line]]:
    """Each line whose name a later line has as well, with the last of these."""
    last = {line.name.upper(): line for line in lines}
    for line in lines:
        if line is not last[line.name.upper()]:
            yield line, last[line.name.upper()]
