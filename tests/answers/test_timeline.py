"""The timeline of an answer: bounded, in order, and without a word of what was said."""

import json
from dataclasses import fields
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from chat.answers.timeline import GAP_S, MOST, Timeline
from providers.events import (
    Accepted,
    Citation,
    Delta,
    Event,
    Media,
    Status,
    Suggestion,
    Thought,
    ToolStep,
    Usage,
)

WORDS = "secret words of a visitor"
EVENTS = st.sampled_from(
    [
        Accepted(WORDS, WORDS, WORDS),
        Delta(WORDS),
        Thought(WORDS),
        ToolStep(WORDS, WORDS, "running", WORDS, WORDS),
        Media("image", WORDS),
        Citation(WORDS, WORDS, WORDS),
        Suggestion(WORDS),
        Usage(1, 2, 3),
        Status("waiting"),
    ]
)


def timeline(*events: tuple[Event, float]) -> list[list[object]]:
    timeline = Timeline()
    for event, seconds in events:
        timeline.note(event, seconds)
    return timeline.entries


def test_events_of_a_kind_that_follow_closely_are_one_entry() -> None:
    entries = timeline(
        (Status("waiting"), 0.1),
        (Delta("你好"), 1.0),
        (Delta("!"), 1.0 + GAP_S / 2),
        (Delta("more"), 1.0 + GAP_S),
    )
    assert entries == [[0.1, "status", 0], [1.0, "delta", 3], [1.25, "delta", 4]]


@given(st.lists(st.tuples(EVENTS, st.floats(0, 5)), max_size=60), st.integers(1, 40))
def test_it_is_bounded_and_in_order_and_counts_every_character(
    steps: list[tuple[Event, float]], times: int
) -> None:
    at, events = 0.0, []
    for event, after in steps * times:
        at += after
        events.append((event, at))
    entries = timeline(*events)
    assert len(entries) <= MOST
    assert [entry[0] for entry in entries] == sorted(entry[0] for entry in entries)
    assert sum(entry[2] for entry in entries) == sum(
        len(getattr(event, "text", None) or "") for event, _ in events
    )


def test_a_day_of_words_fits() -> None:
    entries = timeline(*((Delta("字"), second / 10) for second in range(0, 864_000, 7)))
    assert MOST / 4 < len(entries) <= MOST and entries[-1][0] > 80_000


def test_no_field_of_any_event_is_in_it() -> None:
    events = []
    for kind in get_args(Event):
        values = {slot.name: WORDS for slot in fields(kind)}
        events.append((kind(**values), 1.0 + len(events)))
    assert WORDS not in json.dumps(timeline(*events)) and len(timeline(*events)) == len(events)
