"""Coze's envelope, error texts and events (platforms/coze.md §0, §1.5, §7)."""

import json
import secrets
import time
from typing import Any

from flask import Response, g, jsonify
from flask.typing import ResponseReturnValue

from emulator.speech import HALVES
from emulator.state import here

HELP = "https://www.coze.cn/docs/developer_guides"
TEXTS = {
    4000: "The field http body provided is not a valid json or chat request. Please "
    "check your input.",
    4001: "The requested chat does not exist. Please check the chat_id.",
    4002: "The requested conversation does not exist. Please check the conversation_id.",
    4003: "The field meta_data exceeds the limit of 16 pairs, 64 and 512 characters.",
    4004: "The field additional_messages exceeds the limit of 100 items.",
    4007: "stream=false requires auto_save_history=true.",
    4008: "The number of uses of this agent today has been exceeded.",
    4009: "The platform is busy. Please try again later.",
    4011: "The Coze Token balance of the account is insufficient.",
    4013: "Model's request rate limit exceeded. Please reduce your request frequency or "
    "try again later.",
    4014: "The agent cannot answer this question.",
    4016: "Conversation occupied: Another chat is currently active. Please wait for the "
    "ongoing chat to "
    "complete or create a new conversation to start a separate chat. Ensure only one "
    "chat runs at a time "
    "within the same conversation.",
    4020: "You have exceeded the model RPM limit. Please try again later or contact "
    "Coze for an upgrade.",
    4027: "Your account has an overdue payment, please recharge immediately.",
    4028: "Your free quota has been used up. Please upgrade to a paid plan to continue: "
    "https://console.volcengine.com/coze-pro",
    4100: "authentication is invalid",
    4101: f"The token you entered is incorrect. Please check it and see {HELP}/authentication",
    4102: "The request was blocked by risk control. Please try again later.",
    4104: "The chat cannot be canceled in its current state.",
    4300: "The file is empty, or the request is not multipart/form-data with a part named file.",
    4301: "Only one file can be uploaded at a time.",
    4302: "The file is too large.",
    4303: "The file type is not supported.",
    5000: "We're currently experiencing server issues. Please try your request again "
    "after a short delay. "
    "If the problem persists, contact our support team.",
    700012006: "access token invalid",
    710005002: "API request frequency exceeded.",
}
_CODES = {400: 4000, 401: 700012006, 403: 4101, 404: 4200, 429: 4013}


class Refused(Exception):
    """Ends a request with an error envelope."""

    def __init__(self, code: int, msg: str = "", status: int = 200) -> None:
        super().__init__(code)
        self.code, self.msg, self.status = code, msg or TEXTS.get(code, f"Error {code}."), status


def answer(data: Any = None, **more: Any) -> Response:
    """The success envelope; without `data` when there is none."""
    body = {} if data is None else {"data": data}
    return jsonify({**body, **more, "code": 0, "msg": "", "detail": {"logid": logid()}})


def refusal(error: Refused) -> ResponseReturnValue:
    return jsonify(error_body(error.code, error.msg)), error.status


def error_body(code: int, msg: str = "") -> dict[str, Any]:
    return {
        "code": code,
        "msg": msg or TEXTS.get(code, f"Error {code}."),
        "detail": {"logid": logid()},
    }


def error_for_status(status: int) -> dict[str, Any]:
    return error_body(_CODES.get(status, 5000))


def bad_request(msg: str = "") -> Refused:
    """Code 4000 with the HTTP status the switches say; the recordings leave it open."""
    return Refused(4000, msg, here().settings.coze_bad_body_status)


def logid() -> str:
    """One for each request; in the header and in the body."""
    if "coze_logid" not in g:
        g.coze_logid = time.strftime("%Y%m%d%H%M%S") + secrets.token_hex(9).upper()
    return str(g.coze_logid)


def event(name: str, data: Any) -> bytes:
    """One event, exactly as recorded: no space after the colon, one data line, no ASCII escapes."""
    text = (
        data
        if isinstance(data, str)
        else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    )
    return f"event:{name}\ndata:{text}\n\n".encode("utf-8", HALVES)


def as_text(data: Any) -> str:
    """JSON inside a string, as in the content of verbose and function_call messages."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
