"""Rates as an owner writes them: "20/minute;300/day", "20次/分钟", or "0" for none."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from chat.settings.forgiving import OFF, UNLIMITED, number, plain
from chat.settings.numerals import with_digits

if TYPE_CHECKING:
    from limits import RateLimitItem

_SPANS = {
    **dict.fromkeys(("s", "sec", "second", "秒", "秒钟"), "second"),
    **dict.fromkeys(("m", "min", "minute", "分", "分钟"), "minute"),
    **dict.fromkeys(("h", "hr", "hour", "时", "小时"), "hour"),
    **dict.fromkeys(("d", "day", "天", "日"), "day"),
    **dict.fromkeys(("month", "月", "个月"), "month"),
}
_SPAN = "|".join(sorted(_SPANS, key=len, reverse=True))
_COUNT = r"(?P<count>\d[\d,]*(?:\.\d+)?\s*[kw千万]?)"
_TIMES = r"\s*(?:次|个|条|问|times?|questions?)?\s*"
_EVERY = rf"(?P<every>\d+)?\s*(?P<span>{_SPAN})s?(?:钟|内)?"
_FORMS = (
    re.compile(rf"{_COUNT}{_TIMES}(?:/|per|a|an|每)\s*{_EVERY}"),
    re.compile(rf"每(?:个)?\s*{_EVERY}\s*(?:最多)?{_COUNT}{_TIMES}"),
    re.compile(rf"{_EVERY}\s*(?:最多)?{_COUNT}次"),
)

# Not the comma of 1,000.
_BETWEEN = re.compile(r"[;、\n]|(?<!\d),|,(?!\d{3}\b)|和|\+")


def is_off(text: str) -> bool:
    """Whether a text asks for no rate at all."""
    return text.strip() in ("", "0")


def counts_addresses(rate: str, address_share: int) -> bool:
    """Whether a site with these VISITOR_RATE and ADDRESS_SHARE counts by address."""
    return address_share > 0 and not is_off(rate)


def plain_rates(text: str) -> str:
    """The same rates as the library writes them; as it is what is no rate."""
    words = plain(text).casefold()
    if words in OFF or words in UNLIMITED:
        return "0"
    parts = [part.strip() for part in _BETWEEN.split(words) if part.strip()]
    rates = [_plain_rate(part) for part in parts]
    return ";".join(rate for rate in rates if rate) if parts and all(rates) else text


def parse_rates(text: str) -> "Sequence[RateLimitItem]":
    """The rates of a text, none for "0". Raises ValueError."""
    if is_off(text):
        return ()
    # The library costs 1.5 MB, which a site that nobody asks anything need not spend.
    from limits import parse_many

    # Each part by itself: of "20/minute x" the library would read the beginning and forget the
    # rest.
    rates = [parse_many(part)[0] for part in text.replace(",", ";").split(";")]
    if not all(rate.amount for rate in rates):
        raise ValueError("a rate of nothing")
    return rates


def _plain_rate(text: str) -> str | None:
    text = with_digits(text)
    for form in _FORMS:
        if (match := form.fullmatch(text)) and (count := number(match["count"])) is not None:
            span = _SPANS[match["span"]]
            every = match["every"] or "1"
            return f"{count}/{span}" if every == "1" else f"{count}/{every}{span}"
    return None
