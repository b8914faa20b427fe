"""Fields of any kind, read safely."""

from typing import Any

import pytest

from providers.payloads import seconds


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5.0),
        (0.5, 0.5),
        (0, 60.0),
        (-1, 60.0),
        (True, 60.0),
        ("5", 5.0),
        ("soon", 60.0),
        (None, 60.0),
        (float("nan"), 60.0),
        (float("inf"), 60.0),
        (10**400, 60.0),
    ],
)
def test_a_span_that_makes_no_sense_is_the_default(value: Any, expected: float) -> None:
    assert seconds(value, 60.0) == expected
