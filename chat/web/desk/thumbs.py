"""What visitors found useful and what not, with their reasons: what went wrong comes first."""

from flask import Blueprint, Response, request

from chat.refusals import Refusal
from chat.web import services
from chat.web.desk import filters, frame
from chat.web.desk.labels import agent_name

bp = Blueprint("thumbs", __name__)

ON_A_PAGE = 50


@bp.get("/thumbs")
def show() -> Response:
    """The newest ratings of one kind, `?rating=` down unless it says up, and how many there are."""
    rating = request.args.get("rating") or "down"
    if rating not in filters.RATINGS:
        raise Refusal("bad_input", "a rating that is none")
    reading, owner_reads = services().storage.owner_reading, services().settings.owner_reads
    rated = reading.rated(rating, ON_A_PAGE + 1, filters.before(), with_questions=owner_reads)
    return frame.page(
        "thumbs.html",
        rated=rated[:ON_A_PAGE],
        older=rated[ON_A_PAGE - 1].sequence if len(rated) > ON_A_PAGE else None,
        is_first="before" not in request.args,
        rating=rating,
        ratings=filters.RATINGS,
        counts=sorted(reading.rating_counts().items(), key=lambda item: -item[1]["down"]),
        agent_name=agent_name,
    )
