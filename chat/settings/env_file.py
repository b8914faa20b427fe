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
from providers.options import INVISIBLE

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
# A name and a value as other programs write them: shells, Windows, YAML, JSON, a Chinese keyboard.
_SETTING = re.compile(
    r"""\s*(?:[-*+>•]\s*|\d+[.、]\s*|(?:-e|--env)\s+|\$env:|environment\s*=\s*|(?:export|set|env)\s+)?
    ["'“”‘’＂＇]?(?P<name>[^\s=＝:：#"'“”‘’＂＇]+)["'“”‘’＂＇]?
    \s*(?:[=＝:：]+>?|->|→)\s*(?P<value>.*)""",
    re.VERBOSE | re.IGNORECASE,
)
# Where a second setting begins in the same line: of a shell, of a list, of a text editor's.
_NEXT = re.compile(
    r"(?:\s*[;,，；]\s*|\s+&&\s+|\s+|[\u2028\u2029\x85])(?:(?:export|set|-e)\s+)?"
    r"(?=[\"'“]?[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\s?=)"
)
_FIRST_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PAIRS = ('""', "''", "“”", "””", "‘’", "’’", "＂＂", "＇＇", "「」")


class Line(NamedTuple):
    """One setting of the file, where it stands."""

    number: int
    name: str
    value: str


class Comment(NamedTuple):
    """A setting behind a #."""

    setting: Line


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
    # Settings behind a #.
    comments: tuple[Line, ...] = ()

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
        tuple(part.setting for part in parts if isinstance(part, Comment)),
    )


def _parts(text: str) -> Iterator[Line | Comment | UnreadLine]:
    # Of \r\n after a line that is none, python-dotenv makes two lines.
    plain = re.sub(r"\r\n?", "\n", INVISIBLE.sub("", text))
    for binding in parse_stream(io.StringIO(plain)):
        if _is_plain(binding):
            if binding.key is None:
                yield from _comment(binding)
            else:
                yield Line(_number(binding), binding.key, _plain_value(binding))
        else:
            yield from _mended(_number(binding), binding.original.string.strip())


def _plain_value(binding: Binding) -> str:
    """The value without the quotes that a Chinese keyboard has: plain ones are gone by now."""
    value = binding.value or ""
    return value if value[:1] in ('"', "'") else unquoted(value)


def _is_plain(binding: Binding) -> bool:
    """Whether python-dotenv has understood a line as it was meant."""
    if binding.error or (binding.key is not None and binding.value is None):
        return False
    if binding.key is not None and not _NAME.fullmatch(binding.key):
        return False
    # Of a unit of systemd.
    if binding.key == "Environment":
        return False
    value = binding.value or ""
    # Of == and => the second sign would be the value's; of two settings in a line the second.
    if value.startswith(("=", ">")) or _NEXT.search(value):
        return False
    # A quote that was forgotten takes the next settings into its value.
    lines = value.split("\n")[1:]
    return not any(re.match(r"\s*[A-Z][A-Z0-9_]+=", line) for line in lines)


def _comment(binding: Binding) -> Iterator[Comment]:
    match = _SETTING.match(binding.original.string.lstrip("\n #＃"))
    if match and _NAME.fullmatch(match["name"]):
        yield Comment(Line(_number(binding), match["name"], _value(match["value"])))


def _mended(first: int, text: str) -> Iterator[Line | UnreadLine]:
    lines = enumerate(text.split("\n"), first)
    for number, line in [(number, part) for number, whole in lines for part in _settings(whole)]:
        match = _SETTING.match(line)
        name = unicodedata.normalize("NFKC", match["name"]) if match else ""
        if match and _NAME.fullmatch(name):
            yield Line(number, name, _value(match["value"]))
        elif line.strip() and not line.lstrip().startswith(("#", "＃", "//")):
            word = _FIRST_WORD.match(unicodedata.normalize("NFKC", line.strip()))
            yield UnreadLine(number, word[0] if word else "")


def _settings(line: str) -> Iterator[str]:
    """Each of the settings that share a line."""
    while (setting := _SETTING.match(line)) and (end := _NEXT.search(line, setting.start("value"))):
        yield line[: end.start()]
        line = line[end.end() :]
    yield line


def _value(text: str) -> str:
    """What follows the sign, without a comment, and without the comma that JSON has after it."""
    quoted = re.match(r"""(["'“‘＂＇])(.*?)(["'”’＂＇])\s*[,;，；]?\s*(?:#.*)?$""", text)
    if quoted and quoted[1] + quoted[3] in _PAIRS:
        return quoted[2]
    return re.sub(r"\s+(?:#.*|\\$)", "", text).strip().strip("\"'“”‘’＂＇")


def unquoted(value: str) -> str:
    """The value without one pair of quotes around it."""
    is_quoted = len(value) > 1 and value[0] + value[-1] in _PAIRS
    # Of “a” and “b” the first and the last are no pair.
    is_quoted = is_quoted and not {value[0], value[-1]} & set(value[1:-1])
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
