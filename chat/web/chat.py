"""/chat: a question is asked, its answer followed, stopped."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from flask import Blueprint, Response, jsonify, redirect, request, stream_with_context, url_for
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response as AnyResponse

from chat.agents.offered import Agent
from chat.answers.live import Failed, Finished, LiveAnswer, Lost, RemoteAnswer
from chat.answers.partial import PartialAnswer
from chat.answers.turns import Inquiry
from chat.refusals import Refusal, SignInNeeded
from chat.storage import Answer, StoredQuestion
from chat.storage.sqlite import StorageError, is_trouble
from chat.web import errors, files, permissions, services
from chat.web.chat_request import ChatRequest, read_chat_request
from chat.web.events import HEARTBEAT, QUIET_S, Wire
from chat.web.pages import page
from chat.web.visitors import address, visitor

bp = Blueprint("chat", __name__)
FORM_WAIT_S = (
    20.0  # a page without JavaScript waits so long for its answer before it comes back without
)
STOP_WAIT_S = 5.0  # and so long for the end of one that it stops


@bp.post("/chat")
def ask() -> AnyResponse:
    """One turn: events, one JSON answer, or a redirect to the conversation."""
    is_form = request.mimetype in ("application/x-www-form-urlencoded", "multipart/form-data")
    if is_form:
        return _ask_by_form()
    asked = read_chat_request(request, services().agents, services().settings.max_message_chars)
    wants_events = asked.wants_events or request.accept_mimetypes.best == "text/event-stream"
    if not wants_events:
        with _waiting():
            _, stored, live = _start(asked, streaming=False)
            return _whole(stored, live)
    with _reading() as leave:
        agent, stored, live = _start(asked, streaming=True)
        return _events(
            _wire(stored.conversation_id, stored.answer_id, agent.id, 0).live(live), leave
        )


def _ask_by_form() -> AnyResponse:
    try:
        asked = read_chat_request(request, services().agents, services().settings.max_message_chars)
        sent = [one for one in request.files.getlist("files") if one.filename]
        with _waiting():
            _, stored, live = _start(asked, streaming=True, sent=sent)
            _wait(live, FORM_WAIT_S)
    except SignInNeeded:
        raise
    except Refusal as refusal:
        errors.note(refusal.code)
        response = page(
            request.form.get("conversation_id") or None,
            request.form.get("agent"),
            problem=errors.told(refusal),
            draft=request.form.get("message", ""),
            status=refusal.status or errors.STATUS[refusal.code],
        )
        return errors.with_patience(response, refusal.retry_after)
    return _led_to(stored.conversation_id, stored.answer_id)


@bp.get("/chat/<message_id>/events")
def follow(message_id: str) -> AnyResponse:
    """Reads an answer on from Last-Event-ID, live or finished."""
    answer = services().storage.answers.get(visitor(), message_id)
    last = request.headers.get("Last-Event-ID", "0")
    position = int(last) if last.isascii() and last.isdigit() and len(last) < 16 else 0
    wire = _wire(answer.conversation_id, answer.id, answer.conversation.agent, position)
    with _reading() as leave:
        return _events(_followed(answer, wire), leave)


@bp.post("/chat/<message_id>/stop")
def stop(message_id: str) -> AnyResponse:
    """Asks an answer to end, here and at the platform. One that has ended already is no error."""
    answer = services().storage.answers.get(visitor(), message_id)
    services().live_answers.stop(message_id)
    if errors.wants_html():
        if (live := services().live_answers.find(message_id)) is not None:
            with suppress(Lost):
                _wait(live, STOP_WAIT_S)
        return _led_to(answer.conversation_id, answer.id)
    response = jsonify({"message_id": message_id})
    response.status_code = 202
    return response


def _led_to(conversation_id: str, answer_id: str) -> AnyResponse:
    """To the exchange itself: without the script a conversation is shown from its top. A program gets the
    conversation's plain address.
    """
    anchor = f"m-{answer_id}" if errors.wants_html() else None
    place = url_for("pages.conversation", conversation_id=conversation_id, _anchor=anchor)
    return redirect(place, 303)


def _start(
    asked: ChatRequest, streaming: bool, sent: Sequence[FileStorage] = ()
) -> tuple[Agent, StoredQuestion, LiveAnswer]:
    """Begins the turn, with the files it names and those `sent` along."""
    agent = permissions.require_agent(asked.agent or _agent_of(asked.conversation_id))
    # Before its files are stored: a question that is refused leaves none behind.
    services().limits.check_question(visitor(), address())
    ids = asked.files + [str(files.keep(agent, one)["id"]) for one in sent]
    attachments = services().uploads.take(visitor(), ids, agent)
    inquiry = Inquiry(
        visitor(),
        agent,
        asked.message,
        asked.conversation_id,
        streaming,
        attachments,
        asked.after,
        asked.instead,
        address(),
        permissions.day_budget(),
    )
    stored, live = services().turns.start(inquiry)
    return agent, stored, live


def _agent_of(conversation_id: str | None) -> Agent:
    """In a conversation its own agent answers, else the site's default."""
    if not conversation_id:
        return permissions.choose_agent(None)
    return services().agents.named(
        services().storage.conversations.get(visitor(), conversation_id).agent
    )


def _wire(conversation_id: str, message_id: str, agent_id: str, position: int) -> Wire:
    opening = {"conversation_id": conversation_id, "message_id": message_id, "agent": agent_id}
    is_page = request.args.get("html") == "live"
    agent = services().agents.get(agent_id)
    picture = services().pictures.addresses(agent) if agent else None
    return Wire(
        opening,
        position,
        is_page,
        lambda failed: errors.sentence(failed.code, failed.retry_after),
        picture,
    )


def _followed(answer: Answer, wire: Wire) -> Iterator[bytes]:
    while (
        live := services().live_answers.find(answer.id)
    ) is not None or answer.state == "running":
        try:
            if live is not None:
                yield from _live(answer, live, wire)
                return
        except Lost:
            wire = wire.again()
        # Its process has died, or cannot be heard; if it died, the housekeeper of one that lives will take it over
        # within seconds.
        yield HEARTBEAT
        time.sleep(min(1.0, QUIET_S))
        try:
            answer = services().storage.answers.get(visitor(), answer.id)
        except Refusal as refusal:  # deleted meanwhile, or somebody else's
            yield wire.failed(refusal.code)
            return
        except StorageError as error:
            if not is_trouble(error):
                raise
        if live is not None and answer.state != "running":
            break
    yield from wire.stored(answer)


def _live(answer: Answer, live: LiveAnswer | RemoteAnswer, wire: Wire) -> Iterator[bytes]:
    """Follows a log. One of another process is Lost, too, when its answer has ended without a word."""
    for chunk in wire.live(live):
        yield chunk
        is_doubtful = chunk is HEARTBEAT and not isinstance(live, LiveAnswer)
        if is_doubtful and not services().storage.answers.is_running(answer.id):
            raise Lost


@contextmanager
def _reading() -> Iterator[Callable[[], None]]:
    """A place among those who read answers; what is yielded gives it back. Raises StreamRefusal."""
    leave = services().streams.enter(address())
    try:
        yield leave
    except BaseException:
        leave()
        raise


@contextmanager
def _waiting() -> Iterator[None]:
    """A place among them for who waits for an answer in one piece: it holds a connection as well. Of those an
    address may have as many as its rate lets it.
    """
    leave = services().streams.enter("")
    try:
        yield
    finally:
        leave()


def _events(chunks: Iterator[bytes], leave: Callable[[], None]) -> Response:
    response = Response(stream_with_context(chunks), mimetype="text/event-stream")
    response.call_on_close(leave)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _whole(stored: StoredQuestion, live: LiveAnswer) -> Response:
    """Waits for the end and answers in one piece."""
    partial = PartialAnswer()
    for batch in live.follow():
        for _, entry in batch:
            if isinstance(entry, Failed):
                return errors.answer(entry.code, retry_after=entry.retry_after)
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


def _wait(live: LiveAnswer | RemoteAnswer, seconds: float) -> None:
    until = time.monotonic() + seconds
    for _ in live.follow(quiet_s=1.0):
        if time.monotonic() > until:
            return
