"""What an agent of any platform needs: checked at the start, frozen, its secrets hidden."""

import ipaddress
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

QUOTES = " \t\r\n\"'`“”‘’«»„‚「」"
# Web pages and Windows hide these in what is copied from them.
INVISIBLE = re.compile("[\0\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
# What stands around a value in a sentence, in an example or in a list.
_AROUND = QUOTES + "<>,;。、"
_BEARER = re.compile(r"(authorization\s*[:=]\s*)?bearer(?:[\s:]|%20)+|authorization\s*:\s*", re.I)
# A variable that nobody has put in its place, and what examples say.
_PLACEHOLDER = re.compile(
    r"\$\{?\w+\}?|%\w+%|env:\w+|.*\.\.\.|(?:[a-z]{1,6}[_-])?x{4,}|(?:your|replace)[-_].*", re.I
)
BILINGUAL = "in_both_languages"
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
# The name of a machine in any script, or an address in numbers.
_HOST = re.compile(r"[\w-]+(?:\.[\w-]+)*\.?|[0-9a-f:.]*:[0-9a-f:.]*(?:%[\w.-]+)?", re.IGNORECASE)


@dataclass(frozen=True)
class Signs:
    """How what an owner copies from a platform is recognised, and which option each part is.

    `needs`: what the owner has to give; of each group one option is enough, and the first is asked
    for. `names`: the platform's, in any text. `addresses`: patterns of its pages and of its API,
    whose named groups are options. `implied`: values of options that follow from a part of an
    address. `labels`: what stands before the value of an option, in small letters without spaces
    and signs. `shapes`: what a whole value of an option looks like. `marks`: what is seen on no
    other platform; `blocks`: values of several lines.
    """

    needs: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]
    addresses: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    shapes: Mapping[str, str]
    implied: tuple[tuple[str, str, str], ...] = ()
    marks: tuple[str, ...] = ()
    blocks: Mapping[str, str] = field(default_factory=dict)


def bilingual_error(zh: str, en: str, paste: str = "") -> PydanticCustomError:
    """The error of a validator, in Chinese and English; `paste` is a value that would do.

    The sentences never repeat the value, which may be a secret. An option's name stands in braces:
    the owner reads it as it is written in .env or in agents.toml.
    """
    return PydanticCustomError(BILINGUAL, "{en}", {"zh": zh, "en": en, "paste": paste})


def setting(default: Any = ..., *, en: str, zh: str, example: str = "", **rules: Any) -> Any:
    """An option that is also a setting, `{PLATFORM}_{OPTION}`: its default and its help, twice.

    A limit without a default has the platform's own (providers/__init__.py). `example` shows what
    it looks like, where no default does.
    """
    extra: dict[str, Any] = {"chinese": zh, "example": example}
    return Field(default, description=en, json_schema_extra=extra, **rules)


def example_of(field: FieldInfo) -> str:
    """What a value of an option looks like; empty where nobody says."""
    extra = field.json_schema_extra
    return str(extra.get("example", "")) if isinstance(extra, dict) else ""


def chinese_help(field: FieldInfo) -> str | None:
    """What a setting does, in Chinese; None for an option that is no setting."""
    extra = field.json_schema_extra
    return str(extra["chinese"]) if isinstance(extra, dict) and "chinese" in extra else None


def mended_address(text: str, scheme: str = "") -> str:
    """An address with plain signs and a scheme: the one given, else what its host and port suggest.

    Raises an error in both languages for what is no address, or for a port that may be either.
    """
    text = copied(text).replace("。", ".")
    # Who pastes an address behind https:// has it twice.
    begin = re.match(r"(?:https?:[/\\]+(?=https?:))?(https?)\s*[:;]?\s*[/\\]+", text, re.IGNORECASE)
    if begin:
        text = f"{begin[1].lower()}://{text[begin.end() :]}"
    elif "://" not in text:
        text = f"{scheme or _likely_scheme(text)}://{text}"
    if not text.startswith(("https://", "http://")) or not _is_address(text):
        raise bilingual_error("网址要以 https:// 开头", "an address begins with https://")
    # Case means something only in a login and in the path.
    place = re.match(r"https?://(?:[^/?#]*@)?", text)
    begin_of_host = place.end() if place else 0
    host, rest = re.split(r"(?=[/?#]|$)", text[begin_of_host:], maxsplit=1)
    return f"{text[:begin_of_host]}{host.lower()}{rest}"


def copied(text: str) -> str:
    """A word that was copied: in plain letters, without what nobody sees or stands around it."""
    return unicodedata.normalize("NFKC", INVISIBLE.sub("", text)).strip(_AROUND)


def bare_token(text: str) -> str:
    """A token out of a copied header."""
    return copied(_BEARER.sub("", copied(text), count=1))


def _likely_scheme(text: str) -> str:
    """http for this machine and its network, https for a name of the Internet."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "https"
    if host == "localhost" or port == 80 or _is_private(host):
        return "http"
    is_name = re.fullmatch(r"[^.]+(\.[^.]+)*\.[^\W\d][\w-]+", host) is not None
    if port in (None, 443) and is_name:
        return "https"
    is_plain = re.fullmatch(r"[\w.:-]+", text) is not None
    raise bilingual_error(
        "网址要以 https:// 或 http:// 开头，这里看不出是哪一种",
        "an address begins with https:// or http://, and this may be either",
        paste=f"http://{text}" if is_plain else "",
    )


def _is_private(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        # Looking at a port checks it.
        is_whole = parts.port != 0 and _HOST.fullmatch(parts.hostname or "") is not None
    except ValueError:
        return False
    return is_whole and not re.search(r"\s", text)


def _base_address(value: str) -> str:
    return mended_address(value).rstrip("/")


def _token(value: SecretStr) -> SecretStr:
    """The token itself, also out of a copied header or with the quotes of an example around it."""
    secret = bare_token(value.get_secret_value())
    if _PLACEHOLDER.fullmatch(secret):
        raise bilingual_error(
            "这是变量名或示例，不是令牌本身，请填平台给的令牌",
            "this is a variable's name or an example: write the token that the platform gave you",
        )
    # A remark behind it, or the end of a line that goes on, is no part of it.
    if not re.fullmatch(r"[!-~]+", secret) or re.search(r'["#\\<>{}]', secret):
        raise bilingual_error(
            "令牌不含空格、汉字和 # 等符号，请重新复制",
            "a token is one word of letters, digits and signs other than #: copy it again",
        )
    return SecretStr(secret)


def _id(value: str) -> str:
    """An id without the label that was copied with it. An address is left to the platform."""
    text = copied(value)
    if "/" in text:
        return text
    text = copied(re.sub(r"[^:=]*[:=]", "", text))
    if not re.fullmatch(r"[\w.@-]+", text, re.ASCII):
        raise bilingual_error(
            "ID 不含空格和汉字，请重新复制",
            "an id is one word of letters and digits: copy it again",
        )
    return text


def _path(value: str) -> str:
    if value and not re.fullmatch(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?", value):
        raise bilingual_error(
            "路径以 / 开头，由英文字母、数字和 . _ ~ - 组成",
            "a path begins with / and is made of letters, digits and . _ ~ -",
        )
    return value


Address = Annotated[str, AfterValidator(_base_address)]
# The id of an agent, or the address that it stands in.
Id = Annotated[Text, AfterValidator(_id)]
Token = Annotated[SecretStr, AfterValidator(_token)]
UrlPath = Annotated[str, AfterValidator(_path)]


class AgentOptions(BaseModel):
    """Base of each platform's `Options`: an unknown key is an error, and no error repeats a value.

    The limits of the account are the platform's own (providers/__init__.py) unless set here; 0
    means none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    qps: float | None = Field(None, ge=0, description="Calls a second that the account may make")
    concurrency: int | None = Field(
        None, ge=0, description="Answers that the account may get at once"
    )
    daily: int | None = Field(
        None, ge=0, description="Questions that the account may be asked in a day"
    )
    picture_path: UrlPath = Field(
        "", description="Below it, at its own address, are pictures that may be shown"
    )
