"""Access codes and API keys as the site knows them, and which of them somebody presents."""

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from chat.offload import beside_others
from chat.settings import hashes
from chat.settings.code_lists import LONGEST, Entry
from chat.settings.hashes import Hash, Recipe

MOST_CACHED_KEYS = 4096


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
    all of them, and a code has the same mark after a restart.
    """

    def __init__(self, entries: Sequence[Entry], secret_key: str, zone: str) -> None:
        salt = hmac.new(secret_key.encode(), b"salt of codes", hashlib.sha256).digest()[:16]
        recipe = Recipe(salt, hashes.WORK_IN_MEMORY)
        self.all = tuple(_code(entry, recipe, ZoneInfo(zone)) for entry in entries)
        self._by_mark = {code.mark: code for code in self.all}
        self._hashes = [code.hash for code in self.all]

    def find(self, text: str) -> Code | None:
        """The code with this text, good or expired. It takes the same time for every text."""
        are_equal = matches(text if len(text) <= LONGEST else "", self._hashes)
        for code, is_equal in zip(self.all, are_equal, strict=True):
            if is_equal:
                return code
        return None

    def by_mark(self, mark: str) -> Code | None:
        """The code of a session; None when it was changed or removed from the settings."""
        return self._by_mark.get(mark)


class KeyCache:
    """The keys that were right lately, by address: a program sends its key with each request.

    Of a key it has only a digest, which is made with a secret of this process.
    """

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._codes: OrderedDict[bytes, Code] = OrderedDict()

    def get(self, key: str, address: str) -> Code | None:
        with self._lock:
            return self._codes.get(self._digest(key, address))

    def add(self, key: str, address: str, code: Code) -> None:
        with self._lock:
            self._codes[self._digest(key, address)] = code
            if len(self._codes) > MOST_CACHED_KEYS:
                self._codes.popitem(last=False)

    def _digest(self, key: str, address: str) -> bytes:
        text = f"{address}\n{key}".encode("utf-8", "surrogatepass")
        return hmac.new(self._secret, text, hashlib.sha256).digest()


def matches(text: str, known: Sequence[Hash]) -> list[bool]:
    """For each hash, whether the text is what it was made of.

    Every recipe is followed once and every digest compared, so that the time it takes says nothing.
    """
    digests = {}
    for recipe in dict.fromkeys(hash.recipe for hash in known):
        digests[recipe] = beside_others(partial(recipe.digest, text))
    return [hmac.compare_digest(digests[hash.recipe], hash.digest) for hash in known]


def hash_of(text: str, recipe: Recipe) -> Hash:
    """The hash that a setting holds, or the hash of what it holds."""
    return hashes.parse_hash(text) if hashes.is_hash(text) else hashes.make_hash(text, recipe)


def _code(entry: Entry, recipe: Recipe, zone: ZoneInfo) -> Code:
    code_hash = hash_of(entry.text, recipe)
    mark = hashlib.sha256(f"{entry.name}\n{code_hash}".encode()).hexdigest()[:32]
    ends_at = None
    if entry.until is not None:
        ends_at = datetime.combine(entry.until + timedelta(days=1), time(), zone).astimezone(UTC)
    return Code(
        id=entry.name or f"#{mark[:12]}",
        label=entry.name or f"#{entry.number}",
        mark=mark,
        hash=code_hash,
        ends_at=ends_at,
        daily=entry.daily,
    )
