"""The provider of Huawei's engine against the emulated one, over real sockets
(platforms/huawei.md).
"""

import json
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from providers.base import Exchange
from providers.errors import (
    AuthRejected,
    BadQuestion,
    ContentBlocked,
    EmptyAnswer,
    NotConfigured,
    ProviderError,
    RateLimited,
    Unavailable,
    Unexpected,
)
from providers.events import Accepted, Delta, Done, Media, ToolStep
from providers.http import Http, Network
from providers.huawei.answer import APOLOGY, HuaweiReader, failed_part
from providers.huawei.codes import ERRORS
from providers.huawei.provider import Huawei, Options, memory
from tests.kit.asking import ask, saying
from tests.kit.emulator import Emulator

KEY = "sk-demo-only-not-a-secret"
PREFIX = "/v1/routes/open/7c0e1d52-0000-4a00-9000-00000000a"
FRAMINGS = ["sse_nospace", "sse_space", "ndjson", "sse_done"]
OTHER_TYPES = "plugin_call plugin_done chunk Plugin Flow KB"
USUAL_TYPES = "tool_start tool_end message tool workflow knowledge"


def connect(url: str, agent: str = "001", **options: Any) -> Huawei:
    chosen = {"api_key": KEY, "agent_url": f"{url}{PREFIX}{agent}/execute", **options}
    return Huawei(Options(**chosen), Http("huawei", Network()))


@pytest.fixture(scope="module")
def agent(emulator: Emulator) -> Huawei:
    return connect(emulator.url)


@pytest.fixture(params=FRAMINGS)
def framing(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[USUAL_TYPES, OTHER_TYPES], ids=["usual", "other"])
def shaped(
    request: pytest.FixtureRequest, framing: str, start_emulator: Callable[..., Emulator]
) -> Huawei:
    """The agent behind each framing and each set of names for types."""
    return connect(start_emulator(huawei_framing=framing, huawei_types=request.param).url)


@pytest.mark.parametrize("streaming", [True, False])
def test_an_answer(agent: Huawei, streaming: bool) -> None:
    heard = ask(agent, "你好 !pieces 7", streaming=streaming)
    assert heard.error is None
    assert heard.replies == ["你说：你好 !pieces 7\n\n这是第 1 个问题。"]
    (accepted,) = heard.of(Accepted)
    assert len(accepted.conversation or "") == 32
    assert len(accepted.trace or "") == 32
    assert heard.events[-1] == Done("stop")


def test_every_shape_reads_the_same(shaped: Huawei) -> None:
    for word in ("", "!chop", "!burst", "!crlf", "!space", "!comment", "!strange", "!repeat"):
        heard = ask(shaped, f"你好 !tool !pieces 9 0 {word}")
        assert heard.error is None
        assert heard.text == f"你说：你好 !tool !pieces 9 0 {word}\n\n这是第 1 个问题。"
        assert [step.state for step in heard.of(ToolStep)] == ["running", "done"]
    markdown = ask(shaped, "!markdown !chop !pieces 10 0")
    assert markdown.text.startswith("# 一级标题")
    assert markdown.text.endswith("末行。\n")


def test_every_shape_fails_the_same(shaped: Huawei) -> None:
    for word, error, has_text in [
        ("!cut", Unavailable, True),
        ("!cut !chop", Unavailable, True),
        ("!late-error", Unavailable, True),
        ("!late-error 2", Unavailable, True),
        ("!blocked-late", ContentBlocked, True),
        ("!apology", NotConfigured, False),
        ("!empty", EmptyAnswer, False),
        ("!code 22001004", NotConfigured, False),
    ]:
        heard = ask(shaped, f"你好 {word}")
        assert isinstance(heard.error, error), word
        assert bool(heard.text) == has_text, word
        assert "你说：你好".startswith(heard.text[:5])
        assert "�" not in heard.text


@pytest.mark.parametrize("empty", ["empty", "missing", "null"])
@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
@pytest.mark.parametrize("ids", ["blank", "generated"])
def test_what_else_the_documents_leave_open(
    start_emulator: Callable[..., Emulator], empty: str, kind: str, ids: str
) -> None:
    emulator = start_emulator(huawei_empty=empty, huawei_content_type=kind, huawei_ids=ids)
    heard = ask(connect(emulator.url, memory=True), "你好 !tool !image")
    assert heard.error is None
    assert "你好" in heard.text
    assert len(heard.of(ToolStep)) == 2
    assert len(heard.of(Media)) == 1
    assert heard.conversation is None, (
        "the ids are ours: what the platform invents is no conversation"
    )


def test_two_replies(agent: Huawei) -> None:
    first, second = ask(agent, "你好 !two").replies
    assert first.endswith("个问题。")
    assert second == "第二条回复。"


@pytest.mark.parametrize("word", ["!tool", "!workflow", "!knowledge"])
def test_steps(agent: Huawei, word: str) -> None:
    running, done = ask(agent, word).of(ToolStep)
    assert (running.id, running.name, running.state) == (done.id, "课表查询", "running")
    assert (done.state, done.input, done.output) == ("done", '{"day": "周一"}', '{"first": "数学"}')


def test_a_failed_step_and_an_excuse_are_an_answer(agent: Huawei) -> None:
    heard = ask(agent, "!step-failed")
    assert heard.error is None
    assert [step.state for step in heard.of(ToolStep)] == ["running", "failed"]
    assert heard.text.startswith("抱歉，课表查询没有成功")


@pytest.mark.parametrize("layout", range(4))
def test_a_picture_is_an_answer(agent: Huawei, layout: int) -> None:
    heard = ask(agent, f"!image-only {layout}")
    assert heard.error is None
    assert heard.text == ""
    (media,) = heard.of(Media)
    assert media.kind == "image"
    assert media.url.endswith("/_emulator/picture.png")


def test_the_models_own_output_is_a_last_resort(agent: Huawei) -> None:
    assert ask(agent, "你好 !raw").text == "你说：你好 !raw\n\n这是第 1 个问题。"
    assert ask(agent, "你好 !think").text == "你说：你好 !think\n\n这是第 1 个问题。"


def test_a_repetition_that_adds_something(agent: Huawei) -> None:
    assert ask(agent, "你好，请说一段话 !repeat 2").text.endswith("这是第 1 个问题。以上就是全部。")


FAILURES: list[tuple[str, type[ProviderError]]] = [
    ("!unauthorized", AuthRejected),
    ("!expired", AuthRejected),
    ("!unknown", NotConfigured),
    ("!unpublished", NotConfigured),
    ("!busy", RateLimited),
    ("!quota", RateLimited),
    ("!blocked", ContentBlocked),
    ("!json-error", Unavailable),
    ("!http 400", Unexpected),
    ("!http 401", AuthRejected),
    ("!http 404", NotConfigured),
    ("!http 408", Unavailable),
    ("!http 418", Unexpected),
    ("!http 500", Unavailable),
    ("!http 504", Unavailable),
    ("!html 504", Unavailable),
    ("!html 404", NotConfigured),
    ("!html 200", Unexpected),
    ("!nothing 200", EmptyAnswer),
    ("!nothing 401", AuthRejected),
    ("!nothing 502", Unavailable),
    ("!garbage", Unavailable),
    ("!redirect", Unexpected),
    ("!apigw 201 413", BadQuestion),
    ("!apigw 999", Unexpected),
    ("!code 99999999", Unexpected),
    ("模拟敏感词", ContentBlocked),
]


@pytest.mark.parametrize(("word", "error"), FAILURES, ids=[one[0] for one in FAILURES])
@pytest.mark.parametrize("streaming", [True, False])
def test_each_failure_has_one_outcome(
    agent: Huawei, word: str, error: type[ProviderError], streaming: bool
) -> None:
    heard = ask(agent, f"你好 {word} {streaming}", streaming=streaming)
    assert isinstance(heard.error, error)
    assert heard.events == []
    assert KEY not in str(heard.error)


AIAE = """
22001001 22001002 22001003 22001004 22001005 22001006 22001007 22001008 22001009 22009001
31001106 31001601 31001602 31001603 31001701 31001702 31001003 31001001 31001004 40001001
""".split()


@pytest.mark.parametrize("number", AIAE)
def test_every_documented_code_has_a_row(agent: Huawei, number: str) -> None:
    kind = ERRORS[f"AIAE.{number}"]
    for word in ("code", "late-code"):
        heard = ask(agent, f"你好 !{word} {number}")
        assert type(heard.error) is kind
        assert heard.error.code == f"AIAE.{number}"
        assert bool(heard.text) == (word == "late-code")


@pytest.mark.parametrize("number", ["0101", "0201", "0301", "0302", "0303"])
def test_every_code_of_the_gateway_has_a_row(agent: Huawei, number: str) -> None:
    heard = ask(agent, f"!apigw {number}")
    assert type(heard.error) is ERRORS[f"APIGW.{number}"]
    assert heard.error.trace


@pytest.mark.parametrize("auth", ["gateway", "app"])
@pytest.mark.parametrize(
    ("agent", "options", "error"),
    [
        ("001", {"api_key": "sk-wrong"}, AuthRejected),
        ("002", {}, NotConfigured),
        ("003", {}, NotConfigured),
        ("004", {}, NotConfigured),
        ("999", {}, NotConfigured),
    ],
)
def test_what_the_owner_has_to_mend(
    start_emulator: Callable[..., Emulator],
    auth: str,
    agent: str,
    options: dict[str, str],
    error: type[ProviderError],
) -> None:
    emulator = start_emulator(huawei_auth=auth)
    assert type(ask(connect(emulator.url, agent, **options), "你好").error) is error


@pytest.mark.parametrize("memory", [False, True])
def test_the_third_turn_knows_the_first_two(
    start_emulator: Callable[..., Emulator], memory: bool
) -> None:
    emulator = start_emulator()
    agent, conversation, history = connect(emulator.url, memory=memory), None, []
    for question in ("第一", "第二", "!recall"):
        heard = ask(agent, question, conversation=conversation, history=tuple(history))
        conversation = conversation or heard.conversation
        history.append(Exchange(question, heard.text))
    assert heard.text == "第一 | 第二"
    assert (conversation is None) == memory
    assert emulator.violations("both_contexts") == []


def test_what_is_sent(start_emulator: Callable[..., Emulator]) -> None:
    emulator = start_emulator()
    history = (Exchange("问", "答"), Exchange("没有回答", ""))
    variables = {
        "common_variables": {"campus": "east"},
        "sensitive_variables": {"student_pass": "1234"},
    }
    ask(
        connect(emulator.url, "004", variables=variables),
        "你好",
        conversation="c-1",
        history=history,
    )
    ask(connect(emulator.url, memory=True), "你好", conversation="c-1", history=history)
    ask(connect(emulator.url, memory=True), "你好")
    sent = [entry["body"] for entry in emulator.journal()["requests"]]
    ids = {"user_id": "0123456789abcdef0123456789abcdef", "conversation_id": "c-1"}
    assert sent[0] == {"query": "你好", "variables": variables, **ids}
    entries = [{"role": "user", "content": "问"}, {"role": "assistant", "content": "答"}]
    assert sent[1] == {"query": "你好", "memory": entries}
    assert sent[2] == {"query": "你好"}


def test_a_long_history_leaves_its_beginning_behind() -> None:
    history = [
        Exchange("很" * 1_000_000, "久"),
        Exchange("不", "久" * 1_000_000),
        Exchange("刚", "才"),
    ]
    assert [entry["content"][0] for entry in memory(history)] == ["不", "久", "刚", "才"]


def test_secrets_are_hidden() -> None:
    url = "https://aiae.appstage.myhuaweicloud.com/v1/routes/open/1/execute"
    variables = {"sensitive_variables": {"pin": "s3cret"}}
    options = Options(api_key=KEY, agent_url=url, variables=variables)  # type: ignore[arg-type]
    assert KEY not in repr(options)
    assert "s3cret" not in repr(options)
    assert options.agent_url == url
    with pytest.raises(ValidationError) as refused:
        Options(api_key=KEY, agent_url=url, variables={"sensitive_variables": {"pin": ["s3cret"]}})  # type: ignore
    assert "s3cret" not in str(refused.value)
    with pytest.raises(ValidationError):
        Options(api_key=KEY, agent_url="7c0e1d52-0000")
    body = f'{{"error_code":"AIAE.22001004","error_msg":"s3cret {KEY}"}}'.encode()
    with saying(body) as address:
        heard = ask(connect(address, variables=variables), "你好")
    assert str(heard.error) == "huawei: HTTP 200 *** ***, code AIAE.22001004"


def piece(text: str, key: str = "m", **more: Any) -> dict[str, Any]:
    return {"request_id": "r", "type": "?", "data": {"id": key, "content": text, **more}}


def line(text: str) -> bytes:
    return json.dumps(piece(text), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("body", "text", "error"),
    [
        (b"data:" + line("你好"), "你好", None),
        (line("你") + b"\n" + line("好"), "你好", None),
        (
            line("你")
            + b"\r\n\r\nevent: x\r\nid: 1\r\nretry: 5\r\n: c\r\ndata:"
            + line("好")
            + b"\r\n",
            "你好",
            None,
        ),
        (b"\xef\xbb\xbf" + line("你好"), "你好", None),
        (b"data:" + line("你") + b"\n\ndata:" + line("好")[:-20], "你", Unavailable),
        (b"data:" + line("你") + b"\n\ndat", "你", Unavailable),
        (b"data:" + line("你") + b"\n\ndata:{broken}\n\ndata:" + line("好"), "你", Unexpected),
        (line("你") + b"\n{broken}\n" + line("好") + b"\n", "你", Unexpected),
        (b"data:" + line("你") + b"\n\n<html>", "你", Unexpected),
        (json.dumps({"error_code": "AIAE.22001003"}, indent=2).encode(), "", AuthRejected),
        (json.dumps(piece("你好"), indent=2).encode() + b"\n", "你好", None),
        (b'{"error":{"message":"x","code":"y"}}', "", Unexpected),
        (b'data:{"data":{"error_code":"AIAE.31001601"}}\n\n', "", ContentBlocked),
        (b'{"data":[1],"type":null}\n{"data":"x"}\n', "", EmptyAnswer),
        (b'{"data":{"content":[1],"url":7,"raw":"x","name":{},"status":[]}}', "", EmptyAnswer),
        (b"{" * 100_000, "", Unavailable),
        (b'{"a":' * 100_000 + b"\n\n", "", Unavailable),
        (b"\n" * 1000, "", EmptyAnswer),
        (b"data:\n\ndata: [DONE]\n\n", "", EmptyAnswer),
    ],
)
def test_bodies_as_they_may_come(body: bytes, text: str, error: type[ProviderError] | None) -> None:
    with saying(body) as url:
        heard = ask(connect(url), "你好")
    assert heard.text == text
    assert type(heard.error) is (error or type(None))


def said(pieces: list[dict[str, Any]]) -> str:
    answer = HuaweiReader(None)
    events = [event for one in pieces for event in answer.apply(one)]
    return "".join(event.text for event in [*events, *answer.end()] if isinstance(event, Delta))


@pytest.mark.parametrize(
    "payload",
    [
        {"content": "好", "status": "success"},
        {"content": "好", "status": "success", "data": None},
        {"content": "好", "status": 1, "data": {}},
        {"status": "success", "data": {"content": "好"}},
        {"status": "success", "data": {"id": "m", "content": "好", "status": "running"}},
        {"status": "success", "data": [{"content": "好"}]},
        {"status": "success", "data": {"message": {"role": "assistant", "content": "好"}}},
        {"status": "success", "result": {"output": {"content": {"text": "好"}}}},
        {"code": 0, "msg": "ok", "data": {"data": {"content": "好"}}},
        {"code": 200, "data": '{"content": "好"}'},
        {"id": "m", "name": "agent", "type": "message", "content": "好"},
    ],
)
def test_a_content_with_a_status_is_an_answer_at_any_depth(payload: dict[str, Any]) -> None:
    assert failed_part(payload) is None
    assert said([payload]) == "好"


@pytest.mark.parametrize(
    "payload",
    [
        {"error_code": "AIAE.1", "content": "好"},
        {"data": {"error_code": "AIAE.1"}},
        {"status": "success", "data": {"result": {"error_code": "AIAE.1"}}},
        {"data": {"error": {"code": "AIAE.1", "message": "x"}}},
        {"code": "AIAE.1", "message": "x", "data": {"trace": "y"}},
    ],
)
def test_a_failure_is_one_at_any_depth(payload: dict[str, Any]) -> None:
    part = failed_part(payload)
    assert part is not None and "AIAE.1" in str(part)


def test_the_envelope_of_an_answer_is_no_step() -> None:
    outer = {"request_id": "r", "type": "x", "name": "agent", "status": "success"}
    answer = HuaweiReader(None)
    events = [*answer.apply({**outer, "data": None}), *answer.apply({**outer, **piece("好")})]
    assert not [event for event in events if isinstance(event, ToolStep)]


chinese = st.text(st.sampled_from("好的，我来说明abc\n"), min_size=1, max_size=60)


@given(st.lists(chinese, min_size=2, max_size=12), st.booleans())
def test_a_repetition_at_the_end_is_left_out(pieces: list[str], has_new_id: bool) -> None:
    whole = "".join(pieces)
    if not whole.strip() or any(
        len(before) > 20 and one.startswith(before)
        for one, before in zip(pieces[1:], accumulate(pieces), strict=False)
    ):
        return
    told = [*map(piece, pieces), piece(whole, "other" if has_new_id else "m")]
    assert said(told) == whole


@given(st.lists(st.text(st.sampled_from("哈ab "), min_size=1, max_size=3), min_size=1, max_size=8))
def test_short_pieces_are_never_taken_for_repetitions_before_the_end(pieces: list[str]) -> None:
    whole = "".join(pieces) + "。"
    assert said([*map(piece, pieces), piece("。")]) == whole


LONG = "一段长于二十个字符的话，从头开始说起，慢慢说"


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        ([LONG, f"{LONG}，说完"], f"{LONG}，说完"),
        ([LONG, LONG], LONG),
        ([LONG[:21], LONG[:21]], LONG[:21]),
        ([LONG[:20], LONG[:20]], LONG[:20] * 2),
        (["哈", "哈", "哈哈", "！"], "哈哈哈哈！"),
        (["很抱歉，", "这门课今天没有。"], "很抱歉，这门课今天没有。"),
        (["很抱歉，我的系统"], "很抱歉，我的系统"),
        ([APOLOGY, "课" * 21], APOLOGY + "课" * 21),
    ],
)
def test_guards_leave_answers_alone(pieces: list[str], text: str) -> None:
    assert said([piece(one) for one in pieces]) == text


def test_what_cannot_be_the_apology_comes_at_once() -> None:
    answer = HuaweiReader(None)
    assert Delta("你好") in list(answer.apply(piece("你好")))
    assert Delta("，世界") in list(answer.apply(piece("，世界")))


def test_what_may_be_the_apology_waits_until_it_is_none() -> None:
    answer = HuaweiReader(None)
    deltas = [event for event in answer.apply(piece("很抱歉，")) if isinstance(event, Delta)]
    assert deltas == []
    assert [Delta("很抱歉，"), Delta("没有课。")] == list(answer.apply(piece("没有课。")))
