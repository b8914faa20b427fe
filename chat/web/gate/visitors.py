"""The visitor of a request: by an API key, by the cookies, or a newcomer who gets a cookie."""

from dataclasses import replace
from typing import cast

from flask import Flask, Response, g, request
from werkzeug.wrappers import Response as AnyResponse

from chat.refusals import SignInNeeded
from chat.storage.models import now
from chat.visitors import browsers
from chat.visitors.access import COOKIE, COOKIE_AGE_S, Asker
from chat.visitors.addresses import address_of
from chat.visitors.guessing import Origin
from chat.visitors.sessions import Session
from chat.web import services
from chat.web.gate import cookies

SESSION = "session"


def visitor() -> str:
    """The visitor of the request at hand. A newcomer gets an id, and the cookie with the answer."""
    return asker().visitor


def asker() -> Asker:
    """Who makes the request at hand. Raises SignInNeeded for a wrong API key, GuessRefusal."""
    if "asker" not in g:
        g.asker = _by_key() or _by_cookies()
    return cast(Asker, g.asker)


def returning_visitor() -> str | None:
    """The visitor of an API key or a valid cookie; None for a newcomer, who is one more each time.

    No cookie is sent for it.
    """
    if "asker" in g and g.asker.is_program:
        return cast(Asker, g.asker).visitor
    return services().visitors.read(cookies.read(COOKIE))


def former() -> Session | str | None:
    """The browser's identity so far: its session, or the visitor of a valid cookie."""
    return asker().session or services().visitors.read(cookies.read(COOKIE))


def address() -> str:
    """The place a request comes from, before the owner's proxies; "" when unknown."""
    return address_of(request.remote_addr)


def origin(puzzle: str = "", nonce: str = "") -> Origin:
    """Where a try to sign in comes from; a solved puzzle is used up."""
    return services().access.origin(address(), cookies.read(browsers.COOKIE), puzzle, nonce)


def become(visitor: str) -> None:
    """Makes the browser another visitor, from this response on."""
    former_asker = asker()
    if former_asker.session:
        services().access.sessions.move(former_asker.session, visitor)
    g.asker, g.is_newcomer = replace(former_asker, visitor=visitor), True


def enter(token: str, session: Session) -> None:
    """Signs the browser in, from this response on."""
    g.asker, g.is_newcomer = Asker(session.visitor, session.code, session), True
    g.session_cookie = token


def leave() -> None:
    """Makes the browser a newcomer's, from this response on."""
    g.asker, g.is_newcomer = Asker(services().visitors.new()), True
    g.session_cookie = ""


def clear_site_data(response: AnyResponse) -> AnyResponse:
    """The response that makes the browser drop unsent drafts.

    Language and theme are cookies and stay.
    """
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def turn_away() -> None:
    """Withholds the cookie from a newcomer who is refused."""
    g.is_newcomer = False


def init_app(app: Flask) -> None:
    """Sends cookies to a browser that became another visitor, signed in or signed out."""

    @app.after_request
    def greet(response: Response) -> Response:
        if g.get("is_newcomer"):
            value = services().visitors.cookie(g.asker.visitor)
            cookies.send(response, COOKIE, value, COOKIE_AGE_S)
        token = g.get("session_cookie")
        if token:
            life = g.asker.session.expires_at - now()
            cookies.send(response, SESSION, token, int(life.total_seconds()))
        elif token == "":
            cookies.delete(response, SESSION)
        _make_known(response)
        return response


def _make_known(response: Response) -> None:
    """Marks a browser that has signed in, so that strangers' wrong tries shut it out no more."""
    session = g.asker.session if "asker" in g else None
    if session is None or not (g.get("session_cookie") or cookies.read(browsers.COOKIE) is None):
        return
    marks = services().access.browsers
    browser = marks.read(cookies.read(browsers.COOKIE))
    mark = marks.cookie(browser, session.code)
    cookies.send(response, browsers.COOKIE, mark, browsers.COOKIE_AGE_S)


def _by_key() -> Asker | None:
    """The program with the API key of the request; None without one, or if the site has none."""
    access, authorization = services().access, request.authorization
    if not access.keys.all or authorization is None or authorization.type != "bearer":
        return None
    program = access.find_program(authorization.token or "", address())
    if program is None:
        raise SignInNeeded("a wrong API key", is_wrong=True)
    return program


def _by_cookies() -> Asker:
    site, token = services(), cookies.read(SESSION)
    session = site.access.sessions.find(token) if site.access.is_closed else None
    visitor = site.visitors.read(cookies.read(COOKIE))
    is_outdated = cookies.is_outdated(COOKIE)
    if session:
        g.is_newcomer = visitor != session.visitor or is_outdated
        if cookies.is_outdated(SESSION):
            g.session_cookie = token
        return Asker(session.visitor, session.code, session)
    g.is_newcomer = visitor is None or is_outdated
    return Asker(visitor or site.visitors.new())
