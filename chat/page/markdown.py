"""Parses and draws the Markdown of agents: CommonMark, tables, formulas, Chinese emphasis."""

import re
from collections.abc import Callable, Sequence

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType

from chat.page.budget import (
    MAX_BLOCK_TOKENS,
    MAX_INLINE_TOKENS,
    MAX_NESTING,
    Block,
    Budget,
    Cost,
    Meter,
    TooMuch,
)
from chat.page.containers import containers_plugin
from chat.page.footnotes import footnotes_plugin
from chat.page.formulas import formulas_plugin, mathml
from chat.page.inlines import inlines_plugin
from chat.page.tasks import tasks_plugin

_LINKABLE = re.compile(r"(?:https?://|mailto:)\S", re.IGNORECASE)
_INLINE_PICTURE = re.compile(r"data:image/", re.IGNORECASE)
_LANGUAGE = re.compile(r"[a-z0-9+#_-]{1,30}")
_IMAGE_WITHOUT_TEXT = "图片 · Image"
_LONG_FORMULA = 40
# Blocks whose bullets, bars or columns stand on one side.
_SIDED = {"bullet_list_open", "ordered_list_open", "blockquote_open", "table_open"}
_LETTER = re.compile(r"[^\W\d_]")
# Hebrew, Arabic and the others that run from right to left.
_FROM_RIGHT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff]")


def _parser() -> MarkdownIt:
    """A parser whose blocks depend on nothing that follows them.

    Link definitions are off: one at the end of an answer would change every block before it.
    Underlined headings are off: a list that begins under a paragraph would make it a heading.
    """
    options = {"html": False, "breaks": True, "maxNesting": MAX_NESTING}
    md = MarkdownIt("commonmark", options)
    md.enable(["table", "strikethrough"])
    md.disable(["reference", "lheading", "html_block", "html_inline"])
    md.validateLink = _is_linkable  # type: ignore[method-assign]
    md.use(inlines_plugin).use(containers_plugin).use(formulas_plugin)
    md.use(tasks_plugin).use(footnotes_plugin)
    md.core.ruler.push("headings", _lower_headings)
    md.core.ruler.push("images", _show_or_link_images)
    md.core.ruler.push("direction", _turn_round)
    for kind, rule in _RENDER_RULES.items():
        md.add_render_rule(kind, rule)
    return md


def read_blocks(text: str, budget: Budget) -> list[Block]:
    """The top-level blocks of a text. The last one has no tokens if it costs too much."""
    env: EnvType = {"meter": Meter(MAX_BLOCK_TOKENS - budget.block_tokens)}
    tokens: list[Token] = []
    _MARKDOWN.block.parse(text, _MARKDOWN, env, tokens)
    blocks: list[Block] = []
    for token in tokens:
        if token.level == 0 and token.nesting >= 0:
            blocks.append(Block(token.map[0] if token.map else 0))
        blocks[-1].tokens.append(token)
    if blocks and env.get("is_too_much"):
        blocks[-1].tokens = []
    return blocks


def draw_block(block: Block, source_chars: int, env: EnvType, budget: Budget) -> str:
    """The HTML of one block, which is not cleaned yet. Raises TooMuch.

    `env["picture"]` maps a picture's address to the one the page shows it at, or None.
    `env["scope"]` is the prefix of the ids of footnotes.
    """
    if not block.tokens:
        raise TooMuch
    meter = Meter(MAX_INLINE_TOKENS - budget.inline_tokens)
    env = {**env, "meter": meter}
    state = StateCore("", _MARKDOWN, env, block.tokens)
    _MARKDOWN.core.process(state)
    cost = Cost(len(block.tokens), meter.count, _count_formulas(state.tokens), source_chars)
    budget.add(cost)
    html: str = _MARKDOWN.renderer.render(state.tokens, _MARKDOWN.options, env)
    if html == "<p></p>\n":
        # It held nothing but a comment.
        html = ""
    budget.add(Cost(html_chars=len(html)))
    return html


def plain(text: str) -> str:
    """The rest of a reply that costs too much, as it was written."""
    return f'<pre class="plain" tabindex="0">{escapeHtml(text)}</pre>\n'


def _count_formulas(tokens: list[Token]) -> int:
    count = 0
    for token in tokens:
        count += token.type == "formula_block"
        count += sum(child.type == "formula" for child in token.children or ())
    return count


def _is_linkable(url: str) -> bool:
    return bool(_LINKABLE.match(url) or _INLINE_PICTURE.match(url))


def _lower_headings(state: StateCore) -> None:
    """Below the heading of the answer itself, which is the page's h2."""
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"


def _turn_round(state: StateCore) -> None:
    """A block with sides runs as its first letter does; a paragraph's side is the style sheet's."""
    first = state.tokens[0]
    if first.type not in _SIDED:
        return
    texts = (token.content for token in state.tokens if token.type == "inline")
    letter = next(filter(None, map(_LETTER.search, texts)), None)
    if letter and _FROM_RIGHT.match(letter[0]):
        first.attrSet("dir", "rtl")


def _show_or_link_images(state: StateCore) -> None:
    """Shows a picture only when this server fetches it. Any other becomes a link: an image would
    call a stranger's server from the visitor's browser.
    """
    picture: Callable[[str], str | None] = state.env.get("picture") or _no_picture
    for block in state.tokens:
        if not any(child.type == "image" for child in block.children or ()):
            continue
        children: list[Token] = []
        depth = 0
        for child in block.children or ():
            depth += child.nesting if child.type in ("link_open", "link_close") else 0
            is_image = child.type == "image"
            children += _picture_or_link(child, depth > 0, picture) if is_image else [child]
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


Rule = Sequence[Token]


def _render_code(renderer: object, tokens: Rule, at: int, options: object, env: EnvType) -> str:
    """Code is coloured in the browser, which finds the language in the class."""
    words = tokens[at].info.split(maxsplit=1)
    language = words[0].lower() if words else ""
    label = name = ""
    if _LANGUAGE.fullmatch(language):
        label = f' data-language="{language}"'
        name = f' class="language-{language}"'
    code = escapeHtml(tokens[at].content.removesuffix("\n"))
    return f'<div class="code"{label}><pre tabindex="0"><code{name}>{code}</code></pre></div>\n'


def _render_formula(renderer: object, tokens: Rule, at: int, options: object, env: EnvType) -> str:
    source = tokens[at].content
    html = mathml(source, tokens[at].markup == "$$")
    if len(source) < _LONG_FORMULA:
        return html
    # A long formula scrolls in a box of its own. A short one stays on the baseline of its line.
    return f'<span class="formula">{html}</span>'


def _render_formula_block(
    renderer: object, tokens: Rule, at: int, options: object, env: EnvType
) -> str:
    return f'<div class="formula" tabindex="0">{mathml(tokens[at].content, True)}</div>\n'


def _render_long(renderer: object, tokens: Rule, at: int, options: object, env: EnvType) -> str:
    return f'<span class="plain">{escapeHtml(tokens[at].content)}</span>'


def _render_long_block(
    renderer: object, tokens: Rule, at: int, options: object, env: EnvType
) -> str:
    return plain(tokens[at].content)


def _render_nothing(renderer: object, tokens: Rule, at: int, options: object, env: EnvType) -> str:
    return ""


def _render_tag(renderer: object, tokens: Rule, at: int, options: object, env: EnvType) -> str:
    return f"</{tokens[at].tag}>" if tokens[at].nesting < 0 else f"<{tokens[at].tag}>"


def _render_picture(renderer: object, tokens: Rule, at: int, options: object, env: EnvType) -> str:
    source, text = escapeHtml(str(tokens[at].attrs["src"])), escapeHtml(tokens[at].content)
    return f'<img src="{source}" alt="{text}" loading="lazy" decoding="async">'


def _render_table_open(
    renderer: object, tokens: Rule, at: int, options: object, env: EnvType
) -> str:
    side = ' dir="rtl"' if "dir" in tokens[at].attrs else ""
    return f'<div class="table" tabindex="0"{side}><table>\n'


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
    "long": _render_long,
    "long_block": _render_long_block,
    "comment": _render_nothing,
    "tag": _render_tag,
    "picture": _render_picture,
    "table_open": _render_table_open,
    "table_close": _render_table_close,
    "th_open": _render_cell,
    "td_open": _render_cell,
}
_MARKDOWN = _parser()
# Blocks are read first and drawn one by one.
_MARKDOWN.core.ruler.disable(["normalize", "block"])
