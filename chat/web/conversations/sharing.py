"""Links by which others may read a conversation: made, withdrawn, followed."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

from flask import (
    Blueprint,
    Response,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response as AnyResponse

from chat.page import qr
from chat.refusals import Refusal
from chat.storage import Conversation
from chat.storage.conversations import Tree
from chat.storage.titles import beginning, title_of
from chat.web import errors, services
from chat.web.conversations import exchanges
from chat.web.conversations.pages import public_address
from chat.web.frame.static import address as look_address
from chat.web.gate.body_fields import fields_of, is_yes
from chat.web.gate.visitors import visitor

bp = Blueprint("sharing", __name__)
# Of a question in a link's preview: messengers show two or three lines.
PREVIEW_CHARS = 120


@bp.post("/c/<conversation_id>/share")
def share(conversation_id: str) -> AnyResponse:
    """Makes a link to the branch through `at` as it is now.

    An earlier link of the conversation ends, but for `same`: it stays, and has what is sent now.
    With `preview` messengers may show the first question.
    """
    site = services()
    site.storage.conversations.get(visitor(), conversation_id)
    # Another body than a form or JSON is refused, or the link would show what was not meant.
    fields = fields_of(request) if request.content_length else request.form
    link = site.storage.shares.create(
        visitor(),
        conversation_id,
        _shown(fields),
        # A box without its tick is not sent.
        is_previewed=is_yes(fields.get("preview", False)),
        is_same=is_yes(fields.get("same", False)),
    )
    if errors.wants_html():
        return _back(conversation_id)
    address = public_address("sharing.shared", token=link.token)
    drawing = qr.code(address)
    body = {"url": url_for("sharing.shared", token=link.token), "address": address}
    response = jsonify({**body, "qr": {"size": drawing.size, "path": drawing.path}})
    response.status_code = 201
    return response


@bp.post("/c/<conversation_id>/unshare")
def unshare(conversation_id: str) -> AnyResponse:
    """Withdraws the link."""
    services().storage.shares.withdraw(visitor(), conversation_id)
    return _back(conversation_id) if errors.wants_html() else Response(status=204)


@bp.get("/s/<token>")
def shared(token: str) -> Response:
    """The conversation behind a link, for anybody who has it. No cookie is set."""
    site = services()
    share, conversation, ids = site.storage.shares.resolve(token)
    agent = site.agents.get(conversation.agent) or site.agents.default
    tree = site.storage.conversations.tree(conversation.id)
    response = make_response(
        render_template(
            "shared.html",
            agent=site.introductions.of(agent),
            conversation=conversation,
            title=_title(conversation, tree, ids),
            preview=_preview(conversation, ids) if share.is_previewed else "",
            branch=exchanges.branch_page(conversation, tree, ids, request.args.get("before")),
            token=token,
            picture=urljoin(public_address("pages.home"), look_address("icon-512.png")),
        )
    )
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    # The address is the key, so it must not reach other sites.
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _title(conversation: Conversation, tree: Tree, ids: list[str]) -> str:
    """The conversation's title. One that was made of a question that the link does not show gives
    way to one of the question that stands in its place.
    """
    first = tree.versions(ids[0])[0]
    if first == ids[0]:
        return conversation.title
    conversations = services().storage.conversations
    replaced, shown = conversations.answers(conversation.id, [first, ids[0]])
    is_made = conversation.title == title_of(replaced.question)
    return title_of(shown.question) if is_made else conversation.title


def _preview(conversation: Conversation, ids: list[str]) -> str:
    """The beginning of the first question that the link shows."""
    (first,) = services().storage.conversations.answers(conversation.id, ids[:1])
    return beginning(first.question, PREVIEW_CHARS)


def _shown(fields: Mapping[str, Any]) -> str | None:
    """An answer on the branch that is shared; None for the newest branch."""
    answer_id = fields.get("at") or None
    if not isinstance(answer_id, str | None):
        raise Refusal("bad_input", "no answer")
    return answer_id


def _back(conversation_id: str) -> AnyResponse:
    return redirect(url_for("pages.conversation", conversation_id=conversation_id, menu=1), 303)
