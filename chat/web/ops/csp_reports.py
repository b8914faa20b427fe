"""What browsers report about content that the page's policy has blocked, for the log."""

import json
import logging
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import HTTPException

from chat.web import services
from chat.web.gate.visitors import address

bp = Blueprint("csp_reports", __name__)
log = logging.getLogger("chat.csp")

# A browser may send several reports at once, each with a whole policy in it.
LARGEST_BODY = 32 * 1024
# Of the reports in one body so many are written down.
MOST_AT_ONCE = 3
DIRECTIVE = re.compile("[a-z-]{1,40}")
HOST = re.compile(r"[a-z0-9.\-]{1,100}")
WITH_HOST = {"http", "https", "ws", "wss"}
UNKNOWN = "?"


@bp.post("/csp-report")
def take() -> Response:
    """Writes down what was blocked where, a few a minute; the rest is neither read nor refused."""
    length = request.content_length
    if length and length <= LARGEST_BODY and services().reports.may_send(address()):
        for report in list(_reports(request.get_data(cache=False)))[:MOST_AT_ONCE]:
            log.warning("the page's policy has blocked %s", _describe(report))
    return Response(status=204)


def _reports(body: bytes) -> Iterator[dict[str, Any]]:
    """The reports in a body, of either kind: `report-uri` sends one, `report-to` a list."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return
    for item in payload if isinstance(payload, list) else [payload]:
        report = item.get("body", item.get("csp-report")) if isinstance(item, dict) else None
        if isinstance(report, dict):
            yield report


def _describe(report: dict[str, Any]) -> str:
    """What the report says without a word of anybody: kind, origin of what was blocked, route."""
    directive = _field(report, "effectiveDirective", "effective-directive", "violated-directive")
    blocked = _field(report, "blockedURL", "blocked-uri")
    document = _field(report, "documentURL", "document-uri")
    match = DIRECTIVE.match(directive)
    return f"{match[0] if match else UNKNOWN}: {_origin(blocked)} on {_route(document)}"


def _field(report: dict[str, Any], *names: str) -> str:
    """The first of these fields that is a text."""
    texts = (report.get(name) for name in names)
    return next((text for text in texts if isinstance(text, str)), "")


def _origin(url: str) -> str:
    """The origin of what was blocked, or a word for it such as `inline` or `eval`."""
    if DIRECTIVE.fullmatch(url):
        return url
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return UNKNOWN
    if parts.scheme not in WITH_HOST:
        return parts.scheme[:40] or UNKNOWN
    if not HOST.fullmatch(host):
        return f"{parts.scheme}://{UNKNOWN}"
    return f"{parts.scheme}://{host}:{port}" if port else f"{parts.scheme}://{host}"


def _route(url: str) -> str:
    """The page by its route, such as /c/<conversation_id>, without the ids in its address."""
    try:
        path = urlsplit(url).path
        rule, _ = current_app.url_map.bind("").match(path, return_rule=True)
    except (ValueError, HTTPException):
        return UNKNOWN
    return rule.rule
