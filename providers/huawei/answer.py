"""Reading what Huawei's engine says (platforms/huawei.md §5): by shape, under any framing, each
word once."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from providers.errors import EmptyAnswer, NotConfigured
from providers.events import Accepted, Delta, Done, Event, Media, ToolStep
from providers.huawei.codes import NO_CREDENTIALS
from providers.payloads import (
    Fields,
    address,
    content_text,
    error_object,
    fields,
    has_failed,
    items,
    objects_of,
    text,
)

NAME = "huawei"
# A text of so many characters that begins the next piece is a repetition.
CUMULATIVE = 20
# An agent answers so when its model provider has no credentials (§8, trap 1).
APOLOGY = "很抱歉，我的系统似乎遇到了一些故障问题，暂时无法为您提供服务"
APOLOGY_TAIL = 20
# A code of our own for it.

MediaKind = Literal["image", "video", "audio", "file"]
KINDS: dict[str, MediaKind] = {
    **{word: "video" for word in ("video", "mp4", "mov", "webm")},
    **{word: "audio" for word in ("audio", "mp3", "wav", "m4a")},
}


# Where an object may hold the ones that count: `data` as documented, or another envelope.
_ENVELOPES = ("data", "message", "result", "output", "delta")
_DEPTH = 4


def failed_part(payload: Fields) -> Fields | None:
    """The part of an object that tells of a failure, if any does; it may come with success as the
    status."""
    parts = list(_parts(payload))
    for part in parts:
        if has_failed(part.get("error_code")):
            return part
    if any(_telling_parts(payload)):
        return None
    return next(filter(error_object, parts), None)


def _parts(part: Fields, depth: int = 0) -> Iterator[Fields]:
    """An object and all that it holds, outermost first."""
    yield part
    for inner_part in _inner_parts(part) if depth < _DEPTH else ():
        yield from _parts(inner_part, depth + 1)


def _inner_parts(part: Fields) -> Iterator[Fields]:
    """The objects in the envelopes of another one."""
    for name in _ENVELOPES:
        if value := part.get(name):
            yield from objects_of(value)


def _telling_parts(part: Fields, depth: int = 0) -> Iterator[Fields]:
    """The parts of an object that are pieces of the answer or steps, wherever they stand.

    An envelope's own status says nothing of what it holds.
    """
    if _is_piece(part):
        yield part
        return
    inner = list(_inner_parts(part)) if depth < _DEPTH else []
    telling = [one for inner_part in inner for one in _telling_parts(inner_part, depth + 1)]
    if telling:
        yield from telling
    elif _is_step(part) and (depth or part.get("id")):
        # An envelope may have a name and a type of its own, but no `id`.
        yield part


def _is_step(part: Fields) -> bool:
    has_begun = bool(part.get("name") and part.get("type"))
    return has_begun or bool(text(part.get("status")) and (part.get("id") or part.get("name")))


def _is_piece(part: Fields) -> bool:
    return bool(part.get("content") or part.get("url") or part.get("raw"))


@dataclass
class _Reply:
    """The text of one `data.id`: its place among the replies and its pieces."""

    number: int
    pieces: list[str] = field(default_factory=list)
    size: int = 0

    def add(self, piece: str) -> None:
        self.pieces.append(piece)
        self.size += len(piece)

    def is_whole_in(self, piece: str) -> bool:
        """Whether a piece begins with the whole text so far; cheap for the usual short one."""
        return 0 < self.size <= len(piece) and piece.startswith("".join(self.pieces))


class HuaweiReader:
    """One answer as it comes: pieces in groups, steps, media.

    Repetitions are left out. What may be the apology is not yielded until it turns out to be none.
    """

    def __init__(self, conversation: str | None) -> None:
        self.trace: str | None = None
        self._conversation = conversation
        self._is_accepted = False
        self._replies: dict[str, _Reply] = {}
        self._all = _Reply(0)
        self._echo: tuple[str, str] | None = None
        self._opening: list[Delta] | None = []
        self._has_text = False
        self._media: set[str] = set()
        self._raw: list[str] = []
        self._steps: dict[str, ToolStep] = {}

    def apply(self, payload: Fields) -> Iterator[Event]:
        """The events of one object, told apart by the shape of its data: the names of types are
        unknown."""
        self.trace = self.trace or text(payload.get("request_id")) or None
        if not self._is_accepted:
            self._is_accepted = True
            yield Accepted(conversation=self._conversation, trace=self.trace)
        if raw_text := _raw_text(payload):
            self._raw.append(raw_text)
        for part in _telling_parts(payload):
            key, status = text(part.get("id")), text(part.get("status"))
            if _is_piece(part):
                yield from self._piece(key, part)
            elif status:
                yield self._ended_step(key, part, status)
            else:
                name = text(part["name"])
                self._steps[key or name] = ToolStep(key or name, name, "running")
                yield self._steps[key or name]

    def close_step(self, state: Literal["done", "failed"]) -> Iterator[Event]:
        """The text not yet yielded, and an end for the steps whose result never came."""
        opening, self._opening = self._opening or [], None
        yield from opening
        for step in self._steps.values():
            if step.state == "running":
                yield replace(step, state=state)

    def end(self) -> Iterator[Event]:
        """How it went. Raises NotConfigured for the apology and EmptyAnswer when nothing came."""
        if not self._has_text and (raw_text := "".join(self._raw)):
            yield from self._say(Delta(raw_text))
        if self._opening and _joined(self._opening).startswith(APOLOGY):
            raise NotConfigured(
                "the agent apologises: its model has no credentials",
                provider=NAME,
                code=NO_CREDENTIALS,
                trace=self.trace,
            )
        yield from self.close_step("done")
        if not self._has_text and not self._media:
            raise EmptyAnswer("came without text", provider=NAME, trace=self.trace)
        yield Done()

    def _piece(self, key: str, part: Fields) -> Iterator[Event]:
        if piece := content_text(part.get("content")):
            yield from self._add_new(key, piece)
        elif not self._has_text:
            self._raw.append(_raw_text(part.get("raw")))
        for kind, url in _addresses(part.get("url")):
            if url not in self._media:
                self._media.add(url)
                yield Media(kind, url)

    def _add_new(self, key: str, piece: str) -> Iterator[Delta]:
        """What is new in a piece: the last one may repeat all that was said, as with sibling
        products."""
        if self._echo:
            echo, self._echo = self._echo, None
            yield from self._add(*echo)
        reply = self._replies.get(key)
        before = reply or self._all
        if before.is_whole_in(piece):
            is_repetition = len(piece) == before.size
            if before.size > CUMULATIVE and (reply or is_repetition):
                piece = piece[before.size :]
            elif is_repetition and len(before.pieces) > 1:
                # Too short to be sure: as the last piece it is a repetition, else the agent says it
                # again.
                self._echo = (key, piece)
                return
        yield from self._add(key, piece)

    def _add(self, key: str, piece: str) -> Iterator[Delta]:
        if piece:
            reply = self._replies.setdefault(key, _Reply(len(self._replies)))
            reply.add(piece)
            self._all.add(piece)
            yield from self._say(Delta(piece, reply.number))

    def _say(self, delta: Delta) -> Iterator[Delta]:
        """The text, unless it may still turn out to be the apology."""
        self._has_text = self._has_text or bool(delta.text.strip())
        if self._opening is None:
            yield delta
            return
        self._opening.append(delta)
        opened = _joined(self._opening)
        is_apology = opened.startswith(APOLOGY) and len(opened) <= len(APOLOGY) + APOLOGY_TAIL
        if not is_apology and not APOLOGY.startswith(opened):
            opening, self._opening = self._opening, None
            yield from opening

    def _ended_step(self, key: str, part: Fields, status: str) -> ToolStep:
        earlier = self._steps.get(key)
        name = text(part.get("name")) or (earlier.name if earlier else "")
        state: Literal["done", "failed"] = "done" if status.lower() == "success" else "failed"
        step = ToolStep(
            key or name,
            name,
            state,
            _json_text(part.get("request")),
            _json_text(part.get("response")),
        )
        self._steps[step.id] = step
        return step


def _joined(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas).lstrip()


def _json_text(value: Any) -> str | None:
    """What went into a step or came out of it, as text; None when nothing did."""
    if not value:
        return None
    try:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return None


def _raw_text(raw: Any) -> str:
    """The text in the model's own words, in the layout of OpenAI."""
    choices = items(fields(raw).get("choices"))
    first = fields(choices[0]) if choices else {}
    return text(fields(first.get("delta") or first.get("message")).get("content"))


def _addresses(value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[MediaKind, str]]:
    """Each web address in a value of unknown layout; its ending or its name says its kind."""
    if url := address(value):
        suffix = url.partition("?")[0].rpartition(".")[2].lower()
        by_name: MediaKind = next(
            (kind for word, kind in KINDS.items() if word in name.lower()), "image"
        )
        yield KINDS.get(suffix, by_name), url
    elif depth < 5 and isinstance(value, list):
        for inner in value:
            yield from _addresses(inner, name, depth + 1)
    elif depth < 5 and isinstance(value, dict):
        for key, inner in value.items():
            yield from _addresses(inner, key, depth + 1)
