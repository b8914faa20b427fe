"""The page: the agent's welcome or a conversation, whole in its HTML."""

from typing import Any

from flask import Blueprint, Response, make_response, render_template, request, url_for

from chat.files.uploads import PER_QUESTION
from chat.page import qr
from chat.storage import Conversation
from chat.storage.models import Share
from chat.web import errors, services
from chat.web.conversations import exchanges, gallery
from chat.web.frame.sidebar import sidebar
from chat.web.gate import permissions
from chat.web.gate.visitors import visitor

bp = Blueprint("pages", __name__)
LONGEST_SEARCH = 100
# Soon enough for a release or a language to show.
SHEETS_S = 600


@bp.get("/")
def home() -> Response:
    """A new conversation with the agent `?agent=`; `?deleted=` is one to offer for restoring.

    Without an agent, where there are many: the gallery.
    """
    if not request.args.get("agent") and gallery.is_home():
        return _gallery(is_home=True)
    agent = permissions.choose_agent(request.args.get("agent") or None)
    return page(None, agent.id, deleted=deleted_conversation())


def deleted_conversation() -> Conversation | None:
    """What `?deleted=` names, if it is the visitor's and can still be taken back."""
    id = request.args.get("deleted")
    conversation = services().storage.conversations.deleted(visitor(), id) if id else None
    return conversation if conversation and permissions.may_see(conversation.agent) else None


@bp.get("/sheets")
def sheets() -> Response:
    """Menus and dialogues that the page's script asks for when it needs one, as <template>s."""
    response = make_response(render_template("sheets.html"))
    response.headers["Cache-Control"] = f"private, max-age={SHEETS_S}"
    response.headers["Vary"] = "Accept-Language, Cookie"
    return response


@bp.get("/agents", endpoint="agents")
def show_agents() -> Response:
    """All agents, or those that hold the words `?q=`."""
    return _gallery(is_home=False)


@bp.get("/agents/<agent_id>", endpoint="agent")
def show_agent(agent_id: str) -> Response:
    """An agent's address to pass on, also as a QR code."""
    chosen = services().introductions.of(permissions.choose_agent(agent_id))
    address = public_address("pages.home", agent=chosen.id)
    return rendered("agent.html", agent=chosen, address=address, drawing=qr.code(address))


def _gallery(is_home: bool) -> Response:
    words = request.args.get("q", "").strip()[:LONGEST_SEARCH]
    return rendered(
        "agents.html",
        agent=None,
        words_of_gallery=words,
        shelves=gallery.shelves(words),
        unreachable=services().health.unreachable(),
        is_home=is_home,
    )


@bp.get("/c/<conversation_id>", endpoint="conversation")
def show_conversation(conversation_id: str) -> Response:
    """A conversation: its newest branch or the one `?at=` an answer, its end or what is `?before=`
    one.

    `?edit=` an answer offers its question to be asked in other words.
    """
    return page(conversation_id, None)


def page(
    conversation_id: str | None,
    agent_id: str | None,
    problem: str | None = None,
    draft: str = "",
    status: int = 200,
    deleted: Conversation | None = None,
    instead: str | None = None,
) -> Response:
    """The chat page. Raises Refusal not_found for another visitor's conversation."""
    site = services()
    conversation = _visible(conversation_id) if conversation_id else None
    agents = permissions.allowed_agents()
    # The agent of an old conversation may have gone from this site.
    known = site.agents.get(conversation.agent if conversation else agent_id or "")
    agent = known or agents[0]
    if conversation and known is None and problem is None:
        problem = str(errors.FORMER_AGENT)
    permissions.require_agent(agent)
    branch = _branch_of(conversation) if conversation else exchanges.BranchPage([])
    link = site.storage.shares.of(conversation.id) if conversation else None
    edited_id = request.args.get("edit")
    edited = next((item for item in branch.exchanges if item.id == edited_id), None)
    return rendered(
        "page.html",
        status,
        agents=[site.introductions.of(choice) for choice in agents],
        agent=site.introductions.of(agent),
        unreachable=site.health.unreachable(),
        conversation=conversation,
        branch=branch,
        exchanges=branch.exchanges,
        share=_address_of(link),
        is_previewed=link is not None and link.is_previewed,
        deleted=deleted,
        problem=problem,
        instead=edited.id if edited else instead,
        draft=draft or (edited.question if edited else ""),
        accepts=site.uploads.accepts(agent),
        max_files=PER_QUESTION,
        max_file_bytes=site.uploads.most_bytes,
        max_chars=site.settings.max_message_chars,
    )


def _visible(conversation_id: str) -> Conversation:
    """The visitor's own conversation. Raises Refusal not_found, SignInNeeded."""
    conversation = services().storage.conversations.get(visitor(), conversation_id)
    permissions.require_visible(conversation.agent)
    return conversation


def _branch_of(conversation: Conversation) -> exchanges.BranchPage:
    """The branch that ends with the answer `?at=`, else the newest; `?before=` is a part of it."""
    tree = services().storage.conversations.tree(conversation.id)
    ids = tree.branch(request.args.get("at") or None)
    return exchanges.branch_page(conversation, tree, ids, request.args.get("before"))


def rendered(template: str, status: int = 200, **content: Any) -> Response:
    """A page with the sidebar. It is private to the visitor, so no cache may store it."""
    response = make_response(render_template(template, **sidebar(), **content), status)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "Accept-Language, Cookie"
    return response


def _address_of(share: Share | None) -> str | None:
    """The whole address of a shared conversation."""
    return public_address("sharing.shared", token=share.token) if share else None


def public_address(endpoint: str, **values: Any) -> str:
    """The whole address of a page of this site, as others can open it."""
    base = services().settings.public_url or request.host_url.rstrip("/")
    return f"{base}{url_for(endpoint, **values)}"
