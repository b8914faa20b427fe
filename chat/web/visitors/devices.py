"""Moving to another device by a code that is shown on one and typed or scanned on the other."""

from flask import Blueprint, Response, redirect, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from chat.page import qr
from chat.refusals import Refusal
from chat.web import errors, services
from chat.web.conversations.pages import public_address, rendered
from chat.web.gate.visitors import address, asker, become, visitor

bp = Blueprint("devices", __name__)


@bp.get("/device")
def device() -> Response:
    """Offers a code for another device, and takes one from there, also as `?code=` by a QR code.

    Opening the page uses nothing up, because programs that preview links open it as well. A picture
    with this address on another site is ignored: it would use up the visitor's tries.
    """
    is_page = request.headers.get("Sec-Fetch-Dest", "document") == "document"
    code = request.args.get("code", "") if is_page else ""
    is_good = services().devices.peek(code, address()) if code else False
    return _page(
        scanned=code if is_good else "",
        typed=code,
        problem=_wrong() if code and not is_good else None,
    )


@bp.post("/device")
def begin() -> Response:
    """A new code, as text and as a QR code; an earlier one ends."""
    code = services().devices.begin(visitor())
    # The address may end up in a log, so the code works once and for ten minutes.
    return _page(code=code, drawing=qr.code(public_address("devices.device", code=code)))


@bp.post("/device/claim")
def claim() -> AnyResponse:
    """Uses a code up and becomes its visitor; `bring` yes brings the conversations along."""
    if asker().is_program:
        raise Refusal("bad_input", "a program with an API key stays the same visitor")
    former_visitor = visitor()
    moved_visitor = services().devices.claim(request.form.get("code", ""), address())
    if moved_visitor is None and not errors.wants_html():
        raise Refusal("not_found", "a device's code")
    if moved_visitor is None:
        return _page(problem=_wrong(), typed=request.form.get("code", ""), status=404)
    if request.form.get("bring") == "yes":
        services().storage.merge_visitors(former_visitor, moved_visitor)
    become(moved_visitor)
    return redirect(url_for("pages.home"), 303)


def _page(status: int = 200, **content: object) -> Response:
    has_conversations = bool(services().storage.conversations.of(visitor(), 1))
    return rendered(
        "device.html", status, agent=None, has_conversations=has_conversations, **content
    )


def _wrong() -> str:
    return str(
        _(
            "This sync code is wrong, has expired or was already used. "
            "Make a new one on the other device."
        )
    )
