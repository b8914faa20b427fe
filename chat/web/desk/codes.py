"""The access codes: made, shown once as a sheet to print, and ended."""

from collections.abc import Sequence

from flask import Blueprint, Response, request
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response as AnyResponse

from chat.owner.desk.codes import CodeError, DeskCodes
from chat.page import qr
from chat.settings.errors import SettingsError
from chat.storage.owner.values import StaleError
from chat.visitors.codes import Code
from chat.web import services
from chat.web.conversations.pages import public_address
from chat.web.desk import frame
from chat.web.frame.language import language

bp = Blueprint("codes", __name__)

PROBLEMS = {
    "name": _("A name has at most 40 characters, without spaces, commas and colons."),
    "twin": _("There is already a code of this name. Choose another name, or end that code first."),
    "day": _("Write the day as 2027-01-31."),
    "daily": _("“Questions a day” must be a whole number of at least 1."),
    "last": _(
        "This is the last code: without it the site is open to everyone. If you want that, tick"
        " the box and end it again."
    ),
}
STALE = _("The codes have just been changed. Look at them, and try again.")


@bp.get("/codes")
def show() -> Response:
    """All codes by their names, and the form for a new one."""
    return _page()


@bp.post("/codes")
def make() -> Response:
    """Makes a code from `name`, `last_day` and `daily`, and shows it for the only time."""
    name, last_day, daily = (
        request.form.get(field, "").strip() for field in ("name", "last_day", "daily")
    )
    try:
        code = _codes().make(name, last_day, daily, [known.id for known in _all()])
    except CodeError as error:
        return _page(str(PROBLEMS[error.kind]), 400, wrong=error.kind.replace("twin", "name"))
    except SettingsError as error:
        return _page(error.say(language()), 400)
    except StaleError:
        return _page(str(STALE), 409)
    address = public_address("signing_in.sign_in")
    return frame.page("code.html", name=name, code=code, address=address, drawing=qr.code(address))


@bp.post("/codes/end")
def end() -> AnyResponse:
    """Ends the code called `name`."""
    try:
        _codes().end(
            request.form.get("name", ""), len(_all()) == 1, request.form.get("open") == "yes"
        )
    except CodeError as error:
        return _page(str(PROBLEMS[error.kind]), 409, asks_to_open=True)
    except StaleError:
        return _page(str(STALE), 409)
    return frame.changed("desk.codes.show", "saved")


def _codes() -> DeskCodes:
    return DeskCodes(services().desk)


def _all() -> Sequence[Code]:
    return services().access.codes.all


def _page(problem: str | None = None, status: int = 200, **more: object) -> Response:
    own = {entry.name for entry in _codes().all()}
    return frame.page(
        "codes.html",
        status,
        codes=_all(),
        own=own,
        problem=problem,
        typed=request.form if problem else {},
        **more,
    )
