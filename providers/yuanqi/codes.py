"""Yuanqi's error codes in our names (platforms/yuanqi.md)."""

from providers.errors import (
    AuthRejected,
    ContentBlocked,
    NotConfigured,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    Unavailable,
    Unexpected,
)
from providers.http import STATUS

# HTTP status, error.code or finish_reason -> our name.
ERRORS: dict[str, type[ProviderError]] = {
    "400": Unexpected,  # a parameter error: we have built the request wrongly
    "401": AuthRejected,
    "1001": Unexpected,  # the sibling Hunyuan service: roles do not alternate
    "403": NotConfigured,  # the token has no right to this agent, or its API is switched off
    "404": NotConfigured,
    "429": RateLimited,
    **dict.fromkeys(("500", "502", "503", "504"), Unavailable),
    "concurrency": RateLimited,
    "quota": QuotaExhausted,
    "sensitive": ContentBlocked,
    "tool_fail": Unavailable,
}
# Most code strings are unknown, and a status means several things: then the words of the message
# decide.
HINTS: dict[str, type[ProviderError]] = {
    "publish": NotConfigured,
    "发布": NotConfigured,
    "quota": QuotaExhausted,
    "额度": QuotaExhausted,
    "余额": QuotaExhausted,
    "concurren": RateLimited,
    "并发": RateLimited,
}


def kind_of(code: str, message: str, status: int) -> type[ProviderError]:
    """Our name for a refusal: by its code, else the words of its message, else its status."""
    if not code.isdigit() and code in ERRORS:
        return ERRORS[code]
    if status < 500:
        for word, kind in HINTS.items():
            if word in message.lower():
                return kind
    known = ERRORS.get(str(status)) or ERRORS.get(code) or STATUS.get(status)
    return known or (Unavailable if status >= 500 else Unexpected)
