"""The messages a caller hands to Coze: their roles, types and contents (platforms/coze.md §1.2)."""

import json
from typing import Any

from emulator.coze.format import Refused, bad_request
from emulator.coze.store import store

Message = dict[str, Any]

_SAVED_TYPES = {"question", "answer"}
_UNSAVED_TYPES = _SAVED_TYPES | {"function_call", "tool_output", "tool_response"}
_STRINGS = ("role", "type", "content", "content_type")


def is_map_of_strings(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(inner, str) for inner in value.values())


def check_messages(messages: list[Message], is_saved: bool, account: str) -> None:
    """Each message alone, then pictures and files, which need words beside them."""
    for message in messages:
        _check(message, _SAVED_TYPES if is_saved else _UNSAVED_TYPES)
    for index, message in enumerate(messages):
        if message.get("content_type") == "object_string":
            neighbours = [*messages[max(index - 1, 0) : index], *messages[index + 1 : index + 2]]
            _check_items(items_of(message), account, neighbours)


def text_of(message: Message) -> str:
    """The words of a message, whichever content type it has."""
    if message.get("content_type") != "object_string":
        return str(message.get("content") or "")
    return "".join(
        item.get("text") or "" for item in items_of(message) if item.get("type") == "text"
    )


def items_of(message: Message) -> list[dict[str, Any]]:
    try:
        items = json.loads(message["content"])
    except ValueError:
        raise bad_request(
            "The content of an object_string message must be serialized JSON."
        ) from None
    if (
        not isinstance(items, list)
        or not items
        or not all(isinstance(item, dict) for item in items)
    ):
        raise bad_request("The content of an object_string message must be a list of objects.")
    return items


def _check(message: Message, types: set[str]) -> None:
    strings = {name: message[name] for name in _STRINGS if message.get(name) is not None}
    if not all(isinstance(value, str) for value in strings.values()):
        raise bad_request()
    if not is_map_of_strings(message.get("meta_data") or {}):
        raise bad_request()
    role, kind = strings.get("role"), strings.get("type") or "question"
    if role not in ("user", "assistant") or kind not in types:
        raise bad_request(f"A message of role {role} and type {kind} is not allowed.")
    if (kind == "question") != (role == "user"):
        raise bad_request("A question is the user's; what is the assistant's has another type.")
    if "content" not in strings or strings.get("content_type") not in ("text", "object_string"):
        raise bad_request("A message needs content and content_type text or object_string.")


def _check_items(items: list[dict[str, Any]], account: str, neighbours: list[Message]) -> None:
    texts = [item for item in items if item.get("type") == "text"]
    others = [item for item in items if item.get("type") in ("file", "image", "audio")]
    if len(texts) + len(others) != len(items) or len(texts) > 1 or not others:
        raise bad_request("object_string holds files or images and at most one text.")
    if not all(isinstance(item.get("text"), str) for item in texts):
        raise bad_request()
    for item in others:
        _check_file(item, account)
    has_words = texts or any(message.get("content_type") == "text" for message in neighbours)
    if not has_words and not all(item["type"] == "audio" for item in others):
        raise bad_request("Images and files need a text beside them or in the next message.")


def _check_file(item: dict[str, Any], account: str) -> None:
    file_id, file_url = item.get("file_id"), item.get("file_url")
    if file_id:
        file = store().files.get(file_id) if isinstance(file_id, str) else None
        if file is None or file.account != account:
            raise Refused(4000, "The file_id does not exist or belongs to another account.")
    elif not isinstance(file_url, str) or not file_url.startswith(("http://", "https://")):
        raise bad_request("A file needs a file_id or a public file_url.")
