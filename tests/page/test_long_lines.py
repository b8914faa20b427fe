"""No pattern gives back what it has matched: a line of many marks holds nobody up."""

import string
import time

import pytest

from chat.page.rendering import GrowingMarkdown, render_blocks

SIZE = 20_000
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
# The patterns that were wrong took from half a minute on.
AT_ONCE_S = 2


@pytest.mark.parametrize("mark", MARKS)
def test_marks_repeated_are_drawn_at_once_live_and_later(mark: str) -> None:
    for beginning in BEGINNINGS:
        for end in ENDS:
            text = beginning + mark * (SIZE // len(mark)) + end
            started = time.thread_time()
            growing = GrowingMarkdown()
            growing.feed(text)
            growing.changes()
            growing.feed("x")
            growing.changes(last=True)
            assert growing.blocks() == render_blocks([text + "x"]), (beginning, end)
            assert time.thread_time() - started < AT_ONCE_S, (beginning, end)


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
