"""Zhipu Qingyan's agent API (platforms/qingyan.md): tokens, answers, files, follow-up questions."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from flask import Blueprint, Response, g, jsonify, request
from flask.typing import ResponseReturnValue

from emulator.accounts import QINGYAN_AGENTS, QINGYAN_KEYS, QingyanKey
from emulator.control import OWN
from emulator.faults import transport_fault
from emulator.qingyan.plan import Plan
from emulator.qingyan.store import Conversation, QingyanStore, Turn, new_id
from emulator.responding import respond
from emulator.speech import compose, gap_s
from emulator.state import here, note, resolve_alias, violation
from emulator.stream import Cut, Step, Wait, answer_steps, reframe, seconds_of
from emulator.words import MagicWords, read

ROOT = "/chatglm/assistant-api/v1"
# The HTTP status each code comes with.
CODES = {
    1: 400,
    1001: 403,
    1002: 401,
    10003: 400,
    10004: 403,
    10005: 400,
    10006: 403,
    10007: 403,
    10008: 403,
    10010: 403,
    10018: 403,
    11003: 500,
    11004: 500,
    11005: 400,
    11006: 400,
    11009: 500,
    12001: 400,
    12002: 401,
}
CHAT_FIELDS = {"assistant_id", "prompt", "conversation_id", "file_list", "meta_data"}

bp = Blueprint("qingyan", __name__, url_prefix=ROOT)


class Refused(Exception):
    """Raised where the platform says no: its code, its words, and the HTTP status if the code has
    none.
    """

    def __init__(self, code: int, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.code, self.message = code, message
        self.status = status or CODES.get(code, 400)


@bp.errorhandler(Refused)
def refuse(error: Refused) -> ResponseReturnValue:
    return jsonify(status=error.code, message=error.message), error.status


def unknown_endpoint() -> ResponseReturnValue:
    is_call = request.path.removeprefix(ROOT) in (
        "/get_token",
        "/stream",
        "/stream_sync",
        "/file_upload",
        "/suggest/prompts",
    )
    return jsonify(status=1, message="no such call"), 405 if is_call else 404


def _requires_token(call: Callable[[], ResponseReturnValue]) -> Callable[[], ResponseReturnValue]:
    """Lets a call through with a good token of an active key; `g.qingyan_key` is that key."""

    @wraps(call)
    def checked() -> ResponseReturnValue:
        g.qingyan_key = _key_of_token()
        return call()

    return checked


@bp.post("/get_token")
def get_token() -> ResponseReturnValue:
    body = _body()
    api_key, secret = resolve_alias(body.get("api_key")), resolve_alias(body.get("api_secret"))
    key = QINGYAN_KEYS.get(api_key) if isinstance(api_key, str) else None
    if key is None or secret != key.secret or key.state == "deleted":
        raise Refused(1002, "api_key or api_secret error")
    if key.state == "disabled":
        raise Refused(1001, "api_key disabled")
    state = here()
    with state.lock:
        life_s = state.settings.qingyan_token_life_s
        if state.settings.qingyan_one_token:
            state.store(QingyanStore).revoke(str(api_key))
        token, ends = state.store(QingyanStore).grant(str(api_key), life_s)
    result = {"access_token": token, "expires_in": life_s, "token_expires": ends}
    return jsonify(message="success", result=result, status=0)


@bp.post("/stream")
@_requires_token
def stream() -> ResponseReturnValue:
    return _answer(_respond_stream)


@bp.post("/stream_sync")
@_requires_token
def stream_sync() -> ResponseReturnValue:
    return _answer(_respond_whole)


@bp.post("/file_upload")
@_requires_token
def file_upload() -> ResponseReturnValue:
    files = list(request.files.items(multi=True))
    if len(files) != 1 or files[0][0] != "file" or request.form:
        violation("bad_request", "file_upload wants exactly one part, named file")
        raise Refused(1, "one file, in a field named file")
    name, data = files[0][1].filename or "", files[0][1].read()
    words = read(name)
    _refuse_by_words(words, busy=10006)
    if len(data) > here().settings.qingyan_upload_limit:
        raise Refused(11006, "file too large")
    release = _enter(10006)
    try:
        time.sleep(words.number("slow", 0.0))
        state, file_id = here(), new_id()
        with state.lock:
            state.store(QingyanStore).files[file_id] = g.qingyan_key.owner
    finally:
        release()
    note(file_id=file_id)
    return jsonify(message="success", result={"file_id": file_id, "file_name": name}, status=0)


@bp.post("/suggest/prompts")
@_requires_token
def suggest() -> ResponseReturnValue:
    body, state = _body(), here()
    with state.lock:
        conversation = _conversation(body.get("conversation_id"))
        if body.get("log_id"):
            turns = [turn for turn in conversation.turns if turn.history_id == body["log_id"]]
            return _suggestions((turns and turns[0].suggestions) or [])
        if conversation.turns and not conversation.turns[-1].is_finished:
            violation("early_suggest", "follow-up questions asked for before the answer had ended")
        finished = [turn for turn in conversation.turns if turn.is_finished]
        if not finished:
            return _suggestions([])
        last = finished[-1]
        words = read(last.question)
        last.suggestions = last.suggestions or list(compose(last.question, words).suggestions)
    if words.has("suggest-http"):
        raise Refused(1, "no suggestions", int(words.number("suggest-http", 500)))
    time.sleep(words.number("suggest-slow", 0.0))
    return _suggestions(last.suggestions)


def _suggestions(prompts: list[str]) -> ResponseReturnValue:
    return jsonify(message="success", result={"list": prompts}, status=0)


@dataclass(frozen=True)
class Question:
    """A chat call that has passed every check."""

    text: str
    words: MagicWords
    conversation: Conversation
    turn: Turn
    plan: Plan
    release: Callable[[], None]


def _answer(respond_with: Callable[[Question], Response]) -> ResponseReturnValue:
    body = _chat_body()
    words = read(body["prompt"])
    fault = transport_fault(words, lambda status: {"status": 1, "message": f"error {status}"})
    if fault is not None:
        return fault
    if words.has("json-error"):
        return jsonify(status=10025, message="system error")
    owner = g.qingyan_key.owner
    _check_agent(body["assistant_id"], owner, words)
    with here().lock:
        conversation = (
            _conversation(body["conversation_id"]) if body.get("conversation_id") else None
        )
        _check_files(body.get("file_list") or [], owner)
    _refuse_by_words(words, busy=10007)
    _check_day(owner)
    release = _enter(10007)
    question = _begin(body, words, conversation, release)
    response = respond_with(question)
    response.call_on_close(release)
    return response


def _respond_stream(question: Question) -> Response:
    plan, settings, words = question.plan, here().settings, question.words
    frames = plan.pieces
    steps = answer_steps(
        words,
        plan.opening,
        [] if plan.fails_at_once else frames,
        plan.closing,
        gap_s=gap_s(len(frames), words, settings),
        silence_s=settings.silence_s,
        middle=plan.middle,
        instead=plan.instead,
    )
    return respond(reframe(steps, words), finished=lambda: _finish(question))


def _respond_whole(question: Question) -> Response:
    """The same answer, after the time that its stream would have taken."""
    plan, settings, words = question.plan, here().settings, question.words
    frames = plan.pieces
    whole = MagicWords(
        {word: values for word, values in words.numbers.items() if word not in ("endless", "short")}
    )
    steps = answer_steps(
        whole,
        [],
        frames,
        [],
        gap_s=gap_s(len(frames), words, settings),
        silence_s=settings.silence_s,
    )
    wait = Wait(settings.silence_s if words.has("endless") else seconds_of(steps))
    return respond(
        reframe([wait, *_body_steps(plan.whole(), words)], words, is_sse=False),
        mimetype="application/json",
        finished=lambda: _finish(question),
    )


def _body_steps(body: bytes, words: MagicWords) -> list[Step]:
    half = len(body) // 2
    if words.has("cut"):
        at = next((index for index in range(half, len(body)) if body[index] >= 0xC0), half)
        return [body[: at + 1], Cut()]
    return [body[:half]] if words.has("short") else [body]


def _finish(question: Question) -> None:
    question.turn.is_finished = True
    question.release()


def _begin(
    body: dict[str, Any],
    words: MagicWords,
    conversation: Conversation | None,
    release: Callable[[], None],
) -> Question:
    state, prompt = here(), body["prompt"]
    with state.lock:
        conversation = conversation or state.store(QingyanStore).begin(
            g.qingyan_key.owner, body["assistant_id"]
        )
        earlier = [turn.question for turn in conversation.turns]
        turn = Turn(prompt, new_id())
        conversation.turns.append(turn)
    note(conversation_id=conversation.id, history_id=turn.history_id)
    plain = MagicWords({word: values for word, values in words.numbers.items() if word != "image"})
    picture = f"{request.host_url.rstrip('/')}{OWN}/picture.png"
    speech = compose(prompt, plain, earlier)
    plan = Plan(conversation.id, turn.history_id, speech, words, state.settings, picture)
    return Question(prompt, words, conversation, turn, plan, release)


def _body() -> dict[str, Any]:
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        violation("bad_request", "the body is no JSON object")
        raise Refused(1, "body must be a JSON object")
    return body


def _chat_body() -> dict[str, Any]:
    body = _body()
    files = body.get("file_list") or []
    wrong = (
        [f"unknown field {name}" for name in sorted(set(body) - CHAT_FIELDS)]
        + [
            f"{name} must be a text"
            for name in ("assistant_id", "prompt")
            if not isinstance(body.get(name), str) or not body[name].strip()
        ]
        + ["file_list must hold objects with file_id"]
        * (
            not isinstance(files, list)
            or any(
                not isinstance(file, dict) or not isinstance(file.get("file_id"), str)
                for file in files
            )
        )
    )
    if wrong:
        violation("bad_request", wrong[0])
        raise Refused(1, wrong[0])
    return body


def _key_of_token() -> QingyanKey:
    match = re.fullmatch(r"Bearer (\S+)", request.headers.get("Authorization", ""))
    state = here()
    with state.lock:
        store = state.store(QingyanStore)
        grant = store.grants.get(match[1]) if match else None
        if match and grant and _question_refuses_token(store):
            del store.grants[match[1]]
            grant = None
    if grant is None or grant.ends_at <= time.monotonic():
        raise _token_refusal()
    key = QINGYAN_KEYS[grant.api_key]
    code = {"deleted": 10003, "disabled": 10004}.get(here().settings.qingyan_key_state)
    if code:
        raise Refused(code, "api_key is not active")
    return key


def _question_refuses_token(store: QingyanStore) -> bool:
    body = request.get_json(silent=True)
    prompt = body.get("prompt") if isinstance(body, dict) else None
    words = read(prompt) if isinstance(prompt, str) else MagicWords({})
    return words.has("unauthorized") or (
        words.has("expired") and store.refusals.refuses((prompt, request.path))
    )


def _token_refusal() -> Refused:
    if here().settings.qingyan_token_refusal == "10018":
        return Refused(10018, "no permission")
    return Refused(401, "token expired", 401)


def _check_agent(assistant_id: str, owner: str, words: MagicWords) -> None:
    agent = QINGYAN_AGENTS.get(assistant_id)
    if (agent and agent.is_deleted) or words.has("unpublished"):
        raise Refused(10010, "assistant deleted")
    if agent is None or agent.owner != owner or words.has("unknown"):
        raise Refused(10018, "no permission")


def _check_files(files: list[dict[str, Any]], owner: str) -> None:
    owners = here().store(QingyanStore).files
    if any(owners.get(file["file_id"]) != owner for file in files):
        raise Refused(10005, "file not found")


def _conversation(conversation_id: object) -> Conversation:
    """Refuses unknown and foreign ids, stricter than what is known of reality."""
    conversations = here().store(QingyanStore).conversations
    conversation = conversations.get(conversation_id) if isinstance(conversation_id, str) else None
    if conversation is None:
        raise Refused(12001, "conversation not found")
    if conversation.owner != g.qingyan_key.owner:
        raise Refused(12002, "conversation belongs to another user")
    return conversation


def _refuse_by_words(words: MagicWords, busy: int) -> None:
    for word, code in (("busy", busy), ("quota", 10008)):
        if words.has(word):
            raise Refused(code, "refused as ordered")
    if words.has("code"):
        raise Refused(int(words.number("code", 10007)), "refused as ordered")


def _check_day(owner: str) -> None:
    state = here()
    today = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 8 * 3600))
    count_today = state.limits.use(("qingyan", "day", owner, today))
    daily = state.settings.qingyan_daily
    if daily and count_today > daily:
        violation("quota", f"more than {daily} questions in a day")
        raise Refused(10008, "daily quota used up")


def _enter(code: int) -> Callable[[], None]:
    """Counts a call that runs; what it returns takes it off again."""
    state, key = here(), ("qingyan", "running", g.qingyan_key.owner)
    limits, at_most = state.limits, state.settings.qingyan_concurrency
    if not limits.enter(key, at_most):
        violation("concurrency", f"more than {at_most} calls at once")
        raise Refused(code, "concurrency exceeded")
    return limits.leaver(key)
