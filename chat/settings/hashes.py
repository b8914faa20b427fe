"""Codes and passwords as salted hashes (scrypt): made, and read from the settings."""

import base64
import binascii
import hashlib
import re
import secrets
import unicodedata
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, SecretStr
from pydantic_core import PydanticCustomError

from chat.release import PROGRAM
from providers.options import bilingual_error

KIND = "scrypt"
# What `flask hash` makes, to lie in a file: 16 MB and some 50 ms for each guess.
WORK_IN_FILES = 14
# For what stands in the settings as it is: its hash never leaves this process.
WORK_IN_MEMORY = 12
SHORTEST_PASSWORD = 12
DAMAGED = (
    f"哈希值不完整，请用 {PROGRAM} hash 重新生成",
    f"a damaged hash: make it again with {PROGRAM} hash",
)
_BLOCK = 8
_SALT = 16
_DIGEST = 32
_PATTERN = re.compile(r"scrypt\$(\d{1,2})\$(\d{1,2})\$(\d)\$([\w-]{11,86})\$([\w-]{43})", re.ASCII)


@dataclass(frozen=True)
class Recipe:
    """How a hash is made: its salt, and scrypt's work (a power of two), block size, parallelism."""

    salt: bytes
    work: int = WORK_IN_FILES
    block: int = _BLOCK
    lanes: int = 1

    @property
    def is_bearable(self) -> bool:
        """Whether a try costs neither nothing nor more than the site can spare."""
        is_in_range = 10 <= self.work <= 17 and 1 <= self.block <= 16 and 1 <= self.lanes <= 4
        return is_in_range and (2**self.work) * self.block <= 2**20

    def digest(self, text: str) -> bytes:
        """32 bytes; takes as long as the recipe says, during which nothing else happens."""
        return hashlib.scrypt(
            normalize(text).encode("utf-8", "surrogatepass"),
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
        recipe = self.recipe
        numbers = f"{recipe.work}${recipe.block}${recipe.lanes}"
        return f"{KIND}${numbers}${_encoded(recipe.salt)}${_encoded(self.digest)}"


def new_recipe(work: int = WORK_IN_FILES) -> Recipe:
    """A recipe with a salt of chance."""
    return Recipe(secrets.token_bytes(_SALT), work)


def make_hash(text: str, recipe: Recipe) -> Hash:
    """The hash of a text."""
    return Hash(recipe, recipe.digest(text))


def is_hash(text: str) -> bool:
    """Whether a setting holds a hash, good or damaged, rather than what it was made of."""
    return text.startswith(KIND + "$")


def parse_hash(text: str) -> Hash:
    """A hash as `flask hash` writes it. Raises ValueError for a damaged or too costly one."""
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise bilingual_error(*DAMAGED)
    work, block, lanes = (int(number) for number in match.groups()[:3])
    recipe = Recipe(_decoded(match[4]), work, block, lanes)
    if not recipe.is_bearable:
        raise bilingual_error(*DAMAGED)
    return Hash(recipe, _decoded(match[5]))


def normalize(text: str) -> str:
    """A code as it was meant, however it was typed: full-width letters are what they look like."""
    return unicodedata.normalize("NFKC", text).strip()


def too_short(least: int) -> PydanticCustomError:
    """The error of a secret with fewer characters than `least`."""
    return bilingual_error(
        f"太短，至少要 {least} 个字符", f"too short: it takes at least {least} characters"
    )


def _check_password(setting: SecretStr) -> SecretStr:
    text = setting.get_secret_value()
    if is_hash(text):
        parse_hash(text)
    elif len(text) < SHORTEST_PASSWORD:
        raise too_short(SHORTEST_PASSWORD)
    return setting


Password = Annotated[SecretStr, AfterValidator(_check_password)]


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise bilingual_error(*DAMAGED) from None
