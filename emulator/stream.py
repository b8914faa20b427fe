"""How an answer travels: frames, waits and breaks in the order the magic words ask for."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, cycle

from emulator.words import MagicWords


@dataclass(frozen=True)
class Wait:
    """Seconds in which nothing is sent."""

    seconds: float


@dataclass(frozen=True)
class Cut:
    """Here the connection dies."""


Step = bytes | Wait | Cut

_FIELD = re.compile(rb"^([a-z]+):( ?)", re.MULTILINE)


def answer_steps(
    words: MagicWords,
    opening: Sequence[bytes],
    pieces: Sequence[bytes],
    closing: Sequence[bytes],
    *,
    gap_s: float = 0.0,
    silence_s: float = 3600.0,
    middle: Sequence[bytes] = (),
    instead: Sequence[bytes] | None = None,
) -> Iterator[Step]:
    """One answer as steps: frames that open it, its pieces with a gap between them, frames that
    close it.

    `middle` goes between the first half of the pieces and the second (!strange); `instead`, when
    given, replaces the second half and the close (!late-error). Obeys !slow !silent !pause
    !endless !short !cut."""
    yield from opening
    if words.has("silent"):
        yield Wait(silence_s)
        return
    if words.has("slow"):
        yield Wait(words.number("slow", 3.0))
    half = (len(pieces) + 1) // 2
    yield from _with_gaps(pieces[:half], gap_s)
    yield from middle
    if words.has("pause"):
        yield Wait(words.number("pause", 3.0))
    if words.has("endless"):
        yield from _with_gaps(cycle(pieces), max(gap_s, 0.02))
    if words.has("cut"):
        yield from _cut_in_character(chain(pieces[half:], closing))
    elif words.has("short"):
        return
    elif instead is not None:
        yield from instead
    else:
        yield from _with_gaps(pieces[half:], gap_s)
        yield from closing


def reframe(steps: Iterable[Step], words: MagicWords, *, is_sse: bool = True) -> Iterator[Step]:
    """The same steps in the framing that the words of frames ask for, such as !crlf or !chop."""
    steps = (
        _reframe_one(step, words, is_sse) if isinstance(step, bytes) else step for step in steps
    )
    if words.has("bom"):
        steps = chain([b"\xef\xbb\xbf"], steps)
    if words.has("chop"):
        return _bytewise(steps)
    return _in_one_packet(steps) if words.has("burst") else iter(steps)


def seconds_of(steps: Iterable[Step]) -> float:
    """How long these steps take."""
    return sum(step.seconds for step in steps if isinstance(step, Wait))


def _with_gaps(frames: Iterable[bytes], gap_s: float) -> Iterator[Step]:
    for frame in frames:
        if gap_s:
            yield Wait(gap_s)
        yield frame


def _cut_in_character(frames: Iterable[bytes]) -> Iterator[Step]:
    """Whole frames up to one with a character of several bytes, and of that one the start."""
    for frame in frames:
        at = next((index for index, byte in enumerate(frame) if byte >= 0xC0), None)
        if at is not None:
            yield frame[: at + 1]
            break
        yield frame
    yield Cut()


def _reframe_one(frame: bytes, words: MagicWords, is_sse: bool) -> bytes:
    if is_sse and words.has("space"):
        # The other legal form: platforms that send a space after the colon now leave it out.
        frame = _FIELD.sub(lambda match: match[1] + (b":" if match[2] else b": "), frame)
    if is_sse and words.has("comment"):
        frame = b": this is a comment\n\n" + frame
    if is_sse and words.has("tight"):
        frame = frame.replace(b"\n\n", b"\n")
    if is_sse and words.has("heartbeat"):
        frame = b"data:\n\n" + frame
    if words.has("cr"):
        return frame.replace(b"\n", b"\r")
    return frame.replace(b"\n", b"\r\n") if words.has("crlf") else frame


def _bytewise(steps: Iterable[Step]) -> Iterator[Step]:
    for step in steps:
        if isinstance(step, bytes):
            yield from (step[index : index + 1] for index in range(len(step)))
        else:
            yield step


def _in_one_packet(steps: Iterable[Step]) -> Iterator[Step]:
    packet = b""
    for step in steps:
        if isinstance(step, bytes):
            packet += step
        elif isinstance(step, Cut):
            yield packet
            yield step
            return
    yield packet
