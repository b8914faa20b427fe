"""One answer of Huawei's engine as JSON objects, in any shape it may have (platforms/huawei.md
§4).
"""

import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from flask import request

from emulator.huawei.checks import HuaweiRefused
from emulator.settings import EmulatorSettings
from emulator.speech import HALVES, Speech, pieces
from emulator.words import MagicWords

APOLOGY = "很抱歉，我的系统似乎遇到了一些故障问题，暂时无法为您提供服务"
SORRY = "抱歉，课表查询没有成功，请稍后再试。"
STEP_WORDS = ("tool", "workflow", "knowledge", "step-failed")


@dataclass(frozen=True)
class Shape:
    """What the documents leave open: the framing, the names of types, how empty fields look."""

    framing: str
    content_type: str
    step_start: str
    step_end: str
    message: str
    kinds: dict[str, str]
    empty: str
    has_generated_ids: bool

    @classmethod
    def of(cls, settings: EmulatorSettings) -> "Shape":
        framing = settings.huawei_framing
        step_start, step_end, message, tool, workflow, knowledge = settings.huawei_types.split()
        usual = "application/x-ndjson" if framing == "ndjson" else "text/event-stream"
        return cls(
            framing,
            settings.huawei_content_type or usual,
            step_start,
            step_end,
            message,
            {"tool": tool, "workflow": workflow, "knowledge": knowledge},
            settings.huawei_empty,
            settings.huawei_ids == "generated",
        )

    @property
    def is_sse(self) -> bool:
        return self.framing != "ndjson"

    def frame(self, value: dict[str, Any]) -> bytes:
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", HALVES)
        if not self.is_sse:
            return body + b"\n"
        return (b"data:" if self.framing == "sse_nospace" else b"data: ") + body + b"\n\n"

    def end(self) -> list[bytes]:
        return [b"data: [DONE]\n\n"] if self.framing == "sse_done" else []


class Answer:
    """What an agent says to one question."""

    def __init__(
        self,
        agent_id: str,
        body: dict[str, Any],
        words: MagicWords,
        speech: Speech,
        settings: EmulatorSettings,
        shape: Shape,
    ) -> None:
        self.request_id = uuid4().hex
        self._words, self._speech, self._settings, self._shape = words, speech, settings, shape
        blank = uuid4().hex if shape.has_generated_ids else ""
        self._ids = {
            "request_id": self.request_id,
            "agent_id": agent_id,
            "user_id": body.get("user_id") or blank,
            "conversation_id": body.get("conversation_id") or blank,
        }

    def opening(self) -> list[bytes]:
        """The steps before the answer."""
        if self._words.has("empty"):
            return []
        frames: list[bytes] = []
        for word in STEP_WORDS:
            if self._words.has(word) or (word == "knowledge" and self._words.has("cite")):
                frames += self._step(f"t-{len(frames)}", self._shape.kinds.get(word, "tool"))
        return frames

    def pieces(self) -> list[bytes]:
        replies = self._replies()
        return [
            self._message(f"m-{number}", piece)
            for number, reply in enumerate(replies, 1)
            for piece in pieces(reply, self._words, self._settings)
        ]

    def closing(self) -> list[bytes]:
        frames = []
        replies = self._replies()
        if self._words.has("repeat") and replies:
            more = "以上就是全部。" if self._words.number("repeat", 1) == 2 else ""
            frames.append(self._message(f"m-{len(replies)}", replies[-1] + more))
        for word in ("image", "image-only"):
            if self._words.has(word):
                frames.append(self._picture(int(self._words.number(word, 0))))
        return [*frames, *self._shape.end()]

    def failure(self) -> list[bytes] | None:
        """What comes after half of the pieces, when that is not the other half."""
        code = None
        if self._words.has("late-error"):
            code = "AIAE.22009001"
        elif self._words.has("late-code"):
            code = f"AIAE.{int(self._words.number('late-code', 22009001)):08d}"
        elif self._words.has("blocked-late"):
            code = "AIAE.31001602"
        if code is None:
            return None
        error = HuaweiRefused(code, "failed while it answered").body()
        is_inner = self._words.number("late-error", 1) == 2
        payload = {"type": self._shape.message, "data": error} if is_inner else error
        return [self._shape.frame({**self._ids, **payload})]

    def strange(self) -> list[bytes]:
        return [
            self._object("shimmer", {"id": "x-1", "深": [None, {}]}),
            self._object("shimmer", {}),
            self._shape.frame({**self._ids, "type": "ping", "data": None}),
        ]

    def _replies(self) -> tuple[str, ...]:
        if self._words.has("apology"):
            return (APOLOGY,)
        if self._words.has("step-failed"):
            return (SORRY,)
        return () if self._words.has("image-only") else self._speech.replies

    def _step(self, step_id: str, kind: str) -> list[bytes]:
        has_failed = self._words.has("step-failed")
        ended = {
            "id": step_id,
            "name": "课表查询",
            "status": "failed" if has_failed else "success",
            "request": {"day": "周一"},
            "response": {} if has_failed else {"first": "数学"},
        }
        return [
            self._object(self._shape.step_start, {"id": step_id, "name": "课表查询", "type": kind}),
            self._object(self._shape.step_end, ended),
        ]

    def _message(self, message_id: str, text: str) -> bytes:
        raw = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": text}}]}
        if self._words.has("raw"):
            return self._piece(message_id, "", raw=raw)
        if self._words.has("think"):
            raw["choices"][0]["delta"] = {
                "content": text,
                "reasoning_content": self._speech.thought,
            }
            return self._piece(message_id, text, raw=raw)
        return self._piece(message_id, text)

    def _picture(self, layout: int) -> bytes:
        address = f"{request.host_url}_emulator/picture.png"
        layouts: tuple[Any, ...] = (
            {"image_url": address},
            {"url": address, "type": "image"},
            {"images": [{"url": address}]},
            address,
        )
        return self._piece("p-1", "", url=layouts[layout % len(layouts)])

    def _piece(self, piece_id: str, text: str, url: Any = None, raw: Any = None) -> bytes:
        data = {"id": piece_id, "content": text, "url": url, "raw": raw}
        if self._shape.empty == "missing":
            data = {name: value for name, value in data.items() if value or name == "content"}
        elif self._shape.empty == "empty":
            data = {name: {} if value is None else value for name, value in data.items()}
        if self._words.has("status"):
            data["status"] = "success"
        return self._object(self._shape.message, data)

    def _object(self, kind: str, data: dict[str, Any]) -> bytes:
        if self._words.has("top"):
            return self._shape.frame({**self._ids, "status": "success", **data})
        return self._shape.frame({**self._ids, "type": kind, "data": data})
