"""From Coze's messages to our events (platforms/coze.md §1.4, §1.5, §2.2)."""

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from providers.events import Citation, Delta, Event, Media, Rewrite, Suggestion, Thought, ToolStep

_SLICE = re.compile(r"^-*\s*(recall slice \d+)\s*[:：]", re.IGNORECASE | re.MULTILINE)


@dataclass(slots=True)
class _Reply:
    """One message of type answer, as far as it has been told. `index` is set with its first words."""

    index: int | None = None
    parts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)


class Reading:
    """What has been told of one answer, so that nothing is told twice and nothing is left out."""

    def __init__(self, said: tuple[str, ...] = ()) -> None:
        self._replies = len(said)
        self._open: dict[str, _Reply] = {}
        self._finished: set[str] = set()
        self._unplaced = deque(_Reply(index, [text]) for index, text in enumerate(said))
        self._tools: deque[tuple[str, str]] = deque()
        self._is_continued = any(said)

    @property
    def has_answer(self) -> bool:
        return self._replies > 0

    @property
    def is_whole(self) -> bool:
        """Whether every message that was begun has been completed."""
        return not self._open

    def delta(self, message: dict[str, Any]) -> Iterable[Event]:
        """The events of a fragment. Fragments of JSON (cards, files) wait for their completed message."""
        if message.get("type") != "answer":
            return ()
        reply = self._reply(str(message.get("id") or ""))
        if reply is None:
            return ()
        thought, text = message.get("reasoning_content"), message.get("content")
        if not isinstance(thought, str):
            thought = ""
        if isinstance(text, str) and text and message.get("content_type", "text") == "text":
            if reply.index is None:
                self._number(reply)
            reply.parts.append(text)
            if not thought:
                return (Delta(text, reply.index or 0),)
            reply.thoughts.append(thought)
            return (Thought(thought), Delta(text, reply.index or 0))
        if thought:
            reply.thoughts.append(thought)
            return (Thought(thought),)
        return ()

    def completed(self, message: dict[str, Any]) -> Iterator[Event]:
        """The events of a whole message, less what its fragments have told. Unknown types have none."""
        id = str(message.get("id") or "")
        if id in self._finished:
            return
        if id:
            self._finished.add(id)
        kind, content = message.get("type"), str(message.get("content") or "")
        if kind == "answer" and message.get("role", "assistant") == "assistant":
            yield from self._answer(id, message)
        elif kind == "follow_up":
            if content.strip():
                yield Suggestion(content.strip())
        elif kind == "function_call":
            yield self._tool_begins(id, content)
        elif kind in ("tool_response", "tool_output"):
            yield self._tool_ends(id, content)
        elif kind in ("knowledge", "verbose") and not self._is_continued:
            yield from _citations(kind, content)

    def record(self, messages: list[dict[str, Any]]) -> Iterator[Event]:
        """The events of the platform's own record of the chat, less what has been told already."""
        listed = {str(message.get("id") or "") for message in messages}
        for id in [id for id in self._open if id not in listed]:
            self._unplaced.append(self._open.pop(id))
        for message in messages:
            yield from self.completed(message)

    def _reply(self, id: str) -> _Reply | None:
        reply = self._open.get(id)
        if reply is None and id not in self._finished:
            reply = self._open[id] = _Reply()
        return reply

    def _number(self, reply: _Reply) -> None:
        reply.index = self._replies
        self._replies += 1

    def _answer(self, id: str, message: dict[str, Any]) -> Iterator[Event]:
        reply = self._open.pop(id, None) or (
            self._unplaced.popleft() if self._unplaced else _Reply()
        )
        told = "".join(reply.parts)
        text, media = readable(message)
        yield from self._rest_of_thoughts(reply, told, str(message.get("reasoning_content") or ""))
        yield from media
        if not text or text == told:
            return
        if reply.index is None:
            self._number(reply)
        index = reply.index or 0
        if text.startswith(told):
            yield Delta(text[len(told) :], index)
        else:
            yield Rewrite(text, index)

    def _rest_of_thoughts(self, reply: _Reply, told: str, whole: str) -> Iterator[Event]:
        known = "".join(reply.thoughts)
        if told and not known:
            return  # an earlier reader has had them: thoughts come before words
        if len(whole) > len(known) and whole.startswith(known):
            yield Thought(whole[len(known) :])

    def _tool_begins(self, id: str, content: str) -> ToolStep:
        call = _object(content)
        name = str(call.get("name") or call.get("api_name") or call.get("plugin_name") or "tool")
        self._tools.append((id, name))
        return ToolStep(id, name, "running", input=_text_of(call.get("arguments")))

    def _tool_ends(self, id: str, content: str) -> ToolStep:
        """Answers name no call; they come in the order of the calls."""
        id, name = self._tools.popleft() if self._tools else (id, "tool")
        output = _object(content).get("response_for_model")
        return ToolStep(id, name, "done", output=_text_of(output) or content)


def readable(message: dict[str, Any]) -> tuple[str, list[Media]]:
    """The text of an answer as Markdown, and what it brings besides."""
    content = str(message.get("content") or "")
    match message.get("content_type") or "text":
        case "text":
            return content, []
        case "card":
            return _card_text(content), []
        case "object_string":
            return _parts_of(content)
        case _:
            return "", []


def _parts_of(content: str) -> tuple[str, list[Media]]:
    items = _json(content)
    if not isinstance(items, list | dict):
        return content, []
    texts, media = [], []
    for item in items if isinstance(items, list) else [items]:
        if not isinstance(item, dict):
            continue
        if item.get("text"):
            texts.append(str(item["text"]))
        url = str(item.get("file_url") or "")
        if url.startswith(("https://", "http://")):
            kind = item.get("type")
            media.append(Media(kind if kind in ("image", "audio") else "file", url))
    return "\n\n".join(texts), media


def _card_text(content: str) -> str:
    """Cards are drawn by Coze's own pages; what a reader can use of one is its words."""
    card = _json(content)
    if card is None:
        return content
    words = [word for word in _words(card) if not word.startswith(("http://", "https://"))]
    return "\n\n".join(dict.fromkeys(words)) or "[卡片 / card]"


_CARD_WORDS = {"text", "title", "content", "description", "label", "subtitle", "question", "name"}


def _words(node: Any, key: str = "", depth: int = 0) -> Iterator[str]:
    if depth > 32:
        return
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _words(value, str(name), depth + 1)
    elif isinstance(node, list):
        for value in node:
            yield from _words(value, key, depth + 1)
    elif isinstance(node, str) and node.strip():
        inner = _json(node) if node.lstrip()[:1] in ("{", "[") else None
        if isinstance(inner, dict | list):
            yield from _words(inner, key, depth + 1)
        elif key in _CARD_WORDS:
            yield node.strip()


def _citations(kind: str, content: str) -> Iterator[Citation]:
    if kind == "knowledge":
        yield from _slices(content)
        return
    told = _object(content)
    if told.get("msg_type") != "knowledge_recall":
        return
    recalled = told.get("data")
    recalled = _json(recalled) if isinstance(recalled, str) else recalled
    chunks = recalled.get("chunks") if isinstance(recalled, dict) else recalled
    for chunk in chunks if isinstance(chunks, list) else []:
        if isinstance(chunk, dict):
            yield _citation(chunk)


def _citation(chunk: dict[str, Any]) -> Citation:
    meta = chunk.get("meta") if isinstance(chunk.get("meta"), dict) else {}
    places = [meta.get(name) for name in ("link", "document", "dataset")] if meta else []
    named = [place for place in places if isinstance(place, dict)]
    title = next(
        (str(p.get("title") or p.get("name")) for p in named if p.get("title") or p.get("name")), ""
    )
    url = next((str(p["url"]) for p in named if str(p.get("url", "")).startswith("http")), None)
    return Citation(title, url, _text_of(chunk.get("slice") or chunk.get("content")))


def _slices(content: str) -> Iterator[Citation]:
    pieces = _SLICE.split(content)
    for title, text in zip(pieces[1::2], pieces[2::2], strict=True):
        yield Citation(title, text=text.strip(" -\n"))
    if len(pieces) == 1 and content.strip():
        yield Citation("", text=content.strip())


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _object(text: str) -> dict[str, Any]:
    found = _json(text)
    return found if isinstance(found, dict) else {}


def _text_of(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
