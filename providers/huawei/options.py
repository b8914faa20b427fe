"""What an agent of Huawei's engine needs, checked when it is made (platforms/huawei.md)."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, JsonValue, SecretStr

from providers.options import AgentOptions, Signs, Token, bilingual_error, setting


def _published_address(value: str) -> str:
    if not value.startswith(("https://", "http://")) or any(char.isspace() for char in value):
        raise bilingual_error(
            "请复制完整的发布地址，开头是 https://",
            "copy the whole 发布地址 of the agent: it begins with https://",
        )
    return value


class Variables(BaseModel):
    """Values for the agent's variables. Those it calls sensitive have to go with every question."""

    model_config = AgentOptions.model_config

    common_variables: dict[str, JsonValue] = Field({})
    sensitive_variables: dict[str, SecretStr] = Field({})


class Options(AgentOptions):
    """What an agent of the engine needs."""

    api_key: Token = setting(
        example="sk-...",
        en="Platform API key, from 凭证管理 › 我的凭证; it begins with sk-",
        zh="平台 API Key，在“凭证管理 › 我的凭证”里，以 sk- 开头",
    )
    agent_url: Annotated[str, AfterValidator(_published_address)] = setting(
        example="https://...",
        en="The whole published address of the agent, from 我的Agent › 发布地址",
        zh="智能体的完整发布地址，在“我的Agent › 发布地址”一列",
    )
    variables: Variables = Field(Variables(), description="Values for the agent's variables")
    memory: bool = Field(
        False, description="Send the history ourselves; else the platform remembers a few rounds"
    )


# The address and the form of the key: platforms/huawei.md §2.
SIGNS = Signs(
    needs=(("agent_url",), ("api_key",)),
    names=("huawei", "华为"),
    addresses=(
        r"(?P<agent_url>https?://[^/?#]+/[^?#]{0,200}/execute\b(?:\?[^#]*)?)",
        r"[\w.-]*\bmyhuaweicloud\.com(?=[/?#]|$)",
    ),
    labels={
        "agent_url": ("agenturl", "发布地址", "url"),
        "api_key": ("apikey", "平台apikey", "authorization", "token", "key", "密钥"),
    },
    shapes={"agent_url": r"https?://\S+/execute(?:\?\S*)?", "api_key": r"sk-[\w.-]{6,}"},
)
