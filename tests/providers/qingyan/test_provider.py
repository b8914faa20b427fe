"""Qingyan against its emulation: the answer, the token, the files, and every way in which it may
end.
"""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import ValidationError

from emulator.accounts import DEMO
from providers.base import Attachment, Turn
from providers.errors import (
    AuthRejected,
    BadQuestion,
    ContentBlocked,
    EmptyAnswer,
    NotConfigured,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    Unavailable,
    Unexpected,
)
from providers.events import (
    Accepted,
    Citation,
    Delta,
    Done,
    Media,
    Suggestion,
    ToolStep,
    Usage,
)
from providers.http import Http, Network
from providers.qingyan.codes import ERRORS
from providers.qingyan.provider import PROVIDER, Options, Qingyan
from providers.stop import Stop, Stopped
from tests.kit.asking import USER, Visitor, saying
from tests.kit.patience import eventually, soon

BOB = "b" * 32
NETWORK = Network()  # one TLS context for all tests: each takes 20 ms


def options(url: str, **more) -> Options:
    return Options(
        **{
            "api_key": DEMO["QINGYAN_API_KEY"],
            "api_secret": DEMO["QINGYAN_API_SECRET"],
            "assistant_id": DEMO["QINGYAN_ASSISTANT_ID"],
            "api_base": url + "/chatglm/assistant-api/v1",
            **more,
        }
    )


def agent(url: str, **more) -> Qingyan:
    return PROVIDER(options(url, **more), Http("qingyan", NETWORK))


@pytest.fixture
def alice(emulator) -> Visitor:
    return Visitor(agent(emulator.url))


def fetches(emulator) -> int:
    return len([one for one in emulator.journal()["requests"] if one["path"].endswith("get_token")])


@pytest.mark.parametrize("streaming", [True, False])
def test_an_answer_with_its_ids_usage_and_follow_up_questions(alice, streaming):
    assert alice.ask("今天 !pieces 7", streaming) == "你说：今天 !pieces 7\n\n这是第 1 个问题。"
    assert len(alice.all(Delta)) == (7 if streaming else 1)
    assert alice.all(Accepted)[0].conversation and alice.all(Accepted)[0].chat
    assert alice.all(Usage)[0].total == 200 + len(alice.said)
    assert alice.all(Suggestion)[0].text == "能举个例子吗？"


@pytest.mark.parametrize("switch", [{"qingyan_data_space": False}, {"qingyan_escaped_json": True}])
def test_other_spellings_of_the_same_events(start_emulator, switch):
    alice = Visitor(agent(start_emulator(**switch).url))
    assert alice.ask("你好 !pieces 4") == "你说：你好 !pieces 4\n\n这是第 1 个问题。"


@pytest.mark.parametrize("as_array", [True, False])
@pytest.mark.parametrize(
    "words", ["!cite", "!two", "!again", "!python", "!rag", "!plugin", "!failing !strange"]
)
def test_json_callers_and_stream_callers_get_the_same_answer(start_emulator, words, as_array):
    agent_ = agent(start_emulator(qingyan_array_content=as_array).url)
    told = []
    for streaming in (True, False):
        alice = Visitor(agent_)
        told.append(
            (alice.ask(f"你好 {words}", streaming), alice.all(ToolStep), alice.all(Citation))
        )
    assert told[0] == told[1]
    assert "†" not in told[0][0]


def test_text_tool_text_is_two_paragraphs_with_the_step_between(alice):
    assert alice.ask("!two !pieces 1") == "You said: !two !pieces 1\n\n" + (
        "This is question 1 — 这是第 1 个问题。\n\n第二条回复。"
    )
    kinds = [type(event) for event in alice.events if isinstance(event, Delta | ToolStep)]
    assert kinds == [Delta, ToolStep, ToolStep, Delta]


def test_text_that_starts_again_is_not_said_twice(alice):
    assert alice.ask("你好 !again").endswith("个问题。\n\n你再问一次试试。")


def test_a_picture(alice):
    alice.ask("!image")
    assert [one.url.rpartition("/")[2] for one in alice.all(Media)] == ["picture.png"]


def test_an_answer_empty_on_the_stream_is_asked_for_once_more(start_emulator):
    emulator = start_emulator()
    alice = Visitor(agent(emulator.url))
    assert "!mute" in alice.ask("!mute")
    paths = [one["path"].rpartition("/")[2] for one in emulator.journal()["requests"]]
    assert paths == ["get_token", "stream", "stream_sync", "prompts"]


@pytest.mark.parametrize("word", ["!cut", "!short", "!late-error", "!blocked-late", "!http 502"])
def test_a_question_that_may_have_been_taken_is_never_asked_twice(start_emulator, word):
    emulator = start_emulator()
    with pytest.raises(ProviderError):
        Visitor(agent(emulator.url)).ask(word)
    paths = [one["path"].rpartition("/")[2] for one in emulator.journal()["requests"]]
    assert paths == ["get_token", "stream"]


OUTCOMES = [
    ("!busy", RateLimited),
    ("!quota", QuotaExhausted),
    ("!unauthorized", AuthRejected),
    ("!unpublished", NotConfigured),
    ("!unknown", NotConfigured),
    ("!blocked", ContentBlocked),
    ("!late-error", Unavailable),
    ("!blocked-late", ContentBlocked),
    ("!intervene", ContentBlocked),
    ("!empty", EmptyAnswer),
    ("!cut", Unavailable),
    ("!http 400", Unexpected),
    ("!http 403", AuthRejected),
    ("!http 429", RateLimited),
    ("!http 500", Unavailable),
    ("!html 404", NotConfigured),
    ("!html 502", Unavailable),
    ("!html 200", Unexpected),
    ("!nothing 503", Unavailable),
    ("!nothing 200", Unavailable),
    ("!garbage", Unavailable),
    ("!json-error", Unavailable),
    ("!redirect", Unexpected),
    ("!late-code 10028", Unavailable),
    ("!late-code 99", Unexpected),
    ("!code 10005", BadQuestion),
    ("!code 77", Unexpected),
]


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(("words", "expected"), OUTCOMES)
def test_each_failure_has_one_outcome(alice, words, expected, streaming):
    with pytest.raises(ProviderError) as failed:
        alice.ask(words, streaming)
    assert type(failed.value).reason == expected.reason
    assert isinstance(failed.value, expected)
    assert "\n" not in str(failed.value)


def test_a_stream_that_stops_short_keeps_what_it_said(alice):
    for word in ("!short", "!cut"):
        with pytest.raises(Unavailable):
            alice.ask(f"你好 {word} !pieces 4")
        assert alice.said.startswith("你说：你好")


def test_the_thread_goes_on_after_a_stop(alice):
    alice.ask("第一")
    threading.Timer(0.2, alice.stop.request).start()
    with pytest.raises(Stopped):
        alice.ask("第二 !pause 20")
    alice.stop = Stop()
    assert alice.ask("!recall") == "第一 | 第二 !pause 20"


def test_what_was_withdrawn_is_replaced_by_the_text_meant_for_the_visitor(alice):
    with pytest.raises(ContentBlocked):
        alice.ask("!intervene")
    assert alice.said == "换个话题聊聊吧。"


# The token


@pytest.mark.parametrize("refusal", ["401", "10018"])
@pytest.mark.parametrize("streaming", [True, False])
def test_a_refused_token_is_replaced_once(start_emulator, refusal, streaming):
    emulator = start_emulator(qingyan_token_refusal=refusal)
    alice = Visitor(agent(emulator.url))
    assert "!expired" in alice.ask("你好 !expired", streaming)
    assert fetches(emulator) == 2


@pytest.mark.parametrize("refusal", ["401", "10018"])
def test_a_token_past_its_time_is_replaced(start_emulator, refusal):
    emulator = start_emulator(qingyan_token_refusal=refusal, qingyan_token_life_s=1)
    alice = Visitor(agent(emulator.url))
    alice.ask("一")
    time.sleep(1.1)
    alice.ask("二")
    assert fetches(emulator) == 2


def test_sixteen_visitors_share_one_token(start_emulator):
    emulator = start_emulator(qingyan_concurrency=0)
    shared = agent(emulator.url)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: Visitor(shared).ask("你好"), range(16)))
    assert fetches(emulator) == 1


def test_two_agents_of_one_account_share_one_token(start_emulator):
    emulator = start_emulator()
    door = Http("qingyan", NETWORK)
    agents = [PROVIDER(options(emulator.url), door) for _ in range(2)]
    for one in agents:
        Visitor(one).ask("你好")
    assert fetches(emulator) == 1


def test_somebody_elses_agent_costs_one_new_token_and_no_more(start_emulator):
    emulator = start_emulator()
    alice = Visitor(agent(emulator.url, assistant_id="aaaaaaaaaaaaaaaaaaaaaa02"))
    for _ in range(3):
        with pytest.raises(NotConfigured) as failed:
            alice.ask("你好")
        assert failed.value.code == 10018
    assert fetches(emulator) == 2


def test_a_401_that_names_another_reason_does_not_cost_a_token(start_emulator):
    emulator = start_emulator()
    with pytest.raises(BadQuestion):
        Visitor(agent(emulator.url)).ask("!code 12002")
    assert fetches(emulator) == 1


@pytest.mark.parametrize(
    ("key", "code"), [("0a1b2c3d4e5f6073", 1001), ("0a1b2c3d4e5f6074", 1002), ("nobody", 1002)]
)
def test_keys_that_are_no_good(emulator, key, code):
    secret = f"00112233445566778899aabbccddee0{key[-1]}"
    broken = agent(emulator.url, api_key=key, api_secret=secret)
    for act in (broken.check_credentials, lambda: Visitor(broken).ask("你好")):
        with pytest.raises(AuthRejected) as failed:
            act()
        assert failed.value.code == code


def test_keys_that_were_ended_later(start_emulator):
    emulator = start_emulator()
    alice = Visitor(agent(emulator.url))
    alice.ask("你好")
    for state, code in (("disabled", 10004), ("deleted", 10003)):
        emulator.change(qingyan_key_state=state)
        with pytest.raises(AuthRejected) as failed:
            alice.ask("你好")
        assert failed.value.code == code


def test_a_check_sees_the_keys_and_not_the_agent(emulator):
    one = agent(emulator.url)
    assert [seen.subject for seen in one.check(time.monotonic() + 5)] == ["credentials", "unseen"]
    assert one.addresses == (f"{emulator.url}/chatglm/assistant-api/v1",)


# Conversations, follow-up questions, files, limits


def test_a_conversation_of_another_account_begins_anew_instead_of_dying(emulator):
    stranger = Visitor(
        agent(
            emulator.url,
            api_key="0a1b2c3d4e5f6072",
            api_secret="00112233445566778899aabbccddee02",
            assistant_id="aaaaaaaaaaaaaaaaaaaaaa02",
        )
    )
    stranger.ask("你好")
    alice = Visitor(agent(emulator.url))
    for forgotten in (stranger.conversation, "f" * 24):
        alice.conversation = forgotten
        assert "第 1 个问题" in alice.ask("你好")
        assert alice.conversation != forgotten


@pytest.mark.parametrize("word", ["!suggest-http 500", "!suggest-http 401"])
def test_an_answer_does_not_depend_on_its_follow_up_questions(alice, word):
    alice.ask(f"你好 {word}")
    assert alice.all(Suggestion) == []


def test_stopping_while_follow_up_questions_are_made_leaves_the_answer_done(alice):
    threading.Timer(0.3, alice.stop.request).start()
    began = time.monotonic()
    alice.ask("你好 !suggest-slow 5")
    assert time.monotonic() - began < soon(1)


def test_follow_up_questions_are_asked_for_only_after_the_answer(start_emulator):
    emulator = start_emulator()
    Visitor(agent(emulator.url)).ask("你好")
    Visitor(agent(emulator.url, follow_ups=False)).ask("你好")
    assert emulator.violations("early_suggest") == []
    assert (
        len([one for one in emulator.journal()["requests"] if one["path"].endswith("prompts")]) == 1
    )


def turn(seconds: float = 10) -> Turn:
    return Turn("", USER, Stop(), time.monotonic() + seconds)


def test_a_file_is_handed_over(emulator):
    file_id = agent(emulator.url)._upload("开放时间.pdf", "application/pdf", b"%PDF-1.4", turn())
    assert len(file_id) == 24


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("!code 11003 x.pdf", Unavailable),
        ("!code 11004 x.pdf", BadQuestion),
        ("!code 11005 x.pdf", BadQuestion),
        ("!busy x.pdf", RateLimited),
    ],
)
def test_a_file_that_is_refused(emulator, name, expected):
    with pytest.raises(expected):
        agent(emulator.url)._upload(name, "application/pdf", b"x", turn())


def test_the_files_of_a_question_go_with_it(start_emulator):
    emulator = start_emulator()
    files = (
        Attachment("开放时间.pdf", "application/pdf", b"%PDF-1.4"),
        Attachment("门口.png", "image/png", b"\x89PNG"),
    )
    asked = Turn("看看", USER, Stop(), time.monotonic() + 10, attachments=files)
    assert Done() in list(agent(emulator.url).stream(asked))
    *uploads, question = [one for one in emulator.journal()["requests"] if one["ids"]]
    assert question["body"]["file_list"] == [{"file_id": one["ids"]["file_id"]} for one in uploads]
    assert len(uploads) == 2


class Tally:
    """An account that lets everything pass, and counts."""

    def __init__(self) -> None:
        self.waits = self.spent = self.refusals = 0

    def wait(self, stop: Stop, deadline: float) -> None:
        self.waits += 1

    def spend(self) -> None:
        self.spent += 1

    def hold_back(self, retry_after: float | None = None) -> None:
        self.refusals += 1


@pytest.mark.parametrize(
    ("words", "files", "expected"),
    [
        ("你好", 0, (1, 0, 0)),  # the follow-up questions
        ("你好", 2, (3, 0, 0)),
        ("!mute", 0, (2, 1, 0)),  # asked a second time
        ("!suggest-http 429", 0, (1, 0, 1)),
    ],
)
def test_every_further_call_asks_the_account_first(emulator, words, files, expected):
    tally = Tally()
    attachments = (Attachment("x.pdf", "application/pdf", b"x"),) * files
    asked = Turn(words, USER, Stop(), time.monotonic() + 10, attachments=attachments, pace=tally)
    list(agent(emulator.url).stream(asked))
    assert (tally.waits, tally.spent, tally.refusals) == expected


def test_a_file_that_is_too_large(start_emulator):
    emulator = start_emulator(qingyan_upload_limit=1000)
    with pytest.raises(BadQuestion):
        agent(emulator.url)._upload("x.pdf", "application/pdf", b"x" * 1001, turn())


def test_the_account_s_limits_are_told_apart(start_emulator):
    emulator = start_emulator(qingyan_concurrency=1, qingyan_daily=2)
    shared = agent(emulator.url)
    waiting = Visitor(shared)
    thread = threading.Thread(target=waiting.ask, args=("!slow 0.5",))
    thread.start()
    assert eventually(lambda: any(one["ids"] for one in emulator.journal()["requests"]))
    with pytest.raises(RateLimited) as failed:
        Visitor(shared).ask("你好")
    assert failed.value.retry_after == 3
    thread.join()
    with pytest.raises(QuotaExhausted):
        Visitor(shared).ask("你好")


# The table, the options, and what may be seen of them

DOCUMENTED = {
    1001,
    1002,
    10003,
    10004,
    10005,
    10006,
    10007,
    10008,
    10010,
    10018,
    10024,
    10025,
    10027,
    10028,
    10031,
} | {11003, 11004, 11005, 11006, 11009, 12001, 12002}


def test_every_documented_code_has_a_row():
    assert set(ERRORS) == DOCUMENTED


@pytest.mark.parametrize("code", sorted(DOCUMENTED - {10018, 10024, 10025, 10027, 10028, 10031}))
def test_every_refusal_becomes_its_row(alice, code):
    with pytest.raises(ERRORS[code]) as failed:
        alice.ask(f"!code {code}")
    assert failed.value.code == code


def test_an_agent_can_be_pasted_as_the_address_of_its_page():
    page = "https://chatglm.cn/main/gdetail/65940acff94777010aa6b796?lang=zh"
    assert options("http://x", assistant_id=page).assistant_id == "65940acff94777010aa6b796"
    with pytest.raises(ValidationError):
        options("http://x", assistant_id="https://chatglm.cn/main/alltoolsdetail")


def test_no_secret_is_seen_in_logs_and_errors(emulator, caplog):
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="urllib3.connectionpool")
    alice = Visitor(agent(emulator.url))
    alice.ask("你好")
    failures = []
    for words in ("!unauthorized", "!cut", "!redirect"):
        with pytest.raises(ProviderError) as failed:
            alice.ask(words)
        failures.append(str(failed.value))
    seen = caplog.text + "".join(failures) + repr(options(emulator.url))
    assert DEMO["QINGYAN_API_SECRET"] not in seen
    assert "eyJ" not in seen


def test_a_platform_that_repeats_our_secret_does_not_bring_it_into_the_log():
    told = f'{{"status": 1, "message": "no such key\\n{DEMO["QINGYAN_API_SECRET"]}"}}'.encode()
    with (
        saying(told, "400 Bad Request", "application/json") as url,
        pytest.raises(ProviderError) as failed,
    ):
        agent(url).check_credentials()
    assert "no such key ***" in str(failed.value)


@pytest.mark.parametrize(
    "body",
    [b'{"status":0}', b'{"status":0,"result":7}', b"[]", b'{"status":0,"result":{"expires_in":9}}'],
)
def test_a_token_that_is_none_is_not_kept(body):
    with saying(body, kind="application/json") as url, pytest.raises(Unexpected):
        Visitor(agent(url)).ask("你好")
