"""Codes and passwords as salted hashes (scrypt): made, read, compared in constant time."""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from pydantic import AfterValidator, SecretStr

from chat.offload import beside_others

KIND = "scrypt"
KEPT = 14  # what `flask hash` makes, to lie in a file: 16 MB and some 50 ms for each guess
QUICK = 12  # for what stands in the settings as it is, and leaves this process for nowhere
SHORTEST_PASSWORD = 12
DAMAGED = "a damaged hash: make it again with flask hash"
_BLOCK = 8
_SALT, _DIGEST = 16, 32
_PATTERN = re.compile(r"scrypt\$(\d{1,2})\$(\d{1,2})\$(\d)\$([\w-]{11,86})\$([\w-]{43})", re.ASCII)


@dataclass(frozen=True)
class Recipe:
    """How a hash is made: the salt, and scrypt's work (as a power of two), block size and parallelism."""

    salt: bytes
    work: int = KEPT
    block: int = _BLOCK
    lanes: int = 1

    def digest(self, text: str) -> bytes:
        """32 bytes; takes as long as the recipe says, during which nothing else happens."""
        return hashlib.scrypt(
            legible(text).encode("utf-8", "surrogatepass"),
            salt=self.salt,
            n=2**self.work,
            r=self.block,
            p=self.lanes,
            dklen=_DIGEST,
            maxmem=256 * self.block * (2**self.work + self.lanes),
        )


@dataclass(frozen=True)
class Hash:
    """A text that nobody can read back, and what is needed to recognize it."""

    recipe: Recipe
    digest: bytes

    def __str__(self) -> str:
        one = self.recipe
        return f"{KIND}${one.work}${one.block}${one.lanes}${_encoded(one.salt)}${_encoded(self.digest)}"


def new_recipe(work: int = KEPT) -> Recipe:
    """A recipe with a salt of chance."""
    return Recipe(secrets.token_bytes(_SALT), work)


def made(text: str, recipe: Recipe) -> Hash:
    """The hash of a text."""
    return Hash(recipe, recipe.digest(text))


def is_hash(text: str) -> bool:
    """Whether a setting holds a hash, good or damaged, rather than what it was made of."""
    return text.startswith(KIND + "$")


def read(text: str) -> Hash:
    """A hash as `flask hash` writes it. Raises ValueError for a damaged one, or one that costs too much."""
    found = _PATTERN.fullmatch(text)
    if found is None:
        raise ValueError(DAMAGED)
    work, block, lanes = (int(number) for number in found.groups()[:3])
    if not (
        10 <= work <= 17 and 1 <= block <= 16 and 1 <= lanes <= 4 and (2**work) * block <= 2**20
    ):
        raise ValueError(DAMAGED)
    return Hash(Recipe(_decoded(found[4]), work, block, lanes), _decoded(found[5]))


def _checked(given: SecretStr) -> SecretStr:
    text = given.get_secret_value()
    if is_hash(text):
        read(text)
    elif len(text) < SHORTEST_PASSWORD:
        raise ValueError(f"too short: it takes at least {SHORTEST_PASSWORD} characters")
    return given


Password = Annotated[SecretStr, AfterValidator(_checked)]


def matching(text: str, hashes: Sequence[Hash]) -> list[bool]:
    """For each hash, whether the text is what it was made of.

    Every recipe is followed once and every digest compared, so that the time it takes says nothing.
    """
    digests = {}
    for recipe in _each(one.recipe for one in hashes):
        digests[recipe] = beside_others(partial(recipe.digest, text))
    return [hmac.compare_digest(digests[one.recipe], one.digest) for one in hashes]


def legible(text: str) -> str:
    """A code as it was meant, however it was typed: full-width letters are what they look like."""
    return unicodedata.normalize("NFKC", text).strip()


def _each(recipes: Iterable[Recipe]) -> Iterable[Recipe]:
    return dict.fromkeys(recipes)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise ValueError(DAMAGED) from None
