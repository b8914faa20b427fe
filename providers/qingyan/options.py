"""What a Qingyan agent needs, checked when it is made (platforms/qingyan.md)."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from providers.options import Address, AgentOptions, Id, Signs, Token, bilingual_error, setting


def _agent_id(value: str) -> str:
    """The id, also out of the address of the agent's chat page."""
    if "/" not in value:
        return value
    match = re.search(r"(?<![0-9a-zA-Z])[0-9a-f]{24}(?![0-9a-zA-Z])", value)
    if not match:
        raise bilingual_error(
            "网址里没有智能体 ID，请从智能体的聊天页复制网址",
            "no agent id in this address: copy it from the agent's chat page",
        )
    return match[0]


class Options(AgentOptions):
    """What a Qingyan agent needs. Newer accounts may be allowed more than the older terms."""

    api_key: Token = setting(
        example="0a1b2c...",
        en="API key, made at chatglm.cn/developersPanel/apiSet",
        zh="API Key，在 chatglm.cn/developersPanel/apiSet 创建",
    )
    api_secret: Token = setting(
        example="00112233...",
        en="The secret that was shown with the key",
        zh="与 API Key 一起显示的 Secret",
    )
    assistant_id: Annotated[Id, AfterValidator(_agent_id)] = setting(
        example="65d2f0...",
        en="The agent: the id at the end of its page's address, or that address",
        zh="智能体 ID：智能体页面网址末尾的编号，也可以粘贴整个网址",
    )
    api_base: Address = setting(
        "https://chatglm.cn/chatglm/assistant-api/v1", en="Address of the API", zh="接口地址"
    )
    concurrency: int | None = setting(
        None,
        en="Answers at once the account may get: 2, or 10 by newer terms; 0: no limit",
        zh="账号同时回答的上限：2，新条款为 10；0 为不限",
        ge=0,
    )
    daily: int | None = setting(
        None,
        en="Questions a day the account may ask: 500, or 5000 by newer terms; 0: no limit",
        zh="账号每天提问的上限：500，新条款为 5000；0 为不限",
        ge=0,
    )
    follow_ups: bool = Field(
        True, description="Whether to ask for follow-up questions after each answer"
    )


# Addresses and the forms of ids and keys: platforms/qingyan.md §1.
SIGNS = Signs(
    needs=(("assistant_id",), ("api_key",), ("api_secret",)),
    names=("qingyan", "chatglm", "清言"),
    addresses=(
        r"(?P<api_base>https?://[^/?#]+(?:/[\w.-]+){0,4}/assistant-api/v1)(?=[/?#]|$)",
        r"[\w.-]*\bchatglm\.cn/[^#]*?(?<![0-9a-zA-Z])(?P<assistant_id>[0-9a-f]{24})(?![0-9a-zA-Z])",
        r"[\w.-]*\bchatglm\.cn(?=[/?#]|$)",
    ),
    labels={
        "assistant_id": ("assistantid", "assistant", "智能体id", "智能体编号", "agentid"),
        "api_key": ("apikey", "key"),
        "api_secret": ("apisecret", "secret", "apikeysecret", "密钥"),
        "api_base": ("baseurl", "apibase", "base"),
    },
    shapes={
        "assistant_id": r"[0-9a-f]{24}",
        "api_key": r"[0-9a-f]{16}",
        "api_secret": r"[0-9a-f]{32}",
    },
)
