"""The settings model: everything the owner can set, with its help in both languages."""

import os
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from chat.logs.redaction import passwords
from chat.settings import code_lists, robots, word_lists
from chat.settings.environment import Variables
from chat.settings.errors import RANDOM, SettingsError, together, wrong_value
from chat.settings.forgiving import NoLimitAt, OffMeans, YesMeans, cores, understand
from chat.settings.hashes import Password, too_short
from chat.settings.home import HOME
from chat.settings.kinds import (
    DEFAULT_RATE,
    Colour,
    Day,
    Days,
    ListeningHost,
    Megabytes,
    PerDay,
    ProxyAddress,
    Rate,
    Seconds,
    SiteAddress,
    TimeZone,
    WholeSeconds,
)
from chat.settings.platforms import platform_fields
from providers import PLATFORMS
from providers.options import QUOTES, Address, UrlPath, bilingual_error

INSTANCE = HOME / "instance"
SHORTEST_SECRET_KEY = 16
_RELATIVE_FILE = re.compile(r"sqlite(?:\+\w+)?:///(?=[^/:])")

if TYPE_CHECKING:
    _PlatformSettings = BaseSettings
else:
    _PlatformSettings = create_model(
        "_PlatformSettings", __base__=BaseSettings, **platform_fields()
    )


def _setting(
    group: str,
    default: Any,
    *,
    en: str,
    zh: str,
    example: str = "",
    holds_password: bool = False,
    **rules: Any,
) -> Any:
    """`example` is a value to paste, where there is no default that would do."""
    extra: dict[str, Any] = {
        "group": group,
        "chinese": zh,
        "example": example,
        "holds_password": holds_password,
    }
    return Field(default, description=en, json_schema_extra=extra, **rules)


def _at_home(path: Path) -> Path:
    return HOME / Path(str(path).strip(QUOTES)).expanduser()


def _authorities(path: Path) -> Path:
    if not path.is_file():
        raise bilingual_error(
            f"没有这个文件：{path}。请写出 PEM 文件的路径",
            f"there is no file {path}. It takes the path of a PEM file",
        )
    return path


def _signing_key(setting: SecretStr) -> SecretStr:
    if len(setting.get_secret_value()) < SHORTEST_SECRET_KEY:
        raise too_short(SHORTEST_SECRET_KEY)
    return setting


def _database_at_home(url: str) -> str:
    """The address of a database, the relative path of an SQLite file put below the home."""
    scheme = _RELATIVE_FILE.match(url)
    return f"{scheme[0]}{HOME}/{url[scheme.end() :]}" if scheme and HOME.parts else url


def _home(path: Path) -> Path:
    if Path(os.path.abspath(path)) != HOME:
        raise bilingual_error(
            "只从环境变量读取，不能写在 .env 里：.env 就在那个文件夹里",
            "it is read from the environment alone, since .env is in the folder that it names",
        )
    return path


PathAtHome = Annotated[Path, AfterValidator(_at_home)]


class Settings(_PlatformSettings):
    """Everything the owner can set. Unset means the default; an empty value counts as unset."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    site_title: str = _setting(
        "site",
        "智页",
        en="The name on the page",
        zh="页面上的站名",
        max_length=60,
    )
    secret_key: Annotated[SecretStr, AfterValidator(_signing_key)] | None = _setting(
        "site",
        None,
        en="Signs visitors' cookies; at least 16 characters; made and kept in instance/ if unset",
        zh="给访客 Cookie 签名的密钥，至少 16 个字符；不填则自动生成并保存在 instance/",
        example=RANDOM,
    )
    host: ListeningHost = _setting(
        "site",
        "127.0.0.1",
        en="Address to listen on",
        zh="监听地址",
    )
    port: int = _setting(
        "site",
        8000,
        en="Port to listen on",
        zh="监听端口",
        ge=1,
        le=65535,
    )
    workers: int = _setting(
        "site",
        1,
        en="Processes that serve the site, one a core, or auto; more than one needs REDIS_URL",
        zh="提供服务的进程数，每个 CPU 核一个，也可以填 auto；多于 1 时必须填写 REDIS_URL",
        ge=1,
        le=64,
    )
    public_url: SiteAddress | None = _setting(
        "site",
        None,
        en="The address visitors type, such as https://chat.example.com, when a proxy hides it",
        zh="访客看到的网址，如 https://chat.example.com；前面有代理时填写",
        example="https://chat.example.com",
    )
    trusted_proxies: Annotated[int, YesMeans(1)] = _setting(
        "site",
        0,
        en="How many proxies of yours stand in front",
        zh="前面有几层自己的反向代理",
        example="1",
        ge=0,
        le=10,
    )
    default_language: Literal["zh", "en"] = _setting(
        "site",
        "zh",
        en="Language when the browser does not say: zh or en",
        zh="浏览器没有指定语言时使用的语言：zh 或 en",
    )
    time_zone: TimeZone = _setting(
        "site",
        "Asia/Shanghai",
        en="Time zone of the times on the page, such as Asia/Shanghai",
        zh="页面上时间所用的时区，如 Asia/Shanghai",
    )
    log_format: Literal["text", "json"] = _setting(
        "site",
        "text",
        en="How the log is written: text, or json with one object a line",
        zh="日志格式：text 为文本，json 为每行一个对象",
    )
    log_level: Literal["debug", "info", "warning"] = _setting(
        "site",
        "info",
        en="What the log holds: warning (faults only), info or debug",
        zh="日志详细程度：warning（仅故障）、info 或 debug",
    )

    accent_color: Colour | None = _setting(
        "look",
        None,
        en="The page's one colour, as #rrggbb; made lighter or darker where it could not be read",
        zh="页面的主题色，写作 #rrggbb；看不清的地方会自动调深或调浅",
        example="#0f6b62",
    )
    site_logo: PathAtHome | None = _setting(
        "look",
        None,
        en="Your logo, a square PNG, JPEG, WebP or SVG file of at most 200 kB",
        zh="站点 Logo：正方形的 PNG、JPEG、WebP 或 SVG 文件，不超过 200 kB",
        example="logo.png",
    )
    site_notice: str | None = _setting(
        "look",
        None,
        en="A line above the welcome, such as what the agents may be asked",
        zh="开场白上方的一行公告，如使用须知",
        max_length=300,
        example="周一闭馆 Closed on Mondays",
    )
    notice_until: Day | None = _setting(
        "look",
        None,
        en="The last day of that line, such as 2027-01-31; unset: it stays",
        zh="公告显示到哪一天，如 2027-01-31；不填则一直显示",
    )
    site_footer: str | None = _setting(
        "look",
        None,
        en="A line at the bottom of the page",
        zh="页面底部的一行文字",
        max_length=200,
        example="© 智页",
    )
    icp_number: str | None = _setting(
        "look",
        None,
        en="The ICP number, shown at the bottom with its link",
        zh="ICP 备案号，显示在页面底部并链接到备案网站",
        max_length=60,
        example="京ICP备12345678号-1",
    )
    ai_label: Annotated[str, OffMeans("off")] | None = _setting(
        "look",
        None,
        en="The label of generated content; unset: one in the reader's language, off: none",
        zh="生成内容的标识；不填则用读者语言的默认文字，off 为不显示",
        max_length=100,
        example="off",
    )

    ca_bundle: Annotated[PathAtHome, AfterValidator(_authorities)] | None = _setting(
        "upstream",
        None,
        en="Certificate authorities to trust, a PEM file; certifi's when unset",
        zh="信任的 CA 证书文件（PEM）；不填用 certifi 自带的",
        example="/etc/ssl/certs/ca-certificates.crt",
    )
    upstream_proxy: ProxyAddress | None = _setting(
        "upstream",
        None,
        en="Proxy to reach the platforms through; the environment's proxies are not read",
        zh="访问平台时使用的代理；不读取环境变量里的代理",
        example="http://127.0.0.1:7890",
    )

    zhiye_home: Annotated[Path, AfterValidator(_home)] | None = _setting(
        "storage",
        None,
        en="The folder of .env and instance/, where relative paths begin; only from the "
        "environment. Unset: the folder where the site is started",
        zh="存放 .env 和 instance/ 的文件夹，相对路径都从这里算起；只能写在环境变量里。"
        "不填则是启动时所在的文件夹",
    )
    database_url: Annotated[str, AfterValidator(_database_at_home)] = _setting(
        "storage",
        "sqlite:///instance/chat.db",
        holds_password=True,
        en="Where conversations are kept: sqlite:///path, or a PostgreSQL that several processes "
        "and hosts share, postgresql://user:password@host:5432/name",
        zh="对话保存在哪里：sqlite:///路径，或多个进程、多台机器共用的 PostgreSQL，"
        "写作 postgresql://用户:密码@主机:5432/数据库",
        validate_default=True,
    )
    redis_url: SecretStr | None = _setting(
        "storage",
        None,
        en="Redis 6.2 or newer, redis://:password@host:6379/0, with TLS rediss://: by it several "
        "processes serve one site, and share running answers and limits. Unset: one process, "
        "all in memory",
        zh="Redis 6.2 以上，写作 redis://:密码@主机:6379/0，用 TLS 时写 rediss://："
        "多个进程通过它共同服务一个站，共享进行中的回答和各项限额。"
        "不填则只有一个进程，都在内存里",
        example="redis://127.0.0.1:6379/0",
    )

    access_codes: code_lists.AccessCodes | None = _setting(
        "access",
        None,
        en="Codes that open the site, separated by commas: code, name:code, name:code:last "
        "day, name:code:2027-01-01:questions a day. At least 8 characters each; unset: "
        "open to all",
        zh="访问码，用逗号分隔：访问码、名称:访问码、名称:访问码:最后有效日、"
        "名称:访问码:2027-01-01:每天提问数；每个至少 8 个字符，不填则所有人可用",
        example=f"visitors:{RANDOM}",
    )
    api_keys: code_lists.ApiKeys | None = _setting(
        "access",
        None,
        en="Keys for programs (Authorization: Bearer), in the same form; at least 16 "
        "characters each",
        zh="给程序用的密钥（Authorization: Bearer），写法相同，每个至少 16 个字符",
        example=f"program:{RANDOM}",
    )
    admin_password: Password | None = _setting(
        "access",
        None,
        en="The owner's password, at least 12 characters: opens the desk at /admin. Unset: one is "
        "chosen in the browser, by the link that the start shows",
        zh="管理员密码，至少 12 个字符：用于登录管理后台 /admin。"
        "不填则用启动时显示的链接在浏览器里设置",
        example=RANDOM,
    )
    metrics_token: code_lists.Token | None = _setting(
        "access",
        None,
        en="Lets other machines read /metrics (Authorization: Bearer); at least 16 characters",
        zh="允许其他机器读取 /metrics 的令牌（Authorization: Bearer），至少 16 个字符",
        example=RANDOM,
    )
    owner_reads: bool = _setting(
        "access",
        False,
        en="Whether the owner may read visitors' questions and answers at the desk, on or off; "
        "visitors are told so, and what was said before stays closed",
        zh="管理员能否在管理后台查看访客的问答：on 或 off；"
        "开启后页面会告知访客，开启之前的问答不会显示",
    )
    notify_url: robots.NotifyUrl | None = _setting(
        "access",
        None,
        en="The Webhook of a WeCom, DingTalk or Feishu robot that hears when an agent fails or a "
        "token is about to end; several are separated by commas",
        zh="企业微信、钉钉或飞书群机器人的 Webhook 地址：智能体出错、令牌快到期时会通知；"
        "多个用逗号分隔",
        example="https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=",
    )

    banned_words: word_lists.WordList | None = _setting(
        "access",
        None,
        en="Words that may be neither asked nor answered, separated by commas: such a question is "
        "refused, and such words are masked in answers, in whatever dress",
        zh="不许问也不许答的词，用逗号分隔：含有的提问会被拒绝，回答里的会显示为星号；"
        "大小写、全角、夹杂空格或符号都算",
        example="代考,代写论文",
    )

    max_message_chars: int = _setting(
        "limits",
        8000,
        en="The longest question, in characters",
        zh="问题最长多少字",
        ge=1,
        le=1_000_000,
    )
    max_answer_chars: int = _setting(
        "limits",
        2_000_000,
        en="The longest answer, thoughts included, in characters; what is longer is cut",
        zh="回答最长多少字（含思考过程）；更长的会被截断",
        ge=100,
        le=8_000_000,
    )
    visitor_rate: Rate = _setting(
        "limits",
        DEFAULT_RATE,
        en="Questions and, counted apart, files a visitor may send; 0: no limit",
        zh="每个访客的提问（文件另计）频率上限；0 为不限",
    )
    daily_limit: PerDay | None = _setting(
        "limits",
        None,
        en="Questions that the whole site takes in a day; unset: no limit",
        zh="全站每天最多接受多少次提问；不填则不限",
        ge=1,
        le=10_000_000,
        example="2000",
    )
    visitor_live_answers: Annotated[int, NoLimitAt(0)] = _setting(
        "limits",
        3,
        en="Answers a visitor may be getting at once; 0: no limit",
        zh="每个访客同时进行的回答上限；0 为不限",
        ge=0,
    )
    address_share: Annotated[int, NoLimitAt(0)] = _setting(
        "limits",
        3,
        en="How many visitors one network address counts for, in all limits of a visitor; raise "
        "it for a school or an office behind one address; 0: addresses are not counted",
        zh="一个网络地址在访客的各项限额里算作几个访客；学校、公司共用一个地址时请调大；"
        "0 为不按地址计",
        ge=0,
        le=100_000,
    )
    max_streams: int = _setting(
        "limits",
        5000,
        en="Answers that may be read at once, by all visitors together",
        zh="全站同时接收回答的连接上限",
        ge=1,
        le=7500,
    )
    upload_max_mb: Megabytes = _setting(
        "limits",
        20,
        en="The largest file a visitor may send, in megabytes; 0: no files",
        zh="访客可上传的最大文件，单位 MB；0 为不允许上传",
        ge=0,
        le=500,
    )
    chat_timeout_s: Seconds = _setting(
        "limits",
        600,
        en="Seconds an answer may take",
        zh="一次回答最多多少秒",
        gt=0,
        le=3600,
    )
    poll_interval_s: Seconds = _setting(
        "limits",
        1.0,
        en="Seconds between two polls of a Coze chat; at least 1",
        zh="轮询同一个扣子对话的间隔秒数，不小于 1",
        ge=1.0,
        le=60,
    )
    grace_s: WholeSeconds = _setting(
        "limits",
        30,
        en="Seconds that running answers get when the site stops",
        zh="停止服务时留给进行中回答的秒数",
        ge=0,
        le=600,
    )
    keep_days: Days | None = _setting(
        "limits",
        None,
        en="Days, 1 or more, until conversations nobody goes on with are deleted; unset: never",
        zh="多少天（至少 1）没有继续的对话会被删除；不填则一直保留",
        ge=1,
        le=3650,
        example="30",
    )

    agents_file: PathAtHome | None = _setting(
        "agents",
        None,
        en="A TOML file that declares any number of agents",
        zh="声明任意多个智能体的 TOML 文件",
        example="agents.toml",
    )
    picture_path: UrlPath = _setting(
        "agents",
        "",
        en="A path at the platforms' own addresses, such as /files: pictures below it are shown. "
        "For deployments of your own; unset: only pictures from the platforms' picture hosts",
        zh="平台接口地址下的路径，如 /files：其下的图片会显示。用于自己部署的平台；"
        "不填则只显示来自平台图片域名的图片",
        example="/files",
    )

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
        return init_settings, Variables(settings_cls)

    @field_validator("*", mode="before")
    @classmethod
    def _understand(cls, value: Any, info: ValidationInfo) -> Any:
        return understand(value, cls.model_fields[str(info.field_name)])

    @model_validator(mode="before")
    @classmethod
    def _count_cores(cls, values: Any) -> Any:
        """WORKERS=auto: one a core; alone without Redis, through which several share."""
        if str(values.get("workers", "")).strip().casefold() in ("auto", "自动"):
            return {**values, "workers": min(cores(), 64) if values.get("redis_url") else 1}
        return values

    def notice_on(self, day: date) -> str | None:
        """The notice, if it is to be shown on a day."""
        is_over = self.notice_until is not None and day > self.notice_until
        return None if is_over else self.site_notice

    @property
    def is_demo(self) -> bool:
        """Whether no platform is set at all, so that the emulator answers."""
        return not self.agents_file and not any(map(self.account_settings, PLATFORMS))

    def account_settings(self, platform: str) -> list[str]:
        """The settings of a platform that are set and that only who has an account would set."""
        fields = type(self).model_fields
        own = [name for name in fields if name.startswith(f"{platform}_")]
        return [
            name for name in own if fields[name].default is None and getattr(self, name) is not None
        ]


def load() -> Settings:
    """The settings of this process. Raises SettingsError with all that are wrong."""
    try:
        settings = Settings()
    except ValidationError as error:
        raise together(_wrong(error)) from None
    if settings.workers > 1 and settings.redis_url is None:
        raise SettingsError("workers_alone", value=settings.workers)
    return settings


class _Written(Settings):
    """Settings of what is handed over, whatever the environment and .env say."""

    def __init__(self, **values: Any) -> None:
        # Past the one of BaseSettings, which reads its sources.
        BaseModel.__init__(self, **values)


def written(name: str, text: str) -> Any:
    """The value of one setting as somebody wrote it. Raises SettingsError."""
    try:
        return getattr(_Written(**{name: text}), name)
    except ValidationError as error:
        raise together(_wrong(error)) from None


def secrets(settings: Settings) -> list[str]:
    """All secrets that are set, for the log to blank out; of a list of codes also each code."""
    values = [value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)]
    values += passwords(settings.database_url)
    parts = [part.strip() for value in values for part in (*value.splitlines(), *passwords(value))]
    lists = [codes for codes in (settings.access_codes, settings.api_keys) if codes]
    for codes in lists:
        parts += code_lists.secret_parts(codes.get_secret_value())
    parts += robots.secret_parts(settings.notify_url)
    return list(dict.fromkeys([*values, *parts]))


def _wrong(error: ValidationError) -> Iterator[SettingsError]:
    """What is wrong with each setting, once for each."""
    problems = {str(part["loc"][0]): part for part in reversed(error.errors())}
    for name, part in reversed(problems.items()):
        yield wrong_value(name.upper(), part, Settings.model_fields[name])
