"""What platforms have sent instead of what they document, on each that it may come from."""

import json
from typing import Any

import pytest

from providers import PLATFORMS
from providers.base import Provider
from providers.errors import NotConfigured, Unavailable, Unexpected
from tests.kit.asking import ask, saying
from tests.kit.contract import agent


def connect(platform: str, url: str) -> Provider:
    return agent(platform, url)


def yuanqi(text: str | list[Any], **choice: Any) -> bytes:
    frame = {"id": "r", "choices": [{"delta": {"role": "assistant", "content": text}, **choice}]}
    return b"data: " + json.dumps(frame).encode() + b"\n\n"


def wenxin(text: Any, **message: Any) -> bytes:
    items = [{"dataType": "markdown", "data": {"text": text}}] if text else None
    packet = {"status": 0, "data": {"message": {"content": items, "endTurn": False, **message}}}
    return b"event:message\ndata:" + json.dumps(packet).encode() + b"\n\n"


def huawei(content: Any, **data: Any) -> bytes:
    return b"data:" + json.dumps({"data": {"id": "m", "content": content, **data}}).encode() + b"\n"


STREAMS = {"yuanqi": yuanqi, "wenxin": wenxin, "huawei": huawei}
ENDS = {"yuanqi": b"data: [DONE]\n\n", "wenxin": wenxin(None, endTurn=True), "huawei": b""}
streams = pytest.mark.parametrize("platform", STREAMS)


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_emoji_that_the_platform_cut_over_two_events_is_one(emulator, platform, streaming):
    heard = ask(connect(platform, emulator.url), "!half-emoji !pieces 3 0", streaming=streaming)
    assert heard.error is None
    assert heard.text.endswith("第 1 个问题。😀") and "\ufffd" not in heard.text


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("word", ["!status", "!top", "!top !two !tool"])
def test_huaweis_pieces_with_a_status_are_text(emulator, word, streaming):
    heard = ask(connect("huawei", emulator.url), word, streaming=streaming)
    assert heard.error is None and "question 1" in heard.text


@pytest.mark.parametrize("pieces", ["!pieces 1", "!pieces 4 0", "!pieces 40 0"])
def test_qingyans_text_that_goes_back_to_its_beginning_is_said_once(emulator, pieces):
    question = f"!shrink {pieces} 今天好"
    heard = ask(connect("qingyan", emulator.url), question)
    assert (heard.error, heard.text) == (None, f"你说：{question}\n\n这是第 1 个问题。")


@pytest.mark.parametrize("number", range(1, 7))
@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_error_in_another_houses_envelope_is_an_error(emulator, platform, number):
    heard = ask(connect(platform, emulator.url), f"!envelope {number}")
    assert isinstance(heard.error, Unavailable | Unexpected) and not heard.text
    assert "坏了" in str(heard.error)


@streams
def test_an_answer_without_proof_of_its_end_is_kept_and_has_failed(platform):
    with saying(STREAMS[platform]("好")) as url:
        heard = ask(connect(platform, url), "你好")
    assert heard.text == "好"
    # Huawei has no end marker: the proper end of its body is all there is.
    assert isinstance(heard.error, Unavailable) == (platform != "huawei")


def test_text_after_the_finish_reason_and_a_pause_belongs_to_the_answer():
    stream = yuanqi("好", finish_reason="stop") + b": waits\n\n" + yuanqi("的") + ENDS["yuanqi"]
    with saying(stream) as url:
        assert ask(connect("yuanqi", url), "你好").text == "好的"


def test_a_tool_call_may_come_in_pieces():
    def calls(*entries: dict[str, Any]) -> bytes:
        delta = {"role": "assistant", "tool_calls": list(entries)}
        return b"data:" + json.dumps({"choices": [{"delta": delta}]}).encode() + b"\n"

    stream = calls({"index": 0, "id": "c", "function": {"name": "天气", "arguments": '{"a"'}})
    stream += calls({"index": 0, "function": {"arguments": ":1}"}}) + yuanqi("好") + ENDS["yuanqi"]
    with saying(stream) as url:
        heard = ask(connect("yuanqi", url), "你好")
    steps = {step.id: step for step in heard.events if hasattr(step, "input")}
    assert [(step.name, step.input, step.state) for step in steps.values()] == [
        ("天气", '{"a":1}', "done")
    ]


def test_huaweis_object_with_content_and_a_status_is_text():
    with saying(huawei("好", status="success")) as url:
        assert ask(connect("huawei", url), "你好").text == "好"


def test_huaweis_apology_has_a_code_of_its_own():
    with saying(huawei("很抱歉，我的系统似乎遇到了一些故障问题，暂时无法为您提供服务。")) as url:
        heard = ask(connect("huawei", url), "你好")
    assert isinstance(heard.error, NotConfigured) and heard.error.code == "no_credentials"
    assert heard.text == ""


@pytest.mark.parametrize("platform", ["yuanqi", "wenxin", "huawei"])
def test_a_page_is_no_answer(platform):
    with saying(b"<html>login</html>", kind="text/html") as url:
        assert type(ask(connect(platform, url), "你好").error) is Unexpected


@pytest.mark.parametrize("end", ['"[DONE]"', "[done]", "DONE", "[ DONE ]", "'[DONE]' "])
def test_the_end_marker_comes_in_any_dress(end):
    with saying(yuanqi("好") + f"data: {end}\n\n".encode()) as url:
        assert ask(connect("yuanqi", url), "你好").error is None
