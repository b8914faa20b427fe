"""How much one reply may cost to draw: tokens, formulas, depth, and the size of its HTML."""

from dataclasses import dataclass, field

from markdown_it.rules_block import StateBlock
from markdown_it.token import Token

# Ten tokens take about 0.1 ms to make and draw. A table of 2,000 rows and five columns passes.
MAX_BLOCK_TOKENS = 40_000
MAX_INLINE_TOKENS = 40_000
MAX_FORMULAS = 1_000
MAX_COLUMNS = 64
MAX_NESTING = 20
MAX_REPLY_CHARS = 1_000_000
# One paragraph, item or cell longer than this is not searched for emphasis and links.
MAX_PROSE_CHARS = 20_000
# The cleaner adds the rel of links: what the page gets is up to twice of what is counted here.
MAX_HTML_PER_CHAR = 6
MIN_HTML_CHARS = 60_000


class TooMuch(Exception):
    """A block costs more than is left; from here on the reply is shown as text."""


@dataclass
class Budget:
    """What the blocks of one reply have cost so far.

    Every sum grows block by block, so that a reply drawn in steps ends where the whole one ends.
    """

    least_html: int = MIN_HTML_CHARS
    block_tokens: int = 0
    inline_tokens: int = 0
    formulas: int = 0
    source_chars: int = 0
    html_chars: int = 0

    def add(self, cost: "Cost") -> None:
        """Books the cost of one more block. Raises TooMuch."""
        self.block_tokens += cost.block_tokens
        self.inline_tokens += cost.inline_tokens
        self.formulas += cost.formulas
        self.source_chars += cost.source_chars
        self.html_chars += cost.html_chars
        if self._is_exceeded():
            raise TooMuch

    def _is_exceeded(self) -> bool:
        return (
            self.block_tokens > MAX_BLOCK_TOKENS
            or self.inline_tokens > MAX_INLINE_TOKENS
            or self.formulas > MAX_FORMULAS
            or self.source_chars > MAX_REPLY_CHARS
            or self.html_chars > self.least_html + MAX_HTML_PER_CHAR * self.source_chars
        )


@dataclass
class Cost:
    """What one block costs."""

    block_tokens: int = 0
    inline_tokens: int = 0
    formulas: int = 0
    source_chars: int = 0
    html_chars: int = 0


@dataclass
class Meter:
    """Counts tokens while a block is read, and stops the reading at a limit."""

    limit: int
    count: int = 0

    def add(self) -> None:
        """Counts one token. Raises TooMuch."""
        self.count += 1
        if self.count > self.limit:
            raise TooMuch


@dataclass
class Block:
    """One top-level block: its first line and its tokens. Without tokens it costs too much."""

    line: int
    tokens: list[Token] = field(default_factory=list)


class CountedBlocks(StateBlock):
    """Counts tokens, and gives the first token of each top-level block its first line at once."""

    _first_line = 0

    def skipEmptyLines(self, from_pos: int) -> int:
        """The next line that is not empty."""
        line = super().skipEmptyLines(from_pos)
        if self.level == 0:
            self._first_line = line
        return line

    def push(self, ttype: str, tag: str, nesting: int) -> Token:
        """Raises TooMuch."""
        is_first = self.level == 0
        token = super().push(ttype, tag, nesting)  # type: ignore[arg-type]
        if is_first:
            token.map = [self._first_line, self._first_line + 1]
        self.env["meter"].add()
        return token
