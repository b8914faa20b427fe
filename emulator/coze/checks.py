"""Who may ask Coze what, and the checks of a chat in their order (platforms/coze.md §12.3)."""

import json
import re
from typing import Any

from flask import request

from emulator.accounts import COZE_BOTS, CozeToken
from emulator.coze.format import Refused, bad_request
from emulator.coze.messages import check_messages, is_map_of_strings
from emulator.coze.store import Conversation, store
from emulator.state import here, note, violation

_STRINGS = ("bot_id", "user_id", "publish_status", "bot_version", "connector_id")
_BOOLEANS = ("stream", "auto_save_history", "enable_card")
_MAPS = ("custom_variables", "meta_data", "extra_params")


def bearer() -> str:
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if kind.lower() == "bearer" else ""


def caller(*scopes: str) -> CozeToken:
    """The token of a call other than /v3/chat: 401 when it is bad, 4101 when it lacks a scope."""
    token = store().token(bearer())
    if token is None:
        raise Refused(700012006, status=401)
    if not token.scopes.issuperset(scopes):
        raise Refused(
            4101, f"The token lacks the permission {' and '.join(scopes)}.", _scope_status()
        )
    spend(token)
    return token


def spend(token: CozeToken) -> None:
    """Counts a call of an account that has only so many."""
    free = here().settings.coze_free_calls
    if free and here().limits.use(("coze calls", token.account)) > free:
        raise Refused(4028)


def hold_rate(token: CozeToken) -> None:
    """One of the calls that share an account's pool: chat, retrieve and list."""
    settings = here().settings
    if not here().limits.allows(("coze", token.account), settings.coze_qps):
        violation(
            "over_qps", f"more than {settings.coze_qps:g} calls a second on account {token.account}"
        )
        raise rate_refusal(settings.coze_rate_limit)


def rate_refusal(form: str) -> Refused:
    """The forms of a refusal for asking too often; the live one is not recorded."""
    return Refused(4013, status=429) if form == "429" else Refused(int(form))


def json_body(is_optional: bool = False) -> dict[str, Any]:
    """The request's JSON object, or 4000."""
    raw = request.get_data()
    if is_optional and not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError:
        raise bad_request() from None
    if not isinstance(body, dict) or request.mimetype != "application/json":
        raise bad_request()
    return {name: value for name, value in body.items() if value is not None}


def require_strings(values: dict[str, Any], *names: str) -> list[str]:
    """These parameters, which must be there as non-empty strings."""
    for name in names:
        if not isinstance(values.get(name), str) or not values[name]:
            raise bad_request(f"The parameter {name} is required and must be a string.")
    return [values[name] for name in names]


def check_types(body: dict[str, Any]) -> None:
    """Step 1: everything that is there has its JSON type."""
    command = body.get("shortcut_command", {"command_id": ""})
    fits = (
        all(isinstance(body.get(name, ""), str) for name in _STRINGS)
        and all(isinstance(body.get(name, False), bool) for name in _BOOLEANS)
        and all(is_map_of_strings(body.get(name, {})) for name in _MAPS)
        and isinstance(body.get("parameters", {}), dict)
        and _is_list_of_objects(body.get("additional_messages", []))
        and isinstance(command, dict)
        and isinstance(command.get("command_id"), str)
        and is_map_of_strings(command.get("parameters") or {})
    )
    if not fits:
        raise bad_request()


def check_caller(body: dict[str, Any]) -> CozeToken:
    """Steps 2 to 5: the token is there, the bot exists, the token may use it, the bot is
    published.
    """
    if not bearer():
        raise Refused(4101)
    bot_id = body.get("bot_id") or "0"
    bot = COZE_BOTS.get(bot_id)
    if bot is None:
        raise unknown_bot(bot_id)
    token = store().token(bearer())
    if token is None or "chat" not in token.scopes or bot.workspace not in token.workspaces:
        raise Refused(4101)
    if not bot.is_published and body.get("publish_status") != "unpublished_draft":
        raise not_published(bot_id)
    return token


def unknown_bot(bot_id: str) -> Refused:
    text = (
        f"Requested resource bot_id={bot_id} does not exist. Ensure you are the "
        f"correct resource identifier."
    )
    return Refused(4200, text)


def not_published(bot_id: str) -> Refused:
    text = (
        f"The bot_id {bot_id} has not been published to the channel Agent As API. "
        f"Please refer to the "
        "'Publish' section of the documentation at https://www.coze.cn/docs/guides to "
        "publish your Bot to "
        "the corresponding channel."
    )
    return Refused(4015, text)


def check_fields(body: dict[str, Any], token: CozeToken) -> None:
    """Steps 6 to 9: what the fields may hold, alone and together."""
    if not body.get("user_id"):
        raise bad_request("The parameter user_id is required.")
    if body.get("publish_status", "published_online") not in (
        "published_online",
        "unpublished_draft",
    ):
        raise bad_request("The parameter publish_status is invalid.")
    if body.get("bot_version") and body.get("publish_status") == "unpublished_draft":
        raise bad_request("bot_version cannot be combined with unpublished_draft.")
    if not set(body.get("extra_params", {})) <= {"latitude", "longitude"}:
        raise bad_request("extra_params may hold only latitude and longitude.")
    is_saved = body.get("auto_save_history", True)
    if not body.get("stream") and not is_saved:
        raise Refused(4007)
    check_meta_data(body.get("meta_data", {}))
    if len(body.get("additional_messages", [])) > 100:
        raise Refused(4004)
    check_messages(body.get("additional_messages", []), is_saved, token.account)
    if any(not re.fullmatch(r"[A-Za-z_]+", name) for name in body.get("custom_variables", {})):
        violation(
            "custom_variables", "a name holds something other than ASCII letters and underscores"
        )


def check_meta_data(pairs: dict[str, str]) -> None:
    if len(pairs) > 16 or any(
        not 1 <= len(key) <= 64 or not 1 <= len(pairs[key]) <= 512 for key in pairs
    ):
        raise Refused(4003)


def check_conversation(body: dict[str, Any], token: CozeToken) -> Conversation | None:
    """Steps 10 and 11: the conversation of the query is the caller's, and there is something to
    answer.
    """
    if "conversation_id" in body:
        violation("conversation_id_in_body", "Coze reads conversation_id from the query only")
    conversation_id = request.args.get("conversation_id")
    conversation = None
    if conversation_id:
        conversation = store().conversation(conversation_id, token.owner)
    stored = conversation.context() if conversation else []
    last = (body.get("additional_messages") or stored or [{}])[-1]
    if "shortcut_command" not in body and (last.get("role") != "user" or not last.get("content")):
        raise bad_request("There is no user message to answer.")
    if conversation:
        note(conversation_id=conversation.id)
    return conversation


def _scope_status() -> int:
    return here().settings.coze_scope_status


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)
