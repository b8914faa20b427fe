"""Every way in which Coze says no has a name, keeps its code and logid, and tells no secret."""

import json
import traceback
from collections.abc import Callable

import pytest

from providers import errors
from providers.coze.codes import ERRORS, kind_of
from providers.errors import (
    AuthRejected,
    BadQuestion,
    Busy,
    ContentBlocked,
    EmptyAnswer,
    NeedsAction,
    NotConfigured,
    QuotaExhausted,
    RateLimited,
    Unavailable,
    Unexpected,
)
from providers.events import Accepted
from tests.kit.coze_agent import TOKEN, Hurry, agent, ask
from tests.kit.patience import soon
from tests.kit.raw import Server

GROUPS = {
    AuthRejected: [401, 4100, 4101, 700012006],
    RateLimited: [429, 4009, 4013, 4020, 710005002, 700012014],
    QuotaExhausted: [4008, 4011, 4019, 4022, 4027, 4028, 4033, 788788103],
    Busy: [4016],
    NotConfigured: [4006, 4012, 4015, 4021, 4200, 720702204],
    BadQuestion: [4000, 4003, 4004, 4005, 4007, 4010, 4014, 4300, 4301, 4302, 4303, 4304],
    Unavailable: [5000, 720701013, 720701002, 701231, 4001, 720703001, 702042078, 777777775, 5999],
    ContentBlocked: [4102, 4105],
    errors.TimedOut: [6006],
    Unexpected: [4002, 4104, 4314, 4315, 9999, 1, -1],
}


@pytest.mark.parametrize(
    ("kind", "code"), [(kind, code) for kind, codes in GROUPS.items() for code in codes]
)
def test_every_documented_code_has_its_group(kind, code):
    assert kind_of(code) is kind


def test_the_table_holds_nothing_the_groups_do_not():
    assert set(ERRORS) <= {code for codes in GROUPS.values() for code in codes}


@pytest.mark.parametrize("code", ["4016", None, 4016.5, [], {}])
def test_a_code_that_is_no_number_is_unexpected(code):
    assert kind_of(code) is Unexpected


CODES = [
    4000,
    4008,
    4009,
    4011,
    4013,
    4014,
    4015,
    4019,
    4020,
    4027,
    4028,
    4033,
    4100,
    4102,
    4200,
    5000,
    788788103,
]


@pytest.mark.parametrize("code", CODES)
def test_refused_at_once(emulator, code):
    for streaming in (True, False):
        told = ask(agent(emulator.url), f"!code {code}", streaming=streaming)
        assert (type(told.error), told.error.code) == (kind_of(code), code)
        assert told.error.trace
        assert told.events == []
        assert told.seconds < soon(1)


WORDS: list[tuple[str, type[Exception], int | None]] = [
    ("!busy", RateLimited, 4013),
    ("!busy 2", QuotaExhausted, 4008),
    ("!busy 3", RateLimited, 710005002),
    ("!unauthorized", AuthRejected, 4101),
    ("!unpublished", NotConfigured, 4015),
    ("!unknown", NotConfigured, 4200),
    ("!quota", QuotaExhausted, 4028),
    ("!blocked", ContentBlocked, 4102),
    ("!json-error", BadQuestion, 4000),
    ("!html 500", Unavailable, None),
    ("!html 502", Unavailable, None),
    ("!html 429", RateLimited, None),
    ("!html 404", NotConfigured, None),
    ("!html 200", Unexpected, None),
    ("!nothing 200", Unavailable, None),
    ("!nothing 503", Unavailable, None),
    ("!nothing 401", AuthRejected, None),
    ("!garbage", Unavailable, None),
    ("!redirect", Unexpected, None),
]


@pytest.mark.parametrize(("word", "kind", "code"), WORDS)
@pytest.mark.parametrize("streaming", [True, False])
def test_every_style_of_refusal(emulator, word, kind, code, streaming):
    told = ask(agent(emulator.url), word, streaming=streaming)
    assert (type(told.error), told.error.code) == (kind, code)
    assert TOKEN not in "".join(traceback.format_exception(told.error))
    assert emulator.violations("redirect_followed") == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 429, 500, 502, 504])
def test_http_errors_with_the_platforms_json(emulator, status):
    told = ask(agent(emulator.url), f"!http {status}")
    assert told.error is not None
    assert told.error.reason != "unexpected"


def test_credentials_that_are_wrong(emulator):
    for token in (
        "pat_demo_expired",
        "pat_demo_no_chat",
        "pat_demo_other_workspace",
        "pat_never_seen",
    ):
        told = ask(agent(emulator.url, api_token=token), "你好")
        assert (type(told.error), told.error.code) == (AuthRejected, 4101)


def test_a_token_that_may_ask_but_not_read_is_told_when_it_polls(emulator):
    told = ask(agent(emulator.url, api_token="pat_demo_chat_only"), "你好", streaming=False)
    assert (type(told.error), told.error.code) == (AuthRejected, 4101)
    assert told.of(Accepted)


def test_a_base_that_is_not_the_api_is_for_the_owner(emulator):
    told = ask(agent(emulator.url + "/v3/other"), "你好")
    assert isinstance(told.error, NotConfigured)


LATE: list[tuple[str, type[Exception], int | None]] = [
    ("!late-error", Unavailable, 5000),
    ("!late-code 4013", RateLimited, 4013),
    ("!late-error !done-after-failed", Unavailable, 5000),
    ("!sse-error", Unavailable, 5000),
    ("!failed", QuotaExhausted, 4028),
    ("!failed 5000", Unavailable, 5000),
    ("!failed !no-data", QuotaExhausted, 4028),
    ("!blocked-late", ContentBlocked, 4102),
    ("!requires-action", NeedsAction, None),
    ("!empty", EmptyAnswer, None),
]


@pytest.mark.parametrize(("word", "kind", "code"), LATE)
def test_failures_after_acceptance(emulator, word, kind, code):
    told = ask(agent(emulator.url), word, stop=Hurry())
    assert (type(told.error), told.error.code) == (kind, code)
    assert told.error.trace == told.accepted.trace
    assert told.accepted.chat


def test_words_said_before_a_failure_stay(emulator):
    told = ask(agent(emulator.url), "!late-error 你好")
    assert "你说：!late" in told.text


# What the emulator does not do, a server of raw sockets does


def answering(
    body: bytes, kind: str = "application/json", status: str = "200 OK", more: str = ""
) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


@pytest.fixture
def platform_that_says(request) -> Callable[..., Server]:
    def start(body: object, **how: str) -> Server:
        told = body if isinstance(body, bytes) else json.dumps(body).encode()
        server = Server(lambda line, _: line.sendall(answering(told, **how)))
        request.addfinalizer(server.close)
        return server

    return start


def test_the_platforms_text_is_kept_short_and_without_our_token(platform_that_says):
    server = platform_that_says({"code": 4101, "msg": f"the token {TOKEN} " + "x" * 10_000})
    told = ask(agent(server.url), "你好")
    assert TOKEN not in str(told.error)
    assert len(str(told.error)) < 700


@pytest.mark.parametrize(
    ("how", "trace"),
    [
        ({"more": "X-Tt-Logid: header\r\n"}, "header"),
        ({}, "body"),
    ],
)
def test_the_logid_is_found_in_the_header_or_the_envelope(platform_that_says, how, trace):
    server = platform_that_says({"code": 4028, "msg": "", "detail": {"logid": "body"}}, **how)
    assert ask(agent(server.url), "你好").error.trace == trace


def test_retry_after_is_kept(platform_that_says):
    server = platform_that_says(
        {"code": 4013, "msg": ""}, status="429 Slow", more="Retry-After: 3\r\n"
    )
    assert ask(agent(server.url), "你好").error.retry_after == 3.0


def test_an_unknown_code_falls_back_on_the_status(platform_that_says):
    server = platform_that_says({"code": 123456, "msg": "?"}, status="503 Busy")
    assert isinstance(ask(agent(server.url), "你好").error, Unavailable)
    server = platform_that_says({"code": 123456, "msg": "?"})
    assert isinstance(ask(agent(server.url), "你好").error, Unexpected)


def test_a_code_in_quotes_is_a_code(platform_that_says):
    server = platform_that_says({"code": "4028", "msg": "no"})
    error = ask(agent(server.url), "你好").error
    assert (type(error), error.code) == (QuotaExhausted, 4028)


@pytest.mark.parametrize(
    "body", [[], "text", 1, None, {}, {"code": 0}, {"code": 0, "data": {}}, {"data": "x"}]
)
def test_json_of_another_shape_is_unexpected(platform_that_says, body):
    for streaming in (True, False):
        assert isinstance(
            ask(agent(platform_that_says(body).url), "你好", streaming=streaming).error, Unexpected
        )


BARE = b'event:conversation.chat.failed\ndata:{"code":701231,"msg":"error"}\n\n'
CREATED = (
    b'event:conversation.chat.created\ndata:{"id":"1","conversation_id":"2","status":"created"}\n\n'
)


@pytest.mark.parametrize(
    ("stream", "kind", "code"),
    [
        (BARE, Unavailable, 701231),
        (CREATED + BARE, Unavailable, 701231),
        (
            CREATED + b'event:conversation.chat.failed\ndata:{"status":"failed"}\n\n',
            Unavailable,
            None,
        ),
        (
            CREATED + b'event:conversation.chat.failed\ndata:{"last_error":null}\n\n',
            Unavailable,
            None,
        ),
        (b'event: error\ndata: {"code": 4028, "msg": "x"}\n\n', QuotaExhausted, 4028),
        (b'event:conversation.error\ndata:{"code":4028,"msg":"x"}\n\n', QuotaExhausted, 4028),
        (
            b'event:error\ndata:{"code":4028,"msg":"x"}\n\nevent:done\ndata:"[DONE]"\n\n',
            QuotaExhausted,
            4028,
        ),
        (b'event:done\ndata:"[DONE]"\n\n', Unavailable, None),
        (b"event:conversation.chat.created\ndata:{half", Unavailable, None),
        (b"", Unavailable, None),
    ],
)
def test_streams_that_fail_in_documented_and_other_ways(platform_that_says, stream, kind, code):
    told = ask(
        agent(platform_that_says(stream, kind="text/event-stream", more="X-Tt-Logid: L\r\n").url),
        "你好",
    )
    assert (type(told.error), told.error.code, told.error.trace) == (kind, code, "L")
