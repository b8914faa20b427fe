"""How much of an answer is taken: a platform that never ends must not fill this site's memory or a page."""

from dataclasses import fields, replace
from typing import Any, TypeVar

from chat.answers.partial import PartialAnswer
from providers.events import Citation, Delta, Event, Media, Rewrite, Suggestion, Thought, ToolStep

REPLIES = 100
OTHER_EVENTS = 20_000  # besides one for each character
TOLD_SHARE = 20  # what is said again by rewrites: so many times the longest answer
ADDRESS_CHARS = 8000  # a longer address leads nowhere
NUMBER: dict[type[Any], int] = {ToolStep: 200, Media: 100, Citation: 200, Suggestion: 20}
CHARS = {"id": 500, "name": 200, "input": 20_000, "output": 20_000, "title": 500, "text": 5000}
Beside = TypeVar("Beside", ToolStep, Citation, Suggestion)


class Bounds:
    """What of each event still has room in a growing answer. `most` is in characters, of replies and thoughts."""

    def __init__(self, partial: PartialAnswer, most: int) -> None:
        self.are_reached = False
        self._partial = partial
        self._most = most
        self._events = self._told = 0

    def within(self, event: Event) -> list[Event]:
        """The event, as much of it as has room, or none. Text beyond the bounds ends the answer; steps,
        media, sources and suggestions beyond theirs are left out.
        """
        self._events += 1
        if self._events > self._most + OTHER_EVENTS:
            self.are_reached = True
        if self.are_reached:
            return []
        match event:
            case Delta() | Rewrite() | Thought():
                return self._worded(event)
            case ToolStep(id=step):
                is_known = self._partial.has_step(step)
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
        return self._partial.count(type(event)) < NUMBER[type(event)]

    def _worded(self, event: Delta | Rewrite | Thought) -> list[Event]:
        reply = None if isinstance(event, Thought) else event.reply
        room = self._most - self._partial.size
        if isinstance(event, Rewrite):
            room += self._partial.length(event.reply)
        self._told += len(event.text)
        is_too_much = self._told > TOLD_SHARE * self._most or (
            reply is not None and reply >= REPLIES
        )
        self.are_reached = is_too_much or len(event.text) > room
        return [] if is_too_much else [replace(event, text=event.text[: max(0, room)])]


def _shortened(event: Beside) -> Beside:
    """The event with its long texts cut."""
    long: dict[str, Any] = {
        one.name: value[:most]
        for one in fields(event)
        if (most := CHARS.get(one.name)) and len(value := getattr(event, one.name) or "") > most
    }
    return replace(event, **long) if long else event
