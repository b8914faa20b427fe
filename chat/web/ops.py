"""Alive, and able to serve."""

from flask import Blueprint, Response, jsonify
from sqlalchemy.exc import SQLAlchemyError

from chat import doctor
from chat.web import services

bp = Blueprint("ops", __name__)


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
