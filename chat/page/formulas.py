"""Formulas between `$`, `$$`, `\\(` and `\\[`: where they begin and end, and their MathML."""

import re
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from math_core import LatexError, LatexToMathML

from chat.page.brackets import are_costly
from chat.page.containers import line_of

MAX_FORMULA_CHARS = 2_000
# math-core recurses: on a stack of 512 kB, 200 nested braces pass and 400 end the process
# (docs/rendering.md).
_MAX_DEPTH = 100
_MAX_COMMANDS = 300

_CLOSINGS = {r"\(": r"\)", r"\[": r"\]", "$$": "$$"}
_BLOCK_CLOSINGS = {"$$": "$$", r"\[": r"\]"}
# What may follow the end of a formula on a line of its own.
_AFTER_FORMULA = " \t.,;:。，；：、"
# \[1\] and \[2-4\] are footnote marks, no formulas; \[注\] is a word whose brackets are escaped.
_NUMBERS = re.compile(r"\s*\d+(?:\s*[-–,，、]\s*\d+)*\s*")
_WORDS = re.compile(r"[^\\^_=+<>×÷±*/|&{}≤≥≈]*[\u3400-\u9fff][^\\^_=+<>×÷±*/|&{}≤≥≈]*")

# `$name`, `${name}` and `$5` are no ends of a formula: a letter, digit or brace follows the sign.
# The end of `the $n$th` is one.
_AFTER_CLOSING_DOLLAR = re.compile(r"[A-Za-z0-9_{]")
_BEFORE_LETTERS = re.compile(r"[A-Za-z]|[!-~]*[\\^=+][!-~]*(?<![-=+*/;,:&|<>])")
# No formula ends with a comma between sentences. Behind a Chinese word the `$` of `$(a)和$(b)` and
# of `$-5和$-6` begins something: another sign follows at once.
_CHINESE = r"[\u3400-\u9fff]"
_BETWEEN_DOLLARS = re.compile(
    rf"[，、：；]\$|{_CHINESE}\$(?:[^\s\w,.;:!?)\]}}\u2e80-\uffff$*~`|]|\.[A-Za-z])"
)
# The `$` at the end of a pattern, ^\w+$ or .txt$, is followed by Chinese and opens nothing.
_END_OF_PATTERN = re.compile(r"[\w+*?)\]}.]\$[\u3000-\u303f\u3400-\u9fff\uff00-\uff0f]", re.ASCII)
_ESCAPED_BRACKET = re.compile(
    r"\\(?:left|right|[bB]igg?[lr]?)\s*(?:\\?[^\sA-Za-z]|\\[A-Za-z]+)|\\."
)
_SENTENCE_END = re.compile(r"[。！？；]")
_CHINESE_COMMA = re.compile(r"[，、：]")
_MATHEMATICAL = re.compile(r"[\\=^_+<>≤≥≈×÷±∈0-9]")

_NUMBERED_ENVIRONMENT = re.compile(r"\\(begin|end)\{(equation|align|alignat|gather|multline)\}")
_TAG = re.compile(r"\\tag\*?\s*\{")
_MACROS = {
    "substack": r"\begin{array}{c}#1\end{array}",
    "operatornamewithlimits": r"\operatorname*{#1}",
}
_ALIGNMENT = re.compile(r'style="text-align: (left|right);[^"]*"')


def formulas_plugin(md: MarkdownIt) -> None:
    """Adds the rules and their rendering."""
    md.inline.ruler.before("escape", "formula", _inline_formula)
    md.block.ruler.before(
        "fence", "formula", _block_formula, {"alt": ["paragraph", "blockquote", "list", "table"]}
    )


def _inline_formula(state: StateInline, silent: bool) -> bool:
    opening = _opening(state.src, state.pos)
    if not opening:
        return False
    begin = state.pos + len(opening)
    closing = _CLOSINGS.get(opening, "$")
    end = state.src.find(closing, begin, min(state.posMax, begin + MAX_FORMULA_CHARS + 2))
    if closing == "$":
        end = _end_of_dollars(state.src, state.pos, end)
    source = state.src[begin:end]
    if end < 0 or not _is_formula(source, opening):
        return False
    if not silent:
        token = state.push("formula", "math", 0)
        token.content = source
        token.markup = "$$" if opening in _BLOCK_CLOSINGS else "$"
    state.pos = end + len(closing)
    return True


def _opening(text: str, position: int) -> str:
    two = text[position : position + 2]
    if two in _CLOSINGS:
        return two
    return "$" if two[:1] == "$" else ""


def _end_of_dollars(text: str, begin: int, end: int) -> int:
    """The closing `$` of a formula that opens at `begin`, or -1."""
    while end > 0 and text[end - 1] == "\\":
        end = text.find("$", end + 1, begin + MAX_FORMULA_CHARS)
    if end < 0 or text[begin + 1].isspace() or text[end - 1].isspace():
        return -1
    if begin and (text[begin - 1].isdigit() or _END_OF_PATTERN.match(text, begin - 1)):
        return -1
    if _BETWEEN_DOLLARS.match(text, end - 1):
        return -1
    if _AFTER_CLOSING_DOLLAR.match(text, end + 1) is None:
        return end
    is_letter = text[end + 1].isalpha()
    return end if is_letter and _BEFORE_LETTERS.fullmatch(text, begin + 1, end) else -1


def _is_formula(source: str, opening: str) -> bool:
    # A backtick begins a code span, and a code span wins.
    if not source.strip() or len(source) > MAX_FORMULA_CHARS or "`" in source:
        return False
    if opening == "$":
        return _looks_like_formula(source)
    if opening == r"\[" and _NUMBERS.fullmatch(source):
        return False
    return opening == "$$" or _WORDS.fullmatch(source) is None


def _looks_like_formula(source: str) -> bool:
    """Tells `$x^2$` from two tickers or prices with words between them."""
    if _SENTENCE_END.search(source):
        return False
    if _CHINESE_COMMA.search(source) and not _MATHEMATICAL.search(source):
        return False
    depth = 0
    for character in _ESCAPED_BRACKET.sub("", source):
        depth += (character in "([{（") - (character in ")]}）")
        if depth < 0:
            return False
    return depth == 0


def _block_formula(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A formula on lines of its own. Without an end it is a paragraph up to the next blank line."""
    first = line_of(state, start)
    closing = _BLOCK_CLOSINGS.get(first[:2])
    if closing is None or state.is_code_block(start):
        return False
    source, end_mark, after_closing = first[2:].partition(closing)
    if after_closing.strip(_AFTER_FORMULA) or (end_mark and not _is_formula(source, first[:2])):
        return False
    if silent:
        return True
    last = start
    while not (is_closed := _closes(line_of(state, last)[2 * (last == start) :], closing)):
        if last + 1 >= end or state.isEmpty(last + 1) or state.sCount[last + 1] < state.blkIndent:
            break
        last += 1
    state.line = last + 1
    source = "\n".join(line_of(state, number) for number in range(start, last + 1))
    if is_closed and len(source) <= MAX_FORMULA_CHARS:
        token = state.push("formula_block", "math", 0)
        token.content, token.map = source.rstrip(_AFTER_FORMULA)[2:-2], [start, last + 1]
    else:
        _push_paragraph(state, source, [start, last + 1])
    return True


def _closes(line: str, closing: str) -> bool:
    return line.rstrip(_AFTER_FORMULA).endswith(closing)


def _push_paragraph(state: StateBlock, source: str, lines: list[int]) -> None:
    state.push("paragraph_open", "p", 1).map = lines
    inline = state.push("inline", "", 0)
    inline.content, inline.map, inline.children = source.strip(" \t\n"), lines, []
    state.push("paragraph_close", "p", -1)


_CONVERTER = LatexToMathML(fancy_error=False, macros=_MACROS, max_expansions=200)


@lru_cache(maxsize=512)
def mathml(source: str, is_block: bool) -> str:
    """MathML, or the source where the formula makes no sense."""
    source = source.strip()
    if len(source) > MAX_FORMULA_CHARS or _is_too_deep(source) or are_costly(source, _piece):
        return source_of(source)
    try:
        html = _CONVERTER.convert_with_local_state(_numbered(source), displaystyle=is_block)
    except LatexError:
        return source_of(source)
    display = "block" if is_block else "inline"
    # The page allows no style attributes; the style sheet aligns cells by their class.
    html = _ALIGNMENT.sub(r'class="\1"', html)
    return re.sub(r"^<math[^>]*>", f'<math display="{display}">', html)


@lru_cache(maxsize=512)
def _piece(source: str) -> str | None:
    """The MathML of a command, None where it makes no sense alone."""
    try:
        return _CONVERTER.convert_with_local_state(source, displaystyle=False)
    except LatexError:
        return None


def source_of(source: str) -> str:
    """The formula as it was written."""
    return f'<code class="formula">{escapeHtml(source.strip())}</code>'


def _numbered(source: str) -> str:
    r"""Numbers an equation only where it has a \tag, as pages with MathJax do."""
    if not _TAG.search(source):
        return _NUMBERED_ENVIRONMENT.sub(r"\\\1{\2*}", source)
    if _NUMBERED_ENVIRONMENT.search(source):
        return source
    return rf"\begin{{equation}}{source}\end{{equation}}"


def _is_too_deep(source: str) -> bool:
    if source.count("\\") > _MAX_COMMANDS:
        return True
    depth = 0
    for character in source:
        depth += (character == "{") - (character == "}")
        if depth > _MAX_DEPTH:
            return True
    return False
