"""What a person reads of a Markdown text, in time that grows no faster than the text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.storage.search.plain import SEARCHED_CHARS, SEPARATOR, plain, readable, searchable
from tests.kit.effort import effort

MARKS = [
    *"`*_~$[]()<>|#\\&!-=:\n",
    *["```", "```\n", "\n~~~", "**", "***", "__", "~~", "$$", "](", "[a](", "![", "<br>", "<!--"],
    *['<img alt="', "\n>", "\n- ", "\n|", "\\(", "&lt;", "字", "a ", " "],
]


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("请打开**设置**页", "请打开设置页"),
        ("***很***重要，~~旧价~~新价", "很重要，旧价新价"),
        ("一个*斜*字，_slanted_ too", "一个斜字，slanted too"),
        ("[文字](https://a.cn/x_(y)?q=1)后", "文字后"),
        ("![图片说明](u.png) [![alt](i.png)](u)", "图片说明 alt"),
        ("<https://a.cn/b_c>", "https://a.cn/b_c"),
        ("由$x^2$得 $$y$$", "由x^2得 y"),
        ("点“账号”<br>再点<b>退出</b>", "点“账号”\n再点退出"),
        ("<img src='u' alt='说明'>", "说明"),
        ("# 标题\n> 引用\n- 项\n1. one", "标题\n引用\n项\n1. one"),
        ("**`code`**与`**kwargs`", "code与**kwargs"),
        ("&lt;div&gt; \\*星\\*", "<div> *星*"),
        ("<ruby>汉<rt>hàn</rt></ruby>字", "汉hàn字"),
        (">引用\n>60分：及格", "引用\n>60分：及格"),
    ],
)
def test_marks_are_not_read(markdown: str, text: str) -> None:
    assert plain(markdown) == text


@pytest.mark.parametrize(
    "text",
    [
        "手机号138****5678与139****1234",
        "3*4*5=60",
        "a < b and c > d",
        "snake_case_name",
        "价格$5和$6",
        "(没有) [链接]",
    ],
)
def test_what_is_no_mark_is_read(text: str) -> None:
    assert plain(text) == text


def test_code_stays_as_it_is_without_its_fences() -> None:
    code = "a = b**2 * c**2\n[x](y)  # __main__\n"
    text = plain(f"前\n```python\n{code}```\n后\n~~~\nopen **end**")
    assert code.replace("  ", " ") in text
    assert "`" not in text and "python" not in text and "open **end**" in text


def test_a_question_is_read_as_it_was_typed() -> None:
    assert readable("**a**", ["**b**"]) == ["**a**", "b"]
    assert searchable("ＡＢ", ["**Ｃ**d"]) == f"ab{SEPARATOR}cd"


def test_only_the_beginning_of_a_huge_answer_is_searched() -> None:
    assert "尽头" not in searchable("长", ["啊" * SEARCHED_CHARS + "尽头"])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(MARKS) | st.characters(), max_size=40))
def test_any_text_is_reduced_to_what_can_be_stored(pieces: list[str]) -> None:
    text = searchable("", ["".join(pieces)])
    assert text.count(SEPARATOR) == 1 and "\x00" not in text
    text.encode()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(MARKS), min_size=1, max_size=6))
def test_no_text_takes_longer_than_its_length(pieces: list[str]) -> None:
    repeated = "".join(pieces)
    text = (repeated * (200_000 // len(repeated) + 1))[:200_000]
    # What is quadratic takes minutes.
    assert effort(lambda: plain(text)) < 100
