"""Coze's /v3/chat and the calls around it (platforms/coze.md §1, §2)."""

from collections.abc import Iterable
from itertools import chain
from typing import Any

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from emulator.coze import start
from emulator.coze.checks import (
    caller,
    check_caller,
    check_conversation,
    check_fields,
    check_types,
    hold_rate,
    json_body,
    require_strings,
    spend,
)
from emulator.coze.format import (
    TEXTS,
    Refused,
    answer,
    bad_request,
    error_for_status,
    event,
    logid,
    refusal,
)
from emulator.coze.run import Run
from emulator.coze.store import Conversation, store
from emulator.responding import respond
from emulator.speech import gap_s
from emulator.state import here, note, violation
from emulator.stream import Step, Wait, answer_steps, reframe
from emulator.words import read

bp = Blueprint("coze_chat", __name__)


@bp.post("/v3/chat")
def create() -> ResponseReturnValue:
    with here().lock:
        body = json_body()
        check_types(body)
        token = check_caller(body)
        check_fields(body, token)
        conversation = check_conversation(body, token)
        question = start.question_of(body, conversation)
        spend(token)
        hold_rate(token)
        words = read(question)
        if conversation and words.has("dead"):
            raise Refused(int(words.number("dead", 4200.0)))
        fault = start.refuse_by_words(words, (token.account, question), body["bot_id"])
        if fault is not None:
            return fault
        if conversation and _is_occupied(conversation):
            return _refuse_occupied(bool(body.get("stream")))
        conversation = conversation or store().new_conversation(token.owner, body["bot_id"])
        run = start.begin(body, token, conversation, question)
    note(conversation_id=run.conversation_id, chat_id=run.id)
    return _stream(run) if body.get("stream") else answer(run.as_created())


@bp.route("/v3/chat/retrieve", methods=["GET", "POST"])
def retrieve() -> ResponseReturnValue:
    with here().lock:
        token = caller("getChat")
        run = _run_of(request.args, token.owner)
        if here().limits.polled_too_soon(run.id, here().settings.poll_interval_s):
            violation("polled_too_fast", f"chat {run.id} was asked for more than once a second")
        hold_rate(token)
        if run.words.has("retrieve-http"):
            status = int(run.words.number("retrieve-http", 502))
            return error_for_status(status), status
        run.polls += 1
        if run.words.has("late-chat") and run.polls <= run.words.number("late-chat", 1.0):
            raise Refused(4001)
        if run.words.has("expired-later") and not run.has_refused_poll:
            run.has_refused_poll = True
            raise Refused(700012006, status=401)
        return answer(run.as_retrieved())


@bp.get("/v3/chat/message/list")
def list_messages() -> ResponseReturnValue:
    with here().lock:
        token = caller("chat", "listMessage")
        run = _run_of(request.args, token.owner)
        hold_rate(token)
        if run.status == "failed" or run.words.has("no-data"):
            return answer()
        return answer(_listed(run) if run.status in ("completed", "requires_action") else [])


def _listed(run: Run) -> list[dict[str, Any]]:
    """The messages of a chat that has ended; an early list may lack the answer (§15)."""
    run.lists += 1
    is_early = run.words.has("early-list") and run.lists <= run.words.number("early-list", 1.0)
    if is_early or run.words.has("half-list"):
        return [message for message in run.messages if message["type"] != "answer"]
    return run.messages


@bp.post("/v3/chat/cancel")
def cancel() -> ResponseReturnValue:
    with here().lock:
        token = caller("cancelChat")
        run = _run_of(json_body(), token.owner)
        if run.status not in ("created", "in_progress"):
            raise Refused(4104)
        run.cancel()
        return answer(run.as_retrieved())


@bp.post("/v3/chat/submit_tool_outputs")
def submit_tool_outputs() -> ResponseReturnValue:
    with here().lock:
        token = caller("submitToolChat")
        body = json_body()
        run = _run_of(request.args, token.owner, is_saved=False)
        if not run.is_saved:
            raise Refused(5000)
        stream = body.get("stream", False)
        if not isinstance(stream, bool) or run.status != "requires_action":
            raise bad_request()
        start.resume(run, _outputs(body, run), stream)
    return _stream(run) if stream else answer(run.as_retrieved())


def _run_of(values: Any, owner: str, is_saved: bool = True) -> Run:
    """The chat of these ids, if it is the caller's, is in that conversation and was saved."""
    conversation_id, chat_id = require_strings(values, "conversation_id", "chat_id")
    note(conversation_id=conversation_id, chat_id=chat_id)
    run = store().runs.get(chat_id)
    if run is None or (run.conversation_id, run.owner) != (conversation_id, owner):
        raise Refused(4001)
    if is_saved and not run.is_saved:
        raise Refused(4001)
    return run


def _is_occupied(conversation: Conversation) -> bool:
    """Whether a chat runs there; one that waits for a reply is over with the next message."""
    run = conversation.run
    if run and run.status == "requires_action" and _calls(run)[0]["type"] == "reply_message":
        run.plan.outcome = "completed"
        conversation.settle()
    return conversation.run is not None


def _refuse_occupied(stream: bool) -> ResponseReturnValue:
    """4016 in its recorded forms: an envelope, or a stream of one event."""
    violation("conversation_occupied", "a chat is still running in this conversation")
    if not stream:
        return refusal(Refused(4016))
    return respond(
        [event("error", {"code": 4016, "msg": TEXTS[4016]})], headers={"X-Tt-Logid": logid()}
    )


def _outputs(body: dict[str, Any], run: Run) -> list[str]:
    """The outputs in the order of the calls; every call needs one, and no other may be there."""
    outputs = body.get("tool_outputs")
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        raise bad_request()
    by_call = {}
    for output in outputs:
        call_id, text = output.get("tool_call_id"), output.get("output")
        if not isinstance(call_id, str) or not isinstance(text, str):
            raise bad_request()
        by_call[call_id] = text
    if set(by_call) != {call["id"] for call in _calls(run)}:
        raise bad_request(
            "tool_outputs must answer every tool_call of required_action, and no other."
        )
    return [by_call[call["id"]] for call in _calls(run)]


def _calls(run: Run) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = run.plan.required_action["submit_tool_outputs"]["tool_calls"]
    return calls


def _stream(run: Run) -> Response:
    plan, settings = run.plan, here().settings
    is_stuck = run.words.has("stuck")
    steps: Iterable[Step] = answer_steps(
        run.words,
        plan.opening,
        plan.pieces,
        [] if is_stuck else plan.closing,
        gap_s=gap_s(len(plan.pieces), run.words, settings),
        silence_s=settings.silence_s,
        middle=plan.middle,
        instead=plan.instead,
    )
    if is_stuck:
        steps = chain(steps, [Wait(settings.silence_s)])
    return respond(reframe(steps, run.words), headers={"X-Tt-Logid": logid()}, finished=run.finish)
