"""A Coze look-alike that is never the bottleneck: one asyncio process, its own small HTTP/1.1.

The question orders what it does, in words such as `work=8` (seconds until the chat is completed) or
`events=200 rate=20` (deltas of a stream, and how many a second; rate=0: as fast as read). Each
delta carries the moment it was sent, on the clock that all processes of a machine share.
"""

import asyncio
import itertools
import json
import re
import sys
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

# Deltas in one write when there is no rate to keep.
BATCH = 40
ANSWER = "这是平台的回答。"
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Tt-Logid: bench\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)

_numbers = itertools.count(7_000_000_000_000_000_000)
_ends: dict[str, float] = {}


class Connection(asyncio.Protocol):
    """One kept-alive connection: requests are read one after the other, and answered at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._held = b""
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._stream: asyncio.Task[None] | None = None

    def connection_lost(self, error: Exception | None) -> None:
        if self._stream is not None:
            self._stream.cancel()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def data_received(self, data: bytes) -> None:
        self._held += data
        while (end := self._held.find(b"\r\n\r\n")) >= 0:
            head = self._held[:end]
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._held) < whole:
                return
            body, self._held = self._held[end + 4 : whole], self._held[whole:]
            self._answer(head.split(b" ", 2)[1].decode(), body)

    def _answer(self, target: str, body: bytes) -> None:
        address = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        payload = json.loads(body) if body else {}
        if address.path == "/v1/chat/completions":
            self._complete(payload)
            return
        if address.path == "/v3/chat":
            self._begin(payload, query.get("conversation_id") or str(next(_numbers)))
            return
        ids = {**query, **payload}
        if ids.get("chat_id") in _ends:
            self._send({"code": 0, "msg": "", "data": _record(address.path, ids), "detail": {}})
        else:
            self._send({"code": 4000, "msg": "no such thing here"})

    def _begin(self, payload: dict[str, Any], conversation: str) -> None:
        wishes = _wishes(payload["additional_messages"])
        chat = str(next(_numbers))
        _ends[chat] = time.monotonic() + float(wishes.get("work", 0))
        if payload.get("stream"):
            sending = self._events(chat, conversation, int(wishes["events"]), float(wishes["rate"]))
            self._stream = asyncio.ensure_future(sending)
        else:
            self._send({"code": 0, "msg": "", "data": _chat(chat, conversation)})

    def _complete(self, payload: dict[str, Any]) -> None:
        """The same as an OpenAI-compatible platform says it, for the peer beside the site."""
        if payload.get("stream"):
            events = int(_wishes(payload["messages"])["events"])
            self._stream = asyncio.ensure_future(self._completion(events))
        else:
            message = {"role": "assistant", "content": ANSWER}
            self._send(_completion("chat.completion", {"message": message}, "stop"))

    async def _completion(self, events: int) -> None:
        self._transport.write(STREAM_HEAD)
        for number in range(0, events, BATCH):
            await self._pause(None)
            texts = [f"[{time.monotonic_ns()}] " for _ in range(min(BATCH, events - number))]
            deltas = [{"delta": {"content": text}} for text in texts]
            chunks = [_completion("chat.completion.chunk", delta) for delta in deltas]
            self._transport.write(b"".join(_data(json.dumps(chunk)) for chunk in chunks))
        last = _completion("chat.completion.chunk", {"delta": {}}, "stop")
        self._transport.write(_data(json.dumps(last)) + _data("[DONE]") + b"0\r\n\r\n")

    def _send(self, envelope: dict[str, Any]) -> None:
        body = json.dumps(envelope, ensure_ascii=False).encode()
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)

    async def _events(self, chat: str, conversation: str, events: int, rate: float) -> None:
        answer = _message(chat, conversation, "answer", "")
        begin, end = json.dumps(answer, ensure_ascii=False).split('"content": "')
        created = json.dumps(_chat(chat, conversation))
        self._transport.write(STREAM_HEAD + _event("conversation.chat.created", created))
        began = time.monotonic()
        texts: list[str] = []
        for number in range(0, events, 1 if rate else BATCH):
            await self._pause(began + number / rate if rate else None)
            fresh = [
                f"[{time.monotonic_ns()}] "
                for _ in range(min(1 if rate else BATCH, events - number))
            ]
            deltas = [f'{begin}"content": "{text}{end}' for text in fresh]
            self._transport.write(
                b"".join(_event("conversation.message.delta", delta) for delta in deltas)
            )
            texts += fresh
        done = json.dumps({**answer, "content": "".join(texts)}, ensure_ascii=False)
        completed = json.dumps({**_chat(chat, conversation), "status": "completed"})
        self._transport.write(
            _event("conversation.message.completed", done)
            + _event("conversation.chat.completed", completed)
            + _event("done", '"[DONE]"')
            + b"0\r\n\r\n"
        )

    async def _pause(self, until: float | None) -> None:
        await self._may_write.wait()
        await asyncio.sleep(max(0.0, until - time.monotonic()) if until else 0)


def _wishes(messages: list[dict[str, Any]]) -> dict[str, str]:
    """What the question orders."""
    return dict(re.findall(r"(\w+)=([\d.]+)", messages[-1]["content"]))


def _event(name: str, data: str) -> bytes:
    """An event as a chunk of its own, as platforms send them."""
    return _chunk(f"event:{name}\ndata:{data}\n\n")


def _data(data: str) -> bytes:
    return _chunk(f"data: {data}\n\n")


def _chunk(text: str) -> bytes:
    data = text.encode()
    return b"%x\r\n%s\r\n" % (len(data), data)


def _completion(kind: str, choice: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    choices = [{"index": 0, **choice, "finish_reason": reason}]
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    chunk = {"id": "bench", "object": kind, "created": 1, "model": "bench", "choices": choices}
    return chunk if reason is None else {**chunk, "usage": usage}


def _record(path: str, ids: dict[str, str]) -> Any:
    chat, conversation = ids["chat_id"], ids["conversation_id"]
    match path:
        case "/v3/chat/message/list":
            kinds = {"verbose": "{}", "answer": ANSWER, "follow_up": "还有呢？"}
            return [_message(chat, conversation, kind, text) for kind, text in kinds.items()]
        case "/v3/chat/cancel":
            _ends[chat] = 0.0
    return _chat(chat, conversation)


def _chat(chat: str, conversation: str) -> dict[str, Any]:
    is_over = time.monotonic() >= _ends[chat]
    return {
        "id": chat,
        "conversation_id": conversation,
        "bot_id": "1",
        "status": "completed" if is_over else "in_progress",
        "usage": {"token_count": 30, "input_count": 20, "output_count": 10},
    }


def _message(chat: str, conversation: str, kind: str, text: str) -> dict[str, str]:
    return {
        "id": f"{chat}{kind}",
        "conversation_id": conversation,
        "chat_id": chat,
        "bot_id": "1",
        "role": "assistant",
        "type": kind,
        "content_type": "text",
        "content": text,
    }


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(
        Connection, "127.0.0.1", port, backlog=4096
    )
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
