"""The cookies that say who a browser is: behind TLS under names that only this host can set."""

from flask import request
from werkzeug.wrappers import Response

# Browsers take such a cookie from this very host over TLS alone: no page of a neighbouring host
# and nobody on a plain connection can plant one.
PREFIX = "__Host-"


def read(name: str) -> str | None:
    """The value of a cookie. Behind TLS that under the name with the prefix wins."""
    plain = request.cookies.get(name)
    return request.cookies.get(PREFIX + name, plain) if request.is_secure else plain


def is_outdated(name: str) -> bool:
    """Whether the browser has a cookie only as earlier releases set it: it is good this once."""
    return request.is_secure and name in request.cookies and PREFIX + name not in request.cookies


def send(response: Response, name: str, value: str, max_age: int) -> None:
    """Sets a cookie for so many seconds. One that an earlier release set behind TLS goes."""
    response.set_cookie(
        _name(name),
        value,
        max_age=max_age,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure,
    )
    if is_outdated(name):
        response.delete_cookie(name, httponly=True, samesite="Lax", secure=True)


def delete(response: Response, name: str) -> None:
    """Takes a cookie from the browser, under both names behind TLS."""
    for each in dict.fromkeys((_name(name), name)):
        response.delete_cookie(each, httponly=True, samesite="Lax", secure=request.is_secure)


def _name(name: str) -> str:
    return PREFIX + name if request.is_secure else name
