"""What was done: by the owner's commands and at the desk, the newest first."""

from flask import Blueprint, Response, request
from flask_babel import lazy_gettext as _

from chat.refusals import Refusal
from chat.web import services
from chat.web.desk import frame

bp = Blueprint("log", __name__)

ON_A_PAGE = 50
# What each command of the log is called.
DEEDS = {
    "backup": _("Backup"),
    "restore": _("Backup restored"),
    "forget": _("Visitor forgotten"),
    "block": _("Blocked"),
    "unblock": _("Unblocked"),
    "oauth": _("Authorised at Coze"),
    "move-data": _("Moved to PostgreSQL"),
    "admin-link": _("Link to choose a password"),
    "password": _("Password changed"),
    "sign-out": _("All sessions ended"),
}


@bp.get("/log")
def show() -> Response:
    """The latest entries, or those `?before=` one."""
    before = request.args.get("before")
    if before is not None and not (before.isdecimal() and len(before) < 19):
        raise Refusal("bad_input", "no number of an entry")
    entries = services().storage.owner_log.page(int(before) if before else None, ON_A_PAGE + 1)
    return frame.page(
        "log.html",
        entries=entries[:ON_A_PAGE],
        older=entries[ON_A_PAGE - 1].id if len(entries) > ON_A_PAGE else None,
        is_first=before is None,
        deeds=DEEDS,
    )
