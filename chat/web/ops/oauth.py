"""The owner authorises this site at Coze once; the tokens are stored sealed."""

import hashlib
import secrets
from typing import cast

from flask import Blueprint, Response, render_template, request, url_for
from flask_babel import gettext as _
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.utils import redirect
from werkzeug.wrappers import Response as AnyResponse

from chat.agents.offered import Agent
from chat.refusals import Refusal
from chat.web import errors, services
from chat.web.gate.visitors import address
from providers.coze.auth import WebApp

bp = Blueprint("oauth", __name__, url_prefix="/oauth/coze")
COOKIE = "oauth"
STATE_LIFE_S = 600
PASSWORD = 'Basic realm="owner", charset="UTF-8"'


@bp.get("/start")
def start() -> AnyResponse:
    """Leads a browser to the desk, where the owner signs in; a program brings the password.

    `?agent=` chooses among several agents with web apps.
    """
    agent_id = request.args.get("agent")
    if request.authorization is None and errors.wants_html():
        return redirect(url_for("desk.authorising.start", agent=agent_id), 303)
    if not _is_owner():
        return errors.unauthorized(PASSWORD)
    return send_to_coze(agent_id)


def send_to_coze(agent_id: str | None) -> AnyResponse:
    """Sends the owner to Coze, with what proves that it was the owner who began."""
    agent, app = _web_app(agent_id)
    nonce = secrets.token_urlsafe(16)
    response = redirect(app.address(_callback(), _state().dumps([agent.id, _digest(nonce)])), 302)
    # Ties the state to this browser: a link from a stranger cannot end in the stranger's grant.
    # Not Strict: the owner comes back by a link on Coze's page.
    response.set_cookie(
        COOKIE,
        nonce,
        max_age=STATE_LIFE_S,
        path="/oauth/coze",
        httponly=True,
        samesite="Lax",
        secure=request.is_secure,
    )
    return response


@bp.get("/callback")
def callback() -> AnyResponse:
    """Takes the owner back from Coze, with a code for one use and the state signed at the start.

    The desk's cookie does not come along from another site. That it is the owner, state and cookie
    prove: only who began has both, and only the owner could begin.
    """
    try:
        agent_id, digest = _state().loads(request.args.get("state", ""), max_age=STATE_LIFE_S)
    except (BadSignature, ValueError, TypeError):
        raise Refusal("bad_input", "a state with a wrong signature, or too old") from None
    if not secrets.compare_digest(str(digest), _digest(request.cookies.get(COOKIE, ""))):
        raise Refusal("cross_site", "a state of another browser")
    code = request.args.get("code")
    if not code:
        raise Refusal("bad_input", f"no code: {request.args.get('error', '')[:80]}")
    agent, app = _web_app(agent_id)
    app.redeem(code, _callback())
    services().storage.owner_log.add("oauth", agent=agent.id)
    sentence = _("%(agent)s is authorised. You can close this page.", agent=agent.name)
    response = Response(render_template("error.html", status=200, sentence=sentence))
    response.delete_cookie(COOKIE, path="/oauth/coze")
    return response


def _web_app(agent_id: str | None) -> tuple[Agent, WebApp]:
    for agent in services().agents.all:
        app = getattr(agent.provider, "web_app", None)
        if app is not None and agent_id in (None, agent.id):
            return agent, cast(WebApp, app)
    raise Refusal("not_found", "no agent with a web app")


def _callback() -> str:
    base = services().settings.public_url or f"{request.scheme}://{request.host}"
    return f"{base}/oauth/coze/callback"


def _state() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(services().secret_key, salt="oauth-state")


def _digest(nonce: str) -> str:
    """What a state says of the cookie that belongs to it: states stand in others' logs."""
    return hashlib.sha256(nonce.encode()).hexdigest()


def _is_owner() -> bool:
    """Whether the request has the owner's password, and as its name a one-time code if need be."""
    owner = services().owner
    if not owner.may_exist:
        raise Refusal("not_found", "no ADMIN_PASSWORD")
    authorization = request.authorization
    if authorization is None or authorization.type != "basic":
        return False
    return owner.knows(authorization.password, address(), authorization.username or "")
