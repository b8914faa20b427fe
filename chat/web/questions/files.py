"""Files of questions: uploaded by visitors, fetched by platforms that take addresses."""

from functools import partial

from flask import Blueprint, Response, jsonify, request
from werkzeug.datastructures import FileStorage

from chat.agents.offered import Agent
from chat.refusals import Refusal
from chat.web import services
from chat.web.conversations.export import safe_filename
from chat.web.gate import permissions
from chat.web.gate.visitors import address, visitor

bp = Blueprint("files", __name__)
NO_RIGHTS = "sandbox; default-src 'none'"


@bp.post("/files")
def upload() -> Response:
    """Takes one file, the part `file`, for the agent `agent`: {"id", "name", "content_type",
    "size"}.
    """
    files = request.files.getlist("file")
    if len(files) != 1:
        raise Refusal("bad_input", f"{len(files)} files")
    agent = permissions.choose_agent(request.form.get("agent") or None)
    response = jsonify(keep(agent, files[0]))
    response.status_code = 201
    return response


@bp.get("/files/<key>")
def fetch(key: str) -> Response:
    """A file, for the platform that has its key."""
    file = services().uploads.fetch(key)
    # content_type= and not mimetype=, which would add charset=utf-8 to a text in GBK. An
    # attachment, so that no browser opens it as a page of this site.
    response = Response(file.data, content_type=file.content_type)
    stem, _, ending = file.name.rpartition(".")
    response.headers.set(
        "Content-Disposition", "attachment", filename=safe_filename(stem, ending.lower())
    )
    response.headers["Content-Security-Policy"] = NO_RIGHTS
    response.headers["Cache-Control"] = "private, no-store"
    return response


def keep(agent: Agent, file: FileStorage) -> dict[str, object]:
    """Stores a file of the request for the visitor. Raises Refusal as Uploads.keep."""
    data = file.stream.read(services().uploads.most_bytes + 1)
    count = partial(services().limits.count_file, visitor(), address())
    return services().uploads.keep(visitor(), file.filename or "", data, agent, count)
