"""Markdown to safe HTML, whole or while it grows."""

import re
import time
from collections.abc import Callable, Iterable
from typing import Any

import nh3
from pygments.token import STANDARD_TYPES

from chat.legible import legible
from chat.page.markdown import parser

# A growing block larger than _SMALL is rendered again when it has grown by a sixteenth, one larger
# than _LARGE when it has grown by a quarter. All renderings together then cost a constant times its
# size.
_SMALL = 1_000
_LARGE = 20_000
_PIECE = 50_000

_REPLY_BREAK = '<hr class="reply">\n'

_MATH_TAGS = set(
    "math mrow mi mn mo ms mtext mspace mstyle merror mpadded mphantom mfrac msqrt mroot msub msup msubsup "
    "munder mover munderover mmultiscripts mprescripts none mtable mtr mlabeledtr mtd menclose".split()
)
_MATH_ATTRIBUTES = set(
    "accent accentunder columnalign columnlines columnspacing depth displaystyle fence form frame height "
    "largeop linebreak linethickness lspace mathcolor mathsize mathvariant maxsize minsize movablelimits "
    "notation rowlines rowspacing rspace scriptlevel separator stretchy symmetric voffset width".split()
)
_TAGS = set(
    "a blockquote br code del div em h3 h4 h5 h6 hr li ol p pre s span strong sup table tbody td th "
    "thead tr ul".split()
)
_ATTRIBUTES = {tag: _MATH_ATTRIBUTES for tag in _MATH_TAGS} | {
    "math": {"display"},
    "a": {"href", "title"},
    "div": {"data-language"},
    "ol": {"start"},
}
_VALUES = {
    "div": {"tabindex": {"0"}},
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
    "span": set(STANDARD_TYPES.values()) - {""},
    "sup": {"mark"},
    "ul": {"contains-task-list"},
    "ol": {"contains-task-list"},
}
_RULES: dict[str, Any] = {
    "tag_attribute_values": _VALUES,
    "allowed_classes": _CLASSES,
    "link_rel": "noopener noreferrer nofollow ugc",
}
_CLEANER = nh3.Cleaner(
    tags=_TAGS | _MATH_TAGS,
    attributes=_ATTRIBUTES,
    set_tag_attribute_values={"a": {"target": "_blank"}},
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
    **_RULES,
)

# Blocks with pictures or footnotes hold addresses of this page. Their cleaner compares every attribute
# with what our own rules write; it is slower, and such blocks are few.
_HAS_OWN_ADDRESSES = re.compile(r'<img |<sup class="mark">|<div class="footnote"')
_PICTURE = r"/pictures/[0-9a-f]{32}\?url=[A-Za-z0-9%._~-]+"
_OWN_VALUES = {
    ("a", "href"): re.compile(
        rf"(?:https?://|mailto:).*|{_PICTURE}|#note-[a-z0-9-]+", re.IGNORECASE | re.DOTALL
    ),
    ("a", "target"): re.compile("_blank"),
    ("img", "src"): re.compile(
        rf"{_PICTURE}|data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+"
    ),
    ("div", "id"): re.compile(r"note-[a-z0-9-]+"),
}
_CLEANER_OF_OWN_ADDRESSES = nh3.Cleaner(
    tags=_TAGS | _MATH_TAGS | {"img"},
    attributes=_ATTRIBUTES
    | {
        "a": {"href", "title", "target"},
        "div": {"data-language", "id"},
        "img": {"src", "alt", "loading", "decoding", "width", "height"},
    },
    url_schemes={"http", "https", "mailto", "data"},
    url_relative="pass_through",
    attribute_filter=lambda tag, name, value: (
        value if (tag, name) not in _OWN_VALUES or _OWN_VALUES[tag, name].fullmatch(value) else None
    ),
    **_RULES,
)
_MARKDOWN = parser()
_BLOCKS_ONLY = parser()
_BLOCKS_ONLY.core.ruler.enableOnly(["normalize", "block"])


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
        for begin in range(0, len(text), _PIECE):
            growing.feed(text[begin : begin + _PIECE], number)
            growing.changes()
            # Yield to other greenlets.
            time.sleep(0)
    growing.changes(last=True)
    return growing.blocks()


class GrowingMarkdown:
    """An answer while it grows: it takes text and tells which blocks have changed.

    Each block is one HTML element. Only the last block of a growing reply can still change; the others are
    final and never rendered again. Replies after the first begin with a rule (`<hr class="reply">`).

    `picture` maps a picture's address to where the page finds it; without it, or where it returns
    None, a link stands instead. `scope` makes the footnotes of an answer unique on the page; without
    it marks are no links.
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
        """The blocks that replace all from an index on, or None when nothing changed since the last call.

        A large block that has grown only a little may be left for a later call. After the last text, call
        once more with `last=True`: nothing is left then.
        """
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

    def _reply(self, number: int) -> "_Reply":
        while len(self._replies) <= number:
            scope = f"{self._scope}-{len(self._replies)}" if self._scope else ""
            env = {"picture": self._picture, "scope": scope}
            self._replies.append(_Reply(_REPLY_BREAK if self._replies else "", env))
        return self._replies[number]


class _Reply:
    """One reply: its blocks, of which the first `_frozen` are final, and the text of the others."""

    def __init__(self, beginning: str, env: dict[str, Any]) -> None:
        self._beginning = beginning
        self._env = env
        self.blocks: list[str] = []
        self._frozen = 0
        self._tail = ""
        # Text that came after `_tail` was rendered.
        self._fresh: list[str] = []
        self._fresh_size = 0
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
        self._tail, self._frozen, self._fresh, self._ends_with_cr = "", 0, [], False
        self.feed(text)
        # Even an empty text is a change here.
        self._fresh_size = len(text) + 1

    def advance(self, last: bool) -> int | None:
        """Brings the blocks up to date and says from which on they changed."""
        if not self._fresh_size or not (last or self._has_grown_enough()):
            return None
        before = self.blocks
        fresh = "".join(self._fresh)
        self._tail += fresh
        self._fresh, self._fresh_size = [], 0
        self.blocks = before[: self._frozen]
        if "\n" in fresh:
            self._freeze()
        self.blocks = self.blocks + self._with_beginning(_render(self._tail, self._env))
        return _first_difference(before, self.blocks)

    def _has_grown_enough(self) -> bool:
        size = len(self._tail) + self._fresh_size
        if size <= _SMALL:
            return True
        return self._fresh_size >= size // (16 if size <= _LARGE else 4)

    def _freeze(self) -> None:
        """Makes final all blocks but the last one that begins in the finished lines."""
        lines = self._tail[: self._tail.rfind("\n") + 1]
        starts = [
            token.map[0] for token in _BLOCKS_ONLY.parse(lines) if token.map and token.level == 0
        ]
        if len(starts) < 2:
            return
        cut = _start_of_line(lines, starts[-1])
        self.blocks += self._with_beginning(_render(self._tail[:cut], self._env))
        self._frozen = len(self.blocks)
        self._tail = self._tail[cut:]

    def _with_beginning(self, blocks: list[str]) -> list[str]:
        is_first = bool(blocks and self._beginning and not self.blocks)
        return [self._beginning, *blocks] if is_first else blocks


def _render(text: str, env: dict[str, Any]) -> list[str]:
    blocks: list[str] = []
    begin = 0
    tokens = _MARKDOWN.parse(text, env)
    for at, token in enumerate(tokens):
        if token.level == 0 and token.nesting <= 0:
            html = _MARKDOWN.renderer.render(tokens[begin : at + 1], _MARKDOWN.options, env)
            cleaner = _CLEANER_OF_OWN_ADDRESSES if _HAS_OWN_ADDRESSES.search(html) else _CLEANER
            blocks.append(cleaner.clean(html))
            begin = at + 1
    return blocks


def _start_of_line(text: str, line: int) -> int:
    position = 0
    for _ in range(line):
        position = text.index("\n", position) + 1
    return position


def _first_difference(before: list[str], after: list[str]) -> int | None:
    for index, (old, new) in enumerate(zip(before, after, strict=False)):
        if old != new:
            return index
    return min(len(before), len(after)) if len(before) != len(after) else None
