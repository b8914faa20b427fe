"""Wenxin's error codes in our names (platforms/wenxin.md)."""

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

# After a failure nothing is asked a second time. The platform's advice for 1001 and 499 is to try
# once more, but neither says that the question was not taken: the thread might hold it twice, and
# the day's budget count it twice.
ERRORS: dict[int, type[ProviderError]] = {
    499: Unavailable,  # an HTTP status: the agent took too long
    1000: Unexpected,  # invalid input
    1001: Unavailable,  # system error
    1002: RateLimited,
    1003: Unavailable,  # the answer could not be made
    1005: ContentBlocked,  # refused by the protection against abuse
    1006: NotConfigured,  # the agent is not published
    1113: ContentBlocked,  # the question holds a word of the list
    1115: QuotaExhausted,  # the day's 500 questions
    1116: AuthRejected,  # id and key do not belong together
}
