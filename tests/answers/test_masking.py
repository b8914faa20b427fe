"""The events of an answer, masked: nothing of a banned word gets out, and nothing else is lost."""

from hypothesis import given
from hypothesis import strategies as st

from chat.answers.banned_words import BannedWords
from chat.answers.masking import EventMask
from chat.answers.partial import PartialAnswer
from providers.events import Citation, Delta, Event, Rewrite, Suggestion, Thought, ToolStep
from tests.answers.test_partial import EVENTS, partial_of, visible

WORDS = BannedWords(["赌博", "secret"])


def masked(events: list[Event]) -> tuple[PartialAnswer, EventMask]:
    mask = EventMask(WORDS)
    shown = [part for event in events for part in mask.apply(event)]
    return partial_of([*shown, *mask.end()]), mask


@given(st.lists(EVENTS, max_size=20))
def test_an_answer_without_a_word_is_the_same(events: list[Event]) -> None:
    partial, mask = masked(events)
    if not mask.has_masked:
        assert visible(partial) == visible(partial_of(events))


def test_a_word_is_masked_across_the_pieces_of_a_reply_and_of_a_thought() -> None:
    pieces = ["去赌", "博吗，se", "cr", "et"]
    events = [*map(Thought, pieces), *map(Delta, pieces)]
    partial, mask = masked(events)
    assert partial.replies == ("去＊＊吗，＊＊＊＊＊＊",)
    assert partial.content.thoughts == partial.replies[0]
    assert mask.has_masked


def test_each_reply_is_a_text_of_its_own() -> None:
    partial, mask = masked([Delta("赌", 0), Delta("博", 1), Delta("博", 0)])
    assert partial.replies == ("＊＊", "博")
    assert mask.has_masked


def test_a_text_that_replaces_another_is_masked_from_its_beginning() -> None:
    partial, _ = masked([Delta("去赌"), Rewrite("博物馆，赌"), Delta("博")])
    assert partial.replies == ("博物馆，＊＊",)


def test_what_comes_at_once_is_masked_but_for_names_and_addresses() -> None:
    partial, _ = masked(
        [
            ToolStep("1", "secret", "done", "find secret", "a secret"),
            Citation("a secret", "https://secret.example", "the secret"),
            Suggestion("tell a secret?"),
        ]
    )
    content, stars = partial.content, "＊" * 6
    assert content.tools[0]["name"] == "secret"
    assert (
        content.tools[0]["input"] == f"find {stars}" and content.tools[0]["output"] == f"a {stars}"
    )
    assert content.citations == [
        {"title": f"a {stars}", "url": "https://secret.example", "text": f"the {stars}"}
    ]
    assert content.suggestions == [f"tell a {stars}?"]


def test_a_thought_is_whole_before_the_answer_begins() -> None:
    mask = EventMask(WORDS)
    assert mask.apply(Thought("赌")) == []
    assert mask.apply(Delta("好")) == [Thought("赌"), Delta("好")]
