"""A number for each request, by which the owner finds in the log what a visitor saw."""

import secrets
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

HEADER = "X-Request-Id"
LENGTH = 8
# Without letters and digits that look alike: people read it out.
ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"

_current: ContextVar[str | None] = ContextVar("request_id", default=None)


def current() -> str | None:
    """The number of the request that is being answered here; None outside of any."""
    return _current.get()


def work_for(number: str | None) -> None:
    """What this thread does from now on is done for the request of this number."""
    _current.set(number)


def numbered(app: Any) -> Any:
    """The same WSGI app, each of its requests with a number of its own.

    What a client calls its request is not looked at: it could be anything.
    """

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        number = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        work_for(number)

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [*headers, (HEADER, number)], *more)

        return app(environ, start)

    return answer
