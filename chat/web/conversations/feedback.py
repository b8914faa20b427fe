"""What a visitor says of an answer: a form leads back to the page, a program gets 204."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from chat.refusals import ReasonRefusal, Refusal
from chat.storage.ratings import Rating
from chat.web import errors, services
from chat.web.conversations.exchanges import EXCHANGES
from chat.web.gate.body_fields import fields_of
from chat.web.gate.typed_text import plain_text
from chat.web.gate.visitors import visitor

bp = Blueprint("feedback", __name__)
MAX_REASON_CHARS = 500


@bp.post("/chat/<message_id>/feedback")
def rate(message_id: str) -> AnyResponse:
    """Rates an answer up or down, with a reason if there is one, or takes the rating back."""
    fields = fields_of(request)
    rating, reason = _rating(fields), _reason(fields)
    conversation_id = services().storage.ratings.rate(visitor(), message_id, rating, reason)
    if errors.wants_html():
        return redirect(_address_of(conversation_id, message_id), 303)
    return Response(status=204)


def _rating(fields: Mapping[str, Any]) -> Rating | None:
    if "rating" not in fields:
        raise Refusal("bad_input", "no rating")
    # A form has no null.
    rating = fields["rating"] or None if fields is request.form else fields["rating"]
    if rating not in ("up", "down", None):
        raise Refusal("bad_input", "a rating that is none")
    return rating


def _reason(fields: Mapping[str, Any]) -> str | None:
    reason = fields.get("reason")
    if reason is None:
        return None
    if not isinstance(reason, str):
        raise Refusal("bad_input", "a reason that is no text")
    return plain_text(reason, MAX_REASON_CHARS, ReasonRefusal) or None


def _address_of(conversation_id: str, message_id: str) -> str:
    """The page that shows the answer, on whichever branch and however far above the end it is, at
    the row below it.
    """
    ids = services().storage.conversations.tree(conversation_id).branch(message_id)
    end = ids.index(message_id) + 1
    before = ids[end] if len(ids) - end >= EXCHANGES else None
    return url_for(
        "pages.conversation",
        conversation_id=conversation_id,
        at=message_id,
        before=before,
        rated=message_id,
        _anchor=f"tools-{message_id}",
    )
