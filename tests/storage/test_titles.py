"""Titles are one line and end with a whole character."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.storage.titles import FIRST_CHARS, TITLE_CHARS, as_title, cut, title_of

CHARACTERS = [
    "字",
    "👨‍👩‍👧‍👦",
    "🇨🇳",
    "e\u0301",
    "👍🏽",
    "❤️",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "각",
    "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    "नि",
]


@given(st.lists(st.sampled_from(CHARACTERS), max_size=40), st.integers(16, 60))
def test_a_cut_is_between_characters(characters: list[str], most: int) -> None:
    text = "".join(characters)
    expected = ""
    for character in characters:
        if len(expected + character) > most:
            break
        expected += character
    assert cut(text, most) == expected


@pytest.mark.parametrize("character", CHARACTERS)
def test_a_title_never_ends_inside_a_character(character: str) -> None:
    for before in range(TITLE_CHARS - len(character), TITLE_CHARS + 1):
        title = as_title("字" * before + character * 9)
        assert len(title) <= TITLE_CHARS
        rest = title[before:]
        assert rest == character * (len(rest) // len(character))


def test_halves_of_a_pair_stay_together() -> None:
    assert cut("aa\ud83d\ude00", 3) == "aa"


def test_a_character_without_end_is_cut() -> None:
    assert len(as_title("a" + "\u0301" * 500)) == TITLE_CHARS


def test_what_is_invisible_makes_no_title() -> None:
    assert as_title(" \u200d\u200c\x00\n") == ""
    assert as_title("a\u202eb\n c") == "ab c"


def test_a_question_s_title_is_its_beginning() -> None:
    assert title_of("  what\n is   this?") == "what is this?"
    title = title_of("x" * (FIRST_CHARS - 2) + CHARACTERS[1] + "y")
    assert title == "x" * (FIRST_CHARS - 2) + "…"
