"""How much of an answer is taken: a platform that never ends must not fill memory or a page."""

from dataclasses import fields, replace
from typing import Any, TypeVar

from chat.answers.partial import PartialAnswer
from providers.events import Citation, Delta, Event, Media, Rewrite, Suggestion, Thought, ToolStep

REPLIES = 100
# Besides one for each character.
OTHER_EVENTS = 20_000
# Rewrites may repeat so many times the longest answer.
REWRITES = 20
# A longer address leads nowhere.
ADDRESS_CHARS = 8000
NUMBER: dict[type[Any], int] = {ToolStep: 200, Media: 100, Citation: 200, Suggestion: 20}
CHARS = {"id": 500, "name": 200, "input": 20_000, "output": 20_000, "title": 500, "text": 5000}
Beside = TypeVar("Beside", ToolStep, Citation, Suggestion)


class Bounds:
    """What of each event still has room in a partial answer.

    `most` is in characters, of replies and thoughts together.
    """

    def __init__(self, partial: PartialAnswer, most: int) -> None:
        self.are_reached = False
        self.partial = partial
        self._most = most
        self._events = self._chars = 0

    def cut_to_bounds(self, event: Event) -> list[Event]:
        """The event, as much of it as has room, or none.

        Text beyond the bounds ends the answer; steps, media, sources and suggestions beyond theirs
        are left out.
        """
        self._events += 1
        if self._events > self._most + OTHER_EVENTS:
            self.are_reached = True
        if self.are_reached:
            return []
        match event:
            case Delta() | Rewrite() | Thought():
                return self._cut_text(event)
            case ToolStep(id=step):
                is_known = self.partial.has_step(step)
                return [_shortened(event)] if is_known or self._has_room(event) else []
            case Media(url=url):
                fits = len(url) <= ADDRESS_CHARS and self._has_room(event)
                return [event] if fits else []
            case Citation(url=url):
                fits = len(url or "") <= ADDRESS_CHARS and self._has_room(event)
                return [_shortened(event)] if fits else []
            case Suggestion():
                return [_shortened(event)] if self._has_room(event) else []
        return [event]

    def _has_room(self, event: Event) -> bool:
        return self.partial.count(type(event)) < NUMBER[type(event)]

    def _cut_text(self, event: Delta | Rewrite | Thought) -> list[Event]:
        room = self._most - self.partial.size
        if isinstance(event, Rewrite):
            room += self.partial.length(event.reply)
        self._chars += len(event.text)
        is_too_much = self._chars > REWRITES * self._most
        if not isinstance(event, Thought) and event.reply >= REPLIES:
            is_too_much = True
        self.are_reached = is_too_much or len(event.text) > room
        return [] if is_too_much else [replace(event, text=event.text[: max(0, room)])]


def _shortened(event: Beside) -> Beside:
    """The event with its long texts cut."""
    shortened: dict[str, Any] = {}
    for slot in fields(event):
        most = CHARS.get(slot.name)
        text = getattr(event, slot.name) or ""
        if most and len(text) > most:
            shortened[slot.name] = text[:most]
    return replace(event, **shortened) if shortened else event
