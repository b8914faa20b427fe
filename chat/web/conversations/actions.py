"""A visitor's actions on a whole conversation: a form leads to a page, a program gets 204."""

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import cast

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from chat.answers.live import Lost
from chat.refusals import Refusal
from chat.storage.conversations import Conversations
from chat.web import errors, services
from chat.web.gate.body_fields import is_yes, json_object
from chat.web.gate.visitors import become, clear_site_data, visitor
from providers.base import Clears

bp = Blueprint("conversations", __name__)
STOP_S = 5.0
# Of conversations: what a page of the list has, and those that are pinned.
AT_ONCE = 200


@bp.post("/c/<conversation_id>/clear")
def clear(conversation_id: str) -> AnyResponse:
    """Makes the agent forget the conversation; the page keeps it."""
    site = services()
    conversation = site.storage.conversations.get(visitor(), conversation_id)
    agent = site.agents.named(conversation.agent)
    if site.storage.conversations.is_answering(conversation_id):
        raise Refusal("busy", f"conversation {conversation_id}", retry_after=3)
    thread = _conversations().newest_thread(conversation_id) if agent.row.clears else None
    if thread:
        cast(Clears, agent.provider).clear(thread)
    _conversations().clear(visitor(), conversation_id, keep_thread=thread)
    return _done(_page_of(conversation_id))


@bp.post("/c/<conversation_id>/title")
def rename(conversation_id: str) -> AnyResponse:
    """Gives it the title `title`, a form field or a field of JSON."""
    title = (json_object(request) if request.is_json else request.form).get("title")
    if not isinstance(title, str):
        raise Refusal("bad_input", "no title")
    _conversations().rename(visitor(), conversation_id, title)
    return _done(_page_of(conversation_id))


@bp.post("/c/<conversation_id>/pin")
def pin(conversation_id: str) -> AnyResponse:
    """Puts it above the others with `pinned` yes, back among them with no."""
    _conversations().get(visitor(), conversation_id)
    fields = json_object(request) if request.is_json else request.form
    _conversations().pin(visitor(), conversation_id, is_yes(fields.get("pinned")))
    return _done(_page_of(conversation_id))


@bp.post("/c/<conversation_id>/delete")
def delete(conversation_id: str) -> AnyResponse:
    """Deletes it, and ends the answer that is being made; for an hour it can be restored."""
    agent = services().storage.conversations.get(visitor(), conversation_id).agent
    stop_answers(_conversations().live_answers(conversation_id))
    _conversations().delete(visitor(), conversation_id)
    return _done(url_for("pages.home", agent=agent, deleted=conversation_id))


@bp.post("/conversations/delete")
def delete_several() -> AnyResponse:
    """Deletes all whose `id` is given, as `delete` does with one; all of them or none."""
    ids = list(dict.fromkeys(request.form.getlist("id")))
    if not ids and errors.wants_html():
        return redirect(url_for("history.conversations", chosen="none"), 303)
    if not 0 < len(ids) <= AT_ONCE:
        raise Refusal("bad_input", f"{len(ids)} conversations")
    for id in ids:
        _conversations().get(visitor(), id)
    stop_answers([answer for id in ids for answer in _conversations().live_answers(id)])
    _conversations().delete(visitor(), *ids)
    return _done(url_for("history.conversations", deleted=ids[0], count=len(ids)))


@bp.post("/c/<conversation_id>/restore")
def restore(conversation_id: str) -> AnyResponse:
    """Restores a deleted one, with all that were deleted with it."""
    _conversations().restore(visitor(), conversation_id)
    is_list = request.form.get("to") == "list"
    return _done(url_for("history.conversations") if is_list else _page_of(conversation_id))


@bp.post("/forget")
def forget() -> AnyResponse:
    """Deletes everything of the visitor, who becomes a newcomer. `sure` has to be yes."""
    if request.form.get("sure") != "yes":
        raise Refusal("bad_input", "not sure")
    site, forgotten_visitor = services(), visitor()
    stop_answers(site.storage.deletion.live_answers(forgotten_visitor))
    # Before the deletion, because the session stays with the browser and not with the forgotten
    # visitor.
    become(site.visitors.new())
    site.storage.deletion.forget(forgotten_visitor)
    return clear_site_data(_done(url_for("history.conversations", forgotten="yes")))


def stop_answers(answers: Sequence[str]) -> None:
    """Ends live answers, and waits for their ends."""
    live_answers = services().live_answers
    until = time.monotonic() + STOP_S
    for answer_id in answers:
        live_answers.stop(answer_id)
    for answer_id in answers:
        live = live_answers.find(answer_id)
        if live is None:
            continue
        with suppress(Lost):
            for _ in live.follow(quiet_s=STOP_S):
                if time.monotonic() >= until:
                    return


def _conversations() -> Conversations:
    return services().storage.conversations


def _page_of(conversation_id: str) -> str:
    return url_for("pages.conversation", conversation_id=conversation_id)


def _done(page: str) -> AnyResponse:
    return redirect(page, 303) if errors.wants_html() else Response(status=204)
