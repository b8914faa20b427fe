"""All conversations of a visitor, a page at a time; what a search finds in them; their export."""

from flask import Blueprint, Response, request

from chat.web import services, showing
from chat.web.pages import rendered
from chat.web.visitors import visitor

bp = Blueprint("history", __name__)
PAGE = 100
LONGEST = 100


@bp.get("/search")
def search() -> Response:
    """The visitor's conversations that hold all words of `?q=`."""
    words = request.args.get("q", "").strip()[:LONGEST]
    found = services().search.find(visitor(), words) if words else []
    return rendered("search.html", agent=None, words=words, found=found)


@bp.get("/conversations")
def conversations() -> Response:
    """The conversations by day, latest first; `?before=` one those that are older."""
    site = services()
    before = request.args.get("before")
    last = site.storage.conversation_of(visitor(), before) if before else None
    found = site.storage.conversations.of(visitor(), PAGE + 1, (last.updated_at, last.id) if last else None)
    return rendered(
        "conversations.html",
        agent=None,
        found=showing.by_day(found[:PAGE]),
        older=found[PAGE - 1].id if len(found) > PAGE else None,
        is_first=last is None,
    )
