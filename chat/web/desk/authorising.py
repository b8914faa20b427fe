"""The owner, signed in at the desk, authorises this site at Coze."""

from flask import Blueprint, request
from werkzeug.wrappers import Response as AnyResponse

from chat.web.ops.oauth import send_to_coze

bp = Blueprint("authorising", __name__)


@bp.get("/oauth/coze")
def start() -> AnyResponse:
    """Sends the owner to Coze. `?agent=` chooses among several agents with web apps."""
    return send_to_coze(request.args.get("agent"))
