"""The answer so far: events go in, its content comes out."""

import time
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from chat.legible import legible
from chat.storage import Answer
from chat.storage.content import Content
from providers.events import (
    Accepted,
    Citation,
    Delta,
    Event,
    Media,
    Rewrite,
    Status,
    Suggestion,
    Thought,
    ToolStep,
    Usage,
)


@dataclass
class PartialAnswer:
    """An answer in the making. Text is a list of pieces, so that adding to it costs nothing.

    `is_resumed` says that an earlier process began it. `spoke_at` is when its first words came, by
    time.monotonic(). `size` is in characters, of replies and thoughts.
    """

    thread: str | None = None
    chat: str | None = None
    trace: str | None = None
    size: int = 0
    spoke_at: float | None = None
    is_resumed: bool = False
    is_dirty: bool = False
    saved_at: float = field(default_factory=time.monotonic)
    _replies: list[list[str]] = field(default_factory=list)
    _thoughts: list[str] = field(default_factory=list)
    _tools: dict[str, dict[str, Any]] = field(default_factory=dict)
    # Everything but what the three above hold.
    _rest: Content = field(default_factory=Content)

    @classmethod
    def of(cls, answer: Answer) -> "PartialAnswer":
        """A stored answer, to go on with."""
        content = Content.of(answer)
        return cls(
            thread=answer.thread,
            chat=answer.chat,
            trace=answer.trace,
            is_resumed=True,
            size=len(content.thoughts) + sum(map(len, content.replies)),
            _replies=[[text] for text in content.replies],
            _thoughts=[content.thoughts] if content.thoughts else [],
            _tools={step["id"]: step for step in content.tools},
            _rest=_copy(content),
        )

    def apply(self, event: Event) -> None:
        """Adds an event. A repeated picture, source or suggestion counts once."""
        self.is_dirty = self.is_dirty or not isinstance(event, Accepted | Status)
        match event:
            case Delta(text, reply):
                self._reply(reply).append(text)
                self.size += len(text)
            case Rewrite(text, reply):
                self.size += len(text) - self.length(reply)
                self._reply(reply)[:] = [text]
            case Thought(text, seconds):
                self._thoughts.append(text)
                self.size += len(text)
                self._rest.thought_s = seconds or self._rest.thought_s
            case ToolStep(id=step):
                values = {name: value for name, value in asdict(event).items() if value is not None}
                self._tools[step] = {**self._tools.get(step, {}), **values}
            case Media():
                _add(self._rest.media, asdict(event))
            case Citation():
                _add(self._rest.citations, asdict(event))
            case Suggestion(text):
                _add(self._rest.suggestions, text)
            case Usage():
                self._rest.usage = asdict(event)
            case Accepted(conversation, chat, trace):
                self.thread = conversation or self.thread
                self.chat = chat or self.chat
                self.trace = trace or self.trace

    @property
    def content(self) -> Content:
        """The content so far."""
        return replace(
            _copy(self._rest),
            replies=list(self.replies),
            thoughts="".join(self._thoughts),
            tools=list(self._tools.values()),
        )

    @property
    def replies(self) -> tuple[str, ...]:
        return tuple("".join(pieces) for pieces in self._replies)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show as an answer."""
        has_words = any(piece.strip() for pieces in self._replies for piece in pieces)
        return not has_words and not self._rest.media

    def count(self, kind: type[Event]) -> int:
        """How many steps, media, sources or suggestions there are."""
        return len(
            {
                ToolStep: self._tools,
                Media: self._rest.media,
                Citation: self._rest.citations,
                Suggestion: self._rest.suggestions,
            }[kind]
        )

    def has_step(self, step: str) -> bool:
        return step in self._tools

    def length(self, reply: int) -> int:
        """The characters of a reply so far."""
        return sum(map(len, self._replies[reply])) if reply < len(self._replies) else 0

    def columns(self) -> dict[str, Any]:
        """The columns of a stored answer that come from its events."""
        ids = {"thread": self.thread, "chat": self.chat, "trace": self.trace}
        return {**self.content.columns(), **ids}

    def _reply(self, number: int) -> list[str]:
        while len(self._replies) <= number:
            self.spoke_at = self.spoke_at or time.monotonic()
            self._replies.append([])
        return self._replies[number]


def events_of(content: Content, anew: bool = False) -> list[Event]:
    """The fewest events that make this content.

    `anew`: for a reader who has some of the text already. Replies come as rewrites then, and
    thoughts, which cannot be rewritten, not at all.
    """
    speak = Rewrite if anew else Delta
    has_thoughts = content.thoughts and not anew
    thoughts = [Thought(content.thoughts, content.thought_s)] if has_thoughts else []
    return [
        *thoughts,
        *(ToolStep(**step) for step in content.tools),
        *(speak(text, number) for number, text in enumerate(content.replies)),
        *(Media(**medium) for medium in content.media),
        *(Citation(**citation) for citation in content.citations),
        *(Suggestion(text) for text in content.suggestions),
        *([Usage(**content.usage)] if content.usage else []),
    ]


def make_legible(event: Event) -> Event:
    """The event with legible texts only."""
    changes: dict[str, Any] = {}
    for slot in fields(event):
        value = getattr(event, slot.name)
        if isinstance(value, str) and (text := legible(value)) != value:
            changes[slot.name] = text
    return replace(event, **changes) if changes else event


def _add(items: list[Any], item: Any) -> None:
    if item not in items:
        items.append(item)


def _copy(content: Content) -> Content:
    """The same with lists of its own."""
    return replace(
        content,
        media=list(content.media),
        citations=list(content.citations),
        suggestions=list(content.suggestions),
    )
