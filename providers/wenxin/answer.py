"""What Wenxin sends while it answers, as our events (platforms/wenxin.md §4 to §6)."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from providers.events import Accepted, Citation, Delta, Event, Media, Rewrite, ToolStep
from providers.payloads import (
    Fields,
    address,
    content_text,
    fields,
    is_true,
    items,
    one_or_many,
    text,
)

_TEXTS = ("markdown", "md", "txt", "text")
_STATES: dict[object, Literal["running", "done", "failed"]] = {
    "ing": "running",
    "start": "running",
    "finish": "done",
    "error": "failed",
}


@dataclass
class _Section:
    """A part of the text that the platform may replace as a whole."""

    ids: set[str] = field(default_factory=set)
    pieces: list[str] = field(default_factory=list)
    has_ended: bool = False


class WenxinReader:
    """One answer as it grows.

    `has_content`: it holds text or a picture. `has_yielded`: anything at all was yielded but ids.
    `is_over`: the platform has ended it, by endTurn.
    """

    def __init__(self) -> None:
        self.has_content = self.has_yielded = self.is_over = self.is_moderated = False
        self.thread: str | None = None
        self._accepted = Accepted()
        self._sections: list[_Section] = []
        self._last_character = ""
        self._steps: dict[str, ToolStep] = {}
        self._step_count = 0
        self._pictures: set[str] = set()
        self._sources: set[object] = set()

    def apply(self, packet: Fields) -> Iterator[Event]:
        """One packet of `conversation`, which has a level more than `getAnswer`."""
        data = fields(packet.get("data"))
        # Without that level it is getAnswer's own form.
        message = fields(data.get("message")) or data
        yield from self._ids(packet, message)
        for item in map(fields, one_or_many(message.get("content"))):
            yield from self._mark_yielded(self._item(item))
        yield from self._mark_yielded(self._sides(message))
        self.is_over = (
            self.is_over or is_true(message.get("endTurn")) or is_true(data.get("endTurn"))
        )

    def apply_whole(self, payload: Fields) -> Iterator[Event]:
        """The body of `getAnswer`: each of its items is what one section is on the stream."""
        answer = fields(payload.get("data"))
        yield from self._ids(payload, answer)
        for item in map(fields, one_or_many(answer.get("content"))):
            yield from self._mark_yielded(self._item({**item, "isFinished": True}))
        yield from self._mark_yielded(self._sides(answer))
        self.is_over = True

    @property
    def may_be_whole(self) -> bool:
        """Whether the last section of the text has ended: a stream that closes here may have said
        all (§ Additions).
        """
        return bool(self._sections) and self._sections[-1].has_ended

    def apply_decision(self, payload: Fields) -> Iterator[Event]:
        """The body of `getAnswer`, asked because nothing told whether the stream had said all.

        What was shown stands where that begins with it, or is only its beginning. A body without
        text or picture decides nothing.
        """
        decision = WenxinReader()
        list(decision.apply_whole(payload))
        if not decision.has_content:
            return
        self.is_over = True
        answer = fields(payload.get("data"))
        yield from self._ids(payload, answer)
        so_far, whole = self._text_so_far, decision._text_so_far
        if not so_far.rstrip().startswith(whole.rstrip()):
            is_more = whole.startswith(so_far)
            yield Delta(whole[len(so_far) :]) if is_more else Rewrite(whole)
        for item in map(fields, one_or_many(answer.get("content"))):
            is_text = text(item.get("dataType")).lower() in _TEXTS
            yield from self._sides(item) if is_text else self._item(item)
        yield from self._sides(answer)

    @property
    def _text_so_far(self) -> str:
        return _joined("".join(section.pieces) for section in self._sections)

    def end(self, state: Literal["done", "failed"] = "done") -> Iterator[Event]:
        """`state` is how a tool still at work has ended."""
        for key, step in self._steps.items():
            if step.state == "running":
                self._steps[key] = replace(step, state=state)
                yield self._steps[key]

    def _mark_yielded(self, events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            self.has_yielded = True
            yield event

    def _ids(self, packet: Fields, message: Fields) -> Iterator[Event]:
        before = self._accepted
        accepted = Accepted(
            text(message.get("threadId")) or before.conversation,
            text(message.get("msgId")) or before.chat,
            text(packet.get("logid")) or before.trace,
        )
        if accepted != before:
            self._accepted, self.thread = accepted, accepted.conversation
            yield accepted

    def _item(self, item: Fields) -> Iterator[Event]:
        kind, data = text(item.get("dataType")).lower(), item.get("data")
        yield from self._sides(item)
        if kind in _TEXTS:
            yield from self._text(item, data)
            if is_true(item.get("isFinished")) and self._sections:
                self._sections[-1].has_ended = True
        elif kind == "uidata":
            yield from self._show_pictures(fields(data))

    def _text(self, item: Fields, data: Any) -> Iterator[Event]:
        """`data` is a text in getAnswer, an object on the stream, and sometimes the other way
        round."""
        inner = fields(data)
        piece = content_text(data)
        self.is_moderated = self.is_moderated or is_true(inner.get("isIntervene"))
        section_id = text(item.get("sectionId"))
        if inner.get("showType") == "replace" and self._last_character:
            yield self._replace_section(section_id, piece)
        elif piece:
            yield self._append(section_id, piece)

    def _append(self, section_id: str, piece: str) -> Event:
        section = self._section(section_id)
        pause = "" if section.pieces or self._last_character in ("", "\n") else "\n\n"
        section.pieces.append(piece)
        self._last_character = piece[-1]
        self.has_content = True
        return Delta(pause + piece)

    def _replace_section(self, section_id: str, piece: str) -> Event:
        """Puts `piece` in place of the section of this id, or of the last one while that has not
        ended."""
        same = [section for section in self._sections if section_id and section_id in section.ids]
        first = same[0] if same else self._section(section_id)
        for section in same:
            section.pieces = []
        first.pieces = [piece] if piece else []
        whole = self._text_so_far
        self._last_character = whole[-1:]
        return Rewrite(whole)

    def _section(self, section_id: str) -> _Section:
        """The section that goes on, or a new section after one that was ended.

        An id alone begins none: it may be another one at each packet (§ Additions).
        """
        last = self._sections[-1] if self._sections else None
        if last is None or last.has_ended:
            last = _Section()
            self._sections.append(last)
        if section_id:
            last.ids.add(section_id)
        return last

    def _sides(self, holder: Fields) -> Iterator[Event]:
        """Sources and progress, which stand on the message or on an item."""
        for source in map(fields, items(holder.get("referenceList"))):
            url = address(source.get("url"))
            title = text(source.get("text")) or text(source.get("title")) or url
            if title and (url or title) not in self._sources:
                self._sources.add(url or title)
                yield Citation(title, url)
        progress = fields(holder.get("progress"))
        for tool in map(fields, items(progress.get("toolsStatus"))):
            yield from self._step(text(progress.get("stepId")), tool)

    def _step(self, step_id: str, tool: Fields) -> Iterator[Event]:
        name = text(tool.get("toolName")) or text(tool.get("actionName"))
        state = _STATES.get(text(tool.get("status")))
        if not name or state is None:
            return
        key = f"{step_id}/{name}"
        step = self._steps.get(key)
        if step is None or (step.state != "running" and state == "running"):
            self._step_count += 1
            title = text(tool.get("title")) or text(tool.get("actionName")) or name
            step_input = text(tool.get("description")) or text(tool.get("actionContent")) or None
            step = ToolStep(f"step-{self._step_count}", title, "running", step_input)
            self._steps[key] = step
            yield step
        if state != step.state:
            self._steps[key] = replace(step, state=state)
            yield self._steps[key]

    def _show_pictures(self, card: Fields) -> Iterator[Event]:
        for picture in [card.get("image_url"), *items(card.get("img"))]:
            parts = fields(picture)
            url = address(picture) or address(parts.get("image_url")) or address(parts.get("url"))
            if url and url not in self._pictures:
                self._pictures.add(url)
                self.has_content = True
                yield Media("image", url)


def _joined(sections: Iterator[str]) -> str:
    """A blank line between two sections, unless the former ends with a line's end."""
    whole = ""
    for section in sections:
        if section:
            whole += ("" if not whole or whole.endswith("\n") else "\n\n") + section
    return whole
