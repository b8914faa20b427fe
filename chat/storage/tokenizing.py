"""Texts cut into words that a full-text index finds again: Chinese by pairs of characters, Latin by prefix.

A run of Chinese, Japanese or Korean characters is indexed as its overlapping pairs and its last character:
"天气好" as 天气, 气好, 好. Any part of it of two characters or more is then a phrase of pairs, and one
character is a prefix. Other words are indexed as they are. SQLite's own trigrams need three characters, and
most Chinese words have two.

Every word begins with a scope, a few letters that stand for its visitor, so that a search reads what one
visitor has said and not the whole site: with a column for the visitor instead, one character took 140 ms at
180,000 answers of others, and the longer the more there were.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, groupby
from operator import add

MOST_TYPED, MOST_WORDS = 100, 8
EXCERPT, BEFORE = 80, 24

_CJK = (
    "\u1100-\u11ff\u3005-\u3007\u3031-\u3035\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff"
    "\u3105-\u312f\u3131-\u318e\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff"
    "\uf900-\ufaff\U00020000-\U0003ffff"
)
_LATIN = rf"[^\W_{_CJK}]"
_RUNS = re.compile(f"[{_CJK}]+|{_LATIN}+")
_CUT = re.compile(f"([{_CJK}]+)|({_LATIN}+)")
_IS_CJK = re.compile(f"[{_CJK}]")
_BETWEEN = re.compile(r"[\s,;!?、。｡]+")  # what stands between two words of a search, once folded
# A character with what it is composed with, so that folding it alone gives what folding the text gives.
_CLUSTERS = re.compile("[^\\n][\u0300-\u036f\u3099\u309a\uff9e\uff9f]*|\\n")
_END_OF_PART = " ¶ "  # a word that nobody can search: no phrase reaches from one part into the next

Pieces = tuple[
    tuple[str, bool], ...
]  # a text in pieces, each with whether it is what was searched for


def folded(text: str) -> str:
    """The text without differences of case, width and composition. It may get longer or shorter."""
    return unicodedata.normalize("NFKC", text).casefold()


def indexed(parts: Iterable[str], scope: str) -> str:
    """What the index holds of a question and its replies: words of the scope with spaces between them."""
    return _END_OF_PART.join(scope + f" {scope}".join(_cut(folded(part))) for part in parts)


@dataclass(frozen=True)
class Words:
    """What somebody searches for: words, each of one or more runs of characters that stand side by side."""

    runs: tuple[tuple[str, ...], ...]

    @classmethod
    def typed(cls, text: str) -> "Words":
        """The words in what somebody has typed, the first few of them; none when it holds no letter."""
        words = (tuple(_RUNS.findall(word)) for word in _BETWEEN.split(folded(text[:MOST_TYPED])))
        return cls(tuple(dict.fromkeys(word for word in words if word))[:MOST_WORDS])

    def __bool__(self) -> bool:
        return bool(self.runs)

    def query(self, scope: str) -> str:
        """An FTS5 expression for indexed texts of the scope that hold all words; letters and digits only."""
        return " AND ".join(_phrase(word, scope) for word in self.runs)

    @cached_property
    def patterns(self) -> tuple[re.Pattern[str], ...]:
        """For each word what finds in a folded text exactly what the index finds."""
        return tuple(re.compile(_pattern(word)) for word in self.runs)

    def are_in(self, text: str) -> bool:
        """Whether a folded text holds all words."""
        return all(pattern.search(text) for pattern in self.patterns)

    def excerpt(self, parts: Iterable[str]) -> Pieces:
        """About EXCERPT characters around the first word that is found in one of the texts, in one line."""
        parts = list(parts)
        for part in parts:
            first = min((found.start() for found in self._found_in(folded(part))), default=None)
            if first is not None:
                return self._around(part, _position(part, first))
        return self._around(parts[0], 0) if parts else ()

    def marked(self, text: str) -> Pieces:
        """The whole text, with the words told from the rest."""
        clusters: list[str] = _CLUSTERS.findall(text)
        pieces = [folded(one) for one in clusters]
        starts = list(accumulate(map(len, pieces), initial=0))
        is_match = [False] * len(clusters)
        for found in self._found_in("".join(pieces)):
            for number in range(
                bisect_right(starts, found.start()) - 1, bisect_left(starts, found.end())
            ):
                is_match[number] = True
        groups = groupby(zip(clusters, is_match, strict=True), key=lambda one: one[1])
        return tuple(("".join(cluster for cluster, _ in group), is_one) for is_one, group in groups)

    def _found_in(self, text: str) -> Iterator[re.Match[str]]:
        for pattern in self.patterns:
            yield from pattern.finditer(text)

    def _around(self, text: str, position: int) -> Pieces:
        start = max(0, position - BEFORE)
        shown = " ".join(text[start : start + EXCERPT].split())
        before, after = "…" if start else "", "…" if start + EXCERPT < len(text) else ""
        return self.marked(f"{before}{shown}{after}")


def _cut(text: str) -> list[str]:
    words: list[str] = []
    for chinese, latin in _CUT.findall(text):
        if chinese:
            words += map(add, chinese, chinese[1:])  # far faster than cutting pairs out
            words.append(chinese[-1])
        else:
            words.append(latin)
    return words


def _phrase(word: tuple[str, ...], scope: str) -> str:
    """A word as a phrase of FTS5. Where it ends, the text may go on; where it begins, only Chinese may."""
    *inner, last = word
    tokens = [token for run in inner for token in _cut(run)]
    if _IS_CJK.match(last) and len(last) > 1:
        tokens, prefix = [*tokens, *_cut(last)[:-1]], ""
    else:
        tokens, prefix = [*tokens, last], " *"
    return '"' + " ".join(scope + token for token in tokens) + '"' + prefix


def _pattern(word: tuple[str, ...]) -> str:
    pattern, before = "", None
    for run in word:
        is_cjk = _IS_CJK.match(run) is not None
        if before is None:
            pattern += "" if is_cjk else f"(?<!{_LATIN})"
        else:
            pattern += r"[\W_]+" if is_cjk == before else r"[\W_]*"
        pattern, before = pattern + re.escape(run), is_cjk
    return pattern


def _position(text: str, position: int) -> int:
    """Where in a text the character begins that is at this position of the folded text."""
    return bisect_right(range(len(text)), position, key=lambda end: len(folded(text[:end]))) - 1
