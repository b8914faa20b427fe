"""Alive, able to serve, and what may be asked of it."""

from flask import Blueprint, Flask, Response, current_app, jsonify, request
from sqlalchemy.exc import SQLAlchemyError

from chat import doctor
from chat.web import services

bp = Blueprint("ops", __name__)
HOUR_S = 3600


def init_app(app: Flask, interface: bytes) -> None:
    """`interface` is docs/openapi.yaml as it is sent."""
    app.config["INTERFACE"] = interface


@bp.get("/healthz")
def healthz() -> Response:
    """The process answers."""
    return jsonify({"status": "ok"})


@bp.get("/readyz")
def readyz() -> Response:
    """The process can serve: its database answers, and the disk has room. It serves without Redis too."""
    problems = {one.about: one.id for one in doctor.local(services().settings)}
    try:
        services().storage.ping()
    except SQLAlchemyError:
        problems["database"] = "does not answer"
    beside = {"redis": "redis_away"} if services().runs.is_cut_off else {}
    response = jsonify({"status": "unavailable" if problems else "ok", **problems, **beside})
    response.status_code = 503 if problems else 200
    return response


@bp.get("/openapi.yaml")
def openapi() -> Response:
    """This HTTP interface as OpenAPI, for programs."""
    response = Response(current_app.config["INTERFACE"], mimetype="application/yaml")
    response.headers["Cache-Control"] = f"public, max-age={HOUR_S}"
    response.add_etag()
    response.make_conditional(request)
    return response
