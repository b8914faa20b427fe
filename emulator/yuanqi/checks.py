"""What Tencent Yuanqi demands of a request (platforms/yuanqi.md §9), in its order, and how it
refuses.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from flask import request

from emulator.accounts import YUANQI_AGENTS, YUANQI_TOKENS
from emulator.state import here, resolve_alias, violation

AT_ONCE = 10
MOST_MESSAGES = 40
KINDS = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error"}


@dataclass(eq=False)
class YuanqiRefused(Exception):
    """An answer other than success; the codes of the real platform are unknown, these are
    plausible.
    """

    status: int
    message: str
    code: str = ""

    def body(self, is_numeric: bool = False) -> dict[str, Any]:
        code = self.code or str(self.status)
        value = int(code) if is_numeric and code.isdigit() else code
        kind = KINDS.get(
            self.status, "server_error" if self.status >= 500 else "invalid_request_error"
        )
        return {"error": {"message": self.message, "type": kind, "param": None, "code": value}}


class YuanqiBooks:
    """How many tokens each account has used."""

    def __init__(self) -> None:
        self.used: dict[str, int] = {}


def checked() -> tuple[str, dict[str, Any]]:
    """The account and the body of the current request, when nothing is wrong with them."""
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    account = YUANQI_TOKENS.get(resolve_alias(token))
    if account is None or not request.headers["Authorization"].startswith("Bearer "):
        raise YuanqiRefused(401, "token is missing or invalid")
    if here().settings.yuanqi_x_source and request.headers.get("X-Source") != "openapi":
        raise YuanqiRefused(400, "header X-Source: openapi is required")
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise YuanqiRefused(400, "the body must be a JSON object")
    _check_fields(body)
    _check_order(body["messages"])
    for message in body["messages"]:
        _check_content(message.get("content"))
    if body.get("chat_type", "published") != "published":
        raise YuanqiRefused(400, "this chat_type is for internal use only")
    _check_agent(body["assistant_id"], account)
    return account, body


def enter(account: str) -> None:
    """Counts a call in; `here().limits.leave` counts it out."""
    if not here().limits.enter(("yuanqi", account), AT_ONCE):
        violation("concurrency", f"more than {AT_ONCE} calls at once")
        raise YuanqiRefused(429, "too many concurrent requests", "concurrency")
    if here().settings.yuanqi_tokens <= here().store(YuanqiBooks).used.get(account, 0):
        here().limits.leave(("yuanqi", account))
        raise YuanqiRefused(429, "the token quota of this account is used up", "quota")


def text_of(message: dict[str, Any]) -> str:
    return "".join(part["text"] for part in message["content"] if "text" in part)


def files_of(message: dict[str, Any]) -> list[str]:
    """The files of a message, each as its kind and its address."""
    files = []
    for part in message["content"]:
        if "file_url" in part:
            files.append(f"{part['file_url']['type']} {part['file_url']['url']}")
        elif "image_url" in part:
            files.append(f"image {part['image_url']['url']}")
    return files


def _check_fields(body: dict[str, Any]) -> None:
    for name in ("assistant_id", "user_id"):
        if not _is_text(body.get(name)):
            raise YuanqiRefused(400, f"{name} must be a non-empty string")
    if not isinstance(body.get("stream", False), bool):
        raise YuanqiRefused(400, "stream must be true or false")
    messages = body.get("messages")
    if not isinstance(messages, list) or not 1 <= len(messages) <= MOST_MESSAGES:
        raise YuanqiRefused(400, f"messages must be a list of 1 to {MOST_MESSAGES}")
    variables = body.get("custom_variables", {})
    if not isinstance(variables, dict) or not all(
        isinstance(value, str) for value in variables.values()
    ):
        raise YuanqiRefused(400, "custom_variables must be an object of strings")


def _check_order(messages: list[Any]) -> None:
    if not all(isinstance(message, dict) for message in messages):
        raise YuanqiRefused(400, "each message must be an object")
    roles = [message.get("role") for message in messages]
    if not all(role in ("user", "assistant") for role in roles):
        raise YuanqiRefused(400, "role must be user or assistant")
    if (
        roles[0] != "user"
        or roles[-1] != "user"
        or any(role == next_role for role, next_role in pairwise(roles))
    ):
        raise YuanqiRefused(400, "messages must alternate between user and assistant")


def _check_content(content: Any) -> None:
    if not isinstance(content, list) or not content:
        raise YuanqiRefused(400, "content must be a non-empty list")
    for part in content:
        if not isinstance(part, dict) or not _is_part(part):
            raise YuanqiRefused(400, "content holds a part that is no text, file_url or image_url")


def _is_part(part: dict[str, Any]) -> bool:
    kind = part.get("type") or next(
        (name for name in ("text", "file_url", "image_url") if name in part), ""
    )
    if kind == "text":
        return _is_text(part.get("text"))
    names = ("type", "url") if kind == "file_url" else ("url",)
    inner = part.get(kind) if kind in ("file_url", "image_url") else None
    return isinstance(inner, dict) and all(_is_text(inner.get(name)) for name in names)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _check_agent(assistant_id: str, account: str) -> None:
    agent = YUANQI_AGENTS.get(assistant_id)
    if agent is None or agent.account != account:
        raise YuanqiRefused(403, "no right to this assistant")
    if not agent.is_published:
        raise YuanqiRefused(400, "this assistant has not been published")
