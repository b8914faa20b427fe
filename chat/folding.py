"""Letters in their simplest form, so that a word is the same in any dress."""

import unicodedata
from functools import lru_cache

# Letters and marks that nobody sees.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d")


def fold(text: str) -> str:
    """The letters and digits of a text."""
    return "".join(map(letters_of, text))


@lru_cache(maxsize=20_000)
def letters_of(character: str) -> str:
    """The letters and digits of one character in their simplest form: "A" is a, "①" is 1, "é" is e.

    None of a sign, a space, or what nobody sees.
    """
    simple = unicodedata.normalize("NFKD", character).casefold()
    return "".join(filter(_is_letter, unicodedata.normalize("NFKD", simple)))


def _is_letter(character: str) -> bool:
    if character in _INVISIBLE or "\ufe00" <= character <= "\ufe0f" or character >= "\U000e0000":
        return False
    kind = unicodedata.category(character)
    if kind in ("Mn", "Mc"):
        # The vowels of Indian scripts and the dots of Japanese are letters. An accent is none, and
        # neither is a stroke through a letter.
        return unicodedata.combining(character) != 1 and unicodedata.combining(character) < 200
    return kind[0] in "LN"


def kind_of(letter: str) -> str:
    """What belongs together without a space: letters with cases, digits; else nothing does."""
    if letter.isdecimal():
        return "digit"
    return "letter" if letter.lower() != letter.upper() else ""
