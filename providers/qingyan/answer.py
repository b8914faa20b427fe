"""What Qingyan sends while it answers, as our events (platforms/qingyan.md §4.2 to §5)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Any, Literal

from providers.events import Accepted, Citation, Delta, Event, Media, Rewrite, ToolStep, Usage
from providers.payloads import Fields, address, content_text, fields, items, json_value, text, whole
from providers.texts import join_halves, without_half

_MARK = re.compile(r"【[0-9]+†(?:source|来源)】")
_START_OF_MARK = re.compile(r"【(?:[0-9]*|[0-9]+†(?:s(?:o(?:u(?:r(?:ce?)?)?)?)?|来源?)?)$")

# The types beside text and image that belong to a tool, and the tool's name where the event has
# none.
_TOOLS = {
    "image": "generate",
    "code": "code_interpreter",
    "execution_output": "code_interpreter",
    "system_error": "tool",
    "tool_calls": "tool",
    "browser_result": "browser",
    "quote_result": "browser",
    "function_result": "function",
    "rag_slices": "knowledge",
}

_TEXTS = {"text", "markdown", "txt"}
_FINISHED = {"finish", "finished"}

# A text of so many characters is hardly repeated by chance.
SURE_LENGTH = 4

Outcome = tuple[Literal["done", "failed"], str | None]


class Marks:
    """Takes citation marks such as 【3†source】 out of a text that comes in pieces."""

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, piece: str) -> str:
        """The text without marks, up to what may be the start of another one."""
        whole_text = self._rest + piece
        start = _START_OF_MARK.search(whole_text)
        end = start.start() if start else len(whole_text)
        self._rest = whole_text[end:]
        return _MARK.sub("", whole_text[:end])

    def flush(self) -> str:
        """The rest, which turned out to be no mark."""
        rest, self._rest = self._rest, ""
        return rest


class QingyanReader:
    """One answer as it grows.

    `has_content`: it holds text or a picture. `has_yielded`: anything at all was yielded but ids.
    `is_over`: the final event was seen. `is_whole`: the last message was text, and has finished.
    `failure`: the platform's last_error, once it gave up.
    """

    def __init__(self) -> None:
        self.has_content = self.has_yielded = self.is_over = self.is_whole = False
        self.failure: Fields | None = None
        self.conversation: str | None = None
        self._accepted = Accepted()
        self._segment = ""
        # What was yielded before this message and of it: a correction repeats the former.
        self._earlier: list[str] = []
        self._current: list[str] = []
        self._is_message_finished = False
        # A beginning of the segment that has come again in its place.
        self._beginning = ""
        # Whether a text has repeated what came before it: then none is a mere piece.
        self._is_cumulative = False
        self._marks = Marks()
        self._has_text = False
        self._is_new_paragraph = False
        self._step: ToolStep | None = None
        self._last_input: str | None = None
        self._outcome: Outcome | None = None
        self._last_outcome: Outcome | None = None
        self._steps = 0
        self._pictures: dict[str, bool] = {}
        self._sources: set[object] = set()
        self._usage: Usage | None = None

    def apply(self, event: Fields) -> Iterator[Event]:
        """One event of the stream."""
        yield from self._ids(event)
        yield from self._mark_yielded(self._message(fields(event.get("message"))))
        yield from self._ending(event)

    def apply_whole(self, result: Fields) -> Iterator[Event]:
        """The result of stream_sync: each of its parts is what one message is on the stream."""
        yield from self._ids(result)
        for part in items(result.get("output")):
            message = self._message({**fields(part), "status": "finish"})
            yield from self._mark_yielded(chain(self._close_segment(), message))
        yield from self._ending({"status": "finish", **result})

    def end(self, state: Literal["done", "failed"] = "done") -> Iterator[Event]:
        """The rest of the text; `state` is how a tool still at work has ended."""
        yield from self._close_segment()
        yield from self._close_step(state)
        yield from self._show_pictures()
        if self._usage is not None:
            yield self._usage
            self._usage = None

    def _mark_yielded(self, events: Iterable[Event]) -> Iterator[Event]:
        for event in events:
            self.has_yielded = True
            yield event

    def _ids(self, event: Fields) -> Iterator[Event]:
        conversation, chat = text(event.get("conversation_id")), text(event.get("history_id"))
        before = self._accepted
        accepted = Accepted(conversation or before.conversation, chat or before.chat)
        if accepted != before:
            self._accepted, self.conversation = accepted, accepted.conversation
            yield accepted

    def _ending(self, event: Fields) -> Iterator[Event]:
        status = text(event.get("status")).lower()
        if status in _FINISHED:
            self.is_over = True
        elif status in ("error", "intervene"):
            self.is_over = True
            self.failure = {"intervened": status == "intervene", **fields(event.get("last_error"))}
            # Unlike error_msg this is meant for the visitor, and stands in place of what was
            # withdrawn.
            if notice := text(self.failure.get("intervene_text")):
                yield Rewrite(notice)

    def _message(self, message: Fields) -> Iterator[Event]:
        meta = fields(message.get("meta_data"))
        self._count(fields(meta.get("usage")))
        is_finished = text(message.get("status")).lower() in _FINISHED
        for part in _parts(message.get("content")):
            yield from self._part(part, meta, is_finished)
            yield from self._cite(items(fields(part.get("meta_data")).get("metadata_list")))
        yield from self._cite(items(meta.get("metadata_list")))
        if is_finished:
            yield from self._show_pictures()

    def _part(self, part: Fields, meta: Fields, is_finished: bool) -> Iterator[Event]:
        kind, content = text(part.get("type")), part.get("content")
        if kind in _TEXTS or (not kind and "text" in part):
            yield from self._say(content_text(part.get("text")), is_finished)
            self.is_whole = is_finished
            return
        if kind not in _TOOLS:
            return
        self.is_whole = False
        yield from self._close_segment()
        match kind:
            case "image":
                yield from self._close_step("done")
                self._keep_pictures(part)
            case "code":
                yield from self._begin("code_interpreter", text(part.get("code")), is_finished)
            case "tool_calls":
                call = fields(part.get("tool_calls"))
                yield from self._begin(
                    text(call.get("name")) or "tool", text(call.get("arguments")), is_finished
                )
            case "rag_slices" if not items(content):
                yield from self._begin("knowledge", "", is_finished)
            case "rag_slices":
                yield from self._result("knowledge", ("done", None), is_finished)
                yield from self._cite(items(content))
            case "system_error":
                message = _failure_of(content, {**fields(part.get("meta_data")), **meta})
                yield from self._result("tool", ("failed", message), is_finished)
            case _:
                output_text = text(content)
                output = None if output_text in ("", "{}") else output_text
                yield from self._result(_TOOLS[kind], ("done", output), is_finished)
                if kind == "browser_result":
                    yield from self._cite([json_value(output_text)])

    def _say(self, message: str, is_finished: bool) -> Iterator[Event]:
        """A text repeats what its message held before; the next message starts from its own first
        character. Half a character at the end of a text waits for its other half.
        """
        message = join_halves(message) if is_finished else without_half(message)
        if not message:
            return
        yield from self._close_step("done")
        if message.startswith(self._segment):
            if len(message) > len(self._segment) >= SURE_LENGTH:
                self._is_cumulative = True
        elif self._is_message_finished:
            yield from self._close_segment()
        elif self._segment.startswith(message):
            # It may go back to what was shown, or on with something else.
            self._beginning, self._is_message_finished = message, is_finished
            return
        elif self._has_begun_again(message):
            yield from self._close_segment()
        elif not self._is_cumulative and _is_piece(message, self._segment):
            message = self._segment + self._beginning + message
        else:
            yield self._correct(message)
        self._beginning = ""
        tail = message[len(self._segment) :]
        self._segment = message
        self._is_message_finished = is_finished
        yield from self._show(self._marks.feed(tail))

    def _has_begun_again(self, message: str) -> bool:
        """Whether a text goes on after a beginning that has come again, and not along the old text:
        then it is another one.
        """
        beginning = self._beginning
        is_along = self._segment.startswith(message[: len(beginning) + 1])
        return bool(beginning) and message.startswith(beginning) and not is_along

    def _correct(self, message: str) -> Rewrite:
        """The answer with another text in place of the one its message held before."""
        self._marks = Marks()
        pause = "\n\n" if self._earlier else ""
        visible = self._marks.feed(message)
        self._segment = message
        self._current = [pause + visible]
        return Rewrite("".join([*self._earlier, *self._current]))

    def _show(self, visible: str) -> Iterator[Event]:
        if visible:
            pause = "\n\n" if self._is_new_paragraph else ""
            self._is_new_paragraph = False
            self._has_text = self.has_content = True
            self._current.append(pause + visible)
            yield Delta(pause + visible)

    def _close_segment(self) -> Iterator[Event]:
        yield from self._show(self._marks.flush())
        self._segment = self._beginning = ""
        self._earlier += self._current
        self._current = []
        self._is_message_finished = False
        self._is_new_paragraph = self._has_text

    def _begin(self, name: str, arguments: str, is_finished: bool) -> Iterator[Event]:
        step = self._step
        if step is None or step.name != name or not arguments.startswith(step.input or ""):
            yield from self._close_step("done")
            self._steps += 1
            step = ToolStep(f"step-{self._steps}", name, "running", arguments or None)
            self._last_input = step.input
            yield step
        self._step = replace(step, input=arguments or None)
        if is_finished and self._step.input != self._last_input:
            self._last_input = self._step.input
            yield self._step

    def _result(self, name: str, outcome: Outcome, is_finished: bool) -> Iterator[Event]:
        if self._step is None:
            # The same event has come again.
            if outcome == self._last_outcome:
                return
            yield from self._begin(name, "", is_finished)
        self._outcome = outcome
        if is_finished:
            yield from self._close_step("done")

    def _close_step(self, state: Literal["done", "failed"]) -> Iterator[Event]:
        if self._step is not None:
            outcome = self._outcome or (state, None)
            yield replace(self._step, state=outcome[0], output=outcome[1])
            self._step, self._outcome, self._last_outcome = None, None, outcome

    def _keep_pictures(self, part: Fields) -> None:
        for picture in items(part.get("image")):
            url = address(fields(picture).get("image_url"))
            if url:
                self._pictures.setdefault(url, False)

    def _show_pictures(self) -> Iterator[Event]:
        for url, is_yielded in self._pictures.items():
            if not is_yielded:
                self._pictures[url] = self.has_content = True
                yield Media("image", url)

    def _cite(self, sources: list[Any]) -> Iterator[Event]:
        """Pages (title, url, text) and passages of the agent's knowledge (document_name, text)."""
        for source in map(fields, sources):
            url = address(source.get("url"))
            title = text(source.get("title")) or text(source.get("document_name")) or url
            passage = text(source.get("text")) or None
            key = url or (title, passage)
            if title and key not in self._sources:
                self._sources.add(key)
                yield Citation(title, url, passage)

    def _count(self, usage: Fields) -> None:
        input_tokens, output_tokens = (
            whole(usage.get("prompt_tokens")),
            whole(usage.get("completion_tokens")),
        )
        total = whole(usage.get("total_tokens"))
        if input_tokens is not None and output_tokens is not None:
            self._usage = Usage(
                input_tokens,
                output_tokens,
                input_tokens + output_tokens if total is None else total,
            )


def _failure_of(content: Any, details: Fields) -> str | None:
    """What a tool could not do: its own words, else the command or the address that failed."""
    names = ("failedCommand", "failedURL")
    return next(filter(None, (text(content), *(text(details.get(name)) for name in names))), None)


def _is_piece(message: str, segment: str) -> bool:
    """Whether a text goes on after the segment instead of repeating it: some send pieces.

    A correction has a common beginning with what it corrects, or is about as long.
    """
    return message[0] != segment[0] and len(message) < max(8, len(segment) / 2)


def _parts(content: Any) -> list[Fields]:
    """The content of a message: one object on the stream, a list of them in stream_sync; the
    neighbours among its texts are one text.
    """
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    parts = [fields(part) for part in content] if isinstance(content, list) else [fields(content)]
    joined: list[Fields] = []
    for part in parts:
        if part.get("type") == "text" and joined and joined[-1].get("type") == "text":
            both = (text(joined[-1].get("text")), text(part.get("text")))
            joined[-1] = {**part, "text": "\n\n".join(filter(None, both))}
        else:
            joined.append(part)
    return joined
