"""Access codes and API keys: what the settings say of each, and which one somebody has given."""

import hashlib
import hmac
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, SecretStr

from chat.settings import hashes
from chat.settings.hashes import Hash, Recipe

SHORTEST_CODE, SHORTEST_KEY, LONGEST = 8, 16, 200
REMEMBERED = 4096
_NAME = re.compile(r"[^\s:,#$][^\s:,]{0,39}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_FORM = "Write code, name:code, name:code:2027-01-01 or name:code:2027-01-01:200"


@dataclass(frozen=True)
class Entry:
    """One code of the settings: `text` is the code or its hash, `until` its last day, `daily` its questions
    a day, 0 for any number."""

    number: int
    name: str
    text: str = field(repr=False)
    until: date | None = None
    daily: int = 0


@dataclass(frozen=True)
class Code:
    """A code as the site knows it. `mark` is another when the code is; `ends_at` is when it ends."""

    id: str
    label: str
    mark: str = field(repr=False)
    hash: Hash = field(repr=False)
    ends_at: datetime | None = None
    daily: int = 0

    def is_good(self, at: datetime) -> bool:
        """Whether it has not expired."""
        return self.ends_at is None or at < self.ends_at


class Codes:
    """Knows codes by their hashes.

    All that were given in plain share one salt, made from the site's key: so a try costs one scrypt for all
    of them, and a code has the same mark after a restart.
    """

    def __init__(self, entries: Sequence[Entry], secret_key: str, zone: str) -> None:
        salt = hmac.new(secret_key.encode(), b"salt of codes", hashlib.sha256).digest()[:16]
        recipe = Recipe(salt, hashes.QUICK)
        self.all = tuple(_code(entry, recipe, ZoneInfo(zone)) for entry in entries)
        self._by_mark = {code.mark: code for code in self.all}
        self._hashes = [code.hash for code in self.all]

    def find(self, given: str) -> Code | None:
        """The code that was given, good or expired; takes the same time whichever it is, or none."""
        found = hashes.matching(given if len(given) <= LONGEST else "", self._hashes)
        return next((code for code, is_it in zip(self.all, found, strict=True) if is_it), None)

    def marked(self, mark: str) -> Code | None:
        """The code of a session; None when it is not in the settings any more, or is another now."""
        return self._by_mark.get(mark)


class Remembered:
    """What was found lately, by who gave it and from where: a key comes with each request.

    Only a digest is kept, made with a key of this process.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._found: OrderedDict[bytes, Code] = OrderedDict()

    def get(self, given: str, address: str) -> Code | None:
        with self._lock:
            return self._found.get(self._digest(given, address))

    def keep(self, given: str, address: str, code: Code) -> None:
        with self._lock:
            self._found[self._digest(given, address)] = code
            if len(self._found) > REMEMBERED:
                self._found.popitem(last=False)

    def _digest(self, given: str, address: str) -> bytes:
        text = f"{address}\n{given}".encode("utf-8", "surrogatepass")
        return hmac.new(self._key, text, hashlib.sha256).digest()


def _checked(shortest: int) -> AfterValidator:
    def check(given: SecretStr) -> SecretStr:
        parse(given.get_secret_value(), shortest)
        return given

    return AfterValidator(check)


AccessCodes = Annotated[SecretStr, _checked(SHORTEST_CODE)]
ApiKeys = Annotated[SecretStr, _checked(SHORTEST_KEY)]


def _checked_token(given: SecretStr) -> SecretStr:
    text = given.get_secret_value()
    if len(text) < SHORTEST_KEY:
        raise ValueError(f"too short: it takes at least {SHORTEST_KEY} characters")
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError("a key has only letters, digits and signs")
    return given


Token = Annotated[SecretStr, AfterValidator(_checked_token)]


def parse(text: str, shortest: int = SHORTEST_CODE) -> list[Entry]:
    """The entries of ACCESS_CODES or API_KEYS. Raises ValueError, a line that holds nothing of any code."""
    found: list[Entry] = []
    for number, part in enumerate(_parts(text), 1):
        entry = _entry(number, part, shortest)
        for other in found:
            if entry.name and entry.name == other.name:
                raise ValueError(
                    f"entries {other.number} and {number} have the same name. Rename one"
                )
            if entry.text == other.text:
                raise ValueError(
                    f"entries {other.number} and {number} are the same code. Remove one"
                )
        found.append(entry)
    if not found:
        raise ValueError(f"no code in it. {_FORM}")
    return found


def entries(given: SecretStr | None, shortest: int) -> list[Entry]:
    """Those of a setting that has been checked; none when it is unset."""
    return parse(given.get_secret_value(), shortest) if given else []


def secret_parts(text: str) -> list[str]:
    """Each code in such a setting by itself, to be kept out of logs."""
    found = []
    for part in [*re.split(r"[\s,，]+", text), *_parts(text)]:
        pieces = re.split("[:：]", part)
        found.append(pieces[0] if len(pieces) == 1 else pieces[1])
    return [one for one in dict.fromkeys(found) if one]


def _parts(text: str) -> list[str]:
    # Chinese keyboards write full-width commas and colons.
    return [part for part in re.split(r"[\s,]+", hashes.legible(text)) if part]


def _entry(number: int, part: str, shortest: int) -> Entry:
    pieces = part.split(":")
    if len(pieces) > 4:
        raise ValueError(f"entry {number} has more than four parts. {_FORM}")
    name, code, until, daily = ["", *pieces, "", ""] if len(pieces) == 1 else [*pieces, "", ""][:4]
    if name and not _NAME.fullmatch(name):
        raise ValueError(
            f"entry {number}: a name has at most 40 characters and begins with a letter"
        )
    _check_code(number, code, shortest)
    return Entry(number, name, code, _last_day(number, until), _daily(number, daily))


def _check_code(number: int, code: str, shortest: int) -> None:
    if not code or _DAY.fullmatch(code):
        raise ValueError(f"entry {number} has no code. {_FORM}")
    if hashes.is_hash(code):
        try:
            hashes.read(code)
        except ValueError as error:
            raise ValueError(f"entry {number}: {error}") from None
    elif not shortest <= len(code) <= LONGEST:
        raise ValueError(f"entry {number}: it has to have {shortest} to {LONGEST} characters")
    elif shortest == SHORTEST_KEY and not code.isascii():
        raise ValueError(f"entry {number}: a key has only letters, digits and signs")


def _last_day(number: int, text: str) -> date | None:
    try:
        if text and not _DAY.fullmatch(text):
            raise ValueError
        day = date.fromisoformat(text) if text else None
        if day and not 2000 <= day.year <= 9000:
            raise ValueError
        return day
    except ValueError:
        raise ValueError(f"entry {number}: a day is written 2027-01-01") from None


def _daily(number: int, text: str) -> int:
    if text and not re.fullmatch(r"\d{1,7}", text, re.ASCII):
        raise ValueError(f"entry {number}: the questions a day are a number")
    return int(text or 0)


def _code(entry: Entry, recipe: Recipe, zone: ZoneInfo) -> Code:
    kept = (
        hashes.read(entry.text) if hashes.is_hash(entry.text) else hashes.made(entry.text, recipe)
    )
    mark = hashlib.sha256(f"{entry.name}\n{kept}".encode()).hexdigest()[:32]
    ends_at = None
    if entry.until is not None:
        ends_at = datetime.combine(entry.until + timedelta(days=1), time(), zone).astimezone(UTC)
    return Code(
        id=entry.name or f"#{mark[:12]}",
        label=entry.name or f"#{entry.number}",
        mark=mark,
        hash=kept,
        ends_at=ends_at,
        daily=entry.daily,
    )
