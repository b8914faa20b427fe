"""Wenxin's packets as our events: appended, replaced, in sections, with everything that may be
missing.
"""

from hypothesis import given
from hypothesis import strategies as st

from providers.events import Accepted, Citation, Delta, Event, Media, Rewrite, ToolStep
from providers.wenxin.answer import WenxinReader
from tests.kit.asking import final_text, read_all

# Each operation: the section it names (None: no id), append or replace, the text, whether it ends
# that.
OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from([None, "s1", "s2"]),
        st.sampled_from(["append", "append", "append", "replace"]),
        st.text(alphabet="今天有雨\nab🌊", max_size=5),
        st.booleans(),
    ),
    max_size=12,
)


def packet(*items: object, **message) -> dict:
    return {
        "status": 0,
        "message": "succ",
        "logid": 3,
        "data": {"message": {"content": [*items], **message}},
    }


def item(
    text: str, section: str | None = None, show: str = "append", ended: bool = False, **data
) -> dict:
    found = {
        "dataType": "markdown",
        "isFinished": ended,
        "data": {"text": text, "showType": show, **data},
    }
    return found | ({"sectionId": section} if section else {})


def told(*packets: dict) -> list[Event]:
    return read_all(WenxinReader(), packets)


@given(st.lists(st.text(min_size=1, max_size=6), max_size=12))
def test_appended_pieces_are_the_text(pieces):
    events = told(*(packet(item(piece, "s1")) for piece in pieces))
    assert [one.text for one in events if isinstance(one, Delta)] == pieces


@given(OPERATIONS, st.integers(1, 4))
def test_packets_may_be_cut_anywhere(operations, size):
    """The same items say the same text, in packets of one or of several."""
    items = [item(text, section, show, ended) for section, show, text, ended in operations]
    one_by_one = told(*(packet(one) for one in items))
    grouped = told(*(packet(*items[at : at + size]) for at in range(0, len(items), size)))
    assert final_text(one_by_one) == final_text(grouped)


@given(OPERATIONS)
def test_replaced_sections_read_as_if_they_had_been_right_at_once(operations):
    """A model that keeps whole sections and joins them at the end agrees with what was told on
    the way.
    """
    sections: list[list] = []  # [ids, text, has ended]
    for section, show, text, ended in operations:
        found = [one for one in sections if section and section in one[0]]
        if show == "replace" and any(one[1] for one in sections) and found:
            for one in found:
                one[1] = ""
            found[0][1] = text
        elif text or (show == "replace" and any(one[1] for one in sections)):
            last = sections[-1] if sections else None
            if last is None or last[2]:
                sections.append([set(), "", False])
            sections[-1][0].add(section)
            sections[-1][1] = (
                text if show == "replace" and sections[-1][1] else sections[-1][1] + text
            )
        if ended and sections:
            sections[-1][2] = True
    whole = ""
    for _, text, _ in sections:
        whole += ("\n\n" if whole and not whole.endswith("\n") and text else "") + text
    assert final_text(told(*(packet(item(t, s, show, e)) for s, show, t, e in operations))) == whole


def test_two_sections_are_two_paragraphs():
    events = told(
        packet(item("一", "s1"), item("行", "s1", ended=True)), packet(item("二", "s2", ended=True))
    )
    assert final_text(events) == "一行\n\n二"


def test_a_section_that_ends_with_a_line_needs_no_blank_one():
    assert final_text(told(packet(item("一\n", "s1", ended=True), item("二", "s2")))) == "一\n二"


def test_a_replaced_section_leaves_the_others_alone():
    events = told(
        packet(item("一", "s1", ended=True), item("草稿", "s2")),
        packet(item("二", "s2", "replace")),
    )
    assert Rewrite("一\n\n二") in events


def test_without_an_id_what_came_since_the_last_section_is_replaced():
    events = told(
        packet(item("一", ended=True), item("草"), item("稿"), item("二", show="replace"))
    )
    assert final_text(events) == "一\n\n二"


def test_everything_may_be_missing():
    odd = [
        None,
        {},
        [],
        "x",
        {"message": None},
        {"message": {"content": None}},
        {"message": {"content": "x"}},
    ]
    items = [
        None,
        3,
        {},
        {"dataType": "markdown"},
        {"dataType": "null", "data": "x"},
        {"progress": "x"},
    ]
    assert told(*({"status": 0, "data": one} for one in odd), packet(*items)) == [
        Accepted(trace="3")
    ]


def test_text_may_be_a_string_an_object_or_its_content():
    items = [
        {"dataType": kind, "data": data}
        for kind, data in (
            ("txt", "一"),
            ("text", {"text": "二"}),
            ("markdown", {"content": "三"}),
            ("markdown", None),
        )
    ]
    answer = WenxinReader()
    assert final_text(list(answer.apply_whole({"data": {"content": items}}))) == "一\n\n二\n\n三"


def test_the_last_thread_that_was_named_counts():
    events = told(packet(threadId="t", msgId="m"), packet(item("一")), packet(threadId=""))
    assert [one for one in events if isinstance(one, Accepted)] == [Accepted("t", "m", "3")]


def test_pictures_once_each_and_only_from_the_web():
    cards = [
        {"image_url": "https://x.example/1.png"},
        {
            "img": [
                "https://x.example/1.png",
                {"url": "https://x.example/2.png"},
                "javascript:alert(1)",
                None,
            ]
        },
    ]
    events = told(packet(*({"dataType": "uiData", "data": card} for card in cards)))
    assert [one.url[-5:] for one in events if isinstance(one, Media)] == ["1.png", "2.png"]


def test_sources_on_the_message_and_on_an_item():
    source = {"text": "天气", "url": "https://weather.example/a"}
    events = told(
        packet({"data": None, "referenceList": [source]}, referenceList=[source, {"text": "书"}])
    )
    assert [one for one in events if isinstance(one, Citation)] == [
        Citation("天气", "https://weather.example/a"),
        Citation("书"),
    ]


def test_tools_in_both_of_their_forms():
    def tools(**tool: object) -> dict:
        return packet({"data": None, "progress": {"stepId": "1", "toolsStatus": [tool]}})

    events = told(
        tools(status="ing", toolName="search", title="正在搜索"),
        tools(status="ing", toolName="search", title="正在搜索"),
        tools(status="finish", toolName="search"),
        tools(status="start", toolName="memory", actionName="回忆", actionContent="昨天"),
        tools(status="error", toolName="memory"),
        tools(status=1, toolName="odd"),
        tools(status="ing", toolName="search", title="再搜索"),
    )
    assert events[1:] == [
        ToolStep("step-1", "正在搜索", "running"),
        ToolStep("step-1", "正在搜索", "done"),
        ToolStep("step-2", "回忆", "running", "昨天"),
        ToolStep("step-2", "回忆", "failed", "昨天"),
        ToolStep("step-3", "再搜索", "running"),
        ToolStep("step-3", "再搜索", "done"),
    ]


def test_a_tool_s_status_that_is_no_text_is_no_status():
    for status in ({"a": 1}, ["ing"], None, 7):
        tool = {"toolName": "search", "status": status}
        events = told(packet({**item("x"), "progress": {"toolsStatus": [tool]}}))
        assert [one for one in events if not isinstance(one, Accepted)] == [Delta("x")]


def test_a_section_id_that_is_new_at_each_packet_does_not_part_the_text():
    events = told(*(packet(item(piece, f"s{number}")) for number, piece in enumerate("今天有雨")))
    assert final_text(events) == "今天有雨"


def test_only_the_end_of_the_turn_ends_an_answer():
    reader = WenxinReader()
    list(reader.apply(packet(item("好", "s1", ended=True))))
    assert not reader.is_over
    list(reader.apply(packet(endTurn=True)))
    assert reader.is_over
