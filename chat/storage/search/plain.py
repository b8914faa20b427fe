"""What a person reads of a Markdown text, without its marks: what a search looks at.

Every pattern here is linear: a repetition never gives back what it has matched, and stops at the
character that begins its own pattern.
"""

import re
import unicodedata
from collections.abc import Sequence

# Of a question with its replies so many characters are searched.
SEARCHED_CHARS = 50_000
# Stands between question and replies: no word reaches from one into the next.
SEPARATOR = "\ue000"

# A line of ``` or ~~~, with what may be written behind it.
_FENCE = re.compile(r"^[ \t>]*+(?P<fence>`{3,}+|~{3,}+)(?P<info>[^\n]*+)$", re.MULTILINE)
# Stands for a block of code while the prose around it is reduced.
_BLOCK = "\ue001"
_CODE = re.compile(r"(?<!`)(`{1,3}+)([^`\n]++)\1(?!`)|\ue001")
_UNREADABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ue000\ue001]")
_SPACES = re.compile(r"[^\S\n]{2,}+")

_TEXT_OF_LINK = r"(?:[^\[\]\n]++|\[[^\[\]\n]*+\])*+"
_TARGET = r"(?:[^()\n\ue000]++|\([^()\n\ue000]*+\))*+"
_LINK = re.compile(rf"!?\[({_TEXT_OF_LINK})\]\({_TARGET}\)")
_REFERENCE = re.compile(r"^ {0,3}\[[^\[\]\n]++\]:[^\n\ue000]*+$", re.MULTILINE)
_ADDRESS = re.compile(r"<(https?://[^<>\s]*+)>")
_TAG = re.compile(
    r"</?(?P<name>a|abbr|b|blockquote|br|center|cite|code|del|details|dfn|div|em|font|h[1-6]|hr|i"
    r"|img|ins|kbd|li|mark|ol|p|pre|q|rp|rt|ruby|s|samp|small|span|strong|sub|summary|sup|table"
    r"|tbody|td|th|thead|tr|u|ul|var)"
    r"(?P<rest>[\s/][^<>\ue000]*+)?>|<!--[^<>\ue000]*+>",
    re.IGNORECASE,
)
_ALT = re.compile(r"""\salt\s*+=\s*+(?:"([^"]*+)"|'([^']*+)')""", re.IGNORECASE)
_INLINE_TAGS = frozenset(
    "a abbr b cite code del dfn em font i ins kbd mark q rp rt ruby s samp small span strong"
    " sub sup u var".split()
)
# Marks around words, the longest first. A single star or dollar between letters or digits means
# itself, as in 3*4*5; more than three stars are a mask, as in 138****5678.
_PAIRS = [
    re.compile(pattern)
    for pattern in (
        r"(?<![A-Za-z0-9*\\])\*(?![\s*])([^*\n]++)\*(?![A-Za-z0-9*])",
        r"(?<![*\\])\*\*(?![\s*])([^*\n]++)\*\*(?!\*)",
        r"(?<![*\\])\*\*\*(?![\s*])([^*\n]++)\*\*\*(?!\*)",
        r"(?<![\w\\])_(?![\s_])([^_\n]++)_(?!\w)",
        r"(?<![\w\\])__(?![\s_])([^_\n]++)__(?!\w)",
        r"(?<![~\\])~~(?![\s~])([^~\n]++)~~(?!~)",
        r"(?<![A-Za-z0-9$\\])\$(?![\s$])([^$\n]++)\$(?![A-Za-z0-9$])",
        r"(?<![$\\])\$\$([^$]++)\$\$(?!\$)",
    )
]
# >60分 is no quote.
_QUOTE = re.compile(r"^(?:[ \t]*+>(?![=＝\d]))++[ \t]?", re.MULTILINE)
_RULE = re.compile(r"^[ \t]*+[-*_=:|][-*_=:| \t]++$", re.MULTILINE)
_HEADING = re.compile(r"^[ \t]*+#{1,6}[ \t]++", re.MULTILINE)
_BULLET = re.compile(r"^[ \t]*+[-*+][ \t]++", re.MULTILINE)
_ROW = re.compile(r"^[ \t]*+\|[^\n]*+$", re.MULTILINE)
_FORMULA = re.compile(r"\\[()\[\]]")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_ENTITY = re.compile(r"&(nbsp|lt|gt|amp|quot|#39);")
_ENTITIES = {"nbsp": " ", "lt": "<", "gt": ">", "amp": "&", "quot": '"', "#39": "'"}


def folded(text: str) -> str:
    """The text without differences of case, width and composition. It may get longer or shorter."""
    return unicodedata.normalize("NFKC", text).casefold()


def searchable(question: str, replies: Sequence[str]) -> str:
    """What is stored for the search of a question with its replies."""
    return SEPARATOR.join(folded(part) for part in readable(question, replies))


def readable(question: str, replies: Sequence[str]) -> list[str]:
    """The question as it was typed and the replies as they are read, SEARCHED_CHARS of them."""
    parts, room = [_without_unreadable(question[:SEARCHED_CHARS])], SEARCHED_CHARS - len(question)
    for reply in replies:
        if room <= 0:
            break
        parts.append(plain(reply[:room]))
        room -= len(reply)
    return parts


def plain(markdown: str) -> str:
    """The text without marks, tags and targets of links. Code stays, without its fences."""
    prose, blocks = _without_blocks(_without_unreadable(markdown))
    codes: list[str] = []

    def put_aside(code: re.Match[str]) -> str:
        codes.append(blocks.pop() if code[0] == _BLOCK else code[2])
        return SEPARATOR

    blocks.reverse()
    words = _words(_CODE.sub(put_aside, _QUOTE.sub("", prose)))
    # No pattern of _words takes a separator away: there are as many as codes.
    codes.reverse()
    return _SPACES.sub(" ", re.sub(SEPARATOR, lambda _: codes.pop(), words))


def _without_blocks(text: str) -> tuple[str, list[str]]:
    """The text with _BLOCK in place of each block of code, and the blocks."""
    parts: list[str] = []
    blocks: list[str] = []
    position, fence = 0, ""
    for line in _FENCE.finditer(text):
        marks = line["fence"]
        if not fence and marks[0] == "`" and "`" in line["info"]:
            # A line of prose that begins with code between backticks.
            continue
        if fence and (not marks.startswith(fence) or line["info"].strip()):
            continue
        if fence:
            blocks.append(text[position : line.start()])
            parts.append(f"{_BLOCK}\n")
        else:
            parts.append(text[position : line.start()])
        position, fence = line.end() + 1, "" if fence else marks
    if fence:
        blocks.append(text[position:])
        parts.append(_BLOCK)
    else:
        parts.append(text[position:])
    return "".join(parts), blocks


def _without_unreadable(text: str) -> str:
    return _UNREADABLE.sub(" ", text)


def _words(text: str) -> str:
    text = _RULE.sub("", text)
    text = _HEADING.sub("", text)
    text = _BULLET.sub("", text)
    text = _REFERENCE.sub("", text)
    text = _ROW.sub(lambda row: row[0].replace("|", " "), text)
    # Twice: a picture may be the text of a link.
    text = _LINK.sub(r"\1", _LINK.sub(r"\1", text))
    text = _ADDRESS.sub(r"\1", text)
    text = _TAG.sub(_text_of_tag, text)
    for pair in _PAIRS:
        text = pair.sub(r"\1", text)
    text = _FORMULA.sub("", text)
    text = _ESCAPE.sub(r"\1", text)
    return _ENTITY.sub(lambda entity: _ENTITIES[entity[1]], text)


def _text_of_tag(tag: re.Match[str]) -> str:
    """A picture is its description, a tag between words nothing, any other one begins a line."""
    name = (tag["name"] or "").lower()
    if name == "img":
        alt = _ALT.search(tag["rest"] or "")
        return (alt[1] or alt[2] or "") if alt else ""
    return "" if not name or name in _INLINE_TAGS else "\n"
