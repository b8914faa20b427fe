"""A visitor's conversations: the list, the search and the export."""

from collections.abc import Sequence
from urllib.parse import quote

from flask import Blueprint, Response, jsonify, request

from chat.storage import Answer, Conversation
from chat.web import services
from chat.web.conversations import export
from chat.web.conversations.pages import deleted_conversation, rendered
from chat.web.frame.sidebar import by_day
from chat.web.gate import permissions
from chat.web.gate.visitors import visitor

bp = Blueprint("history", __name__)
PAGE = 100
LONGEST = 100


@bp.get("/search")
def search() -> Response:
    """The visitor's conversations that contain all words of `?q=`."""
    words = request.args.get("q", "").strip()[:LONGEST]
    storage = services().storage
    matches = storage.search.find(visitor(), words) if words else []
    agent_ids = permissions.visible_agent_ids()
    if agent_ids is not None:
        conversation_ids = [match.conversation_id for match in matches]
        visible = storage.conversations.among(conversation_ids, agent_ids)
        matches = [match for match in matches if match.conversation_id in visible]
    return rendered("search.html", agent=None, words=words, matches=matches)


@bp.get("/conversations")
def conversations() -> Response:
    """The conversations by day, latest first; with `?before=` those older than that one."""
    site = services()
    before = request.args.get("before")
    last = site.storage.conversations.get(visitor(), before) if before else None
    since = last.sequence if last else None
    agent_ids = permissions.visible_agent_ids()
    rows = site.storage.conversations.of(visitor(), PAGE + 1, since, agent_ids, is_pinned=False)
    return rendered(
        "conversations.html",
        agent=None,
        days_on_page=by_day(rows[:PAGE]),
        older=rows[PAGE - 1].id if len(rows) > PAGE else None,
        is_first=last is None,
        has_forgotten="forgotten" in request.args,
        has_chosen_none="chosen" in request.args,
        deleted=deleted_conversation(),
        deleted_count=request.args.get("count", 1, int),
    )


@bp.get("/c/<conversation_id>/export.md")
def markdown(conversation_id: str) -> Response:
    """A conversation to read: its newest branch, or the one `?at=` an answer."""
    conversation, answers, agent = _branch(conversation_id)
    text = export.as_markdown(conversation, answers, agent)
    return _file(Response(text, content_type="text/markdown; charset=utf-8"), conversation, "md")


@bp.get("/c/<conversation_id>/export.json")
def document(conversation_id: str) -> Response:
    """The same for programs."""
    conversation, answers, agent = _branch(conversation_id)
    return _file(jsonify(export.as_document(conversation, answers, agent)), conversation, "json")


def _branch(conversation_id: str) -> tuple[Conversation, Sequence[Answer], str]:
    """A conversation of the visitor's, the answers of one branch, and its agent's name."""
    site = services()
    conversation = site.storage.conversations.get(visitor(), conversation_id)
    ids = site.storage.conversations.tree(conversation.id).branch(request.args.get("at") or None)
    agent = site.agents.get(conversation.agent)
    name = site.introductions.of(agent).name if agent else conversation.agent
    return conversation, site.storage.conversations.answers(conversation.id, ids), name


def _file(response: Response, conversation: Conversation, ending: str) -> Response:
    name = export.safe_filename(conversation.title, ending)
    # RFC 6266: the first name is for programs that know only ASCII.
    names = f"filename=\"conversation.{ending}\"; filename*=UTF-8''{quote(name, safe='')}"
    response.headers["Content-Disposition"] = f"attachment; {names}"
    response.headers["Cache-Control"] = "no-store"
    return response
