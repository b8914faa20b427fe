"""The body of a question to Coze, with the history it does not know and the ids of its files
(platforms/coze.md §1.2)."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from providers.base import Attachment, Exchange, Turn
from providers.coze.api import Api
from providers.coze.options import Options

# With the question that makes 99 of the 100 messages allowed.
EXCHANGES = 49
EXTRAS = {"custom_variables", "parameters", "meta_data", "extra_params", "shortcut_command"}


def chat_body(
    options: Options, turn: Turn, content: dict[str, str], has_history: bool
) -> dict[str, Any]:
    """The body of `POST /v3/chat`.

    `has_history` says that the conversation knows what came before.
    """
    history = [] if has_history else list(history_messages(turn.history))
    return {
        "bot_id": options.bot_id,
        "user_id": turn.user,
        "stream": turn.streaming or options.ask == "stream",
        "auto_save_history": True,
        "additional_messages": [*history, {"role": "user", "type": "question", **content}],
        **options.model_dump(include=EXTRAS, exclude_none=True),
    }


def history_messages(history: Sequence[Exchange]) -> Iterator[dict[str, str]]:
    """The latest exchanges as messages, oldest first, for a conversation that does not know
    them."""
    text = {"content_type": "text"}
    for exchange in history[-EXCHANGES:]:
        if exchange.question.strip() and exchange.answer.strip():
            yield {"role": "user", "type": "question", "content": exchange.question, **text}
            yield {"role": "assistant", "type": "answer", "content": exchange.answer, **text}


def upload_content(api: Api, turn: Turn) -> dict[str, str]:
    """The question's `content` and `content_type`; its files, if it has any, are uploaded here
    (§4)."""
    if not turn.attachments:
        return {"content": turn.question, "content_type": "text"}
    # A text without words is refused, and so are files without a text.
    text = turn.question.strip() or " ".join(file.name for file in turn.attachments)
    parts = [{"type": "text", "text": text}]
    for file in turn.attachments:
        file_id = api.upload(file, turn.stop, turn.deadline)
        parts.append({"type": part_type(file), "file_id": file_id})
        turn.pace.wait(turn.stop, turn.deadline)
    return {"content": json.dumps(parts, ensure_ascii=False), "content_type": "object_string"}


def part_type(file: Attachment) -> str:
    """Coze's type of an attachment: image, audio or file."""
    family = file.content_type.partition("/")[0]
    return family if family in ("image", "audio") else "file"
