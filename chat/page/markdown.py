"""The Markdown that agents write: CommonMark with tables, tasks, formulas and Chinese emphasis."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache

from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Scanned
from markdown_it.token import Token
from markdown_it.utils import EnvType
from mdit_py_plugins.tasklists import tasklists_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from chat.page.footnotes import footnotes_plugin

# Prose costs 3 µs a character, code 1.5 µs. A larger block is shown as plain text.
MAX_PROSE_CHARS = 20_000
MAX_CODE_CHARS = 30_000
MAX_FORMULA_CHARS = 2_000

_LINKABLE = re.compile(r"(?:https?://|mailto:)\S", re.IGNORECASE)
_INLINE_PICTURE = re.compile(r"data:image/", re.IGNORECASE)
# A bare address ends at white space, quotes and Chinese: in "见 https://a.cn。" the stop is outside.
_BARE_LINK = re.compile(
    r"https?://[^\s<>\"'`\u2018-\u201d\u3000-\u303f\u3400-\u9fff\uff00-\uffef]+"
)
_AFTER_LINK = ".,;:!?)]}*_~"
_LANGUAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+#._-]{0,29}")
_IMAGE_WITHOUT_TEXT = "图片 · Image"

_FORMULA = re.compile(
    rf"""\\\((?P<round>.{{1,{MAX_FORMULA_CHARS}}}?)\\\)
    | \\\[(?P<square>.{{1,{MAX_FORMULA_CHARS}}}?)\\\]
    | \$\$(?P<double>[^$]{{1,{MAX_FORMULA_CHARS}}})\$\$
    | (?<!\d)\$(?!\s)(?P<single>(?:[^$\\]|\\.){{1,{MAX_FORMULA_CHARS}}})(?<!\s)\$(?!\d)""",
    re.VERBOSE | re.DOTALL,
)
# \[1\] is a footnote mark, not a formula.
_ESCAPED_NUMBER = re.compile(r"\\\[\s*\d+\s*\\\]")
_FENCES = {"$$": "$$", r"\[": r"\]"}
_AFTER_FORMULA = " \t.,;:。，；：、"
# latex2mathml knows the environments that number their lines, not those for use inside a formula.
_INNER_ENVIRONMENT = re.compile(r"\\(begin|end)\{(?:aligned|alignedat|gathered|split)\}")


class _Inline(StateInline):
    """Lets ** open and close beside Chinese punctuation, as in `**注意：**请`."""

    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:
        scanned = super().scanDelims(start, canSplitWord)
        before = self.src[start - 1] if start else " "
        after_at = start + scanned.length
        after = self.src[after_at] if after_at < self.posMax else " "
        if self.src[start] == "_" or not (_is_chinese(before) or _is_chinese(after)):
            return scanned
        return Scanned(not after.isspace(), not before.isspace(), scanned.length)


class _ParserInline(ParserInline):
    def parse(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> list[Token]:
        state = _Inline(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens


def _is_chinese(character: str) -> bool:
    return character > "\u2e7f" and unicodedata.east_asian_width(character) in "WF"


def parser() -> MarkdownIt:
    """A parser whose blocks depend on nothing that follows them.

    Link definitions are off: one at the end of an answer would change every block before it.
    `env["picture"]` maps a picture's address to the one the page shows it at, or None. `env["scope"]`
    is the prefix of the ids of footnotes.
    """
    md = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 20})
    md.inline = _ParserInline()
    md.enable(["table", "strikethrough"]).disable(["reference", "html_block", "html_inline"])
    md.validateLink = _is_linkable  # type: ignore[method-assign]
    md.inline.ruler.before("escape", "formula", _inline_formula)
    md.block.ruler.before(
        "fence", "formula", _block_formula, {"alt": ["paragraph", "blockquote", "list", "table"]}
    )
    md.core.ruler.before("inline", "shorten", _leave_long_prose_alone)
    md.use(tasklists_plugin)
    md.use(footnotes_plugin)
    md.core.ruler.push("headings", _lower_headings)
    md.core.ruler.push("images", _show_or_link_images)
    md.core.ruler.push("bare_links", _link_bare_addresses)
    for kind, rule in _RENDER_RULES.items():
        md.add_render_rule(kind, rule)
    return md


def _is_linkable(url: str) -> bool:
    return bool(_LINKABLE.match(url) or _INLINE_PICTURE.match(url))


def _inline_formula(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] not in "$\\":
        return False
    match = _FORMULA.match(state.src, state.pos, state.posMax)
    if match is None or _ESCAPED_NUMBER.fullmatch(match[0]):
        return False
    if not silent:
        token = state.push("formula", "math", 0)
        token.content = match[match.lastgroup or 0]
        token.markup = "$$" if match.lastgroup in ("square", "double") else "$"
    state.pos = match.end()
    return True


def _block_formula(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A formula on lines of its own; without its end it is a paragraph up to the next blank line."""
    first = _line(state, start)
    closing = _FENCES.get(first[:2])
    if closing is None or state.is_code_block(start):
        return False
    if closing in first[2:] and not first[2:].rstrip(_AFTER_FORMULA).endswith(closing):
        return False
    if silent:
        return True
    last = start
    while not (is_closed := _closes(_line(state, last)[2 * (last == start) :], closing)):
        if last + 1 >= end or state.isEmpty(last + 1) or state.sCount[last + 1] < state.blkIndent:
            break
        last += 1
    state.line = last + 1
    source = "\n".join(_line(state, number) for number in range(start, last + 1))
    if is_closed and len(source) <= MAX_FORMULA_CHARS:
        token = state.push("formula_block", "math", 0)
        token.content, token.map = source.rstrip(_AFTER_FORMULA)[2:-2], [start, last + 1]
    else:
        _push_paragraph(state, source, [start, last + 1])
    return True


def _closes(line: str, closing: str) -> bool:
    return line.rstrip(_AFTER_FORMULA).endswith(closing)


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]]


def _push_paragraph(state: StateBlock, source: str, lines: list[int]) -> None:
    state.push("paragraph_open", "p", 1).map = lines
    inline = state.push("inline", "", 0)
    inline.content, inline.map, inline.children = source.strip(), lines, []
    state.push("paragraph_close", "p", -1)


def _leave_long_prose_alone(state: StateCore) -> None:
    """Shows as plain text what would take too long to read for emphasis and links."""
    spent = 0
    for token in state.tokens:
        if token.level == 0 and token.nesting >= 0:
            spent = 0
        if token.type == "inline":
            spent += len(token.content)
            if spent > MAX_PROSE_CHARS:
                token.type = "plain"


def _lower_headings(state: StateCore) -> None:
    """Below the heading of the answer itself, which is the page's h2."""
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"


def _show_or_link_images(state: StateCore) -> None:
    """Shows a picture only when this server fetches it. Any other becomes a link: an image would call
    a stranger's server from the visitor's browser.
    """
    picture: Callable[[str], str | None] = state.env.get("picture") or _no_picture
    for block in state.tokens:
        if block.type != "inline" or not any(
            child.type == "image" for child in block.children or ()
        ):
            continue
        children: list[Token] = []
        depth = 0
        for child in block.children or ():
            depth += child.nesting if child.type in ("link_open", "link_close") else 0
            children += (
                _picture_or_link(child, depth > 0, picture) if child.type == "image" else [child]
            )
        block.children = children


def _no_picture(url: str) -> None:
    """Shows no picture at all."""


def _picture_or_link(
    image: Token, is_inside_link: bool, picture: Callable[[str], str | None]
) -> list[Token]:
    source = str(image.attrs.get("src", ""))
    address = picture(source)
    inside = Token("text", "", 0, content=image.content.strip() or _IMAGE_WITHOUT_TEXT)
    if address:
        inside = Token("picture", "img", 0, content=inside.content, attrs={"src": address})
    # No browser follows a link to a data: address.
    if is_inside_link or (address and address.startswith("data:")):
        return [inside]
    attributes: dict[str, str | int | float] = {"href": address or source, "class": "image"}
    return [Token("link_open", "a", 1, attrs=attributes), inside, Token("link_close", "a", -1)]


def _link_bare_addresses(state: StateCore) -> None:
    for block in state.tokens:
        if block.type != "inline" or "://" not in block.content:
            continue
        children: list[Token] = []
        depth = 0
        for child in block.children or ():
            depth += child.nesting if child.type in ("link_open", "link_close") else 0
            children += _linked(child.content) if child.type == "text" and not depth else [child]
        block.children = children


def _linked(text: str) -> list[Token]:
    tokens: list[Token] = []
    position = 0
    for match in _BARE_LINK.finditer(text):
        url = match[0].rstrip(_AFTER_LINK)
        if match[0][len(url) :].startswith(")") and url.count("(") > url.count(")"):
            url += ")"
        tokens.append(Token("text", "", 0, content=text[position : match.start()]))
        tokens.append(Token("link_open", "a", 1, attrs={"href": url}))
        tokens.append(Token("text", "", 0, content=url))
        tokens.append(Token("link_close", "a", -1))
        position = match.start() + len(url)
    tokens.append(Token("text", "", 0, content=text[position:]))
    return tokens


@lru_cache(maxsize=512)
def _formula(source: str, display: str) -> str:
    """MathML, or the source where the formula makes no sense."""
    try:
        return str(
            convert(_INNER_ENVIRONMENT.sub(r"\\\1{align*}", source.strip()), display=display)
        )
    except Exception:
        # latex2mathml raises anything from KeyError to RecursionError.
        return f'<code class="formula">{escapeHtml(source.strip())}</code>'


def _code(source: str, language: str) -> str:
    # A lexer that adds or drops a newline would make a growing block flicker.
    if language and len(source) <= MAX_CODE_CHARS:
        try:
            lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
            return highlight(source, lexer, _FORMATTER)
        except ClassNotFound:
            pass
    return escapeHtml(source)


_FORMATTER: HtmlFormatter[str] = HtmlFormatter(nowrap=True)

Rule = Sequence[Token]


def _render_code(renderer: object, tokens: Rule, at: int, options: object, env: EnvType) -> str:
    match = _LANGUAGE.match(tokens[at].info.strip())
    language = match[0] if match else ""
    label = f' data-language="{escapeHtml(language)}"' if language else ""
    code = _code(tokens[at].content.removesuffix("\n"), language.lower())
    return f'<div class="code"{label}><pre tabindex="0"><code>{code}</code></pre></div>\n'


def _render_formula(renderer: object, tokens: Rule, at: int, options: object, env: EnvType) -> str:
    return _formula(tokens[at].content, "block" if tokens[at].markup == "$$" else "inline")


def _render_formula_block(
    renderer: object, tokens: Rule, at: int, options: object, env: EnvType
) -> str:
    return f'<div class="formula" tabindex="0">{_formula(tokens[at].content, "block")}</div>\n'


def _render_plain(renderer: object, tokens: Rule, at: int, options: object, env: EnvType) -> str:
    return escapeHtml(tokens[at].content)


def _render_picture(renderer: object, tokens: Rule, at: int, options: object, env: EnvType) -> str:
    source, text = escapeHtml(str(tokens[at].attrs["src"])), escapeHtml(tokens[at].content)
    return f'<img src="{source}" alt="{text}" loading="lazy" decoding="async">'


def _render_task(renderer: object, tokens: Rule, at: int, options: object, env: EnvType) -> str:
    """Draws a sign, since a disabled checkbox without a label means nothing to a screen reader.

    Only the task plugin makes this token.
    """
    return "☑" if "checked" in tokens[at].content else "☐"


def _render_table_open(
    renderer: object, tokens: Rule, at: int, options: object, env: EnvType
) -> str:
    return '<div class="table" tabindex="0"><table>\n'


def _render_table_close(
    renderer: object, tokens: Rule, at: int, options: object, env: EnvType
) -> str:
    return "</table></div>\n"


def _render_cell(renderer: object, tokens: Rule, at: int, options: object, env: EnvType) -> str:
    """The alignment as an attribute: the page allows no inline style."""
    token = tokens[at]
    side = str(token.attrs.get("style", "")).removeprefix("text-align:")
    return f'<{token.tag} align="{escapeHtml(side)}">' if side else f"<{token.tag}>"


def _render_link_open(
    renderer: object, tokens: Rule, at: int, options: object, env: EnvType
) -> str:
    """Sets the target here: the cleaner would set it on the links of footnotes as well."""
    attributes = {**tokens[at].attrs, "target": "_blank"}
    pairs = [f'{name}="{escapeHtml(str(value))}"' for name, value in attributes.items()]
    return f"<a {' '.join(pairs)}>"


_RENDER_RULES = {
    "link_open": _render_link_open,
    "fence": _render_code,
    "code_block": _render_code,
    "formula": _render_formula,
    "formula_block": _render_formula_block,
    "plain": _render_plain,
    "picture": _render_picture,
    "html_inline": _render_task,
    "table_open": _render_table_open,
    "table_close": _render_table_close,
    "th_open": _render_cell,
    "td_open": _render_cell,
}
