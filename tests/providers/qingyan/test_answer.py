"""Qingyan's repeated text becomes exact deltas and its marks vanish, however the text is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.events import Citation, Delta, Event, Media, Rewrite, ToolStep, Usage
from providers.qingyan.answer import _MARK, Marks, QingyanReader
from tests.kit.asking import final_text, read_all

PIECES = st.lists(
    st.text(alphabet="我查很抱歉 \n*【3†source来】abc🌊", min_size=1, max_size=6), max_size=12
)
MARKED = st.lists(
    st.sampled_from(
        [
            "【",
            "3",
            "12",
            "†",
            "source",
            "来源",
            "】",
            "【3†source】",
            "【0†来源】",
            "sou",
            "rce",
            "今天",
        ]
    ),
    max_size=30,
).map("".join)


def event(content: object, status: str = "processing", outer: str = "processing", **meta) -> dict:
    message = {"role": "assistant", "content": content, "status": status, "meta_data": meta}
    return {"message": message, "status": outer}


def text(said: str, status: str = "processing", outer: str = "processing") -> dict:
    return event({"type": "text", "text": said}, status, outer)


def call(name: str = "browser", arguments: str = 'search("x")', status: str = "finish") -> dict:
    return event(
        {"type": "tool_calls", "tool_calls": {"name": name, "arguments": arguments}}, status
    )


def told(*events: dict) -> list[Event]:
    return read_all(QingyanReader(), events)


def cumulative(pieces: list[str]) -> list[dict]:
    return [text("".join(pieces[: end + 1])) for end in range(len(pieces))]


@given(PIECES)
def test_any_cut_of_repeated_text_gives_it_back_once(pieces):
    whole = "".join(pieces)
    events = [*cumulative(pieces), text(whole, "finish"), text(whole, "finish", "finish")]
    assert final_text(told(*events)) == _MARK.sub("", whole)


@given(PIECES, PIECES)
def test_text_that_starts_again_after_a_tool_is_a_new_paragraph(first, second):
    events = told(*cumulative(first), call(), *cumulative(second))
    spoken = [_MARK.sub("", "".join(pieces)) for pieces in (first, second)]
    assert final_text(events) == "\n\n".join(filter(None, spoken))


@given(MARKED, st.data())
def test_marks_vanish_wherever_they_are_cut(whole, data):
    marks, shown, position = Marks(), "", 0
    while position < len(whole):
        size = data.draw(st.integers(1, 7))
        shown += marks.feed(whole[position : position + size])
        position += size
    assert shown + marks.flush() == _MARK.sub("", whole)


@given(PIECES)
def test_a_stream_and_a_whole_answer_say_the_same(pieces):
    whole = "".join(pieces)
    answer = QingyanReader()
    part = {"content": [{"type": "text", "text": whole}]}
    at_once = list(answer.apply_whole({"output": [part], "status": "finish"})) + list(answer.end())
    assert final_text(at_once) == final_text(told(*cumulative(pieces)))


def test_the_deltas_of_the_worked_transcript():
    page = {
        "type": "webpage",
        "title": "示例天气",
        "url": "https://weather.example/a",
        "text": "小雨",
    }
    events = told(
        {"message": {}, "status": "init"},
        text("我查"),
        text("我查一下。", "finish"),
        call(),
        event({"type": "browser_result", "content": "{}"}, "finish", metadata_list=[page]),
        text("今天有"),
        text("今天有小雨【0†source】。", "finish", "finish"),
    )
    deltas = [one.text for one in events if isinstance(one, Delta)]
    assert deltas == ["我查", "一下。", "\n\n今天有", "小雨。"]
    assert [one for one in events if isinstance(one, Citation)] == [
        Citation("示例天气", "https://weather.example/a", "小雨")
    ]


def test_text_that_starts_again_without_a_tool_is_not_said_twice():
    assert (
        final_text(told(text("很"), text("很抱歉"), text("很"), text("很好"))) == "很抱歉\n\n很好"
    )


def test_an_event_of_an_unknown_type_does_not_tear_the_text():
    strange = event({"type": "one_to_more_finish", "x": 1})
    assert final_text(told(text("今天"), strange, text("今天有雨"))) == "今天有雨"


def test_missing_and_empty_messages_and_contents_say_nothing():
    odd = [
        None,
        {},
        [],
        "x",
        7,
        {"content": None},
        {"content": {}},
        {"content": [None, 3]},
    ]
    assert told(*({"message": one, "status": "init"} for one in odd)) == []


def test_a_tool_runs_and_is_done_under_one_id_however_often_it_is_told():
    events = told(
        call(arguments="sea", status="processing"),
        call(arguments='search("雨")'),
        call(arguments='search("雨")'),
        event({"type": "browser_result", "content": "{}"}, "finish"),
        event({"type": "browser_result", "content": "{}"}, "finish"),
    )
    assert [(one.id, one.state, one.input) for one in events if isinstance(one, ToolStep)] == [
        ("step-1", "running", "sea"),
        ("step-1", "running", 'search("雨")'),
        ("step-1", "done", 'search("雨")'),
    ]


def test_code_and_what_it_printed_are_one_step():
    events = told(
        event({"type": "code", "code": "print(6"}),
        event({"type": "code", "code": "print(6 * 7)"}, "finish"),
        event({"type": "execution_output", "content": "42"}, "finish"),
        text("四十二", "finish", "finish"),
    )
    last = [one for one in events if isinstance(one, ToolStep)][-1]
    assert last == ToolStep("step-1", "code_interpreter", "done", "print(6 * 7)", "42")


def test_a_tool_that_fails_is_told_and_the_answer_goes_on():
    failed = event(
        {"type": "system_error", "content": ""}, "finish", failedURL="https://gone.example/"
    )
    events = told(call(), failed, text("没有找到", "finish", "finish"))
    assert [one.state for one in events if isinstance(one, ToolStep)] == ["running", "failed"]
    assert final_text(events) == "没有找到"


def test_passages_of_the_knowledge_are_cited():
    events = told(
        event({"type": "rag_slices", "content": []}, "finish"),
        event(
            {"type": "rag_slices", "content": [{"text": "十点", "document_name": "时间.pdf"}]},
            "finish",
        ),
    )
    assert Citation("时间.pdf", None, "十点") in events
    assert [one.state for one in events if isinstance(one, ToolStep)] == ["running", "done"]


def test_a_picture_is_shown_once_and_only_from_the_web():
    picture = {"type": "image", "image": [{"image_url": "https://sfile.chatglm.cn/1.png"}]}
    evil = {"type": "image", "image": [{"image_url": "javascript:alert(1)"}]}
    events = told(
        event(picture), event(picture, "finish"), event(picture, "finish", "finish"), event(evil)
    )
    assert [one for one in events if isinstance(one, Media)] == [
        Media("image", "https://sfile.chatglm.cn/1.png")
    ]


def test_every_text_of_every_part_of_a_whole_answer_counts():
    parts = [
        {"content": [{"type": "text", "text": "我查一下。"}]},
        {"content": {"type": "tool_calls", "tool_calls": {"name": "browser", "arguments": "x"}}},
        {"content": [{"type": "browser_result", "content": "{}"}]},
        {
            "content": [{"type": "text", "text": "小雨"}, {"type": "text", "text": "带伞"}],
            "meta_data": {"usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}},
        },
    ]
    answer = QingyanReader()
    events = list(answer.apply_whole({"output": parts, "status": "finish"})) + list(answer.end())
    assert final_text(events) == "我查一下。\n\n小雨\n\n带伞"
    assert Usage(3, 4, 7) in events


def test_a_type_that_is_no_text_is_an_unknown_type():
    for kind in ({"a": 1}, ["text"], None, 7):
        assert told(text("前"), event({"type": kind}), text("前后")) == [Delta("前"), Delta("后")]


@given(PIECES, st.sampled_from(["\ud83c", "\ufffd"]), st.integers(0, 30))
def test_half_a_character_at_the_end_of_a_text_doubles_nothing(pieces, half, at):
    whole = "".join(pieces) + "🌊"
    events = [text(whole[:at] + half), text(whole), text(whole, "finish", "finish")]
    assert final_text(told(*events)) == _MARK.sub("", whole)


def test_a_text_corrected_within_its_message_is_rewritten():
    assert told(text("今天有雨"), text("今天有雪，带伞")) == [
        Delta("今天有雨"),
        Rewrite("今天有雪，带伞"),
    ]


def test_a_correction_leaves_the_message_before_alone_and_has_no_marks():
    corrected = "有雪【1†source】"
    events = told(text("我查。", "finish"), call(), text("有雨"), text(corrected), text(corrected))
    assert final_text(events) == "我查。\n\n有雪"


@pytest.mark.parametrize(
    ("texts", "said_in_the_end"),
    [
        (["今天有雨", "今天", "今天有雨"], "今天有雨"),
        (["今天有雨", "今", "今天", "今天有雨，带伞"], "今天有雨，带伞"),
        (["今天有雨", "今天"], "今天有雨"),
        (["今天有雨", "今天", "今天有雪"], "今天有雪"),
        (["今天有雨", "今", "今晚"], "今天有雨\n\n今晚"),
        (["天", "气", "天", "好"], "天气天好"),
    ],
)
def test_a_text_that_goes_back_to_its_beginning_is_neither_shortened_nor_doubled(
    texts, said_in_the_end
):
    events = told(*map(text, texts))
    assert final_text(events) == said_in_the_end
    assert not any(isinstance(one, Rewrite) and texts[0].startswith(one.text) for one in events)


@given(PIECES, st.lists(st.integers(0, 40), max_size=4))
def test_beginnings_that_come_again_change_nothing(pieces, places):
    whole = "".join(pieces)
    again = [text(whole[:place]) for place in sorted(places)]
    events = [*cumulative(pieces), *again, text(whole, "finish", "finish")]
    assert final_text(told(*events)) == _MARK.sub("", whole)


def test_another_text_after_a_finished_message_is_another_paragraph():
    assert (
        final_text(told(text("今天有雨", "finish"), text("今天别出门"))) == "今天有雨\n\n今天别出门"
    )


@given(st.lists(st.sampled_from(["天", "气", "很", "好"]), min_size=1, max_size=4, unique=True))
def test_pieces_with_or_without_the_whole_text_at_the_end_are_the_text(pieces):
    whole = "".join(pieces)
    assert final_text(told(*map(text, pieces))) == whole
    assert final_text(told(*map(text, pieces), text(whole, "finish", "finish"))) == whole


def test_a_content_may_be_a_plain_text():
    assert final_text(told(event("今天"), event("今天有雨"))) == "今天有雨"


def test_the_last_message_that_has_finished_with_text_makes_an_answer_whole():
    reader = QingyanReader()
    for message, is_whole in (
        (text("我查"), False),
        (text("我查一下", "finish"), True),
        (call(), False),
        (text("有雨", "finish"), True),
    ):
        list(reader.apply(message))
        assert (reader.is_whole, reader.is_over) == (is_whole, False)


def test_a_total_that_is_not_given_is_the_sum():
    usage = {"prompt_tokens": 3, "completion_tokens": "4"}
    assert Usage(3, 4, 7) in told(event({"type": "text", "text": "好"}, usage=usage))


@given(
    st.text("查我很杭州", min_size=8, max_size=20), st.text("抱歉不说。", min_size=1, max_size=9)
)
def test_a_short_correction_replaces_a_text_that_has_repeated_itself(first, correction):
    events = [*cumulative([first[:4], first[4:]]), text(correction), text(correction, "finish")]
    assert final_text(told(*events)) == correction
