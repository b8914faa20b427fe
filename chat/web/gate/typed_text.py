"""Text as somebody typed it: no longer than it may be, without characters that nobody types."""

import unicodedata

from chat.refusals import Refusal


def plain_text(typed: str, max_chars: int, refusal: type[Refusal] = Refusal) -> str:
    """The text with plain line ends, without white space around it; it may be empty.

    Control characters and half characters are refused and not dropped: the text without them is not
    what the sender meant. Raises `refusal` too_long, bad_input.
    """
    text = typed.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > max_chars:
        raise refusal("too_long", f"{len(text)} characters")
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in text if char not in "\n\t"):
        raise refusal("bad_input", "control characters")
    return text.strip()
