"""What goes to Coze with a question: the history it does not know (platforms/coze.md §1.2), its files."""

from collections.abc import Sequence

from providers.base import Attachment, Exchange

TOLD = 49  # exchanges; with the question, of at most 100 messages


def told(history: Sequence[Exchange]) -> list[dict[str, str]]:
    """What was said before, for a conversation that does not know it oldest first."""
    text = {"content_type": "text"}
    return [
        message
        for one in history[-TOLD:]
        if one.question.strip() and one.answer.strip()
        for message in (
            {"role": "user", "type": "question", "content": one.question, **text},
            {"role": "assistant", "type": "answer", "content": one.answer, **text},
        )
    ]


def kind_of_file(file: Attachment) -> str:
    """Coze's type of an attachment: image, audio or file."""
    kind = file.content_type.partition("/")[0]
    return kind if kind in ("image", "audio") else "file"
