"""Text that can be stored and sent."""

import re

_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")


def legible(text: str) -> str:
    """The text with U+FFFD for what can be neither stored nor sent: NUL, and halves of a pair."""
    return _UNWRITABLE.sub("\ufffd", text)
