"""A polled answer, and one read again from the record: the same words, never asked for too fast."""

import json
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
import requests

from emulator import create_emulator
from emulator.serving import serve
from providers.coze.answer import CozeReader, readable, usage_of
from providers.errors import (
    AuthRejected,
    EmptyAnswer,
    NeedsAction,
    QuotaExhausted,
    TimedOut,
    Unavailable,
)
from providers.events import Accepted, Delta, Done, Rewrite, Status, Suggestion
from providers.stop import Stop, Stopped
from tests.kit.coze_agent import CozeAnswer, agent, ask, listen, requests_of, turn
from tests.kit.emulator import quick
from tests.kit.patience import ALLOWANCE, soon
from tests.kit.raw import Server

WORK_S = 2.1
WORDS = [
    "你好",
    "!two",
    "!think",
    "!tool",
    "!cite",
    "!knowledge",
    "!card",
    "!image",
    "!markdown",
    "!strange",
    "!order 2",
    "!order 3",
    "!no-followup",
    "!empty",
    "!no-data",
    "!late-error",
    "!failed",
    "!failed 5000",
    "!failed !no-data",
    "!blocked-late",
    "!late-code 4013",
    "!huge 300000",
    "!two !think !tool !cite !order 2",
    "!json-error",
    "!html 502",
    "!busy",
    "!quota",
    "!garbage",
]


@pytest.fixture(scope="module")
def asked(emulator) -> dict[tuple[str, bool], CozeAnswer]:
    """Every word asked in both ways, all at once: polling takes its time."""
    coze = agent(emulator.url)

    def one(word: str, streaming: bool) -> CozeAnswer:
        return ask(coze, f"{word} 今天", streaming=streaming, user=f"{word}{streaming}"[:30])

    with ThreadPoolExecutor(len(WORDS) * 2) as pool:
        pairs = [(word, streaming) for word in WORDS for streaming in (True, False)]
        return dict(zip(pairs, pool.map(lambda pair: one(*pair), pairs), strict=True))


@pytest.mark.parametrize("word", [word for word in WORDS if word != "!no-data"])
def test_a_polled_answer_is_the_streamed_one(asked, word):
    streamed, polled = asked[word, True], asked[word, False]
    if polled.error is not None and streamed.replies:
        streamed.events = [event for event in streamed.events if not isinstance(event, Delta)]
    assert [one.splitlines() for one in polled.replies] == [
        one.splitlines() for one in streamed.replies
    ]
    assert polled.essence[1:] == streamed.essence[1:]


def test_every_reply_comes_in_one_piece_after_the_ids(asked):
    told = asked["!two", False]
    assert isinstance(told.events[0], Accepted)
    assert told.states == ["waiting"]
    assert [event.reply for event in told.of(Delta)] == [0, 1]
    assert told.accepted.trace
    assert told.events[-1] == Done("stop")


def test_a_completed_chat_without_a_list_is_an_empty_answer(asked):
    assert isinstance(asked["!no-data", False].error, EmptyAnswer)


def test_create_retrieve_list_and_nothing_else(start_emulator):
    emulator = start_emulator(coze_work_s=0.4)
    coze = agent(emulator.url)
    first = ask(coze, "我叫爱丽丝", streaming=False)
    second = ask(coze, "!recall", streaming=False, conversation=first.accepted.conversation)
    assert second.text == "我叫爱丽丝"
    journal = emulator.journal()
    for told, query in ((first, {}), (second, {"conversation_id": first.accepted.conversation})):
        create, *polls, listed = requests_of(journal, told.accepted.chat)
        assert (create["method"], create["path"], create["query"]) == ("POST", "/v3/chat", query)
        assert create["body"]["stream"] is False
        assert create["body"]["auto_save_history"] is True
        assert 1 <= len(polls) <= 3
        ids = {"conversation_id": told.accepted.conversation, "chat_id": told.accepted.chat}
        for poll in polls:
            assert (poll["method"], poll["path"], poll["query"]) == (
                "GET",
                "/v3/chat/retrieve",
                ids,
            )
        assert (listed["method"], listed["path"], listed["query"]) == (
            "GET",
            "/v3/chat/message/list",
            ids,
        )
    assert journal["violations"] == []


@dataclass
class Crowd:
    """Many chats begun at once, and what the platform saw of them; `slow` are polled every two
    seconds.
    """

    quick: list[CozeAnswer]
    slow: list[CozeAnswer]
    journal: dict[str, Any]

    def polls(self, told: CozeAnswer) -> list[float]:
        return [one["at"] for one in requests_of(self.journal, told.accepted.chat, "retrieve")]


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    with serve(create_emulator(quick(coze_work_s=WORK_S))) as url, ThreadPoolExecutor(50) as pool:
        agents = [agent(url)] * 40 + [agent(url, poll_interval_s=2.0)] * 10
        told = list(pool.map(lambda coze: ask(coze, "你好", streaming=False), agents))
        journal = requests.get(f"{url}/_emulator/journal", timeout=5).json()
    return Crowd(told[:40], told[40:], journal)


def test_polls_of_a_chat_are_a_second_apart_as_the_platform_sees_them(crowd):
    for told in crowd.quick:
        assert told.error is None
        assert len(crowd.polls(told)) in (2, 3)
        assert all(later - earlier >= 0.999 for earlier, later in pairwise(crowd.polls(told)))
        assert len(requests_of(crowd.journal, told.accepted.chat, "message/list")) == 1
    assert crowd.journal["violations"] == []


def test_an_answer_is_noticed_half_an_interval_late_on_average(crowd):
    late = [told.seconds - WORK_S for told in crowd.quick]
    assert all(0 <= one < soon(1.6) for one in late)
    # Polls that are not spread would be a whole second late.
    assert 0.2 < statistics.mean(late) < 0.8 + (ALLOWANCE - 1) / 20


def test_a_longer_interval_is_kept(crowd):
    for told in crowd.slow:
        assert told.error is None
        assert all(later - earlier >= 2.0 for earlier, later in pairwise(crowd.polls(told)))


# Troubles that pass, and that do not


def test_stop_while_polling_cancels(start_emulator):
    emulator = start_emulator(coze_work_s=30)
    stop, when = Stop(), []
    threading.Timer(0.4, lambda: (when.append(time.monotonic()), stop.request())).start()
    told = ask(agent(emulator.url), "你好", streaming=False, stop=stop)
    assert isinstance(told.error, Stopped)
    assert time.monotonic() - when[0] < soon(0.5)
    assert len(requests_of(emulator.journal(), told.accepted.chat, "cancel")) == 1


def test_the_deadline_cancels_and_a_longer_run_is_not_waited_for(start_emulator):
    emulator = start_emulator(coze_work_s=30)
    told = ask(agent(emulator.url), "你好", streaming=False, seconds=1.6)
    assert isinstance(told.error, TimedOut)
    assert 1.4 < told.seconds < soon(2.2)
    assert len(requests_of(emulator.journal(), told.accepted.chat, "cancel")) == 1
    assert requests_of(emulator.journal(), told.accepted.chat, "list") == []


def test_a_token_refused_in_mid_run_is_not_asked_again(start_emulator):
    emulator = start_emulator()
    told = ask(agent(emulator.url), "!expired-later 你好", streaming=False)
    assert (type(told.error), told.error.code) == (AuthRejected, 700012006)
    assert len(requests_of(emulator.journal(), told.accepted.chat, "retrieve")) == 1


def test_a_poll_that_always_fails_is_given_up_within_the_deadline(start_emulator):
    emulator = start_emulator()
    told = ask(agent(emulator.url), "!retrieve-http 502 你好", streaming=False, seconds=2.4)
    assert isinstance(told.error, TimedOut | Unavailable)
    assert told.seconds < soon(3.4)
    assert len(requests_of(emulator.journal(), told.accepted.chat, "retrieve")) >= 2
    assert emulator.violations("polled_too_fast") == []


def test_an_account_without_credit_is_told_by_the_run(start_emulator):
    emulator = start_emulator(coze_free_calls=1)
    told = ask(agent(emulator.url), "你好", streaming=False)
    assert (type(told.error), told.error.code) == (QuotaExhausted, 4028)


def test_a_busy_conversation_is_waited_for_as_well(start_emulator):
    emulator = start_emulator(coze_work_s=0.8)
    coze = agent(emulator.url)
    events = coze.stream(turn("你好", streaming=False))
    first = next(events)
    told = ask(
        coze, "!recall", streaming=False, conversation=first.conversation, previous_chat=first.chat
    )
    assert (told.text, told.states) == ("你好", ["queued", "waiting"])
    events.close()


class Platform(Server):
    """Answers retrieve and list with the next of what it was given: a status with a body, or a
    rude end.
    """

    def __init__(self, **answers: list[Any]) -> None:
        self.answers = {name: list(of) for name, of in answers.items()}
        super().__init__(self._tell)

    def _tell(self, line: Any, request: bytes) -> bool:
        name = request.split()[1].decode().split("?")[0].rsplit("/", 1)[1]
        told = self.answers[name]
        status, body = told.pop(0) if len(told) > 1 else told[0]
        if status == 0:
            return False
        raw = (
            body
            if isinstance(body, bytes)
            else json.dumps({"code": 0, "msg": "", "data": body}).encode()
        )
        line.sendall(b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n%b" % (status, len(raw), raw))
        return True


def read_again(server: Platform, said: tuple[str, ...] = ()) -> CozeAnswer:
    return listen(agent(server.url).resume(turn("", conversation="2"), "1", said))


CHAT = {"id": "1", "conversation_id": "2"}
ANSWER = {
    "id": "a",
    "role": "assistant",
    "type": "answer",
    "content": "yes",
    "content_type": "text",
}


@pytest.fixture
def platform(request) -> Iterator[Any]:
    def start(**answers: list[Any]) -> Platform:
        created = {"chat": [(200, {**CHAT, "status": "in_progress"})], "cancel": [(200, CHAT)]}
        done = {name: [good] for name, good in GOOD.items()}
        server = Platform(**{**created, **done, **answers})
        request.addfinalizer(server.close)
        return server

    return start


TROUBLES = {
    "502": (502, b"<html>bad gateway</html>"),
    "500 with a code": (500, b'{"code":5000,"msg":"server issues"}'),
    "200 with 5000": (200, b'{"code":5000,"msg":"server issues"}'),
    "200 with 720701013": (200, b'{"code":720701013,"msg":"server issues"}'),
    "200 with an unknown code of nine digits": (200, b'{"code":702042078,"msg":"server issues"}'),
    "429": (429, b'{"code":4013,"msg":"slow down"}'),
    "half a body": (200, b'{"code":0,"da'),
    "hung up": (0, b""),
}


GOOD = {"retrieve": (200, {**CHAT, "status": "completed"}), "list": (200, [ANSWER])}


@pytest.fixture(scope="module")
def troubled() -> dict[tuple[str, str], CozeAnswer]:
    """What came of an answer read again, when one call failed once; all at once, for they take a
    second.
    """

    def one(pair: tuple[str, str]) -> CozeAnswer:
        call, trouble = pair
        answers = {name: [good] for name, good in GOOD.items()}
        server = Platform(**{**answers, call: [TROUBLES[trouble], GOOD[call]]})
        told = read_again(server)
        server.close()
        return told

    pairs = [(call, trouble) for call in GOOD for trouble in TROUBLES]
    with ThreadPoolExecutor(len(pairs)) as pool:
        return dict(zip(pairs, pool.map(one, pairs), strict=True))


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("call", GOOD)
def test_one_bad_poll_does_not_cost_the_answer(troubled, call, trouble):
    told = troubled[call, trouble]
    assert (told.error, told.replies) == (None, ["yes"])
    # A pooled connection that has died is replaced at once; other failures wait for the next poll.
    assert told.seconds > 0.95 or trouble == "hung up"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("completed", Done()),
        ("compleated", Done()),
        ("canceled", Done("stopped")),
        ("cancelled", Done("stopped")),
    ],
)
def test_every_terminal_status_has_its_outcome(platform, status, outcome):
    told = read_again(platform(retrieve=[(200, {**CHAT, "status": status})]))
    assert (told.error, told.events[-1]) == (None, outcome)


@pytest.mark.parametrize("status", ["requires_action", "required_action"])
def test_a_demand_for_action_keeps_the_words(platform, status):
    told = read_again(platform(retrieve=[(200, {**CHAT, "status": status})]))
    assert isinstance(told.error, NeedsAction)
    assert told.replies == ["yes"]


@pytest.mark.parametrize("last_error", [None, {}, {"code": 0, "msg": ""}])
def test_a_failure_without_a_reason_is_one(platform, last_error):
    failed = {**CHAT, "status": "failed", "last_error": last_error}
    told = read_again(platform(retrieve=[(200, failed)]))
    assert isinstance(told.error, Unavailable)


def test_states_nobody_has_documented_are_waited_out(platform):
    # Also a state that seems to go back.
    states = [{**CHAT, "status": status} for status in ("queued", "created", "completed")]
    server = platform(retrieve=[(200, state) for state in states])
    told = read_again(server)
    assert told.replies == ["yes"]


def test_a_question_that_was_lost_on_the_way_is_not_asked_again(platform):
    server = platform(chat=[(0, b"")])
    for streaming in (True, False):
        told = ask(agent(server.url), "hi", streaming=streaming)
        assert isinstance(told.error, Unavailable)
    assert sum(b"POST /v3/chat " in request for request in server.requests) == 2


def test_a_chat_where_a_stream_was_wanted_is_polled(platform):
    told = ask(agent(platform().url), "hi", streaming=True)
    assert (told.error, told.replies) == (None, ["yes"])


# Reading again


@pytest.mark.parametrize(
    ("said", "events"),
    [
        ((), [Delta("one", 0), Delta("two", 1)]),
        (("",), [Delta("one", 0), Delta("two", 1)]),
        (("on",), [Delta("e", 0), Delta("two", 1)]),
        (("one",), [Delta("two", 1)]),
        (("one", "t"), [Delta("wo", 1)]),
        (("one", "two"), []),
        (("uno",), [Rewrite("one", 0), Delta("two", 1)]),
    ],
)
def test_only_what_was_not_said_is_told(platform, said, events):
    messages = [{**ANSWER, "id": "v", "type": "verbose", "content": "{}"}]
    messages += [{**ANSWER, "id": "a", "content": "one"}, {**ANSWER, "id": "b", "content": "two"}]
    server = platform(list=[(200, messages)])
    told = read_again(server, said)
    assert told.error is None
    assert [event for event in told.events if isinstance(event, Delta | Rewrite)] == events


def test_a_lost_answer_is_finished(start_emulator):
    emulator = start_emulator(pace_s=1.0, pieces=10)
    coze = agent(emulator.url)
    events = coze.stream(turn("!think !two 你好"))
    accepted, said, thoughts = next(events), "", ""
    for event in events:
        said += event.text if isinstance(event, Delta) else ""
        if len(said) > 10:
            break
    events.close()
    told = listen(coze.resume(turn("", conversation=accepted.conversation), accepted.chat, (said,)))
    assert told.error is None
    assert "这是第 1 个问题。" in told.of(Delta)[0].text
    assert told.of(Delta)[1] == Delta("第二条回复。", 1)
    assert told.thoughts == thoughts
    assert len(told.of(Suggestion)) == 3
    assert told.of(Accepted) == []
    assert len([one for one in emulator.journal()["requests"] if one["path"] == "/v3/chat"]) == 1


def test_a_chat_nobody_remembers_is_unavailable(emulator):
    coze = agent(emulator.url)
    made = coze.create_conversation()
    told = listen(coze.resume(turn("", conversation=made), "7480000000000099999", ("so far",)))
    assert (type(told.error), told.error.code) == (Unavailable, 4001)
    assert told.seconds < soon(0.5)
    assert isinstance(listen(coze.resume(turn(""), "1", ())).error, Unavailable)


def test_reading_again_can_be_stopped(start_emulator):
    emulator = start_emulator()
    coze = agent(emulator.url)
    events = coze.stream(turn("!silent"))
    accepted = next(events)
    events.close()
    stop = Stop()
    threading.Timer(0.3, stop.request).start()
    told = listen(
        coze.resume(turn("", conversation=accepted.conversation, stop=stop), accepted.chat, ())
    )
    assert isinstance(told.error, Stopped)
    assert len(requests_of(emulator.journal(), accepted.chat, "cancel")) == 1


# Odd shapes


@pytest.mark.parametrize(
    "content", ["", "no json", "[1, null]", "{}", '{"text": "x"}', "[" * 50_000, '"x"']
)
@pytest.mark.parametrize("kind", ["text", "card", "object_string", "audio", None, "novel"])
def test_any_content_is_readable(content, kind):
    read = readable({"content": content, "content_type": kind})
    assert isinstance(read.text, str)
    assert read.media == ()


@pytest.mark.parametrize(
    "kind", ["verbose", "knowledge", "function_call", "tool_response", "follow_up", "", None, 3]
)
@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "no json",
        "[]",
        '{"msg_type":"knowledge_recall","data":"no json"}',
        '{"msg_type":"knowledge_recall","data":{"chunks":[1,{"meta":7},{"meta":{"link":{"url":3}},"slice":4}]}}',
        '{"msg_type":null,"arguments":[1]}',
        '{"response_for_model":{"a":1}}',
    ],
)
def test_no_message_breaks_the_reader(kind, content):
    reader = CozeReader()
    list(reader.apply_completed({"id": "1", "type": kind, "content": content}))
    assert not reader.has_answer


@pytest.mark.parametrize(
    "usage", [None, [], {}, {"token_count": "7"}, {"token_count": None, "input_count": -1}]
)
def test_usage_that_was_not_counted_is_not_told(usage):
    assert list(usage_of({"usage": usage})) == []


def test_usage_is_read_in_both_spellings():
    [one] = usage_of({"usage": {"output_tokens": 2, "input_tokens": 3}})
    assert (one.input, one.output, one.total) == (3, 2, 5)


def test_waiting_is_a_status_of_its_own(asked):
    assert asked["你好", False].events[1] == Status("waiting")
