"""Titles of conversations: one line, cut between characters as a reader sees them."""

import unicodedata

# As the visitor may write it, and as it is made of the first question.
TITLE_CHARS = 80
FIRST_CHARS = 40

# Joins what stands around it into one picture, as in a family.
_JOINER = "\u200d"
_LETTER_JOINERS = {_JOINER, "\u200c"}


def title_of(question: str) -> str:
    """The title of a new conversation: the beginning of its first question."""
    return beginning(question, FIRST_CHARS)


def beginning(text: str, most: int) -> str:
    """At most so many code points of a text, in one line that says when there is more."""
    line = " ".join(text.split())
    return line if len(line) <= most else cut(line, most - 1) + "…"


def as_title(text: str) -> str:
    """What a visitor typed, as a title of at most TITLE_CHARS; empty when nothing is visible."""
    line = " ".join("".join(char for char in text if _may_stand(char)).split())
    return cut(line, TITLE_CHARS) if any(map(str.isprintable, line.replace(" ", ""))) else ""


def cut(text: str, most: int) -> str:
    """At most so many code points of a text, without a part of a character at the end.

    A character of more than `most` code points, which nobody writes, is cut all the same.
    """
    if len(text) <= most:
        return text
    end = most
    while end and _is_inside(text, end):
        end -= 1
    return text[: end or most]


def _may_stand(char: str) -> bool:
    return char.isprintable() or char.isspace() or char in _LETTER_JOINERS or _is_tag(char)


def _is_inside(text: str, position: int) -> bool:
    """Whether a reader's character goes on at a position (the main rules of Unicode's UAX 29)."""
    before, after = text[position - 1], text[position]
    if _extends(after) or before == _JOINER:
        return True
    if _is_flag_letter(after):
        start = position
        while start and _is_flag_letter(text[start - 1]):
            start -= 1
        # A flag is two of these letters.
        return (position - start) % 2 == 1
    is_pair = "\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff"
    # Korean letters that are written as one syllable.
    is_syllable = "\u1100" <= before <= "\u11ff" and "\u1100" <= after <= "\u11ff"
    return is_pair or is_syllable


def _extends(char: str) -> bool:
    """Whether it belongs to the character before it: accents, colours of skin, tags of flags."""
    is_mark = unicodedata.category(char) in ("Mn", "Mc", "Me")
    return (
        is_mark or char in _LETTER_JOINERS or "\U0001f3fb" <= char <= "\U0001f3ff" or _is_tag(char)
    )


def _is_tag(char: str) -> bool:
    return "\U000e0020" <= char <= "\U000e007f"


def _is_flag_letter(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"
