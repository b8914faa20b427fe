"""Titles of conversations: one line, cut between characters as a reader sees them."""

TITLE_CHARS = 80
FIRST_CHARS = 40


def title_of(question: str) -> str:
    """The title of a new conversation: the beginning of its first question."""
    line = " ".join(question.split())
    return line if len(line) <= FIRST_CHARS else line[: FIRST_CHARS - 1] + "…"


def as_title(text: str) -> str:
    """What a visitor typed, as a title of at most TITLE_CHARS; empty when nothing of it is visible."""
    visible = "".join(char for char in text if char.isprintable() or char.isspace())
    return " ".join(visible.split())[:TITLE_CHARS]
