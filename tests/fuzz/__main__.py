"""make fuzz: random bytes, led by coverage, against the reader of streams and the renderer of
Markdown.

Needs atheris, which is in no list of requirements: `.venv/bin/pip install atheris`. Takes the
options of libFuzzer, such as `-max_total_time=600`; a minute by default. What it finds is written
to a file crash-…."""

import sys
from itertools import pairwise

try:
    import atheris
except ImportError:
    sys.exit("Install it first: .venv/bin/pip install atheris")

with atheris.instrument_imports(
    include=[
        "providers.bodies",
        "providers.sse",
        "chat.page.rendering",
        "chat.page.markdown",
        "chat.page.footnotes",
        "chat.page.formulas",
        "chat.page.containers",
        "chat.page.inlines",
    ]
):
    from chat.page.rendering import GrowingMarkdown, render_blocks
    from providers import sse
    from providers.bodies import read_frames

LIMIT = 4096
FORBIDDEN = (
    "<script",
    "<iframe",
    "<style",
    "<object",
    "<embed",
    "<form",
    "<base",
    "<svg",
    "javascript:",
)


def test_input(data: bytes) -> None:
    """The first byte chooses the target; the second how the rest is cut."""
    if len(data) > 2:
        (_stream if data[0] % 2 else _markdown)(data[2:], data[1] % 16 + 1)


def _stream(body: bytes, size: int) -> None:
    try:
        whole = list(read_frames([body], LIMIT))
        cut = list(read_frames((body[at : at + size] for at in range(0, len(body), size)), LIMIT))
    except sse.TooLong:
        assert len(body) > LIMIT
        return
    assert whole == cut


def _markdown(body: bytes, parts: int) -> None:
    text = body.decode("utf-8", "replace")
    whole = "".join(render_blocks([text]))
    edges = [len(text) * number // parts for number in range(parts + 1)]
    growing, page = GrowingMarkdown(), list[str]()
    for start, end in pairwise(edges):
        growing.feed(text[start:end])
        if change := growing.changes():
            page[change[0] :] = change[1]
    if change := growing.changes(last=True):
        page[change[0] :] = change[1]
    assert "".join(page) == whole, "grown as if whole"
    # Inside of texts every < is escaped: what looks like a tag is one.
    assert not any(sign in whole.lower() for sign in FORBIDDEN[:-1]), whole
    assert 'href="javascript:' not in whole.lower(), whole


def main() -> None:
    arguments = list(sys.argv)
    if not any(argument.startswith("-max_total_time") for argument in arguments):
        arguments.append("-max_total_time=60")
    atheris.Setup(arguments, test_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
