"""Whom the owner has shut out: visitors by their name in the log, addresses and networks."""

from flask import Blueprint, Response, request
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response as AnyResponse

from chat.owner.desk import blocking
from chat.owner.desk.blocking import BlockError
from chat.owner.words import say
from chat.web import services
from chat.web.desk import frame
from chat.web.desk.labels import as_sentence
from chat.web.frame.language import language

bp = Blueprint("blocked", __name__)

PRIVATE = _(
    "This is an address of a private network, where your proxy may be. Nothing was blocked. If it "
    "is a visitor's, tick the box below and block it again."
)
GONE = _("This is not blocked any more.")


@bp.get("/blocked")
def show() -> Response:
    """All blocks, and the form for another one."""
    return _page()


@bp.post("/blocked")
def block() -> AnyResponse:
    """Shuts out `who`, by the rules of the command; an inner address only when it `is_meant`."""
    who, site = request.form.get("who", "").strip()[:200], services()
    try:
        subject = blocking.subject_of(
            site.storage, site.visitors, who, request.form.get("is_meant") == "yes"
        )
    except BlockError as error:
        is_private = error.kind == "blocks_private"
        problem = PRIVATE if is_private else say(error.kind, language(), **error.facts)
        return _page(as_sentence(str(problem)), 400, asks_again=is_private)
    if not site.storage.blocks.add(subject):
        said = say("already_blocked", language(), subject=blocking.as_written(subject))
        return _page(as_sentence(said), 409)
    _announce()
    return frame.changed("desk.blocked.show", "saved")


@bp.post("/blocked/end")
def unblock() -> AnyResponse:
    """Lets in a `subject` of the list again."""
    subject = request.form.get("subject", "")
    if not services().storage.blocks.remove(subject):
        return _page(str(GONE), 409)
    _announce()
    return frame.changed("desk.blocked.show", "saved")


def _announce() -> None:
    services().blocks.look_again()
    services().desk.announce()


def _page(problem: str | None = None, status: int = 200, asks_again: bool = False) -> Response:
    return frame.page(
        "blocked.html",
        status,
        as_written=blocking.as_written,
        blocks=services().storage.blocks.all(),
        problem=problem,
        asks_again=asks_again,
        typed=request.form.get("who", "")[:200] if problem else "",
    )
