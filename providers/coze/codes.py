"""Coze's error codes in our names (platforms/coze.md §7)."""

from typing import Any

from providers.errors import (
    AuthRejected,
    BadQuestion,
    Busy,
    ContentBlocked,
    NotConfigured,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    TimedOut,
    Unavailable,
    Unexpected,
)

ERRORS: dict[int, type[ProviderError]] = {
    401: AuthRejected,
    429: RateLimited,
    4000: BadQuestion,
    4001: Unavailable,  # unknown chat: there is no record to read the answer from
    4002: Unexpected,  # unknown conversation, after it has been replaced once
    4003: BadQuestion,
    4004: BadQuestion,
    4005: BadQuestion,
    4006: NotConfigured,
    4007: BadQuestion,
    4008: QuotaExhausted,
    4009: RateLimited,
    4010: BadQuestion,
    4011: QuotaExhausted,
    4012: NotConfigured,  # the model was taken offline
    4013: RateLimited,
    4014: BadQuestion,
    4015: NotConfigured,  # not published to the channel "Agent As API"
    4016: Busy,
    4019: QuotaExhausted,
    4020: RateLimited,
    4021: NotConfigured,
    4022: QuotaExhausted,
    4027: QuotaExhausted,
    4028: QuotaExhausted,
    4033: QuotaExhausted,
    4100: AuthRejected,
    4101: AuthRejected,
    4102: ContentBlocked,  # by risk control: the same words would be refused again
    4104: Unexpected,  # not cancellable; only an answer to our own cancelling
    4105: ContentBlocked,
    4200: NotConfigured,
    4300: BadQuestion,
    4301: BadQuestion,
    4302: BadQuestion,
    4303: BadQuestion,
    4304: BadQuestion,
    4314: Unexpected,
    4315: Unexpected,
    5000: Unavailable,
    6006: TimedOut,  # a code node of the workflow ran longer than a minute
    701231: Unavailable,
    700012006: AuthRejected,
    700012014: RateLimited,
    710005002: RateLimited,
    788788103: QuotaExhausted,
}
# Codes without their last three digits.
FAMILIES: dict[int, type[ProviderError]] = {
    720701: Unavailable,
    720702: NotConfigured,
}


def kind_of(code: Any) -> type[ProviderError]:
    """Our name for one of Coze's codes; one that nobody has documented is sorted by its shape."""
    if not isinstance(code, int):
        return Unexpected
    known = ERRORS.get(code) or FAMILIES.get(code // 1000)
    if known is not None:
        return known
    # Codes of nine digits, and unknown ones of the family of 5000, are the platform's own trouble.
    return Unavailable if code >= 100_000_000 or 5000 <= code < 6000 else Unexpected
