"""Who is asking: read from the cookie, or given one with the answer."""

from typing import cast

from flask import Flask, Response, g, request

from chat.access import COOKIE, COOKIE_AGE_S
from chat.visitor_limits import whereabouts
from chat.web import services


def visitor() -> str:
    """The visitor of the request at hand. A newcomer gets an id, and the cookie with the answer."""
    if "visitor" not in g:
        visitors = services().visitors
        known = visitors.read(request.cookies.get(COOKIE))
        g.visitor = known or visitors.new()
        g.is_newcomer = known is None
    return cast(str, g.visitor)


def address() -> str:
    """Where the request at hand comes from, past the owner's proxies; "" when that is not known."""
    return whereabouts(request.remote_addr)


def become(other: str) -> None:
    """From this answer on the browser is another visitor."""
    g.visitor, g.is_newcomer = other, True


def init_app(app: Flask) -> None:
    """Sends the cookie to whoever has just become a visitor."""

    @app.after_request
    def greet(response: Response) -> Response:
        if g.get("is_newcomer"):
            cookie = services().visitors.cookie(g.visitor)
            response.set_cookie(
                COOKIE, cookie, max_age=COOKIE_AGE_S, httponly=True, samesite="Lax", secure=request.is_secure
            )
        return response
