"""The visitors: many at once in one asyncio process, each a bare connection."""

import asyncio
import json
import re
import time
from dataclasses import dataclass, field
from typing import Any

STAMP = re.compile(rb"\[(\d+)\] ")
END = b"event: done"
COMPLETIONS = "/v1/chat/completions"


@dataclass
class Heard:
    """What a reader of a stream got: the lag of each delta in seconds, and whether it ended."""

    lags: list[float] = field(default_factory=list)
    is_whole: bool = False


async def call(port: int, method: str, target: str, body: Any = None) -> tuple[int, Any]:
    """One request on a connection of its own: status and JSON."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(_request(method, target, body, "application/json"))
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        assert length is not None, head
        answer = await reader.readexactly(int(length[1]))
        return int(head[9:12]), json.loads(answer)
    finally:
        writer.close()


async def complete(port: int, question: str) -> bool:
    """The same at an OpenAI-compatible end point: whether it was an answer."""
    status, answer = await call(port, "POST", COMPLETIONS, _openai(question))
    return status == 200 and bool(answer["choices"][0]["message"]["content"])


async def ask(port: int, question: str) -> tuple[float, bool]:
    """One question for one JSON answer: when it came, and whether it was an answer."""
    try:
        status, answer = await call(port, "POST", "/chat", {"message": question})
    except (OSError, EOFError):
        return time.monotonic(), False
    return time.monotonic(), status == 200 and bool(answer["replies"])


async def ask_platform(port: int, question: str, work: float) -> float:
    """When the platform itself answered a caller who knows when to ask again."""
    body = {"additional_messages": [{"content": question}]}
    _, created = await call(port, "POST", "/v3/chat", body)
    await asyncio.sleep(work)
    ids = f"conversation_id={created['data']['conversation_id']}&chat_id={created['data']['id']}"
    _, chat = await call(port, "GET", f"/v3/chat/retrieve?{ids}")
    assert chat["data"]["status"] == "completed"
    await call(port, "GET", f"/v3/chat/message/list?{ids}")
    return time.monotonic()


async def follow(port: int, question: str) -> Heard:
    """One question, its answer read as a stream of events."""
    return await _read(port, "/chat", {"message": question}, END)


async def follow_completion(port: int, question: str) -> Heard:
    """The same at an OpenAI-compatible end point."""
    return await _read(port, COMPLETIONS, {**_openai(question), "stream": True}, b"[DONE]")


async def _read(port: int, target: str, body: Any, mark: bytes) -> Heard:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    writer.write(_request("POST", target, body, "text/event-stream"))
    heard, rest = Heard(), b""
    try:
        while not heard.is_whole and (data := await reader.read(1 << 18)):
            now = time.monotonic_ns()
            deltas, end, _ = (rest + data).partition(mark)
            heard.is_whole = bool(end)
            cut = deltas.rfind(b"\n\n") + 2 if not end else len(deltas)
            heard.lags += [(now - int(stamp)) / 1e9 for stamp in STAMP.findall(deltas, 0, cut)]
            rest = deltas[cut:]
    finally:
        writer.close()
    return heard


async def watch(port: int, every: float, times: list[float]) -> None:
    """Asks /healthz again and again, each time as a newcomer; adds how long each answer took."""
    while True:
        began = time.monotonic()
        await call(port, "GET", "/healthz")
        times.append(time.monotonic() - began)
        await asyncio.sleep(max(0.0, began + every - time.monotonic()))


def _openai(question: str) -> dict[str, Any]:
    return {"model": "bench", "messages": [{"role": "user", "content": question}]}


def _request(method: str, target: str, body: Any, accept: str) -> bytes:
    content = json.dumps(body, ensure_ascii=False).encode() if body is not None else b""
    head = (
        f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {accept}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content
