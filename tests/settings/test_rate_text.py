"""VISITOR_RATE as an owner writes it."""

from collections.abc import Callable

import pytest

from chat.settings.rate_text import parse_rates
from tests.kit.site import Site

MINUTE, DAY = 60, 24 * 3600


def _pairs(text: str) -> list[tuple[int, int]]:
    return [(rate.amount, rate.get_expiry()) for rate in parse_rates(text)]


def test_rates_are_read() -> None:
    assert _pairs("20/minute;300/day") == [(20, MINUTE), (300, DAY)]
    assert _pairs("5 per 10 second, 7/hour") == [(5, 10), (7, 3600)]
    assert _pairs("0") == _pairs("") == []


@pytest.mark.parametrize(
    "wrong", ["often", "20", "20/fortnight", "20/minute;", "0/minute", "20/minute x", "-1/day"]
)
def test_what_is_no_rate_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_rates(wrong)


def test_a_wrong_rate_ends_the_start_with_one_line(start_site: Callable[..., Site]) -> None:
    with pytest.raises(AssertionError, match="VISITOR_RATE: not a rate"):
        start_site(VISITOR_RATE="often")
