"""Pictures of answers and of agents, handed on from the platform under addresses that only we can make."""

from flask import Blueprint, Response, request
from werkzeug.wsgi import FileWrapper

from chat.web import services

bp = Blueprint("pictures", __name__)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'",
    "Content-Disposition": "inline",
    "Cache-Control": "private, max-age=86400",
}


@bp.get("/pictures/<signature>")
def show(signature: str) -> Response:
    """The picture at `?url=`, for whoever has the address: it cannot be guessed."""
    picture = services().pictures.fetch(signature, request.args.get("url", ""))
    response = Response(
        FileWrapper(picture.file),  # not the server's own: that reads past what Python has buffered
        mimetype=picture.content_type,
        headers=HEADERS,
        direct_passthrough=True,
    )
    response.content_length = picture.size
    return response
