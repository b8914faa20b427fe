"""Footnotes whose marks and notes stand where they were written.

The usual plugins gather the notes at the end and accept a mark only when its note exists. Then no
block of a growing answer could be final before the end.
"""

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType

# [^1] is always a mark. [^note] is one only right behind a word: [^aeiou] may be a regular
# expression.
_NUMBERED = re.compile(r"\[\^(\w{0,30}?\d{1,4})\](?!\()")
_NAMED = re.compile(r"\[\^(\w{3,40}(?:-\w{2,40})*)\](?!\()")
_NOTE = re.compile(r"\[\^([^\s\[\]^]{1,40})\][:：][ \t]*")
_NOT_IN_AN_ID = re.compile(r"[^a-z0-9]")


def footnotes_plugin(md: MarkdownIt) -> None:
    """Adds the rules. `env["scope"]` makes the anchors of an answer unique on the page; without it
    marks are no links.
    """
    md.inline.ruler.before("link", "footnote_mark", _mark)
    md.block.ruler.before(
        "heading", "footnote", _note, {"alt": ["paragraph", "blockquote", "list", "table"]}
    )
    md.add_render_rule("footnote_mark", _render_mark)
    md.add_render_rule("footnote_open", _render_open)
    md.add_render_rule("footnote_close", _render_close)


def _mark(state: StateInline, silent: bool) -> bool:
    if not state.src.startswith("[^", state.pos):
        return False
    match = _NUMBERED.match(state.src, state.pos, state.posMax)
    if match is None and state.pos and not state.src[state.pos - 1].isspace():
        match = _NAMED.match(state.src, state.pos, state.posMax)
    if match is None:
        return False
    if not silent:
        state.push("footnote_mark", "sup", 0).content = match[1]
    state.pos = match.end()
    return True


def _note(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A note is a paragraph that begins with its label. It may interrupt another paragraph."""
    if state.is_code_block(start):
        return False
    at = state.bMarks[start] + state.tShift[start]
    match = _NOTE.match(state.src, at, state.eMarks[start])
    if match is None:
        return False
    if silent:
        return True
    last = _last_line(state, start, end)
    source = state.getLines(start, last, state.blkIndent, False).strip()
    state.line = last
    state.push("footnote_open", "div", 1).map = [start, last]
    state.tokens[-1].content = match[1]
    inline = state.push("inline", "", 0)
    inline.content, inline.map, inline.children = (
        source[len(match[0].rstrip()) :].strip(),
        [start, last],
        [],
    )
    state.push("footnote_close", "div", -1)
    return True


def _last_line(state: StateBlock, start: int, end: int) -> int:
    """The line after the paragraph that begins at `start`, by CommonMark's rules."""
    kind, state.parentType = state.parentType, "paragraph"
    rules = state.md.block.ruler.getRules("paragraph")
    line = start + 1
    while line < end and not state.isEmpty(line):
        is_lazy = state.is_code_block(line) or state.sCount[line] < 0
        if not is_lazy and any(rule(state, line, end, True) for rule in rules):
            break
        line += 1
    state.parentType = kind
    return line


def _render_mark(
    renderer: object, tokens: Sequence[Token], at: int, options: object, env: EnvType
) -> str:
    label = escapeHtml(tokens[at].content)
    anchor = _anchor(env, tokens[at].content)
    return (
        f'<sup class="mark"><a href="#{anchor}">{label}</a></sup>'
        if anchor
        else f'<sup class="mark">{label}</sup>'
    )


def _render_open(
    renderer: object, tokens: Sequence[Token], at: int, options: object, env: EnvType
) -> str:
    anchor = _anchor(env, tokens[at].content)
    own = f' id="{anchor}"' if anchor else ""
    return f'<div class="footnote"{own}><sup class="mark">{escapeHtml(tokens[at].content)}</sup> '


def _render_close(
    renderer: object, tokens: Sequence[Token], at: int, options: object, env: EnvType
) -> str:
    return "</div>\n"


def _anchor(env: EnvType, label: str) -> str:
    """The id of a note: ASCII, and different from that of any other answer on the page."""
    scope = str(env.get("scope", ""))
    own = _NOT_IN_AN_ID.sub(lambda match: f"-{ord(match[0]):x}", label.casefold())
    return f"note-{scope}-{own}" if scope else ""
