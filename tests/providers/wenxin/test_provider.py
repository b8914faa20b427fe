"""Wenxin against its emulation: both ways to ask, the keys that must not be seen, and every end."""

import json
import logging
import socket
import time
import traceback
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from emulator import create_emulator
from emulator.accounts import DEMO
from emulator.serving import serve
from providers.errors import (
    AuthRejected,
    ContentBlocked,
    EmptyAnswer,
    NotConfigured,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    TimedOut,
    Unavailable,
    Unexpected,
)
from providers.events import Accepted, Citation, Delta, Done, Media, Rewrite, ToolStep
from providers.farewell import LINGER_S
from providers.http import Http, Network
from providers.wenxin.codes import ERRORS
from providers.wenxin.provider import PROVIDER, Options, Wenxin
from tests.kit.asking import USER, Visitor, saying
from tests.kit.emulator import Emulator, quick
from tests.kit.patience import ALLOWANCE
from tests.kit.raw import Server

BOB = "b" * 32
SECRET = DEMO["WENXIN_SECRET_KEY"]
NETWORK = Network()  # one TLS context for all tests: each takes 20 ms


def options(url: str, **more) -> Options:
    return Options(
        **{
            "app_id": DEMO["WENXIN_APP_ID"],
            "secret_key": SECRET,
            "api_base": url,
            "token_base": url,
            **more,
        }
    )


def agent(url: str, **more) -> Wenxin:
    return PROVIDER(options(url, **more), Http("wenxin", NETWORK))


@pytest.fixture(scope="module")
def wenxin() -> Iterator[Emulator]:
    """An emulator for this file alone: the day's 500 questions are soon asked."""
    with serve(create_emulator(quick(wenxin_daily=0))) as url:
        yield Emulator(url)


@pytest.fixture
def alice(wenxin) -> Visitor:
    return Visitor(agent(wenxin.url))


def paths(emulator) -> list[str]:
    return [one["path"].rpartition("/")[2] for one in emulator.journal()["requests"]]


@pytest.mark.parametrize("streaming", [True, False])
def test_an_answer_with_its_ids(alice, streaming):
    assert alice.ask("今天 !pieces 7", streaming) == "你说：今天 !pieces 7\n\n这是第 1 个问题。"
    assert len(alice.all(Delta)) == (7 if streaming else 1)
    accepted = alice.all(Accepted)[0]
    assert accepted.conversation and accepted.chat and accepted.trace
    assert alice.events[-1] == Done()


@pytest.mark.parametrize("as_object", [True, False])
@pytest.mark.parametrize(
    "words", ["!two", "!cite", "!image", "!replace", "!intervene", "!stock", "!fence"]
)
def test_json_callers_and_stream_callers_get_the_same_answer(start_emulator, words, as_object):
    shared = agent(start_emulator(wenxin_object_content=as_object).url)
    told = []
    for streaming in (True, False):
        alice = Visitor(shared)
        said = alice.ask(f"你好 {words}", streaming)
        told.append((said, alice.all(Citation), alice.all(Media)))
    assert told[0] == told[1]


def test_a_section_that_is_corrected_is_rewritten(alice):
    alice.ask("你好 !replace")
    assert alice.all(Rewrite) == [Rewrite("你说：你好 !replace\n\n这是第 1 个问题。")]


def test_an_answer_that_moderation_replaced_says_so(alice):
    alice.ask("你好 !intervene")
    assert alice.events[-1] == Done("content_filter")


@pytest.mark.parametrize(
    ("words", "end"), [("!no-end", "个问题。"), ("!two !one-section", "第二条回复。")]
)
def test_a_stream_that_closes_between_sections_is_decided_by_one_whole_answer(
    start_emulator, words, end
):
    emulator = start_emulator()
    assert Visitor(agent(emulator.url)).ask(f"你好 {words}").endswith(end)
    assert paths(emulator) == ["conversation", "getAnswer"]


SECTION = {"dataType": "markdown", "isFinished": True}


def test_a_whole_answer_decides_and_shortens_nothing(raw_server):
    """The stream has said 一 and closes after that section; getAnswer says the rest, the same,
    less, something else, nothing, or that it fails.
    """
    stream = packets(json.dumps({"content": [{**SECTION, "data": {"text": "一。\n二。"}}]}))
    for texts, said, error in [
        (["一。\n二。", "三。"], "一。\n二。\n\n三。", None),
        (["一。\n二。\n"], "一。\n二。", None),
        (["一。"], "一。\n二。", None),
        (["另一个"], "另一个", None),
        ([], "一。\n二。", Unavailable),
        (None, "一。\n二。", Unavailable),
    ]:
        content = [{"dataType": "txt", "data": text} for text in texts or []]
        whole = {"status": 0 if texts is not None else 1003, "data": {"content": content}}
        server = raw_server(stream, json.dumps(whole).encode())
        alice = Visitor(agent(server.url))
        if error is None:
            assert alice.ask("你好") == said
        else:
            with pytest.raises(error):
                alice.ask("你好")
            assert alice.said == said
        assert len(server.requests) == 2


@pytest.fixture
def raw_server(request):
    """A platform that answers its calls with these bodies, one after another."""

    def start(*bodies: bytes) -> Server:
        waiting = list(bodies)

        def answer(line, asked):
            body = waiting.pop(0)
            line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            return True

        server = Server(answer)
        request.addfinalizer(server.close)
        return server

    return start


def test_pings_are_no_answer(alice):
    assert alice.ask("你好 !pings 1").startswith("你说")
    with pytest.raises(TimedOut):
        alice.ask("!pings 10", seconds=0.4)


def test_an_answer_empty_on_the_stream_is_asked_for_once_more(start_emulator):
    emulator = start_emulator()
    assert "!mute" in Visitor(agent(emulator.url)).ask("!mute")
    assert paths(emulator) == ["conversation", "getAnswer"]


@pytest.mark.parametrize(
    "word", ["!cut", "!short", "!late-error", "!blocked-late", "!nothing 499", "!code 1001"]
)
def test_a_question_that_may_have_been_taken_is_never_asked_twice(start_emulator, word):
    emulator = start_emulator()
    with pytest.raises(ProviderError):
        Visitor(agent(emulator.url)).ask(word)
    assert paths(emulator) == ["conversation"]


OUTCOMES = [
    ("!busy", RateLimited),
    ("!quota", QuotaExhausted),
    ("!unauthorized", AuthRejected),
    ("!unpublished", NotConfigured),
    ("!unknown", AuthRejected),
    ("!blocked", ContentBlocked),
    ("!late-error", Unavailable),
    ("!blocked-late", ContentBlocked),
    ("!empty", EmptyAnswer),
    ("!cut", Unavailable),
    ("!http 400", Unexpected),
    ("!http 401", AuthRejected),
    ("!http 503", Unavailable),
    ("!nothing 400", Unexpected),
    ("!nothing 429", RateLimited),
    ("!nothing 499", Unavailable),
    ("!nothing 500", Unavailable),
    ("!html 404", NotConfigured),
    ("!html 502", Unavailable),
    ("!html 200", Unexpected),
    ("!nothing 200", Unavailable),
    ("!garbage", Unavailable),
    ("!json-error", Unavailable),
    ("!redirect", Unexpected),
    ("!late-code 1005", ContentBlocked),
    ("!late-code 99", Unexpected),
]


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(("words", "expected"), OUTCOMES)
def test_each_failure_has_one_outcome(alice, words, expected, streaming):
    with pytest.raises(ProviderError) as failed:
        alice.ask(words, streaming)
    assert type(failed.value) is expected or isinstance(failed.value, expected)


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1005, 1006, 1113, 1115, 1116])
@pytest.mark.parametrize("as_events", [True, False])
def test_every_documented_code_becomes_its_row(start_emulator, code, as_events):
    emulator = start_emulator(wenxin_errors_as_events=as_events)
    with pytest.raises(ERRORS[code]) as failed:
        Visitor(agent(emulator.url)).ask(f"!code {code}")
    assert (failed.value.code, bool(failed.value.trace)) == (code, True)


def test_there_is_a_row_for_every_documented_code_and_no_other():
    assert set(ERRORS) == {499, 1000, 1001, 1002, 1003, 1005, 1006, 1113, 1115, 1116}


def packets(*messages: str, status: int = 0) -> bytes:
    told = [f'{{"status":{status},"data":{{"message":{message}}}}}' for message in messages]
    return "".join(f"event:message\ndata:{one}\n\n" for one in told).encode()


SAID = '{"content":[{"dataType":"markdown","isFinished":false,"data":{"text":"你好"}}]}'
END = '{"content":null,"endTurn":true}'


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (packets(SAID, END), "text/event-stream"),
        (packets(SAID, END), "application/json"),
        (packets(SAID, END) + b"data:[DONE]\n\n", "text/event-stream"),
        (packets(SAID, END) + b"data:{broken", "text/event-stream"),
        (packets(SAID, END).rstrip(), "text/plain"),
        (b"\xef\xbb\xbf\n" + packets(SAID, END), "text/event-stream"),
    ],
)
def test_a_stream_is_known_by_its_bytes_and_ends_with_its_last_word(body, kind):
    with saying(body, kind=kind) as url:
        assert Visitor(agent(url)).ask("你好") == "你好"


def test_a_platform_that_does_not_hang_up_is_left_after_a_while():
    began = time.monotonic()
    with saying(packets(SAID, END), lingers=True) as url:
        assert Visitor(agent(url)).ask("你好") == "你好"
    assert LINGER_S <= time.monotonic() - began < LINGER_S + ALLOWANCE


def test_a_tool_at_work_when_the_stream_breaks_has_failed():
    tool = '{"content":[{"progress":{"toolsStatus":[{"status":"ing","toolName":"search"}]}}]}'
    with saying(packets(tool, SAID)) as url:
        alice = Visitor(agent(url))
        with pytest.raises(Unavailable):
            alice.ask("你好")
    assert [step.state for step in alice.all(ToolStep)] == ["running", "failed"]


def test_a_character_cut_in_two_at_a_proper_end_is_a_break():
    with saying(packets(SAID) + b'data:{"status":0,"data":"\xe4\xbd') as url:
        alice = Visitor(agent(url))
        with pytest.raises(Unavailable):
            alice.ask("你好")
    assert alice.said == "你好"


@pytest.mark.parametrize("word", ["!short", "!cut"])
def test_a_stream_that_stops_short_keeps_what_it_said(alice, word):
    with pytest.raises(Unavailable):
        alice.ask(f"你好 {word} !pieces 4")
    assert alice.said.startswith("你说：你好")


def test_the_end_of_the_answer_is_not_a_hanging_up(start_emulator):
    emulator = start_emulator()
    Visitor(agent(emulator.url)).ask("你好")
    assert emulator.journal()["disconnected"] == []


def test_the_days_questions_and_the_rate_are_told_apart(start_emulator):
    emulator = start_emulator(wenxin_daily=2)
    alice = Visitor(agent(emulator.url))
    alice.ask("一")
    alice.ask("二", streaming=False)
    with pytest.raises(QuotaExhausted):
        alice.ask("三")
    emulator.change(wenxin_rate=1.0, wenxin_daily=0)
    with pytest.raises(RateLimited) as failed:
        for _ in range(3):
            alice.ask("四")
    assert failed.value.retry_after == 3


def test_what_is_asked_is_what_the_platform_wants(start_emulator):
    emulator = start_emulator()
    Visitor(agent(emulator.url)).ask("你好")
    assert emulator.journal()["violations"] == []
    body = emulator.journal()["requests"][0]["body"]
    assert (body["openId"], body["source"], "threadId" in body) == (
        f"u_{USER}",
        DEMO["WENXIN_APP_ID"],
        False,
    )


# The keys


@pytest.mark.parametrize("status", [401, 200])
def test_keys_are_checked_without_spending_a_question(start_emulator, status):
    emulator = start_emulator(wenxin_token_status=status)
    agent(emulator.url).check_credentials()
    for wrong in ({"secret_key": "EmuSecretWrong"}, {"app_id": "EmuAgentUnknown"}):
        with pytest.raises(AuthRejected) as failed:
            agent(emulator.url, **wrong).check_credentials()
        assert failed.value.code == "invalid_client"
    assert set(paths(emulator)) == {"token"}


def test_a_check_sees_the_keys_and_the_agent(wenxin):
    one = agent(wenxin.url)
    assert [seen.subject for seen in one.check(time.monotonic() + 5)] == ["credentials", "agent"]
    assert one.addresses == (wenxin.url, wenxin.url)
    with pytest.raises(TimedOut):
        list(one.check(time.monotonic()))


def test_wrong_keys_and_an_agent_that_is_not_published(wenxin):
    with pytest.raises(AuthRejected):
        Visitor(agent(wenxin.url, secret_key="EmuSecretWrong")).ask("你好")
    offline = agent(
        wenxin.url,
        app_id="EmuAgentAAAAAAAAAAAAAAAAAAAAAA02",
        secret_key="EmuSecretBBBBBBBBBBBBBBBBBBBBB02",
    )
    for act in (
        lambda: Visitor(offline).ask("你好"),
        lambda: list(offline.check(time.monotonic() + 5)),
    ):
        with pytest.raises(NotConfigured):
            act()


def nobody_listens() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def everything_said_by(error: BaseException | None) -> str:
    """An error, what led to it, and what a traceback prints of both."""
    told = ""
    while error is not None:
        told += f"{error!r} {error} {vars(error)} {''.join(traceback.format_exception(error))}"
        error = error.__cause__ or error.__context__
    return told


@pytest.mark.parametrize(
    "words", ["!cut", "!garbage", "!redirect", "!html 502", "!silent", "!late-error"]
)
def test_the_keys_in_the_address_are_never_told(wenxin, caplog, capfd, words):
    caplog.set_level(logging.DEBUG)
    alice = Visitor(agent(wenxin.url))
    for streaming in (True, False):
        with pytest.raises(ProviderError) as failed:
            alice.ask(words, streaming, seconds=0.5)
        told = everything_said_by(failed.value)
        assert SECRET not in told and "secretKey=" not in told
    printed = "".join(capfd.readouterr())
    assert SECRET not in caplog.text + printed
    assert "secretKey=" not in caplog.text + printed


def test_the_keys_are_not_told_when_nobody_listens(caplog, capfd):
    caplog.set_level(logging.DEBUG)
    lost = agent(nobody_listens())
    for act in (lost.check_credentials, lambda: Visitor(lost).ask("你好")):
        with pytest.raises(ProviderError) as failed:
            act()
        assert SECRET not in everything_said_by(failed.value)
    assert SECRET not in caplog.text + "".join(capfd.readouterr())


def test_a_platform_that_repeats_our_address_does_not_bring_the_key_into_the_log():
    told = f'{{"status": 1000, "message": "POST /assistant?secretKey={SECRET}"}}'.encode()
    with saying(told, kind="application/json") as url, pytest.raises(Unexpected) as failed:
        Visitor(agent(url)).ask("你好")
    assert "secretKey=***" in str(failed.value)


def test_the_keys_are_not_told_by_the_options_and_the_agent(wenxin):
    assert SECRET not in repr(options(wenxin.url)) + repr(agent(wenxin.url))
    with pytest.raises(ValidationError) as failed:
        options("nowhere", secret_key=f"{SECRET} ")
    assert SECRET not in str(failed.value)


def test_an_agent_can_be_pasted_as_the_address_of_its_page():
    page = (
        "https://agents.baidu.com/center/agent/preview/EmuAgentAAAAAAAAAAAAAAAAAAAAAA01?from=list"
    )
    assert options("http://x", app_id=page).app_id == "EmuAgentAAAAAAAAAAAAAAAAAAAAAA01"
    with pytest.raises(ValidationError):
        options("http://x", app_id="https://agents.baidu.com/center")
