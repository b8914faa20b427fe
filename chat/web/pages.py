"""The page: the agent's welcome or a conversation, whole in its HTML."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request, url_for
from markupsafe import Markup

from chat.rendering import render_blocks
from chat.storage import Answer, Conversation
from chat.web import errors, services
from chat.web.language import language
from chat.web.visitors import visitor
from chat.wire import shown

bp = Blueprint("pages", __name__)


@dataclass(frozen=True)
class Exchange:
    """A question and its answer as the page shows them."""

    id: str
    question: str
    files: list[dict[str, Any]]
    state: str
    html: Markup
    thoughts: str
    tools: list[dict[str, Any]]
    media: list[dict[str, Any]]
    citations: list[dict[str, Any]]
    suggestions: list[str]
    problem: str | None
    code: str | None
    is_forgotten: bool


@bp.get("/")
def home() -> Response:
    """A new conversation with the agent of `?agent=`."""
    return page(None, services().agents.named(request.args.get("agent") or None).id)


@bp.get("/c/<conversation_id>")
def conversation(conversation_id: str) -> Response:
    return page(conversation_id, None)


def page(
    conversation_id: str | None,
    agent_id: str | None,
    problem: str | None = None,
    draft: str = "",
    status: int = 200,
) -> Response:
    """The chat page. Raises Refusal not_found for another visitor's conversation."""
    site = services()
    talk = site.storage.conversation_of(visitor(), conversation_id) if conversation_id else None
    agent = site.agents.get(talk.agent if talk else agent_id or "") or site.agents.default
    response = make_response(
        render_template(
            "page.html",
            site_title=site.settings.site_title,
            demo=site.agents.is_demo,
            agents=[site.introductions.of(one) for one in site.agents.all],
            agent=site.introductions.of(agent),
            conversations=site.storage.conversations_of(visitor()),
            conversation=talk,
            exchanges=_exchanges(talk),
            problem=problem,
            draft=draft,
            accepts=site.uploads.accepts(agent),
            max_file_bytes=site.uploads.most_bytes,
            max_chars=site.settings.max_message_chars,
            language=language(),
        ),
        status,
    )
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "Accept-Language, Cookie"
    return response


def _exchanges(talk: Conversation | None) -> list[Exchange]:
    if talk is None:
        return []
    agent = services().agents.get(talk.agent)
    picture = services().pictures.addresses(agent) if agent else _no_picture
    answers = services().storage.answers_in(talk.id)
    return [_exchange(answer, talk.cleared_after, picture) for answer in answers]


def _no_picture(url: str) -> None:
    """Of an agent that this site no longer has nothing is fetched."""


def _exchange(answer: Answer, cleared_after: str | None, picture: Callable[[str], str | None]) -> Exchange:
    return Exchange(
        id=answer.id,
        question=answer.question,
        files=answer.files,
        state=answer.state,
        html=Markup("".join(render_blocks(answer.replies, picture, answer.id))),
        thoughts=answer.thoughts,
        tools=answer.tools,
        media=[{**one, **shown(one, picture)} for one in answer.media],
        citations=answer.citations,
        suggestions=answer.suggestions,
        problem=errors.sentence(answer.code) if answer.code else None,
        code=answer.code,
        is_forgotten=answer.id == cleared_after,
    )


def static_address(version: str) -> Any:
    """`static("js/stream.js")` in a template: the address of this version's file."""

    def address(path: str) -> str:
        return url_for("ops.static_file", version=version, name=path)

    return address
