"""Coze's Open API (platforms/coze.md), put together: what endpoints share, and unknown paths."""

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from emulator.coze import bots, chat, conversations, files, oauth
from emulator.coze.format import HELP, Refused, error_body, logid, refusal

bp = Blueprint("coze", __name__)
for part in (chat, conversations, files, bots, oauth):
    bp.register_blueprint(part.bp)

bp.register_error_handler(Refused, refusal)


@bp.after_request
def add_log_id(response: Response) -> Response:
    response.headers["X-Tt-Logid"] = logid()
    return response


def unknown_endpoint() -> ResponseReturnValue:
    """For a path or method Coze does not have."""
    text = (
        f"The requested API endpoint {request.method} {request.path} does not exist. "
        f"Please verify the URL and try again. {HELP}/api_overview"
    )
    return jsonify(error_body(4000, text)), 404, {"X-Tt-Logid": logid()}
