"""What an answer holds so far: events go in, what is stored and shown comes out."""

import re
import time
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from chat.storage import Answer
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

_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass
class Draft:
    """An answer in the making. Text is kept in pieces, so that adding to a long answer costs nothing."""

    thread: str | None = None
    thought_s: float | None = None
    chat: str | None = None
    trace: str | None = None
    size: int = 0
    spoke_at: float | None = None  # when its first words came, by time.monotonic()
    is_dirty: bool = False
    saved_at: float = field(default_factory=time.monotonic)
    _replies: list[list[str]] = field(default_factory=list)
    _thoughts: list[str] = field(default_factory=list)
    _tools: dict[str, dict[str, Any]] = field(default_factory=dict)
    media: list[dict[str, Any]] = field(default_factory=list)
    citations: list[dict[str, Any]] = field(default_factory=list)
    suggestions: list[str] = field(default_factory=list)
    usage: dict[str, int] | None = None

    def take(self, event: Event) -> None:
        """Adds what an event says. A repeated picture, source or suggestion counts once."""
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
                self.thought_s = seconds or self.thought_s
            case ToolStep(id=step):
                known = {name: value for name, value in asdict(event).items() if value is not None}
                self._tools[step] = {**self._tools.get(step, {}), **known}
            case Media():
                _add(self.media, asdict(event))
            case Citation():
                _add(self.citations, asdict(event))
            case Suggestion(text):
                _add(self.suggestions, text)
            case Usage():
                self.usage = asdict(event)
            case Accepted(conversation, chat, trace):
                self.thread = conversation or self.thread
                self.chat = chat or self.chat
                self.trace = trace or self.trace

    @classmethod
    def of(cls, answer: Answer) -> "Draft":
        """What a stored answer holds."""
        draft = cls(answer.thread, answer.thought_s, answer.chat, answer.trace)
        draft._replies = [[text] for text in answer.replies]
        draft._thoughts = [answer.thoughts] if answer.thoughts else []
        draft._tools = {step["id"]: step for step in answer.tools}
        draft.media = list(answer.media)
        draft.citations = list(answer.citations)
        draft.suggestions = list(answer.suggestions)
        draft.usage = answer.usage
        draft.size = len(answer.thoughts) + sum(map(len, answer.replies))
        return draft

    def events(self, anew: bool = False) -> list[Event]:
        """The fewest events that say the same. `anew`: to somebody who has heard some of the text already."""
        say = Rewrite if anew else Delta
        thoughts = [Thought(self.thoughts, self.thought_s)] if self.thoughts and not anew else []
        return [
            *thoughts,
            *(ToolStep(**step) for step in self.tools),
            *(say(text, number) for number, text in enumerate(self.replies)),
            *(Media(**one) for one in self.media),
            *(Citation(**one) for one in self.citations),
            *(Suggestion(text) for text in self.suggestions),
            *([Usage(**self.usage)] if self.usage else []),
        ]

    @property
    def says_something(self) -> bool:
        """Whether there is anything to show as an answer."""
        return bool(self.media) or any(
            piece.strip() for pieces in self._replies for piece in pieces
        )

    @property
    def replies(self) -> tuple[str, ...]:
        return tuple("".join(pieces) for pieces in self._replies)

    @property
    def thoughts(self) -> str:
        return "".join(self._thoughts)

    @property
    def tools(self) -> list[dict[str, Any]]:
        return list(self._tools.values())

    @property
    def steps(self) -> int:
        """How many tools have been at work."""
        return len(self._tools)

    def has_step(self, step: str) -> bool:
        return step in self._tools

    def length(self, reply: int) -> int:
        """The characters of a reply so far."""
        return sum(map(len, self._replies[reply])) if reply < len(self._replies) else 0

    def columns(self) -> dict[str, Any]:
        """The columns of a stored answer that come from its events."""
        return {
            "replies": list(self.replies),
            "thoughts": self.thoughts,
            "thought_s": self.thought_s,
            "tools": self.tools,
            "media": list(self.media),
            "citations": list(self.citations),
            "suggestions": list(self.suggestions),
            "usage": self.usage,
            "thread": self.thread,
            "chat": self.chat,
            "trace": self.trace,
        }

    def _reply(self, number: int) -> list[str]:
        while len(self._replies) <= number:
            self.spoke_at = self.spoke_at or time.monotonic()
            self._replies.append([])
        return self._replies[number]


def legible(event: Event) -> Event:
    """The event without characters that can be neither stored nor sent: NUL, and halves of a pair."""
    broken = {
        one.name: _UNWRITABLE.sub("\ufffd", value)
        for one in fields(event)
        if isinstance(value := getattr(event, one.name), str) and _UNWRITABLE.search(value)
    }
    return replace(event, **broken) if broken else event  # type: ignore[arg-type]


def _add(items: list[Any], item: Any) -> None:
    if item not in items:
        items.append(item)
