"""A streamed answer: every event, every way to frame and to break it, Stop, a conversation that
is busy.
"""

import json
import re
import threading
import time
from contextlib import suppress
from typing import Any

import pytest

from providers.errors import Busy, EmptyAnswer, NeedsAction, TimedOut, Unavailable
from providers.events import (
    Accepted,
    Citation,
    Delta,
    Done,
    Media,
    Rewrite,
    Status,
    ToolStep,
    Usage,
)
from providers.stop import Stop, Stopped
from tests.kit.coze_agent import Hurry, agent, ask, listen, requests_of, turn
from tests.kit.patience import soon
from tests.kit.raw import Server, read_request


def test_a_question_is_answered(emulator):
    told = ask(agent(emulator.url), "图书馆几点开门？")
    assert told.error is None
    assert "> 图书馆几点开门？" in told.text
    assert len(told.replies) == 1
    assert len(told.suggestions) == 3
    assert isinstance(told.events[0], Accepted)
    assert told.accepted.conversation.isdigit()
    assert told.accepted.chat.isdigit()
    assert told.accepted.trace
    assert told.of(Usage)[0].total > 0
    assert told.events[-1] == Done("stop")


def test_it_takes_one_call(start_emulator):
    emulator = start_emulator()
    ask(agent(emulator.url), "你好")
    assert [one["path"] for one in emulator.journal()["requests"]] == ["/v3/chat"]
    assert emulator.journal()["violations"] == []


def test_the_conversation_goes_on_by_its_id_in_the_query(start_emulator):
    emulator = start_emulator()
    coze = agent(emulator.url)
    first = ask(coze, "我叫爱丽丝")
    second = ask(coze, "!recall", conversation=first.accepted.conversation)
    assert second.text == "我叫爱丽丝"
    assert second.accepted.conversation == first.accepted.conversation
    queries = [one["query"] for one in emulator.journal()["requests"]]
    assert queries == [{}, {"conversation_id": first.accepted.conversation}]
    assert all("conversation_id" not in one["body"] for one in emulator.journal()["requests"])


def test_only_answers_are_shown_as_answers(emulator):
    told = ask(agent(emulator.url), "!think !tool !cite !knowledge !strange !two 你好")
    assert len(told.replies) == 2
    for never in (
        "msg_type",
        "weather",
        "recall slice",
        "undocumented",
        "21 °C",
        "几",
        told.thoughts,
    ):
        assert never not in told.text.replace("你好", "")
    called, answered = told.of(ToolStep)
    assert (called.state, called.name, called.input) == (
        "running",
        "weather-today",
        '{"city": "北京"}',
    )
    assert (answered.state, answered.output, answered.id) == ("done", "晴，21 °C", called.id)
    assert [one.text for one in told.of(Citation)] == ["开放时间 9:00-17:00"] * 2


def test_words_come_while_they_are_made(start_emulator):
    emulator = start_emulator(pace_s=1.0, pieces=10)
    coze, began, when = agent(emulator.url), time.monotonic(), []
    for event in coze.stream(turn("你好")):
        if isinstance(event, Delta):
            when.append(time.monotonic() - began)
    assert len(when) == 10
    assert when[-1] - when[0] > 0.6
    assert when[0] < when[-1] / 2


def test_a_card_is_told_in_words(emulator):
    assert ask(agent(emulator.url), "!card").replies == ["[卡片 / card]"]


def test_an_image_stays_in_the_markdown(emulator):
    assert "![图片](http://" in ask(agent(emulator.url), "!image 你好").text


def test_done_may_be_bare_or_missing(emulator):
    for word in ("!done-bare", "!no-done"):
        told = ask(agent(emulator.url), f"{word} 你好")
        assert (told.error, told.events[-1]) == (None, Done("stop"))
        assert "recovering" not in told.states


def test_no_suggestions_is_no_error(emulator):
    told = ask(agent(emulator.url), "!no-followup 你好")
    assert (told.error, told.suggestions) == (None, [])


def test_nothing_said_is_an_empty_answer(emulator):
    told = ask(agent(emulator.url), "!empty", stop=Hurry())
    assert isinstance(told.error, EmptyAnswer)
    assert told.replies == []


@pytest.mark.parametrize("done", [True, False])
def test_a_demand_for_action_is_named(start_emulator, done):
    emulator = start_emulator(coze_done_after_requires_action=done)
    told = ask(agent(emulator.url), "!requires-action")
    assert isinstance(told.error, NeedsAction)
    assert "read_local_note" in str(told.error)
    assert requests_of(emulator.journal(), told.accepted.chat, "cancel") == []


# Broken streams


@pytest.mark.parametrize(
    "break_", ["!cut", "!short", "!cut !chop", "!short !crlf", "!cut !two !think !tool"]
)
def test_a_stream_that_breaks_is_finished_from_the_record(start_emulator, break_):
    emulator = start_emulator(pieces=12)
    coze = agent(emulator.url)
    whole = ask(coze, f"{break_.replace('!cut', '!burst').replace('!short', '!burst')} 你好，世界")
    told = ask(coze, f"{break_} 你好，世界")
    assert told.error is None
    assert told.states == ["waiting", "recovering"]
    assert [*map(unnamed, told.replies)] == [*map(unnamed, whole.replies)]
    assert (told.thoughts, told.suggestions) == (whole.thoughts, whole.suggestions)
    assert not told.of(Rewrite)
    assert told.of(Usage)
    assert told.events[-1] == Done("stop")
    journal = emulator.journal()
    assert len(requests_of(journal, told.accepted.chat, "/v3/chat")) == 1
    assert len(requests_of(journal, told.accepted.chat, "message/list")) == 1
    assert journal["violations"] == []


def unnamed(text: str) -> str:
    """The emulator repeats the magic words, and these differ."""
    return re.sub(r"![a-z]+", "", text)


def test_a_break_while_the_chat_still_works_waits_for_its_end(start_emulator):
    emulator = start_emulator(pace_s=1.0, pieces=10)
    told = ask(agent(emulator.url), "!cut 你好")
    assert told.error is None
    assert told.text.endswith("这是第 1 个问题。")
    assert len(requests_of(emulator.journal(), told.accepted.chat, "retrieve")) >= 2
    assert emulator.journal()["violations"] == []


def test_a_break_of_a_chat_that_then_fails_is_its_failure(emulator):
    told = ask(agent(emulator.url), "!cut !late-error 你好")
    assert isinstance(told.error, Unavailable)
    assert told.error.code == 5000
    assert told.text


# A platform of raw sockets, for what the emulator would never say

CHAT = {"id": "1", "conversation_id": "2", "bot_id": "3"}


def sse_of(*frames: tuple[str, Any]) -> bytes:
    return "".join(f"event:{name}\ndata:{json.dumps(data)}\n\n" for name, data in frames).encode()


def created(**more: Any) -> tuple[str, Any]:
    return "conversation.chat.created", {**CHAT, "status": "created", **more}


def delta(content: str | None, id: str = "a", **more: Any) -> tuple[str, Any]:
    message = {
        "id": id,
        "role": "assistant",
        "type": "answer",
        "content": content,
        "content_type": "text",
    }
    return "conversation.message.delta", {**message, **more}


def whole(content: str | None, id: str = "a", **more: Any) -> tuple[str, Any]:
    return "conversation.message.completed", delta(content, id, **more)[1]


COMPLETED = ("conversation.chat.completed", {**CHAT, "status": "completed", "usage": None})
DONE = ("done", "[DONE]")


class Platform(Server):
    """Answers the chat with `stream`, and the calls around it with what is in `answers`."""

    def __init__(self, stream: bytes, hold: float = 0.0, **answers: Any) -> None:
        self.stream, self.hold, self.answers = stream, hold, answers
        super().__init__(self._tell)

    def _tell(self, line: Any, request: bytes) -> bool:
        path = request.split()[1].decode().split("?")[0]
        name = path.rsplit("/", 1)[1]
        if name == "chat":
            line.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
            )
            line.sendall(self.stream)
            line.settimeout(self.hold or 0.001)
            with suppress(TimeoutError):
                read_request(line)
            return False
        body = json.dumps({"code": 0, "msg": "", "data": self.answers.get(name)}).encode()
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        return True

    def asked(self, name: str) -> int:
        return sum(f"/{name}".encode() in request.split()[1] for request in self.requests)


@pytest.fixture
def platform(request):
    def start(
        *frames: tuple[str, Any], rest: bytes = b"", hold: float = 0.0, **answers: Any
    ) -> Platform:
        server = Platform(sse_of(*frames) + rest, hold, **answers)
        request.addfinalizer(server.close)
        return server

    return start


def test_the_completed_message_has_the_last_word(platform):
    server = platform(
        created(),
        delta("one "),
        delta("tow"),
        whole("one two"),
        delta("three", "b"),
        whole("three four", "b"),
        whole("five", "c"),
        COMPLETED,
        DONE,
    )
    told = ask(agent(server.url), "hi")
    assert told.replies == ["one two", "three four", "five"]
    assert told.of(Rewrite) == [Rewrite("one two", 0)]
    assert Delta(" four", 1) in told.events


def test_two_answers_at_once_do_not_mix(platform):
    server = platform(
        created(),
        delta("A1", "a"),
        delta("B1", "b"),
        delta("A2", "a"),
        delta("B2", "b"),
        whole("B1B2", "b"),
        whole("A1A2", "a"),
        COMPLETED,
        DONE,
    )
    told = ask(agent(server.url), "hi")
    assert told.replies == ["A1A2", "B1B2"] and not told.of(Rewrite)


def test_a_message_told_twice_is_told_once(platform):
    server = platform(created(), whole("x"), whole("x"), delta("x"), COMPLETED, COMPLETED, DONE)
    told = ask(agent(server.url), "hi")
    assert told.replies == ["x"]
    assert told.of(Done) == [Done()]


def test_audio_and_fragments_of_json_are_not_text(platform):
    audio = (
        "conversation.audio.delta",
        {"id": "z", "content": "UklGRg==", "content_type": "audio"},
    )
    items = json.dumps(
        [{"type": "text", "text": "看"}, {"type": "image", "file_url": "https://x.example/1.png"}]
    )
    server = platform(
        created(),
        audio,
        delta(items[:9], content_type="object_string"),
        whole(items, content_type="object_string"),
        whole("UklGRg==", "z", content_type="audio"),
        COMPLETED,
        audio,
        DONE,
    )
    told = ask(agent(server.url), "hi")
    assert told.replies == ["看"]
    assert [(one.kind, one.url) for one in told.events if hasattr(one, "url")] == [
        ("image", "https://x.example/1.png")
    ]


def test_a_card_is_its_words_pictures_and_suggestions(platform):
    info = {"question_card_data": {"Title": "哪一天？", "Options": [{"name": "今天"}]}}
    content = {
        "elements": {
            "1": {"type": "@flowpd/cici-components/Text", "props": {"content": "明天"}},
            "2": {"type": "@x/NewImage", "props": {"src": "https://x.example/1.png"}},
        },
        "x_properties": {"workflow_card_info": json.dumps(info)},
    }
    server = platform(created(), whole(json.dumps(content), content_type="card"), COMPLETED, DONE)
    answer = ask(agent(server.url), "hi")
    assert answer.replies == ["明天\n\n哪一天？"]
    assert answer.suggestions == ["今天"]
    assert [media.url for media in answer.of(Media)] == ["https://x.example/1.png"]


def test_reasoning_that_only_the_completed_message_has_is_told_once(platform):
    server = platform(
        created(),
        delta("", reasoning_content="I thi"),
        delta("yes"),
        whole("yes", reasoning_content="I think"),
        COMPLETED,
        DONE,
    )
    told = ask(agent(server.url), "hi")
    assert (told.thoughts, told.replies) == ("I think", ["yes"])


def test_frames_nobody_can_read_are_passed_over(platform):
    odd = (
        ("conversation.message.delta", [1, 2]),
        ("conversation.message.completed", "text"),
        ("ping", None),
    )
    null = whole(None, "v", type="verbose"), delta("no", "u", type="function_call")
    server = platform(created(), *odd, delta("yes"), *null, whole("yes"), COMPLETED, DONE)
    assert ask(agent(server.url), "hi").replies == ["yes"]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("compleated", Done()),
        ("cancelled", Done("stopped")),
        ("canceled", Done("stopped")),
    ],
)
def test_other_spellings_are_understood(platform, status, outcome):
    server = platform(created(), whole("yes"), (f"conversation.chat.{status}", CHAT), DONE)
    told = ask(agent(server.url), "hi")
    assert (told.error, told.events[-1]) == (None, outcome)


def test_requires_action_is_understood_as_required_action_too(platform):
    server = platform(created(), whole("yes"), ("conversation.chat.required_action", CHAT), DONE)
    told = ask(agent(server.url), "hi")
    assert isinstance(told.error, NeedsAction)
    assert told.replies == ["yes"]


def test_a_question_of_the_agent_is_an_answer_of_its_own(platform):
    call = {"id": "t", "type": "reply_message", "function": {"name": "ask", "arguments": "{}"}}
    action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [call]}}
    server = platform(
        created(),
        whole("哪一天？"),
        ("conversation.chat.requires_action", {**CHAT, "required_action": action}),
    )
    told = ask(agent(server.url), "hi")
    assert (told.error, told.replies, told.events[-1]) == (None, ["哪一天？"], Done())


def test_the_end_is_the_end_although_the_connection_stays_open(platform):
    server = platform(created(), whole("yes"), COMPLETED, hold=20)
    told = ask(agent(server.url), "hi")
    assert told.error is None
    assert told.seconds < 3
    server = platform(created(), whole("yes"), COMPLETED, DONE, hold=20)
    assert ask(agent(server.url), "hi").seconds < soon(0.5)


def test_done_without_a_completed_chat_is_enough_when_the_answer_is_whole(platform):
    server = platform(created(), delta("yes"), whole("yes"), DONE)
    told = ask(agent(server.url), "hi")
    assert (told.error, told.states, server.connections) == (None, ["waiting"], 1)


def record(*messages: tuple[str, Any]) -> list[Any]:
    return [message for _, message in messages]


def test_done_inside_an_answer_asks_the_record(platform):
    server = platform(
        created(),
        delta("ye"),
        DONE,
        retrieve={**CHAT, "status": "completed"},
        list=record(whole("yes")),
    )
    told = ask(agent(server.url), "hi")
    assert (told.replies, told.states) == (["yes"], ["waiting", "recovering"])


def test_the_record_may_use_other_ids_and_another_order(platform):
    server = platform(
        created(),
        whole("one", "a"),
        delta("tw", "b"),
        retrieve={**CHAT, "status": "completed"},
        list=record(
            whole("{}", "v", type="verbose"),
            whole("one", "a"),
            whole("two", "other"),
            whole("three", "d"),
        ),
    )
    told = ask(agent(server.url), "hi")
    assert told.replies == ["one", "two", "three"]


def test_what_was_said_wrongly_is_rewritten_from_the_record(platform):
    server = platform(
        created(), delta("tow"), retrieve={**CHAT, "status": "completed"}, list=record(whole("two"))
    )
    assert ask(agent(server.url), "hi").replies == ["two"]


def test_a_chat_somebody_else_has_cancelled_keeps_its_words(platform):
    server = platform(created(), delta("half"), retrieve={**CHAT, "status": "canceled"})
    told = ask(agent(server.url), "hi")
    assert (told.error, told.replies, told.events[-1]) == (None, ["half"], Done("stopped"))
    assert server.asked("list") == 0


def test_an_event_longer_than_anybody_would_send_is_left_to_the_record(platform):
    server = platform(
        created(),
        delta("on"),
        rest=b"data:" + b"x" * (17 * 1024 * 1024),
        retrieve={**CHAT, "status": "completed"},
        list=record(whole("one")),
    )
    assert ask(agent(server.url), "hi").replies == ["one"]


# Stop and the deadline


def stop_after(seconds: float) -> tuple[Stop, list[float]]:
    stop, when = Stop(), []
    threading.Timer(seconds, lambda: (when.append(time.monotonic()), stop.request())).start()
    return stop, when


@pytest.mark.parametrize("word", ["!silent", "!endless", "!pieces 200 20", "!stuck", "!slow 9"])
def test_stop_ends_the_answer_and_cancels_at_the_platform(start_emulator, word):
    emulator = start_emulator()
    stop, when = stop_after(0.25)
    told = ask(agent(emulator.url), f"{word} 你好", stop=stop)
    assert isinstance(told.error, Stopped)
    assert time.monotonic() - when[0] < soon(0.5)
    [cancel] = requests_of(emulator.journal(), told.accepted.chat, "cancel")
    assert cancel["status"] == 200
    assert cancel["query"] == {}
    assert cancel["body"] == {
        "conversation_id": told.accepted.conversation,
        "chat_id": told.accepted.chat,
    }


def test_the_next_question_after_a_stop_is_not_held_up(start_emulator):
    emulator = start_emulator()
    coze = agent(emulator.url)
    stop, _ = stop_after(0.3)
    stopped = ask(coze, "!silent", stop=stop)
    told = ask(coze, "你好", conversation=stopped.accepted.conversation)
    assert (told.error, told.states) == (None, ["waiting"])


def test_a_stop_before_the_chat_has_a_name_waits_for_it_and_cancels(request):
    """The platform takes 0.6 s to name the chat; Stop comes after 0.2 s."""

    def answer(line: Any, asked: bytes) -> bool:
        if b"/v3/chat/cancel" in asked:
            line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + b'{"code":0}')
            return True
        time.sleep(0.6)
        line.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + sse_of(created())
        )
        time.sleep(5)
        return False

    server = Server(answer)
    request.addfinalizer(server.close)
    stop, when = stop_after(0.2)
    told = ask(agent(server.url), "hi", stop=stop)
    assert isinstance(told.error, Stopped)
    assert told.accepted.chat == "1"
    assert time.monotonic() - when[0] < soon(1.0)
    assert json.loads(server.requests[1].split(b"\r\n\r\n")[1]) == {
        "conversation_id": "2",
        "chat_id": "1",
    }


def test_a_stop_does_not_wait_long_for_a_chat_that_gets_no_name(request):
    server = Server(lambda line, asked: time.sleep(10))
    request.addfinalizer(server.close)
    stop, when = stop_after(0.2)
    assert isinstance(ask(agent(server.url), "hi", stop=stop).error, Stopped)
    assert 1.5 < time.monotonic() - when[0] < soon(2.5)


def test_a_cancel_that_fails_does_not_hide_the_stop(platform):
    """The platform answers the cancel with a body that is no chat, then with 4104, then not at
    all.
    """
    server = platform(created(), hold=5)
    stop, _ = stop_after(0.2)
    assert isinstance(ask(agent(server.url), "hi", stop=stop).error, Stopped)
    assert server.asked("cancel") == 1


def test_the_deadline_ends_the_answer_and_cancels(start_emulator):
    emulator = start_emulator()
    told = ask(agent(emulator.url), "!silent", seconds=0.5)
    assert isinstance(told.error, TimedOut)
    assert told.seconds < soon(1.0)
    assert len(requests_of(emulator.journal(), told.accepted.chat, "cancel")) == 1


def test_a_reader_that_merely_leaves_cancels_nothing(start_emulator):
    emulator = start_emulator(pace_s=0.5, pieces=10)
    coze = agent(emulator.url)
    events = coze.stream(turn("你好"))
    accepted = next(events)
    events.close()
    time.sleep(0.6)
    assert requests_of(emulator.journal(), accepted.chat, "cancel") == []
    told = listen(coze.resume(turn("", conversation=accepted.conversation), accepted.chat, ()))
    assert "> 你好" in told.text


# Conversations that are busy or gone


def test_a_question_waits_for_the_chat_before_it(start_emulator):
    emulator = start_emulator(pace_s=0.8, pieces=10)
    coze = agent(emulator.url)
    events = coze.stream(turn("你好"))
    first = next(events)
    began = time.monotonic()
    second = ask(coze, "!recall", conversation=first.conversation, previous_chat=first.chat)
    assert second.error is None
    assert second.text == "你好"
    assert second.events[0] == Status("queued")
    assert second.states == ["queued", "waiting"]
    assert time.monotonic() - began < soon(4)
    events.close()
    asked = [one for one in emulator.journal()["requests"] if one["path"] == "/v3/chat"]
    assert len(asked) == 3  # the first, the refused, the repeated
    assert emulator.violations("polled_too_fast") == []


def test_a_question_backs_off_when_it_does_not_know_who_is_before_it(start_emulator):
    emulator = start_emulator(pace_s=0.6, pieces=10)
    coze = agent(emulator.url)
    events = coze.stream(turn("你好"))
    first = next(events)
    second = ask(coze, "!recall", conversation=first.conversation)
    assert (second.text, second.states) == ("你好", ["queued", "waiting"])
    events.close()


def test_a_wait_has_its_end(start_emulator):
    emulator = start_emulator()
    coze = agent(emulator.url)
    events = coze.stream(turn("!silent"))
    first = next(events)
    for previous in (first.chat, None):
        more = {"conversation": first.conversation, "previous_chat": previous, "seconds": 1.2}
        second = ask(coze, "你好", **more)
        assert isinstance(second.error, Busy)
        assert second.error.code == 4016
        assert 1.0 < second.seconds < soon(2)
    events.close()


def test_a_wait_can_be_stopped(start_emulator):
    emulator = start_emulator()
    coze = agent(emulator.url)
    events = coze.stream(turn("!silent"))
    first = next(events)
    for previous in (first.chat, None):
        stop, when = stop_after(0.3)
        second = ask(
            coze, "你好", conversation=first.conversation, previous_chat=previous, stop=stop
        )
        assert isinstance(second.error, Stopped)
        assert time.monotonic() - when[0] < soon(0.2)
    events.close()


def test_a_conversation_that_is_gone_is_replaced_once(start_emulator):
    emulator = start_emulator()
    told = ask(agent(emulator.url), "你好", conversation="7480000000000099999")
    assert told.error is None
    made = told.of(Accepted)[0]
    assert (made.chat, made.conversation) == (None, told.accepted.conversation)
    assert told.accepted.conversation != "7480000000000099999"
    paths = [one["path"] for one in emulator.journal()["requests"]]
    assert paths == ["/v3/chat", "/v1/conversation/create", "/v3/chat"]
    assert emulator.journal()["requests"][1]["body"] == {"bot_id": "7480000000000000101"}


def test_a_conversation_that_can_never_go_on_is_replaced(start_emulator):
    emulator = start_emulator()
    coze = agent(emulator.url)
    first = ask(coze, "!requires-action")
    assert isinstance(first.error, NeedsAction)
    second = ask(
        coze, "你好", conversation=first.accepted.conversation, previous_chat=first.accepted.chat
    )
    assert second.error is None
    assert second.accepted.conversation != first.accepted.conversation
    assert second.seconds < soon(2)


def test_an_answer_to_the_agents_question_goes_on_in_its_conversation(emulator):
    coze = agent(emulator.url)
    first = ask(coze, "!requires-reply")
    second = ask(
        coze, "明天", conversation=first.accepted.conversation, previous_chat=first.accepted.chat
    )
    assert second.error is None
    assert second.accepted.conversation == first.accepted.conversation


def test_create_conversation_makes_one_for_the_agent(emulator):
    coze = agent(emulator.url)
    made = coze.create_conversation()
    assert ask(coze, "你好", conversation=made).accepted.conversation == made
