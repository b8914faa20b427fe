"""Whether the brackets of a formula would keep the converter busy, found before it is asked."""

import re
from collections.abc import Callable
from dataclasses import dataclass

# math-core 0.9 reads what follows an opening bracket without an end twice: 28 of them take 20 s.
# So much reading takes about 20 ms.
_MAX_READING = 1 << 18

_OPENINGS = frozenset("([⌈⌊⌜⌞⎰❲⟅⟦⟨⟪⟬⟮⦃⦅⦇⦉⦋⦍⦏⦑⦓⦕⦗⧘⧚⧼")
_CLOSINGS = frozenset(
    r") ] ⌉ ⌋ ⟧ ⟩ \} \rangle \rbrace \rbrack \rfloor \rceil \rvert \rVert \rgroup".split()
)
_MAY_OPEN = re.compile(rf"[{re.escape(''.join(_OPENINGS))}]|\\(?:[A-Za-z]+|\{{)")
# A definition may bring brackets that are not seen here.
_DEFINITION = re.compile(r"\\(?:re|provide)?(?:newcommand|command|def|let|Declare)")
_TOKEN = re.compile(
    r"(?P<skip>\s+|%[^\n]*|\\[bB]igg?[lr](?![A-Za-z])|\\middle(?![A-Za-z])\s*(?:\\[A-Za-z]+|\\?.))"
    r"|(?P<begin>\{|\\left(?![A-Za-z])\s*(?:\\[A-Za-z]+|\\?.)|\\begin\s*\{[^{}]*\})"
    r"|(?P<end>\}|\\right(?![A-Za-z])\s*(?:\\[A-Za-z]+|\\?.)|\\end\s*\{[^{}]*\})"
    r"|(?P<word>\\[A-Za-z]+)"
    r"|(?P<other>\\.|.)",
    re.DOTALL,
)


@dataclass
class _Group:
    """What is between two braces: brackets without an end, and arguments that are to come."""

    beginning: str
    open_count: int = 0
    arguments: int = 0


class _Reader:
    """Counts brackets without an end. Where LaTeX is unclear it counts too many."""

    def __init__(self, draw: Callable[[str], str | None]) -> None:
        self._draw = draw
        self._groups = [_Group("")]
        self.highest = 0

    def read(self, source: str) -> None:
        for token in _TOKEN.finditer(source):
            if token["begin"]:
                self._groups.append(_Group(token["begin"]))
            elif token["end"]:
                self._end_group()
            elif token["word"]:
                self._read_word(token["word"])
            elif token["other"]:
                self._read_other(token["other"])

    def _read_word(self, word: str) -> None:
        if word in _CLOSINGS:
            self._close()
        elif self._is_opening(word):
            self._open()
        else:
            self._take_argument()
            self._groups[-1].arguments += self._arguments_of(word)

    def _read_other(self, token: str) -> None:
        group = self._groups[-1]
        if token == "]" and group.beginning == "[":
            self._groups.pop()
            self._groups[-1].open_count += max(0, group.open_count - 1)
        elif token == "[" and group.arguments:
            # An option, as in \sqrt[3]{x}, or the argument itself.
            self._groups.append(_Group("["))
            self._open()
        elif token in _CLOSINGS:
            self._close()
        elif token in _OPENINGS or token == r"\{":
            self._open()
        elif token in ("&", r"\\"):
            if group.beginning.startswith(r"\begin"):
                group.open_count = 0
        elif token in ("^", "_"):
            group.arguments += 1
        elif len(token) == 1:
            self._take_argument()

    def _open(self) -> None:
        self._take_argument()
        self._groups[-1].open_count += 1
        self.highest = max(self.highest, sum(group.open_count for group in self._groups))

    def _close(self) -> None:
        group = self._groups[-1]
        if group.arguments:
            group.arguments -= 1
        elif group.open_count:
            group.open_count -= 1

    def _take_argument(self) -> None:
        group = self._groups[-1]
        group.arguments = max(0, group.arguments - 1)

    def _end_group(self) -> None:
        if len(self._groups) > 1:
            group = self._groups.pop()
            self._groups[-1].open_count += group.open_count
            self._take_argument()

    def _is_opening(self, word: str) -> bool:
        # \pmod a brings brackets of its own, of which \pmod\hat takes the second away.
        html = self._draw(word) or self._draw(word + "{a}") or ""
        return 'form="prefix"' in html or any(char in html for char in _OPENINGS)

    def _arguments_of(self, word: str) -> int:
        counts = (count for count in range(3) if self._draw(word + "{a}" * count) is not None)
        return next(counts, 3)


def are_costly(source: str, draw: Callable[[str], str | None]) -> bool:
    """Whether the brackets of a formula may keep the converter busy.

    `draw` gives the MathML of a short formula, or None where it makes no sense.
    """
    count = len(_MAY_OPEN.findall(source))
    if len(source) << count <= _MAX_READING:
        return False
    if _DEFINITION.search(source):
        return True
    reader = _Reader(draw)
    reader.read(source)
    return len(source) << reader.highest > _MAX_READING
