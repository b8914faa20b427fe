"""The emulator's own paths under /_emulator, and the hooks that write its request log."""

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from typing import Any

from flask import Blueprint, Flask, Response, g, jsonify, request
from flask.typing import ResponseReturnValue

from emulator.picture import png
from emulator.state import here, violation

OWN = "/_emulator"

bp = Blueprint("emulator", __name__, url_prefix=OWN)


@bp.get("/journal")
def show_requests() -> Response:
    return jsonify(here().request_log.as_json(request.args.get("since", 0, int)))


@bp.delete("/journal")
def clear_requests() -> ResponseReturnValue:
    here().request_log.clear()
    return "", 204


@bp.get("/settings")
def show_settings() -> Response:
    return jsonify(asdict(here().settings))


@bp.post("/settings")
def change_settings() -> ResponseReturnValue:
    try:
        here().settings.change(request.get_json())
    except ValueError as error:
        return jsonify(error=str(error)), 400
    return show_settings()


@bp.delete("/settings")
def restore_settings() -> ResponseReturnValue:
    here().restore_settings()
    return "", 204


@bp.delete("/state")
def forget() -> ResponseReturnValue:
    here().forget()
    return "", 204


@bp.get("/picture.png")
def picture() -> Response:
    """What !image links to."""
    return Response(_picture(), mimetype="image/png")


@bp.route("/elsewhere", methods=["GET", "POST"])
def elsewhere() -> ResponseReturnValue:
    """Where !redirect leads: a client that follows might hand its credentials to another host."""
    credentials = "with" if "Authorization" in request.headers else "without"
    violation("redirect_followed", f"{request.method} to another host, {credentials} credentials")
    return jsonify(error="this is another host"), 418


_picture = cache(png)


def watch(app: Flask, platform_of: Callable[[str], str]) -> None:
    """Logs every request to an app but those to the emulator's own paths."""

    def open_entry() -> None:
        query = request.args.to_dict()
        platform = (request.blueprint or platform_of(request.path)).split(".")[0]
        g.log_entry = here().request_log.open(
            request.method, request.path, query, platform, _body()
        )

    def close_entry(response: Response) -> Response:
        g.log_entry.status = response.status_code
        return response

    def is_watched() -> bool:
        return not request.path.startswith(OWN) or request.path.endswith("/elsewhere")

    app.before_request(lambda: open_entry() if is_watched() else None)
    app.after_request(lambda response: close_entry(response) if is_watched() else response)


def _body() -> Any:
    if request.mimetype == "multipart/form-data":
        return None
    try:
        return json.loads(request.get_data())
    except ValueError:
        return None
