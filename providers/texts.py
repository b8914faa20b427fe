"""What every platform's text needs before it is an answer: whole characters, thoughts set apart.

A platform may cut an emoji into halves over two events, as JSON does with `\\ud83d` and `\\ude00`,
and models write their thoughts as `<think>…</think>` into the text (platforms/coze.md §15,
yuanqi.md).
"""

import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

from providers.events import Delta, Done, Event, Rewrite, Thought

# The last pair is that of Kimi's models.
OPENINGS = ("<think>", "<thinking>", "◁think▷")
CLOSINGS = ("</think>", "</thinking>", "◁/think▷")
_LONGEST_TAG = max(map(len, CLOSINGS))
_SURROGATE = re.compile("[\ud800-\udfff]")
_TAG = re.compile("</?think(?:ing)?>|◁/?think▷", re.IGNORECASE)
_REPLACEMENT = "\ufffd"
# Beyond so many tags in one reply it is a text about tags, and looking for code would be slow.
MOST_TAGS = 40


def join_halves(text: str) -> str:
    """A text whose surrogate pairs are characters; halves without their other half stay."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def without_half(text: str) -> str:
    """A text without the half of a character at its end: what a longer text can begin with."""
    text = join_halves(text)
    while text and (text[-1] == _REPLACEMENT or "\ud800" <= text[-1] <= "\udfff"):
        text = text[:-1]
    return text


def tidy(events: Iterator[Event], stored: Sequence[str] = ()) -> Iterator[Event]:
    """The events of an answer with whole characters, and with every thought as a Thought.

    What waits for its other half or for the end of a tag is yielded before Done, and before an
    exception passes. `stored` are the words of replies that an earlier reader has had.
    """
    replies = {number: _Reply(number, words) for number, words in enumerate(stored)}
    thought = _Halves()
    try:
        for event in events:
            match event:
                case Delta():
                    yield from _reply(replies, event.reply).add(event.text)
                case Rewrite():
                    yield from _reply(replies, event.reply).rewrite(event.text)
                case Thought():
                    if text := thought.add(event.text):
                        yield replace(event, text=text)
                case Done():
                    yield from _rests(replies)
                    yield event
                case _:
                    yield event
    except Exception:
        yield from _rests(replies)
        raise
    finally:
        # A reader that leaves has to reach the platform's connection at once.
        if isinstance(events, Generator):
            events.close()


def _reply(replies: "dict[int, _Reply]", number: int) -> "_Reply":
    reply = replies.get(number)
    if reply is None:
        reply = replies[number] = _Reply(number)
    return reply


def _rests(replies: "dict[int, _Reply]") -> Iterator[Event]:
    for reply in replies.values():
        yield from reply.end()


class _Halves:
    """Joins text that comes in pieces, so that no piece ends in half a character."""

    def __init__(self) -> None:
        self._half = ""

    def add(self, piece: str) -> str:
        """The text that is whole with this piece."""
        if not self._half and piece.isascii():
            return piece
        text, self._half = join_halves(self._half + piece), ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return text


class _Reply:
    """The text of one reply as it comes, parted into thoughts and words."""

    def __init__(self, number: int, stored: str = "") -> None:
        self._number = number
        self._reset()
        self._words += [stored] if stored else []
        # Thoughts come before words: whoever had those had these.
        self._has_earlier_thoughts = bool(stored)

    def _reset(self) -> None:
        self._halves = _Halves()
        self._rest = ""
        self._is_thinking = False
        self._has_thought = False
        self._words: list[str] = []
        self._tags = 0

    def add(self, piece: str) -> Iterator[Event]:
        """The events of one more piece of text."""
        text = self._rest + self._halves.add(piece)
        self._rest = ""
        while (tag := self._next_tag(text)) is not None:
            before, text = text[: tag.start()], text[tag.end() :]
            is_opening = tag[0].lower() in OPENINGS
            if self._is_thinking or is_opening:
                # Blank lines before the first thought are no words.
                if self._words or self._is_thinking or before.strip():
                    yield from self._say(before)
                self._is_thinking = is_opening
            else:
                yield from self._turn_into_thought(before)
            self._has_thought = True
        end = _start_of_tag(text) if self._expects_tags else len(text)
        if not text[:end].strip() and not (self._words or self._is_thinking):
            # Blank lines may come before a thought as well, and are no words then.
            end = 0
        self._rest = text[end:]
        yield from self._say(text[:end])

    def rewrite(self, text: str) -> Iterator[Event]:
        """The events of another text in place of all before."""
        had_thought = self._has_thought or self._has_earlier_thoughts
        self._reset()
        events = list(self.add(text))
        words = [event.text for event in events if isinstance(event, Delta)]
        # First the rewrite: an answer has bounds, and what is both words and thought counts twice.
        yield Rewrite("".join(words), self._number)
        if not had_thought:
            yield from (event for event in events if isinstance(event, Thought))

    def end(self) -> Iterator[Event]:
        """The events of what was waiting for more; a half that stayed alone is nothing."""
        rest, self._rest = self._rest, ""
        yield from self._say(rest)

    def _next_tag(self, text: str) -> re.Match[str] | None:
        """The next tag that is not quoted as code."""
        if ("<" not in text and "◁" not in text) or not self._expects_tags:
            return None
        for tag in _TAG.finditer(text):
            self._tags += 1
            if self._is_thinking or not self._is_code(text[: tag.start()]):
                return tag
            if not self._expects_tags:
                break
        return None

    @property
    def _expects_tags(self) -> bool:
        return self._is_thinking or self._tags < MOST_TAGS

    def _is_code(self, before: str) -> bool:
        """Whether what follows `before` stands between backticks."""
        words = "".join(self._words)
        self._words = [words] if words else []
        text = words + before
        line = text.rpartition("\n")[2]
        return text.count("```") % 2 == 1 or line.replace("```", "").count("`") % 2 == 1

    def _say(self, text: str) -> Iterator[Event]:
        if self._has_thought and not self._is_thinking and not self._words:
            # Models put blank lines between thoughts and answer.
            text = text.lstrip()
        if not text:
            return
        if self._is_thinking:
            yield Thought(text)
        else:
            self._words.append(text)
            yield Delta(text, self._number)

    def _turn_into_thought(self, before: str) -> Iterator[Event]:
        """After a closing tag alone: all before it was a thought, whose opening the model was given
        in its prompt. After a thought with both its tags it is a slip, and only the tag goes.
        """
        if self._has_thought:
            yield from self._say(before)
            return
        text = "".join(self._words)
        self._words = []
        if text:
            # Before the thought: an answer has bounds, and what is in both counts twice.
            yield Rewrite("", self._number)
        if (text + before).strip():
            yield Thought(text + before)


def _start_of_tag(text: str) -> int:
    """Where the beginning of a tag stands at the end of a text; the text's length without one."""
    earliest = max(0, len(text) - _LONGEST_TAG + 1)
    start = max(text.rfind("<", earliest), text.rfind("◁", earliest))
    tail = text[start:].lower() if start >= 0 else "-"
    return start if any(tag.startswith(tail) for tag in (*OPENINGS, *CLOSINGS)) else len(text)
