"""How an answer came: when which kind of event, and how much of it, without a word of its text."""

from typing import Any

from providers.events import Event

# Entries of one answer, each some twenty characters in the database.
MOST = 200
# Events of a kind that follow so closely are one entry.
GAP_S = 0.25


class Timeline:
    """The events of one answer as [seconds, kind, characters], the oldest first.

    `seconds` count from the question. When there are too many entries, each stands for events of
    twice as long; when they still are too many, as kinds take turns, the last entry counts the
    rest.
    """

    def __init__(self) -> None:
        self.entries: list[list[Any]] = []
        self._gap_s = GAP_S

    def note(self, event: Event, seconds: float) -> None:
        """Adds an event that came so many seconds after the question."""
        kind = type(event).__name__.lower()
        size = len(getattr(event, "text", None) or "")
        if self._add(self.entries, round(seconds, 2), kind, size):
            return
        while len(self.entries) == MOST and self._gap_s < 1000:
            self._gap_s *= 2
            self._merge()
        if not self._add(self.entries, round(seconds, 2), kind, size):
            last = self.entries[-1]
            last[1:] = ["more", last[2] + size]

    def _add(self, entries: list[list[Any]], seconds: float, kind: str, size: int) -> bool:
        """Whether there was an entry of this kind just now, or room for another."""
        last = entries[-1] if entries else None
        if last and last[1] == kind and seconds - last[0] < self._gap_s:
            last[2] += size
            return True
        if len(entries) < MOST:
            entries.append([seconds, kind, size])
            return True
        return False

    def _merge(self) -> None:
        merged: list[list[Any]] = []
        for entry in self.entries:
            self._add(merged, *entry)
        self.entries = merged
