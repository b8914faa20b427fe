"""What visitors ask and what they are answered, where they are told that the owner may read it."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, request, stream_with_context, url_for
from flask_babel import lazy_gettext as _
from werkzeug.utils import redirect
from werkzeug.wrappers import Response as AnyResponse

from chat.refusals import Refusal
from chat.storage import Answer
from chat.storage.content import Content
from chat.storage.models import now
from chat.visitors.blocks import name_of
from chat.web import errors, services
from chat.web.conversations.actions import stop_answers
from chat.web.conversations.exchanges import exchanges_of
from chat.web.desk import failures, filters, frame
from chat.web.desk.answer_files import as_csv, as_json
from chat.web.desk.labels import agent_name

bp = Blueprint("questions", __name__)

ON_A_PAGE = 50
# Of a conversation, before an answer and from it on.
AROUND = 10
CLOSED = _("The owner of this site does not read questions: OWNER_READS is off.")


@bp.before_request
def require_reading() -> AnyResponse | None:
    """Nothing is read while visitors are not told so: the page then says how that is changed."""
    if services().settings.owner_reads:
        return None
    if request.method != "GET" or not errors.wants_html() or "format" in request.args:
        return errors.error_response("not_found", text=str(CLOSED))
    if request.endpoint == "desk.questions.show":
        return frame.page("questions_closed.html")
    return redirect(url_for("desk.questions.show"), 303)


@bp.get("/questions")
def show() -> AnyResponse:
    """The newest questions with their answers, by the filters; as a file by `?format=`."""
    format = request.args.get("format")
    if format not in (None, "", "csv", "json"):
        raise Refusal("bad_input", "a format that is none")
    if format:
        return _file(format)
    values = filters.values()
    found = services().storage.owner_reading.find(filters.filters(), ON_A_PAGE, filters.before())
    return frame.page(
        "questions.html",
        lines=found.lines,
        is_cut=found.is_cut,
        older=_address(values, before=found.older) if found.older is not None else None,
        is_first="before" not in request.args,
        values=values,
        address=_address,
        states=filters.STATES,
        reason=failures.reason,
        ratings=filters.RATINGS,
        agents=[(agent.id, agent_name(agent.id)) for agent in services().agents.all],
        agent_name=agent_name,
        visitor_name=visitor_name,
        codes=[(name, name) for name in _access_names()],
    )


@bp.get("/questions/<message_id>")
def conversation(message_id: str) -> Response:
    """A part of a conversation as its visitor sees it, and how each answer came."""
    passage = services().storage.owner_reading.passage(message_id, AROUND)
    conversation = passage.answers[0].conversation
    agent = services().agents.get(conversation.agent) or services().agents.default
    return frame.page(
        "conversation.html",
        message_id=message_id,
        passage=passage,
        agent=services().introductions.of(agent),
        visitor=visitor_name(conversation.visitor),
        pairs=list(zip(exchanges_of(passage.answers, conversation), passage.answers, strict=True)),
        tokens=_tokens,
        reason=failures.reason,
        ratings=filters.RATINGS,
    )


@bp.post("/questions/<message_id>/delete")
def delete(message_id: str) -> AnyResponse:
    """Deletes the conversation of an answer for good; `sure` has to be yes."""
    if request.form.get("sure") != "yes":
        raise Refusal("bad_input", "not sure")
    storage = services().storage
    conversation_id = storage.owner_reading.conversation_of(message_id)
    stop_answers(storage.conversations.live_answers(conversation_id))
    count = storage.deletion.delete_conversation(conversation_id)
    storage.owner_log.add("delete", conversations=1, answers=count)
    return frame.changed("desk.questions.show", "deleted")


def visitor_name(visitor: str) -> str:
    """The name by which the owner knows a visitor, as in the log."""
    return name_of(services().visitors.pseudonym(visitor))


def _tokens(answer: Answer) -> int | None:
    return (Content.of(answer).usage or {}).get("total")


def _access_names() -> list[str]:
    """The codes and keys of the settings, as `answers.access` names them."""
    access = services().access
    kinds = (("code", access.codes), ("key", access.keys))
    return [f"{kind}:{code.label}" for kind, codes in kinds for code in codes.all]


def _address(values: dict[str, str], **more: Any) -> str:
    """The address of a list with these filters and some more fields."""
    return f"{url_for('desk.questions.show')}?{urlencode({**values, **more})}"


def _file(format: str) -> Response:
    """All that the filters find, as it is read from the database."""
    answers = _named(services().storage.owner_reading.each(filters.filters()))
    zone = services().settings.time_zone
    chunks = as_csv(answers, zone) if format == "csv" else as_json(answers)
    kind = "text/csv" if format == "csv" else "application/json"
    response = Response(stream_with_context(chunks), content_type=f"{kind}; charset=utf-8")
    name = f"questions-{_stamp(now())}.{format}"
    response.headers["Content-Disposition"] = f"attachment; filename={name}"
    return response


def _named(answers: Iterable[Answer]) -> Iterator[tuple[Answer, str]]:
    for answer in answers:
        yield answer, visitor_name(answer.conversation.visitor)


def _stamp(at: datetime) -> str:
    return f"{at:%Y%m%d-%H%M}"
