"""Frames come out the same however a platform frames, dresses and cuts them, and never fill the
memory.
"""

import json
import tracemalloc
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import sse
from providers.bodies import Body, Frame, read_frames
from providers.errors import ProviderError, Unavailable, Unexpected
from providers.http import Http, Network
from tests.kit.asking import saying
from tests.kit.effort import effort

ENDS = ("\n", "\r\n", "\r")
TEXT = st.text(max_size=30)
VALUE = st.one_of(TEXT, st.integers(), st.booleans(), st.none(), st.lists(TEXT, max_size=2))
PAYLOAD = st.dictionaries(st.text(max_size=5), VALUE, max_size=3)
NAME = st.from_regex(r"[a-z.]{1,12}", fullmatch=True)
EVENTS = st.lists(st.tuples(NAME, PAYLOAD), max_size=5)
DONE = ("[DONE]", '"[DONE]"', " [DONE] ", '" [DONE] "', "[done]", "'[DONE]'")


def dumped(payload: Any, is_ascii: bool) -> str:
    text = json.dumps(payload, ensure_ascii=is_ascii)
    # Lone surrogates have no UTF-8; U+2028 and its like are no line ends.
    return text if is_ascii else text.encode("utf-8", "replace").decode()


def cut_at(body: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[start:end] for start, end in pairwise(edges)]


def payloads(body: bytes) -> list[Any]:
    return [frame.payload for frame in read_frames([body])]


@given(
    events=EVENTS,
    end=st.sampled_from(ENDS),
    space=st.sampled_from(["", " ", "  "]),
    gap=st.integers(1, 3),
    noise=st.sampled_from(
        ["", ": keep-alive\n", "id: 7\n", "retry: 3000\n", "nonsense\n", ":\n\n\n", "data:\n\n"]
    ),
    bom=st.sampled_from(["", "\ufeff"]),
    done=st.sampled_from(["", *DONE]),
    is_ascii=st.booleans(),
    places=st.lists(st.integers(0, 10_000), max_size=40),
)
def test_any_cut_of_any_dress_gives_the_same_frames(
    events, end, space, gap, noise, bom, done, is_ascii, places
):
    body = bom
    for name, payload in events:
        lines = f"{noise}event:{space}{name}\ndata:{space}{dumped(payload, is_ascii)}\n"
        body += lines + "\n" * gap
    if done:
        body += f"event: done\ndata: {done}\n\n"
    frames = list(read_frames(cut_at(body.replace("\n", end).encode("utf-8", "replace"), places)))
    expected = [Frame(name, json.loads(dumped(payload, is_ascii))) for name, payload in events]
    assert frames == expected + [Frame("done", None, is_done=True)] * bool(done)


@given(st.lists(PAYLOAD, min_size=1, max_size=5), st.sampled_from(["data:", "data: ", ""]))
def test_frames_a_single_newline_apart_are_frames(objects, prefix):
    body = "".join(f"{prefix}{json.dumps(payload)}\n" for payload in objects)
    assert payloads(body.encode()) == objects
    # Also without the last line's end.
    assert payloads(body.rstrip("\n").encode()) == objects


@given(PAYLOAD, st.integers(1, 4), st.sampled_from(["", "data:"]))
def test_an_object_may_be_printed_over_many_lines(payload, indent, prefix):
    lines = json.dumps({"a": {"b": payload}, "c": [1]}, indent=indent).split("\n")
    body = "".join(f"{prefix}{line}\n" for line in lines) + '\ndata: {"x": 1}\n\n'
    assert payloads(body.encode()) == [{"a": {"b": payload}, "c": [1]}, {"x": 1}]


LISTS = (
    lambda objects: json.dumps(objects),
    lambda objects: json.dumps(objects, indent=2),
    lambda objects: "[" + ",\n".join(map(json.dumps, objects)) + "]",
    lambda objects: "[\n" + "\n,\n".join(map(json.dumps, objects)) + "\n]\n",
    lambda objects: "[" + ",\r\n".join(json.dumps(one, indent=1) for one in objects) + "]",
    lambda objects: "".join(map(json.dumps, objects)),
    lambda objects: " ".join(map(json.dumps, objects)),
    lambda objects: "data:" + "".join(map(json.dumps, objects)) + "\n\n",
    lambda objects: "data: " + json.dumps(objects) + "\n\n",
    lambda objects: "".join(f"\x1e{json.dumps(one)}\n" for one in objects),
    lambda objects: "".join(f"data:{json.dumps(json.dumps(one))}\n\n" for one in objects),
    lambda objects: "".join(f"\ufeffdata:{json.dumps(one)}\n\n" for one in objects),
)


@given(
    st.lists(PAYLOAD.filter(bool), min_size=1, max_size=5),
    st.sampled_from(LISTS),
    st.lists(st.integers(0, 10_000), max_size=20),
)
def test_a_list_and_objects_without_a_line_between_them_are_objects(objects, dress, places):
    body = dress(objects).encode()
    assert [frame.payload for frame in read_frames(cut_at(body, places))] == objects


@given(st.lists(PAYLOAD.filter(bool), min_size=2, max_size=5), st.integers(1, 10_000))
def test_a_list_that_breaks_off_keeps_what_came_and_says_so(objects, place):
    body = ("[" + ",\n".join(map(json.dumps, objects)) + "]").encode()
    *whole, last = list(read_frames([body[: 1 + place % (len(body) - 1)]]))
    assert [frame.payload for frame in whole] == objects[: len(whole)]
    assert last == Frame("", None, is_cut=True)


def test_an_object_of_a_list_is_yielded_as_soon_as_its_line_is_there():
    waiting = iter([b'[{"a":1},\n', AssertionError])
    assert next(read_frames(waiting)).payload == {"a": 1}


def test_every_single_cut_of_chinese_and_emoji_gives_the_same_frames():
    payload = {"content": "图书馆 📚 9 点开门"}
    expected = [Frame("delta", payload), Frame("done", None, is_done=True)]
    text = f'event:delta\ndata:{dumped(payload, False)}\n\nevent:done\ndata:"[DONE]"\n\n'
    for end in ENDS:
        body = text.replace("\n", end).encode()
        for place in range(len(body)):
            assert list(read_frames([body[:place], body[place:]])) == expected
        assert list(read_frames(body[i : i + 1] for i in range(len(body)))) == expected


def test_a_frame_is_yielded_as_soon_as_its_line_is_there():
    for end in ENDS:
        waiting = iter([f'data:{{"a":1}}{end}'.encode(), AssertionError])
        assert next(read_frames(waiting)).payload == {"a": 1}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("data\n\n", []),
        ("data:\n\ndata: \n\n", []),
        ('event:x\n\ndata:{"a":1}\n\n', [Frame("", {"a": 1})]),
        ('event:x\nevent:y\ndata:{"a":1}\n\n', [Frame("y", {"a": 1})]),
        ('data:{"a":"\u2028\x85"}\n\n', [Frame("", {"a": "\u2028\x85"})]),
        ('Data:{"a":1}\n\n', []),
        (':data:{"a":1}\n\n', []),
        ("data:[1]\n\n", [Frame("", {})]),
        ("data: [PING]\n\ndata: 'keep-alive'\n\n", []),
        ("data: pong\ndata: heartbeat\ndata: KeepAlive\ndata: keep_alive\n\n", []),
        ('\ufeffdata:{"a":1}\n\n', [Frame("", {"a": 1})]),
        ('data:{"a":"x\ty"}\n\n', [Frame("", {"a": "x\ty"})]),
        ('data:{"a":1}[DONE]\n\n', [Frame("", {"a": 1}), Frame("", None, is_done=True)]),
        ('[\n{"a":1}\n,{"b":2}\n]', [Frame("", {"a": 1}), Frame("", {"b": 2})]),
        ('[{"a":1}]\n[DONE]', [Frame("", {"a": 1}), Frame("", None, is_done=True)]),
        ('data:{"a":1}x\n\n', [Frame("", {"a": 1}), Frame("", None)]),
        ("data:{x}\n\n", [Frame("", None)]),
        ('data:{x\n\ndata:{"a":1}\n\n', [Frame("", None), Frame("", {"a": 1})]),
        ('data:{x\ndata:{"a":1}\n', [Frame("", None), Frame("", {"a": 1})]),
        ("data:{x\ndata:[DONE]\n", [Frame("", None), Frame("", None, is_done=True)]),
        ('data:{"a":1', [Frame("", None, is_cut=True)]),
        ('data:{"a":1}', [Frame("", {"a": 1})]),
        ('data:{"a":1}\n\ndat', [Frame("", {"a": 1}), Frame("", None, is_cut=True)]),
        ('data:{"a":1}\n\ndata: ', [Frame("", {"a": 1}), Frame("", None, is_cut=True)]),
        ('data:{"a":1}\n\nevent:mess', [Frame("", {"a": 1}), Frame("", None, is_cut=True)]),
        ('data:{"a":1}\n\n:ping', [Frame("", {"a": 1})]),
        ('{"a":\n', [Frame("", None, is_cut=True)]),
        ("", []),
        ("\n\n\r\n\r", []),
    ],
)
def test_the_letter_of_the_format(body, expected):
    assert list(read_frames([body.encode()])) == expected


def test_bytes_that_are_no_utf8_do_not_end_the_stream():
    body = b'data:{"a":"\xff\xe5"}\n\ndata:{"a":2}\n\n'
    assert payloads(body) == [{"a": "\ufffd\ufffd"}, {"a": 2}]


def test_the_lines_below_the_frames():
    batches = list(sse.line_batches([b"a\r", b"\nb\n\nc"]))
    assert batches == [(["a"], False), (["b", ""], False), (["c"], True)]


# Bodies: the first byte decides


def body_of(content: bytes, status: str = "200 OK", kind: str = "text/event-stream") -> Body:
    with (
        saying(content, status, kind) as url,
        Http("coze", Network()).open("GET", url) as response,
    ):
        body = Body(response)
        body.read()
        return body


@pytest.mark.parametrize("kind", ["text/event-stream", "application/json", "text/html", ""])
@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request"])
def test_neither_status_nor_content_type_decides_what_a_body_is(kind, status):
    assert body_of(b' \r\n{"code":1}', status, kind).json() == {"code": 1}
    assert body_of(b'\xef\xbb\xbf{"code":1}', status, kind).kind == "json"
    events = body_of(b'event:error\ndata:{"code":1}\n\n', status, kind)
    assert (events.kind, events.json()) == ("events", {"code": 1})
    for value in (b"[1]", b'"a"', b"-1", b"true", b"false", b"null"):
        assert body_of(value, status, kind).kind == "json", value
    page = body_of(b"<html>", status, kind)
    assert page.kind == "page"
    with pytest.raises(Unexpected, match="sent a page" if status == "200 OK" else "HTTP 400"):
        list(page.frames())
    assert body_of(b"", status, kind).kind == "empty"


@pytest.mark.parametrize(
    "content",
    [
        b'{"code":7}',
        b'[{"code":7}]',
        b'"{\\"code\\":7}"',
        b'{"a":1}\n{"code":7}\n',
        b'{"code":7}\ndata: [DONE]\n',
        b'\n\xef\xbb\xbf [{"a":1}, {"code":7}]',
        b'data:{"code":7}\n\ndata: [DONE]\n\n',
        b'{"msg":"\xe5","code":7}',
        b'{"msg":"a\tb\nc","code":7}',
    ],
)
def test_the_failure_in_a_body_is_its_object(content):
    assert body_of(content).first_object()["code"] == 7
    assert body_of(content).failure()["code"] == 7


def test_a_body_can_be_read_after_a_look_at_its_first_object():
    body = body_of(b': x\n\ndata:{}\n\ndata:{"a":1}\n\ndata:{"b":2}\n\ndata:{"c"')
    assert body.first_object() == {"a": 1}
    objects = body.objects()
    assert [next(objects).payload for _ in range(3)] == [{}, {"a": 1}, {"b": 2}]
    with pytest.raises(Unavailable):
        next(objects)
    broken = body_of(b"data:" + b"x" * (17 * 1024 * 1024))
    assert broken.first_object() == {}
    with pytest.raises(Unexpected):
        list(broken.objects())


def test_a_body_of_many_pieces_is_read_to_its_end():
    payload = {"text": "长" * 400_000}
    assert body_of(json.dumps(payload).encode()).json() == payload


def test_plain_words_are_the_message_of_a_failure_and_a_page_is_none():
    assert body_of(b"upstream connect error", "503 x").failure() == {
        "message": "upstream connect error"
    }
    assert body_of(b"<html>", "503 x").failure() == {}


def test_a_body_that_broke_off_is_unavailable_and_a_broken_one_unexpected():
    def error_of(content: bytes) -> type[ProviderError] | None:
        try:
            list(body_of(content).objects())
        except ProviderError as error:
            return type(error)
        return None

    assert error_of(b'data:{"a":1}\n\ndata:{"a"') is Unavailable
    assert error_of(b'{"a":1') is Unavailable
    assert error_of(b'data:{"a":b}\n\n') is Unexpected
    assert error_of(b"<html></html>") is Unexpected
    assert error_of(b'data:{"a":1}\n\n') is None


# Sizes


def test_a_line_of_three_megabytes_in_small_pieces_is_linear_work():
    body = b'data:{"a":"' + b"x" * 3_000_000 + b'"}\n\n'

    def read() -> None:
        [frame] = read_frames(body[i : i + 100] for i in range(0, len(body), 100))
        assert frame.payload is not None and len(frame.payload["a"]) == 3_000_000

    assert effort(read) < 100


def endless(piece: bytes) -> Iterator[bytes]:
    while True:
        yield piece


@pytest.mark.parametrize("piece", [b"x", b"data:" + b"x" * 4096, b"data:{\n", b"data:x\ndata:y\n"])
def test_what_never_ends_is_refused_before_it_fills_the_memory(piece):
    tracemalloc.start()
    try:
        with pytest.raises(sse.TooLong):
            list(read_frames(endless(piece), limit=100_000))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_many_lines_in_one_piece_are_not_one_long_line():
    body = b'data:{"a":"' + b"x" * 80 + b'"}\n\n'
    assert sum(1 for _ in read_frames([body * 100], limit=200)) == 100
