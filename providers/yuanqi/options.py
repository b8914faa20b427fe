"""What a Yuanqi agent needs, checked when it is made (platforms/yuanqi.md)."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from providers.options import Address, AgentOptions, Id, Signs, Token, bilingual_error, setting


def _agent_id(value: str) -> str:
    """The id, also out of the address to try the agent at, which holds it as `appid`."""
    if "/" not in value:
        return value
    match = re.search(r"(?:[?&#]appid=|/agent/)([0-9A-Za-z]{12,})(?![0-9A-Za-z])", value)
    if not match:
        raise bilingual_error(
            "网址里没有智能体 ID，请复制“应用发布 › 服务状态”里的体验链接",
            "no agent id in this address: copy the 体验链接 under 应用发布 › 服务状态",
        )
    return match[1]


class Options(AgentOptions):
    """What a Yuanqi agent needs.

    Its id may be a number of 19 digits: TOML allows it without quotes.
    """

    model_config = ConfigDict(coerce_numbers_to_str=True)

    api_token: Token = setting(
        example="Qk7P...",
        en="Token (appkey), from 应用发布 › API管理",
        zh="令牌：“应用发布 › API管理”里的 appkey",
    )
    assistant_id: Annotated[Id, AfterValidator(_agent_id)] = setting(
        example="1839...",
        en="The agent's id (appid), from the address of 应用发布 › 服务状态 › 体验链接",
        zh="智能体 ID：“应用发布 › 服务状态 › 体验链接”网址里的 appid",
    )
    api_base: Address = setting(
        "https://yuanqi.tencent.com/openapi/v1",
        en="Address of the API; "
        "the older https://open.hunyuan.tencent.com/openapi/v1 works as well",
        zh="接口地址；旧地址 https://open.hunyuan.tencent.com/openapi/v1 也可用",
    )
    concurrency: int | None = setting(
        None,
        en="Answers at once the account may get; 0: no limit",
        zh="账号同时回答的上限；0 为不限",
        ge=0,
    )
    custom_variables: dict[str, str] = Field({}, description="Variables of the agent's workflow")
    image_part: Literal["image_url", "file_url"] = Field(
        "image_url", description="How a picture is sent; file_url for agents of the older platform"
    )


# Addresses and the forms of id and token: platforms/yuanqi.md §2.
SIGNS = Signs(
    needs=(("assistant_id",), ("api_token",)),
    names=("yuanqi", "元器"),
    addresses=(
        r"(?P<api_base>https?://[^/?#]+(?:/[\w.-]+){0,4})/agent/chat/completions\b",
        r"[\w.-]*\byuanqi\.tencent\.com/(?:.*[?&#]appid=|(?:[^?#]*/)?agent/)"
        r"(?P<assistant_id>[0-9A-Za-z]{12,24})(?![0-9A-Za-z])",
        r"[\w.-]*\b(?:yuanqi|hunyuan)\.tencent\.com(?=[/?#]|$)",
    ),
    labels={
        "assistant_id": ("assistantid", "appid", "智能体id", "智能体编号", "agentid"),
        "api_token": ("token", "apitoken", "appkey", "authorization", "apikey", "令牌", "密钥"),
        "api_base": ("baseurl", "apibase", "base"),
    },
    shapes={
        "assistant_id": r"[0-9A-Za-z]{12}|[0-9]{17,20}",
        "api_token": r"[0-9A-Za-z]{32}",
    },
)
