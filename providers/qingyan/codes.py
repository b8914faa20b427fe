"""Qingyan's error codes in our names (platforms/qingyan.md)."""

from providers.errors import (
    AuthRejected,
    BadQuestion,
    ContentBlocked,
    NotConfigured,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    Unavailable,
)

ERRORS: dict[int, type[ProviderError]] = {
    1001: AuthRejected,  # the api_key is disabled
    1002: AuthRejected,  # the api_key or the secret is wrong
    10003: AuthRejected,  # the api_key was deleted
    10004: AuthRejected,  # the api_key is disabled
    10005: BadQuestion,  # a file of the question is gone
    10006: RateLimited,  # too many calls at once (upload)
    10007: RateLimited,  # too many calls at once (question)
    10008: QuotaExhausted,
    10010: NotConfigured,  # the agent was deleted
    10018: NotConfigured,  # somebody else's agent, or a token past its time
    10024: Unavailable,  # interrupted
    10025: Unavailable,  # system error
    10027: Unavailable,  # model error
    10028: Unavailable,  # the picture could not be made
    10031: ContentBlocked,
    11003: Unavailable,  # upload failed
    11004: BadQuestion,  # the document could not be read
    11005: BadQuestion,  # a document of more than 120,000 tokens
    11006: BadQuestion,  # the file is too large
    11009: Unavailable,  # the file could not be processed
    12001: BadQuestion,  # no such conversation
    12002: BadQuestion,  # somebody else's conversation; a 401 that has nothing to do with the token
}
