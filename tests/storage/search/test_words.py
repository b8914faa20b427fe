"""SearchWords of a search: what a text has is found and nothing else, and no input is syntax."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.storage.search.plain import folded
from chat.storage.search.words import EXCERPT, MOST_WORDS, SearchWords

# So few characters that a word occurs in a text by chance.
FEW = "天气好的不很"


def finds(typed: str, parts: list[str]) -> bool:
    words = SearchWords.typed(typed)
    return bool(words) and words.are_in(*map(folded, parts))


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("天气", "今天天气很好"),
        ("好", "今天天气很好"),
        ("今", "今天天气很好"),
        ("气很 今天", "今天天气很好"),
        ("PYTH", "用python编程"),
        ("用Python编", "我用 Python 编程"),
        ("编程", "用Ｐｙｔｈｏｎ编程"),
        ("ｐｙｔｈｏｎ", "Python"),
        ("strasse", "Straße"),
        ("café", "cafe\u0301"),
        ("v1.2", "ab v1.25"),
        ("你好，世界", "世界，你好"),
        ("データ", "ﾃﾞｰﾀベース"),
        ("한국", "대한국어"),
        ("привет", "Приветствие"),
        ("2026年", "到2026年为止"),
        ('" OR body : *', 'or "body"'),
    ],
)
def test_what_is_said_is_found(typed: str, text: str) -> None:
    assert finds(typed, [text])
    assert any(is_match for _, is_match in SearchWords.typed(typed).marked(text))


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("天好", "天气好"),
        ("气天", "天气"),
        ("好好", "好"),
        ("thon", "python"),
        ("pythons", "python"),
        ("天气 明天", "今天天气"),
        ("今天气", "今天，天气"),
        ("NOT 天气", "天气"),
        ("。。。", "。。。"),
        ("", "天气"),
    ],
)
def test_what_is_not_said_is_not_found(typed: str, text: str) -> None:
    assert not finds(typed, [text])


def test_a_word_does_not_reach_from_the_question_into_the_reply() -> None:
    assert finds("世界", ["你好，世", "世界"]) and not finds("好世界", ["你好", "世界"])
    assert not finds("hello-wor", ["hello", "world"]) and finds("hello wor", ["hello", "world"])


@settings(max_examples=300, deadline=None)
@given(text=st.text(FEW, min_size=1, max_size=12), typed=st.text(FEW, min_size=1, max_size=4))
def test_chinese_is_found_exactly_where_it_is(text: str, typed: str) -> None:
    assert finds(typed, ["啊，" + text + "。"]) == (typed in text)


@settings(max_examples=300, deadline=None)
@given(
    data=st.data(),
    text=st.text(
        st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF)
        | st.sampled_from("𠀀ぁんアー가힣々"),
        min_size=1,
        max_size=60,
    ),
)
def test_any_part_of_chinese_is_found(data: st.DataObject, text: str) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    assert finds(text[start:end], ["so: " + text])


@settings(max_examples=500, deadline=None)
@given(
    typed=st.text(st.sampled_from("天气a1B-. ,*\"'():^¶é") | st.characters(), max_size=12),
    text=st.text(st.sampled_from("天气a1B-. ,é") | st.characters(), max_size=20),
)
def test_a_text_that_matches_has_every_run_and_marking_loses_nothing(typed: str, text: str) -> None:
    words = SearchWords.typed(typed)
    if finds(typed, [text]):
        assert all(run in folded(text) for run in words.all_runs)
    assert "".join(piece for piece, _ in words.marked(text)) == text
    assert len(words.excerpt([text])) < 2 * EXCERPT


def test_a_search_is_bounded() -> None:
    assert len(SearchWords.typed(" ".join(str(number) for number in range(30))).runs) == MOST_WORDS
    assert sum(map(len, SearchWords.typed("天" * 5000).all_runs)) <= 100


def test_an_excerpt_shows_the_words_where_they_are() -> None:
    text = "……" * 50 + "前面的话，\n今天ＴＩＡＮＱＩ天气很好。" + "后面" * 100
    pieces = SearchWords.typed("天气").excerpt(["没有", text])
    said = "".join(piece for piece, _ in pieces)
    assert [piece for piece, is_match in pieces if is_match] == ["天气"]
    assert (
        said.startswith("…")
        and said.endswith("…")
        and "前面的话， 今天ＴＩＡＮＱＩ天气很好。" in said
    )
    assert len(said) <= EXCERPT + 2
