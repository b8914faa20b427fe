"""The tree of what can go wrong: complete, drawn as it is, and sayable in a log."""

import inspect
import re

import pytest

from providers import errors
from providers.errors import ProviderError, RateLimited

REASONS = {
    "misconfigured",
    "quota_exhausted",
    "rate_limited",
    "busy",
    "blocked",
    "bad_input",
    "needs_action",
    "empty",
    "timeout",
    "unavailable",
    "unexpected",
}
KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, ProviderError) and kind is not ProviderError
]


def test_the_drawing_in_the_docstring_is_the_tree():
    drawn = dict(re.findall(r"^ {6}(\w+) +(\w+) ", errors.__doc__ or "", re.MULTILINE))
    assert drawn == {kind.__name__: kind.reason for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_a_reason_of_the_http_contract(kind):
    assert kind.reason in REASONS
    assert kind.__bases__ == (ProviderError,)


def test_the_contract_has_no_reason_nothing_stands_for():
    assert {kind.reason for kind in KINDS} == REASONS


def test_the_log_is_told_who_and_what_and_where_to_ask():
    error = RateLimited("too many", provider="coze", code=4013, trace="2026", retry_after=2.0)
    assert str(error) == "coze: too many, code 4013, trace 2026"
    assert (error.code, error.trace, error.retry_after) == (4013, "2026", 2.0)
    assert str(RateLimited("too many", provider="coze")) == "coze: too many"
    assert str(RateLimited("too many", provider="coze", code=0)) == "coze: too many, code 0"


@pytest.mark.parametrize("code", [[4001], {"code": 4001}, 4.5])
def test_a_code_that_is_none_is_left_out(code):
    """A platform may send anything there, and a list cannot even be looked up."""
    assert ProviderError("failed", provider="coze", code=code).code is None
