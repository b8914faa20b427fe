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

REMEMBERED = 4096


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
        recipe = Recipe(salt, hashes.WORK_IN_MEMORY)
        self.all = tuple(_code(entry, recipe, ZoneInfo(zone)) for entry in entries)
        self._by_mark = {code.mark: code for code in self.all}
        self._hashes = [code.hash for code in self.all]

    def find(self, given: str) -> Code | None:
        """The code that was given, good or expired; takes the same time whichever it is, or none."""
        found = matches(given if len(given) <= LONGEST else "", self._hashes)
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
