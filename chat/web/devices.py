"""Going on with one's conversations on another device: a code, shown here, typed or scanned there."""

from flask import Blueprint, Response, redirect, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from chat.page import qr
from chat.refusals import Refusal
from chat.web import errors, services
from chat.web.pages import public_address, rendered
from chat.web.visitors import address, asker, become, visitor

bp = Blueprint("devices", __name__)


@bp.get("/device")
def device() -> Response:
    """Offers a code for another device, and takes one from there; `?code=` is what a QR code leads to.

    Looking uses nothing up: programs that preview links look as well. A picture on somebody's page that has
    this address is no look: it would use up the visitor's tries.
    """
    is_page = request.headers.get("Sec-Fetch-Dest", "document") == "document"
    code = request.args.get("code", "") if is_page else ""
    is_good = services().devices.peek(code, address()) if code else False
    return _page(given=code if is_good else "", problem=_wrong() if code and not is_good else None)


@bp.post("/device")
def begin() -> Response:
    """A new code, as text and as a QR code; the one before it is worth nothing any more."""
    code = services().devices.begin(visitor())
    # In the address it may end up in a log: it works once, and for ten minutes.
    return _page(code=code, drawing=qr.code(public_address("devices.device", code=code)))


@bp.post("/device/claim")
def claim() -> AnyResponse:
    """Uses a code up: from now on this browser is that visitor. `bring` yes: its conversations come along."""
    if asker().is_program:
        raise Refusal("bad_input", "who has an API key is always the same visitor")
    before = visitor()
    after = services().devices.claim(request.form.get("code", ""), address())
    if after is None and not errors.wants_html():
        raise Refusal("not_found", "a device's code")
    if after is None:
        return _page(problem=_wrong(), status=404)
    if request.form.get("bring") == "yes":
        services().storage.merge_visitors(before, after)
    become(after)
    return redirect(url_for("pages.home"), 303)


def _page(status: int = 200, **content: object) -> Response:
    has_some = bool(services().storage.conversations.of(visitor(), 1))
    return rendered("device.html", status, agent=None, has_conversations=has_some, **content)


def _wrong() -> str:
    return str(
        _("This code is wrong, too old or already used. Make a new one on the other device.")
    )
