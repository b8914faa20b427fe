"""What the emulated Qingyan answers: messages one after another, as a stream or as a whole.

Words of Qingyan's own, besides those all platforms share (platforms/qingyan.md §10):

    !tool       a search before the answer
    !cite       a search, pages opened, marks 【0†source】
    !python     code and what it printed
    !failing    a tool that fails; the answer goes on
    !rag        passages of the agent's knowledge
    !plugin     a custom API is called
    !image      a picture of its own (image content), its event sent twice
    !two        text, a search, and text that starts again
    !again      the same without the search
    !shrink     a text that goes back to its beginning in one message, and is whole again
    !null       the first events hold null where others hold {}
    !array      content is a list on the stream too
    !intervene  blocked, with a text for the visitor
    !mute       nothing on the stream, all of it by stream_sync
    !suggest-http N   the follow-up questions answer status N
    !suggest-slow N   or take N seconds
    !think      a message of a type nobody documented, which holds the thought

`!late-code X` is the stream's last_error with error_code X (10024 for !late-error).
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from emulator.settings import EmulatorSettings
from emulator.speech import HALVES, Speech, pieces
from emulator.words import MagicWords

Fields = dict[str, Any]

# Every piece repeats all before it: a long answer in short pieces would be gigabytes.
_MOST_PIECES = 40
_PAGE: Fields = {
    "type": "webpage",
    "title": "示例天气",
    "url": "https://weather.example/a",
    "text": "小雨",
    "pub_date": "",
}
_BLOCKED: Fields = {"error_code": "10031", "error_msg": "blocked"}
_INTERVENED: Fields = {
    "error_code": "10031",
    "error_msg": "blocked",
    "intervene_text": "换个话题聊聊吧。",
}


@dataclass(frozen=True)
class Message:
    """One message of an answer: its role, its content, its meta_data."""

    role: str
    content: Fields
    meta: Fields


class Plan:
    """The answer to one question in both of its forms."""

    def __init__(
        self,
        conversation_id: str,
        history_id: str,
        speech: Speech,
        words: MagicWords,
        settings: EmulatorSettings,
        picture: str,
    ) -> None:
        self._ids = {"history_id": history_id, "conversation_id": conversation_id}
        self._speech, self._words, self._settings, self._picture = speech, words, settings, picture
        self._messages = list(self._answer())

    @property
    def opening(self) -> list[bytes]:
        nothing: Fields | None = None if self._words.has("null") else {}
        frames = [
            self._frame({"message": nothing, "status": "init", "last_error": {}, "meta_data": {}})
        ]
        if self._words.has("null"):
            frames.append(
                self._frame({"message": {"role": "assistant", "content": None}, "status": "init"})
            )
        return frames

    @property
    def pieces(self) -> list[bytes]:
        """Each message as its events; the last of them, which ends the answer, is `closing`."""
        return [frame for message in self._streamed_messages for frame in self._events(message)][
            :-1
        ]

    @property
    def closing(self) -> list[bytes]:
        if not self._streamed_messages:
            return [self._frame({"message": {}, "status": "finish"})]
        last = self._streamed_messages[-1]
        return [
            self._frame(
                {"message": self._message(last, last.content, "finish"), "status": "finish"}
            )
        ]

    @property
    def middle(self) -> list[bytes]:
        if not self._words.has("strange"):
            return []
        strange = {"type": "one_to_more_finish", "one_to_more_finish": {"x": [1, None]}}
        message = self._message(Message("assistant", strange, {}), strange, "processing")
        return [
            self._frame({"message": message, "status": "processing", "rid": "r-1", "new_key": 1})
        ]

    @property
    def instead(self) -> list[bytes] | None:
        """What the stream sends in place of its second half, when it fails."""
        failure = self._failure()
        if failure is None:
            return None
        status = "intervene" if "intervene_text" in failure else "error"
        return [self._frame({"message": {}, "status": status, "last_error": failure})]

    @property
    def fails_at_once(self) -> bool:
        return self._words.has("blocked") or self._words.has("intervene")

    def whole(self) -> bytes:
        """The envelope of stream_sync."""
        result: Fields = {**self._ids, "status": "finish"}
        result["output"] = [self._whole_part(message) for message in self._messages]
        failure = self._failure()
        if failure is not None:
            result.update(output=[], status="error", last_error=failure)
        return self._json({"message": "success", "result": result, "status": 0})

    @property
    def _streamed_messages(self) -> list[Message]:
        return [] if self._words.has("mute") else self._messages

    def _failure(self) -> Fields | None:
        words = self._words
        if words.has("intervene"):
            return _INTERVENED
        if words.has("blocked") or words.has("blocked-late"):
            return _BLOCKED
        if words.has("late-error") or words.has("late-code"):
            code = int(words.number("late-code", 10024))
            return {"error_code": str(code), "error_msg": "interrupted"}
        return None

    def _answer(self) -> Iterator[Message]:
        words = self._words
        if words.has("think"):
            yield Message("assistant", {"type": "think", "think": self._speech.thought}, {})
        yield from self._tools()
        for number, reply in enumerate(self._speech.replies):
            if number and not words.has("again"):
                yield from _search()
            yield Message(
                "assistant", {"type": "text", "text": self._with_marks(reply)}, self._usage(reply)
            )
        if words.has("again"):
            yield Message(
                "assistant", {"type": "text", "text": "你再问一次试试。"}, self._usage("")
            )

    def _tools(self) -> Iterator[Message]:
        words = self._words
        if words.has("tool") or words.has("cite"):
            yield from _search()
        if words.has("cite"):
            yield _call("browser", "mclick([0])")
            yield Message(
                "tool", {"type": "quote_result", "content": "{}"}, {"metadata_list": [_PAGE]}
            )
        if words.has("python"):
            yield Message("assistant", {"type": "code", "code": "print(6 * 7)"}, {})
            yield Message("tool", {"type": "execution_output", "content": "42"}, {})
        if words.has("failing"):
            yield _call("browser", 'open_url("https://gone.example/")')
            yield Message(
                "tool",
                {"type": "system_error", "content": ""},
                {"failedURL": "https://gone.example/"},
            )
        if words.has("rag"):
            passages = [{"text": "周日 10:00 开门。", "document_name": "开放时间.pdf"}]
            yield Message("tool", {"type": "rag_slices", "content": []}, {})
            yield Message("tool", {"type": "rag_slices", "content": passages}, {})
        if words.has("plugin"):
            result = json.dumps(
                {"status": 0, "message": "success", "result": {"open": True}, "rid": "r-1"}
            )
            yield _call("function", '{"day": "Sunday"}')
            yield Message("tool", {"type": "function_result", "content": result}, {})
        if words.has("image"):
            yield _call("generate", "a blue square")
            yield Message("tool", {"type": "image", "image": [{"image_url": self._picture}]}, {})

    def _with_marks(self, reply: str) -> str:
        half = len(reply) // 2
        return (
            f"{reply[:half]}【0†source】{reply[half:]}【12†来源】"
            if self._words.has("cite")
            else reply
        )

    def _usage(self, reply: str) -> Fields:
        count = len(reply)
        usage = {"prompt_tokens": 200, "completion_tokens": count, "total_tokens": 200 + count}
        return {
            "input_risk_level": "PASS",
            "risk_level": "PASS",
            "toolCallRecipient": "",
            "usage": usage,
        }

    def _events(self, message: Message) -> Iterator[bytes]:
        kind = message.content["type"]
        if kind == "text":
            text = ""
            for piece in self._pieces(message.content["text"]):
                if self._words.has("shrink") and len(text) > 2:
                    # Not at its end alone: the last event repeats the whole text.
                    shrunk = {"type": "text", "text": text[: len(text) // 2]}
                    yield self._processing(message, shrunk, "processing")
                text += piece
                yield self._processing(message, {"type": "text", "text": text}, "processing")
        elif kind == "image":
            yield self._processing(message, message.content, "processing")
        yield self._processing(message, message.content, "finish")

    def _pieces(self, reply: str) -> list[str]:
        parts = pieces(reply, self._words, self._settings)
        if self._words.has("pieces") or len(parts) <= _MOST_PIECES:
            return parts
        size = -(-len(reply) // _MOST_PIECES)
        return [reply[start : start + size] for start in range(0, len(reply), size)]

    def _processing(self, message: Message, content: Fields, status: str) -> bytes:
        return self._frame(
            {"message": self._message(message, content, status), "status": "processing"}
        )

    def _message(self, message: Message, content: Fields, status: str) -> Fields:
        return {
            "role": message.role,
            "content": [content] if self._words.has("array") else content,
            "status": status,
            "created_at": _now(),
            "meta_data": message.meta if status == "finish" else {},
        }

    def _whole_part(self, message: Message) -> Fields:
        as_array = self._settings.qingyan_array_content
        return {
            "id": self._ids["history_id"],
            "logic_id": str(uuid4()),
            "role": message.role,
            "content": [message.content] if as_array else message.content,
            "status": "finish",
            "created_at": _now(),
            "model": "chatglm-all-tools",
            "recipient": "all",
            "meta_data": message.meta,
        }

    def _frame(self, event: Fields) -> bytes:
        space = b" " if self._settings.qingyan_data_space else b""
        return b"event:message\ndata:%b%b\n\n" % (
            space,
            self._json({**self._ids, "created_at": _now(), **event}),
        )

    def _json(self, value: Fields) -> bytes:
        escaped = self._settings.qingyan_escaped_json
        payload = json.dumps(value, ensure_ascii=escaped, separators=(",", ":"))
        return payload.encode("utf-8", HALVES)


def _search() -> Iterator[Message]:
    yield _call("browser", 'search("今日天气", recency_days=1)')
    yield Message("tool", {"type": "browser_result", "content": "{}"}, {"metadata_list": [_PAGE]})


def _call(name: str, arguments: str) -> Message:
    return Message(
        "assistant",
        {"type": "tool_calls", "tool_calls": {"name": name, "arguments": arguments}},
        {},
    )


def _now() -> str:
    """China's time, without its zone, as the platform prints it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 8 * 3600))
