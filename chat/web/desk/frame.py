"""What the pages of the desk share: the navigation, the line after a change, their headers."""

from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, make_response, redirect, render_template, request, url_for
from flask_babel import LazyString
from flask_babel import lazy_gettext as _
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response as AnyResponse

from chat.page.look import LARGEST_LOGO
from chat.web.desk import session
from chat.web.desk.links import with_links


@dataclass(frozen=True)
class Page:
    """A row of the navigation: where it leads, its name, its sign in templates/parts.html."""

    endpoint: str
    label: LazyString
    icon: str

    def is_here(self, endpoint: str) -> bool:
        """Whether a page belongs to this row: it is of the same module."""
        return endpoint.rpartition(".")[0] == self.endpoint.rpartition(".")[0]


# How bad a finding is, and what a screen reader says of its colour.
LEVELS = {"ok": _("OK"), "warn": _("Note"), "fail": _("Problem")}
# The navigation, in this order.
PAGES = (
    Page("desk.today.show", _("Today"), "home"),
    Page("desk.usage.show", _("Usage"), "chart"),
    Page("desk.questions.show", _("Questions"), "bubble"),
    Page("desk.thumbs.show", _("Ratings"), "thumb"),
    Page("desk.agents.show", _("Agents"), "grid"),
    Page("desk.site.show", _("Site"), "sliders"),
    Page("desk.codes.show", _("Access codes"), "key"),
    Page("desk.blocked.show", _("Blocked"), "shield"),
    Page("desk.doctor.show", _("Doctor"), "pulse"),
    Page("desk.log.show", _("Activity log"), "list"),
    Page("desk.backup.show", _("Backup"), "download"),
    Page("desk.signing_in.password", _("Password"), "lock"),
)
# The line after a change, by the id that stands in the address: a page shows no text of a link.
DONE = {
    "saved": _("Saved and in effect."),
    "password": _("The password has been changed. Other browsers have been signed out."),
    "deleted": _("Deleted for good."),
    "looked": _("Checked. These are the results."),
    "looked_lately": _("The last check was a moment ago. Wait a little before the next one."),
    "one_time_on": _("Signing in now takes a code too. Other browsers have been signed out."),
    "one_time_off": _(
        "Signing in now takes the password alone. Other browsers have been signed out."
    ),
    "taken_back": _("Undone."),
    "connected": _("Connected. Visitors can ask it now."),
    "removed": _("Removed. Earlier conversations can still be read."),
}


def init_app(app: Flask) -> None:
    """Gives the templates of the desk its navigation."""

    @app.context_processor
    def desk() -> dict[str, Any]:
        return {
            "desk_pages": PAGES,
            "owner_session": session.current,
            "levels": LEVELS,
            "with_links": with_links,
        }


def page(template: str, status: int = 200, **content: Any) -> Response:
    """A page of the desk, from templates/desk/. After `changed`, with the line that says so."""
    done = DONE.get(request.args.get("done", "")) if status == 200 else None
    return make_response(render_template(f"desk/{template}", done=done, **content), status)


def changed(endpoint: str, done: str, **values: Any) -> AnyResponse:
    """Leads to a page after a change; `done` is an id of DONE."""
    return redirect(url_for(endpoint, **values, done=done), 303)


def picture_of(file: FileStorage) -> bytes:
    """What was sent of a picture, no more of it than it takes to see that it is too large."""
    return file.stream.read(LARGEST_LOGO + 1)


def keep_private(response: Response) -> Response:
    """No cache may keep what only the owner may see."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "Accept, Accept-Language, Cookie"
    return response
