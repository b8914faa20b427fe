"""An answer as server-sent events: live or stored, from any position, with heartbeats."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from chat.answers.live import Entry, Failed, Finished, LiveAnswer, RemoteAnswer
from chat.answers.partial import events_of
from chat.page.rendering import GrowingMarkdown
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
QUIET_S = 10.0
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
# A page needs no more than twenty frames a second.
FRAME_S = 0.05

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


class EventWriter:
    """Writes the events of one answer for one reader.

    `opening` is the data of the `turn` event. `position` is what the reader has (Last-Event-ID), 0
    for nothing. With `is_page` the text comes as `html` events, rendered here while it grows.
    `sentence` is a failure in the reader's language. `picture` gives the address at which a page
    finds a picture.
    """

    def __init__(
        self,
        opening: dict[str, str],
        position: int,
        is_page: bool,
        sentence: Callable[[Failed], str],
        picture: Callable[[str], str | None] | None = None,
    ) -> None:
        self._opening = opening
        self._position = position
        self._sentence = sentence
        self._picture = picture if is_page else None
        self._markdown = GrowingMarkdown(picture, opening["message_id"]) if is_page else None
        # The replies that were begun, for a reader of an earlier log.
        self._begun_replies: set[int] | None = None
        self._sent_position = position
        self._is_opened = False

    def reopen(self) -> "EventWriter":
        """A writer for the same reader when the log was lost: it goes on from another log."""
        is_page = self._markdown is not None
        writer = EventWriter(
            self._opening, self._sent_position, is_page, self._sentence, self._picture
        )
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
        drawn_at = 0.0
        if 0 < self._position <= live.start:
            self._begun_replies = set()
        for batch in live.follow(quiet_s=QUIET_S):
            chunk = self._write(batch)
            yield chunk or HEARTBEAT
            if self._markdown is not None:
                time.sleep(max(0.0, drawn_at + FRAME_S - time.monotonic()))
                drawn_at = time.monotonic()

    def stored(self, answer: Answer) -> Iterator[bytes]:
        """Yields an answer that has ended, in as few events as possible.

        A reader with a part of the text gets all of it again: the positions of the live log no
        longer hold.
        """
        yield self._opened() or HEARTBEAT
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
        latest = 0
        for position, entry in batch:
            is_last = isinstance(entry, Finished | Failed)
            latest = position
            if self._markdown is not None:
                self._feed(self._markdown, entry)
                if is_last:
                    chunks.append(self._drawn(position - 1, last=True))
            if position > self._position:
                chunks.append(self._encode(position, self._for_new_log(entry)))
        if latest and self._markdown is not None and not is_last:
            chunks.append(self._drawn(latest, last=False))
        self._sent_position = max(self._sent_position, latest)
        return b"".join(chunks)

    def _for_new_log(self, entry: Entry) -> Entry | None:
        """The entry for a reader of an earlier log: replies begin anew, without thoughts."""
        if self._begun_replies is None:
            return entry
        if isinstance(entry, Thought):
            return None
        if not isinstance(entry, Delta) or entry.reply in self._begun_replies:
            return entry
        self._begun_replies.add(entry.reply)
        return Rewrite(entry.text, entry.reply)

    def _feed(self, markdown: GrowingMarkdown, entry: Entry) -> None:
        match entry:
            case Delta(text, reply):
                markdown.feed(text, reply)
            case Rewrite(text, reply):
                markdown.rewrite(text, reply)

    def _drawn(self, position: int, last: bool) -> bytes:
        changes = self._markdown.changes(last) if self._markdown is not None else None
        if changes is None:
            return b""
        return _event(
            max(position, self._position), "html", {"from": changes[0], "blocks": changes[1]}
        )

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
