"""Alive, able to serve, and the static files."""

from pathlib import Path

from flask import Blueprint, Response, jsonify, send_from_directory
from sqlalchemy.exc import SQLAlchemyError

from chat import doctor
from chat.web import services

bp = Blueprint("ops", __name__)
STATIC = Path(__file__).resolve().parent.parent.parent / "static"
YEAR_S = 365 * 24 * 3600


@bp.get("/healthz")
def healthz() -> Response:
    """The process answers."""
    return jsonify({"status": "ok"})


@bp.get("/readyz")
def readyz() -> Response:
    """The process can serve: its database answers too, and the disk has room."""
    problems = {one.about: one.id for one in doctor.local(services().settings)}
    try:
        services().storage.ping()
    except SQLAlchemyError:
        problems["database"] = "does not answer"
    response = jsonify({"status": "unavailable" if problems else "ok", **problems})
    response.status_code = 503 if problems else 200
    return response


@bp.get("/static/<version>/<path:name>")
def static_file(version: str, name: str) -> Response:
    """A file of the page. A new version has a new address; a tab from before it may use the old one."""
    response = send_from_directory(STATIC, name, max_age=YEAR_S)
    response.headers["Cache-Control"] = f"public, max-age={YEAR_S}, immutable"
    return response
