"""The events of an answer with stars in place of banned words, also of those cut by events."""

from dataclasses import fields, replace
from typing import Any

from chat.answers.banned_words import BannedWords, GrowingMask
from providers.events import Citation, Delta, Event, Rewrite, Suggestion, Thought, ToolStep


class EventMask:
    """Masks the events of one answer. What might become a word is held back until it is none."""

    def __init__(self, words: BannedWords) -> None:
        self._words = words
        self._replies: dict[int, GrowingMask] = {}
        self._thoughts = GrowingMask(words)
        self._has_masked = False

    @property
    def has_masked(self) -> bool:
        """Whether a word has been masked."""
        growing = [self._thoughts, *self._replies.values()]
        return self._has_masked or any(mask.has_masked for mask in growing)

    def apply(self, event: Event) -> list[Event]:
        """What can be shown of an event, and what others have held back until it came."""
        match event:
            case Delta(text, reply):
                shown = self._mask(reply).add(text)
                return [
                    *self._end_thoughts(),
                    *([Delta(shown, reply)] if shown or not text else []),
                ]
            case Rewrite(text, reply):
                former = self._replies.pop(reply, None)
                self._has_masked = self._has_masked or (former is not None and former.has_masked)
                return [*self._end_thoughts(), Rewrite(self._mask(reply).add(text), reply)]
            case Thought(text, seconds):
                shown = self._thoughts.add(text)
                return [Thought(shown, seconds)] if shown or seconds else []
            case ToolStep() | Citation() | Suggestion():
                return [self._mask_whole(event)]
        return [event]

    def end(self) -> list[Event]:
        """What was held back: nothing more is to come."""
        rests = [Delta(mask.end(), reply) for reply, mask in self._replies.items()]
        return [*self._end_thoughts(), *(rest for rest in rests if rest.text)]

    def _end_thoughts(self) -> list[Event]:
        text = self._thoughts.end()
        return [Thought(text)] if text else []

    def _mask(self, reply: int) -> GrowingMask:
        return self._replies.setdefault(reply, GrowingMask(self._words))

    def _mask_whole(self, event: Event) -> Event:
        """An event that comes at once, with each of its texts masked; its names stay."""
        changes: dict[str, Any] = {}
        for slot in fields(event):
            text = getattr(event, slot.name)
            if slot.name in ("input", "output", "title", "text") and text:
                masked = self._words.mask(text)
                if masked != text:
                    changes[slot.name] = masked
        self._has_masked = self._has_masked or bool(changes)
        return replace(event, **changes) if changes else event
