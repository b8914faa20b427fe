"""No pattern gives back what it has matched: a line of many marks holds nobody up."""

import string
from itertools import cycle

import pytest

from chat.page.rendering import GrowingMarkdown, render_blocks
from tests.kit.effort import effort

SIZE = 6_000
BEGINNINGS = [
    "",
    "```markdown\n",
    "<details>",
    "<summary>",
    "> ",
    "- ",
    "|a|\n|-|\n|",
    "[^1]: ",
    "$$",
]
MARKS = [*string.punctuation, " ", "\t", "\n", "\u3000", "~ ", "> ", "://", "```", "{(", "--\n"]
ENDS = ["x", "`", " x\n"]
# What is linear takes 30 at most; the patterns that were wrong, from 250 on.
MOST_EFFORT = 120


@pytest.mark.parametrize("mark", MARKS)
def test_marks_repeated_are_drawn_at_once_live_and_later(mark: str) -> None:
    # Each mark meets each beginning and each end, if not all pairs of them.
    for beginning, end in zip(BEGINNINGS, cycle(ENDS), strict=False):
        text = beginning + mark * (SIZE // len(mark)) + end
        assert effort(lambda text=text: assert_it_grows(text)) < MOST_EFFORT, (beginning, end)


def assert_it_grows(text: str) -> None:
    """One more letter makes the same of it that the whole is."""
    growing = GrowingMarkdown()
    growing.feed(text)
    growing.changes()
    growing.feed("x")
    growing.changes(last=True)
    assert growing.blocks() == render_blocks([text + "x"])


def test_a_last_line_of_marks_waits_for_what_makes_it_a_block() -> None:
    for line in ["-", "> >", "> --", "***  ", "|", "> > ~~~ "]:
        growing = GrowingMarkdown()
        growing.feed(f"before\n{line}")
        growing.changes()
        assert growing.blocks() == ["<p>before</p>\n"], line
    growing = GrowingMarkdown()
    growing.feed("before\n- -- x")
    growing.changes()
    assert growing.blocks() != ["<p>before</p>\n"]
