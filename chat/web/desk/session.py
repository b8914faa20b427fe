"""The lock of the desk: who is signed in as the owner, by a cookie that only the desk gets."""

from typing import cast
from urllib.parse import quote

from flask import Flask, Response, g, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response as AnyResponse

from chat.owner.sessions import OwnerSession
from chat.refusals import Refusal
from chat.storage.owner.sessions import LIFE
from chat.web import errors, services
from chat.web.gate.admission import LARGEST_JSON
from chat.web.gate.security import SAFE
from chat.web.gate.typed_text import UNTYPABLE

COOKIE = "owner"
PATH = "/admin"
# The ways in: these ask for a password or a key themselves.
OPEN = {
    "desk.signing_in.sign_in",
    "desk.signing_in.enter",
    "desk.signing_in.welcome",
    "desk.signing_in.choose",
}
SIGN_IN = _("Please sign in to the desk first.")


def init_app(app: Flask) -> None:
    """Sends the cookie to a browser in which the owner signed in, and takes it from others."""
    app.after_request(_send_cookie)


def require_owner() -> AnyResponse | None:
    """Before every page of the desk: leads a stranger to the form, answers a program with 401.

    Who sends a form after the session has ended is told how to send it again: the browser has what
    was typed, and the files too.
    """
    if request.endpoint in OPEN or current() is not None:
        return None
    errors.count_refusal("sign_in")
    if not errors.wants_html():
        return errors.error_response("sign_in", text=str(SIGN_IN))
    if request.method not in SAFE and request.endpoint != "desk.signing_in.leave":
        return Response(render_template("desk/signed_out.html"), 401)
    return redirect(f"{url_for('desk.signing_in.sign_in')}?next={quote(_place(), safe='')}", 303)


def refuse_control_characters() -> None:
    """Before every change: nobody types a NUL, and PostgreSQL stores none.

    Raises Refusal bad_input.
    """
    # For the longest list of words; what is read at all is decided in gate/admission.py.
    request.max_form_memory_size = LARGEST_JSON
    if any(map(UNTYPABLE.search, request.form.values())):
        raise Refusal("bad_input", "control characters")


def current() -> OwnerSession | None:
    """The owner's session of the request at hand; None for everybody else."""
    if "owner_session" not in g:
        g.owner_session = services().owner_sessions.find(request.cookies.get(_name()))
    return cast(OwnerSession | None, g.owner_session)


def begin() -> None:
    """Signs the owner in, in this browser, from this response on."""
    g.owner_cookie, g.owner_session = services().owner_sessions.begin()


def leave() -> None:
    """Takes the cookie from this browser."""
    g.owner_cookie, g.owner_session = "", None


def _place() -> str:
    """The page after signing in."""
    return request.full_path.removesuffix("?") if request.method in SAFE else PATH


def _name() -> str:
    # Its path is not the whole site, so that the stricter prefix __Host- is not for it.
    return f"__Secure-{COOKIE}" if request.is_secure else COOKIE


def _send_cookie(response: Response) -> Response:
    token = g.get("owner_cookie")
    if token:
        response.set_cookie(
            _name(),
            token,
            max_age=int(LIFE.total_seconds()),
            path=PATH,
            httponly=True,
            samesite="Strict",
            secure=request.is_secure,
        )
    elif token == "":
        response.delete_cookie(
            _name(), path=PATH, httponly=True, samesite="Strict", secure=request.is_secure
        )
    return response
