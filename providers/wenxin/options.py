"""What a Wenxin agent needs, checked when it is made (platforms/wenxin.md)."""

import re
from typing import Annotated

from pydantic import AfterValidator

from providers.options import Address, AgentOptions, Id, Signs, Token, bilingual_error, setting


def _app_id(value: str) -> str:
    """The id, also out of the address of the agent's page."""
    if "/" not in value:
        return value
    match = re.search(r"(?<![0-9A-Za-z])[0-9A-Za-z]{32}(?![0-9A-Za-z])", value)
    if not match:
        raise bilingual_error(
            "网址里没有智能体 ID，请在“部署 › API 调用”里复制",
            "no agent id in this address: copy it from 部署 › API 调用",
        )
    return match[0]


class Options(AgentOptions):
    """What a Wenxin agent needs."""

    app_id: Annotated[Id, AfterValidator(_app_id)] = setting(
        example="AbCd12...",
        en="The agent's id (appId), from 部署 › API 调用",
        zh="智能体 ID（appId），在“部署 › API 调用”里",
    )
    secret_key: Token = setting(
        example="EfGh34...",
        en="The agent's Secret Key, from the same place",
        zh="同一处的 Secret Key",
    )
    api_base: Address = setting(
        "https://agentapi.baidu.com", en="Address of the API", zh="接口地址"
    )
    token_base: Address = setting(
        "https://openapi.baidu.com", en="Where the keys are checked", zh="校验密钥的地址"
    )
    daily: int | None = setting(
        None,
        en="Questions a day the agent may be asked; 0: no limit",
        zh="智能体每天被提问的上限；0 为不限",
        ge=0,
    )


# Addresses, names of parameters and the form of both keys: platforms/wenxin.md §1 and §2.
SIGNS = Signs(
    needs=(("app_id",), ("secret_key",)),
    names=("wenxin", "文心"),
    addresses=(
        r"(?P<api_base>https?://[^/?#]+)/assistant/(?:getAnswer|conversation)\b",
        r"[\w.-]*\bagents\.baidu\.com/[^#]*?(?<![0-9A-Za-z])(?P<app_id>[0-9A-Za-z]{32})"
        r"(?![0-9A-Za-z])",
        r"[\w.-]*\b(?:agents|agentapi)\.baidu\.com(?=[/?#]|$)",
        r"[\w.-]*\bopenapi\.baidu\.com/oauth/2\.0/token",
    ),
    labels={
        "app_id": ("appid", "clientid", "智能体id", "智能体编号", "source", "agentid"),
        "secret_key": ("secretkey", "clientsecret", "secret", "密钥"),
        "api_base": ("baseurl", "apibase", "base"),
    },
    shapes={"app_id": r"[0-9A-Za-z]{32}", "secret_key": r"[0-9A-Za-z]{32}"},
)
