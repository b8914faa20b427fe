"""Everything that can go wrong on a platform, sorted by who can do something about it.

    ProviderError
      NotConfigured    misconfigured     the owner has to set or publish something
      AuthRejected     misconfigured     the owner has to replace a token
      QuotaExhausted   quota_exhausted   the owner has to pay, or everybody has to wait for tomorrow
      RateLimited      rate_limited      the visitor can try again in a moment
      Busy             busy              the conversation is still answering; the visitor waits
      ContentBlocked   blocked           the visitor has to ask something else
      BadQuestion      bad_input         the visitor has to change the question or its files
      NeedsAction      needs_action      the agent asks for a step this site cannot take
      EmptyAnswer      empty             it finished without an answer; ask again
      OutOfTurn        rate_limited      it was never its turn: the visitor asks again when told
      TimedOut         timeout           longer than the site allows; ask again or more briefly
      Unavailable      unavailable       nobody can do anything; try again later
      Unexpected       unexpected        we misread the platform; a bug of ours

`str(error)` is for the log: provider, their code, their trace id, their text. A page shows only the
sentence that belongs to `error.reason`, one of the codes of the HTTP contract.
"""

import re


class ProviderError(Exception):
    """Base of all. `code` and `trace` are the platform's own; `retry_after` is in seconds."""

    reason = "unexpected"

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        code: int | str | None = None,
        trace: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.provider = provider
        # From the platform, so it may be anything: only numbers and words can be looked up.
        self.code = code if isinstance(code, int | str) else None
        # An id and nothing else: it is stored, and a sentence in its place might repeat a key.
        self.trace = trace if trace and re.fullmatch(r"[\w.:-]{1,100}", trace) else None
        self.retry_after = retry_after

    def __str__(self) -> str:
        parts = [f"{self.provider}: {super().__str__()}"]
        if self.code is not None:
            parts.append(f"code {self.code}")
        if self.trace:
            parts.append(f"trace {self.trace}")
        return ", ".join(parts)


class NotConfigured(ProviderError):
    reason = "misconfigured"


class AuthRejected(ProviderError):
    reason = "misconfigured"


class QuotaExhausted(ProviderError):
    reason = "quota_exhausted"


class RateLimited(ProviderError):
    reason = "rate_limited"


class OutOfTurn(ProviderError):
    """The time passed in this site's own line, or while the account was held back."""

    reason = "rate_limited"


class Busy(ProviderError):
    reason = "busy"


class ContentBlocked(ProviderError):
    reason = "blocked"


class BadQuestion(ProviderError):
    reason = "bad_input"


class NeedsAction(ProviderError):
    reason = "needs_action"


class EmptyAnswer(ProviderError):
    reason = "empty"


class TimedOut(ProviderError):
    reason = "timeout"


class Unavailable(ProviderError):
    reason = "unavailable"


class Unexpected(ProviderError):
    reason = "unexpected"
