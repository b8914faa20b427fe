"""An answer as server-sent events: live or stored, from any position, with heartbeats."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chat.answers.live import Entry, Failed, Finished, LiveAnswer, RemoteAnswer
from chat.answers.partial import events_of
from chat.page.drawings import FRAME_S, EndedDrawing, LiveDrawing, LiveDrawings
from chat.page.rendering import first_difference
from chat.storage import Answer
from chat.storage.content import Content
from providers.events import (
    Citation,
    Delta,
    Media,
    Rewrite,
    Status,
    Suggestion,
    Thought,
    ToolStep,
    Usage,
)

HEARTBEAT = b": keep-alive\n\n"
# The contract says a comment every 15 s at least; proxies cut what is silent for 30 or 60.
QUIET_S = 10.0
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
# So many frames a reader waits for the HTML of what it has, before it reads on.
FRAMES = 4

NAMES: dict[type[Any], str] = {
    Delta: "delta",
    Rewrite: "replace",
    Thought: "thought",
    ToolStep: "tool",
    Media: "media",
    Citation: "citation",
    Suggestion: "suggestion",
    Usage: "usage",
    Status: "status",
    Finished: "done",
}


@dataclass(frozen=True)
class PageReader:
    """What a page gets beyond a program: the text as `html` events, drawn once for all readers in
    `drawings`; pictures at the address that `picture` gives; `details` of the answer at its end.
    """

    drawings: LiveDrawings
    details: Callable[[], dict[str, Any]]
    picture: Callable[[str], str | None] | None = None


class EventWriter:
    """Writes the events of one answer for one reader.

    `opening` is the data of the `turn` event. `position` is what the reader has (Last-Event-ID), 0
    for nothing. `sentence` is a failure in the reader's language.
    """

    def __init__(
        self,
        opening: dict[str, str],
        position: int,
        sentence: Callable[[Failed], str],
        page: PageReader | None = None,
    ) -> None:
        self._opening = opening
        self._position = position
        self._sentence = sentence
        self._page = page
        self._picture = page.picture if page else None
        self._drawing: LiveDrawing | EndedDrawing | None = None
        # The HTML that the reader has.
        self._blocks: list[str] = []
        # The replies that were begun, for a reader of an earlier live answer.
        self._begun_replies: set[int] | None = None
        self._sent_position = position
        self._is_opened = False

    def reopen(self) -> "EventWriter":
        """A writer for the same reader when the live answer was lost: it goes on from another."""
        writer = EventWriter(self._opening, self._sent_position, self._sentence, self._page)
        writer._is_opened = self._is_opened
        return writer

    def failed(self, code: str) -> bytes:
        """The last event of an answer that can no longer be followed."""
        return self._opened() + self._encode(self._sent_position + 1, Failed(code))

    def live(self, live: LiveAnswer | RemoteAnswer) -> Iterator[bytes]:
        """Yields the events of a running answer as they come, several at once to a slow reader.

        Raises Lost.
        """
        yield HEARTBEAT + self._opened()
        if 0 < self._position <= live.start:
            self._begun_replies = set()
        if self._page is not None:
            message_id = self._opening["message_id"]
            drawing = self._page.drawings.of(message_id, live.start, self._picture)
            self._drawing = drawing
        for batch in live.follow(quiet_s=QUIET_S):
            yield self._write(batch) or HEARTBEAT
            if self._page is not None and not _is_end(batch):
                yield from self._wait_for_html(drawing)

    def stored(self, answer: Answer, blocks: Callable[[], list[str]]) -> Iterator[bytes]:
        """Yields an answer that has ended, in as few events as possible; a page gets its `blocks`.

        A reader with a part of the text gets all of it again: the positions of the live answer
        no longer hold.
        """
        yield self._opened() or HEARTBEAT
        if self._page is not None:
            self._drawing = EndedDrawing(blocks())
        entries: list[Entry] = [
            *events_of(Content.of(answer), anew=self._position > 0),
            ending(answer),
        ]
        yield self._write(list(enumerate(entries, self._position + 1)))

    def _opened(self) -> bytes:
        if self._is_opened:
            return b""
        self._is_opened = True
        return _event(self._position, "turn", self._opening)

    def _write(self, batch: list[tuple[int, Entry]]) -> bytes:
        chunks = []
        if self._drawing is not None:
            self._drawing.apply(batch)
        for position, entry in batch:
            if isinstance(entry, Finished | Failed):
                chunks.append(self._html(position - 1, last=True))
                chunks.append(self._details(position - 1))
            if position > self._position:
                chunks.append(self._encode(position, self._for_new_live_answer(entry)))
            self._sent_position = max(self._sent_position, position)
        if batch and not _is_end(batch):
            chunks.append(self._html(batch[-1][0]))
        return b"".join(chunks)

    def _wait_for_html(self, drawing: LiveDrawing) -> Iterator[bytes]:
        """Yields the HTML of what was sent when its frame has come."""
        for _ in range(FRAMES):
            time.sleep(FRAME_S)
            if chunk := self._html(self._sent_position):
                yield chunk
            if drawing.position >= self._sent_position:
                return

    def _for_new_live_answer(self, entry: Entry) -> Entry | None:
        """The entry for a reader of an earlier live answer: replies anew, without thoughts."""
        if self._begun_replies is None:
            return entry
        if isinstance(entry, Thought):
            return None
        if not isinstance(entry, Delta) or entry.reply in self._begun_replies:
            return entry
        self._begun_replies.add(entry.reply)
        return Rewrite(entry.text, entry.reply)

    def _html(self, position: int, last: bool = False) -> bytes:
        """The blocks that the reader has not, or has otherwise."""
        if self._drawing is None:
            return b""
        before, self._blocks = self._blocks, self._drawing.draw(last)
        changed_from = first_difference(before, self._blocks)
        if changed_from is None:
            return b""
        html = {"from": changed_from, "blocks": self._blocks[changed_from:]}
        return _event(max(position, self._position), "html", html)

    def _details(self, position: int) -> bytes:
        if self._page is None:
            return b""
        return _event(max(position, self._position), "details", self._page.details())

    def _encode(self, position: int, entry: Entry | None) -> bytes:
        if isinstance(entry, Failed):
            sentence = self._sentence(entry)
            payload = error_payload(sentence, entry.code, entry.retry_after, entry.id)
            return _event(position, "error", payload)
        name = NAMES.get(type(entry))
        if entry is None or name is None:
            return b""
        fields = ((key, getattr(entry, key)) for key in entry.__slots__)
        data = {key: value for key, value in fields if value is not None}
        if isinstance(entry, Media) and self._picture is not None:
            data |= picture_field(data, self._picture)
        return _event(position, name, data)


def _is_end(batch: list[tuple[int, Entry]]) -> bool:
    return bool(batch) and isinstance(batch[-1][1], Finished | Failed)


def picture_field(
    medium: Mapping[str, Any], picture: Callable[[str], str | None]
) -> dict[str, str]:
    """{"picture": address} for an image that the page may show, else {}."""
    address = picture(medium["url"]) if medium["kind"] == "image" else None
    return {"picture": address} if address else {}


def ending(answer: Answer) -> Finished | Failed:
    """How a stored answer ended."""
    if answer.state in ("done", "stopped"):
        return Finished(answer.finish_reason or "stop", tuple(answer.replies))
    return Failed(answer.code or "unavailable")


def error_payload(
    sentence: str, code: str, retry_after: float | None = None, number: str | None = None
) -> dict[str, Any]:
    """The one shape of an error.

    It has a sentence for the person, a reason for the program, and the request's number for the
    owner.
    """
    payload = {"error": sentence, "code": code, "retry_after": retry_after, "id": number}
    return {name: value for name, value in payload.items() if value is not None}


def _event(position: int, name: str, data: dict[str, Any]) -> bytes:
    return f"id: {position}\nevent: {name}\ndata: {_JSON.encode(data)}\n\n".encode()
