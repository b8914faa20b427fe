"""Words that may not be asked or answered: found in any dress, and masked while a text grows.

A text is compared by its letters alone: of compatible forms, cases and diacritics there is one
(chat/folding.py), and between two letters may stand some signs, spaces or invisible characters. A
word of letters that have cases, and a number, count only as a whole: "ass" is not in "class". A
character reference of HTML (&#35789;) is the character that the page would show for it.
"""

import html
import re
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any

from chat.folding import fold, kind_of, letters_of

# So many characters may stand between two letters of a word: what a stream holds back is bounded.
GAP = 16
MASK = "＊"
# It stands in no word.
_BARRIER = "\0"
_REFERENCE = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][0-9A-Za-z]{1,31});")
# What may become one.
_REFERENCE_BEGINNING = re.compile(r"&#?[0-9A-Za-z]{0,32}\Z")
_LONGEST_REFERENCE = 34


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
        reference = None if is_whole else _REFERENCE_BEGINNING.search(text)
        length = reference.start() if reference else len(text)
        letters, places = _letters_of(text[:length])
        depths = [0] * (len(letters) + 1)
        for end, size in self._automaton.iter(letters):
            if self._is_apart(letters, places, end - size + 1, end, before) and (
                is_whole or places[end].stop < length or not kind_of(letters[end])
            ):
                depths[end - size + 1] += 1
                depths[end + 1] -= 1
        marks = bytearray(len(text))
        for place, depth in zip(places, accumulate(depths), strict=False):
            if depth:
                marks[place] = b"\1" * (place.stop - place.start)
        return marks, length if is_whole else self._beginning(letters, places, length)

    @staticmethod
    def _is_apart(letters: str, places: list[slice], start: int, end: int, before: str) -> bool:
        """Whether what has been found is no part of a longer word or number."""
        if start and places[start - 1].stop >= places[start].start:
            before = letters[start - 1]
        elif places[start].start:
            before = ""
        has_next = end + 1 < len(letters) and places[end + 1].start <= places[end].stop
        after = letters[end + 1] if has_next else ""
        return not (_is_one(before, letters[start]) or _is_one(letters[end], after))

    def _beginning(self, letters: str, places: list[slice], length: int) -> int:
        """Where the longest beginning of a word stands that ends with the text."""
        if not letters or length - places[-1].stop > GAP:
            return length
        for size in range(min(self._longest, len(letters)), 0, -1):
            if self._automaton.match(letters[-size:]):
                start: int = places[-size].start
                return start
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
            self._before = _last_letter(text[max(0, end - _LONGEST_REFERENCE) : end])
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


def _letters_of(text: str) -> tuple[str, list[slice]]:
    """The letters of a text, and the place of each. A barrier stands where letters are too far
    from each other."""
    letters: list[str] = []
    places: list[slice] = []
    last = slice(0, 0)
    for place, characters in _characters_of(text):
        for letter in "".join(map(letters_of, characters)):
            if place.start - last.stop > GAP:
                letters.append(_BARRIER)
                places.append(last)
            letters.append(letter)
            places.append(place)
            last = place
    return "".join(letters), places


def _characters_of(text: str) -> Iterator[tuple[slice, str]]:
    """The characters of a text as a page shows them, and where each is written."""
    at = 0
    for reference in _REFERENCE.finditer(text):
        yield from _as_written(text, at, reference.start())
        yield slice(*reference.span()), html.unescape(reference[0])
        at = reference.end()
    yield from _as_written(text, at, len(text))


def _as_written(text: str, start: int, end: int) -> Iterator[tuple[slice, str]]:
    return ((slice(place, place + 1), text[place]) for place in range(start, end))


def _last_letter(text: str) -> str:
    """The letter that a text ends with, if it does."""
    letters, places = _letters_of(text)
    return letters[-1] if places and places[-1].stop == len(text) else ""


def _is_one(letter: str, following: str) -> bool:
    """Whether two letters side by side belong to one word or number."""
    return bool(letter and following) and kind_of(letter) == kind_of(following) != ""
