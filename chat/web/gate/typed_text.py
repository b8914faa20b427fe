"""Text as somebody typed it: no longer than it may be, without characters that nobody types."""

import re

from chat.refusals import Refusal

# All but the tab and the ends of lines; halves of characters with them.
UNTYPABLE = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def plain_text(typed: str, max_chars: int, refusal: type[Refusal] = Refusal) -> str:
    """The text with plain line ends, without white space around it; it may be empty.

    Control characters and half characters are refused and not dropped: the text without them is not
    what the sender meant. Raises `refusal` too_long, bad_input.
    """
    text = typed.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > max_chars:
        raise refusal("too_long", f"{len(text)} characters")
    if UNTYPABLE.search(text):
        raise refusal("bad_input", "control characters")
    return text.strip()
