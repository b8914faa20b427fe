"""Banned words are found in any dress, and masked in a stream exactly as in the whole."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.answers.banned_words import (
    GAP,
    MASK,
    BannedWords,
    GrowingMask,
)
from chat.settings.word_lists import LONGEST_WORD
from tests.kit.effort import effort

WORDS = ["赌博", "赌博网站", "博彩", "secret", "secretary", "Straße", "8964", "이용", "ab", "bc c"]
LIST = BannedWords(WORDS)
# Letters of the words, what may stand between them, and what may not.
PIECES = [
    *"赌博网站彩secrtyaSTRAßeＳⓔ8964abc이용",
    *" \n-，。*\u200b\u0301",
    "。" * (GAP + 1),
    "好",
    *["&#36172;", "&#x535A;", "&#", "&", "36172;", "&szlig;", "&amp;"],
]
# Python takes it for a letter, and nobody sees it.
FILLER = "\u3164"
SEPARATORS = st.text(f" \t-_.，、*|~\u200b\u200d\ufeff\u00ad\u0336{FILLER}", max_size=3)
TEXTS = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


def grown(words: BannedWords, pieces: list[str]) -> str:
    mask = GrowingMask(words)
    return "".join([*map(mask.add, pieces), mask.end()])


def cut(text: str, places: list[int]) -> list[str]:
    ends = sorted({place % (len(text) + 1) for place in places} | {0, len(text)})
    return [text[start:end] for start, end in pairwise(ends)]


def dress(letter: str, draw: st.DataObject) -> str:
    wide = chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter
    references = [f"&#{ord(letter)};", f"&#x{ord(letter):X};"] if letter.isalnum() else []
    return draw.draw(st.sampled_from([letter, letter.upper(), letter.lower(), wide, *references]))


@given(st.sampled_from(WORDS), st.data())
def test_a_word_is_masked_in_any_dress_and_any_pieces(word: str, data: st.DataObject) -> None:
    dressed = "".join(dress(letter, data) + data.draw(SEPARATORS) for letter in word)
    text = f"前面 {dressed} 后面"
    masks = grown(LIST, cut(text, data.draw(st.lists(st.integers(0, 300)))))
    assert len(masks) == len(text)
    assert not LIST.are_in(masks)
    assert not any(sign.isalnum() and sign != FILLER for sign in masks[3:-3])


@given(TEXTS, st.lists(st.integers(0, 400), max_size=20))
def test_a_text_that_grows_is_masked_like_the_whole(text: str, places: list[int]) -> None:
    assert grown(LIST, cut(text, places)) == LIST.mask(text)


@given(TEXTS)
def test_a_text_that_comes_by_characters_is_masked_like_the_whole(text: str) -> None:
    assert grown(LIST, list(text)) == LIST.mask(text)


@given(st.text(max_size=200), st.lists(st.integers(0, 400), max_size=20))
def test_a_text_without_a_word_is_unchanged(text: str, places: list[int]) -> None:
    words = BannedWords(["赌博网站"])
    if not words.are_in(text):
        assert grown(words, cut(text, places)) == text


@given(TEXTS)
def test_no_more_is_held_back_than_the_longest_word_with_its_gaps(text: str) -> None:
    mask, shown = GrowingMask(LIST), 0
    for number, character in enumerate(text, 1):
        shown += len(mask.add(character))
        assert number - shown <= 9 * (GAP + 1)


def test_what_cannot_become_a_word_is_shown_at_once() -> None:
    mask = GrowingMask(LIST)
    assert mask.add("天气很好") == "天气很好"
    assert mask.add("，去赌") == "，去"
    assert mask.add("城") == "赌城"


@pytest.mark.parametrize(
    "text",
    ["secretive", "unsecret", "18964", "89640", "class ab1bc", "赌。。" + "。" * GAP + "博"],
)
def test_a_part_of_another_word_or_number_is_no_hit(text: str) -> None:
    words = BannedWords(["secret", "8964", "赌博", "bc"])
    assert words.are_in(text) == text.endswith("bc")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("这是secret吗", f"这是{MASK * 6}吗"),
        ("s.e.c.r.e.t!", f"{'.'.join(MASK * 6)}!"),
        ("**赌**博", f"**{MASK}**{MASK}"),
        ("赌博彩", MASK * 3),
        ("SECRÉT", MASK * 6),
        ("STRASSE", MASK * 7),
        ("电话8964号", f"电话{MASK * 4}号"),
        ("the SECRETARY", f"the {MASK * 9}"),
        ("赌&#21338;，R&D", f"{MASK * 9}，R&D"),
    ],
)
def test_the_letters_of_a_word_are_masked_and_nothing_else(text: str, shown: str) -> None:
    assert LIST.mask(text) == shown


def test_the_longest_list_and_a_hostile_text_take_linear_time() -> None:
    words = BannedWords(
        ["啊" * size for size in range(2, LONGEST_WORD)] + [f"啊{n}" for n in range(4900)]
    )

    assert effort(lambda: words.mask("啊" * 16_000)) < 500
