"""What Huawei's engine demands of a call (platforms/huawei.md §9), in its order, and how it
refuses.
"""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from flask import request

from emulator.accounts import HUAWEI_AGENTS, HUAWEI_KEYS, HuaweiAgent
from emulator.state import here, resolve_alias, violation

ROLES = ("user", "assistant", "tool")
VARIABLE_KINDS = ("common_variables", "sensitive_variables")
# The codes whose HTTP status is not 200, and the code for a status.
STATUS = {
    "AIAE.31001001": 500,
    "AIAE.31001003": 408,
    "AIAE.31001004": 500,
    "AIAE.22009001": 500,
    **dict.fromkeys(("AIAE.31001106", "AIAE.31001601", "AIAE.31001602", "AIAE.31001603"), 400),
    **dict.fromkeys(("AIAE.31001701", "AIAE.31001702", "AIAE.40001001"), 400),
    "APIGW.0101": 404,
    "APIGW.0201": 400,
    "APIGW.0301": 401,
    "APIGW.0302": 403,
    "APIGW.0303": 401,
    "APIGW.0308": 429,
}
CODE_OF_STATUS = {
    400: "AIAE.31001701",
    401: "APIGW.0303",
    403: "APIGW.0302",
    404: "APIGW.0101",
    408: "AIAE.31001003",
    429: "APIGW.0308",
    500: "AIAE.22009001",
}


@dataclass(eq=False)
class HuaweiRefused(Exception):
    """A failure in the platform's words; many of them come with HTTP 200."""

    code: str
    message: str
    status: int | None = None

    @property
    def http_status(self) -> int:
        return self.status or STATUS.get(self.code, 200)

    def body(self) -> dict[str, Any]:
        trace = {"request_id": uuid4().hex} if self.code.startswith("APIGW.") else {}
        return {"error_code": self.code, "error_msg": self.message, **trace}


def error_for_status(status: int) -> dict[str, Any]:
    return HuaweiRefused(
        CODE_OF_STATUS.get(status, "APIGW.0201"), f"refused as ordered: {status}"
    ).body()


def invalid(name: str) -> HuaweiRefused:
    return HuaweiRefused("AIAE.22001004", f"参数{name}异常")


def unauthorized() -> HuaweiRefused:
    if here().settings.huawei_auth == "app":
        return HuaweiRefused("AIAE.22001003", "鉴权失败：API Key无效")
    return HuaweiRefused("APIGW.0303", "Incorrect app authentication information")


def unknown_agent() -> HuaweiRefused:
    return HuaweiRefused("AIAE.22001001", "调用异常，请检查URL和请求方法，或是否访问了他人的资源")


def agent_of(agent_id: str) -> HuaweiAgent:
    """The agent of this address, when the caller's key may call it."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    owner = (
        HUAWEI_KEYS.get(resolve_alias(key))
        if scheme == "Bearer" and key.startswith("sk-")
        else None
    )
    if owner is None:
        raise unauthorized()
    agent = HUAWEI_AGENTS.get(agent_id)
    if agent is not None and agent.owner != owner:
        raise HuaweiRefused("AIAE.22001008", "用户无权限访问该资源")
    if agent is None or not agent.is_published:
        raise unknown_agent()
    return agent


def checked_body(agent: HuaweiAgent) -> dict[str, Any]:
    body = request.get_json(silent=True)
    if not isinstance(body, dict) or not _is_text(body.get("query")):
        raise HuaweiRefused("AIAE.31001701", "请求参数错误")
    if "memory" in body and not _is_memory(body["memory"]):
        raise invalid("memory")
    for name in ("user_id", "conversation_id"):
        if not isinstance(body.get(name, ""), str):
            raise invalid(name)
    _check_variables(body.get("variables", {}), agent)
    if here().settings.huawei_sensitive_word in body["query"]:
        raise HuaweiRefused("AIAE.31001601", "请求中包含敏感内容")
    if "memory" in body and (body.get("user_id") or body.get("conversation_id")):
        violation("both_contexts", "memory beside user_id or conversation_id: only memory is used")
    return body


def _is_memory(memory: Any) -> bool:
    return isinstance(memory, list) and all(
        isinstance(entry, dict) and entry.get("role") in ROLES and _is_text(entry.get("content"))
        for entry in memory
    )


def _check_variables(variables: Any, agent: HuaweiAgent) -> None:
    if not isinstance(variables, dict) or not set(variables) <= set(VARIABLE_KINDS):
        raise invalid("variables")
    if not all(isinstance(values, dict) for values in variables.values()):
        raise invalid("variables")
    for name in agent.sensitive_variables:
        if not variables.get("sensitive_variables", {}).get(name):
            raise invalid(f"variables.sensitive_variables.{name}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
