"""Events of an answer: read on from any position, and HTML that adds up to the whole."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.answers.live import Entry, Failed, Finished, LiveAnswer
from chat.answers.partial import PartialAnswer
from chat.page.drawings import LiveDrawings
from chat.page.rendering import render_blocks
from chat.storage import Answer, Conversation
from chat.web.answers.events import HEARTBEAT, EventWriter, PageReader
from providers.events import (
    Citation,
    Delta,
    Media,
    Rewrite,
    Status,
    Suggestion,
    Thought,
    ToolStep,
    Usage,
)

OPENING = {"conversation_id": "c", "message_id": "m", "agent": "coze"}
DONE = Finished("stop", ("one", "two"))
ALL: list[Entry] = [
    Status("queued", 3),
    Status("waiting"),
    Thought("hm"),
    ToolStep("t", "search", "running", input="cats"),
    ToolStep("t", "search", "done", output="3"),
    Delta("o"),
    Delta("ne"),
    Rewrite("one"),
    Delta("two", 1),
    Media("image", "https://example.com/a.png"),
    Citation("a page", "https://example.com"),
    Suggestion("why?"),
    Usage(1, 2, 3),
    DONE,
]


@dataclass(frozen=True)
class SentEvent:
    """An event as a reader of server-sent events has it."""

    id: int
    name: str
    data: dict[str, Any]


def heard(chunks: Iterable[bytes]) -> list[SentEvent]:
    """A small reader of its own, strict: one id, one event, one line of data."""
    blocks = b"".join(chunks).decode("utf-8").split("\n\n")
    assert blocks.pop() == "", "the last event is whole"
    events = []
    for block in blocks:
        if block.startswith(":"):
            continue
        first, second, third = block.split("\n")
        assert (
            first.startswith("id: ") and second.startswith("event: ") and third.startswith("data: ")
        )
        events.append(SentEvent(int(first[4:]), second[7:], json.loads(third[6:])))
    return events


def writer(position: int = 0, is_page: bool = False) -> EventWriter:
    page = PageReader(LiveDrawings(), dict) if is_page else None
    return EventWriter(OPENING, position, lambda failed: f"sentence for {failed.code}", page)


def live_of(entries: list[Entry], start: int = 0) -> LiveAnswer:
    live = LiveAnswer(start)
    for entry in entries:
        live.append(entry)
    return live


def answer_of(entries: list[Entry], **more: Any) -> Answer:
    partial = PartialAnswer()
    for entry in entries:
        if not isinstance(entry, Finished | Failed):
            partial.apply(entry)
    columns = {**partial.columns(), "state": "done", "finish_reason": "stop", **more}
    return Answer(**columns, conversation=Conversation())


def test_every_event_has_its_name_and_its_data() -> None:
    events = heard(writer().live(live_of(ALL)))
    assert [event.name for event in events] == [
        *(
            "turn",
            "status",
            "status",
            "thought",
            "tool",
            "tool",
            "delta",
            "delta",
            "replace",
            "delta",
        ),
        *("media", "citation", "suggestion", "usage", "done"),
    ]
    assert events[0].data == OPENING
    assert [event.id for event in events] == list(range(len(ALL) + 1))
    by_name = {event.name: event.data for event in events}
    assert by_name["status"] == {"state": "waiting"}
    assert by_name["tool"] == {"id": "t", "name": "search", "state": "done", "output": "3"}
    assert by_name["delta"] == {"text": "two", "reply": 1}
    assert by_name["done"] == {"finish_reason": "stop", "replies": ["one", "two"]}


def test_something_comes_at_once_and_in_silence() -> None:
    live = LiveAnswer()
    chunks = writer().live(live)
    assert next(chunks).startswith(HEARTBEAT)
    live.append(DONE)
    assert heard(chunks)[-1].name == "done"


@pytest.mark.parametrize("position", range(len(ALL) + 1))
def test_last_event_id_gives_exactly_the_rest(position: int) -> None:
    whole = heard(writer().live(live_of(ALL)))
    turn, *rest = heard(writer(position).live(live_of(ALL)))
    assert (turn.id, turn.name) == (position, "turn")
    assert rest == whole[position + 1 :]


@pytest.mark.parametrize("retry_after", [None, 7.5])
def test_a_failure_is_told_in_a_sentence(retry_after: float | None) -> None:
    event = heard(writer().live(live_of([Delta("half"), Failed("busy", retry_after)])))[-1]
    assert event.name == "error"
    expected = {"error": "sentence for busy", "code": "busy"}
    assert event.data == (expected if retry_after is None else {**expected, "retry_after": 7.5})


@pytest.mark.parametrize(
    "text", ["line\nbreak\r\n\r\n", "data: x\n\nid: 9\n\n", "\u2028\u0085\x00", "字👩‍👩‍👧", '"\\']
)
def test_no_text_breaks_the_frame(text: str) -> None:
    events = heard(writer().live(live_of([Delta(text), DONE])))
    assert [event.name for event in events] == ["turn", "delta", "done"]
    assert events[1].data["text"] == text


def test_a_stored_answer_is_told_in_the_fewest_events() -> None:
    events = heard(writer().stored(answer_of(ALL), list))
    assert [event.name for event in events] == [
        *(
            "turn",
            "thought",
            "tool",
            "delta",
            "delta",
            "media",
            "citation",
            "suggestion",
            "usage",
            "done",
        )
    ]
    assert [event.data["text"] for event in events if event.name == "delta"] == ["one", "two"]
    assert [event.id for event in events] == list(range(len(events)))


def test_a_stored_answer_replaces_what_a_reader_has_heard() -> None:
    events = heard(writer(7).stored(answer_of(ALL), list))
    assert "delta" not in {event.name for event in events} and "thought" not in {
        event.name for event in events
    }
    assert [event.data["text"] for event in events if event.name == "replace"] == ["one", "two"]
    assert [event.id for event in events] == list(range(7, 7 + len(events)))


@pytest.mark.parametrize(
    ("columns", "name", "data"),
    [
        ({"state": "stopped", "finish_reason": "stopped"}, "done", {"finish_reason": "stopped"}),
        ({"state": "failed", "code": "blocked"}, "error", {"code": "blocked"}),
        ({"state": "interrupted", "code": None}, "error", {"code": "unavailable"}),
    ],
)
def test_a_stored_end_is_told_as_it_was(
    columns: dict[str, Any], name: str, data: dict[str, str]
) -> None:
    events = heard(writer().stored(answer_of([Delta("half")], **columns), list))
    assert [event.name for event in events] == ["turn", "delta", name]
    assert data.items() <= events[-1].data.items()


@pytest.mark.parametrize("position", [1, 2, 50])
def test_a_reader_from_before_a_crash_is_told_anew(position: int) -> None:
    resumed: list[Entry] = [Thought("hm"), Delta("so far"), Delta(" and on"), Delta("two", 1), DONE]
    turn, *rest = heard(writer(position).live(live_of(resumed, start=5000)))
    assert turn.name == "turn"
    assert [event.name for event in rest] == ["replace", "delta", "replace", "done"]
    assert min(event.id for event in rest) > position, "so that reading on from there is reading on"
    again = heard(writer(rest[2].id).live(live_of(resumed, start=5000)))
    assert again[1:] == rest[3:]


def test_who_comes_new_to_a_resumed_answer_hears_deltas() -> None:
    events = heard(writer().live(live_of([Thought("hm"), Delta("so far"), DONE], start=5000)))
    assert [event.name for event in events] == ["turn", "thought", "delta", "done"]


# HTML for the page


def drawn(events: Iterable[SentEvent], page: list[str] | None = None) -> list[str]:
    """The page after these events, which changes blocks from an index on."""
    blocks = list(page or [])
    for event in events:
        if event.name == "html":
            assert event.data["from"] <= len(blocks), "no block is left out"
            blocks[event.data["from"] :] = event.data["blocks"]
    return blocks


LINES = st.sampled_from(
    [
        *(
            "# Title\n",
            "a paragraph ",
            "*half",
            " emphasis*\n",
            "\n",
            "\n\n",
            "- item\n",
            "1. one\n",
            "> quote\n",
        ),
        *(
            "```python\n",
            "print(1)\n",
            "```\n",
            "| a | b |\n|---|---|\n",
            "| 1 | 2 |\n",
            "$x^2$ ",
            "$$\n",
            "\\[",
            "字",
        ),
        *(
            "<script>alert(1)</script>\n",
            "[x](javascript:alert(1)) ",
            "    code\n",
            "---\n",
            "\r\n",
            "👩‍👩‍👧 ",
        ),
    ]
)
TEXTS = st.lists(st.lists(LINES, max_size=12).map("".join), min_size=1, max_size=3)


def live_in_batches(writer: EventWriter, batches: list[list[Entry]]) -> Iterator[bytes]:
    """What a reader is sent who reads after each batch."""
    live = LiveAnswer()
    chunks = writer.live(live)
    yield next(chunks)
    for batch in batches:
        for entry in batch:
            live.append(entry)
        if batch:
            yield next(chunks)
    yield from chunks


@settings(max_examples=40)
@given(texts=TEXTS, data=st.data())
def test_html_adds_up_to_the_whole_however_it_was_split(
    texts: list[str], data: st.DataObject
) -> None:
    deltas = [
        Delta(piece, number)
        for number, text in enumerate(texts)
        for piece in _split(text, data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    ]
    cut = data.draw(st.integers(0, len(deltas)))
    batches: list[list[Entry]] = [[*deltas[:cut]], [*deltas[cut:], Finished("stop", tuple(texts))]]
    events = heard(live_in_batches(writer(is_page=True), batches))
    assert drawn(events) == render_blocks(texts)
    assert events[-1].name == "done", "after the last picture"
    assert "<script" not in "".join(drawn(events))


@settings(max_examples=40)
@given(texts=TEXTS, data=st.data())
def test_a_page_that_lost_its_connection_ends_with_the_same(
    texts: list[str], data: st.DataObject
) -> None:
    entries: list[Entry] = [Delta(text, number) for number, text in enumerate(texts)]
    live = live_of([*entries, Finished("stop", tuple(texts))])
    whole = heard(writer(is_page=True).live(live))
    read_count = data.draw(st.integers(0, len(whole) - 1))
    page = drawn(whole[:read_count])
    last = whole[read_count - 1].id if read_count else 0
    again = heard(writer(last, is_page=True).live(live))
    assert drawn(again, page) == render_blocks(texts)
    answer = answer_of(entries)
    stored = heard(writer(last, is_page=True).stored(answer, lambda: render_blocks(texts)))
    assert drawn(stored, page) == render_blocks(texts)


@settings(max_examples=40)
@given(thought=LINES, words=LINES, data=st.data())
def test_words_that_turn_out_to_be_a_thought_leave_the_page(
    thought: str, words: str, data: st.DataObject
) -> None:
    entries: list[Entry] = [
        Delta(thought),
        Rewrite(""),
        Thought(thought),
        Delta(words),
        Finished("stop", (words,)),
    ]
    cut = data.draw(st.integers(0, len(entries) - 1))
    events = heard(live_in_batches(writer(is_page=True), [entries[:cut], entries[cut:]]))
    assert drawn(events) == render_blocks([words])
    assert [event.data for event in events if event.name == "replace"] == [{"text": "", "reply": 0}]
    whole = live_of(entries)
    page = drawn(events[:cut])
    last = events[cut - 1].id if cut else 0
    assert drawn(heard(writer(last, is_page=True).live(whole)), page) == render_blocks([words])


def _split(text: str, cuts: list[int]) -> list[str]:
    places = sorted({0, len(text), *cuts})
    return [text[a:b] for a, b in pairwise(places)]


def test_an_answer_that_cannot_be_followed_any_more_ends_with_its_reason() -> None:
    events = heard([writer(7).failed("not_found")])
    assert [event.name for event in events] == ["turn", "error"] and events[-1].data[
        "code"
    ] == "not_found"
    lost, live = writer(), LiveAnswer()
    live.append(Delta("o"))
    reading = lost.live(live)
    before = heard([next(reading), next(reading)])
    after = heard([lost.reopen().failed("not_found")])
    assert [event.name for event in before + after] == ["turn", "delta", "error"]
    assert after[0].id > before[-1].id
