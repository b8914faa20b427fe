"""Reading Yuanqi's answers as our events, without a socket (platforms/yuanqi.md §4, §5)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

from providers.errors import (
    ContentBlocked,
    EmptyAnswer,
    ProviderError,
    Unexpected,
)
from providers.events import Accepted, Delta, Done, Event, Rewrite, Thought, ToolStep, Usage
from providers.payloads import Fields, content_text, fields, items, one_or_many, text, whole
from providers.yuanqi.codes import ERRORS

NAME = "yuanqi"
BLOCKED_LEVELS = {"1", "2"}


class YuanqiReader:
    """One answer as it comes, whole in a `message` or piece by piece in `delta`s.

    `finish` is the platform's word for how it ended, `has_deltas` whether it came in pieces.
    """

    def __init__(self) -> None:
        self.trace: str | None = None
        self.finish: str | None = None
        self._usage: Usage | None = None
        self._level = ""
        self.has_deltas = False
        self._pieces: list[str] = []
        self._is_strange = False
        self._steps: dict[str, ToolStep] = {}
        self._keys: dict[int, str] = {}

    def apply(self, frame: Fields) -> Iterator[Event]:
        if not frame.get("choices"):
            # An envelope around it, as other calls of the house have.
            frame = fields(frame.get("data")) or frame
        if self.trace is None and text(frame.get("id")):
            self.trace = text(frame["id"])
            yield Accepted(trace=self.trace)
        self._usage = _usage(frame.get("usage")) or self._usage
        choices = one_or_many(frame.get("choices"))
        choice = fields(choices[0]) if choices else {}
        delta, message = fields(choice.get("delta")), fields(choice.get("message"))
        self._is_strange = self._is_strange or not (delta or message)
        self.has_deltas = self.has_deltas or bool(delta)
        if message and not delta and self.has_deltas:
            # Some repeat the whole answer at its end.
            yield from self._complete(content_text(message.get("content")))
        else:
            yield from self._part(delta or message)
        # Only now: the frame that ends the answer may carry its last words.
        self.finish = text(choice.get("finish_reason")) or self.finish
        self._level = text(choice.get("moderation_level")) or self._level

    def close_step(self, state: Literal["done", "failed"]) -> Iterator[ToolStep]:
        """Ends the steps whose result never came."""
        for step in self._steps.values():
            if step.state == "running":
                yield replace(step, state=state)

    def end(self) -> Iterator[Event]:
        """How it went.

        Raises ContentBlocked, Unavailable (a tool failed), EmptyAnswer or Unexpected.
        """
        failure = ERRORS.get(self.finish or "")
        yield from self.close_step("failed" if failure else "done")
        if self._usage:
            yield self._usage
        if failure:
            raise failure("the answer failed", provider=NAME, code=self.finish, trace=self.trace)
        if not "".join(self._pieces).strip():
            raise self._silence()
        yield Done(self.finish or "stop")

    def _silence(self) -> ProviderError:
        if self._level in BLOCKED_LEVELS:
            code = f"moderation_level {self._level}"
            return ContentBlocked("came without text", provider=NAME, code=code, trace=self.trace)
        if self._is_strange and self.finish is None:
            return Unexpected("an answer without choices", provider=NAME, trace=self.trace)
        return EmptyAnswer("came without text", provider=NAME, trace=self.trace)

    def _part(self, part: Fields) -> Iterator[Event]:
        steps = [fields(step) for step in items(part.get("steps"))]
        for step in (*steps, part):
            yield from self._tools(step)
        if part.get("role") not in (None, "", "assistant"):
            return
        for thinking in [part] if part.get("reasoning_content") else steps:
            if thought := content_text(thinking.get("reasoning_content")):
                yield Thought(thought)
        if piece := content_text(part.get("content")):
            self._pieces.append(piece)
            yield Delta(piece)

    def _complete(self, answer: str) -> Iterator[Event]:
        """What the whole answer has beyond its pieces; it never shortens them."""
        so_far = "".join(self._pieces)
        if not so_far.startswith(answer):
            self._pieces = [answer]
            yield Delta(answer[len(so_far) :]) if answer.startswith(so_far) else Rewrite(answer)

    def _tools(self, part: Fields) -> Iterator[ToolStep]:
        """The steps that an assistant announces, or the result that a tool has brought."""
        for number, call in enumerate(map(fields, items(part.get("tool_calls")))):
            yield from self._tool_call(number, call)
        if part.get("role") == "tool":
            key = text(part.get("tool_call_id")) or "tool"
            before = self._steps.get(key) or ToolStep(key, "tool", "running")
            output = (before.output or "") + content_text(part.get("content"))
            self._steps[key] = replace(before, state="done", output=output)
            yield self._steps[key]

    def _tool_call(self, number: int, call: Fields) -> Iterator[ToolStep]:
        """A call, or a later piece of one, which has only its index and more arguments."""
        function = fields(call.get("function"))
        index = whole(call.get("index"))
        index = number if index is None else index
        call_id, arguments = text(call.get("id")), text(function.get("arguments"))
        name = text(function.get("name")) or text(function.get("desc"))
        step = self._steps.get(self._keys.get(index, ""))
        if step and not call_id and not name:
            self._steps[step.id] = replace(step, input=(step.input or "") + arguments or None)
            return
        key = call_id or f"{name or 'tool'}-{number}"
        self._keys[index] = key
        self._steps[key] = ToolStep(key, name or "tool", "running", arguments or None)
        yield self._steps[key]


def _usage(usage: Any) -> Usage | None:
    """The tokens, which are zeros until the answer is whole."""
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    counts = [whole(fields(usage).get(name)) or 0 for name in names]
    return Usage(*counts) if any(counts) else None
