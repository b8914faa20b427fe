"""The doctor's findings, each with its cure; looking costs nothing unless the agents are asked."""

from collections.abc import Mapping

from flask import Blueprint, Response, jsonify, request
from werkzeug.wrappers import Response as AnyResponse

from chat.web import errors, services
from chat.web.desk import frame, labels
from chat.web.frame.language import language

bp = Blueprint("doctor", __name__)

# A look that is over so soon is shown at once; a slow platform holds nobody up.
PATIENCE_S = 3.0


@bp.get("/doctor")
def show() -> Response:
    """The latest report, as a page or by `Accept` as JSON."""
    report = services().checkup.report(language())
    if not errors.wants_html():
        at = report.at.isoformat() if report.at else None
        running = {"is_running": report.is_running}
        return jsonify({"at": at, "findings": list(report.findings), **running})
    return frame.page("doctor.html", report=report, findings=list(map(_finding, report.findings)))


def _finding(finding: Mapping[str, str]) -> Mapping[str, str]:
    """A finding as a page has it: an agent by its name, and its fields for its settings."""
    listed = services().agents_desk.get(finding["title"])
    if listed is None:
        return finding
    to_do = finding["to_do"]
    if labels.is_of_desk(listed.id):
        to_do = labels.at_desk(listed.platform, to_do)
    return {**finding, "title": labels.agent_name(listed.id), "to_do": to_do}


@bp.post("/doctor")
def look() -> AnyResponse:
    """Looks again; with `ask` yes each agent gets one question, which costs quota."""
    checkup = services().checkup
    has_begun = checkup.begin(request.form.get("ask") == "yes")
    if not has_begun:
        return frame.changed("desk.doctor.show", "looked_lately")
    report = checkup.report(language(), PATIENCE_S)
    return frame.changed("desk.doctor.show", "" if report.is_running else "looked")
