"""One forgiving reader of values: as their kind is written by people, whichever setting it is."""

import math
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from chat.settings.numerals import with_digits
from providers.options import QUOTES, bilingual_error

OFF = frozenset(
    "off no none null nil false disable disabled never n f"
    " 关 关闭 关掉 否 不 无 没有 不要 不用 不需要 不显示 不启用 禁用 停用 假".split()
)
ON = frozenset(
    "on yes true enable enabled y t ok 开 开启 打开 是 要 对 有 显示 启用 使用 真 默认".split()
)
UNLIMITED = frozenset(
    "-1 unlimited nolimit infinite infinity inf forever always permanent"
    " 不限 不限制 无限 无限制 没有限制 无上限 不设限 永久 永远 一直 长期 不删除 永不".split()
)
# The value of a choice, and what else it is called; of a locale its first part counts.
_CALLED = {
    "zh": "cn chinese 中文 汉语 简体 简体中文 华语 中国 普通话".split(),
    "en": "english 英文 英语 eng us gb uk".split(),
    "debug": "trace verbose all 调试 详细".split(),
    "info": "notice normal default 信息 普通 一般".split(),
    "warning": "warn error err critical fatal quiet 警告 错误 故障".split(),
    "text": "txt plain human 文本 文字".split(),
    "json": "jsonl ndjson".split(),
    "poll": "polling 轮询".split(),
    "stream": "streaming sse 流式 流".split(),
    "open": "public free 公开 开放 所有人".split(),
    "code": "codes private closed 访问码 需要访问码".split(),
}


@dataclass(frozen=True, eq=False)
class Unit:
    """In what a number counts, and how much each word after it is worth."""

    words: Mapping[str, float]


@dataclass(frozen=True)
class NoLimitAt:
    """A marker: this number of a limit means none."""

    number: int


@dataclass(frozen=True)
class YesMeans:
    """A marker: this number is meant by who answers yes."""

    number: int


@dataclass(frozen=True)
class OffMeans:
    """A marker of a text that has a default: this stands for none at all."""

    text: str


COUNT = Unit(
    {
        **dict.fromkeys(("", *"个 字 字符 次 条 人 位 层 名 项 份 路 进程 核".split()), 1),
        **dict.fromkeys("char character time question answer visitor core process".split(), 1),
        **dict.fromkeys(("k", "k字", "k个", "kchar", "k character"), 1e3),
        **dict.fromkeys(("w", "w字", "w个"), 1e4),
        **dict.fromkeys(("m", "million"), 1e6),
    }
)
_TIMES = ("", *"个 次 条 问 题 time times question questions".split())


def _counts_in(*spans: str) -> dict[str, float]:
    """So many, with the span of time that they count in or without it."""
    return {**COUNT.words, **{f"{word}/{span}": 1 for word in _TIMES for span in spans}}


PER_SECOND = Unit({**_counts_in("s", "秒"), "qps": 1})
PER_DAY = Unit(_counts_in("d", "day", "天", "日"))
SECONDS = Unit(
    {
        **dict.fromkeys(("", *"s sec second 秒 秒钟".split()), 1),
        **dict.fromkeys("ms msec millisecond 毫秒".split(), 1e-3),
        **dict.fromkeys("m min minute 分 分钟".split(), 60),
        **dict.fromkeys("h hr hour 时 小时 个小时".split(), 3600),
        **dict.fromkeys("d day 天 日".split(), 86400),
    }
)
MEGABYTES = Unit(
    {
        **dict.fromkeys(("", *"m mb mib mbyte megabyte 兆 兆字节".split()), 1),
        **dict.fromkeys("g gb gib gigabyte 吉字节".split(), 1024),
        **dict.fromkeys("k kb kib kilobyte 千字节".split(), 2**-10),
        **dict.fromkeys("b byte 字节".split(), 2**-20),
    }
)
# Of a month or a year the longest: what is deleted too early is gone.
DAYS = Unit(
    {
        **dict.fromkeys(("", *"d day 天 日".split()), 1),
        **dict.fromkeys("w wk week 周 星期 个星期 礼拜".split(), 7),
        **dict.fromkeys("month mon mo 月 个月".split(), 31),
        **dict.fromkeys("y yr year 年".split(), 366),
    }
)

_PIECE = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*([^\d\s.+-]*)\s*")
_THOUSANDS = re.compile(r"\d{1,3}(?:[,'’_ ]\d{3})+(?![\d.,])")
_THOUSANDS_OR_NOT = re.compile(r"\d{1,3}(?:\.\d{3})+")


def understand(value: Any, field: FieldInfo) -> Any:
    """The value of a setting or an option as its type takes it; as it is when it is not understood.

    Raises an error in both languages for what could mean two things.
    """
    if isinstance(value, bool) and _numbers(field):
        # Python counts with true and false, people do not.
        value = "yes" if value else "no"
    if value == 0 and isinstance(value, int) and _has_no_limit(field):
        return None
    if not isinstance(value, str) or _is_secret(field):
        return value
    word = plain(value).casefold()
    if word in OFF or word in UNLIMITED:
        value = _without(value, word, field)
    if not isinstance(value, str):
        return value
    return _of_kind(value, word, field)


def plain(text: str) -> str:
    """A text without the quotes around it, and with full-width signs as what they look like."""
    return unicodedata.normalize("NFKC", text.strip(QUOTES)).strip(QUOTES)


def number(text: str, unit: Unit = COUNT) -> int | float | None:
    """A number with or without its unit, such as 8k, 8,000, 8千, 1h30m; None for anything else.

    Raises an error in both languages for 8.000, which may be eight or eight thousand.
    """
    text = _THOUSANDS.sub(lambda match: re.sub(r"\D", "", match[0]), plain(text).casefold())
    text = with_digits(text).removeprefix(":")
    if unit is not SECONDS and _THOUSANDS_OR_NOT.fullmatch(text):
        whole = text.replace(".", "")
        raise bilingual_error(
            f"{text} 有两种意思，请写 {whole} 或 {text.partition('.')[0]}",
            f"{text} may mean two things: write {whole} or {text.partition('.')[0]}",
            paste=whole,
        )
    pieces = [_PIECE.match(text)]
    while (last := pieces[-1]) is not None and last.end() < len(text):
        pieces.append(_PIECE.match(text, last.end()))
    return _sum(pieces, unit)


def _sum(pieces: list[re.Match[str] | None], unit: Unit) -> int | float | None:
    """The sum of 1h and 30m; None where a unit is unknown, or a smaller one comes first."""
    total, last = 0.0, float("inf")
    for piece in pieces:
        worth = _worth(piece[2], unit) if piece else None
        if piece is None or worth is None or worth >= last or (len(pieces) > 1 and not piece[2]):
            return None
        total, last = total + float(piece[1]) * worth, worth
    # A number of hundreds of digits is none that anybody means.
    if math.isinf(total):
        return None
    return int(total) if total == int(total) else round(total, 9)


def _worth(word: str, unit: Unit) -> float | None:
    singular = word[:-1] if len(word) > 2 and word.endswith("s") else word
    return unit.words.get(word, unit.words.get(singular))


def _without(value: str, word: str, field: FieldInfo) -> Any:
    """What a setting is when its owner wants none of it, or no limit; the value if that is nothing.

    A setting without a default of its own is then unset. Not an access code: without those a site
    is open to all.
    """
    off = _marker(field, OffMeans)
    if off is not None:
        return off.text if word in OFF else value
    numbers = _numbers(field)
    if word in UNLIMITED:
        limit = _marker(field, NoLimitAt)
        if limit is not None:
            return limit.number
        return _unset(value, field) if numbers and NoneType in _types(field) else value
    if bool in _types(field):
        return value
    return _unset(value, field)


def _unset(value: str, field: FieldInfo) -> Any:
    if _numbers(field) and _least(field) == 0:
        return 0
    return None if NoneType in _types(field) else value


def _of_kind(value: str, word: str, field: FieldInfo) -> Any:
    types = _types(field)
    yes = _marker(field, YesMeans)
    if yes is not None and word in ON:
        return yes.number
    if off := _marker(field, OffMeans):
        return None if word in ON else off.text if word == "0" else value
    if bool in types:
        return True if word in ON else False if word in OFF else value
    if choices := _choices(field):
        return _choice(word, choices) or value
    if _numbers(field):
        understood = number(value, _marker(field, Unit) or COUNT)
        if understood == 0 and _has_no_limit(field):
            return None
        return value if understood is None else understood
    return value


def _choice(word: str, choices: tuple[str, ...]) -> str | None:
    """The choice that a word means: zh of zh_CN.UTF-8, warning of WARN."""
    words = (word, re.split(r"[-_.@\s]", word)[0])
    for name in words:
        for choice in choices:
            if name == choice.casefold() or name in _CALLED.get(choice, ()):
                return choice
    return None


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _types(field: FieldInfo) -> set[Any]:
    """The types that a field may have, and their origins."""
    return {get_origin(part) or part for part in _parts(field.annotation)}


def _numbers(field: FieldInfo) -> bool:
    return bool(_types(field) & {int, float})


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in _types(field)


def _choices(field: FieldInfo) -> tuple[str, ...]:
    """The choices of a field that is a list of texts to choose from."""
    literals = [part for part in _parts(field.annotation) if get_origin(part) is Literal]
    return tuple(choice for part in literals for choice in get_args(part))


def _has_no_limit(field: FieldInfo) -> bool:
    """Whether a number may be unset, and is then no limit: it cannot be 0."""
    return _numbers(field) and NoneType in _types(field) and (_least(field) or 0) > 0


def _least(field: FieldInfo) -> float | None:
    bounds = (getattr(part, "ge", None) for part in _metadata(field))
    return next((bound for bound in bounds if bound is not None), None)


def _marker(field: FieldInfo, kind: type[Any]) -> Any:
    return next((part for part in _metadata(field) if isinstance(part, kind)), None)


def _metadata(field: FieldInfo) -> Iterator[Any]:
    """What is annotated to a field, also within a union."""
    yield from field.metadata
    for part in _parts(field.annotation):
        yield from getattr(part, "__metadata__", ())


def _parts(annotation: Any) -> Iterator[Any]:
    """An annotation and the members of its unions."""
    yield annotation
    origin = get_origin(annotation)
    if origin is not Literal and origin not in (list, dict, tuple):
        for part in get_args(annotation):
            if isinstance(part, type) or get_origin(part) is not None:
                yield from _parts(part)
