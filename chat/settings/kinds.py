"""Kinds of settings that are more than a text or a number: each reads what people write for it."""

import re
import warnings
from datetime import date
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator

from chat.settings import rate_text
from chat.settings.forgiving import DAYS, MEGABYTES, PER_DAY, SECONDS, plain
from providers.options import Address, bilingual_error, mended_address

DEFAULT_RATE = "20/minute;300/day"
CHINA = "Asia/Shanghai"

Seconds = Annotated[float, SECONDS]
WholeSeconds = Annotated[int, SECONDS]
Megabytes = Annotated[float, MEGABYTES]
Days = Annotated[int, DAYS]
PerDay = Annotated[int, PER_DAY]

_EVERY_ADDRESS = ("*", "0", "all", "any", "everyone", "public", "所有", "全部", "任意")
_OF_CHINA = set(
    "中国 北京 上海 北京时间 中国时间 中国标准时间 东八区 东8区 beijing shanghai china"
    " 重庆 深圳 广州 asia/beijing beijingtime chinastandardtime".split()
)
_OFFSET = re.compile(r"(?:utc|gmt)?\s*([+-])\s*(\d{1,2})(?::?00)?")


def _day(value: Any) -> Any:
    """A date as people write it: 2027-01-31, 2027/1/31, 2027.1.31, 2027年1月31日."""
    if not isinstance(value, str):
        return value
    numbers = re.fullmatch(r"(\d{4})\D{1,2}(\d{1,2})\D{1,2}(\d{1,2})\D?", plain(value).strip())
    try:
        day = date(*map(int, numbers.groups())) if numbers else None
    except ValueError:
        day = None
    # A year such as 9999 is a typing error.
    if day is None or not 2000 <= day.year <= 9000:
        raise bilingual_error(
            "日期格式应为 2027-01-31", "a day is written 2027-01-31", paste="2027-01-31"
        )
    return day


Day = Annotated[date, BeforeValidator(_day)]


def _colour(text: str) -> str:
    """#rrggbb of #rgb, of digits without the sign, of rgb(…), of a name of CSS."""
    sign = plain(text).lower().replace(" ", "")
    if re.fullmatch(r"#?[0-9a-f]{3}", sign):
        sign = "".join(digit * 2 for digit in sign.removeprefix("#"))
    if re.fullmatch(r"#?[0-9a-f]{6}", sign):
        return f"#{sign.removeprefix('#')}"
    return _named_colour(sign)


def _named_colour(text: str) -> str:
    # The table of names is pydantic's own; its class Color went to another package, and warns.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from pydantic.color import COLORS_BY_NAME
    triple = re.fullmatch(r"rgb\((\d{1,3}),(\d{1,3}),(\d{1,3})\)", text)
    # The last colour that CSS got, which is not in pydantic's table.
    names = {**COLORS_BY_NAME, "rebeccapurple": (0x66, 0x33, 0x99)}
    numbers = tuple(map(int, triple.groups())) if triple else names.get(text, ())
    if len(numbers) == 3 and max(numbers) < 256:
        return "#{:02x}{:02x}{:02x}".format(*numbers)
    raise bilingual_error(
        "颜色应写成 # 加六位十六进制数，或 CSS 的颜色名",
        "a colour is # and six hexadecimal digits, or a name that CSS has",
        paste="#0f6b62",
    )


def _listening_host(text: str) -> str:
    """An address to listen on: an IP address or the name of this machine."""
    host = plain(text).lower()
    if host in _EVERY_ADDRESS:
        return "0.0.0.0"
    host = re.sub(r"^https?://", "", host).rstrip("/")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if re.fullmatch(r"[0-9a-z_.-]+|[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.%a-z]*", host):
        return host
    name, _, port = host.rpartition(":")
    if port.isdecimal() and re.fullmatch(r"[0-9a-z_.-]+", name):
        raise bilingual_error(
            f"端口另写一行 PORT={port}", f"the port has a line of its own, PORT={port}", paste=name
        )
    raise bilingual_error(
        "应是本机的 IP 地址：127.0.0.1 只有本机能访问，0.0.0.0 所有网络都能访问",
        "it should be an IP address of this machine: 127.0.0.1 for this machine alone, 0.0.0.0 for "
        "every network",
        paste="0.0.0.0",
    )


def _origin(address: str) -> str:
    """The address of a site, which is at the root of its host."""
    parts = urlsplit(address)
    if not (parts.path or parts.query or parts.fragment or parts.username or parts.password):
        return address
    raise bilingual_error(
        "只写到域名（和端口）：站点要在网址的根路径上",
        "it ends with the host and port: a site is at the root of its host",
        paste=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
    )


def _proxy(text: str) -> str:
    """A proxy is called by http, whatever goes through it."""
    if "://" in plain(text) and not re.match("https?://", plain(text), re.IGNORECASE):
        raise bilingual_error(
            "只支持 HTTP 代理，网址以 http:// 开头",
            "it takes an HTTP proxy, whose address begins with http://",
            paste="http://127.0.0.1:7890",
        )
    address = mended_address(text, scheme="http").rstrip("/")
    if "://" in text or urlsplit(address).port:
        return address
    # Of clash or 7890 alone a name would be made that is nowhere.
    number = plain(text) if plain(text).isdecimal() else "7890"
    raise bilingual_error(
        "代理要写主机和端口",
        "a proxy is written with its host and port",
        paste=f"http://127.0.0.1:{number}",
    )


def _rate(text: str) -> str:
    """Rates as the library reads them, checked."""
    rates = rate_text.plain_rates(text)
    # The library that reads rates is needed when the first question comes: not for the default.
    if rates == DEFAULT_RATE:
        return rates
    try:
        rate_text.parse_rates(rates)
    except ValueError:
        raise bilingual_error(
            "不是频率：写明每分钟、每小时或每天多少次，0 为不限",
            "not a rate: it says how many a minute, an hour or a day, and 0 is no limit",
            paste=DEFAULT_RATE,
        ) from None
    return rates


def _time_zone(text: str) -> str:
    """A name of the IANA's list, also for a city of it, for China's time, or for UTC+8."""
    if text == CHINA:
        return text
    name = re.sub(r"\s+", "_", plain(text))
    if name.lower().replace("_", "") in _OF_CHINA or name.rstrip("市") in _OF_CHINA:
        return CHINA
    if offset := _OFFSET.fullmatch(name.lower().replace("_", "")):
        return _zone_at(offset[1], int(offset[2]))
    known, lower = available_timezones(), name.lower()
    zones = [zone for zone in sorted(known) if _is_called(zone.lower(), lower)]
    if name in known or len(zones) == 1:
        return name if name in known else zones[0]
    raise bilingual_error(
        f"没有时区 {text[:40]}，应写成 Asia/Shanghai 这样的名字",
        f"there is no time zone {text[:40]}, which has a name such as Asia/Shanghai",
        paste=CHINA,
    )


def _is_called(zone: str, name: str) -> bool:
    return zone == name or (zone.rpartition("/")[2] == name and not zone.startswith("etc/"))


def _zone_at(sign: str, hours: int) -> str:
    if (sign, hours) == ("+", 8):
        return CHINA
    # The names of these zones count westwards.
    name = f"Etc/GMT{'-' if sign == '+' else '+'}{hours}" if hours else "UTC"
    if name in available_timezones():
        return name
    raise bilingual_error(
        "没有这个时区，应写成 Asia/Shanghai 这样的名字",
        "there is no such time zone, which has a name such as Asia/Shanghai",
        paste=CHINA,
    )


Colour = Annotated[str, AfterValidator(_colour)]
ListeningHost = Annotated[str, AfterValidator(_listening_host)]
SiteAddress = Annotated[Address, AfterValidator(_origin)]
ProxyAddress = Annotated[str, AfterValidator(_proxy)]
Rate = Annotated[str, AfterValidator(_rate)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
