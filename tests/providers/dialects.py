"""What each platform says for one answer, as named payloads, and the bytes these may come as."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

from chat.answers.partial import PartialAnswer
from providers import PLATFORMS
from providers.base import Provider
from tests.kit.asking import Heard, ask
from tests.kit.contract import agent
from tests.kit.raw import Server

# The name of an event and its payload.
Said = tuple[str, Any]

CHAT = {"id": "1", "conversation_id": "2", "bot_id": "3"}
DONE = ("done", "[DONE]")


def coze(pieces: Sequence[Any]) -> list[Said]:
    message = {"id": "a", "role": "assistant", "type": "answer", "content_type": "text"}
    whole = (
        "".join(map(str, pieces))
        .encode("utf-16-le", "surrogatepass")
        .decode("utf-16-le", "surrogatepass")
    )
    return [
        ("conversation.chat.created", {**CHAT, "status": "created"}),
        *(("conversation.message.delta", {**message, "content": piece}) for piece in pieces),
        ("conversation.message.completed", {**message, "content": whole}),
        ("conversation.chat.completed", {**CHAT, "status": "completed", "usage": None}),
        DONE,
    ]


def qingyan(pieces: Sequence[Any]) -> list[Said]:
    """Each event repeats the text so far."""
    texts = ["".join(map(str, pieces[: end + 1])) for end in range(len(pieces))]
    states = ["processing"] * (len(texts) - 1) + ["finish"]
    return [
        ("message", {"status": "init", "message": {}}),
        *(
            ("message", {"status": state, "message": {"status": state, "content": content}})
            for text, state in zip(texts, states, strict=True)
            for content in [{"type": "text", "text": text}]
        ),
    ]


def wenxin(pieces: Sequence[Any]) -> list[Said]:
    def packet(content: Any, **message: Any) -> Said:
        data = {"message": {"content": content, "endTurn": False, **message}}
        return "message", {"status": 0, "message": "succ", "data": data}

    items = [{"dataType": "markdown", "data": {"text": piece}} for piece in pieces]
    return [packet(None), *(packet([item]) for item in items), packet(None, endTurn=True)]


def yuanqi(pieces: Sequence[Any]) -> list[Said]:
    def frame(content: Any, **choice: Any) -> Said:
        delta = {"role": "assistant", "content": content}
        return "", {"id": "r", "choices": [{"delta": delta, **choice}]}

    return [*map(frame, pieces), frame("", finish_reason="stop")]


def huawei(pieces: Sequence[Any]) -> list[Said]:
    return [
        ("", {"request_id": "r", "type": "?", "data": {"id": "m", "content": piece}})
        for piece in pieces
    ]


SPEAKERS: dict[str, Callable[[Sequence[Any]], list[Said]]] = {
    "coze": coze,
    "qingyan": qingyan,
    "wenxin": wenxin,
    "yuanqi": yuanqi,
    "huawei": huawei,
}


def dumped(payload: Any, is_ascii: bool = False) -> str:
    """A payload as JSON; half a character as its escape, as platforms send it."""
    if payload == "[DONE]":
        return "[DONE]"
    text = json.dumps(payload, ensure_ascii=is_ascii)
    return text.encode("utf-8", "backslashreplace").decode()


def sse(said: Sequence[Said], *, space: str = "", between: str = "") -> bytes:
    """The events as recorded: a name where there is one, a line of data, a blank line."""
    lines = [f"{between}event:{space}{name}\n" if name else between for name, _ in said]
    data = [f"data:{space}{dumped(payload)}\n\n" for _, payload in said]
    return "".join(map("".join, zip(lines, data, strict=True))).encode()


def payloads(said: Sequence[Said]) -> list[Any]:
    """What is left without the names and the end marker."""
    return [payload for _, payload in said if payload != "[DONE]"]


def http(
    body: bytes, status: str = "200 OK", kind: str = "text/event-stream", more: str = ""
) -> bytes:
    """A response with this body, to the end of the connection; `more` are lines of its head."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}Connection: close\r\n\r\n"
    return head.encode() + body


class Platforms(Server):
    """All platforms at one address: questions are answered with the bytes that were set, one after
    another; the last stay.

    `calls` are the answers of the calls around it, by a part of their paths.
    """

    def __init__(self) -> None:
        numbers = count()
        grants = ({"access_token": f"t-{number}", "expires_in": 3600} for number in numbers)
        self.calls: dict[bytes, Callable[[], Any]] = {
            b"get_token": lambda: {"status": 0, "result": next(grants)},
            b"oauth2/token": lambda: next(grants),
            b"suggest": lambda: None,
            b"/v3/chat/": lambda: None,
        }
        self.said: list[bytes] = []
        super().__init__(self._answer)
        self.agents = {platform: agent(platform, self.url) for platform in PLATFORMS}

    def ask(self, platform: str, *said: bytes, within: float = 5, **turn: Any) -> Heard:
        """What a question hears that is answered with these bytes."""
        return self.ask_agent(self.agents[platform], *said, within=within, **turn)

    def ask_agent(self, provider: Provider, *said: bytes, within: float = 5, **turn: Any) -> Heard:
        """The same of an agent of the test's own."""
        self.said = list(said)
        return ask(provider, "你好", within, **turn)

    @contextmanager
    def calling(self, calls: dict[bytes, Callable[[], Any]]) -> Iterator[None]:
        """Answers these calls as well, before the others, inside the block."""
        usual, self.calls = self.calls, {**calls, **self.calls}
        try:
            yield
        finally:
            self.calls = usual

    def _answer(self, line: Any, request: bytes) -> bool:
        path = request.split()[1]
        for part, call in self.calls.items():
            if part in path:
                payload = call()
                body = json.dumps(payload).encode() if payload is not None else b""
                status = b"200 OK" if payload is not None else b"404 x"
                head = b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
                line.sendall(head + body)
                return True
        line.sendall(self.said.pop(0) if len(self.said) > 1 else self.said[0])
        return False


def replies(heard: Heard) -> list[str]:
    """The replies as a page would show them in the end."""
    partial = PartialAnswer()
    for event in heard.events:
        partial.apply(event)
    return list(partial.replies)
