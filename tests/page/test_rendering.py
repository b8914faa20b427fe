"""Markdown to safe HTML: the same for every cut, and harmless whatever the text."""

import re
from html.parser import HTMLParser
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.page.rendering import GrowingMarkdown, render, render_blocks
from tests.kit.effort import effort

PIECES = [
    "# 标题\n", "- مرحبا\n", "text ", "**注意：**请", "*em*", "`code`", "~~gone~~",
    "\n", "\n\n", "\r\n", "\r",
    "- item\n", "- [x] done\n", "1. one\n", "   - nested\n", "    indented\n", "> quote\n",
    "```python\n", "```\n", "def f(): pass\n", "~~~\n", "| a | b |\n", "|---|:-:|\n", "| 1 | 2 |\n",
    "a|b\n", "-|-\n", "---\n", "===\n", "$$\n", "$$x^2$$", "$E=mc^2$", "\\[\n", "\\]\n",
    "\\(a+b\\)", "\\frac{1}{2}\n", "$5", "[link](https://example.com)",
    "![pic](https://example.com/a.png)", "[ref]: https://example.com\n", "[ref]",
    "https://example.com/a?b=c。", "<b>html</b>", "<!-- c -->\n", "&amp;", "&", "\t", "\\", "😀",
    "[^1]", "[^note]", "word[^note]", "[^1]: ", "[^注]：", "[^2]: note\n",
    "![p](https://ours.example/p.png)", "![d](data:image/png;base64,AAAA)", "\x00", "\ud83d",
    "\u2028", "\x0b", "\u3000", "***", "___\n", "+ \n", "!", "|", "~~", "**", "呀~~", "，",
    "<details>\n", "<summary>s</summary>\n", "</details>\n", "<br>", "<b>", "</b>", "<!--", "-->",
    "```markdown\n", "```bash\n", "://a.cn/_b_", "https", "$AAPL", "${name}", "138****5678",
    ">60分", ">_<", "~~~好\n", "    缩进的第一段\n", "C:\\_x", "<ul>", "<li>", "</li>", "</ul>",
    "(*^_^*)", "=长*宽", "10~~15", "带*的", "^\\d+$和", "\\[注\\]",
    "<ruby>", "<rt>", "</rt>", "</ruby>",
]  # fmt: skip

documents = st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=40).map("".join)


def picture(url: str) -> str | None:
    """Shows pictures of one host, as the site would."""
    if url.startswith("data:image/png"):
        return url
    return (
        f"/pictures/{'0' * 32}?url={quote(url, safe='')}"
        if url.startswith("https://ours.example/")
        else None
    )


def whole(text: str) -> str:
    return "".join(render_blocks([text], picture, "m1"))


def grown(pieces: list[str]) -> str:
    """The HTML that a reader of the changes has in the end."""
    answer = GrowingMarkdown(picture, "m1")
    page: list[str] = []
    for piece in pieces:
        answer.feed(piece)
        page = apply(page, answer.changes())
    page = apply(page, answer.changes(last=True))
    assert page == answer.blocks()
    return "".join(page)


def apply(page: list[str], change: tuple[int, list[str]] | None) -> list[str]:
    if change is None:
        return page
    first, blocks = change
    assert first <= len(page)
    return page[:first] + blocks


@settings(max_examples=200)
@given(documents, st.lists(st.integers(0, 400), max_size=12))
def test_any_split_gives_the_html_of_the_whole(text: str, cuts: list[int]) -> None:
    borders = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    assert grown([text[start:end] for start, end in pairwise(borders)]) == whole(text)


@settings(max_examples=100)
@given(documents)
def test_character_by_character_gives_the_html_of_the_whole(text: str) -> None:
    assert grown(list(text)) == whole(text)


@settings(max_examples=200)
@given(documents)
def test_each_block_is_one_element(text: str) -> None:
    for block in render_blocks([text, text], picture, "m1"):
        assert Elements.of(block).roots == 1, block


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), documents), max_size=6))
def test_replies_and_rewrites_end_as_if_written_at_once(steps: list[tuple[int, bool, str]]) -> None:
    answer, page, texts = GrowingMarkdown(), list[str](), ["", "", "", ""]
    for reply, is_rewrite, text in steps:
        texts[reply] = text if is_rewrite else texts[reply] + text
        (answer.rewrite if is_rewrite else answer.feed)(text, reply)
        page = apply(page, answer.changes())
    page = apply(page, answer.changes(last=True))
    assert page == render_blocks(texts)


def test_only_the_last_block_is_sent_again() -> None:
    answer = GrowingMarkdown()
    answer.feed("# One\n\nTwo\n\nThr")
    first, blocks = answer.changes() or (None, [])
    assert (first, len(blocks)) == (0, 3)
    answer.feed("ee")
    assert answer.changes() == (2, ["<p>Three</p>\n"])
    assert answer.changes() is None
    answer.feed("\n")
    assert answer.changes() is None


@pytest.mark.parametrize("before", ["", "- ", "1. ", "> ", "text\n\n> 2) "])
@pytest.mark.parametrize("fence", ["```", "~~~~"])
def test_a_language_shows_when_its_line_is_complete(before: str, fence: str) -> None:
    answer, page = GrowingMarkdown(), list[str]()
    for character in f"{before}{fence}python\nimport":
        answer.feed(character)
        page = apply(page, answer.changes())
        assert set(re.findall('data-language="(.*?)"', "".join(page))) <= {"python"}
    assert 'data-language="python"' in "".join(page)


def test_a_second_reply_begins_with_a_rule() -> None:
    assert render_blocks(["a", "b"]) == ["<p>a</p>\n", '<hr class="reply">\n', "<p>b</p>\n"]


def test_a_rewrite_sends_from_the_first_difference() -> None:
    answer = GrowingMarkdown()
    answer.feed("a\n\nb\n\nc")
    answer.changes()
    answer.rewrite("a\n\nB")
    assert answer.changes() == (1, ["<p>B</p>\n"])


class Elements(HTMLParser):
    """What an HTML fragment consists of."""

    VOID = frozenset({"br", "hr", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.roots = 0
        self.depth = 0
        self.elements: list[tuple[str, dict[str, str | None]]] = []

    @classmethod
    def of(cls, html: str) -> "Elements":
        parser = cls()
        parser.feed(html)
        parser.close()
        return parser

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.roots += self.depth == 0
        self.depth += tag not in self.VOID

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag not in self.VOID

    def handle_data(self, data: str) -> None:
        self.roots += self.depth == 0 and bool(data.strip())


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    '<a href="javascript:alert(1)">x</a>',
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](data:image/svg+xml;base64,PHNjcmlwdD4=)",
    "[x](//evil.example)",
    "[x](/chat)",
    "<javascript:alert(1)>",
    "<https://a.example/\"onclick='alert(1)'>",
    '[x](https://a.example "\\" onclick=alert(1)")',
    "![x](https://tracker.example/p.png)",
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml,<svg onload=alert(1)>)",
    "[![x](https://tracker.example/p.png)](https://a.example)",
    '```"><script>alert(1)</script>\nx\n```',
    '```html\n<script>alert(1)</script>\n```',
    "$\\text{<script>alert(1)</script>}$",
    "$\\href{javascript:alert(1)}{x}$",
    "$$\n\\style{position:fixed}{x}\n$$",
    "\\(\\class{evil}{x}\\)",
    "$</math><script>alert(1)</script>$",
    "$\\text{<img src=x onerror=alert(1)>}$",
    '<div style="position:fixed">x</div>',
    "<form action=https://evil.example><input name=q></form>",
    "<iframe src=https://evil.example></iframe>",
    "<style>*{display:none}</style>",
    "<meta http-equiv=refresh content=0>",
    "<base href=https://evil.example>",
    "| a |\n|---|\n| <script>alert(1)</script> |",
    "- [ ] <input autofocus onfocus=alert(1)>",
    "https://a.example/\"onmouseover=alert(1)",
    "\x00<script>alert(1)</script>",
    "<scr\x00ipt>alert(1)</script>",
]  # fmt: skip


@pytest.mark.parametrize("markdown", HOSTILE)
def test_hostile_text_does_nothing(markdown: str) -> None:
    assert_harmless(render(markdown))


@settings(max_examples=150)
@given(st.lists(st.sampled_from(HOSTILE + PIECES) | st.text(max_size=8), max_size=12).map("".join))
def test_hostile_mixtures_do_nothing(markdown: str) -> None:
    assert_harmless(render(markdown))


def assert_harmless(html: str) -> None:
    for tag, attributes in Elements.of(html).elements:
        assert tag not in {
            "script",
            "img",
            "svg",
            "style",
            "iframe",
            "form",
            "input",
            "meta",
            "base",
            "object",
        }
        assert not [
            name for name in attributes if name.startswith("on") or name in {"style", "src", "id"}
        ]
        if (href := attributes.get("href")) is not None:
            assert tag == "a" and re.match(r"(https?://|mailto:)", href, re.IGNORECASE), href
        if tag == "a":
            assert attributes["rel"] == "noopener noreferrer nofollow ugc"
            assert attributes["target"] == "_blank"


MARKDOWN = [
    ("# a\n\n## c\n\n##### d", "<h3>a</h3>\n<h4>c</h4>\n<h6>d</h6>"),
    ("优点有三条：\n---", "<p>优点有三条：</p>\n<hr>"),
    ("**注意：**请看", "<strong>注意：</strong>请看"),
    ("他说**“好”**了", "<strong>“好”</strong>"),
    ("a ** b", "a ** b"),
    ("一行\n又一行", "一行<br>"),
    ("- [x] done", '<li class="task-list-item">☑ done'),
    (
        "1. a\n   - [ ] **b**",
        '<ol>\n<li>a\n<ul class="contains-task-list">\n<li class="task-list-item">☐ <strong>b',
    ),
    ("- `[ ] a`", "<li><code>[ ] a</code></li>"),
    ("- [x](https://a.example)", '<li><a href="https://a.example"'),
    ("看 https://a.example/b。好", '<a href="https://a.example/b" target'),
    ("(https://a.example/b_(c))", 'href="https://a.example/b_(c)"'),
    ("![](https://a.example/p.png)", ">图片 · Image</a>"),
    ("![cat](https://a.example/p.png)", 'class="image"'),
    ("[![cat](https://a.example/p.png)](https://b.example)", ">cat</a>"),
    ("$E=mc^2$", '<math display="inline">'),
    ("\\(a+b\\)", '<math display="inline">'),
    ("\\[\na+b\n\\]", '<div class="formula" tabindex="0"><math display="block">'),
    ("$$\\begin{aligned}a&=b\\\\c&=d\\end{aligned}$$", "<mtable"),
    ("$$\na\n\nb\n$$", "$$"),
    ("costs $5 and $10", "costs $5 and $10"),
    ("a \\$b\\$ c", "a $b$ c"),
    ("\\[1\\] Author", "[1] Author"),
    ("$\\begin{nonsense}x$", "\\begin{nonsense}x"),
    ("[a]: https://a.example", "[a]: "),
    ("|a|\n|:-:|\n|1|", '<td align="center">1</td>'),
    (
        "```python\nx = 1\n```",
        'data-language="python"><pre tabindex="0"><code class="language-python">x = 1</code>',
    ),
    ("```c++\nx\n```", 'data-language="c++"'),
    ("- **مرحبا**\n- x", '<ul dir="rtl">\n<li><strong>مرحبا'),
    ("1. 1\n2. שלום", '<ol dir="rtl">'),
    ("> اقتباس", '<blockquote dir="rtl">'),
    ("|أ|\n|-|\n|1|", '<div class="table" tabindex="0" dir="rtl"><table>'),
    ("- a مرحبا\n- ב", "<ul>\n<li>a مرحبا"),
    ("```unheard-of\n<x>\n```", "&lt;x&gt;"),
    ("```\n", '<div class="code">'),
]


FOOTNOTES = [
    ("so it is[^1].", '<p>so it is<sup class="mark"><a href="#note-m1-0-1" rel='),
    (
        "[^1]: here\n[^2]: there",
        '<div class="footnote" id="note-m1-0-1"><sup class="mark">1</sup> here</div>',
    ),
    ("a paragraph\n[^1]: here", "<p>a paragraph</p>"),
    ("[^注1]：来源", 'id="note-m1-0--6ce81"><sup class="mark">注1</sup> 来源</div>'),
    ("so it is[^smith-note]", ">smith-note</a></sup>"),
    ("matches [^aeiou] only", "[^aeiou]"),
    ("[^0-9] and [^a-z]+", "[^0-9] and [^a-z]+"),
    ("`[^1]`", "<code>[^1]</code>"),
    ("    [^1]: code", "<code>[^1]: code"),
    ("[^1](https://a.example)", '<a href="https://a.example" target="_blank"'),
    ("as [1] and 【1】 say", "as [1] and 【1】 say"),
]


@pytest.mark.parametrize(("markdown", "html"), FOOTNOTES)
def test_footnotes_stand_where_they_are_written(markdown: str, html: str) -> None:
    assert html in whole(markdown)


def test_footnotes_of_two_replies_and_of_two_answers_have_different_ids() -> None:
    html = "".join(
        render_blocks(["[^1]: a", "[^1]: b"], scope="m1") + render_blocks(["[^1]: c"], scope="m2")
    )
    ids = re.findall(r'id="([^"]+)"', html)
    assert ids == ["note-m1-0-1", "note-m1-1-1", "note-m2-0-1"]
    assert " id=" not in render("[^1]: a") and "href" not in render("a[^1]")


PICTURES = [
    (
        "![a <b>](https://ours.example/p.png?x=1&y=2)",
        'url=https%3A%2F%2Fours.example%2Fp.png%3Fx%3D1%26y%3D2"'
        ' class="image" target="_blank" rel="noopener noreferrer nofollow ugc"><img src="/pictu',
    ),
    (
        "![a <b>](https://ours.example/p.png)",
        'alt="a &lt;b&gt;" loading="lazy" decoding="async"></a>',
    ),
    (
        "![](data:image/png;base64,AAAA)",
        '<p><img src="data:image/png;base64,AAAA" alt="图片 · Image"',
    ),
    (
        "![](data:image/gif;base64,AAAA)",
        'class="image" target="_blank" rel="noopener noreferrer nofollow ugc">图片',
    ),
    (
        "![a](https://elsewhere.example/p.png)",
        '<a href="https://elsewhere.example/p.png" class="image"',
    ),
    (
        "[![a](https://ours.example/p.png)](https://b.example)",
        '<a href="https://b.example" target="_blank" rel=',
    ),
    ("[a](/pictures/0?url=x)", "[a](/pictures/0?url=x)"),
]


@pytest.mark.parametrize(("markdown", "html"), PICTURES)
def test_allowed_pictures_are_images_and_others_links(markdown: str, html: str) -> None:
    assert html in whole(markdown)


@pytest.mark.parametrize(("markdown", "html"), MARKDOWN)
def test_markdown_of_agents_becomes_its_html(markdown: str, html: str) -> None:
    assert html in render(markdown)


LARGE = [
    "```python\n" + "x = 'y'\n" * 15_000,
    "word **bold** and `code` " * 5_000,
    "- item **x**\n" * 1_500,
    "|a|b|\n|-|-|\n" + "|1|2|\n" * 1_500,
    "[" * 5_000,
    "![" * 5_000,
    "\\(" * 5_000,
    "> " * 5_000,
    "$a" * 25_000,
]


@pytest.mark.parametrize("text", LARGE, ids=lambda text: text[:12])
def test_one_enormous_block_costs_a_bounded_multiple_of_its_size(text: str) -> None:
    answer, sent = GrowingMarkdown(), 0

    def grow() -> None:
        nonlocal sent
        for at in range(0, len(text), 100):
            answer.feed(text[at : at + 100])
            sent += sum(map(len, (answer.changes() or (0, []))[1]))
        answer.changes(last=True)

    assert effort(grow) < 2_000
    assert sent < 100 * len(text)
