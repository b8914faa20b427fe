"""Access codes and API keys as the site knows them, and which of them somebody presents."""

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from chat.settings import hashes
from chat.settings.code_lists import LONGEST, Entry
from chat.settings.hashes import Hash, Recipe
from chat.visitors.guessing import Try
from chat.visitors.matching import Matcher

MOST_CACHED_CODES = 4096


@dataclass(frozen=True)
class Code:
    """A code as the site knows it. `mark` changes with the code; `ends_at` is when it ends."""

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

    All codes in plain text share one salt, made from the site's key: so a try costs one scrypt for
    all of them, and a code has the same mark after a restart. Hashes in the settings cost one more
    for each different salt; `flask hash` gives them the same.
    """

    def __init__(self, entries: Sequence[Entry], secret_key: str, zone: str) -> None:
        salt = hmac.new(secret_key.encode(), b"salt of codes", hashlib.sha256).digest()[:16]
        self._recipe = Recipe(salt, hashes.WORK_IN_MEMORY)
        self._zone = ZoneInfo(zone)
        self.read(entries)

    def read(self, entries: Sequence[Entry]) -> None:
        """Takes these codes in place of those before."""
        self.all = tuple(_code(entry, self._recipe, self._zone) for entry in entries)
        self._by_mark = {code.mark: code for code in self.all}
        self._matcher = Matcher([code.hash for code in self.all])
        self._right = CodeCache()

    def find(self, text: str, current: Try | None = None) -> Code | None:
        """The code with this text, good or expired. It takes the same time for every wrong text.

        A code that was right before in this process costs nothing. Raises GuessRefusal when too
        many tries are waiting for their hashes, so that `current` would not be served in time.
        """
        # A longer text is no code. It is hashed as none, so that it takes as long as any other.
        text = hashes.normalize(text) if len(text) <= LONGEST else ""
        if (code := self._right.get(text)) is not None:
            return code
        are_equal = self._matcher.match(text, current)
        for code, is_equal in zip(self.all, are_equal, strict=True):
            if is_equal:
                self._right.add(text, code)
                return code
        return None

    @property
    def is_crowded(self) -> bool:
        """Whether strangers' tries are waiting for their hashes."""
        return self._matcher.is_crowded

    def by_mark(self, mark: str) -> Code | None:
        """The code of a session; None when it was changed or removed from the settings."""
        return self._by_mark.get(mark)


class CodeCache:
    """The codes that were right lately, by what was typed: a program sends its key each time.

    Of a text it has only a digest, which is made with a secret of this process.
    """

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._codes: OrderedDict[bytes, Code] = OrderedDict()

    def get(self, text: str, address: str = "") -> Code | None:
        """The code of a text; with an address only if it was right from there."""
        with self._lock:
            return self._codes.get(self._digest(text, address))

    def add(self, text: str, code: Code, address: str = "") -> None:
        """Remembers a right text, and forgets the oldest beyond MOST_CACHED_CODES."""
        with self._lock:
            self._codes[self._digest(text, address)] = code
            if len(self._codes) > MOST_CACHED_CODES:
                self._codes.popitem(last=False)

    def _digest(self, text: str, address: str) -> bytes:
        message = f"{address}\n{text}".encode("utf-8", "surrogatepass")
        return hmac.new(self._secret, message, hashlib.sha256).digest()


def hash_of(text: str, recipe: Recipe) -> Hash:
    """The hash that a setting holds, or the hash of what it holds."""
    return hashes.parse_hash(text) if hashes.is_hash(text) else hashes.make_hash(text, recipe)


def _code(entry: Entry, recipe: Recipe, zone: ZoneInfo) -> Code:
    code_hash = hash_of(entry.text, recipe)
    mark = hashlib.sha256(f"{entry.name}\n{code_hash}".encode()).hexdigest()[:32]
    ends_at = None
    if entry.until is not None:
        # Good to the end of its last day, in the site's time zone.
        ends_at = datetime.combine(entry.until + timedelta(days=1), time(), zone).astimezone(UTC)
    return Code(
        # What was counted belongs to the id: a code with a name keeps its count when it changes.
        id=entry.name or f"#{mark[:12]}",
        label=entry.name or f"#{entry.number}",
        mark=mark,
        hash=code_hash,
        ends_at=ends_at,
        daily=entry.daily,
    )
