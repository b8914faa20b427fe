"""All conversations of a visitor, a page at a time; what a search finds in them; their export."""

from collections.abc import Sequence
from urllib.parse import quote

from flask import Blueprint, Response, jsonify, request

from chat.storage import Answer, Conversation
from chat.web import export, permissions, presenting, services
from chat.web.pages import rendered
from chat.web.visitors import visitor

bp = Blueprint("history", __name__)
PAGE = 100
LONGEST = 100


@bp.get("/search")
def search() -> Response:
    """The visitor's conversations that hold all words of `?q=`."""
    words = request.args.get("q", "").strip()[:LONGEST]
    found = services().storage.search.find(visitor(), words) if words else []
    if (agents := permissions.visible_agent_ids()) is not None:
        shown = services().storage.conversations.among(
            [one.conversation_id for one in found], agents
        )
        found = [one for one in found if one.conversation_id in shown]
    return rendered("search.html", agent=None, words=words, found=found)


@bp.get("/conversations")
def conversations() -> Response:
    """The conversations by day, latest first; `?before=` one those that are older."""
    site = services()
    before = request.args.get("before")
    last = site.storage.conversations.get(visitor(), before) if before else None
    since = (last.updated_at, last.id) if last else None
    found = site.storage.conversations.of(
        visitor(), PAGE + 1, since, permissions.visible_agent_ids()
    )
    return rendered(
        "conversations.html",
        agent=None,
        found=presenting.by_day(found[:PAGE]),
        older=found[PAGE - 1].id if len(found) > PAGE else None,
        is_first=last is None,
        has_forgotten="forgotten" in request.args,
    )


@bp.get("/c/<conversation_id>/export.md")
def markdown(conversation_id: str) -> Response:
    """A conversation to read: its newest branch, or the one `?at=` an answer."""
    talk, answers, agent = _branch(conversation_id)
    text = export.as_markdown(talk, answers, agent)
    return _file(Response(text, content_type="text/markdown; charset=utf-8"), talk, "md")


@bp.get("/c/<conversation_id>/export.json")
def document(conversation_id: str) -> Response:
    """The same for programs."""
    talk, answers, agent = _branch(conversation_id)
    return _file(jsonify(export.as_document(talk, answers, agent)), talk, "json")


def _branch(conversation_id: str) -> tuple[Conversation, Sequence[Answer], str]:
    """A conversation of the visitor's, the answers of one branch, and its agent's name."""
    site = services()
    talk = site.storage.conversations.get(visitor(), conversation_id)
    ids = site.storage.conversations.tree(talk.id).branch(request.args.get("at") or None)
    agent = site.agents.get(talk.agent)
    name = site.introductions.of(agent).name if agent else talk.agent
    return talk, site.storage.conversations.answers(talk.id, ids), name


def _file(response: Response, talk: Conversation, ending: str) -> Response:
    name = export.safe_filename(talk.title, ending)
    # RFC 6266: first for programs that know ASCII only.
    names = f"filename=\"conversation.{ending}\"; filename*=UTF-8''{quote(name, safe='')}"
    response.headers["Content-Disposition"] = f"attachment; {names}"
    response.headers["Cache-Control"] = "no-store"
    return response
