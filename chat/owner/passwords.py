"""Which passwords the owner may choose: those that nobody tries among the first."""

import re
import unicodedata
from typing import Literal

from chat.settings.hashes import SHORTEST_PASSWORD, normalize

# The name of the chosen one among the owner's values: its hash.
PASSWORD = "password"
LONGEST_PASSWORD = 200
FEWEST_CHARACTERS = 6
# What is left of a password without these has to be long enough to be one.
COMMON = (
    *("password", "passwd", "passwort", "admin", "administrator", "root", "welcome", "letmein"),
    *("iloveyou", "woaini", "mima", "guanliyuan", "zhiye", "wodemima", "changeme", "default"),
    *("123456789", "987654321", "qwertyuiop", "asdfghjkl", "zxcvbnm", "1qaz2wsx3edc", "secret"),
    *("abcdefghijklmnopqrstuvwxyz", "52013", "5201314", "888888", "666666", "密码", "管理员"),
)
LEAST_BESIDE_COMMON = 6

Weakness = Literal["short", "long", "repeats", "common", "unequal"]


def weakness(password: str, again: str) -> Weakness | None:
    """What is wrong with a password that the owner wants, typed twice; None when it is good."""
    text = normalize(password)
    if len(text) < SHORTEST_PASSWORD:
        return "short"
    if len(password) > LONGEST_PASSWORD:
        return "long"
    if text != normalize(again):
        return "unequal"
    if len(set(text.casefold())) < FEWEST_CHARACTERS or _is_one_piece_again(text):
        return "repeats"
    if _own_characters(text) < LEAST_BESIDE_COMMON:
        return "common"
    return None


def _is_one_piece_again(text: str) -> bool:
    """Whether the text is one piece several times over."""
    return text in (text + text)[1:-1]


def _own_characters(text: str) -> int:
    """How many different characters are left without common words, runs of a keyboard and years."""
    rest = unicodedata.normalize("NFKD", text.casefold())
    for word in COMMON:
        for length in range(len(word), 3, -1):
            if length < len(word) and not _is_run(word):
                break
            for start in range(len(word) - length + 1):
                rest = rest.replace(word[start : start + length], " ")
    rest = re.sub(r"(19|20)\d\d", " ", rest)
    return len(set(re.sub(r"[\s\W_]", "", rest)))


def _is_run(word: str) -> bool:
    """Whether parts of the word are as common as it is: characters in the order of keyboards."""
    return len(word) >= 9 and (word.isdigit() or word[:4] in ("qwer", "asdf", "abcd", "1qaz"))
