"""Rates as an owner writes them: "20/minute;300/day", or "0" for none."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from limits import RateLimitItem


def is_off(text: str) -> bool:
    """Whether a text asks for no rate at all."""
    return text.strip() in ("", "0")


def counts_addresses(rate: str, address_share: int) -> bool:
    """Whether a site with these VISITOR_RATE and ADDRESS_SHARE counts by address."""
    return address_share > 0 and not is_off(rate)


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
