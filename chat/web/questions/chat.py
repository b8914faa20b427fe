"""/chat: a question is asked, its answer followed, stopped."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, request, stream_with_context, url_for
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response as AnyResponse

from chat.agents.offered import Agent
from chat.answers.live import Failed, Finished, LiveAnswer, Lost, RemoteAnswer, is_unread
from chat.answers.partial import PartialAnswer
from chat.answers.question import Question
from chat.refusals import Refusal, SignInNeeded
from chat.server.slow_clients import TimedSocket
from chat.storage import Answer, StoredQuestion
from chat.storage.engine.kinds import StorageError, is_trouble
from chat.web import errors, services
from chat.web.answers.ended_answers import blocks_of
from chat.web.answers.events import HEARTBEAT, QUIET_S, EventWriter, PageReader
from chat.web.conversations.exchanges import answer_details
from chat.web.conversations.pages import page
from chat.web.gate import permissions
from chat.web.gate.visitors import address, asker, visitor
from chat.web.questions import files
from chat.web.questions.chat_request import ChatRequest, read_chat_request

bp = Blueprint("chat", __name__)
# How long a page without JavaScript waits for its answer, and for the end of one that it stops.
FORM_WAIT_S = 20.0
STOP_WAIT_S = 5.0


@bp.post("/chat")
def ask() -> AnyResponse:
    """One turn: events, one JSON answer, or a redirect to the conversation."""
    is_form = request.mimetype in ("application/x-www-form-urlencoded", "multipart/form-data")
    if is_form:
        return _ask_by_form()
    chat_request = read_chat_request(
        request, services().agents, services().settings.max_message_chars
    )
    wants_events = chat_request.wants_events or request.accept_mimetypes.best == "text/event-stream"
    if not wants_events:
        with _waiting():
            has_hung_up = _connection_watch()
            _, stored, live = _start(
                chat_request, streaming=False, is_abandoned=lambda live: has_hung_up()
            )
            return _whole_answer(stored, live)
    with _reading() as leave:
        agent, stored, live = _start(chat_request, streaming=True, is_abandoned=is_unread)
        return _event_stream(
            _writer(stored.conversation_id, stored.answer_id, agent.id, 0).live(live), leave
        )


def _connection_watch() -> Callable[[], bool]:
    """What says whether the client of the request at hand has hung up; never, if unknown."""
    connection = request.environ.get("gunicorn.socket")
    if not isinstance(connection, TimedSocket):
        return lambda: False
    return lambda: connection.has_hung_up


def _ask_by_form() -> AnyResponse:
    try:
        chat_request = read_chat_request(
            request, services().agents, services().settings.max_message_chars
        )
        sent_files = [file for file in request.files.getlist("files") if file.filename]
        with _waiting():
            _, stored, live = _start(chat_request, streaming=True, sent_files=sent_files)
            _wait_for_end(live, FORM_WAIT_S)
    except SignInNeeded:
        raise
    except Refusal as refusal:
        errors.count_refusal(refusal.code)
        response = page(
            request.form.get("conversation_id") or None,
            request.form.get("agent"),
            problem=errors.sentence_for(refusal),
            draft=request.form.get("message", ""),
            status=refusal.status or errors.STATUS[refusal.code],
            instead=request.form.get("instead"),
        )
        return errors.with_retry_after(response, refusal.retry_after)
    return _redirect_to(stored.conversation_id, stored.answer_id)


@bp.get("/chat/<message_id>/events")
def follow(message_id: str) -> AnyResponse:
    """Reads an answer on from Last-Event-ID, live or finished."""
    answer = services().storage.answers.get(visitor(), message_id)
    last = request.headers.get("Last-Event-ID", "0")
    position = int(last) if last.isascii() and last.isdigit() and len(last) < 16 else 0
    writer = _writer(answer.conversation_id, answer.id, answer.conversation.agent, position)
    with _reading() as leave:
        return _event_stream(_follow_events(answer, writer), leave)


@bp.post("/chat/<message_id>/stop")
def stop(message_id: str) -> AnyResponse:
    """Asks an answer to end, here and at the platform. One that has ended already is no error."""
    answer = services().storage.answers.get(visitor(), message_id)
    services().live_answers.stop(message_id)
    if errors.wants_html():
        if (live := services().live_answers.find(message_id)) is not None:
            with suppress(Lost):
                _wait_for_end(live, STOP_WAIT_S)
        return _redirect_to(answer.conversation_id, answer.id)
    response = jsonify({"message_id": message_id})
    response.status_code = 202
    return response


def _redirect_to(conversation_id: str, answer_id: str) -> AnyResponse:
    """Leads a browser to the exchange itself, and a program to the conversation.

    Without the script a conversation opens at its top.
    """
    anchor = f"m-{answer_id}" if errors.wants_html() else None
    location = url_for("pages.conversation", conversation_id=conversation_id, _anchor=anchor)
    return redirect(location, 303)


def _start(
    chat_request: ChatRequest,
    streaming: bool,
    sent_files: Sequence[FileStorage] = (),
    is_abandoned: Callable[[LiveAnswer], bool] = lambda live: False,
) -> tuple[Agent, StoredQuestion, LiveAnswer]:
    """Begins the turn, with the files it names and those `sent_files` along."""
    agent = permissions.require_agent(chat_request.agent or _agent_of(chat_request.conversation_id))
    if sent_files:
        # Before they are stored: a question that is refused leaves none behind.
        services().limits.check_question(visitor(), address())
    sent_ids = [str(files.keep(agent, file)["id"]) for file in sent_files]
    attachments = services().uploads.take(visitor(), chat_request.files + sent_ids, agent)
    question = Question(
        visitor=visitor(),
        agent=agent,
        text=chat_request.message,
        conversation_id=chat_request.conversation_id,
        after=chat_request.after,
        instead=chat_request.instead,
        attachments=attachments,
        streaming=streaming,
        is_abandoned=is_abandoned,
        address=address(),
        access=asker().access_name,
        spend=permissions.day_budget(),
    )
    stored, live = services().turns.begin_answer(question)
    return agent, stored, live


def _agent_of(conversation_id: str | None) -> Agent:
    """The agent of a conversation; without one, the first that the visitor may ask."""
    if not conversation_id:
        return permissions.choose_agent(None)
    return services().agents.named(
        services().storage.conversations.get(visitor(), conversation_id).agent
    )


def _writer(conversation_id: str, message_id: str, agent_id: str, position: int) -> EventWriter:
    opening = {"conversation_id": conversation_id, "message_id": message_id, "agent": agent_id}
    reader = _page_reader(message_id, agent_id) if request.args.get("html") == "live" else None
    return EventWriter(
        opening,
        position,
        lambda failed: errors.sentence(failed.code, failed.retry_after),
        reader,
    )


def _page_reader(message_id: str, agent_id: str) -> PageReader:
    site, reader = services(), visitor()
    agent = site.agents.get(agent_id)
    picture = site.pictures.addresses(agent) if agent else None

    def details() -> dict[str, Any]:
        # An answer may be deleted while it is read.
        with suppress(Refusal):
            return answer_details(site.storage.answers.get(reader, message_id))
        return {}

    return PageReader(site.live_drawings, details, picture)


def _follow_events(answer: Answer, writer: EventWriter) -> Iterator[bytes]:
    """The live answer while it can be followed, else the stored one once it has ended."""
    live = services().live_answers.find(answer.id)
    while live is not None or answer.state == "running":
        try:
            if live is not None:
                yield from _live_events(answer, live, writer)
                return
        except Lost:
            writer = writer.reopen()
        # Its process has died or is out of reach. If it died, the housekeeper of another process
        # takes the answer over within seconds.
        yield HEARTBEAT
        time.sleep(min(1.0, QUIET_S))
        try:
            answer = _look_again(answer)
        except Refusal as refusal:
            # Deleted meanwhile, or another visitor's by now.
            yield writer.failed(refusal.code)
            return
        if live is not None and answer.state != "running":
            break
        live = services().live_answers.find(answer.id)
    yield from writer.stored(answer, lambda: _blocks_of(answer))


def _look_again(answer: Answer) -> Answer:
    """The answer as it is stored now; as it was, while the database is in trouble."""
    try:
        return services().storage.answers.get(visitor(), answer.id)
    except StorageError as error:
        if not is_trouble(error):
            raise
        return answer


def _blocks_of(answer: Answer) -> list[str]:
    agent = services().agents.get(answer.conversation.agent)
    return blocks_of([answer], agent)[answer.id]


def _live_events(
    answer: Answer, live: LiveAnswer | RemoteAnswer, writer: EventWriter
) -> Iterator[bytes]:
    """Follows a live answer.

    Raises Lost, also when the answer of another process has ended and its copy does not say so.
    """
    for chunk in writer.live(live):
        yield chunk
        is_doubtful = chunk is HEARTBEAT and not isinstance(live, LiveAnswer)
        if is_doubtful and not services().storage.answers.is_running(answer.id):
            raise Lost


@contextmanager
def _reading() -> Iterator[Callable[[], None]]:
    """A place for a reader of events; yields the function that gives it back.

    Raises StreamRefusal.
    """
    leave = services().streams.enter(address())
    try:
        yield leave
    except BaseException:
        leave()
        raise


@contextmanager
def _waiting() -> Iterator[None]:
    """A place for a caller who waits for a whole answer, which holds a connection as well.

    The address has no limit of its own here: its rate of questions is one.
    """
    leave = services().streams.enter("")
    try:
        yield
    finally:
        leave()


def _event_stream(chunks: Iterator[bytes], leave: Callable[[], None]) -> Response:
    response = Response(stream_with_context(chunks), mimetype="text/event-stream")
    response.call_on_close(leave)
    # A proxy that compresses would hold words back until there are enough of them.
    response.headers["Cache-Control"] = "no-store, no-transform"
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _whole_answer(stored: StoredQuestion, live: LiveAnswer) -> Response:
    """Waits for the end and answers in one piece."""
    partial = PartialAnswer()
    for batch in live.follow():
        for _, entry in batch:
            if isinstance(entry, Failed):
                return errors.error_response(entry.code, retry_after=entry.retry_after)
            if not isinstance(entry, Finished):
                partial.apply(entry)
    content = partial.content
    return jsonify(
        {
            "replies": content.replies,
            "conversation_id": stored.conversation_id,
            "message_id": stored.answer_id,
            "suggestions": content.suggestions,
            "usage": content.usage,
        }
    )


def _wait_for_end(live: LiveAnswer | RemoteAnswer, seconds: float) -> None:
    until = time.monotonic() + seconds
    for _ in live.follow(quiet_s=1.0):
        if time.monotonic() > until:
            return
