"""What stands inside a line: emphasis beside Chinese, bare addresses, harmless tags."""

import math
import re
import unicodedata

from markdown_it import MarkdownIt
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline, image, link
from markdown_it.rules_inline.state_inline import Scanned
from markdown_it.token import Token
from markdown_it.utils import EnvType

from chat.page.budget import MAX_NESTING, MAX_PROSE_CHARS

# A bare address ends at white space, quotes and Chinese: the stop of 见 https://a.cn。 is outside
_BARE_ADDRESS = re.compile(
    r"://[^\s<>\"'`\\|\u2018-\u201d\u3000-\u303f\u3400-\u9fff\uff00-\uffef]*"
    r"(?:\\[_*~&#-][^\s<>\"'`\\|\u2018-\u201d\u3000-\u303f\u3400-\u9fff\uff00-\uffef]*)*"
)
_SCHEME = re.compile(r"(?:^|[^A-Za-z0-9+.-])(https?)$", re.IGNORECASE)
_AFTER_ADDRESS = ".,;:!?*~"
_BRACKETS = {")": "(", "]": "[", "}": "{"}

# Behind the opening marks of `**重点**` no sentence goes on: `呀~~，` and `张**，` open nothing.
_CONTINUING = re.compile(r"[，。、；：！？…,.;:!?）》」』】”’)\]}>]")
_MARKED_PUNCTUATION = re.compile(r"(\*{1,3}|~~)[^\w\s*~]{1,3}\1")
# A wave behind such a particle is a tone of voice: 你好呀~~
_PARTICLES = frozenset("呀啊呢吧啦嘛哦噢喔哟嗯哈嘿哒哇耶咯嘞啵~～")
# So is one behind a greeting that begins a sentence.
_GREETING = re.compile(
    r"(?:^|[^\w])(?:[早嗨]|[你您]好|大家好|[早中晚]上好|[中下]午好|早安|晚安|谢谢|感谢|再见|拜拜?"
    r"|收到|好[的滴]|来了|在的|亲爱的|亲|哈喽|加油|欢迎|没问题|不客气|辛苦了|恭喜|抱歉|稍等)$"
)
_LONGEST_GREETING = 4
# Such a name begins a clause or follows one of these words, and stars hide the rest of it.
# Names that are also words, such as 高 and 文, may stand before emphasis: 高**风险**.
_SURNAMES = frozenset(
    "王李张刘陈杨赵吴周徐孙朱郭罗郑谢宋唐韩冯邓曹彭曾萧蔡潘袁董吕蒋沈姜卢傅钱胡林梁许苏丁魏"
    "薛阎余杜戴钟汪范姚谭廖邹熊陆郝孔崔邱秦侯邵孟汤尹黎乔贺赖龚施陶俞倪翁"
)
_BEFORE_NAMES = frozenset("和与及跟的是叫由给对")
# A star that is spoken of: 带*的必填, 打*号, 用*标出.
_BEFORE_STAR = frozenset("带标打加有注用")
_BEHIND_STAR = frozenset("的号者处项标表为是")
# And *.txt, where it stands for any name.
_PATTERN = re.compile(r"\*\.[A-Za-z]")
# A star between two factors: 面积 = 长*宽. Stops end an expression, and spaces but beside a sign.
_PRODUCT = re.compile(r"[=＝+＋×÷]|^\w(?:\*\w)+$")
_OF_EXPRESSION = r"(?:[^\s，。；：！？、,;:!?“”\"'`|]|[ ](?=[=＝+＋×÷])|(?<=[=＝+＋×÷])[ ])*"
_EXPRESSION = re.compile(_OF_EXPRESSION)
_BEFORE_EXPRESSION = re.compile(_OF_EXPRESSION + "$")
_MAX_EXPRESSION_CHARS = 40
# A face has stars for cheeks, and no words: (*^_^*).
_FACE = re.compile(r"[(（]\*(?![^*]*[A-Za-z0-9]{2})[^\u3400-\u9fff()（）*\s]{1,8}\*[)）]")
_MAX_FACE_CHARS = 12
# So has ^_^ its line for a mouth.
_LEFT_EYES, _RIGHT_EYES = frozenset("^-=>@*;+~"), frozenset("^-=<@*;+~")
# Names of Python, as in `__init__.py` and `self.__dict__`, are no emphasis.
_DUNDER = re.compile(r"__[a-z0-9]+(?:_[a-z0-9]+)*__")
_AFTER_DUNDER = re.compile(r"\.[a-z]|\(|/")
_DUNDER_NAMES = frozenset(
    "__init__ __name__ __main__ __file__ __all__ __doc__ __dict__ __call__ __str__ __repr__ __new__"
    " __del__ __len__ __iter__ __next__ __enter__ __exit__ __getitem__ __setitem__ __class__"
    " __slots__ __version__ __author__ __path__ __import__ __eq__ __hash__ __bool__".split()
)

# The backslashes of C:\_cache and \\server\_share stand before no mark.
_DRIVE = re.compile(r"(?:^|[^A-Za-z0-9])[A-Za-z]:$")
_PATH = re.compile(r"(?:\\[^\s\\/:*?\"<>|`$()\[\]，。；：、！？（）“”‘’《》]*)+")
_SHARE = re.compile(r"\\\\[A-Za-z0-9.-]+(?=\\[\w$.])")

_TAG = re.compile(
    r"<(?P<end>/?)(?P<name>br|sub|sup|u|kbd|mark|b|i|s|strong|em|del|ins|small|code|samp|var|q"
    r"|cite|dfn|abbr|ruby|rt|rp|ul|ol|li)\s*/?>",
    re.IGNORECASE,
)
_LINE_END = re.compile(r"[ \t]*\n[ \t]*")
_MAX_COMMENT_CHARS = 2_000
_PLAIN = re.compile(r"[^\n\\`*_~!\[\]<>&$:^{}]*")
_LISTS = {"ul", "ol", "li"}
_EMPHASIS = {"strong_open", "em_open", "s_open"}
_EMPHASIS_END = {"strong_close", "em_close", "s_close"}


def inlines_plugin(md: MarkdownIt) -> None:
    """Adds the rules."""
    md.inline = _ParserInline(md.inline)
    md.inline.ruler.at("link", _link)
    md.inline.ruler.at("image", _image)
    md.inline.ruler.before("newline", "bare_address", _bare_address)
    md.inline.ruler.before("escape", "path", _path)
    md.inline.ruler.before("autolink", "comment", _comment)
    md.inline.ruler.before("autolink", "tag", _tag)
    md.core.ruler.push("tags", _pair_tags)
    md.core.ruler.push("depth", _flatten_emphasis)


class _State(StateInline):
    """Counts tokens, and knows which marks may open and close emphasis."""

    def push(self, ttype: str, tag: str, nesting: int) -> Token:
        """Raises TooMuch."""
        self.env["meter"].add()
        return super().push(ttype, tag, nesting)  # type: ignore[arg-type]

    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:
        """Lets ** open and close beside Chinese punctuation, as in `**注意：**请`."""
        scanned = super().scanDelims(start, canSplitWord)
        before = self.src[start - 1] if start else " "
        after_at = start + scanned.length
        after = self.src[after_at] if after_at < self.posMax else " "
        mark = self.src[start]
        if mark == "~" and scanned.length > 2:
            return Scanned(False, False, scanned.length)
        if mark == "~" and _is_ascii_word(before) and _is_ascii_word(after):
            # A range: 10~~15.
            return Scanned(False, scanned.can_close, scanned.length)
        if mark == "*" and self._is_sign(start, before, after, scanned.length):
            return Scanned(False, False, scanned.length)
        if mark == "*" and _is_mask(before, after, scanned.length):
            # `**¥100**1` ends emphasis between digits; no emphasis begins there.
            return Scanned(False, scanned.length < 4, scanned.length)
        if mark != "_" and (_is_chinese(before) or _is_chinese(after)):
            scanned = Scanned(not after.isspace(), not before.isspace(), scanned.length)
        if scanned.can_open and not self._may_open(start, before, after):
            return Scanned(False, scanned.can_close, scanned.length)
        return scanned

    def _may_open(self, start: int, before: str, after: str) -> bool:
        if self._is_tone(start, before) or self._is_masked_name(start, before):
            return False
        if self.src[start] == "_" and self._is_dunder(start):
            return False
        if self.src[start] == "_" and before in _LEFT_EYES and after in _RIGHT_EYES:
            return False
        if not _CONTINUING.match(after) or not _is_chinese(after):
            return True
        return _MARKED_PUNCTUATION.match(self.src, start) is not None

    def _is_tone(self, start: int, before: str) -> bool:
        if self.src[start] != "~":
            return False
        text = self.src[max(0, start - _LONGEST_GREETING - 1) : start]
        return before in _PARTICLES or _GREETING.search(text) is not None

    def _is_sign(self, start: int, before: str, after: str, length: int) -> bool:
        """Whether the stars are what is spoken of, a factor's sign, a face or a gap."""
        if before in _BEFORE_STAR and after in _BEHIND_STAR:
            return True
        if before in "(（[【" and after in ")）]】":
            return True
        if length != 1:
            return length > 3 and before.isalnum() and after.isalnum()
        if not _is_ascii_word(before) and _PATTERN.match(self.src, start):
            return True
        return self._is_in_product(start, before, after) or self._is_in_face(start)

    def _is_in_product(self, start: int, before: str, after: str) -> bool:
        is_before, is_after = before.isalnum() or before in ")）", after.isalnum() or after in "(（"
        if not is_before or not is_after:
            return False
        beginning = self.src[max(0, start - _MAX_EXPRESSION_CHARS) : start]
        rest = _EXPRESSION.match(self.src, start, start + _MAX_EXPRESSION_CHARS)
        expression = _BEFORE_EXPRESSION.search(beginning)[0] + rest[0]  # type: ignore[index]
        return _PRODUCT.search(expression) is not None

    def _is_in_face(self, start: int) -> bool:
        begin = start - 1
        if self.src[start + 1 : start + 2] in (")", "）"):
            begin = self.src.rfind("*", max(0, start - _MAX_FACE_CHARS), start) - 1
        return begin >= 0 and _FACE.match(self.src, begin) is not None

    def _is_masked_name(self, start: int, before: str) -> bool:
        if self.src[start] != "*" or before not in _SURNAMES:
            return False
        ahead = self.src[start - 2] if start > 1 else " "
        return not ahead.isalnum() or ahead in _BEFORE_NAMES

    def _is_dunder(self, start: int) -> bool:
        name = _DUNDER.match(self.src, start, self.posMax)
        if name is None:
            return False
        before = self.src[start - 1] if start else " "
        if name[0] in _DUNDER_NAMES or before in "./":
            return True
        return _AFTER_DUNDER.match(self.src, name.end()) is not None


def _is_mask(before: str, after: str, length: int) -> bool:
    """Whether the stars hide digits or letters, as in 138****5678 and f***k, or multiply them."""
    is_before, is_after = _is_ascii_word(before), _is_ascii_word(after)
    if length > 3:
        return is_before or is_after
    # Two stars may be emphasis even there: Python**3**.
    is_number = before.isdigit() and after.isdigit()
    return is_before and is_after and (length != 2 or is_number)


def _is_ascii_word(character: str) -> bool:
    return character.isascii() and character.isalnum()


def _is_chinese(character: str) -> bool:
    return character > "\u2e7f" and unicodedata.east_asian_width(character) in "WF"


class _ParserInline(ParserInline):
    """Reads text without marks at once, and too long text as it is."""

    def __init__(self, standard: ParserInline) -> None:
        super().__init__()
        self.ruler, self.ruler2 = standard.ruler, standard.ruler2

    def parse(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> list[Token]:
        """Raises TooMuch."""
        if len(src) > MAX_PROSE_CHARS or _PLAIN.fullmatch(src):
            env["meter"].add()
            kind = "long" if len(src) > MAX_PROSE_CHARS else "text"
            tokens.append(Token(kind, "", 0, content=src))
            return tokens
        state = _State(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens


def _link(state: StateInline, silent: bool) -> bool:
    return _may_be_link(state) and link(state, silent)


def _image(state: StateInline, silent: bool) -> bool:
    return _may_be_link(state) and image(state, silent)


def _may_be_link(state: StateInline) -> bool:
    """Without references a link needs `](`: 20,000 brackets are not looked at one by one."""
    return state.html_terminator_last("](") > state.pos


def _bare_address(state: StateInline, silent: bool) -> bool:
    """An address is found before emphasis and escapes: `/main/__init__.py` is one link, whole."""
    if not state.src.startswith("://", state.pos):
        return False
    scheme = _SCHEME.search(state.src[max(0, state.pos - 6) : state.pos])
    # Not both at once: what follows each of 7,000 `://` is long.
    match = scheme and _BARE_ADDRESS.match(state.src, state.pos, state.posMax)
    if scheme is None or match is None:
        return False
    rest = _trimmed(match[0])
    if len(rest) <= len("://"):
        return False
    if not silent:
        state.pending = state.pending[: -len(scheme[1])]
        _push_address(state, scheme[1] + re.sub(r"\\(.)", r"\1", rest))
    state.pos += len(rest)
    return True


def _trimmed(address: str) -> str:
    """Without the brackets and stops that belong to the sentence."""
    depth = dict.fromkeys(_BRACKETS.values(), 0)
    for position, character in enumerate(address):
        if character in depth:
            depth[character] += 1
        elif character in _BRACKETS:
            depth[_BRACKETS[character]] -= 1
            if depth[_BRACKETS[character]] < 0:
                address = address[:position]
                break
    return address.rstrip(_AFTER_ADDRESS)


def _push_address(state: StateInline, address: str) -> None:
    if state.linkLevel:
        state.push("text", "", 0).content = address
        return
    state.push("link_open", "a", 1).attrs = {"href": address}
    state.push("text", "", 0).content = address
    state.push("link_close", "a", -1)


def _path(state: StateInline, silent: bool) -> bool:
    """Keeps the backslashes of a path on Windows: `C:\\.ssh` is no `C:.ssh`."""
    if state.src[state.pos] != "\\":
        return False
    before = state.src[max(0, state.pos - 3) : state.pos]
    begin = state.pos
    if not before[-1:].isalnum() and (share := _SHARE.match(state.src, begin, state.posMax)):
        begin = share.end()
    elif not _DRIVE.search(before):
        return False
    path = _PATH.match(state.src, begin, state.posMax)
    end = path.end() if path else begin
    if not silent:
        state.pending += state.src[state.pos : end]
    state.pos = end
    return True


def _comment(state: StateInline, silent: bool) -> bool:
    if not state.src.startswith("<!--", state.pos):
        return False
    end = state.src.find("-->", state.pos + 4, state.pos + _MAX_COMMENT_CHARS)
    if end < 0 or end + 3 > state.posMax:
        return False
    if not silent:
        state.push("comment", "", 0)
    is_first = state.pos == 0 or state.src[state.pos - 1] == "\n"
    state.pos = end + len("-->")
    if is_first:
        # A line of a comment alone is no blank line.
        state.pos = _end_of_line(state)
    return True


def _end_of_line(state: StateInline) -> int:
    """Where the next line begins when nothing more stands on this one, else the position."""
    match = _LINE_END.match(state.src, state.pos, state.posMax)
    return match.end() if match else state.pos


def _tag(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] != "<":
        return False
    match = _TAG.match(state.src, state.pos, state.posMax)
    if match is None:
        return False
    if not silent:
        name = match["name"].lower()
        if name == "br":
            state.push("hardbreak", "br", 0)
        else:
            token = state.push("tag_close" if match["end"] else "tag_open", name, 0)
            token.content = match[0]
    state.pos = match.end()
    if match["name"].lower() == "br":
        # With a line's end behind it, it is still one break.
        state.pos = _end_of_line(state)
    return True


def _pair_tags(state: StateCore) -> None:
    """Keeps the tags that open and close within one text; the others are text."""
    for block in state.tokens:
        children = block.children or []
        if any(child.type in ("tag_open", "tag_close") for child in children):
            _pair(children)
            block.children = _draw_lists(children)


def _pair(children: list[Token]) -> None:
    pending: list[Token] = []
    for child in children:
        if child.type == "tag_open":
            pending.append(child)
        elif child.type == "tag_close":
            # An opening tag that is overtaken by another's end stays text.
            names = [token.tag for token in pending[-MAX_NESTING:]]
            if child.tag not in names:
                child.type = "text"
                continue
            depth = len(names) - 1 - names[::-1].index(child.tag)
            del pending[len(pending) - len(names) + depth + 1 :]
            opening = pending.pop()
            opening.type, opening.nesting = "tag", 1
            child.type, child.nesting = "tag", -1
    for child in children:
        if child.type == "tag_open":
            child.type = "text"


def _draw_lists(children: list[Token]) -> list[Token]:
    """Lists of tags, which models write into cells of tables, become lines with a sign."""
    has_items = any(child.type == "tag" and child.tag == "li" for child in children)
    lines: list[Token] = []
    # How many items each list around has had so far; a list without numbers has a negative count.
    counts: list[float] = []
    for child in children:
        if child.type != "tag" or child.tag not in _LISTS:
            lines.append(child)
        elif not has_items:
            child.type = "text"
            lines.append(child)
        elif child.tag != "li":
            _enter_or_leave_list(child, counts)
        elif child.nesting > 0:
            lines += _beginning_of_item(lines, counts)
    return lines


def _enter_or_leave_list(tag: Token, counts: list[float]) -> None:
    if tag.nesting < 0:
        counts.pop()
    else:
        counts.append(0 if tag.tag == "ol" else -math.inf)


def _beginning_of_item(lines: list[Token], counts: list[float]) -> list[Token]:
    sign = "• "
    if counts:
        counts[-1] += 1
        sign = f"{counts[-1]}. " if counts[-1] > 0 else sign
    item = Token("text", "", 0, content=sign)
    is_first = not lines or lines[-1].type == "hardbreak"
    return [item] if is_first else [Token("hardbreak", "br", 0), item]


def _flatten_emphasis(state: StateCore) -> None:
    """Drops emphasis inside emphasis inside … beyond the depth that a page may have."""
    for block in state.tokens:
        depth = 0
        for child in block.children or []:
            is_open = child.type in _EMPHASIS or (child.type == "tag" and child.nesting > 0)
            is_end = child.type in _EMPHASIS_END or (child.type == "tag" and child.nesting < 0)
            depth += is_open
            if (is_open or is_end) and depth > MAX_NESTING:
                child.type, child.content = "text", child.markup or child.content
            depth -= is_end
