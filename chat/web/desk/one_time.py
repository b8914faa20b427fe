"""One-time codes: set up with the owner's phone, confirmed before they count, and ended."""

from flask import Blueprint, Response, request
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response as AnyResponse

from chat.owner.one_time import Proposal
from chat.page import qr
from chat.refusals import GuessRefusal
from chat.visitors.guessing import Origin
from chat.web import errors, services
from chat.web.desk import frame, session
from chat.web.gate.visitors import address

bp = Blueprint("one_time", __name__)

WRONG = _(
    "This code is wrong. Enter the one that the app shows now, and check that the phone's clock "
    "is right."
)


@bp.get("/one-time")
def show() -> Response:
    """A new secret as a QR code, or the form that ends the codes."""
    codes, title = services().owner.codes, services().settings.site_title
    return _page(None if codes.is_on else codes.propose(title))


@bp.post("/one-time")
def begin() -> AnyResponse:
    """Takes a `code` of the app for the secret that was shown; other sessions end."""
    codes, title = services().owner.codes, services().settings.site_title
    proposal = codes.opened(request.form.get("sealed", ""), title) or codes.propose(title)
    if codes.is_on or not codes.begin(proposal, request.form.get("code", "")):
        return _page(None if codes.is_on else proposal, str(WRONG), 400)
    session.begin()
    return frame.changed("desk.signing_in.password", "one_time_on")


@bp.post("/one-time/end")
def end() -> AnyResponse:
    """Takes a `code`, and asks for none from then on."""
    owner, code = services().owner, request.form.get("code", "")
    try:
        is_right = owner.brake.attempt(Origin(address()), lambda current: owner.codes.verify(code))
    except GuessRefusal as refusal:
        page = _page(None, errors.sentence_for(refusal), 429)
        return errors.with_retry_after(page, refusal.retry_after)
    if not is_right:
        return _page(None, str(WRONG), 400)
    owner.codes.end()
    session.begin()
    return frame.changed("desk.signing_in.password", "one_time_off")


def _page(proposal: Proposal | None, problem: str | None = None, status: int = 200) -> Response:
    drawing = qr.code(proposal.address) if proposal else None
    facts = {"proposal": proposal, "drawing": drawing, "problem": problem}
    return frame.page("one_time.html", status, **facts)
