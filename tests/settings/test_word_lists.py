"""A list of banned words is taken as people write it, and what is no word is named."""

import pytest

from chat.settings.errors import SettingsError
from chat.settings.model import written
from chat.settings.word_lists import LONGEST_WORD, MOST_WORDS, words


def test_a_list_is_one_word_a_line_or_between_commas() -> None:
    text = written("banned_words", " 赌博 \r\n\n赌博\nbad word，worse、最坏\n")
    assert words(text) == ["赌博", "bad word", "worse", "最坏"]
    assert words(written("banned_words", "赌博 代考　作弊 bad word")) == [
        "赌博",
        "代考",
        "作弊 bad word",
    ]


@pytest.mark.parametrize("word", ["长" * (LONGEST_WORD + 1), "C++", "😀", "。", "7"])
def test_what_is_no_word_is_named(word: str) -> None:
    with pytest.raises(SettingsError) as raised:
        written("banned_words", f"好\n{word}")
    assert word[:10] in str(raised.value)


def test_too_many_words_are_refused() -> None:
    lines = [f"词{number}" for number in range(MOST_WORDS)]
    assert len(words(written("banned_words", "\n".join(lines)))) == MOST_WORDS
    with pytest.raises(SettingsError):
        written("banned_words", "\n".join([*lines, "一"]))
