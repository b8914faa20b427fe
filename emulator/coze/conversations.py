"""Coze's conversations and the messages stored in them (platforms/coze.md §3)."""

import time
from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from emulator.accounts import COZE_BOTS
from emulator.coze.checks import caller, check_meta_data, json_body, require_strings
from emulator.coze.format import Refused, answer, bad_request
from emulator.coze.messages import Message, check_messages, is_map_of_strings
from emulator.coze.store import Conversation, store
from emulator.state import here, note

bp = Blueprint("coze_conversations", __name__)

_PLAIN = {"question", "answer"}


@bp.post("/v1/conversation/create")
def create() -> ResponseReturnValue:
    with here().lock:
        token = caller("createConversation")
        body = json_body(is_optional=True)
        bot_id = body.get("bot_id", "")
        name = body.get("name", "")
        meta_data = body.get("meta_data", {})
        messages = body.get("messages", [])
        if not isinstance(name, str) or len(name) > 100:
            raise bad_request()
        if not isinstance(messages, list) or len(messages) > 16:
            raise bad_request()
        if not is_map_of_strings(meta_data) or not all(
            isinstance(message, dict) for message in messages
        ):
            raise bad_request()
        if bot_id and bot_id not in COZE_BOTS:
            raise Refused(5000)
        check_meta_data(meta_data)
        check_messages(messages, True, token.account)
        conversation = store().new_conversation(token.owner, bot_id)
        conversation.name, conversation.meta_data = name, meta_data
        conversation.connector_id = str(body.get("connector_id", "1024"))
        conversation.messages = [_new_message(message, conversation) for message in messages]
        note(conversation_id=conversation.id)
        return answer(conversation.as_json())


@bp.get("/v1/conversation/retrieve")
def retrieve() -> ResponseReturnValue:
    with here().lock:
        return answer(_conversation_of_query("retrieveConversation").as_json())


@bp.get("/v1/conversations")
def list_conversations() -> ResponseReturnValue:
    with here().lock:
        token = caller("listConversation")
        (bot_id,) = require_strings(request.args, "bot_id")
        page, size = _number("page_num", 1, 1_000_000), _number("page_size", 50, 50)
        connector_id = request.args.get("connector_id", "1024")
        matches = [
            conversation.as_json()
            for conversation in store().conversations.values()
            if (conversation.owner, conversation.bot_id, conversation.connector_id)
            == (token.owner, bot_id, connector_id)
        ]
        if request.args.get("sort_order", "DESC").upper() != "ASC":
            matches.reverse()
        selection = matches[(page - 1) * size : page * size]
        has_more = len(matches) > page * size
        return answer({"has_more": has_more, "conversations": selection})


@bp.put("/v1/conversations/<conversation_id>")
def rename(conversation_id: str) -> ResponseReturnValue:
    with here().lock:
        conversation = _owned(conversation_id, "editConversation")
        (name,) = require_strings(json_body(), "name")
        if len(name) > 100:
            raise bad_request("The name has more than 100 characters.")
        conversation.name, conversation.updated_at = name, int(time.time())
        return answer(conversation.as_json())


@bp.delete("/v1/conversations/<conversation_id>")
def delete(conversation_id: str) -> ResponseReturnValue:
    with here().lock:
        del store().conversations[_owned(conversation_id, "editConversation").id]
        return answer()


@bp.post("/v1/conversations/<conversation_id>/clear")
def clear(conversation_id: str) -> ResponseReturnValue:
    """A new section: earlier messages stay in the list, but the model sees them no more."""
    with here().lock:
        conversation = _owned(conversation_id, "editConversation")
        conversation.section_id = store().new_id()
        return answer({"id": conversation.section_id, "conversation_id": conversation.id})


@bp.post("/v1/conversation/message/create")
def create_message() -> ResponseReturnValue:
    with here().lock:
        conversation = _conversation_of_query("createMessage")
        body = json_body()
        require_strings(body, "role", "content", "content_type")
        kind = "question" if body["role"] == "user" else "answer"
        check_messages([{**body, "type": kind}], True, conversation.owner.split("/")[0])
        message = _new_message({**body, "type": kind}, conversation)
        conversation.messages.append(message)
        return answer(_as_json(message))


@bp.post("/v1/conversation/message/list")
def list_messages() -> ResponseReturnValue:
    with here().lock:
        conversation = _conversation_of_query("chat", "listMessage")
        body = json_body(is_optional=True)
        limit = body.get("limit", 50)
        if not isinstance(limit, int) or not 1 <= limit <= 50:
            raise bad_request()
        if body.get("order", "desc") not in ("asc", "desc"):
            raise bad_request()
        messages, has_more = _page(_select(conversation, body), body, limit)
        first_id = messages[0]["id"] if messages else ""
        last_id = messages[-1]["id"] if messages else ""
        data = [_as_json(message) for message in messages]
        return answer(data, first_id=first_id, last_id=last_id, has_more=has_more)


@bp.get("/v1/conversation/message/retrieve")
def retrieve_message() -> ResponseReturnValue:
    with here().lock:
        conversation = _conversation_of_query("retrieveMessage")
        (message_id,) = require_strings(request.args, "message_id")
        for message in conversation.messages:
            if message["id"] == message_id:
                return answer(_as_json(message))
        raise Refused(4005, "The requested message does not exist.")


def _conversation_of_query(*scopes: str) -> Conversation:
    token = caller(*scopes)
    (conversation_id,) = require_strings(request.args, "conversation_id")
    note(conversation_id=conversation_id)
    return store().conversation(conversation_id, token.owner)


def _owned(conversation_id: str, *scopes: str) -> Conversation:
    token = caller(*scopes)
    note(conversation_id=conversation_id)
    return store().conversation(conversation_id, token.owner)


def _number(name: str, default: int, at_most: int) -> int:
    value = request.args.get(name, str(default))
    if not value.isdecimal() or not 1 <= int(value) <= at_most:
        raise bad_request(f"The parameter {name} must be between 1 and {at_most}.")
    return int(value)


def _new_message(message: Message, conversation: Conversation) -> Message:
    """A message put into a conversation from outside: no chat has made it."""
    now = int(time.time())
    return {
        "id": store().new_id(),
        "conversation_id": conversation.id,
        "bot_id": "",
        "chat_id": "",
        "section_id": conversation.section_id,
        "role": message["role"],
        "type": message.get("type") or "question",
        "content": message["content"],
        "content_type": message["content_type"],
        "meta_data": message.get("meta_data") or {},
        "created_at": now,
        "updated_at": now,
    }


def _select(conversation: Conversation, body: dict[str, Any]) -> list[Message]:
    chat_id = body.get("chat_id")
    return [
        message
        for message in conversation.messages
        if (body.get("include_middle_message") or message["type"] in _PLAIN)
        and (not chat_id or message["chat_id"] == chat_id)
    ]


def _page(messages: list[Message], body: dict[str, Any], limit: int) -> tuple[list[Message], bool]:
    """A page, newest first unless asked otherwise; before_id and after_id follow that order."""
    ordered = messages if body.get("order") == "asc" else messages[::-1]
    places = {message["id"]: place for place, message in enumerate(ordered)}
    if body.get("before_id"):
        end = places.get(body["before_id"], 0)
        return ordered[max(end - limit, 0) : end], end > limit
    start = places[body["after_id"]] + 1 if body.get("after_id") in places else 0
    return ordered[start : start + limit], len(ordered) > start + limit


def _as_json(message: Message) -> Message:
    if not here().settings.coze_loose_times:
        return message
    return {
        **message,
        "type": "",
        "updated_at": str(message["updated_at"]),
        "created_at": str(message["created_at"]),
    }
