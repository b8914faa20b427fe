"""What a visitor does with a conversation as a whole."""

from typing import cast

from flask import Blueprint, Response, redirect, url_for
from werkzeug.wrappers import Response as AnyResponse

from chat.refusals import Refusal
from chat.web import errors, services
from chat.web.visitors import visitor
from providers.base import Clears

bp = Blueprint("conversations", __name__)


@bp.post("/c/<conversation_id>/clear")
def clear(conversation_id: str) -> AnyResponse:
    """The agent forgets what was said; the page keeps it. 204, or back to the page for a form."""
    site = services()
    conversation = site.storage.conversation_of(visitor(), conversation_id)
    agent = site.agents.named(conversation.agent)
    if site.storage.is_answering(conversation_id):
        raise Refusal("busy", f"conversation {conversation_id}", retry_after=3)
    if agent.row.clears and conversation.thread:
        cast(Clears, agent.provider).clear(conversation.thread)
    site.storage.clear(visitor(), conversation_id, keep_thread=agent.row.clears)
    if errors.wants_html():
        return redirect(url_for("pages.conversation", conversation_id=conversation_id), 303)
    return Response(status=204)
