"""Coze's record of a chat: done only on proof, nothing shown shortened, dead conversations gone."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from providers.coze.answer import CozeReader
from providers.coze.record import LIST_PAUSES_S
from providers.errors import BadQuestion, EmptyAnswer, NotConfigured, Unavailable
from providers.events import Delta, Done, Event, Rewrite
from tests.kit.coze_agent import CozeAnswer, Hurry, agent, ask
from tests.kit.raw import Server

CHAT = {"id": "1", "conversation_id": "2", "bot_id": "3"}
COMPLETED = {**CHAT, "status": "completed"}
VERBOSE = {"id": "v", "type": "verbose", "content": '{"msg_type":"generate_answer_finish"}'}


def answer(text: str, message_id: str = "a", **more: Any) -> dict[str, Any]:
    message = {"id": message_id, "role": "assistant", "type": "answer", "content": text}
    return {**message, "content_type": "text", **more}


def event(name: str, payload: Any) -> bytes:
    return f"event:{name}\ndata:{json.dumps(payload)}\n\n".encode()


CREATED = event("conversation.chat.created", {**CHAT, "status": "created"})
END = event("conversation.chat.completed", COMPLETED) + event("done", "[DONE]")


def delta(text: str, message_id: str = "a") -> bytes:
    return event("conversation.message.delta", answer(text, message_id))


class Platform(Server):
    """Answers each call with the next of its bodies; the last one stays. Bytes are a stream."""

    def __init__(self, **bodies: list[Any]) -> None:
        self.bodies = {"cancel": [CHAT], "retrieve": [COMPLETED], **bodies}
        self.paths: list[str] = []
        super().__init__(self._answer)

    def _answer(self, line: Any, request: bytes) -> bool:
        path = request.split()[1].decode()
        name = path.partition("?")[0].rpartition("/")[2]
        self.paths.append(name + ("?" if "conversation_id" in path else ""))
        bodies = self.bodies[name]
        body = bodies.pop(0) if len(bodies) > 1 else bodies[0]
        if isinstance(body, bytes):
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n"
            line.sendall(head + b"\r\n" + body)
            return False
        if not (isinstance(body, dict) and "code" in body):
            body = {"code": 0, "msg": "", "data": body}
        raw = json.dumps(body).encode()
        line.sendall(b"HTTP/1.1 200 x\r\nContent-Length: %d\r\n\r\n%b" % (len(raw), raw))
        return True


@pytest.fixture
def platform() -> Iterator[Callable[..., Platform]]:
    servers: list[Platform] = []

    def start(**bodies: list[Any]) -> Platform:
        servers.append(Platform(**bodies))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


# Done only on proof


@pytest.mark.parametrize("early", [[], [VERBOSE], [answer("")], [answer("今")]])
def test_a_list_that_is_early_is_asked_for_again(platform, early):
    server = platform(chat=[CREATED + delta("今天")], list=[early, [VERBOSE, answer("今天有雨")]])
    heard = ask(agent(server.url), "hi", stop=Hurry())
    assert (heard.error, heard.replies) == (None, ["今天有雨"])
    assert server.paths.count("list?") == 2


@pytest.mark.parametrize("listed", [[], [VERBOSE], [answer("")], [answer("今")]])
def test_half_an_answer_is_never_done_and_never_shortened(platform, listed):
    server = platform(chat=[CREATED + delta("今天")], list=[listed])
    hurry = Hurry()
    heard = ask(agent(server.url), "hi", stop=hurry)
    assert isinstance(heard.error, Unavailable)
    assert heard.replies == ["今天"] and not heard.of(Done)
    assert server.paths.count("list?") == 4
    assert hurry.pauses[-4:] == [0, *LIST_PAUSES_S]


def test_an_end_before_a_begun_reply_is_completed_asks_the_record(platform):
    server = platform(chat=[CREATED + delta("今天") + END], list=[[answer("今天有雨")]])
    heard = ask(agent(server.url), "hi")
    assert (heard.error, heard.replies) == (None, ["今天有雨"])


@pytest.mark.parametrize("early", [[], [VERBOSE], [answer("")]])
def test_whole_answers_are_asked_for_again_before_they_are_empty(platform, early):
    running = {**CHAT, "status": "in_progress"}
    server = platform(chat=[running, running], list=[early, [VERBOSE, answer("好")]])
    heard = ask(agent(server.url), "hi", streaming=False, stop=Hurry())
    assert (heard.error, heard.replies) == (None, ["好"])
    server = platform(chat=[running], list=[[VERBOSE]])
    hurry = Hurry()
    heard = ask(agent(server.url), "hi", streaming=False, stop=hurry)
    assert isinstance(heard.error, EmptyAnswer)
    assert hurry.pauses[-4:] == [0, *LIST_PAUSES_S]


def test_a_completed_message_that_is_shorter_shortens_nothing(platform):
    completed = event("conversation.message.completed", answer("今天"))
    server = platform(chat=[CREATED + delta("今天有雨") + completed + END])
    assert ask(agent(server.url), "hi").replies == ["今天有雨"]


def test_a_chat_just_made_may_not_be_known_yet(platform):
    running = {**CHAT, "status": "in_progress"}
    unknown = {"code": 4001, "msg": "not found"}
    server = platform(chat=[running], retrieve=[unknown, COMPLETED], list=[[answer("好")]])
    heard = ask(agent(server.url), "hi", streaming=False)
    assert (heard.error, heard.replies) == (None, ["好"])
    assert "cancel" not in server.paths


# Would it work without its conversation?


@pytest.mark.parametrize("code", [4000, 4101, 4200])
def test_a_conversation_that_may_be_dead_is_left_behind(platform, code):
    completed = event("conversation.message.completed", answer("好"))
    server = platform(chat=[{"code": code, "msg": "x"}, CREATED + completed + END])
    heard = ask(agent(server.url), "hi", conversation="9")
    assert (heard.error, heard.replies) == (None, ["好"])
    assert server.paths == ["chat?", "chat"]
    assert heard.accepted.conversation == "2"


def test_a_refusal_that_is_not_the_conversations_is_asked_once_more_only(platform):
    server = platform(chat=[{"code": 4200, "msg": "bot_id=1 does not exist"}])
    heard = ask(agent(server.url), "hi", conversation="9")
    assert isinstance(heard.error, NotConfigured)
    assert server.paths == ["chat?", "chat"]
    assert isinstance(ask(agent(server.url), "hi").error, NotConfigured)
    assert server.paths == ["chat?", "chat", "chat"]


# What comes in other frames


@pytest.mark.parametrize(
    "stream",
    [
        b'{"code":4200,"msg":"x"}',
        b'data:{"code":4200,"msg":"x"}\n\n',
        event("error", {"code": 4200, "msg": "x"}),
        CREATED + b'data:{"code":4200,"msg":"x"}\n\n',
    ],
)
def test_an_error_is_an_error_in_any_frame(platform, stream):
    error = ask(agent(platform(chat=[stream]).url), "hi").error
    assert isinstance(error, NotConfigured) and error.code == 4200


def test_4000_within_a_stream_is_the_owners_where_the_question_was_ordinary(platform):
    stream = CREATED + event("error", {"code": 4000, "msg": "x"})
    assert isinstance(ask(agent(platform(chat=[stream]).url), "hi").error, NotConfigured)
    long = "字" * 5000
    assert isinstance(ask(agent(platform(chat=[stream]).url), long).error, BadQuestion)


def test_an_emoji_cut_over_two_events_is_one(platform):
    thoughts = [answer("", reasoning_content=half) for half in ("想\ud83d", "\ude00")]
    stream = b"".join(event("conversation.message.delta", message) for message in thoughts)
    stream += delta("好\ud83d") + delta("\ude00!")
    completed = event("conversation.message.completed", answer("好😀!", reasoning_content="想😀"))
    heard = ask(agent(platform(chat=[CREATED + stream + completed + END]).url), "hi")
    assert (heard.replies, heard.thoughts) == (["好😀!"], "想😀")


def plugin_finish(text: str) -> dict[str, Any]:
    data = json.dumps({"uuid": "u", "tool_output_content": text})
    content = json.dumps({"msg_type": "stream_plugin_finish", "data": data})
    return {"id": "p", "type": "verbose", "content": content}


def test_what_a_streaming_plugin_writes_is_the_answer(platform):
    response = {"id": "t", "type": "tool_response", "content": "x directly streaming reply."}
    messages = [response, plugin_finish("插件的话")]
    stream = b"".join(event("conversation.message.completed", one) for one in messages)
    assert ask(agent(platform(chat=[CREATED + stream + END]).url), "hi").replies == ["插件的话"]
    server = platform(chat=[{**CHAT, "status": "in_progress"}], list=[messages])
    assert ask(agent(server.url), "hi", streaming=False).replies == ["插件的话"]


def test_a_plugins_text_that_is_also_the_answer_is_shown_once():
    reader = CozeReader()
    events = list(reader.apply_record([plugin_finish("好"), answer("好")]))
    assert len(events) == 1 and reader.has_answer and reader.is_whole


PLUGIN, ANSWER = "插件的话", "插件的话，还有我的"


@pytest.mark.parametrize(
    ("plugin", "text", "replies"),
    [
        (PLUGIN, PLUGIN, [PLUGIN]),
        (PLUGIN, ANSWER, [ANSWER]),
        (ANSWER, PLUGIN, [ANSWER]),
        (PLUGIN, "插播一句", [PLUGIN, "插播一句"]),
        (PLUGIN, "别的", [PLUGIN, "别的"]),
    ],
)
@pytest.mark.parametrize("order", range(4))
def test_a_plugins_text_and_an_answer_that_begins_like_it_are_one(plugin, text, replies, order):
    """The plugin's text comes before the answer, in its middle, after it, or both in a record."""
    reader = CozeReader()
    deltas = [answer(piece) for piece in text]
    steps = [
        [plugin_finish(plugin), *deltas, answer(text)],
        [*deltas[:2], plugin_finish(plugin), *deltas[2:], answer(text)],
        [*deltas, answer(text), plugin_finish(plugin)],
        [answer(text), plugin_finish(plugin)],
    ][order]
    events: list[Event] = []
    for message in steps:
        apply = reader.apply_delta if message in deltas else reader.apply_completed
        events += apply(message)
    heard = CozeAnswer(events)
    assert sorted(heard.replies) == sorted(replies)
    assert not heard.of(Rewrite) and reader.is_whole


@pytest.mark.parametrize("stored", ["插", PLUGIN, ANSWER])
def test_a_plugins_stored_text_is_not_doubled_by_the_record(stored):
    reader = CozeReader((stored,))
    events = [Delta(stored), *reader.apply_record([plugin_finish(PLUGIN), answer(ANSWER)])]
    assert CozeAnswer(events).replies == [ANSWER] and reader.is_whole
    alone = CozeReader((PLUGIN,))
    assert list(alone.apply_record([plugin_finish(PLUGIN)])) == [] and alone.is_whole


def test_whole_answers_may_be_streamed_upstream(platform):
    completed = event("conversation.message.completed", answer("好"))
    server = platform(chat=[CREATED + delta("好") + completed + END])
    heard = ask(agent(server.url, ask="stream"), "hi", streaming=False)
    assert (heard.replies, server.paths) == (["好"], ["chat"])
    assert b'"stream": true' in server.requests[0]


# The same from the emulator, by magic words


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(
    "word", ["!dsl-card", "!plugin", "!plugin 2", "!early-list", "!late-chat", "!dead"]
)
def test_the_emulator_plays_it_and_the_answer_comes(emulator, word, streaming):
    conversation = ask(agent(emulator.url), "甲").accepted.conversation
    question = f"{word} 今天好"
    heard = ask(agent(emulator.url), question, streaming=streaming, conversation=conversation)
    assert heard.error is None
    (reply,) = heard.replies
    assert reply.startswith(f"你说：{question}")


@pytest.mark.parametrize("streaming", [True, False])
def test_the_emulator_plays_a_question_with_options(emulator, streaming):
    heard = ask(agent(emulator.url), "!question-card", streaming=streaming)
    assert heard.replies == ["哪一天？"]
    assert heard.suggestions[:2] == ["今天", "明天"]


def test_the_emulator_plays_a_list_that_never_has_the_answer(emulator):
    heard = ask(agent(emulator.url), "!half-list !cut 今天好", stop=Hurry())
    assert isinstance(heard.error, Unavailable) and heard.text
