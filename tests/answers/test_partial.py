"""What an answer holds: whatever the events, it says the same again."""

from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from chat.answers.partial import PartialAnswer, events_of, make_legible
from chat.storage import Answer
from providers.events import (
    Accepted,
    Citation,
    Delta,
    Done,
    Event,
    Media,
    Rewrite,
    Status,
    Suggestion,
    Thought,
    ToolStep,
    Usage,
)

TEXT = st.text(max_size=8)
REPLY = st.integers(0, 3)
EVENTS = st.one_of(
    st.builds(Delta, TEXT, REPLY),
    st.builds(Rewrite, TEXT, REPLY),
    st.builds(Thought, TEXT),
    st.builds(
        ToolStep,
        st.sampled_from(["a", "b"]),
        st.sampled_from(["search", "draw"]),
        st.sampled_from(["running", "done", "failed"]),
        st.none() | TEXT,
        st.none() | TEXT,
    ),
    st.builds(
        Media, st.sampled_from(["image", "file"]), st.sampled_from(["https://a", "https://b"])
    ),
    st.builds(Citation, st.sampled_from(["one", "two"]), st.none() | TEXT),
    st.builds(Suggestion, st.sampled_from(["why?", "how?"])),
    st.builds(Usage, st.integers(0, 9), st.integers(0, 9), st.integers(0, 18)),
    st.builds(Accepted, st.none() | TEXT, st.none() | TEXT, st.none() | TEXT),
    st.builds(Status, st.sampled_from(["queued", "waiting", "answering"])),
)


def partial_of(events: list[Event]) -> PartialAnswer:
    partial = PartialAnswer()
    for event in events:
        partial.apply(event)
    return partial


def visible(partial: PartialAnswer) -> dict[str, object]:
    """All that a page shows of a partial answer, without empty replies before the first words."""
    columns = partial.columns()
    return {**columns, "thread": None, "chat": None, "trace": None}


def stored(partial: PartialAnswer) -> Answer:
    """The answer as the database gives it back."""
    return Answer(**partial.columns())


@given(st.lists(EVENTS, max_size=30))
def test_its_events_say_the_same_again(events: list[Event]) -> None:
    partial = partial_of(events)
    again = partial_of(events_of(partial.content))
    assert visible(again) == visible(partial)
    assert events_of(again.content) == events_of(partial.content)


@given(st.lists(EVENTS, max_size=30))
def test_a_stored_answer_says_the_same_again(events: list[Event]) -> None:
    partial = partial_of(events)
    again = PartialAnswer.of(stored(partial))
    assert again.columns() == partial.columns()
    assert events_of(again.content) == events_of(partial.content)
    assert again.thread == partial.thread
    assert not again.is_dirty, "nothing of it has to be stored"


@given(st.lists(EVENTS, max_size=30), st.lists(EVENTS, max_size=30))
def test_a_resumed_answer_goes_on_where_it_was(before: list[Event], after: list[Event]) -> None:
    resumed = PartialAnswer.of(stored(partial_of(before)))
    for event in after:
        resumed.apply(event)
    assert resumed.columns() == partial_of(before + after).columns()


@given(st.lists(EVENTS, max_size=30), st.lists(EVENTS, max_size=10))
def test_events_anew_replace_what_a_reader_knows(events: list[Event], known: list[Event]) -> None:
    partial = partial_of(events)
    reader = partial_of(
        [
            event
            for event in known
            if isinstance(event, Delta) and event.reply < len(partial.replies)
        ]
    )
    for event in events_of(partial.content, anew=True):
        assert not isinstance(event, Thought), "thoughts cannot be replaced, only repeated"
        reader.apply(event)
    assert reader.replies == partial.replies


def test_what_comes_twice_counts_once() -> None:
    partial = partial_of(
        [
            Suggestion("why?"),
            Suggestion("why?"),
            Media("image", "https://a"),
            Media("image", "https://a"),
        ]
    )
    assert partial.content.suggestions == ["why?"] and len(partial.content.media) == 1


def test_a_tool_s_second_word_adds_to_its_first() -> None:
    partial = partial_of(
        [
            ToolStep("a", "search", "running", input="cats"),
            ToolStep("a", "search", "done", output="3"),
        ]
    )
    assert partial.content.tools == [asdict(ToolStep("a", "search", "done", "cats", "3"))]


def test_a_later_id_adds_to_an_earlier_and_erases_none() -> None:
    partial = partial_of([Accepted("thread", None, "trace"), Accepted(None, "chat", None)])
    assert (partial.thread, partial.chat, partial.trace) == ("thread", "chat", "trace")


def test_words_that_turn_out_to_be_a_thought_are_no_answer() -> None:
    events: list[Event] = [Delta("hmm"), Rewrite(""), Thought("hmm")]
    thinking = partial_of(events)
    assert thinking.is_empty and thinking.size == 3
    partial = partial_of([*events, Delta("yes")])
    row = stored(partial)
    assert (row.replies, row.thoughts) == (["yes"], "hmm")
    assert events_of(PartialAnswer.of(row).content) == [Thought("hmm"), Delta("yes")]


def test_blank_text_says_nothing_and_a_picture_does() -> None:
    assert partial_of([Delta(" \n"), Thought("hm"), Suggestion("why?")]).is_empty
    assert not partial_of([Delta("\n"), Delta("x", 1)]).is_empty
    assert not partial_of([Media("image", "https://a")]).is_empty


def test_a_long_answer_costs_no_more_than_its_length() -> None:
    partial = PartialAnswer()
    for _ in range(200_000):
        partial.apply(Delta("字"))
    assert partial.size == 200_000 and len(partial.replies[0]) == 200_000


def test_halves_of_characters_and_nuls_are_replaced() -> None:
    assert make_legible(Delta("a\ud83db\x00")) == Delta("a\ufffdb\ufffd")
    step = ToolStep("1", "search", "done", output="\udfff")
    assert make_legible(step) == ToolStep("1", "search", "done", output="\ufffd")


def test_everything_else_stays_itself() -> None:
    for event in (Delta("😀 字\n"), Done()):
        assert make_legible(event) is event
