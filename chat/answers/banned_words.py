"""Words that may not be asked or answered: found in any dress, and masked while a text grows.

A text is compared by its letters alone: of compatible forms, cases and diacritics there is one
(chat/folding.py), and between two letters may stand some signs, spaces or invisible characters. A
word of letters that have cases, and a number, count only as a whole: "ass" is not in "class".
"""

from collections.abc import Iterable
from itertools import accumulate
from typing import Any

from chat.folding import fold, kind_of, letters_of

# So many characters may stand between two letters of a word: what a stream holds back is bounded.
GAP = 16
MASK = "＊"
# It stands in no word.
_BARRIER = "\0"


class BannedWords:
    """A list of one word or more, ready to be looked for in time that grows with the text alone."""

    def __init__(self, words: Iterable[str]) -> None:
        # Imported here: most sites have no list.
        import ahocorasick

        self._automaton: Any = ahocorasick.Automaton()
        folded = [fold(word) for word in words]
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
                is_whole or places[end] < len(text) - 1 or not kind_of(letters[end])
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
        self._listed: list[str] = []
        self.read(words)

    def read(self, words: Iterable[str]) -> None:
        """Takes these words in place of those before."""
        listed = list(words)
        if listed != self._listed:
            self._listed = listed
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
            self._before = letters_of(text[end - 1])[-1:]
        self._held, self._marks = text[end:], marks[end:]
        self.has_masked = self.has_masked or any(marks[:end])
        return masked(text[:end], marks)


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
        for letter in letters_of(character):
            if place - last > GAP + 1:
                letters.append(_BARRIER)
                places.append(last)
            letters.append(letter)
            places.append(place)
            last = place
    return "".join(letters), places


def _is_one(letter: str, following: str) -> bool:
    """Whether two letters side by side belong to one word or number."""
    return bool(letter and following) and kind_of(letter) == kind_of(following) != ""
