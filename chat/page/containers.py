"""Blocks of our own: nested fences, details with a summary, bounded tables, an end to nesting."""

import re

from markdown_it import MarkdownIt
from markdown_it.parser_block import ParserBlock
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock, blockquote, code, fence, paragraph, table
from markdown_it.token import Token
from markdown_it.utils import EnvType

from chat.page.budget import MAX_COLUMNS, MAX_NESTING, CountedBlocks, TooMuch

# No repetition here gives back what it has matched: a line of many marks is read once.
_MARKDOWN_FENCE = re.compile(r"(`{3,}+|~{3,}+)[ \t]*+(?:markdown|mdx?)\b[^`]*+$", re.IGNORECASE)
_FENCE = re.compile(r"(`{3,}+|~{3,}+)[ \t]*+([^`\s]*+)[^`]*+$")
_DETAILS = re.compile(r"<details(?:\s++open)?\s*+>[ \t]*+", re.IGNORECASE)
_DETAILS_END = re.compile(r"</details>[ \t]*$", re.IGNORECASE)
_SUMMARY = re.compile(r"<summary>(.*?)</summary>[ \t]*", re.IGNORECASE | re.DOTALL)
_SUMMARY_BEGINNING = re.compile(r"<summary>", re.IGNORECASE)
_MAX_SUMMARY_LINES = 5
# What begins a line and is no quote: a comparison, >60分, and a face, >_<.
_NO_QUOTE = re.compile(r">(?:[=＝]|\d++(?![.)]\s)|[_.﹏﹋^ωwoO]{1,3}+<)")
# What follows the waves of ~~~好耶 is no language.
_NO_FENCE = re.compile(r"~{3,}+[ \t]*+(?:[^\sA-Za-z0-9{.#]|[^~]++~)")
# A line that begins so is prose with an indent, no code.
_PROSE = re.compile(r"[\u3400-\u9fff“‘《「『【（]")
_AS_BEFORE: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
_INTERRUPTING: RuleOptionsType = {"alt": ["paragraph", "blockquote", "list", "table"]}


def containers_plugin(md: MarkdownIt) -> None:
    """Adds the rules."""
    md.block = _ParserBlock(md.block)
    md.block.ruler.before("fence", "markdown_fence", _markdown_fence, _INTERRUPTING)
    md.block.ruler.before("fence", "details", _details, _INTERRUPTING)
    md.block.ruler.at("blockquote", _blockquote, _AS_BEFORE)
    md.block.ruler.at("fence", _fence, _AS_BEFORE)
    md.block.ruler.at("code", _code)
    md.block.ruler.at("paragraph", _paragraph)
    md.block.ruler.at("table", _table, {"alt": ["paragraph"]})


class _ParserBlock(ParserBlock):
    """Counts what it makes, and shows as text what is nested too deep."""

    def __init__(self, standard: ParserBlock) -> None:
        super().__init__()
        self.ruler = standard.ruler

    def parse(self, src: str, md: MarkdownIt, env: EnvType, outTokens: list[Token]) -> list[Token]:
        """Notes in `env["is_too_much"]` that the last block is not complete."""
        state = CountedBlocks(src, md, env, outTokens)
        try:
            self.tokenize(state, state.line, state.lineMax)
        except TooMuch:
            env["is_too_much"] = True
        return state.tokens

    def tokenize(self, state: StateBlock, startLine: int, endLine: int) -> None:
        """Raises TooMuch."""
        if state.level < MAX_NESTING:
            super().tokenize(state, startLine, endLine)
            return
        line = startLine
        while line < endLine and (
            state.isEmpty(line) or state.sCount[line] >= state.blkIndent or line == startLine
        ):
            line += 1
        token = state.push("long_block", "pre", 0)
        token.content = state.getLines(startLine, line, state.blkIndent, False)
        state.line = line


def _blockquote(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    return not _NO_QUOTE.match(line_of(state, start)) and blockquote(state, start, end, silent)


def _fence(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    return not _NO_FENCE.match(line_of(state, start)) and fence(state, start, end, silent)


def _code(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Four blanks before Chinese are the indent of a paragraph."""
    return not _PROSE.match(line_of(state, start)) and code(state, start, end, silent)


def _paragraph(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Keeps the indent of a Chinese paragraph, two ideographic spaces."""
    line = line_of(state, start)
    count = len(state.tokens)
    paragraph(state, start, end, silent)
    inline = state.tokens[count + 1]
    inline.content = line[: len(line) - len(line.lstrip("\u3000"))] + inline.content
    return True


def _table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A table of more columns than a page can show is text."""
    if start + 2 > end or line_of(state, start + 1).count("|") > MAX_COLUMNS + 1:
        return False
    return table(state, start, end, silent)


def _markdown_fence(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """In a fence of Markdown an inner fence with a language opens a level, a bare one closes it."""
    match = _MARKDOWN_FENCE.match(line_of(state, start))
    if match is None or state.is_code_block(start):
        return False
    if silent:
        return True
    fences = [match[1]]
    line = start
    while fences and line + 1 < end:
        line += 1
        if not state.isEmpty(line) and state.sCount[line] < state.blkIndent:
            line -= 1
            break
        _follow_fences(fences, line_of(state, line))
    state.line = line + 1
    content_end = line + (1 if fences else 0)
    token = state.push("fence", "code", 0)
    token.info = line_of(state, start)[len(match[1]) :]
    token.content = state.getLines(start + 1, content_end, state.sCount[start], True)
    token.markup, token.map = match[1], [start, state.line]
    return True


def _follow_fences(fences: list[str], line: str) -> None:
    match = _FENCE.match(line)
    if match is None:
        return
    if match[2]:
        fences.append(match[1])
    elif match[1].startswith(fences[-1]):
        fences.pop()


def _details(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Without an end tag it is open and holds the rest: nothing is hidden by mistake."""
    match = _DETAILS.match(line_of(state, start))
    if match is None or state.is_code_block(start):
        return False
    if silent:
        return True
    last = _end_of_details(state, start, end)
    details = state.push("details_open", "details", 1)
    details.map = [start, last + 1]
    _cut_beginning(state, start, match.end())
    if last < end and (closing := _DETAILS_END.search(line_of(state, last))):
        state.eMarks[last] -= len(closing[0])
    else:
        details.attrs = {"open": ""}
    _read_inside(state, start, min(last + 1, end))
    state.push("details_close", "details", -1)
    state.line = min(last + 1, end)
    return True


def _end_of_details(state: StateBlock, start: int, end: int) -> int:
    """The line with the end tag, or the last line that can belong to it."""
    depth = 0
    for line in range(start, end):
        if line > start and not state.isEmpty(line) and state.sCount[line] < state.blkIndent:
            return line - 1
        text = line_of(state, line)
        depth += _DETAILS.match(text) is not None
        depth -= _DETAILS_END.search(text) is not None
        if depth <= 0:
            return line
    return end - 1


def _read_inside(state: StateBlock, start: int, end: int) -> None:
    while start < end and state.isEmpty(start):
        start += 1
    kind, lines = state.parentType, state.lineMax
    state.parentType, state.lineMax = "details", end
    start = _read_summary(state, start, end)
    state.md.block.tokenize(state, start, end)
    state.parentType, state.lineMax = kind, lines


def _read_summary(state: StateBlock, start: int, end: int) -> int:
    """Reads the summary, on one line or a few, and returns the line where the rest begins."""
    text = ""
    for line in range(start, min(end, start + _MAX_SUMMARY_LINES)):
        text += ("\n" if text else "") + line_of(state, line)
        if not _SUMMARY_BEGINNING.match(text):
            break
        match = _SUMMARY.match(text)
        if match is None:
            continue
        state.push("summary_open", "summary", 1)
        inline = state.push("inline", "", 0)
        inline.content, inline.map, inline.children = match[1].strip(), [start, line + 1], []
        state.push("summary_close", "summary", -1)
        _cut_beginning(state, line, len(line_of(state, line)) - (len(text) - match.end()))
        return line
    return start


def _cut_beginning(state: StateBlock, line: int, size: int) -> None:
    state.bMarks[line] += state.tShift[line] + size
    state.tShift[line] = 0
    state.sCount[line] = state.blkIndent


def line_of(state: StateBlock, number: int) -> str:
    """A line without its indent and without the marks of the blocks around it."""
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]]
