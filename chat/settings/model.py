"""The settings model: the only reader of the environment."""

import os
from pathlib import Path
from typing import Any, Literal

from babel.dates import get_timezone
from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from chat.logs.redaction import passwords
from chat.settings.hashes import Password
from chat.visitors import codes
from providers.options import Address

INSTANCE = Path("instance")


class SettingsError(Exception):
    """A wrong or half-filled setting. The text is one line: what is wrong, and the cure."""


def _setting(default: Any, group: str, english: str, chinese: str, **rules: Any) -> Any:
    return Field(
        default,
        description=english,
        json_schema_extra={"group": group, "chinese": chinese},
        **rules,
    )


class _SecretFiles(PydanticBaseSettingsSource):
    """`<NAME>_FILE` for each secret: the path of a file that holds it, as container platforms mount them."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        name = field_name.upper() + "_FILE"
        path = _environment().get(name) if _is_secret(field) else None
        if not path:
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8-sig").strip(), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"{name}: cannot read {path}: {error}. Name a readable file."
            ) from error

    def __call__(self) -> dict[str, Any]:
        found = {}
        for name, field in self.settings_cls.model_fields.items():
            value = self.get_field_value(field, name)[0]
            if value is not None:
                found[name] = value
        return found


class Settings(BaseSettings):
    """Everything the owner can set. Unset means the default; an empty value counts as unset."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8-sig",  # Notepad begins a file with a mark
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    site_title: str = _setting(
        "智页", "site", "The name on the page", "页面上的站名", max_length=60
    )
    secret_key: SecretStr | None = _setting(
        None, "site", "Signs visitors' cookies; at least 16 characters; made and kept in instance/ if unset",
        "签名访客 cookie 的密钥，至少 16 个字符；不填则自动生成并保存在 instance/",
    )  # fmt: skip
    host: str = _setting("127.0.0.1", "site", "Address to listen on", "监听地址")
    port: int = _setting(8000, "site", "Port to listen on", "监听端口", ge=1, le=65535)
    public_url: Address | None = _setting(
        None,
        "site",
        "The address visitors type, such as https://chat.example.com, when a proxy hides it",
        "访客看到的网址，如 https://chat.example.com；前面有代理时填写",
    )
    trusted_proxies: int = _setting(
        0,
        "site",
        "How many proxies of yours stand in front",
        "前面有几层自己的反向代理",
        ge=0,
        le=10,
    )
    default_language: Literal["zh", "en"] = _setting(
        "zh",
        "site",
        "Language when the browser does not say: zh or en",
        "浏览器未说明时的语言：zh 或 en",
    )

    time_zone: str = _setting(
        "Asia/Shanghai", "site", "Time zone of the times on the page, such as Asia/Shanghai",
        "页面上时间所用的时区，如 Asia/Shanghai",
    )  # fmt: skip
    log_format: Literal["text", "json"] = _setting(
        "text", "site", "How the log is written: text, or json with one object a line",
        "日志格式：text 为文本，json 为每行一个对象",
    )  # fmt: skip
    log_level: Literal["debug", "info", "warning"] = _setting(
        "info", "site", "What the log holds: warning (faults only), info or debug",
        "日志详细程度：warning（仅故障）、info 或 debug",
    )  # fmt: skip

    accent_color: str | None = _setting(
        None, "look", "The page's one colour, as #rrggbb; made lighter or darker where it could not be read",
        "页面的主题色，写作 #rrggbb；看不清的地方会自动调深或调浅", pattern=r"^#[0-9a-fA-F]{6}$",
    )  # fmt: skip
    site_logo: Path | None = _setting(
        None, "look", "Your logo, a square PNG, JPEG, WebP or SVG file of at most 200 kB",
        "站点标志：正方形的 PNG、JPEG、WebP 或 SVG 文件，不超过 200 kB",
    )  # fmt: skip
    site_notice: str | None = _setting(
        None, "look", "A line above the welcome, such as what the agents may be asked",
        "欢迎页上方的一行公告，如使用须知", max_length=300,
    )  # fmt: skip
    site_footer: str | None = _setting(
        None, "look", "A line at the bottom of the page", "页面底部的一行文字", max_length=200
    )
    icp_number: str | None = _setting(
        None, "look", "The ICP number, shown at the bottom with its link",
        "ICP 备案号，显示在页面底部并链接到备案网站", max_length=60,
    )  # fmt: skip
    ai_label: str | None = _setting(
        None, "look", "The label of generated content; unset: one in the reader's language, off: none",
        "生成内容的标识；不填则用读者语言的默认文字，off 为不显示", max_length=100,
    )  # fmt: skip

    ca_bundle: Path | None = _setting(
        None, "upstream", "Certificate authorities to trust, a PEM file; certifi's when unset",
        "信任的 CA 证书文件（PEM）；不填用 certifi 自带的",
    )  # fmt: skip
    upstream_proxy: Address | None = _setting(
        None, "upstream", "Proxy to reach the platforms through; the environment's proxies are not read",
        "访问平台时使用的代理；不读取环境变量里的代理",
    )  # fmt: skip

    database_url: str = _setting(
        "sqlite:///instance/chat.db", "storage", "Where conversations are kept", "对话保存在哪里"
    )
    redis_url: SecretStr | None = _setting(
        None, "storage", "Redis 6.2 or newer, redis://:password@host:6379/0: processes with one database "
        "follow and stop each other's answers; limits count in each. Unset: one process, all in memory",
        "Redis 6.2 以上，写作 redis://:密码@主机:6379/0：共用一个数据库的多个进程可互相接着看、停止回答；"
        "限额仍按进程计算。不填则只有一个进程，都在内存里",
    )  # fmt: skip

    access_codes: codes.AccessCodes | None = _setting(
        None, "access", "Codes that open the site, separated by commas: code, name:code, name:code:last day, "
        "name:code:2027-01-01:questions a day. At least 8 characters each; unset: open to all",
        "访问码，用逗号分隔：访问码、名称:访问码、名称:访问码:最后有效日、名称:访问码:2027-01-01:每天提问数；"
        "每个至少 8 个字符，不填则所有人可用",
    )  # fmt: skip
    api_keys: codes.ApiKeys | None = _setting(
        None, "access",
        "Keys for programs (Authorization: Bearer), in the same form; at least 16 characters each",
        "给程序用的密钥（Authorization: Bearer），写法相同，每个至少 16 个字符",
    )  # fmt: skip
    admin_password: Password | None = _setting(
        None, "access", "The owner's password, at least 12 characters: opens /oauth/coze/start",
        "站长密码，至少 12 个字符：用于打开 /oauth/coze/start",
    )  # fmt: skip
    metrics_token: codes.Token | None = _setting(
        None, "access", "Lets other machines read /metrics (Authorization: Bearer); at least 16 characters",
        "允许其他机器读取 /metrics 的令牌（Authorization: Bearer），至少 16 个字符",
    )  # fmt: skip

    max_message_chars: int = _setting(
        8000, "limits", "The longest question, in characters", "问题最长多少字", ge=1, le=1_000_000
    )
    max_answer_chars: int = _setting(
        2_000_000, "limits", "The longest answer, thoughts included, in characters; what is longer is cut",
        "回答最长多少字（含思考过程）；更长的会被截断", ge=100, le=8_000_000,
    )  # fmt: skip
    visitor_rate: str = _setting(
        "20/minute;300/day", "limits",
        "Questions and, counted apart, files a visitor may send; an address three times as many; 0: no limit",
        "每个访客的提问（文件另计）频率上限；同一网络地址为其三倍；0 为不限",
    )  # fmt: skip
    visitor_live_answers: int = _setting(
        3, "limits", "Answers a visitor may be getting at once; 0: no limit",
        "每个访客同时进行的回答上限；0 为不限", ge=0,
    )  # fmt: skip
    max_streams: int = _setting(
        5000, "limits", "Answers that may be read at once, by all visitors together",
        "全站同时接收回答的连接上限", ge=1, le=7500,
    )  # fmt: skip
    upload_max_mb: float = _setting(
        20, "limits", "The largest file a visitor may send, in megabytes; 0: no files",
        "访客可上传的最大文件，单位 MB；0 为不允许上传", ge=0, le=500,
    )  # fmt: skip
    chat_timeout_s: float = _setting(
        600, "limits", "Seconds an answer may take", "一次回答最多多少秒", gt=0, le=3600
    )
    poll_interval_s: float = _setting(
        1.0, "limits", "Seconds between two polls of a Coze chat; at least 1",
        "轮询同一个扣子对话的间隔秒数，不小于 1", ge=1.0, le=60,
    )  # fmt: skip
    grace_s: int = _setting(
        30, "limits", "Seconds that running answers get when the site stops",
        "停止服务时留给进行中回答的秒数", ge=0, le=600,
    )  # fmt: skip

    keep_days: int | None = _setting(
        None, "limits", "Days, 1 or more, until conversations nobody goes on with are deleted; unset: never",
        "多少天（至少 1）没有继续的对话会被删除；不填则一直保留", ge=1, le=3650,
    )  # fmt: skip

    agents_file: Path | None = _setting(
        None,
        "agents",
        "A TOML file that declares any number of agents",
        "声明任意多个智能体的 TOML 文件",
    )

    coze_api_token: SecretStr | None = _setting(
        None, "coze", "Token, made at www.coze.cn/open/oauth/pats (or a service token)",
        "令牌，在 www.coze.cn/open/oauth/pats 创建（或使用服务访问令牌）",
    )  # fmt: skip
    coze_bot_id: str | None = _setting(
        None, "coze", "The agent: the digits after /bot/ in the editor's address, or that address",
        "智能体 ID：编辑页网址里 /bot/ 后面的数字，也可以粘贴整个网址",
    )  # fmt: skip
    coze_api_base: Address = _setting(
        "https://api.coze.cn", "coze", "https://api.coze.com for agents made on coze.com",
        "在 coze.com 创建的智能体用 https://api.coze.com",
    )  # fmt: skip

    coze_jwt_app_id: str | None = _setting(
        None,
        "coze",
        "A service app instead of a token: the app's id",
        "用服务类应用（JWT）代替令牌：应用 ID",
    )
    coze_jwt_key_id: str | None = _setting(
        None, "coze", "The fingerprint of its public key", "该应用公钥的指纹"
    )
    coze_jwt_private_key: SecretStr | None = _setting(
        None, "coze", "Its private key, PEM; best given as COZE_JWT_PRIVATE_KEY_FILE",
        "该应用的私钥（PEM），建议用 COZE_JWT_PRIVATE_KEY_FILE 指定文件",
    )  # fmt: skip
    coze_oauth_client_id: str | None = _setting(
        None, "coze", "A web OAuth app instead of a token: its client id",
        "用网页 OAuth 应用代替令牌：客户端 ID",
    )  # fmt: skip
    coze_oauth_client_secret: SecretStr | None = _setting(
        None, "coze", "Its client secret; then open /oauth/coze/start as the owner",
        "客户端密钥；填好后由站长打开 /oauth/coze/start 授权",
    )  # fmt: skip
    coze_web_base: Address = _setting(
        "https://www.coze.cn", "coze", "Where a web app is authorised; https://www.coze.com for coze.com",
        "授权网页应用的网址；coze.com 用 https://www.coze.com",
    )  # fmt: skip
    coze_qps: float = _setting(
        20, "coze", "Calls a second the account may make, polls included; 0: no limit",
        "账号每秒最多调用次数（含轮询）；0 为不限", ge=0,
    )  # fmt: skip

    qingyan_api_key: SecretStr | None = _setting(
        None, "qingyan", "API key, made at chatglm.cn/developersPanel/apiSet",
        "API Key，在 chatglm.cn/developersPanel/apiSet 创建",
    )  # fmt: skip
    qingyan_api_secret: SecretStr | None = _setting(
        None, "qingyan", "The secret that was shown with the key", "与 API Key 一起显示的 Secret"
    )
    qingyan_assistant_id: str | None = _setting(
        None, "qingyan", "The agent: the id at the end of its page's address, or that address",
        "智能体 ID：智能体页面网址末尾的编号，也可以粘贴整个网址",
    )  # fmt: skip
    qingyan_api_base: Address = _setting(
        "https://chatglm.cn/chatglm/assistant-api/v1", "qingyan", "Address of the API", "接口地址"
    )
    qingyan_concurrency: int = _setting(
        2, "qingyan", "Answers at once the account may get: 2, or 10 by newer terms; 0: no limit",
        "账号同时回答的上限：2，新条款为 10；0 为不限", ge=0,
    )  # fmt: skip
    qingyan_daily: int = _setting(
        500, "qingyan", "Questions a day the account may ask: 500, or 5000 by newer terms; 0: no limit",
        "账号每天提问的上限：500，新条款为 5000；0 为不限", ge=0,
    )  # fmt: skip

    wenxin_app_id: str | None = _setting(
        None, "wenxin", "The agent's id (appId), from 部署 › API 调用",
        "智能体 ID（appId），在“部署 › API 调用”里",
    )  # fmt: skip
    wenxin_secret_key: SecretStr | None = _setting(
        None, "wenxin", "The agent's Secret Key, from the same place", "同一处的 Secret Key"
    )
    wenxin_api_base: Address = _setting(
        "https://agentapi.baidu.com", "wenxin", "Address of the API", "接口地址"
    )
    wenxin_token_base: Address = _setting(
        "https://openapi.baidu.com", "wenxin", "Where the keys are checked", "校验密钥的地址"
    )
    wenxin_daily: int = _setting(
        500, "wenxin", "Questions a day the agent may be asked; 0: no limit",
        "智能体每天被提问的上限；0 为不限", ge=0,
    )  # fmt: skip

    yuanqi_api_token: SecretStr | None = _setting(
        None,
        "yuanqi",
        "Token (appkey), from 应用发布 › API管理",
        "Token（appkey），在“应用发布 › API管理”里",
    )
    yuanqi_assistant_id: str | None = _setting(
        None, "yuanqi", "The agent's id (appid), from the address of 应用发布 › 服务状态 › 体验链接",
        "智能体 ID（appid），见“应用发布 › 服务状态 › 体验链接”的网址",
    )  # fmt: skip
    yuanqi_api_base: Address = _setting(
        "https://yuanqi.tencent.com/openapi/v1", "yuanqi",
        "Address of the API; the older https://open.hunyuan.tencent.com/openapi/v1 works as well",
        "接口地址；旧地址 https://open.hunyuan.tencent.com/openapi/v1 也可用",
    )  # fmt: skip
    yuanqi_concurrency: int = _setting(
        10,
        "yuanqi",
        "Answers at once the account may get; 0: no limit",
        "账号同时回答的上限；0 为不限",
        ge=0,
    )

    huawei_api_key: SecretStr | None = _setting(
        None, "huawei", "Platform API key, from 凭证管理 › 我的凭证; it begins with sk-",
        "平台 API Key，在“凭证管理 › 我的凭证”里，以 sk- 开头",
    )  # fmt: skip
    huawei_agent_url: str | None = _setting(
        None, "huawei", "The whole published address of the agent, from 我的Agent › 发布地址",
        "智能体的完整发布地址，在“我的Agent › 发布地址”一列",
    )  # fmt: skip

    demo_url: Address | None = Field(
        None, exclude=True, description="Set by the start in demo mode"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, dotenv_settings, _SecretFiles(settings_cls)


def load() -> Settings:
    """The settings of this process. Raises SettingsError, one line, when one of them is wrong."""
    try:
        settings = Settings()
    except ValidationError as error:
        raise SettingsError(_one_line(error)) from None
    except UnicodeDecodeError as error:
        raise SettingsError(".env: not UTF-8. Save it as UTF-8 text.") from error
    if settings.secret_key is not None and len(settings.secret_key.get_secret_value()) < 16:
        raise SettingsError("SECRET_KEY: too short. Use at least 16 characters, or leave it unset.")
    _check_time_zone(settings.time_zone)
    _check_rate(settings.visitor_rate)
    if settings.ca_bundle is not None and not settings.ca_bundle.is_file():
        raise SettingsError(
            f"CA_BUNDLE: there is no file {settings.ca_bundle}. Name a PEM file, or unset it."
        )
    return settings


def _check_time_zone(name: str) -> None:
    try:
        get_timezone(name)
    except LookupError:
        raise SettingsError(
            f"TIME_ZONE: {name} is none. Use a name such as Asia/Shanghai."
        ) from None


def _check_rate(text: str) -> None:
    if text == Settings.model_fields["visitor_rate"].default:
        return  # the library that reads it is needed when the first question comes
    from chat.settings.rate_text import parse_rates

    try:
        parse_rates(text)
    except ValueError:
        raise SettingsError(
            f"VISITOR_RATE: {text} is no rate. Write it as 20/minute;300/day, or 0 for no limit."
        ) from None


def named_secret(name: str) -> str | None:
    """What `{ env = "NAME" }` in agents.toml stands for: from the environment, .env, or NAME_FILE."""
    environment = _environment()
    if environment.get(name):
        return environment[name]
    path = environment.get(name + "_FILE")
    return Path(path).read_text(encoding="utf-8-sig").strip() if path else None


def secrets(settings: Settings) -> list[str]:
    """All secrets that are set, to be kept out of logs; of a list of them, named or not, also each."""
    whole = [value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)]
    lines = [line.strip() for one in whole for line in (*one.splitlines(), *passwords(one))]
    lists = [one.get_secret_value() for one in (settings.access_codes, settings.api_keys) if one]
    return list(
        dict.fromkeys(
            [*whole, *lines, *(part for one in lists for part in codes.secret_parts(one))]
        )
    )


def _is_secret(field: FieldInfo) -> bool:
    return "SecretStr" in str(field.annotation)


def _environment() -> dict[str, str]:
    values = {
        name: value for name, value in dotenv_values(".env", encoding="utf-8-sig").items() if value
    }
    return {**values, **{name: value for name, value in os.environ.items() if value}}


def _one_line(error: ValidationError) -> str:
    first = error.errors()[0]
    name = str(first["loc"][0]).upper() if first["loc"] else "Settings"
    # Without its codes a site is open to all: nobody should be talked into that.
    cure = "" if name == "ACCESS_CODES" else ", or unset it"
    message = first["msg"].removeprefix("Value error, ")
    return f"{name}: {message}. See config.example.env for what it takes{cure}."
