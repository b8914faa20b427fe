"""Who is asking: read from a key, from the cookies, or given one with the answer."""

from dataclasses import replace
from typing import cast

from flask import Flask, Response, g, request
from werkzeug.wrappers import Response as AnyResponse

from chat.refusals import SignInNeeded
from chat.storage.models import now
from chat.visitors.access import COOKIE, COOKIE_AGE_S, Asker
from chat.visitors.addresses import address_of
from chat.visitors.sessions import Session
from chat.web import services

SESSION = "session"


def visitor() -> str:
    """The visitor of the request at hand. A newcomer gets an id, and the cookie with the answer."""
    return asker().visitor


def asker() -> Asker:
    """Who makes the request at hand. Raises SignInNeeded for a wrong API key, GuessRefusal."""
    if "asker" not in g:
        g.asker = _by_key() or _by_cookies()
    return cast(Asker, g.asker)


def former() -> Session | str | None:
    """Who this browser was so far: its session, or the visitor of a cookie that is ours."""
    return asker().session or services().visitors.read(request.cookies.get(COOKIE))


def address() -> str:
    """Where the request at hand comes from, past the owner's proxies; "" when that is not known."""
    return address_of(request.remote_addr)


def become(other: str) -> None:
    """From this answer on the browser is another visitor."""
    mine = asker()
    if mine.session:
        services().access.sessions.move(mine.session, other)
    g.asker, g.is_newcomer = replace(mine, visitor=other), True


def enter(token: str, session: Session) -> None:
    """From this answer on the browser is signed in."""
    g.asker, g.is_newcomer = Asker(session.visitor, session.code, session), True
    g.session_cookie = token


def leave() -> None:
    """From this answer on the browser is a newcomer's."""
    g.asker, g.is_newcomer = Asker(services().visitors.new()), True
    g.session_cookie = ""


def emptied(response: AnyResponse) -> AnyResponse:
    """The same; the browser drops what was typed and not sent. Language and theme, as cookies, stay."""
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def turn_away() -> None:
    """Whoever is not let in gets no cookie for it."""
    g.is_newcomer = False


def init_app(app: Flask) -> None:
    """Sends the cookies to whoever has just become a visitor, has signed in or out."""

    @app.after_request
    def greet(response: Response) -> Response:
        if g.get("is_newcomer"):
            cookie = services().visitors.cookie(g.asker.visitor)
            response.set_cookie(
                COOKIE,
                cookie,
                max_age=COOKIE_AGE_S,
                httponly=True,
                samesite="Lax",
                secure=request.is_secure,
            )
        if token := g.get("session_cookie"):
            life = int((g.asker.session.expires_at - now()).total_seconds())
            response.set_cookie(
                SESSION,
                token,
                max_age=life,
                httponly=True,
                samesite="Lax",
                secure=request.is_secure,
            )
        elif token == "":
            response.delete_cookie(SESSION, httponly=True, samesite="Lax", secure=request.is_secure)
        return response


def _by_key() -> Asker | None:
    """The program whose key came with the request. Without API keys nobody reads what else is sent there."""
    access, given = services().access, request.authorization
    if not access.keys.all or given is None or given.type != "bearer":
        return None
    program = access.program(given.token or "", address())
    if program is None:
        raise SignInNeeded("a wrong API key", is_wrong=True)
    return program


def _by_cookies() -> Asker:
    site, cookies = services(), request.cookies
    session = site.access.sessions.find(cookies.get(SESSION)) if site.access.is_closed else None
    known = site.visitors.read(cookies.get(COOKIE))
    if session:
        g.is_newcomer = known != session.visitor
        return Asker(session.visitor, session.code, session)
    g.is_newcomer = known is None
    return Asker(known or site.visitors.new())
