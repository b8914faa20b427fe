"""What was done: by the owner's commands and at the desk, the newest first; and taking it back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response as AnyResponse

from chat.owner.desk.agents import CHANGED, CONNECTED, MOVED, OFF, ON, REMOVED
from chat.owner.desk.blocking import as_written
from chat.owner.desk.values import (
    CODE_ENDED,
    CODE_MADE,
    COMMAND,
    UNSAID,
    Locked,
    LostError,
)
from chat.refusals import Refusal
from chat.settings.errors import SettingsError
from chat.storage.models import OwnerEntry
from chat.storage.owner.values import StaleError
from chat.web import services
from chat.web.desk import frame, labels
from chat.web.frame.language import language

bp = Blueprint("log", __name__)

ON_A_PAGE = 50
# Of a text that was changed, so many characters are shown.
LONGEST_TEXT = 80
SETTING_CHANGES = (COMMAND, CODE_MADE, CODE_ENDED)
# What each command of the log is called.
DEEDS = {
    COMMAND: _("Setting changed"),
    CODE_MADE: _("Access code created"),
    CODE_ENDED: _("Access code ended"),
    "backup": _("Backup"),
    "restore": _("Backup restored"),
    "forget": _("Visitor forgotten"),
    "delete": _("Conversation deleted"),
    "block": _("Blocked"),
    "unblock": _("Unblocked"),
    "oauth": _("Authorised at Coze"),
    "move-data": _("Moved to PostgreSQL"),
    "admin-link": _("Link to choose a password"),
    "password": _("Password changed"),
    "one-time-on": _("One-time codes set up"),
    "one-time-off": _("One-time codes ended"),
    "sign-out": _("Signed out everywhere"),
    CONNECTED: _("Agent connected"),
    CHANGED: _("Agent changed"),
    REMOVED: _("Agent removed"),
    ON: _("Agent switched on"),
    OFF: _("Agent switched off"),
    MOVED: _("Order of the agents changed"),
}
STALE = _(
    "This has been changed again since, so nothing was undone. Look at what it is now, and "
    "change that."
)
LOST = _("What was there before cannot be read any more, so this cannot be undone.")
LOCKED = _(
    "This is set on the server, in .env or in the environment, which takes precedence. Change "
    "it there."
)
PROBLEMS = {StaleError: STALE, LostError: LOST, Locked: LOCKED}


@dataclass(frozen=True)
class Line:
    """An entry as a person reads it."""

    id: int
    at: datetime
    deed: str
    details: str
    # Empty where it can be taken back.
    state: str


@bp.get("/log")
def show() -> Response:
    """The latest entries, or those `?before=` one."""
    return _page()


@bp.post("/log/<int:id>/take-back")
def take_back(id: int) -> AnyResponse:
    """Undoes a change, which is a change too and stands in the log."""
    entry = services().storage.owner_log.get(id) if id < 2**31 else None
    if entry is None:
        raise Refusal("not_found", "an entry of the log")
    try:
        services().desk.take_back(entry)
    except ValueError:
        raise Refusal("bad_input", "what cannot be taken back") from None
    except (StaleError, LostError, Locked) as error:
        return _page(str(PROBLEMS[type(error)]), 409)
    except SettingsError as error:
        return _page(error.say(language()), 409)
    return frame.changed("desk.log.show", "taken_back")


def _page(problem: str | None = None, status: int = 200) -> Response:
    before = request.args.get("before")
    if before is not None and not (before.isdecimal() and len(before) < 10):
        raise Refusal("bad_input", "no number of an entry")
    entries = services().storage.owner_log.page(int(before) if before else None, ON_A_PAGE + 1)
    taken_back = services().storage.owner_log.taken_back([entry.id for entry in entries])
    return frame.page(
        "log.html",
        status,
        lines=[_line(entry, entry.id in taken_back) for entry in entries[:ON_A_PAGE]],
        older=entries[ON_A_PAGE - 1].id if len(entries) > ON_A_PAGE else None,
        is_first=before is None,
        problem=problem,
    )


def _line(entry: OwnerEntry, is_taken_back: bool) -> Line:
    deed = str(DEEDS.get(entry.command, entry.command))
    return Line(entry.id, entry.at, deed, _details(entry), _state(entry, is_taken_back))


def _state(entry: OwnerEntry, is_taken_back: bool) -> str:
    if is_taken_back:
        return str(_("Undone"))
    return "" if services().desk.may_take_back(entry) else str(_("Cannot be undone"))


def _details(entry: OwnerEntry) -> str:
    facts = dict(entry.facts)
    if "subject" in facts:
        facts["subject"] = as_written(str(facts["subject"]))
    pieces = []
    name = str(facts.pop("name", "")) if entry.command in SETTING_CHANGES else ""
    if name and entry.command == COMMAND:
        pieces.append(_change(name, entry.change))
    pieces += [f"{labels.fact_label(name)} {fact}" for name, fact in facts.items()]
    return " · ".join(pieces)


def _change(name: str, change: Mapping[str, Any] | None) -> str:
    """A setting with what it was and what it became."""
    label = str(labels.SETTINGS.get(name, name))
    if change is None or name in UNSAID:
        return label
    return (
        f"{label}{labels.colon()}{_quoted(change.get('before'))} → {_quoted(change.get('after'))}"
    )


def _quoted(text: Any) -> str:
    if text is None:
        return str(_("(default)"))
    short = str(text)[:LONGEST_TEXT]
    return f"“{short}…”" if len(str(text)) > LONGEST_TEXT else f"“{short}”"
