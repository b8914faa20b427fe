"""Files that come with a question: sent here first, fetched from here by platforms that take addresses."""

from functools import partial

from flask import Blueprint, Response, jsonify, request
from werkzeug.datastructures import FileStorage

from chat.agents.offered import Agent
from chat.refusals import Refusal
from chat.web import permissions, services
from chat.web.export import safe_filename
from chat.web.visitors import address, visitor

bp = Blueprint("files", __name__)
NOTHING = "sandbox; default-src 'none'"


@bp.post("/files")
def upload() -> Response:
    """Takes one file, the part `file`, for the agent `agent`: {"id", "name", "content_type", "size"}."""
    sent = request.files.getlist("file")
    if len(sent) != 1:
        raise Refusal("bad_input", f"{len(sent)} files")
    response = jsonify(keep(permissions.choose_agent(request.form.get("agent") or None), sent[0]))
    response.status_code = 201
    return response


@bp.get("/files/<key>")
def fetch(key: str) -> Response:
    """A file, for the platform it was sent to; the key is known to nobody else."""
    file = services().uploads.fetch(key)
    # Not mimetype=, which would call a text UTF-8; never shown as a page of ours.
    response = Response(file.data, content_type=file.content_type)
    stem, _, ending = file.name.rpartition(".")
    response.headers.set(
        "Content-Disposition", "attachment", filename=safe_filename(stem, ending.lower())
    )
    response.headers["Content-Security-Policy"] = NOTHING
    response.headers["Cache-Control"] = "private, no-store"
    return response


def keep(agent: Agent, sent: FileStorage) -> dict[str, object]:
    """Stores a file of the request at hand for the visitor. Raises Refusal as Uploads.keep."""
    data = sent.stream.read(services().uploads.most_bytes + 1)
    count = partial(services().limits.count_file, visitor(), address())
    return services().uploads.keep(visitor(), sent.filename or "", data, agent, count)
