"""The page: the agent's welcome or a conversation, whole in its HTML."""

from typing import Any

from flask import Blueprint, Response, make_response, render_template, request, url_for

from chat.files.uploads import PER_QUESTION
from chat.storage import Conversation
from chat.storage.models import Share
from chat.web import permissions, presenting, services
from chat.web.visitors import visitor

bp = Blueprint("pages", __name__)


@bp.get("/")
def home() -> Response:
    """A new conversation with the agent of `?agent=`; `?deleted=` offers to take a deleted one back."""
    deleted = request.args.get("deleted")
    gone = services().storage.conversations.deleted(visitor(), deleted) if deleted else None
    if gone and not permissions.may_see(gone.agent):
        gone = None
    return page(None, permissions.choose_agent(request.args.get("agent") or None).id, gone=gone)


@bp.get("/c/<conversation_id>")
def conversation(conversation_id: str) -> Response:
    """A conversation: its newest branch or the one `?at=` an answer, its end or what is `?before=` one.

    `?edit=` an answer offers its question to be asked in other words.
    """
    return page(conversation_id, None)


def page(
    conversation_id: str | None,
    agent_id: str | None,
    problem: str | None = None,
    draft: str = "",
    status: int = 200,
    gone: Conversation | None = None,
) -> Response:
    """The chat page. Raises Refusal not_found for another visitor's conversation."""
    site = services()
    talk = site.storage.conversations.get(visitor(), conversation_id) if conversation_id else None
    if talk:
        permissions.require_visible(talk.agent)
    agents = permissions.allowed_agents()
    agent = site.agents.get(talk.agent if talk else agent_id or "") or agents[0]
    permissions.require_agent(agent)
    shown = presenting.BranchPage([])
    if talk:
        tree = site.storage.conversations.tree(talk.id)
        branch = tree.branch(request.args.get("at") or None)
        shown = presenting.branch_page(talk, tree, branch, request.args.get("before"))
    edited = next((one for one in shown.exchanges if one.id == request.args.get("edit")), None)
    return rendered(
        "page.html",
        status,
        agents=[site.introductions.of(one) for one in agents],
        agent=site.introductions.of(agent),
        unreachable=site.health.unreachable(),
        conversation=talk,
        shown=shown,
        exchanges=shown.exchanges,
        share=_address_of(site.storage.shares.of(talk.id)) if talk else None,
        gone=gone,
        problem=problem,
        instead=edited.id if edited else request.form.get("instead"),
        draft=draft or (edited.question if edited else ""),
        accepts=site.uploads.accepts(agent),
        max_files=PER_QUESTION,
        max_file_bytes=site.uploads.most_bytes,
        max_chars=site.settings.max_message_chars,
    )


def rendered(template: str, status: int = 200, **content: Any) -> Response:
    """A page with the sidebar. It is the visitor's own, so nobody may keep a copy."""
    response = make_response(render_template(template, **presenting.sidebar(), **content), status)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "Accept-Language, Cookie"
    return response


def _address_of(share: Share | None) -> str | None:
    """Where a link leads, as others can open it."""
    return public_address("sharing.shared", token=share.token) if share else None


def public_address(endpoint: str, **values: Any) -> str:
    """The whole address of a page of ours, as others can open it."""
    base = services().settings.public_url or request.host_url.rstrip("/")
    return f"{base}{url_for(endpoint, **values)}"
