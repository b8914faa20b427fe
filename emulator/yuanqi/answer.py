"""One answer of the emulated Yuanqi, in frames or whole (platforms/yuanqi.md §4, §5)."""

import json
import time
from typing import Any
from uuid import uuid4

from emulator.speech import HALVES, Speech
from emulator.words import MagicWords
from emulator.yuanqi.checks import YuanqiRefused

ZEROS = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
CALL = {
    "id": "call_01",
    "type": "function",
    "function": {
        "name": "timetable",
        "desc": "查询课表",
        "type": "tool",
        "arguments": '{"day":"周一"}',
    },
}
RESULT = {"role": "tool", "tool_call_id": "call_01", "content": '{"first":"数学"}', "time_cost": 95}
DONE = b"data: [DONE]\n\n"


class Answer:
    """What an agent says to one question; `parts` are the pieces of its text."""

    def __init__(
        self, assistant_id: str, words: MagicWords, speech: Speech, parts: list[str]
    ) -> None:
        self.id = uuid4().hex
        self.words, self.parts = words, parts
        self._speech = speech
        self._ids = {"id": self.id, "created": int(time.time())}
        self._assistant_id = assistant_id
        output = max(1, len(speech.text) // 2)
        self.usage = {"prompt_tokens": 41, "completion_tokens": output, "total_tokens": 41 + output}

    @property
    def finish_reason(self) -> str:
        if self.words.has("blocked") or self.words.has("blocked-late"):
            return "sensitive"
        return "tool_fail" if self.words.has("tool-fail") else "stop"

    def opening(self) -> list[bytes]:
        frames = []
        if self._speech.thought:
            half = len(self._speech.thought) // 2
            for thought in (self._speech.thought[:half], self._speech.thought[half:]):
                frames.append(self._delta({"content": "", "reasoning_content": thought}))
        if self.words.has("tool") or self.words.has("tool-fail"):
            frames.append(self._delta({"content": "", "tool_calls": [CALL]}, time_cost=410))
        if self.words.has("tool"):
            frames.append(self._frame({"delta": RESULT}))
        return frames

    def pieces(self) -> list[bytes]:
        if self.words.has("blocked"):
            return []
        parts = self.parts[:-1] if self.words.has("tail") else self.parts
        return [self._delta({"content": part}) for part in parts]

    def closing(self) -> list[bytes]:
        last = self.parts[-1] if self.words.has("tail") and self.parts else ""
        return [self._end(self.finish_reason, last), *([] if self.words.has("no-done") else [DONE])]

    def failure(self) -> list[bytes] | None:
        """What comes after half of the pieces, when that is not the other half."""
        if self.words.has("late-error") or self.words.has("late-code"):
            return [_frame_of(self._error())]
        if self.words.has("blocked-late") or self.words.has("tool-fail"):
            return [self._end(self.finish_reason), DONE]
        return None

    def strange(self) -> list[bytes]:
        return [
            _frame_of({"undocumented": [1, {"深": None}]}),
            self._delta({"role": "narrator", "content": "not part of the answer"}),
            self._delta({"content": None, "shimmer": {"deep": []}}),
        ]

    def whole(self) -> bytes:
        """The same without a stream."""
        if self.words.has("late-error") or self.words.has("late-code"):
            return _json(self._error())
        content = self._content()
        steps: list[dict[str, Any]] = []
        if self.words.has("tool") or self.words.has("tool-fail"):
            steps.append(
                {"role": "assistant", "content": "", "tool_calls": [CALL], "time_cost": 410}
            )
        if self.words.has("tool"):
            steps.append(RESULT)
        steps.append(
            {"role": "assistant", "content": content, "usage": self.usage, "time_cost": 1320}
        )
        message: dict[str, Any] = {"role": "assistant", "content": content, "steps": steps}
        if self._speech.thought:
            message["reasoning_content"] = self._speech.thought
        choice = {"finish_reason": self.finish_reason, "message": message, **self._moderation()}
        return _json({**self._ids, "choices": [choice], **self._last(self.usage)})

    def _content(self) -> str:
        if self.words.has("blocked"):
            return ""
        is_half = self.failure() is not None
        return "".join(self.parts[: (len(self.parts) + 1) // 2] if is_half else self.parts)

    def _error(self) -> dict[str, Any]:
        code = str(int(self.words.number("late-code", 500)))
        error = YuanqiRefused(500, "the assistant failed while it answered", code)
        return error.body(self.words.has("numeric"))

    def _moderation(self) -> dict[str, str]:
        level = self.words.number("moderation", -1)
        return {} if level < 0 else {"moderation_level": str(int(level))}

    def _delta(self, delta: dict[str, Any], time_cost: int = 0) -> bytes:
        return self._frame({"delta": {"role": "assistant", **delta, "time_cost": time_cost}})

    def _end(self, reason: str, last: str = "") -> bytes:
        delta = {"role": "assistant", "content": last, "time_cost": 880}
        return self._frame(
            {"finish_reason": reason, "delta": delta, **self._moderation()}, self.usage
        )

    def _frame(self, choice: dict[str, Any], usage: dict[str, int] = ZEROS) -> bytes:
        return _frame_of({**self._ids, "choices": [choice], **self._last(usage)})

    def _last(self, usage: dict[str, int]) -> dict[str, Any]:
        return {"assistant_id": self._assistant_id, "usage": usage}


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", HALVES)


def _frame_of(value: dict[str, Any]) -> bytes:
    return b"data: " + _json(value) + b"\n\n"
