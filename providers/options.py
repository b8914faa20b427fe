"""What an agent of any platform needs: checked at the start, frozen, its secrets hidden."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

QUOTES = " \t\r\n\"'`“”‘’"
BILINGUAL = "in_both_languages"
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


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


def bilingual_error(zh: str, en: str) -> PydanticCustomError:
    """The error of a validator, in Chinese and English.

    The sentences never repeat the value, which may be a secret. An option's name stands in braces:
    the owner reads it as it is written in .env or in agents.toml.
    """
    return PydanticCustomError(BILINGUAL, "{en}", {"zh": zh, "en": en})


def setting(default: Any = ..., *, en: str, zh: str, **rules: Any) -> Any:
    """An option that is also a setting, `{PLATFORM}_{OPTION}`: its default and its help, twice.

    A limit without a default has the platform's own (providers/__init__.py).
    """
    return Field(default, description=en, json_schema_extra={"chinese": zh}, **rules)


def chinese_help(field: FieldInfo) -> str | None:
    """What a setting does, in Chinese; None for an option that is no setting."""
    extra = field.json_schema_extra
    return str(extra["chinese"]) if isinstance(extra, dict) and "chinese" in extra else None


def _base_address(value: str) -> str:
    if not value.startswith(("https://", "http://")):
        raise bilingual_error("网址要以 https:// 开头", "an address begins with https://")
    return value.rstrip("/")


def _token(value: SecretStr) -> SecretStr:
    """The token itself, also out of a copied header or with the quotes of an example around it."""
    copied = value.get_secret_value().strip(QUOTES)
    secret = re.sub(r"^(authorization:)?\s*bearer\s+", "", copied, flags=re.IGNORECASE).strip(
        QUOTES
    )
    if not secret or not secret.isascii() or any(char.isspace() for char in secret):
        raise bilingual_error(
            "令牌不含空格和汉字，请重新复制",
            "a token is one word of letters, digits and signs: copy it again",
        )
    return SecretStr(secret)


def _path(value: str) -> str:
    if value and not re.fullmatch(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?", value):
        raise bilingual_error(
            "路径以 / 开头，由英文字母、数字和 . _ ~ - 组成",
            "a path begins with / and is made of letters, digits and . _ ~ -",
        )
    return value


Address = Annotated[str, AfterValidator(_base_address)]
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
