"""The HTML of live answers, drawn once a step for all the readers of an answer in this process."""

import threading
import time
from collections.abc import Callable, Iterable
from weakref import WeakValueDictionary

from chat.page.rendering import GrowingMarkdown
from providers.events import Delta, Rewrite

# A page needs no more than twenty frames a second.
FRAME_S = 0.05

Picture = Callable[[str], str | None]


class LiveDrawing:
    """One live answer as it is drawn.

    Positions are those of the live answer, whose entries every reader reads from the first on.
    `position` is the last entry that `blocks` show.
    """

    def __init__(self, picture: Picture | None = None, scope: str = "") -> None:
        self._markdown = GrowingMarkdown(picture, scope)
        self._lock = threading.Lock()
        self._applied = 0
        self._drawn_at = 0.0
        self.position = 0
        self.blocks: list[str] = []

    def apply(self, batch: Iterable[tuple[int, object]]) -> None:
        """Takes what no other reader has brought before."""
        with self._lock:
            for position, entry in batch:
                if position <= self._applied:
                    continue
                self._applied = position
                if isinstance(entry, Delta):
                    self._markdown.feed(entry.text, entry.reply)
                elif isinstance(entry, Rewrite):
                    self._markdown.rewrite(entry.text, entry.reply)

    def draw(self, last: bool = False) -> list[str]:
        """All blocks; they may lag behind until a frame has passed, except for the last ones."""
        with self._lock:
            is_frame_over = time.monotonic() - self._drawn_at >= FRAME_S
            if last or (is_frame_over and self.position < self._applied):
                if self._markdown.changes(last) is not None:
                    self.blocks = self._markdown.blocks()
                if not self._markdown.is_behind():
                    self.position = self._applied
                self._drawn_at = time.monotonic()
            return self.blocks


class EndedDrawing:
    """The blocks of an answer that has ended."""

    def __init__(self, blocks: list[str]) -> None:
        self._blocks = blocks

    def apply(self, batch: Iterable[tuple[int, object]]) -> None:
        """Takes nothing: all of it is drawn."""

    def draw(self, last: bool = False) -> list[str]:
        """All blocks."""
        return self._blocks


class LiveDrawings:
    """The drawings that have a reader."""

    def __init__(self) -> None:
        self._drawings: WeakValueDictionary[tuple[str, int], LiveDrawing] = WeakValueDictionary()
        self._lock = threading.Lock()

    def of(self, message_id: str, start: int, picture: Picture | None) -> LiveDrawing:
        """The drawing of the live answer that begins at position `start`."""
        with self._lock:
            drawing = self._drawings.get((message_id, start))
            if drawing is None:
                drawing = LiveDrawing(picture, message_id)
                self._drawings[message_id, start] = drawing
            return drawing
