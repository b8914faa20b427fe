"""Yuanqi's provider against the emulated Yuanqi, over real sockets (platforms/yuanqi.md)."""

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from providers import PLATFORMS
from providers.base import Attachment, Exchange
from providers.errors import (
    AuthRejected,
    ContentBlocked,
    EmptyAnswer,
    NotConfigured,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    Unavailable,
    Unexpected,
)
from providers.events import Accepted, Done, Thought, ToolStep, Usage
from providers.http import Http, Network
from providers.yuanqi.codes import ERRORS
from providers.yuanqi.provider import (
    LAST_WORDS_S,
    Options,
    Yuanqi,
    content,
    file_part,
    messages,
)
from tests.kit.asking import ask, saying
from tests.kit.emulator import Emulator
from tests.kit.patience import soon
from tests.kit.raw import Server

TOKEN = "Qk7DemoOnlyNotASecret00000000001"


def connect(url: str, **options: Any) -> Yuanqi:
    given = {
        "api_token": TOKEN,
        "assistant_id": "EmuAgent0001",
        "api_base": f"{url}/openapi/v1",
        **options,
    }
    return Yuanqi(Options(**given), Http("yuanqi", Network()))


@pytest.fixture(scope="module")
def agent(emulator: Emulator) -> Yuanqi:
    return connect(emulator.url)


def last_body(emulator: Emulator) -> Any:
    return emulator.journal()["requests"][-1]["body"]


@pytest.mark.parametrize("streaming", [True, False])
def test_an_answer(agent: Yuanqi, streaming: bool) -> None:
    heard = ask(agent, "你好 !think !pieces 7", streaming=streaming)
    assert heard.error is None
    assert heard.text == "你说：你好 !think !pieces 7\n\n这是第 1 个问题。"
    assert "".join(thought.text for thought in heard.of(Thought)).startswith("用户发来")
    (accepted,) = heard.of(Accepted)
    assert accepted.conversation is None
    assert len(accepted.trace or "") == 32
    (usage,) = heard.of(Usage)
    assert usage.total == usage.input + usage.output
    assert heard.events[-1] == Done("stop")


@pytest.mark.parametrize("streaming", [True, False])
def test_tools_are_steps_and_no_text(agent: Yuanqi, streaming: bool) -> None:
    heard = ask(agent, "!tool", streaming=streaming)
    running, done = heard.of(ToolStep)
    assert (running.name, running.state, running.input) == (
        "timetable",
        "running",
        '{"day":"周一"}',
    )
    assert (done.id, done.state, done.output) == (running.id, "done", '{"first":"数学"}')
    assert "数学" not in heard.text


@pytest.mark.parametrize("word", ["!no-done", "!unasked", "!moderation 1", "!moderation 0"])
@pytest.mark.parametrize("streaming", [True, False])
def test_what_is_tolerated(agent: Yuanqi, word: str, streaming: bool) -> None:
    heard = ask(agent, word, streaming=streaming)
    assert heard.error is None
    assert "question 1" in heard.text


FAILURES: list[tuple[str, type[ProviderError], bool]] = [
    ("!unauthorized", AuthRejected, False),
    ("!expired", AuthRejected, False),
    ("!unknown", NotConfigured, False),
    ("!unpublished", NotConfigured, False),
    ("!busy", RateLimited, False),
    ("!quota", QuotaExhausted, False),
    ("!blocked", ContentBlocked, False),
    ("!blocked-late", ContentBlocked, True),
    ("!tool-fail", Unavailable, True),
    ("!empty", EmptyAnswer, False),
    ("!empty !moderation 2", ContentBlocked, False),
    ("!http 400", Unexpected, False),
    ("!http 401", AuthRejected, False),
    ("!http 403", NotConfigured, False),
    ("!http 404", NotConfigured, False),
    ("!http 418", Unexpected, False),
    ("!http 429", RateLimited, False),
    ("!http 500", Unavailable, False),
    ("!http 503", Unavailable, False),
    ("!html 403", NotConfigured, False),
    ("!html 502", Unavailable, False),
    ("!html 200", Unexpected, False),
    ("!nothing 200", Unavailable, False),
    ("!nothing 401", AuthRejected, False),
    ("!nothing 504", Unavailable, False),
    ("!code 1001", Unexpected, False),
    ("!json-error", Unavailable, False),
    ("!json-error !numeric", Unavailable, False),
    ("!garbage", Unavailable, False),
    ("!redirect", Unexpected, False),
    ("!short", Unavailable, True),
    ("!cut", Unavailable, True),
    ("!cut !chop", Unavailable, True),
]


@pytest.mark.parametrize(("word", "error", "has_text"), FAILURES, ids=[one[0] for one in FAILURES])
@pytest.mark.parametrize("streaming", [True, False])
def test_each_failure_has_one_outcome(
    agent: Yuanqi, word: str, error: type[ProviderError], has_text: bool, streaming: bool
) -> None:
    heard = ask(agent, f"你好 {word} {streaming}", streaming=streaming)
    assert isinstance(heard.error, error)
    assert not heard.of(Done)
    assert TOKEN not in str(heard.error)
    if streaming:
        assert bool(heard.text) == has_text
        assert "你说：你好".startswith(heard.text[:5])
        assert "�" not in heard.text


@pytest.mark.parametrize("word", ["!late-error", "!late-code 429", "!late-code 500 !numeric"])
def test_a_failure_within_the_stream_keeps_the_text(agent: Yuanqi, word: str) -> None:
    heard = ask(agent, f"你好 {word}")
    assert isinstance(heard.error, RateLimited if "429" in word else Unavailable)
    assert heard.text.startswith("你说")
    assert heard.error.trace == heard.of(Accepted)[0].trace
    assert isinstance(ask(agent, f"你好 {word}", streaming=False).error, type(heard.error))


def test_a_tool_that_failed_is_shown_as_failed(agent: Yuanqi) -> None:
    heard = ask(agent, "!tool-fail")
    assert [step.state for step in heard.of(ToolStep)] == ["running", "failed"]
    assert heard.of(Usage)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"api_token": "wrong"}, AuthRejected),
        ({"assistant_id": "nobody"}, NotConfigured),
        ({"assistant_id": "EmuAgent0002"}, NotConfigured),
        ({"assistant_id": "EmuAgent0003"}, NotConfigured),
    ],
)
def test_what_the_owner_has_to_mend(
    emulator: Emulator, options: dict[str, str], error: type[ProviderError]
) -> None:
    assert type(ask(connect(emulator.url, **options), "你好").error) is error


def rounds(count: int) -> tuple[Exchange, ...]:
    return tuple(Exchange(f"问题{number}", f"回答{number}") for number in range(count))


@pytest.mark.parametrize("streaming", [True, False])
def test_sixty_exchanges_become_39_messages(emulator: Emulator, streaming: bool) -> None:
    heard = ask(connect(emulator.url), "!recall", history=rounds(60), streaming=streaming)
    assert heard.text == " | ".join(f"问题{number}" for number in range(41, 60))


def test_alternation_whatever_the_history() -> None:
    history = (
        *rounds(30),
        Exchange("没有回答", " \n"),
        Exchange("", "没有问题"),
        Exchange("最后", "好"),
    )
    sent = messages(history, content("问"))
    assert len(sent) == 39
    assert [message["role"] for message in sent] == ["user", "assistant"] * 19 + ["user"]
    told = [message["content"][0]["text"] for message in sent]
    assert told[-3:] == ["最后", "好", "问"]
    assert told[0] == "问题12"
    assert not {"没有回答", "没有问题", ""} & set(told)


def test_what_is_sent(start_emulator: Callable[..., Emulator]) -> None:
    emulator = start_emulator(yuanqi_x_source=True)
    heard = ask(connect(emulator.url, custom_variables={"campus": "east"}), "你好", streaming=False)
    assert heard.error is None
    assert last_body(emulator) == {
        "assistant_id": "EmuAgent0001",
        "user_id": "0123456789abcdef0123456789abcdef",
        "stream": False,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "你好"}]}],
        "custom_variables": {"campus": "east"},
    }


def test_files_become_parts() -> None:
    url = "https://site.example/f/1"
    picture = {"type": "image_url", "image_url": {"url": url}}
    assert file_part("照片.PNG", url) == picture
    assert file_part("a.png", url, image_part="file_url") == {
        "type": "file_url",
        "file_url": {"type": "image", "url": url},
    }
    kinds = {"a.pdf": "pdf", "a.docx": "doc", "a.md": "txt", "a.mp3": "audio", "a.mp4": "video"}
    for name, kind in (kinds | {"a.xlsx": "xlsx", "a": "file"}).items():
        assert file_part(name, url)["file_url"]["type"] == kind
    assert file_part("照片", url, "image/webp") == picture
    assert content("看", [picture]) == [{"type": "text", "text": "看"}, picture]
    assert content("", [picture]) == [picture]


def test_files_go_with_the_question(agent: Yuanqi) -> None:
    files = (
        Attachment("a.pdf", "application/pdf", b"%PDF", "http://a/b.pdf"),
        Attachment("c", "image/png", b"", "http://a/c.png"),
    )
    heard = ask(agent, "看", attachments=files)
    assert heard.text.endswith("收到附件：pdf http://a/b.pdf、image http://a/c.png")
    heard = ask(agent, "看", attachments=(Attachment("a.pdf", "application/pdf", b"%PDF"),))
    assert isinstance(heard.error, NotConfigured)


def test_options() -> None:
    given = Options(api_token=TOKEN, assistant_id=1780000000000000101)  # type: ignore[arg-type]
    assert given.assistant_id == "1780000000000000101"
    assert given.api_base == "https://yuanqi.tencent.com/openapi/v1"
    assert PLATFORMS["yuanqi"].limits.concurrency == 10
    assert TOKEN not in repr(given)
    older = Options(
        api_token=TOKEN, assistant_id="a", api_base="https://open.hunyuan.tencent.com/openapi/v1/"
    )
    assert older.api_base == "https://open.hunyuan.tencent.com/openapi/v1"
    with pytest.raises(ValidationError) as refused:
        Options(api_token=TOKEN, assistant_id="a", custom_variables={"secret": ["s3cret"]})  # type: ignore
    assert "s3cret" not in str(refused.value)


def test_every_documented_failure_has_a_row() -> None:
    assert {"400", "401", "403", "404", "429", "sensitive", "tool_fail"} <= set(ERRORS)


WORDS = (
    'data: {"id":"r1","created":1,"choices":[{"delta":{"role":"assistant","content":"你好"}}]}\n\n'
).encode()


@pytest.mark.parametrize(
    ("answer", "kind", "text", "error"),
    [
        (WORDS, "text/event-stream", "你好", Unavailable),
        (WORDS + b"data: [DONE]\n\n", "text/event-stream", "你好", None),
        (WORDS + b"data: [DONE]", "application/json", "你好", None),
        (WORDS[:-2], "text/event-stream", "你好", Unavailable),
        (WORDS + WORDS[:-9], "text/event-stream", "你好", Unavailable),
        (WORDS + b"data: {broken}\n\n" + WORDS, "text/event-stream", "你好", Unexpected),
        (WORDS + b'data: {"error":"quota"}\n\n', "text/event-stream", "你好", QuotaExhausted),
        (
            WORDS + b'data: {"error":null,"choices":[]}\n\ndata: [DONE]\n\n',
            "text/event-stream",
            "你好",
            None,
        ),
        (b'{"error":{"message":"x","code":429}}', "text/event-stream", "", RateLimited),
        (b'{"error":"\xe9\xa2\x9d\xe5\xba\xa6"}', "application/json", "", QuotaExhausted),
        (b'\n {"message":"odd"}', "application/json", "", Unexpected),
        (b'{"choices":[{"message":{"content":"ok"}}]}', "text/plain", "ok", None),
        (
            b'{"choices":[{"message":{"content":" "},"finish_reason":"stop"}]}',
            "text/plain",
            " ",
            EmptyAnswer,
        ),
        (b'{"choices":[{"message":{"content":"cut', "application/json", "", Unavailable),
        (b"[1]", "application/json", "", Unexpected),
        (b'data: 5\n\ndata: "x"\n\ndata: [DONE]\n\n', "text/event-stream", "", Unexpected),
        (b"data: [DONE]\n\n", "text/event-stream", "", EmptyAnswer),
        (b'{"choices":{"a":1},"usage":[],"id":{}}', "application/json", "", Unexpected),
        (b"[" * 100_000, "application/json", "", Unavailable),
        (b"data: " + b"[" * 100_000 + b"\n\n", "text/event-stream", "", Unexpected),
        (b'{"a":' * 100_000 + b"}", "application/json", "", Unavailable),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "application/json", "", Unexpected),
    ],
)
@pytest.mark.parametrize("streaming", [True, False])
def test_bodies_as_they_may_come(
    answer: bytes, kind: str, text: str, error: type[ProviderError] | None, streaming: bool
) -> None:
    with saying(answer, kind=kind) as url:
        heard = ask(connect(url), "你好", streaming=streaming)
    assert heard.text == text
    assert type(heard.error) is (error or type(None))


def test_an_echoed_token_stays_out_of_the_log() -> None:
    with saying(f'{{"error":{{"message":"bad key {TOKEN}"}}}}'.encode(), "401 Unauthorized") as url:
        heard = ask(connect(url), "你好")
    assert str(heard.error) == "yuanqi: HTTP 401 bad key ***"


def test_a_platform_that_never_closes_its_stream() -> None:
    """After its finish_reason an answer is whole, even if the end marker and the close never
    come; what comes within the pause after it belongs to it.
    """
    frame = WORDS.replace(b'"delta"', b'"finish_reason":"stop","delta"')

    def answer(line: socket.socket, asked: bytes) -> None:
        line.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + frame)
        # Three seconds were too short for some.
        time.sleep(3.5)
        line.sendall(WORDS)
        line.recv(1)

    server = Server(answer)
    began = time.monotonic()
    heard = ask(connect(server.url), "你好", within=20)
    server.close()
    assert heard.error is None
    assert heard.text == "你好你好"
    assert time.monotonic() - began < LAST_WORDS_S + soon(2)
