"""Safe HTML of an answer, whole or growing: cut into blocks, drawn by page/markdown.py, cleaned."""

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import nh3

from chat.legible import legible
from chat.offload import beside_others
from chat.page.budget import MAX_REPLY_CHARS, MIN_HTML_CHARS, Budget, TooMuch
from chat.page.markdown import draw_block, plain, read_blocks

# What is stored of drawn answers is drawn anew when this changes: add one with every change of
# what any text looks like.
VERSION = 6

# A growing block up to _SMALL characters is drawn at every step. A larger one is drawn after a
# pause, which is longer for a block beyond _LARGE, and for one that took long to draw: no growing
# answer takes more than a tenth of the processor.
_SMALL = 1_000
_LARGE = 20_000
_PAUSE_S = 0.2
_PAUSE_PER_COST = 9
# More text than this is drawn in a thread: it takes more than about ten milliseconds.
_MUCH = 3_000

# The last, unfinished line may still become a list, a rule, a fence, a table or a heading.
_UNDECIDED = "-=+*_#>|`~:"
# So may one that opens a block of code: of `py` in ```py it is not known whether it is all of the
# language. What is longer names no language.
_OPENING_FENCE = re.compile(r"(?:[ \t>]|[-+*] |\d{1,9}[.)] )*(?:`{3,}[^`]{0,100}|~{3,}.{0,100})")
_REPLY_BREAK = '<hr class="reply">\n'

_MATH_TAGS = set(
    "math mrow mi mn mo ms mtext mspace mstyle merror mpadded mphantom mfrac msqrt mroot msub msup "
    "msubsup munder mover munderover mmultiscripts mprescripts none mtable mtr mtd menclose".split()
)
_MATH_ATTRIBUTES = set(
    "accent accentunder depth displaystyle fence form height largeop linebreak linethickness "
    "lspace mathcolor mathsize mathvariant maxsize minsize movablelimits notation rspace "
    "scriptlevel separator stretchy symmetric voffset width".split()
)
_TAGS = set(
    "a abbr b blockquote br cite code del details dfn div em h3 h4 h5 h6 hr i ins kbd li mark ol p "
    "pre q rp rt ruby s samp small span strong sub summary sup table tbody td th thead tr u ul "
    "var".split()
)
_ATTRIBUTES = {tag: _MATH_ATTRIBUTES for tag in _MATH_TAGS} | {
    "math": {"display"},
    "a": {"href", "title"},
    "div": {"data-language"},
    "details": {"open"},
    "ol": {"start"},
}
_VALUES = {
    "blockquote": {"dir": {"rtl"}},
    "div": {"dir": {"rtl"}, "tabindex": {"0"}},
    "ol": {"dir": {"rtl"}},
    "ul": {"dir": {"rtl"}},
    "pre": {"tabindex": {"0"}},
    "td": {"align": {"left", "center", "right"}},
    "th": {"align": {"left", "center", "right"}},
}
_CLASSES = {
    "a": {"image"},
    "code": {"formula"},
    "div": {"code", "footnote", "formula", "table"},
    "hr": {"reply"},
    "li": {"task-list-item"},
    "mtd": {"left", "right"},
    "pre": {"plain"},
    "span": {"formula", "plain"},
    "sup": {"mark"},
    "ul": {"contains-task-list"},
    "ol": {"contains-task-list"},
}
_RULES: dict[str, Any] = {
    "tag_attribute_values": _VALUES,
    "link_rel": "noopener noreferrer nofollow ugc",
}
_CLEANER = nh3.Cleaner(
    tags=_TAGS | _MATH_TAGS,
    attributes=_ATTRIBUTES,
    set_tag_attribute_values={"a": {"target": "_blank"}},
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
    allowed_classes=_CLASSES,
    **_RULES,
)

# Pictures, footnotes and code have attributes with values of our own. Their cleaner compares every
# attribute with what our own rules write; it is slower, and such blocks are few.
_HAS_OWN_VALUES = re.compile(r'<img |<sup class="mark">|<div class="footnote"|<code class="lang')
_PICTURE = r"/pictures/[0-9a-f]{32}\?url=[A-Za-z0-9%._~-]+"
_OWN_VALUES = {
    ("a", "href"): re.compile(
        rf"(?:https?://|mailto:).*|{_PICTURE}|#note-[a-z0-9-]+", re.IGNORECASE | re.DOTALL
    ),
    ("a", "target"): re.compile("_blank"),
    ("img", "src"): re.compile(
        rf"{_PICTURE}|data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+"
    ),
    ("code", "class"): re.compile(r"formula|language-[a-z0-9+#_-]{1,30}"),
    ("div", "id"): re.compile(r"note-[a-z0-9-]+"),
}
_CLEANER_OF_OWN_VALUES = nh3.Cleaner(
    tags=_TAGS | _MATH_TAGS | {"img"},
    attributes=_ATTRIBUTES
    | {
        "a": {"href", "title", "target"},
        "code": {"class"},
        "div": {"data-language", "id"},
        "img": {"src", "alt", "loading", "decoding", "width", "height"},
    },
    url_schemes={"http", "https", "mailto", "data"},
    url_relative="pass_through",
    attribute_filter=lambda tag, name, value: (
        value if (tag, name) not in _OWN_VALUES or _OWN_VALUES[tag, name].fullmatch(value) else None
    ),
    allowed_classes={tag: names for tag, names in _CLASSES.items() if tag != "code"},
    **_RULES,
)


def render(markdown: str) -> str:
    """One whole text as safe HTML."""
    return "".join(render_blocks([markdown]))


def render_blocks(
    replies: Iterable[str], picture: Callable[[str], str | None] | None = None, scope: str = ""
) -> list[str]:
    """An answer of one or more replies as a list of blocks; joined, they are its HTML.

    `picture` and `scope` as in GrowingMarkdown.
    """
    growing = GrowingMarkdown(picture, scope)
    for number, text in enumerate(replies):
        growing.feed(text, number)
    growing.changes(last=True)
    return growing.blocks()


class GrowingMarkdown:
    """An answer while it grows: it takes text and tells which blocks have changed.

    Each block is one HTML element. Only the last block of a growing reply can still change; the
    others are final and never drawn again. Replies after the first begin with a rule
    (`<hr class="reply">`).

    `picture` maps a picture's address to where the page finds it; without it, or where it returns
    None, a link stands instead. `scope` makes the footnotes of an answer unique on the page;
    without it marks are no links.
    """

    def __init__(self, picture: Callable[[str], str | None] | None = None, scope: str = "") -> None:
        self._picture = picture
        self._scope = scope
        self._replies: list[_Reply] = []

    def feed(self, text: str, reply: int = 0) -> None:
        """Adds text to a reply."""
        self._reply(reply).feed(text)

    def rewrite(self, text: str, reply: int = 0) -> None:
        """Replaces the whole text of a reply."""
        self._reply(reply).rewrite(text)

    def changes(self, last: bool = False) -> tuple[int, list[str]] | None:
        """The blocks that replace all from an index on, or None when nothing changed.

        A large block that has grown only a little may be left for a later call. After the last
        text, call once more with `last=True`: nothing is left then.
        """
        if sum(reply.pending_size() for reply in self._replies) < _MUCH:
            return self._advance(last)
        return beside_others(lambda: self._advance(last))

    def _advance(self, last: bool) -> tuple[int, list[str]] | None:
        changed_from: int | None = None
        fresh: list[str] = []
        index = 0
        for reply in self._replies:
            unchanged = reply.advance(last)
            if changed_from is not None:
                fresh += reply.blocks
            elif unchanged is not None:
                changed_from, fresh = index + unchanged, reply.blocks[unchanged:]
            index += len(reply.blocks)
        return None if changed_from is None else (changed_from, fresh)

    def blocks(self) -> list[str]:
        """All blocks as of the last `changes()`, for a reader who begins now."""
        return [block for reply in self._replies for block in reply.blocks]

    def is_behind(self) -> bool:
        """Whether text is left for a later call of `changes`."""
        return any(reply.pending_size() for reply in self._replies)

    def _reply(self, number: int) -> "_Reply":
        while len(self._replies) <= number:
            number_of_reply = len(self._replies)
            scope = f"{self._scope}-{number_of_reply}" if self._scope else ""
            env = {"picture": self._picture, "scope": scope}
            # However many replies an answer has, all of them together get twice the least.
            budget = Budget(least_html=MIN_HTML_CHARS >> number_of_reply)
            self._replies.append(_Reply(_REPLY_BREAK if number_of_reply else "", env, budget))
        return self._replies[number]


class _Reply:
    """One reply: its blocks, of which the first `_final` are final, and the text of the others."""

    def __init__(self, beginning: str, env: dict[str, Any], budget: Budget) -> None:
        self._beginning = beginning
        self._env = env
        self._new_budget = budget
        self.blocks: list[str] = []
        self._clear()

    def _clear(self) -> None:
        self._final = 0
        # What the final blocks have cost.
        self._budget = replace(self._new_budget)
        self._is_plain = False
        self._tail = ""
        # Text that came after `_tail` was drawn.
        self._fresh: list[str] = []
        self._fresh_size = 0
        self._drawn_at = 0.0
        self._cost_s = 0.0
        self._is_withheld = False
        self._ends_with_cr = False

    def feed(self, text: str) -> None:
        if not text:
            return
        if self._ends_with_cr:
            text = text.removeprefix("\n")
        self._ends_with_cr = text.endswith("\r")
        text = legible(text.replace("\r\n", "\n").replace("\r", "\n"))
        self._fresh.append(text)
        self._fresh_size += len(text)

    def rewrite(self, text: str) -> None:
        self._clear()
        self.feed(text)
        # Even an empty text is a change here.
        self._fresh_size = len(text) + 1

    def pending_size(self) -> int:
        """The text that the next drawing has to read."""
        return len(self._tail) + self._fresh_size if self._fresh_size else 0

    def advance(self, last: bool) -> int | None:
        """Brings the blocks up to date and says from which on they changed."""
        is_complete = last and self._is_withheld
        if not is_complete and (not self._fresh_size or not (last or self._is_due())):
            return None
        started_at = time.monotonic()
        before = self.blocks
        fresh = "".join(self._fresh)
        self._tail += fresh
        self._fresh, self._fresh_size = [], 0
        self.blocks = before[: self._final]
        if "\n" in fresh:
            self._finish_blocks()
        text = self._tail if last else _without_undecided(self._tail)
        self._is_withheld = len(text) < len(self._tail)
        self.blocks = self.blocks + self._with_beginning(self._draw_tail(text))
        self._drawn_at = time.monotonic()
        self._cost_s = self._drawn_at - started_at
        return first_difference(before, self.blocks)

    def _is_due(self) -> bool:
        size = len(self._tail) + self._fresh_size
        if size <= _SMALL:
            return True
        pause_s = max(_PAUSE_S, _PAUSE_S * size / _LARGE, _PAUSE_PER_COST * self._cost_s)
        return time.monotonic() - self._drawn_at >= pause_s

    def _finish_blocks(self) -> None:
        """Makes final all blocks but the last one that begins in the finished lines."""
        lines = self._tail[: self._tail.rfind("\n") + 1]
        drawing = _Drawing(lines, self._env, self._budget, self._is_plain)
        html = drawing.draw(are_last=False)
        self.blocks += self._with_beginning(html)
        self._final = len(self.blocks)
        self._is_plain = drawing.is_plain
        self._tail = self._tail[drawing.position :]

    def _draw_tail(self, text: str) -> list[str]:
        drawing = _Drawing(text, self._env, replace(self._budget), self._is_plain)
        return drawing.draw(are_last=True)

    def _with_beginning(self, blocks: list[str]) -> list[str]:
        is_first = bool(blocks and self._beginning and not self.blocks)
        return [self._beginning, *blocks] if is_first else blocks


class _Drawing:
    """Draws the blocks of a text under a budget, up to the block that exceeds it."""

    def __init__(self, text: str, env: dict[str, Any], budget: Budget, is_plain: bool) -> None:
        self._text = text
        self._env = env
        self._budget = budget
        self.is_plain = is_plain
        # Up to where the text has been drawn.
        self.position = 0

    def draw(self, are_last: bool) -> list[str]:
        """The HTML of each block. Of blocks that are not the last, all but the last."""
        html: list[str] = []
        try:
            html = self._draw_blocks(are_last, html)
        except TooMuch:
            self.is_plain = True
        if self.is_plain and are_last and self.position < len(self._text):
            html.append(_CLEANER.clean(plain(self._text[self.position :].strip("\n"))))
        return html

    def _draw_blocks(self, are_last: bool, html: list[str]) -> list[str]:
        if self.is_plain:
            return html
        # A block that reaches beyond the largest reply is too much, whatever it holds.
        blocks = read_blocks(self._text[: MAX_REPLY_CHARS + 1], self._budget)
        starts = _offsets(self._text, [block.line for block in blocks])
        ends = [*starts[1:], len(self._text)]
        for number, block in enumerate(blocks):
            if number + 1 == len(blocks) and not are_last:
                break
            size = ends[number] - self.position
            block_html = draw_block(block, size, self._env, self._budget)
            if block_html:
                html.append(_clean(block_html))
            self.position = ends[number]
        return html


def _without_undecided(text: str) -> str:
    """The text without a last line of nothing but marks, which may be quoted, or of a fence."""
    line = text[text.rfind("\n") + 1 :]
    marks = line.rstrip(" ")
    before = marks.rstrip(_UNDECIDED)
    is_undecided = len(before) < len(marks) and not before.strip(" >")
    if is_undecided or _OPENING_FENCE.fullmatch(line):
        return text[: len(text) - len(line)]
    return text


def _clean(html: str) -> str:
    cleaner = _CLEANER_OF_OWN_VALUES if _HAS_OWN_VALUES.search(html) else _CLEANER
    return cleaner.clean(html)


def _offsets(text: str, lines: list[int]) -> list[int]:
    """Where the lines with these ascending numbers begin."""
    offsets: list[int] = []
    position = number = 0
    for line in lines:
        while number < line:
            position = text.index("\n", position) + 1
            number += 1
        offsets.append(position)
    return offsets


def first_difference(before: list[str], after: list[str]) -> int | None:
    """The index of the first block that differs, None when all are the same."""
    for index, (old, new) in enumerate(zip(before, after, strict=False)):
        if old != new:
            return index
    return min(len(before), len(after)) if len(before) != len(after) else None
