"""What a Coze agent needs, checked when it is made (platforms/coze.md §1.2)."""

import json
import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

from providers.options import (
    Address,
    AgentOptions,
    Signs,
    Text,
    Token,
    bilingual_error,
    copied,
    setting,
)


def _bot_id(value: Any) -> Any:
    """The digits of an agent, also from the address of its page."""
    is_text = isinstance(value, str | int) and not isinstance(value, bool)
    text = copied(str(value)) if is_text else ""
    match = re.search(r"/bot/([0-9]+)|[:=]\s*([0-9]+)$", text)
    digits = match[1] or match[2] if match else text
    if not re.fullmatch(r"[0-9]+", digits):
        raise bilingual_error(
            "应是智能体网址里 /bot/ 后面的数字",
            "a bot id is the digits after /bot/ in the address of the agent's page",
        )
    return digits


def _not_a_project(value: SecretStr) -> SecretStr:
    """Refuses the token of a deployment at coze.site: agents made there are no bots (§15)."""
    secret = value.get_secret_value()
    if secret.startswith("eyJ") and len(secret) > PROJECT_TOKEN_LENGTH:
        raise bilingual_error(
            "这是扣子编程项目（*.coze.site）的令牌，不能用来调用智能体："
            "请填 pat_ 或 sat_ 开头的令牌",
            "this is the token of a deployment at *.coze.site, which is no bot: "
            "a bot takes a token that begins with pat_ or sat_",
        )
    return value


def _not_a_project_address(value: str) -> str:
    if (urlsplit(value).hostname or "").endswith(".coze.site"):
        raise bilingual_error(
            "*.coze.site 是扣子编程项目的网址，智能体的 API 在 https://api.coze.cn",
            "*.coze.site is the address of a deployment; the API of bots is https://api.coze.cn",
        )
    return value


def _json_map(value: dict[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise bilingual_error(
            "只能用 JSON 能表示的值：文字、数字、列表和表",
            "parameters hold only what JSON can say: texts, numbers, lists and tables",
        ) from None
    return value


def _prompt_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]+", name):
        raise bilingual_error(
            "变量名只能用英文字母和下划线",
            "names of custom variables are made of ASCII letters and underscores",
        )
    return name


MetaKey = Annotated[str, StringConstraints(min_length=1, max_length=64)]
MetaValue = Annotated[str, StringConstraints(min_length=1, max_length=512)]


# Tokens of bots are shorter, those of deployments about 740 characters.
PROJECT_TOKEN_LENGTH = 300
WAYS = (
    ("api_token",),
    ("jwt_app_id", "jwt_key_id", "jwt_private_key"),
    ("oauth_client_id", "oauth_client_secret"),
)


class ShortcutCommand(BaseModel):
    """A shortcut bound to the agent; Coze makes the query from it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    command_id: Text
    parameters: dict[str, str] = Field(default_factory=dict)


class Options(AgentOptions):
    """What a Coze agent needs. The maps go with every question (platforms/coze.md §1.2).

    It signs in by one of three: a token, a service app (JWT), or a web app that its owner
    authorises (§6).
    """

    api_token: Annotated[Token, AfterValidator(_not_a_project)] | None = setting(
        None,
        example="sat_...",
        en="Token, made at www.coze.cn/open/oauth/pats (or a service token)",
        zh="令牌，在 www.coze.cn/open/oauth/pats 创建（或使用服务访问令牌）",
    )
    bot_id: Annotated[str, BeforeValidator(_bot_id)] = setting(
        example="7428012345678901234",
        en="The agent: the digits after /bot/ in the editor's address, or that address",
        zh="智能体 ID：编辑页网址里 /bot/ 后面的数字，也可以粘贴整个网址",
    )
    api_base: Annotated[Address, AfterValidator(_not_a_project_address)] = setting(
        "https://api.coze.cn",
        en="https://api.coze.com for agents made on coze.com",
        zh="在 coze.com 创建的智能体用 https://api.coze.com",
    )
    jwt_app_id: Text | None = setting(
        None,
        en="A service app instead of a token: the app's id",
        zh="用服务类应用（JWT）代替令牌：应用 ID",
    )
    jwt_key_id: Text | None = setting(
        None, en="The fingerprint of its public key", zh="该应用公钥的指纹"
    )
    jwt_private_key: SecretStr | None = setting(
        None,
        en="Its private key, PEM; best given as COZE_JWT_PRIVATE_KEY_FILE",
        zh="该应用的私钥（PEM），建议用 COZE_JWT_PRIVATE_KEY_FILE 指定文件",
    )
    oauth_client_id: Text | None = setting(
        None,
        en="A web OAuth app instead of a token: its client id",
        zh="用网页 OAuth 应用代替令牌：客户端 ID",
    )
    oauth_client_secret: Token | None = setting(
        None,
        en="Its client secret; then open /oauth/coze/start as the owner",
        zh="客户端密钥；填好后由管理员打开 /oauth/coze/start 授权",
    )
    web_base: Address = setting(
        "https://www.coze.cn",
        en="Where a web app is authorised; https://www.coze.com for coze.com",
        zh="授权网页应用的网址；coze.com 用 https://www.coze.com",
    )
    qps: float | None = setting(
        None,
        en="Calls a second the account may make, polls included; 0: no limit",
        zh="账号每秒最多调用次数（含轮询）；0 为不限",
        ge=0,
    )
    ask: Literal["poll", "stream"] = setting(
        "poll",
        en="How callers that want whole answers are served: poll, as Coze's page says, or stream, "
        "which takes one call an answer where polling takes one a second",
        zh="不需要流式的调用怎样取答案：poll 按扣子文档每秒查询；stream 一次调用取完，更省调用次数",
    )
    poll_interval_s: float = Field(1.0, ge=1.0, allow_inf_nan=False)
    custom_variables: dict[Annotated[str, AfterValidator(_prompt_name)], str] | None = Field(
        None, description="Values for the {{names}} in the agent's prompt"
    )
    parameters: Annotated[dict[str, Any], AfterValidator(_json_map)] | None = Field(
        None, description="Inputs of the start node, for agents in chatflow mode"
    )
    meta_data: Annotated[dict[MetaKey, MetaValue], Field(max_length=16)] | None = Field(
        None, description="Up to 16 texts that Coze keeps with each chat"
    )
    extra_params: dict[Literal["latitude", "longitude"], str] | None = Field(
        None, description="Where the visitors are: latitude and longitude"
    )
    shortcut_command: ShortcutCommand | None = Field(
        None, description="A shortcut bound to the agent: command_id and parameters"
    )

    @model_validator(mode="after")
    def _signs_in_by_one_way(self) -> "Options":
        ways = [way for way in WAYS if any(getattr(self, name) is not None for name in way)]
        if not ways:
            raise bilingual_error(
                "{api_token} 为空，{jwt_app_id}、{oauth_client_id} 也为空（填其中之一即可）",
                "{api_token} is empty, and so are {jwt_app_id} and {oauth_client_id}, "
                "of which one may stand instead",
            )
        if len(ways) > 1:
            raise bilingual_error(
                "{api_token}、{jwt_app_id}、{oauth_client_id} 只能填其中之一",
                "there is more than one of {api_token}, {jwt_app_id} and {oauth_client_id}",
            )
        if missing := [f"{{{name}}}" for name in ways[0] if getattr(self, name) is None]:
            raise bilingual_error(f"{'、'.join(missing)} 为空", f"{' and '.join(missing)} is empty")
        return self


# Addresses and prefixes: platforms/coze.md §0 and §6.1; *.coze.site: coze-project.md.
SIGNS = Signs(
    needs=(("bot_id",), ("api_token", "jwt_app_id", "oauth_client_id")),
    names=("coze", "扣子"),
    addresses=(
        r"[\w.-]*\bcoze\.(?:cn|com)/(?:[^?#]*/)?bot/(?P<bot_id>[0-9]{6,24})(?![0-9])",
        r"(?P<api_base>https?://[^/?#]+)/v3/chat\b",
        r"(?P<api_base>https?://[^/?#]+)/v1/(?:bots?|conversations?|files)/",
        r"(?P<api_base>https?://api\.coze\.(?:cn|com))(?=[/?#]|$)",
        r"(?P<api_base>https?://[\w-]+\.coze\.site)(?=[/:?#]|$)",
        r"[\w.-]*\bcoze\.(?:cn|com)(?=[/?#]|$)",
    ),
    implied=(("coze.com", "api_base", "https://api.coze.com"),),
    labels={
        "bot_id": ("botid", "bot", "智能体id", "智能体编号", "机器人id", "agentid"),
        "api_token": (
            *("token", "apitoken", "accesstoken", "authorization", "pat", "apikey"),
            *("令牌", "访问令牌", "个人访问令牌", "服务访问令牌", "密钥"),
        ),
        "api_base": ("baseurl", "apibase", "base"),
        "jwt_app_id": ("appid", "应用id", "jwtappid"),
        "jwt_key_id": ("kid", "keyid", "publickeyid", "公钥指纹", "jwtkeyid"),
        "oauth_client_id": ("clientid", "客户端id"),
        "oauth_client_secret": ("clientsecret", "客户端密钥"),
    },
    shapes={
        "bot_id": r"[0-9]{17,20}",
        "api_token": r"(?:pat|sat|cztei)_[\w-]{6,}|eyJ[\w.-]{280,}",
        "oauth_client_id": r"[0-9]{6,24}\.app\.coze",
    },
    marks=(r"\b(?:pat|sat|cztei)_\w", r"\.app\.coze\b", r"\bCOZE_(?:CN|COM)_BASE_URL\b"),
    blocks={
        "jwt_private_key": r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[^-]{1,10000}"
        r"-----END [A-Z ]{0,20}PRIVATE KEY-----",
    },
)
