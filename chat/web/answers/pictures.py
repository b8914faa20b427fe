"""Pictures of answers and agents, passed on from the platforms under signed addresses."""

from flask import Blueprint, Response, request

from chat.web import services
from chat.web.gate.visitors import address

bp = Blueprint("pictures", __name__)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'",
    "Content-Disposition": "inline",
    # Its address is the same all day.
    "Cache-Control": "private, max-age=86400",
}


@bp.get("/pictures/<signature>")
def show(signature: str) -> Response:
    """The picture at `?url=`, for anybody with the signed address."""
    picture = services().pictures.fetch(signature, request.args.get("url", ""), address())
    response = Response(
        picture.pieces(),
        mimetype=picture.content_type,
        headers=HEADERS,
        direct_passthrough=True,
    )
    response.content_length = picture.size
    return response
