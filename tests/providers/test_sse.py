"""Server-sent events come out the same however their bytes are framed and cut, and never fill the
memory.
"""

import time
import tracemalloc
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import sse
from providers.sse import ServerEvent

ENDS = ("\n", "\r\n", "\r")
TEXT = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=30)
NAME = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)
EVENTS = st.lists(
    st.builds(ServerEvent, NAME, st.lists(TEXT, min_size=1, max_size=3).map("\n".join)), max_size=5
)


def written(event: ServerEvent, end: str = "\n", space: str = "", noise: str = "") -> str:
    data = "".join(
        f"data:{space or ' ' * line.startswith(' ')}{line}{end}" for line in event.data.split("\n")
    )
    return f"{noise}event:{space}{event.name}{end}{data}{end}"


def cut_at(body: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[start:end] for start, end in pairwise(edges)]


@given(
    EVENTS,
    st.sampled_from(ENDS),
    st.sampled_from(["", " "]),
    st.sampled_from(["", ": keep-alive\n", "id: 7\n", "retry: 3000\n", "nonsense\n", ":\n\n\n"]),
    st.lists(st.integers(0, 10_000), max_size=40),
)
def test_any_cut_of_any_framing_gives_the_same_events(events, end, space, noise, places):
    body = "".join(
        written(event, end, space, noise.replace("\n", end)) for event in events
    ).encode()
    assert list(sse.parse(cut_at(body, places))) == events


def test_every_single_cut_of_chinese_and_emoji_gives_the_same_events():
    events = [ServerEvent("delta", "图书馆 📚 9 点开门"), ServerEvent("done", '"[DONE]"')]
    for end in ENDS:
        body = "".join(written(event, end) for event in events).encode()
        for place in range(len(body)):
            assert list(sse.parse([body[:place], body[place:]])) == events
        assert list(sse.parse(body[i : i + 1] for i in range(len(body)))) == events


def test_an_event_is_told_as_soon_as_its_blank_line_is_there():
    for end in ENDS:
        waiting = iter([f"data:1{end}{end}".encode(), AssertionError])
        assert next(sse.parse(waiting)).data == "1"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("data\n\n", [ServerEvent("message", "")]),
        ("data:a\ndata:\ndata: b\n\n", [ServerEvent("message", "a\n\nb")]),
        ("data:  two spaces\n\n", [ServerEvent("message", " two spaces")]),
        ("event:x\n\ndata:1\n\n", [ServerEvent("message", "1")]),
        ("event:x\nevent:y\ndata:1\n\n", [ServerEvent("y", "1")]),
        ("\ufeffdata:1\n\n", [ServerEvent("message", "1")]),
        ("data:a\u2028b\x0bc\x85d\n\n", [ServerEvent("message", "a\u2028b\x0bc\x85d")]),
        ("Data:1\n\n", []),
        (":data:1\n\n", []),
        ("", []),
        ("\n\n\r\n\r", []),
    ],
)
def test_the_letter_of_the_format(body, expected):
    assert list(sse.parse([body.encode()])) == expected


def test_the_end_without_a_blank_line_is_an_event_and_one_inside_a_line_is_marked():
    assert list(sse.parse([b"data:1\n"])) == [ServerEvent("message", "1")]
    assert list(sse.parse([b"data:1"])) == [ServerEvent("message", "1", cut=True)]
    assert list(sse.parse(["data:开".encode()[:-1]])) == [
        ServerEvent("message", "\ufffd", cut=True)
    ]


def test_bytes_that_are_no_utf8_do_not_end_the_stream():
    assert [e.data for e in sse.parse([b"data:\xff\xe5\n\ndata:2\n\n"])] == ["\ufffd\ufffd", "2"]


def test_lines_for_platforms_that_frame_otherwise():
    found = list(sse.lines([b"a\r", b"\nb\n\nc"]))
    assert found == [sse.Line("a"), sse.Line("b"), sse.Line(""), sse.Line("c", cut=True)]


def seconds_for_a_line_of(size: int) -> float:
    body = b"data:" + b"x" * size + b"\n\n"
    began = time.process_time()
    [event] = sse.parse(body[i : i + 100] for i in range(0, len(body), 100))
    assert len(event.data) == size
    return time.process_time() - began


def test_a_line_of_three_megabytes_in_small_pieces_is_linear_work():
    small = min(seconds_for_a_line_of(300_000) for _ in range(3))
    large = min(seconds_for_a_line_of(3_000_000) for _ in range(2))
    assert large < 1.0
    assert large < 40 * max(small, 0.002)


def test_ten_thousand_events_a_second_leave_most_of_a_core_free():
    payload = b'{"id":"7480000000000000401","content":"\xe5\xbc\x80"}'
    body = b"event:conversation.message.delta\ndata:" + payload + b"\n\n"
    began = time.process_time()
    assert sum(1 for _ in sse.parse([body * 40] * 500)) == 20_000
    assert time.process_time() - began < 1.0


def endless(piece: bytes) -> Iterator[bytes]:
    while True:
        yield piece


@pytest.mark.parametrize("piece", [b"x", b"data:" + b"x" * 4096, b"data:\n", b"data:1\ndata:2\n"])
def test_what_never_ends_is_refused_before_it_fills_the_memory(piece):
    tracemalloc.start()
    try:
        with pytest.raises(sse.TooLong):
            list(sse.parse(endless(piece), limit=100_000))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_many_lines_in_one_piece_are_not_one_long_line():
    body = b"data:" + b"x" * 90 + b"\n\n"
    assert sum(1 for _ in sse.parse([body * 100], limit=200)) == 100
