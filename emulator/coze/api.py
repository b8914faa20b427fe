"""Coze's Open API (platforms/coze.md), put together: what its endpoints share, and what there is not."""

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from emulator.coze import (
    bots as coze_bots,
)
from emulator.coze import (
    chat as coze_chat,
)
from emulator.coze import (
    conversations as coze_conversations,
)
from emulator.coze import (
    files as coze_files,
)
from emulator.coze import (
    oauth as coze_oauth,
)
from emulator.coze.format import HELP, Refused, error_body, logid, refusal

bp = Blueprint("coze", __name__)
for part in (coze_chat, coze_conversations, coze_files, coze_bots, coze_oauth):
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
