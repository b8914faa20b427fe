"""The emulator's own paths under /_emulator, and the hooks that write its journal."""

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
def show_journal() -> Response:
    return jsonify(here().journal.as_json(request.args.get("since", 0, int)))


@bp.delete("/journal")
def clear_journal() -> ResponseReturnValue:
    here().journal.clear()
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
    """Where !redirect leads; who follows a platform to another host might hand it the owner's credentials."""
    carried = "with" if "Authorization" in request.headers else "without"
    violation("redirect_followed", f"{request.method} to another host, {carried} credentials")
    return jsonify(error="this is another host"), 418


_picture = cache(png)


def watch(app: Flask, platform_of: Callable[[str], str]) -> None:
    """Lets the journal of an app record every request but those to the emulator's own paths."""

    def open_entry() -> None:
        query = request.args.to_dict()
        platform = (request.blueprint or platform_of(request.path)).split(".")[0]
        g.journal_entry = here().journal.open(
            request.method, request.path, query, platform, _body()
        )

    def close_entry(response: Response) -> Response:
        g.journal_entry.status = response.status_code
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
