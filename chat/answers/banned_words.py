"""Words that may not be asked or answered: found in any dress, and masked while a text grows.

A text is compared by its letters alone: of compatible forms, cases and diacritics there is one
(`_letters`), and between two letters may stand some signs, spaces or invisible characters. A word
of letters that have cases, and a number, count only as a whole: "ass" is not in "class".
"""

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import accumulate
from typing import Any

from providers.options import bilingual_error

MOST_WORDS = 5000
LONGEST_WORD = 60
# So many characters may stand between two letters of a word: what a stream holds back is bounded.
GAP = 16
MASK = "＊"
# It stands in no word.
_BARRIER = "\0"
# Letters and marks that nobody sees.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d")


class BannedWords:
    """A list of one word or more, ready to be looked for in time that grows with the text alone."""

    def __init__(self, words: Iterable[str]) -> None:
        # Imported here: most sites have no list.
        import ahocorasick

        self._automaton: Any = ahocorasick.Automaton()
        folded = [_fold(word) for word in words]
        for letters in folded:
            self._automaton.add_word(letters, len(letters))
        self._automaton.make_automaton()
        self._longest = max(map(len, folded))

    def are_in(self, text: str) -> bool:
        """Whether one of the words is in a text."""
        return any(self.scan(text, is_whole=True)[0])

    def mask(self, text: str) -> str:
        """A whole text with stars in place of the letters of the words."""
        return masked(text, self.scan(text, is_whole=True)[0])

    def scan(self, text: str, before: str = "", is_whole: bool = False) -> tuple[bytearray, int]:
        """Which characters of a text belong to a word, and where a word may have begun that goes on
        in what is still to come.

        `before` is the letter directly before the text, if there is one. When the text `is_whole`
        nothing is to come.
        """
        letters, places = _letters_of(text)
        depths = [0] * (len(letters) + 1)
        for end, size in self._automaton.iter(letters):
            if self._is_apart(letters, places, end - size + 1, end, before) and (
                is_whole or places[end] < len(text) - 1 or not _kind(letters[end])
            ):
                depths[end - size + 1] += 1
                depths[end + 1] -= 1
        marks = bytearray(len(text))
        for place, depth in zip(places, accumulate(depths), strict=False):
            marks[place] = marks[place] or depth > 0
        return marks, len(text) if is_whole else self._beginning(letters, places, len(text))

    @staticmethod
    def _is_apart(letters: str, places: list[int], start: int, end: int, before: str) -> bool:
        """Whether what has been found is no part of a longer word or number."""
        if start and places[start - 1] >= places[start] - 1:
            before = letters[start - 1]
        elif places[start]:
            before = ""
        has_next = end + 1 < len(letters) and places[end + 1] <= places[end] + 1
        after = letters[end + 1] if has_next else ""
        return not (_is_one(before, letters[start]) or _is_one(letters[end], after))

    def _beginning(self, letters: str, places: list[int], length: int) -> int:
        """Where the longest beginning of a word stands that ends with the text."""
        if not letters or length - places[-1] > GAP + 1:
            return length
        for size in range(min(self._longest, len(letters)), 0, -1):
            if self._automaton.match(letters[-size:]):
                return places[-size]
        return length


class WordList:
    """The list that holds at the moment; `words` is None when it is empty."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        self.words: BannedWords | None = None
        self.read(words)

    def read(self, words: Iterable[str]) -> None:
        """Takes these words in place of those before."""
        listed = list(words)
        self.words = BannedWords(listed) if listed else None


class GrowingMask:
    """Masks a text that comes in pieces, exactly as if it came at once."""

    def __init__(self, words: BannedWords) -> None:
        self._words = words
        self._start_anew()

    def _start_anew(self) -> None:
        self._held = self._before = ""
        # Which of the characters held back belong to a word already.
        self._marks = bytearray()
        self.has_masked = False

    def add(self, piece: str) -> str:
        """What can be shown after one more piece; the rest may be the beginning of a word."""
        return self._release(self._held + piece, is_whole=False)

    def end(self) -> str:
        """What was held back: nothing more is to come."""
        return self._release(self._held, is_whole=True)

    def _release(self, text: str, is_whole: bool) -> str:
        marks, end = self._words.scan(text, self._before, is_whole)
        for place, mark in enumerate(self._marks):
            marks[place] = marks[place] or mark
        if end:
            self._before = _letters(text[end - 1])[-1:]
        self._held, self._marks = text[end:], marks[end:]
        self.has_masked = self.has_masked or any(marks[:end])
        return masked(text[:end], marks)


def parse(text: str) -> list[str]:
    """The words of a list, one a line. Raises a ValueError that names the line."""
    words = [word.strip() for word in text.splitlines()]
    if sum(map(bool, words)) > MOST_WORDS:
        raise bilingual_error(
            f"最多 {MOST_WORDS} 个词，每行一个", f"it takes at most {MOST_WORDS} words, one a line"
        )
    for number, word in enumerate(words, 1):
        if word:
            _check(number, word)
    return list(dict.fromkeys(filter(None, words)))


def _check(number: int, word: str) -> None:
    if len(word) > LONGEST_WORD:
        raise bilingual_error(
            f"第 {number} 行超过 {LONGEST_WORD} 个字",
            f"line {number} has more than {LONGEST_WORD} characters",
        )
    letters = _fold(word)
    # What is left of "C++" would mask every c.
    if not letters or (len(letters) == 1 and _kind(letters)):
        raise bilingual_error(
            f"第 {number} 行太短：去掉符号后至少要有一个汉字，或两个字母、数字",
            f"line {number} is too short: without signs it needs two letters or digits, or one "
            "Chinese character",
        )


def masked(text: str, marks: bytearray) -> str:
    """A text with a star in place of each character that is marked."""
    if not any(marks):
        return text
    return "".join(
        MASK if mark else character for character, mark in zip(text, marks, strict=False)
    )


def _letters_of(text: str) -> tuple[str, list[int]]:
    """The letters of a text, and the place of each. A barrier stands where letters are too far
    from each other."""
    letters: list[str] = []
    places: list[int] = []
    last = 0
    for place, character in enumerate(text):
        for letter in _letters(character):
            if place - last > GAP + 1:
                letters.append(_BARRIER)
                places.append(last)
            letters.append(letter)
            places.append(place)
            last = place
    return "".join(letters), places


def _fold(word: str) -> str:
    return "".join(map(_letters, word))


@lru_cache(maxsize=20_000)
def _letters(character: str) -> str:
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


def _kind(letter: str) -> str:
    """What belongs together without a space: letters with cases, digits; else nothing does."""
    if letter.isdecimal():
        return "digit"
    return "letter" if letter.lower() != letter.upper() else ""


def _is_one(letter: str, following: str) -> bool:
    """Whether two letters side by side belong to one word or number."""
    return bool(letter and following) and _kind(letter) == _kind(following) != ""
