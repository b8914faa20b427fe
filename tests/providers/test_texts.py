"""Characters come whole and thoughts apart from the words, wherever a platform cuts its text."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import Unavailable
from providers.events import Delta, Done, Event, Rewrite, Thought
from providers.texts import join_halves, tidy, without_half
from tests.kit.effort import effort

WORDS = st.text(st.sampled_from("好 a\n😀<>/thinkx.🀄"), max_size=30)


def read(*events: Event | str, stored: str = "") -> tuple[str, str]:
    """The words and the thoughts of an answer, as a page would have them that has the stored
    words.
    """
    words, thoughts = stored, ""
    source = [Delta(event) if isinstance(event, str) else event for event in events]
    for event in tidy(iter([*source, Done()]), [stored] if stored else []):
        match event:
            case Delta():
                words += event.text
            case Rewrite():
                words = event.text
            case Thought():
                thoughts += event.text
    return words, thoughts


def halves(text: str) -> str:
    """A text as JSON has it: characters beyond the first plane in two halves."""
    units = text.encode("utf-16-be")
    return "".join(chr(units[i] << 8 | units[i + 1]) for i in range(0, len(units), 2))


def cut(text: str, places: list[int]) -> list[str]:
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(edges)]


@given(st.text(max_size=30), st.lists(st.integers(0, 100), max_size=10))
def test_text_cut_between_the_halves_of_a_character_comes_whole(text, places):
    pieces = cut(halves(text), places)
    assert read(*pieces)[0] == read(text)[0]
    deltas = [e.text for e in tidy(map(Delta, pieces)) if isinstance(e, Delta)]
    assert all(text[-1] < "\ud800" or text[-1] > "\udbff" for text in deltas[:-1])


@given(st.text(max_size=30), st.lists(st.integers(0, 100), max_size=10))
def test_thoughts_cut_between_halves_come_whole(text, places):
    assert read(*map(Thought, cut(halves(text), places)))[1] == text


TAGS = [("<think>", "</think>"), ("<Thinking>", "</thinking>"), ("◁think▷", "◁/think▷")]


@given(
    st.sampled_from(TAGS),
    st.sampled_from(["", "\n", "\n\n", " "]),
    WORDS,
    WORDS,
    st.lists(st.integers(0, 100), max_size=10),
)
def test_what_stands_between_think_tags_is_a_thought_wherever_it_is_cut(
    tags, blank, thought, words, places
):
    if "think" in (thought + words).lower():
        return
    text = f"{blank}{tags[0]}{thought}{tags[1]}\n\n{words}"
    assert read(*cut(text, places)) == (words.lstrip(), thought)


@given(WORDS, WORDS, st.lists(st.integers(0, 100), max_size=10))
def test_a_closing_tag_alone_makes_a_thought_of_all_before_it(thought, words, places):
    if "think" in (thought + words).lower():
        return
    expected = thought if thought.strip() else ""
    assert read(*cut(f"{thought}</think>{words}", places))[0] == words.lstrip()
    assert read(*cut(f"{thought}</think>{words}", places))[1].strip() == expected.strip()


@pytest.mark.parametrize(
    ("pieces", "words", "thoughts"),
    [
        (["\n<think>想</think>好"], "好", "想"),
        (["<THINK>想", "</Think>好"], "好", "想"),
        (["先说<think>想</think>再说"], "先说再说", "想"),
        (["<think>甲</think>乙<think>丙</think>丁"], "乙丁", "甲丙"),
        (["<think>没有结束"], "", "没有结束"),
        (["好</think>"], "", "好"),
        (["<think>想</think>好</think>的"], "好的", "想"),
        (["用 `<think>` 标签"], "用 `<think>` 标签", ""),
        (["```\n<think>\n```\n好"], "```\n<think>\n```\n好", ""),
        (["a <b> <i> 1<2 <thin"], "a <b> <i> 1<2 <thin", ""),
        (["好", Rewrite("<think>想</think>好的")], "好的", "想"),
        (["<think>想</think>好", Rewrite("<think>想</think>好的")], "好的", "想"),
        (["\ud83d", Rewrite("😀")], "😀", ""),
    ],
)
def test_think_tags_as_models_write_them(pieces, words, thoughts):
    assert read(*pieces) == (words, thoughts)


@pytest.mark.parametrize(
    ("stored", "event", "words", "thoughts"),
    [
        ("好", "的", "好的", ""),
        ("好", Rewrite("<think>想</think>好的"), "好的", ""),
        ("想", "一想</think>好", "好", "想一想"),
    ],
)
def test_an_answer_that_is_read_again_has_its_thoughts_once(stored, event, words, thoughts):
    assert read(event, stored=stored) == (words, thoughts)


def test_words_are_taken_back_before_they_are_a_thought():
    """An answer has bounds: what is words and thought at once would count twice."""
    source = [Delta("想"), Delta("</think>好"), Rewrite("<think>再想</think>好的"), Done()]
    assert list(tidy(iter(source))) == [
        Delta("想"),
        Rewrite(""),
        Thought("想"),
        Delta("好"),
        Rewrite("好的"),
        Done(),
    ]
    source = [Delta("好"), Rewrite("<think>想</think>好的"), Done()]
    assert list(tidy(iter(source))) == [Delta("好"), Rewrite("好的"), Thought("想"), Done()]


def test_replies_have_their_own_thoughts_and_halves():
    events = [Delta("<think>甲\ud83d", 0), Delta("乙", 1), Delta("\ude00</think>丙", 0), Done()]
    assert list(tidy(iter(events))) == [
        Thought("甲"),
        Delta("乙", 1),
        Thought("😀"),
        Delta("丙", 0),
        Done(),
    ]


def test_what_waits_is_yielded_before_a_failure():
    def failing():
        yield Delta("好 <thi")
        raise Unavailable("cut", provider="coze")

    events = tidy(failing())
    assert [next(events), next(events)] == [Delta("好 "), Delta("<thi")]
    with pytest.raises(Unavailable):
        next(events)


def test_a_reader_that_leaves_closes_the_answer_at_once():
    closed = []

    def answering():
        try:
            yield Delta("好")
            yield Delta("的")
        finally:
            closed.append(True)

    # Held here, so that it is not closed because nobody has it any more.
    source = answering()
    events = tidy(source)
    next(events)
    events.close()
    assert closed == [True]


def test_a_text_full_of_tags_is_linear_work():
    text = "`<think>`" * 20_000

    def read_whole_and_in_pieces() -> None:
        assert read(text) == (text, "")
        assert read(*["`<think>`"] * 20_000) == (text, "")

    assert effort(read_whole_and_in_pieces) < 300


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("好", "好"),
        ("好\ud83d", "好"),
        ("好\ud800", "好"),
        ("好\udfff", "好"),
        ("好\ue000", "好\ue000"),
        ("好\ufffd", "好"),
        ("好\ud83d\ude00", "好😀"),
        ("", ""),
    ],
)
def test_a_text_without_its_last_half(text, expected):
    assert without_half(text) == expected
    assert join_halves("\ud83d\ude00\ud83d") == "😀\ud83d"
