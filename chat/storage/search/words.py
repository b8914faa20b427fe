"""The words that somebody searches for: what of a text they match, and the text around them.

Chinese, Japanese and Korean words match anywhere, others where a word begins.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, groupby

from chat.storage.search.plain import folded

MOST_TYPED, MOST_WORDS = 100, 8
EXCERPT, BEFORE = 80, 24

_CJK = (
    "\u1100-\u11ff\u3005-\u3007\u3031-\u3035\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff"
    "\u3105-\u312f\u3131-\u318e\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff"
    "\uf900-\ufaff\U00020000-\U0003ffff"
)
_LATIN = rf"[^\W_{_CJK}]"
_RUNS = re.compile(f"[{_CJK}]+|{_LATIN}+")
_IS_CJK = re.compile(f"[{_CJK}]")
# What stands between two words of a search, once folded.
_BETWEEN = re.compile(r"[\s,;!?、。｡]+")
# A character with its combining ones: folded alone it is the same as folded in the text.
_CLUSTERS = re.compile("[^\\n][\u0300-\u036f\u3099\u309a\uff9e\uff9f]*|\\n")

# A text in pieces, each with whether it matches.
Pieces = tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class SearchWords:
    """The words of a search, each of one or more runs of letters that stand side by side."""

    runs: tuple[tuple[str, ...], ...]

    @classmethod
    def typed(cls, text: str) -> "SearchWords":
        """The first few words of what was typed; none when it has no letter."""
        words = (tuple(_RUNS.findall(word)) for word in _BETWEEN.split(folded(text[:MOST_TYPED])))
        return cls(tuple(dict.fromkeys(word for word in words if word))[:MOST_WORDS])

    def __bool__(self) -> bool:
        return bool(self.runs)

    @property
    def all_runs(self) -> list[str]:
        """The runs of all words, letters and digits only: a text that matches has every one."""
        return list(dict.fromkeys(run for word in self.runs for run in word))

    @cached_property
    def patterns(self) -> tuple[re.Pattern[str], ...]:
        """One for each word, for folded texts."""
        return tuple(re.compile(_pattern(word)) for word in self.runs)

    def are_in(self, *parts: str) -> bool:
        """Whether the folded parts of a text have all words, each of them in one of the parts."""
        return all(any(pattern.search(part) for part in parts) for pattern in self.patterns)

    def excerpt(self, parts: Iterable[str]) -> Pieces:
        """About EXCERPT characters around the first match in one of the texts, in one line."""
        parts = list(parts)
        for part in parts:
            starts = (match.start() for match in self._matches(folded(part)))
            first = min(starts, default=None)
            if first is not None:
                return self._around(part, _position(part, first))
        return self._around(parts[0], 0) if parts else ()

    def marked(self, text: str) -> Pieces:
        """The whole text, its matches marked."""
        clusters: list[str] = _CLUSTERS.findall(text)
        pieces = [folded(cluster) for cluster in clusters]
        starts = list(accumulate(map(len, pieces), initial=0))
        is_match = [False] * len(clusters)
        for match in self._matches("".join(pieces)):
            for number in range(
                bisect_right(starts, match.start()) - 1, bisect_left(starts, match.end())
            ):
                is_match[number] = True
        groups = groupby(zip(clusters, is_match, strict=True), key=lambda pair: pair[1])
        return tuple(("".join(cluster for cluster, _ in group), is_hit) for is_hit, group in groups)

    def _matches(self, text: str) -> Iterator[re.Match[str]]:
        for pattern in self.patterns:
            yield from pattern.finditer(text)

    def _around(self, text: str, position: int) -> Pieces:
        start = max(0, position - BEFORE)
        line = " ".join(text[start : start + EXCERPT].split())
        before, after = "…" if start else "", "…" if start + EXCERPT < len(text) else ""
        return self.marked(f"{before}{line}{after}")


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
