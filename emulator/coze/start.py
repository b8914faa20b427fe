"""How a chat of the emulated Coze begins, or is refused by its words (platforms/coze.md §12.4,
§12.5).
"""

import math
from dataclasses import replace
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue

from emulator.accounts import CozeToken
from emulator.coze.checks import not_published, rate_refusal, unknown_bot
from emulator.coze.format import Refused, error_for_status
from emulator.coze.messages import Message, items_of, text_of
from emulator.coze.plan import Planner
from emulator.coze.run import Run
from emulator.coze.store import Conversation, store
from emulator.faults import transport_fault
from emulator.speech import Speech, compose, gap_s
from emulator.state import here
from emulator.words import MagicWords, read

_ENDLESS = ("stuck", "silent", "endless")
_BUSY_FORMS = {1: "429", 2: "4008", 3: "710005002"}


def question_of(body: dict[str, Any], conversation: Conversation | None) -> str:
    """The last message, of the request or the conversation; a shortcut command asks by itself."""
    if "shortcut_command" in body:
        return f"快捷指令 {body['shortcut_command']['command_id']}"
    stored = conversation.context() if conversation else []
    return text_of((body.get("additional_messages") or stored)[-1])


def refuse_by_words(
    words: MagicWords, key: tuple[str, str], bot_id: str
) -> ResponseReturnValue | None:
    """Raises or returns the refusal the words ask for; `key` is what !expired refuses only once."""
    if words.has("busy"):
        form = _BUSY_FORMS.get(int(words.number("busy", 0)))
        raise rate_refusal(form or here().settings.coze_rate_limit)
    if words.has("unauthorized") or (words.has("expired") and store().expired.refuses(key)):
        raise Refused(4101)
    if words.has("unpublished"):
        raise not_published(bot_id)
    if words.has("unknown"):
        raise unknown_bot(bot_id)
    codes = {"quota": 4028, "blocked": 4102, "json-error": 4000}
    for word, code in codes.items():
        if words.has(word):
            raise Refused(code)
    if words.has("code"):
        raise Refused(int(words.number("code", 5000)))
    return transport_fault(words, error_for_status)


def begin(body: dict[str, Any], token: CozeToken, conversation: Conversation, question: str) -> Run:
    """A run that occupies its conversation until its time is over."""
    run = Run(
        id=store().new_id(),
        conversation_id=conversation.id,
        section_id=conversation.section_id,
        bot_id=body["bot_id"],
        owner=token.owner,
        words=read(question),
        is_saved=body.get("auto_save_history", True),
        meta_data=body.get("meta_data", {}),
    )
    run.actions_left = (
        int(run.words.number("requires-action", 1)) if run.words.has("requires-action") else 0
    )
    messages = body.get("additional_messages", [])
    run.questions = [as_stored(message, run) for message in messages]
    visible = [*conversation.context(), *messages]
    earlier = [text_of(message) for message in visible[:-1] if message["role"] == "user"]
    speech = compose(question, run.words, earlier, f"{request.host_url}_emulator/picture.png")
    _plan(run, _with_attachments(speech, visible[-1:]), bool(body.get("stream")))
    store().runs[run.id] = run
    conversation.run = run
    return run


def resume(run: Run, outputs: list[str], stream: bool) -> None:
    """Goes on with the tools' outputs, if need be to the next demand for some."""
    run.actions_left -= 1
    speech = compose("工具", MagicWords({}))
    _plan(run, replace(speech, replies=(f"工具返回：{'；'.join(outputs)}",)), stream, outputs)


def as_stored(message: Message, run: Run) -> Message:
    """A message of the caller as the conversation keeps it."""
    return {
        "id": store().new_id(),
        "conversation_id": run.conversation_id,
        "bot_id": run.bot_id,
        "chat_id": run.id,
        "section_id": run.section_id,
        "role": message["role"],
        "type": message.get("type") or "question",
        "content": message["content"],
        "content_type": message["content_type"],
        "meta_data": message.get("meta_data") or {},
        "created_at": run.created_at,
        "updated_at": run.created_at,
    }


def _plan(run: Run, speech: Speech, stream: bool, outputs: list[str] | None = None) -> None:
    ids = {**run.base(), "section_id": run.section_id}
    planner = Planner(ids, run.words, here().settings, store().new_id)
    if planner.order == 3 and len(speech.replies) == 1:
        speech = replace(speech, replies=(*speech.replies, "第二条回复。"))
    if run.actions_left > 0:
        plan = planner.action("function")
    elif run.words.has("requires-reply"):
        plan = planner.action("reply_message")
    elif outputs is None:
        plan = planner.answer(speech, planner.tools())
    else:
        results = [planner.message("tool_response", output) for output in outputs]
        plan = planner.answer(speech, results, is_resumed=True)
    run.start(plan, _work_s(run.words, len(plan.pieces), stream))


def _work_s(words: MagicWords, pieces: int, stream: bool) -> float:
    """How long the run takes; a stream takes as long as its pieces do."""
    if any(words.has(word) for word in _ENDLESS):
        return math.inf
    settings = here().settings
    waits = sum(words.number(word, 3.0) for word in ("slow", "pause") if words.has(word))
    return waits + (gap_s(pieces, words, settings) * pieces if stream else settings.coze_work_s)


def _with_attachments(speech: Speech, messages: list[Message]) -> Speech:
    """An agent that got files says so."""
    items = []
    if messages and messages[0].get("content_type") == "object_string":
        items = items_of(messages[0])
    names = [_name_of(item) for item in items if item.get("type") != "text"]
    if not names or not speech.replies:
        return speech
    first, *others = speech.replies
    return replace(speech, replies=(f"{first}\n\n收到附件：{'、'.join(names)}", *others))


def _name_of(item: dict[str, Any]) -> str:
    file = store().files.get(item.get("file_id") or "")
    return file.file_name if file else str(item.get("file_url"))
