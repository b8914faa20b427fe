"""What can be wrong with settings and agents.toml: each error has its sentence and facts."""

import re
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticUndefined

from chat.release import DOCTOR
from chat.settings.words import Sentence, Words
from providers.options import BILINGUAL, example_of

# In an example: letters and digits of chance, since what stands in a program is no secret.
RANDOM = "{random}"
# More at a time nobody puts right.
MOST = 20

WRONG: dict[str, Words] = {
    "value": Words(
        "{name}：{problem}。请写 {line} ，或删掉这一行",
        "{name}: {problem}. Write {line} or remove the line.",
    ),
    # Without its codes a site is open to all: nobody should be talked into unsetting them.
    "needed_value": Words(
        "{name}：{problem}。请写 {line}",
        "{name}: {problem}. Write {line} in its place.",
    ),
    "wrong_value": Words("{name}：{problem}", "{name}: {problem}."),
    "unneeded_value": Words(
        "{name}：{problem}。请改正，或删掉这一行",
        "{name}: {problem}. Correct it, or remove the line.",
    ),
    "secret_file": Words(
        "{name}：无法读取 {path}：{reason}。请写出一个可读文件的路径",
        "{name}: cannot read {path}: {reason}. Name a readable file.",
    ),
    "dotenv": Words(
        ".env：编码不是 UTF-8、UTF-16 或 GBK，读不出来。请另存为 UTF-8",
        ".env: neither UTF-8 nor UTF-16 nor GBK. Save it as UTF-8 text.",
    ),
    "dotenv_unreadable": Words(
        ".env：无法读取 {path}：{reason}。请让运行本站的用户能读它",
        ".env: cannot read {path}: {reason}. Let the user who runs the site read it.",
    ),
    "key_unkept": Words(
        "SECRET_KEY：密钥无法保存在 {path}：{reason}。请填写 SECRET_KEY，或让这个文件夹可写",
        "SECRET_KEY: cannot keep one in {path}: {reason}. "
        "Set SECRET_KEY, or make the folder writable.",
    ),
    "key_damaged": Words(
        "SECRET_KEY：{path} 已损坏。请删掉它，启动时会重新生成",
        "SECRET_KEY: {path} is damaged. Remove it, and the next start makes a new one.",
    ),
    "workers_alone": Words(
        "WORKERS：{value} 个进程要靠 Redis 共用限额和回答。请加上 REDIS_URL=redis://127.0.0.1:6379/0，"
        "或改为 WORKERS=1",
        "WORKERS: {value} processes share limits and answers through Redis. Add "
        "REDIS_URL=redis://127.0.0.1:6379/0, or set WORKERS=1.",
    ),
    "empty_ca_bundle": Words(
        "CA_BUNDLE：{path} 里没有证书。请写出 PEM 文件的路径",
        "CA_BUNDLE: {path} holds no certificate. Name a PEM file.",
    ),
    "database_address": Words(
        "DATABASE_URL：不是数据库的地址，应写成 postgresql://用户:密码@主机:5432/数据库，"
        "密码里的 @ : / 等写成 %40 %3A %2F。不填则用 instance/ 里的 SQLite",
        "DATABASE_URL: not the address of a database. Write it as "
        "postgresql://user:password@host:5432/name, with %40 %3A %2F for @ : / in the password. "
        "Unset it to use SQLite in instance/.",
    ),
    "database_kind": Words(
        "DATABASE_URL：应写成 sqlite:///路径，或 postgresql://用户:密码@主机:5432/数据库。"
        "不填则用 instance/chat.db",
        "DATABASE_URL: write it as sqlite:///path, or as postgresql://user:password@host:5432/name."
        " Unset it to use instance/chat.db.",
    ),
    "database_driver": Words(
        'DATABASE_URL：缺少 PostgreSQL 的驱动：{reason}。请运行 pip install "psycopg[binary]"',
        "DATABASE_URL: PostgreSQL's driver is missing: {reason}. "
        'Run pip install "psycopg[binary]".',
    ),
    "database_server": Words(
        "DATABASE_URL：{place}：{reason}。请检查服务器、数据库名、用户和密码",
        "DATABASE_URL: {place}: {reason}. Check the server, the names of user and database, and "
        "the password.",
    ),
    "database_encoding": Words(
        "DATABASE_URL：{place} 的编码是 {encoding}，有些文字存不了。"
        "请用 createdb --encoding=UTF8 --template=template0 另建一个",
        "DATABASE_URL: the encoding of {place} is {encoding}, which cannot hold every text. "
        "Make another database: createdb --encoding=UTF8 --template=template0.",
    ),
    "database_folder": Words(
        "DATABASE_URL：{path}：{reason}。请改用可写的文件夹",
        "DATABASE_URL: {path}: {reason}. Name a folder that can be written.",
    ),
    "database": Words(
        "DATABASE_URL：{path}：{reason}。请检查这个文件和它的文件夹",
        "DATABASE_URL: {path}: {reason}. Check the file and its folder.",
    ),
    "no_room_to_copy": Words(
        "DATABASE_URL：升级 {path} 前要先留副本，需要 {needed}，磁盘只剩 {free}。请先腾出空间",
        "DATABASE_URL: {path} is copied before it is upgraded, which needs {needed}, and the disk "
        "has {free} left. Make room first.",
    ),
    "redis_address": Words(
        "REDIS_URL：不是 Redis 的地址，应写成 redis://:password@host:6379/0",
        "REDIS_URL: not the address of a Redis. Write it as redis://:password@host:6379/0.",
    ),
    "logo_unreadable": Words(
        "SITE_LOGO：{path}：{reason}。请写出图片文件的路径，或不填",
        "SITE_LOGO: {path}: {reason}. Name a picture file, or unset it.",
    ),
    "logo_large": Words(
        "SITE_LOGO：{path} 有 {size} kB，最多 200 kB",
        "SITE_LOGO: {path} has {size} kB. Use one of at most 200 kB.",
    ),
    "logo_kind": Words(
        "SITE_LOGO：{path} 不是 PNG、JPEG、WebP 或 SVG 图片",
        "SITE_LOGO: {path} is not a PNG, JPEG, WebP or SVG. Use one of these.",
    ),
    "logo_pixels": Words(
        "SITE_LOGO：{path} 的长和宽最多 {most} 像素",
        "SITE_LOGO: {path} has too many pixels. Use one of at most {most} by {most}.",
    ),
    "platform_half": Words(
        "{platform}没有配置完整：{problem}。请在 .env 里补上 {lines} ，"
        "或把 {names} 也去掉：一个平台都没有设置时，站点以演示方式启动，不需要账号",
        "{platform} is not set up: {problem}. Add {lines} to .env, or "
        "unset {names} as well: a site with no platform starts in demo mode and needs no account.",
    ),
    "platform_wrong": Words(
        "{platform}没有配置好：{problem}。请在 .env 里改正，"
        "或把 {names} 也去掉：一个平台都没有设置时，站点以演示方式启动，不需要账号",
        "{platform} is not set up: {problem}. Correct it in .env, or "
        "unset {names} as well: a site with no platform starts in demo mode and needs no account.",
    ),
    "agents_file": Words(
        "AGENTS_FILE：{path}：{reason}。请改好它，或去掉 AGENTS_FILE",
        "AGENTS_FILE: {path}: {reason}. Fix it, or unset AGENTS_FILE.",
    ),
    "no_agents": Words(
        "{path}：没有 [[agents]] 表。请为每个智能体写一个，或去掉 AGENTS_FILE",
        "{path}: no [[agents]] table. Add one for each agent, or unset AGENTS_FILE.",
    ),
    "swapped": Words(
        "{names} 像是填反了。请写 {lines}",
        "{names} seem to be in each other's place. Write {lines} instead.",
    ),
    "swapped_keys": Words(
        "{location}：ID 和密钥像是填反了。请写 {lines}",
        "{location}: id and key seem to be in each other's place. Write {lines} instead.",
    ),
    "agent_line": Words(
        "{location}：{key}：{problem}。请写 {line}",
        "{location}: {key}: {problem}. Write {line} in its place.",
    ),
    "codes_needed": Words(
        'ACCESS_CODES：agents.toml 里有 access = "code" 的智能体，至少要留一个访问码',
        'ACCESS_CODES: agents.toml has agents with access = "code". Leave at least one code.',
    ),
    "codes_last": Words(
        "ACCESS_CODES：这样就没有访问码了，站点会对所有人开放。确实要开放，请到“访问码”页停用最后一个访问码",
        "ACCESS_CODES: this would leave no code, and open the site to everybody. If you want "
        "that, end the last code on the page of the access codes.",
    ),
    "agent": Words("{location}：{key}：{problem}", "{location}: {key}: {problem}."),
    "agent_in_whole": Words("{location}：{problem}", "{location}: {problem}."),
    "same_id": Words(
        "智能体 ID “{id}” 重复。每个智能体要有自己的 ID",
        'The agent id "{id}" is used twice. Give each agent an id of its own.',
    ),
}

LOCATION = Words(
    "{path}：第 {number} 个 [[agents]]（{id}）", "{path}: [[agents]] number {number} ({id})"
)
EMPTY = Words("{names} 为空", "{names} is empty")
UNSET_SECRET = Words(
    "{name} 为空，在 .env 或环境变量里填写",
    "{name} is empty. Set it in .env or in the environment",
)
NO_OPTION_BUT = Words(
    "这个平台没有这个选项，是不是 {nearest}？",
    "there is no such option, perhaps {nearest} is meant",
)
TWICE = Words("写了两次，请删掉一个", "it is written twice: remove one")
UNREADABLE = Words("无法读取：{reason}", "cannot be read: {reason}")
NO_PLATFORM = Words("只能是 {names} 之一", "must be one of {names}")
NO_PLATFORM_HERE = Words(
    "这个版本没有这个平台，请升级站点或移除这个智能体",
    "this release does not have its platform: update the site, or remove the agent",
)
SEALED_ELSEWHERE = Words(
    "密钥是用另一个 SECRET_KEY 加密保存的，已无法读取：请重新填写令牌",
    "its keys were sealed under another SECRET_KEY and cannot be read: give them again",
)
TAKEN_ID = Words(
    "这个 ID 已经有智能体用过，请换一个",
    "an agent has or had this id: choose another",
)
NO_CODES = Words("没有访问码，请设置 ACCESS_CODES", "there is no code. Set ACCESS_CODES")
TOML_LINE = Words(
    "第 {line} 行第 {column} 列不是 TOML 的写法", "not valid TOML at line {line}, column {column}"
)
TOML_END = Words(
    "不是 TOML 的写法：末尾缺了什么，或括号套得太深",
    "not valid TOML: something is missing at its end, or its brackets are nested too deeply",
)

_WHOLE_NUMBER = Words("应是整数", "it should be a whole number")
_NUMBER = Words("应是数字", "it should be a number")
_TEXT = Words("应是加引号的文字", "it should be a text in quotes")
_YES_OR_NO = Words("应是 true 或 false", "it should be true or false")
_TABLE = Words(
    '应是表，如 {{ name = "value" }}', 'it should be a table such as {{ name = "value" }}'
)
_NOT_UNDERSTOOD = Words("看不懂这个值", "this value is not understood")

# pydantic's kinds of errors (docs.pydantic.dev/latest/errors/validation_errors).
PROBLEMS: dict[str, Words] = {
    "missing": Words("必须填写", "it has to be set"),
    "extra_forbidden": Words("这个平台没有这个选项", "there is no such option on this platform"),
    "string_type": _TEXT,
    "string_sub_type": _TEXT,
    "string_too_short": Words(
        "至少要 {min_length} 个字", "it should have at least {min_length} characters"
    ),
    "string_too_long": Words(
        "最多 {max_length} 个字", "it should have at most {max_length} characters"
    ),
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_parsing_size": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "bool_type": _YES_OR_NO,
    "bool_parsing": _YES_OR_NO,
    "greater_than": Words("要大于 {gt}", "it should be greater than {gt}"),
    "greater_than_equal": Words("不能小于 {ge}", "it should be {ge} or more"),
    "less_than": Words("要小于 {lt}", "it should be less than {lt}"),
    "less_than_equal": Words("不能大于 {le}", "it should be {le} or less"),
    "literal_error": Words("只能是 {choices} 之一", "it should be one of {choices}"),
    "list_type": Words('应是列表，如 ["一", "二"]', 'it should be a list such as ["one", "two"]'),
    "too_long": Words("最多 {max_length} 项", "it should have at most {max_length} items"),
    "dict_type": _TABLE,
    "model_type": _TABLE,
    "path_type": _TEXT,
}


class SettingsError(Exception):
    """A wrong or half-filled setting: `id` names its words in WRONG, `facts` fill them.

    The facts never hold a secret. As a string it is one line of English: what is wrong, and the
    cure.
    """

    def __init__(self, id: str, /, **facts: Any) -> None:
        super().__init__(id)
        self.id = id
        self.facts: Mapping[str, Any] = facts
        # Of several errors each by itself.
        self.parts: list[SettingsError] = [self]

    def __str__(self) -> str:
        return self.say("en")

    def say(self, language: str) -> str:
        """What is wrong, and the cure, in one line."""
        return WRONG[self.id].say(language, self.facts)

    def say_in_both(self) -> str:
        """The same in English and in Chinese, for whoever starts the site."""
        return f"{self.say('en')} / {self.say('zh')}。运行 {DOCTOR} 查看说明。"

    @property
    def settings(self) -> list[str]:
        """The names of the settings that it is about; none when it is about agents.toml."""
        if "settings" in self.facts:
            return list(self.facts["settings"])
        # Where the name is no fact, the words begin with it.
        name = str(self.facts.get("name", WRONG[self.id].en.partition(":")[0]))
        return [name.removesuffix("_FILE") if self.id == "secret_file" else name]


class SettingsErrors(SettingsError):
    """Several of them: a line for each."""

    def __init__(self, errors: Iterable[SettingsError]) -> None:
        super().__init__("several")
        self.parts = list(errors)

    def say(self, language: str) -> str:
        return "\n".join(part.say(language) for part in self.parts)

    def say_in_both(self) -> str:
        return "\n".join(part.say_in_both() for part in self.parts)

    @property
    def settings(self) -> list[str]:
        return [name for part in self.parts for name in part.settings]


def together(errors: Iterable[SettingsError]) -> SettingsError:
    """One error for one or several: the first MOST of them."""
    parts = [part for error in errors for part in error.parts][:MOST]
    return parts[0] if len(parts) == 1 else SettingsErrors(parts)


def wrong_value(
    name: str, error: ErrorDetails, field: FieldInfo, platform: str | None = None
) -> SettingsError:
    """What is wrong with a setting, and the line to paste."""
    facts = {"name": name, "problem": problem(error, platform)}
    value = paste_value(error, field)
    is_needed = name == "ACCESS_CODES" or (platform is not None and field.is_required())
    if not value:
        return SettingsError("wrong_value" if is_needed else "unneeded_value", **facts)
    return SettingsError("needed_value" if is_needed else "value", **facts, line=f"{name}={value}")


def paste_value(error: ErrorDetails, field: FieldInfo) -> str:
    """A value that would do: what the error itself says, the bound, the default, or an example."""
    context = error.get("ctx", {})
    if isinstance(field.default, bool):
        return "on" if field.default else "off"
    # The greatest is nearest to what was meant; the least may be the opposite of it.
    candidates = (context.get("paste"), context.get("le"), field.default)
    values = (value for value in candidates if value and value is not PydanticUndefined)
    value = next(values, example_of(field))
    return f"{value:g}" if isinstance(value, float) else str(value).replace(RANDOM, _random())


def _random() -> str:
    return secrets.token_urlsafe(15)


def problem(error: ErrorDetails, platform: str | None = None) -> Words | Sentence:
    """What pydantic says is wrong with a value, in words of ours; the value is not in them.

    Options have their names of .env with a `platform`, else those of agents.toml.
    """
    context = error.get("ctx", {})
    if error["type"] == BILINGUAL:
        names = _OptionNames(platform)
        return Words(context["zh"].format_map(names), context["en"].format_map(names))
    words = PROBLEMS.get(error["type"], _NOT_UNDERSTOOD)
    if error["type"] == "literal_error":
        # pydantic joins the choices to a text such as "'debug', 'info' or 'warning'".
        context = {"choices": ", ".join(re.findall(r"'([^']*)'", context["expected"]))}
    return Sentence(words, {name: _short(fact) for name, fact in context.items()})


def _short(fact: Any) -> Any:
    return int(fact) if isinstance(fact, float) and fact.is_integer() else fact


class _OptionNames(dict[str, str]):
    """The names of options in braces, as the owner writes them."""

    def __init__(self, platform: str | None) -> None:
        super().__init__()
        self._platform = platform

    def __missing__(self, option: str) -> str:
        return f"{self._platform}_{option}".upper() if self._platform else option
