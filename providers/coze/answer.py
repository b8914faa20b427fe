"""Reading Coze's messages and chat objects as our events, without a socket (platforms/coze.md §1.4,
§2.2)."""

import json
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from providers.base import About
from providers.coze.cards import read_card
from providers.events import (
    Citation,
    Delta,
    Event,
    Media,
    Rewrite,
    Suggestion,
    Thought,
    ToolStep,
    Usage,
)
from providers.payloads import (
    Fields,
    address,
    content_text,
    fields,
    items,
    json_object,
    json_value,
)
from providers.texts import join_halves, without_half

# Spellings that the vendor's own pages, clients and answers use beside the documented ones.
SYNONYMS = {
    "cancelled": "canceled",
    "required_action": "requires_action",
    "compleated": "completed",
}
TERMINAL = {"completed", "failed", "canceled", "requires_action"}

_TEXT_TYPES = {"text", "txt", "string", "markdown", "text/plain", "text/markdown"}
NAME_LENGTH, DESCRIPTION_LENGTH, PROLOGUE_LENGTH, QUESTION_LENGTH = 60, 300, 2000, 200
QUESTIONS = 6

# No repetition gives back what it has matched, and empty lines are no beginning: what was recalled
# is read once, however many empty lines it has.
_SLICE = re.compile(
    r"^(?:-++\s*+|[^\S\n]*+)(recall slice \d++)\s*+[:：]", re.IGNORECASE | re.MULTILINE
)


@dataclass(slots=True, eq=False)
class _Reply:
    """One message of type answer, as far as it has come. `index` is set with its first words."""

    index: int | None = None
    parts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return join_halves("".join(self.parts))

    def has_begun_like(self, text: str) -> bool:
        """Whether one of the two texts is the beginning of the other."""
        return text.startswith(self.text) or _is_beginning(text, self.text)


class CozeReader:
    """One answer as it grows, from fragments, whole messages and the record: each word once.

    `replies` are the texts that an earlier reader of the same chat has stored. What was yielded is
    never shortened: a whole message or a record that is only its beginning adds nothing.
    """

    def __init__(self, replies: tuple[str, ...] = ()) -> None:
        self._count = len(replies)
        self._has_media = False
        # Replies without their completed message, in the order in which they were begun.
        self._stored_replies = [_Reply(index, [text]) for index, text in enumerate(replies)]
        self._open = {f"stored-{reply.index}": reply for reply in self._stored_replies}
        self._finished: set[str] = set()
        self._tools: deque[tuple[str, str]] = deque()
        # Replies that a streaming plugin has written, and those that were completed.
        self._plugin_replies: list[_Reply] = []
        self._whole_replies: list[_Reply] = []
        # What plugins have written that may be just what is being written.
        self._waiting_texts: list[str] = []
        self._is_continued = any(replies)

    @property
    def has_answer(self) -> bool:
        return self._count > 0 or self._has_media

    @property
    def is_whole(self) -> bool:
        """Whether every message whose words were begun has been completed."""
        return all(reply.index is None for reply in self._open.values())

    def apply_delta(self, message: Fields) -> Iterator[Event]:
        """The events of a fragment. Fragments of JSON (cards, files) wait for their completed
        message."""
        if message.get("type") != "answer":
            return
        reply = self._open_reply(str(message.get("id") or ""))
        if reply is None:
            return
        thought, text = message.get("reasoning_content"), content_text(message.get("content"))
        if isinstance(thought, str) and thought:
            reply.thoughts.append(thought)
            yield Thought(thought)
        if text and _is_text(message):
            reply.parts.append(text)
            yield from self._show_fragment(reply, text)

    def apply_completed(self, message: Fields) -> Iterator[Event]:
        """The events of a whole message, less those of its fragments. Unknown types have none."""
        message_id = str(message.get("id") or "")
        if message_id in self._finished:
            return
        if message_id:
            self._finished.add(message_id)
        kind, content = message.get("type"), content_text(message.get("content"))
        if _is_answer(message):
            reply = self._open.pop(message_id, None) or _Reply()
            yield from self._complete_reply(reply, message)
        elif kind == "follow_up":
            if content.strip():
                yield Suggestion(content.strip())
        elif kind == "function_call":
            yield self._begin_tool(message_id, content)
        elif kind in ("tool_response", "tool_output"):
            yield self._end_tool(message_id, content)
        elif kind == "verbose" and (plugin_text := _plugin_text(content)):
            yield from self._complete_plugin_reply(plugin_text)
        elif kind in ("knowledge", "verbose") and not self._is_continued:
            yield from _citations(kind, content)

    def apply_record(self, messages: list[Fields]) -> Iterator[Event]:
        """The events of the platform's own record of the chat, less those yielded already.

        The record may list a begun reply under another id. One that it lists shorter than it was
        yielded stays open: the list may be early (§15).
        """
        listed_ids = {str(message.get("id") or "") for message in messages}
        for message in messages:
            message_id = str(message.get("id") or "")
            if _is_answer(message) and message_id not in self._finished:
                open_id = message_id if message_id in self._open else self._unlisted(listed_ids)
                reply = self._open.get(open_id) or _Reply()
                content = readable(message)
                if content == MessageContent() or _is_beginning(content.text, reply.text):
                    continue
                self._open.pop(open_id, None)
                self._finished.add(message_id or open_id)
                yield from self._complete_reply(reply, message)
            else:
                yield from self.apply_completed(message)

    def _unlisted(self, listed_ids: set[str]) -> str:
        """The first open reply whose id the record does not have; empty without one."""
        return next((open_id for open_id in self._open if open_id not in listed_ids), "")

    def _open_reply(self, message_id: str) -> _Reply | None:
        """The reply that a fragment belongs to; None after its completed message."""
        reply = self._open.get(message_id)
        if reply is None and message_id not in self._finished:
            reply = self._open[message_id] = _Reply()
        return reply

    def _index_of(self, reply: _Reply) -> int:
        """The reply's place in the answer, given out with its first words."""
        if reply.index is None:
            reply.index = self._count
            self._count += 1
        return reply.index

    def _show_fragment(self, reply: _Reply, text: str) -> Iterator[Event]:
        """The events of a fragment, but what only repeats a plugin's words waits for more."""
        if reply.index is not None or not self._plugin_replies:
            yield Delta(text, self._index_of(reply))
            return
        if any(plugin.text.startswith(reply.text) for plugin in self._plugin_replies):
            return
        so_far = self._join_plugin(reply, reply.text)
        yield Delta(reply.text[len(so_far) :], self._index_of(reply))

    def _join_plugin(self, reply: _Reply, text: str) -> str:
        """Makes one reply of a plugin's words and a text that repeats them: what was shown of it.

        Empty when the text repeats no plugin's words.
        """
        for plugin in self._plugin_replies:
            if plugin.has_begun_like(text):
                self._plugin_replies.remove(plugin)
                reply.index = plugin.index
                return plugin.text
        return ""

    def _complete_reply(self, reply: _Reply, message: Fields) -> Iterator[Event]:
        content = readable(message)
        thoughts = str(message.get("reasoning_content") or "")
        yield from _rest_of_thoughts(reply, reply.text, thoughts)
        for media in content.media:
            self._has_media = True
            yield media
        yield from map(Suggestion, content.suggestions)
        if not content.text:
            return
        is_begun = reply.index is not None
        so_far = reply.text if is_begun else self._join_plugin(reply, content.text)
        if not _is_beginning(content.text, so_far, or_same=True):
            yield self._new_text(content.text, so_far, self._index_of(reply))
            so_far = content.text
        self._whole_replies.append(_Reply(reply.index, [so_far]))
        waiting, self._waiting_texts = self._waiting_texts, []
        for text in waiting:
            yield from self._complete_plugin_reply(text)

    @staticmethod
    def _new_text(text: str, so_far: str, index: int) -> Delta | Rewrite:
        if text.startswith(so_far):
            return Delta(text[len(so_far) :], index)
        return Rewrite(text, index)

    def _complete_plugin_reply(self, text: str) -> Iterator[Event]:
        """A plugin has written straight to the visitor; its text may be the only answer (§15).

        Where an answer of the agent begins like it, the two are one.
        """
        if any(plugin.text == text for plugin in self._plugin_replies):
            return
        open_replies = [reply for reply in self._open.values() if reply.index is not None]
        replies = (*self._whole_replies, *open_replies)
        match = next((reply for reply in replies if reply.has_begun_like(text)), None)
        if match in open_replies and match not in self._stored_replies:
            # What is being written may become just that, or more, or something else.
            self._waiting_texts.append(text)
            return
        plugin = match or _Reply()
        so_far = plugin.text
        if plugin in self._stored_replies:
            self._open = {key: reply for key, reply in self._open.items() if reply is not plugin}
        if len(text) > len(so_far):
            plugin.parts = [text]
            yield Delta(text[len(so_far) :], self._index_of(plugin))
        if match not in self._whole_replies:
            self._plugin_replies.append(plugin)

    def _begin_tool(self, message_id: str, content: str) -> ToolStep:
        call = json_object(content) or {}
        name = str(call.get("name") or call.get("api_name") or call.get("plugin_name") or "tool")
        self._tools.append((message_id, name))
        return ToolStep(message_id, name, "running", input=_json_text(call.get("arguments")))

    def _end_tool(self, message_id: str, content: str) -> ToolStep:
        """Responses name no call; they come in the order of the calls."""
        step_id, name = self._tools.popleft() if self._tools else (message_id, "tool")
        output = (json_object(content) or {}).get("response_for_model")
        return ToolStep(step_id, name, "done", output=_json_text(output) or content)


def _rest_of_thoughts(reply: _Reply, known_text: str, thoughts: str) -> Iterator[Thought]:
    so_far = "".join(reply.thoughts)
    if known_text and not so_far:
        # An earlier reader has had them: thoughts come before words.
        return
    if len(thoughts) > len(so_far) and thoughts.startswith(so_far):
        yield Thought(thoughts[len(so_far) :])


def _is_answer(message: Fields) -> bool:
    return message.get("type") == "answer" and (message.get("role") or "assistant") == "assistant"


def _is_text(message: Fields) -> bool:
    """Whether a content is words: newer kinds of them have other names than `text`."""
    return str(message.get("content_type") or "text").lower() in _TEXT_TYPES


def _is_beginning(text: str, whole: str, or_same: bool = False) -> bool:
    """Whether a text is only the beginning of this whole one, or the same if that counts."""
    text, whole = without_half(text), without_half(whole)
    return whole.startswith(text) and (or_same or len(text) < len(whole))


def _plugin_text(content: str) -> str:
    """What a streaming plugin has written, from its verbose message (§15); empty for others."""
    payload = json_object(content) or {}
    if payload.get("msg_type") != "stream_plugin_finish":
        return ""
    data = payload.get("data")
    data = json_value(data) if isinstance(data, str) else data
    return content_text(fields(data).get("tool_output_content"))


@dataclass(frozen=True, slots=True)
class MessageContent:
    """What a message of type answer holds. `text` is Markdown."""

    text: str = ""
    media: tuple[Media, ...] = ()
    suggestions: tuple[str, ...] = ()


def readable(message: Fields) -> MessageContent:
    """The content of an answer, by its type."""
    content = content_text(message.get("content"))
    if _is_text(message):
        return MessageContent(content)
    match message.get("content_type"):
        case "card":
            card = read_card(content)
            media = tuple(Media("image", url) for url in card.pictures)
            return MessageContent(card.markdown, media, tuple(card.options))
        case "object_string":
            return _parts_of(content)
        case _:
            return MessageContent()


def _parts_of(content: str) -> MessageContent:
    """The texts and files of an `object_string`: a list of parts, or one part alone."""
    value = json_value(content)
    if not isinstance(value, list | dict):
        return MessageContent(content)
    parts = [part for part in (value if isinstance(value, list) else [value]) if fields(part)]
    texts = [str(part["text"]) for part in parts if part.get("text")]
    media: list[Media] = []
    for part in parts:
        if url := address(part.get("file_url")):
            kind = part.get("type")
            media.append(Media(kind if kind in ("image", "audio") else "file", url))
    return MessageContent("\n\n".join(texts), tuple(media))


def _citations(kind: str, content: str) -> Iterator[Citation]:
    """The sources of a `knowledge` message (text) or of a verbose `knowledge_recall` (JSON)."""
    if kind == "knowledge":
        yield from _recalled_slices(content)
        return
    payload = json_object(content) or {}
    if payload.get("msg_type") != "knowledge_recall":
        return
    recall = payload.get("data")
    recall = json_value(recall) if isinstance(recall, str) else recall
    chunks = recall.get("chunks") if isinstance(recall, dict) else recall
    for chunk in items(chunks):
        if isinstance(chunk, dict):
            yield _citation(chunk)


def _citation(chunk: Fields) -> Citation:
    meta = fields(chunk.get("meta"))
    places = [fields(meta.get(name)) for name in ("link", "document", "dataset")]
    titles = [str(place.get("title") or place.get("name") or "") for place in places]
    urls = [str(place.get("url") or "") for place in places]
    return Citation(
        next(filter(None, titles), ""),
        next((url for url in urls if url.startswith("http")), None),
        _json_text(chunk.get("slice") or chunk.get("content")),
    )


def _recalled_slices(content: str) -> Iterator[Citation]:
    pieces = _SLICE.split(content)
    for title, text in zip(pieces[1::2], pieces[2::2], strict=True):
        yield Citation(title, text=text.strip(" -\n"))
    if len(pieces) == 1 and content.strip():
        yield Citation("", text=content.strip())


def _json_text(value: Any) -> str | None:
    """A text as it is, anything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def status_of(chat: Fields) -> str:
    """The status of a chat object, in one spelling."""
    status = str(chat.get("status") or "")
    return SYNONYMS.get(status, status)


def usage_of(chat: Fields) -> Iterator[Usage]:
    """The tokens used, by either spelling; nothing when they were not counted."""
    usage = fields(chat.get("usage"))
    input_tokens = _first_number(usage, "input_count", "input_tokens")
    output_tokens = _first_number(usage, "output_count", "output_tokens")
    total = _first_number(usage, "token_count")
    if total or input_tokens or output_tokens:
        yield Usage(input_tokens, output_tokens, total or input_tokens + output_tokens)


def _first_number(usage: Fields, *names: str) -> int:
    values = [usage.get(name) for name in names]
    return next((value for value in values if isinstance(value, int) and value > 0), 0)


def tool_calls(chat: Fields) -> list[Fields]:
    """The calls that a chat with `requires_action` waits for."""
    outputs = fields(fields(chat.get("required_action")).get("submit_tool_outputs"))
    return [call for call in items(outputs.get("tool_calls")) if isinstance(call, dict)]


def describe_action(chat: Fields) -> str:
    """The names of those calls, for the log."""
    functions = [call.get("function") for call in tool_calls(chat)]
    names = [str(function.get("name")) for function in functions if isinstance(function, dict)]
    return "asks for the result of " + (", ".join(names) or "a step of its own")


def about(bot: Fields) -> About:
    """A bot object's introduction of the agent (§5); its onboarding keys come in two spellings."""
    onboarding = fields(bot.get("onboarding_info"))
    prologue = _trimmed(onboarding.get("prologue") or onboarding.get("Prologue"))
    questions = onboarding.get("suggested_questions") or onboarding.get("SuggestedQuestions")
    suggestions = [_trimmed(question)[:QUESTION_LENGTH] for question in items(questions)]
    return About(
        name=_trimmed(bot.get("name"))[:NAME_LENGTH],
        description=_trimmed(bot.get("description"))[:DESCRIPTION_LENGTH],
        # Visitors have no name here.
        prologue=prologue.replace("{{user_name}}", "")[:PROLOGUE_LENGTH],
        suggestions=tuple(filter(None, suggestions))[:QUESTIONS],
        icon=_trimmed(bot.get("icon_url")),
    )


def _trimmed(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
