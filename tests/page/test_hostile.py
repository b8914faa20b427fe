"""A corpus of hostile answers: the HTML of each is harmless, and a browser runs nothing of it."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise, zip_longest
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page, expect

from chat.page.rendering import GrowingMarkdown, render, render_blocks
from tests.kit.browsing import Person, ask, has_ended, prose
from tests.kit.emulator import Emulator, coze
from tests.kit.site import Site

# "open" is what begins something that it does not end; it would swallow whatever came behind it.
CORPUS: dict[str, list[str]] = json.loads(
    (Path(__file__).parents[1] / "kit" / "hostile.json").read_text(encoding="utf-8")
)
EVERY = CORPUS["closed"] + CORPUS["open"]
PER_QUESTION = 10
# Neither the site nor the emulator takes a question with these.
UNSPEAKABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

HTML = set(
    "a b blockquote br code del details div em h3 h4 h5 h6 hr i img ins kbd li mark ol p pre s "
    "span strong sub summary sup table tbody td th thead tr u ul".split()
)
MATHML = set(
    "math mrow mi mn mo ms mtext mspace mstyle merror mpadded mphantom mfrac msqrt mroot msub msup "
    "msubsup munder mover munderover mmultiscripts mprescripts none mtable mtr mtd menclose".split()
)
CLASS = re.compile(
    r"image|formula|code|table|reply|mark|footnote|task-list-item|contains-task-list|plain|"
    r"language-[a-z0-9+#_-]{1,30}"
)
LOCAL = r"/pictures/0{32}\?url=[\w%.~-]+"
ATTRIBUTES = {
    "a": {
        "class": r"image",
        "href": rf"(?i:https?)://[^\s\"<>]*|mailto:[^\s\"<>]*|{LOCAL}|#note-m1-0-[a-z0-9-]+",
        "rel": r"noopener noreferrer nofollow ugc",
        "target": r"_blank",
        "title": r".*",
    },
    "img": {
        "src": rf"{LOCAL}|data:image/(png|jpeg|gif|webp);base64,[\w+/=]+",
        "alt": r".*",
        "loading": r"lazy",
        "decoding": r"async",
    },
    "div": {
        "class": r"code|formula|table|footnote",
        "data-language": r"[\w+#.-]+",
        "id": r"note-m1-0-[a-z0-9-]+",
        "tabindex": r"0",
    },
    "details": {"open": r""},
    "pre": {"tabindex": r"0", "class": r"plain"},
    "ol": {"start": r"\d+", "class": r"contains-task-list"},
    "td": {"align": r"left|center|right"},
    "th": {"align": r"left|center|right"},
}


class Judge(HTMLParser):
    """Notes every element and attribute that an answer may not have."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in HTML | MATHML:
            self.faults.append(f"<{tag}>")
        for name, value in attrs:
            if not self._may(tag, name, value or ""):
                self.faults.append(f"<{tag} {name}={value!r}>")
        if tag == "a" and dict(attrs).get("target") != "_blank" and "#note-" not in str(attrs):
            self.faults.append("a link without a target")

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"<!--{data}-->")

    handle_decl = handle_pi = unknown_decl = handle_comment

    def _may(self, tag: str, name: str, value: str) -> bool:
        if tag == "mtd" and name == "class":
            return value in ("left", "right")
        if tag in MATHML:
            return not re.match(r"on|style|href|src|id|class|xlink", name) and ":" not in value
        if name in (allowed := ATTRIBUTES.get(tag, {})):
            return re.fullmatch(allowed[name], value, re.DOTALL) is not None
        return name == "class" and all(CLASS.fullmatch(word) for word in value.split())


def picture(url: str) -> str | None:
    """The worst that the owner could allow: any picture from anywhere."""
    if re.fullmatch(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+", url):
        return url
    return f"/pictures/{'0' * 32}?url={quote(url, safe='')}"


def faults(html: str) -> list[str]:
    judge = Judge()
    judge.feed(html)
    judge.close()
    return judge.faults


def test_the_corpus_is_large_and_has_no_duplicates() -> None:
    assert len(EVERY) == len(set(EVERY)) > 250


def test_the_judge_reports_forbidden_html() -> None:
    for html in (
        "<script>",
        "<img src=https://evil.example>",
        "<p onclick=x>",
        "<a href=javascript:x target=_blank>",
        "<a href=/chat target=_blank>",
        "<!-- -->",
        "<div style=x>",
        "<div id=transcript>",
        "<svg>",
        "<img src=x onerror=x>",
        "<a href=https://evil.example>",
        "<mi href=x>",
        "<div id=note-m2-0-1>",
        "<p class=lightbox>",
    ):
        assert faults(html), html


@pytest.mark.parametrize("show", [None, picture], ids=["links", "pictures"])
def test_the_html_of_each_text_is_harmless(show: Callable[[str], str | None] | None) -> None:
    for text in EVERY:
        html = "".join(render_blocks([text], show, "m1"))
        assert not faults(html), (text, html)
        assert not faults(render(text)), text
        assert show or "<img" not in html.replace('<img src="data:', ""), text


@pytest.mark.parametrize(("size", "longest"), [(1, 120), (7, 1_000)])
def test_every_step_of_a_growing_answer_is_harmless(size: int, longest: int) -> None:
    for text in (text for text in EVERY if len(text) <= longest):
        growing = GrowingMarkdown(picture, "m1")
        for at in range(0, len(text), size):
            growing.feed(text[at : at + size])
            changes = growing.changes()
            assert not faults("".join(changes[1]) if changes else ""), (text, changes)
        growing.changes(last=True)
        assert growing.blocks() == render_blocks([text], picture, "m1"), text


def test_all_together_are_harmless_too() -> None:
    for separator in ("\n\n", "\n", " ", ""):
        html = "".join(render_blocks([separator.join(CORPUS["closed"])], picture, "m1"))
        assert not faults(html)


# What HTML is made of, in any order: between it the corpus, whole or cut off.
SHREDS = [
    *"< > </ /> <!-- --> <! <? ]]> <![CDATA[ = \" ' ` / \\ & &lt; &#60; &#x3c &colon;".split(" "),
    *"&Tab; \n \t".split(" "),
    *"script style svg math img a div iframe object form input".split(),
    *"template noscript textarea title details summary kbd".split(),
    *(
        f" {name}="
        for name in "src href onerror onclick style id class srcdoc xlink:href name".split()
    ),
    *"javascript: data:text/html, https://evil.example // alert(1) on x \x00 \x0c \xa0 ｓ ſ".split(
        " "
    ),
    *"<math> <mi> <annotation-xml encoding=text/html> $ $$ ``` ~~~ | |- [^1] [^1]:".split(" "),
    *"![ ]( ) [x] # <b> </b> <details> <summary> </summary> </details> <br>".split(" "),
]
SOUP = st.lists(
    st.sampled_from(SHREDS)
    | st.sampled_from(EVERY)
    | st.builds(lambda text, end: text[:end], st.sampled_from(EVERY), st.integers(0, 40))
    | st.text(max_size=3),
    max_size=25,
).map("".join)


@settings(max_examples=200)
@given(SOUP, st.lists(st.integers(0, 400), max_size=8))
def test_mixtures_are_harmless_for_every_cut(text: str, cuts: list[int]) -> None:
    whole = render_blocks([text], picture, "m1")
    assert not faults("".join(whole)), text
    assert not faults(render(text)), text
    growing = GrowingMarkdown(picture, "m1")
    for begin, end in pairwise([0, *sorted(cuts), len(text)]):
        growing.feed(text[begin:end])
        changes = growing.changes()
        assert not faults("".join(changes[1]) if changes else ""), (text, changes)
    growing.changes(last=True)
    assert growing.blocks() == whole


@pytest.fixture(scope="module")
def patient_site(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    """One that takes very long questions."""
    return keep_site(**coze(emulator), MAX_MESSAGE_CHARS=100_000)


NOTE_WHAT_RUNS = """
window.ran = []
for (const name of ["alert", "confirm", "prompt", "print", "open", "msgbox"])
    window[name] = () => window.ran.push(name)
document.addEventListener("securitypolicyviolation",
    event => window.ran.push(event.violatedDirective))
addEventListener("error", event => window.ran.push("error " + event.message))
"""


def questions() -> list[str]:
    """The corpus as a visitor may ask it, each question ending with one that is not closed."""
    closed = [UNSPEAKABLE.sub(" ", text) for text in CORPUS["closed"]]
    groups = [closed[at : at + PER_QUESTION] for at in range(0, len(closed), PER_QUESTION)]
    last = [UNSPEAKABLE.sub(" ", text) for text in CORPUS["open"]]
    together = zip_longest(groups, last, fillvalue="")
    return ["!pieces 12 1\n\n" + "\n\n".join([*group, end]) for group, end in together]


@pytest.mark.browser
def test_nothing_of_it_runs_in_a_browser(person: Callable[..., Person], patient_site: Site) -> None:
    mallory = person(at=patient_site)
    mallory.context.add_init_script(NOTE_WHAT_RUNS)
    page = mallory.open()
    page.on("dialog", lambda dialog: mallory.faults.append(dialog.message))
    page.on("popup", lambda popup: mallory.faults.append(popup.url))
    for question in questions():
        exchange = ask(page, question)
        has_ended(exchange)
        expect(prose(exchange)).not_to_be_empty()
    assert ran(page) == []
    drawn = page.locator(".prose").count()
    page.reload()
    while page.locator("[data-more]").count():  # a long conversation is shown a part at a time
        count = page.locator(".prose").count()
        page.locator("[data-more]").click()
        expect(page.locator(".prose")).not_to_have_count(count)
    expect(page.locator(".prose")).to_have_count(drawn)
    assert page.url.startswith(f"{patient_site.url}/c/") and mallory.context.pages == [page]
    assert ran(page) == []


def ran(page: Page) -> list[str]:
    """What ran or was refused, and the elements that no answer may have."""
    violations: list[str] = page.evaluate("window.ran")
    strange = page.evaluate(
        "[...document.querySelectorAll('.prose :is(script, style, iframe, form, input,"
        " svg:not(.icon), [style], [name], [srcset], [srcdoc], [onerror], [onload], [onclick])')]"
        ".map(element => element.outerHTML)"
    )
    return violations + strange
