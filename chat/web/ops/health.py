"""The state of the process: alive, able to serve, its numbers and its interface."""

from flask import Blueprint, Flask, Response, current_app, jsonify, request

from chat.owner.doctor import examination as doctor
from chat.refusals import Refusal
from chat.storage.engine.kinds import StorageError
from chat.web import errors, services
from chat.web.gate import security
from chat.web.gate.visitors import address
from chat.web.ops import scraping

bp = Blueprint("ops", __name__)
HOUR_S = 3600


def init_app(app: Flask, interface: bytes) -> None:
    """Counts every response. `interface` is docs/openapi.yaml as it is sent."""
    app.config["INTERFACE"] = interface
    scraping.register_gauges(app.extensions["chat"])

    @app.after_request
    def count(response: Response) -> Response:
        services().metrics.count_request(request.blueprint or "none", response.status_code)
        return response


@bp.get("/healthz")
def healthz() -> Response:
    """The process answers."""
    return jsonify({"status": "ok"})


@bp.get("/readyz")
def readyz() -> Response:
    """The process can serve: its database answers, and the disk has room.

    Redis is not necessary.
    """
    findings = doctor.local(services().settings)
    problems = {finding.about: finding.id for finding in findings}
    try:
        services().storage.ping()
    except StorageError:
        problems["database"] = "does not answer"
    warnings = {"redis": "redis_away"} if services().live_answers.is_cut_off else {}
    status = "unavailable" if problems else "ok"
    response = jsonify({"status": status, **problems, **warnings})
    response.status_code = 503 if problems else 200
    return response


@bp.get("/metrics")
def metrics() -> Response:
    """The numbers of this process for Prometheus, for this machine or with METRICS_TOKEN."""
    if not security.is_from_this_machine() and not _has_token():
        return errors.unauthorized('Bearer realm="metrics"')
    response = Response(scraping.exposition(services()), content_type=scraping.CONTENT_TYPE)
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.get("/openapi.yaml")
def openapi() -> Response:
    """This HTTP interface as OpenAPI, for programs."""
    response = Response(current_app.config["INTERFACE"], mimetype="application/yaml")
    response.headers["Cache-Control"] = f"public, max-age={HOUR_S}"
    response.add_etag()
    response.make_conditional(request)
    return response


def _has_token() -> bool:
    readers, authorization = services().readers, request.authorization
    if not readers.may_exist:
        raise Refusal("not_found", "numbers, from elsewhere and without METRICS_TOKEN")
    if authorization is None or authorization.type != "bearer":
        return False
    return readers.knows(authorization.token, address())
