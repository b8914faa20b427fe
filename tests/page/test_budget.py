"""Each construct repeated and nested to 200 kB, and 2 MB of some: bounded work, bounded HTML."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.page.budget import MAX_COLUMNS
from chat.page.rendering import GrowingMarkdown, render, render_blocks
from tests.kit.effort import effort
from tests.kit.patience import eventually

SIZE = 40_000
# Some texts are costliest just within the budget, and these beyond it.
LARGE = 200_000
CONSTRUCTS = [
    "- a\n", "1. a\n\n", "- a\n  - b\n", "* ", "> ", "> a\n\n", ">\n", "- [ ] a\n", "# a\n",
    "---\n", "|-|\n", "|a|b|\n|-|-|\n", "|", "a\n", "a\n\n", "    a\n", "\t", "\u3000", " ",
    "中", "**a ", "*a **b ", "*a_b ", "_a", "a**“**", "**注意：**", "~~a ", "a~~", "`", "`a``b",
    "\\", "\\*", "[", "![", "[](", "[a](", "[a](<", "[a](b \"", "](", "[a](https://b.cn) ",
    "![a](https://b.cn/p.png) ", "[a]: /b\n", "[^1]", "[^1]: a\n", "[^a", "$", "$x$ ", "$a",
    "$$", "$$\n", "$$x$$\n\n", "\\(", "\\[", "\\(x\\)", "$\\frac{1}{2}$ ", "\\(\\sqrt",
    "```\n", "```c\nx\n```\n", "```markdown\n", "~~~\n", "<", "<a:", "<b>", "<b><i>",
    "</b>", "<br>", "<!--", "<!-- x -->", "<details>\n", "<summary>",
    "<details>\n</details>\n", "&", "&amp;", ":", "://", "https://", "https://a.cn/_b_ ",
    "https://a.cn/(",
]  # fmt: skip
BOMBS = {
    "wide table": ("|a" * 256 + "\n" + "|-" * 256 + "\n" + "|1|\n" * 256 + "\n") * 20,
    "largest table": "|a" * MAX_COLUMNS + "\n" + "|-" * MAX_COLUMNS + "\n" + "|1|\n" * 9_000,
    "staircase": "".join("  " * depth + "- a\n" for depth in range(440)),
}


def picture(url: str) -> str:
    """Shows every picture."""
    return f"/pictures/{'0' * 32}?url=x"


def assert_cheap(text: str) -> None:
    """What is linear takes 150 at most; what grows too fast, many times as much."""
    blocks: list[str] = []
    scope = "0123456789abcdef01234567"
    assert effort(lambda: blocks.extend(render_blocks([text], picture, scope))) < 250
    assert len("".join(blocks)) <= 12 * len(text) + 150_000


@pytest.mark.parametrize("construct", CONSTRUCTS)
def test_a_construct_repeated_costs_a_bounded_time_and_size(construct: str) -> None:
    assert_cheap(construct * (SIZE // len(construct)))


@pytest.mark.parametrize(
    "construct", ["a\n", "---\n", "- [ ] a\n", "# a\n", "<details>\n", "$$\n", "["]
)
def test_beyond_the_budget_it_costs_no_more(construct: str) -> None:
    assert_cheap(construct * (LARGE // len(construct)))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(CONSTRUCTS), min_size=2, max_size=5).map("".join))
def test_mixtures_repeated_cost_a_bounded_time_and_size(construct: str) -> None:
    assert_cheap(construct * (20_000 // len(construct)))


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_cost_a_bounded_time_and_size(name: str) -> None:
    assert_cheap(BOMBS[name])


@pytest.mark.parametrize("construct", ["- a\n", "[", "$x$ "])
def test_two_megabytes_are_drawn(construct: str) -> None:
    assert_cheap(construct * (2_000_000 // len(construct)))


def test_many_replies_share_one_allowance() -> None:
    replies = ["$x$ " * 40] * 1_000
    html = "".join(render_blocks(replies))
    assert len(html) <= 12 * sum(map(len, replies)) + 150_000


def test_what_exceeds_the_budget_is_shown_as_text_to_the_last_word() -> None:
    html = render("- a & b\n" * 20_000 + "\n**Ende**")
    assert '<pre class="plain" tabindex="0">' in html
    assert html.count("a &amp; b") == 20_000
    assert "**Ende**</pre>" in html


def test_what_is_nested_too_deep_is_shown_as_text() -> None:
    assert "x</pre>" in render("- " * 200 + "x")
    assert "x</pre>" in render("> " * 200 + "x")


def test_a_large_honest_table_is_a_table() -> None:
    html = render("|a|b|c|d|\n|-|-|-|-|\n" + "|1|2|3|4|\n" * 2_000)
    assert html.count("<td>") == 8_000


def test_long_code_is_code() -> None:
    code = "print('hello, world, this is a line of code')\n" * 10_000
    assert render(f"```python\n{code}```").count("print") == 10_000


@pytest.mark.parametrize("construct", ["- a\n", "|a|b|\n|-|-|\n", "$x$ ", "# a\n\n", "[^1]: a\n\n"])
def test_a_reply_that_exceeds_the_budget_grows_to_what_the_whole_is(construct: str) -> None:
    text = construct * (120_000 // len(construct))
    growing = GrowingMarkdown()
    for start in range(0, len(text), 9_973):
        growing.feed(text[start : start + 9_973])
        growing.changes()
    growing.changes(last=True)
    assert growing.blocks() == render_blocks([text])


def test_a_growing_code_block_is_drawn_four_times_a_second() -> None:
    growing = GrowingMarkdown()
    growing.feed("```python\n" + "x = 1\n" * 1_100)
    growing.changes()
    growing.feed("y")
    assert eventually(lambda: growing.changes() is not None, 0.25)
