"""Baidu Wenxin's agent API (platforms/wenxin.md): tokens nobody needs, answers as packets or as a
whole.
"""

import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from flask import Blueprint, Response, g, jsonify, request
from flask.typing import ResponseReturnValue

from emulator.accounts import WENXIN_AGENTS
from emulator.control import OWN
from emulator.faults import transport_fault
from emulator.responding import respond
from emulator.speech import compose
from emulator.state import here, note, resolve_alias, violation
from emulator.stream import Cut, Step, Wait, reframe
from emulator.wenxin.plan import Plan
from emulator.words import MagicWords, read

LABELS = {
    1000: "invalid input",
    1001: "system error",
    1002: "rate limit exceeded",
    1003: "generate failed",
    1005: "hit kunlun",
    1006: "agent is offline",
    1113: "hit 3s words",
    1115: "agent usage limit exceeded",
    1116: "api access deny",
}
REFUSALS = {
    "unauthorized": 1116,
    "unknown": 1116,
    "unpublished": 1006,
    "blocked": 1113,
    "busy": 1002,
    "quota": 1115,
}
CONTENT_TYPES = ("text", "image", "file", "multimodal")
FIELDS = {"message", "source", "from", "openId", "threadId"}

bp = Blueprint("wenxin", __name__)


class Refused(Exception):
    """Raised where the platform says no: with HTTP 200, and a code of its own."""

    def __init__(self, code: int) -> None:
        super().__init__(LABELS.get(code, "refused"))
        self.code = code


@dataclass
class Thread:
    """One thread of one end user with one agent."""

    id: str
    app_id: str
    open_id: str
    questions: list[str] = field(default_factory=list)


@dataclass
class WenxinStore:
    """The threads, and the number of the last call; State.lock is held while it is read or
    changed.
    """

    threads: dict[str, Thread] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: count(3_000_000_001))

    def begin(self, app_id: str, open_id: str) -> Thread:
        thread = Thread(f"emu-thread-{secrets.token_hex(8)}", app_id, open_id)
        self.threads[thread.id] = thread
        return thread


@bp.errorhandler(Refused)
def refuse(error: Refused) -> ResponseReturnValue:
    payload = {"status": error.code, "message": str(error), "logid": _logid(), "data": None}
    state = here()
    if state.settings.wenxin_errors_as_events and request.path.endswith("/conversation"):
        return Response(
            f"event:message\ndata:{json.dumps(payload)}\n\n", mimetype="text/event-stream"
        )
    return jsonify(payload)


def unknown_endpoint() -> ResponseReturnValue:
    paths = ("/assistant/getAnswer", "/assistant/conversation", "/oauth/2.0/token")
    return jsonify(error="no such call"), 405 if request.path in paths else 404


@bp.route("/oauth/2.0/token", methods=["GET", "POST"])
def token() -> ResponseReturnValue:
    if request.values.get("grant_type") != "client_credentials":
        return _refuse_client(
            "unsupported_grant_type", "The authorization grant type is not supported"
        )
    agent = WENXIN_AGENTS.get(request.values.get("client_id", ""))
    if agent is None:
        return _refuse_client("invalid_client", "unknown client id")
    if agent.secret != resolve_alias(request.values.get("client_secret")):
        return _refuse_client("invalid_client", "Client authentication failed")
    life_s, ends = 2_592_000, int(time.time()) + 2_592_000
    return jsonify(
        access_token=f"24.{secrets.token_hex(16)}.{life_s}.{ends}.282335-10000001",
        expires_in=life_s,
        refresh_token=f"25.{secrets.token_hex(16)}.315360000.{ends}.282335-10000001",
        scope="public smartapp_snsapi_base",
        session_key="",
        session_secret="",
    )


def _refuse_client(error: str, description: str) -> ResponseReturnValue:
    return jsonify(error=error, error_description=description), here().settings.wenxin_token_status


@bp.post("/assistant/conversation")
def conversation() -> ResponseReturnValue:
    return _answer(lambda plan, words: respond(reframe(plan.steps(), words)))


@bp.post("/assistant/getAnswer")
def get_answer() -> ResponseReturnValue:
    return _answer(_respond_whole)


def _respond_whole(plan: Plan, words: MagicWords) -> Response:
    steps: list[Step] = [Wait(plan.wait_s()), *_body_steps(plan.whole(), words)]
    return respond(reframe(steps, words, is_sse=False), mimetype="application/json")


def _body_steps(body: bytes, words: MagicWords) -> list[Step]:
    half = len(body) // 2
    if words.has("cut"):
        at = next((index for index in range(half, len(body)) if body[index] >= 0xC0), half)
        return [body[: at + 1], Cut()]
    return [body[:half]] if words.has("short") else [body]


def _answer(respond_with: Callable[[Plan, MagicWords], Response]) -> ResponseReturnValue:
    app_id = _app_id()
    body = _body(app_id)
    question = _question(body)
    words = read(question)
    fault = transport_fault(words, _error_body)
    if fault is not None:
        return fault
    if words.has("json-error"):
        raise Refused(1001)
    state = here()
    with state.lock:
        thread = _thread(body, app_id)
    _refuse_by_words(words)
    _count(app_id)
    with state.lock:
        thread = thread or state.store(WenxinStore).begin(app_id, body["openId"])
        earlier = list(thread.questions)
        thread.questions.append(question)
    ids = {"threadId": thread.id, "msgId": secrets.token_hex(16)}
    note(thread_id=thread.id, msg_id=ids["msgId"], open_id=body["openId"])
    has_other_source = body["source"] != app_id
    plain = MagicWords({word: values for word, values in words.numbers.items() if word != "image"})
    speech = compose(question, MagicWords({"empty": ()}) if has_other_source else plain, earlier)
    picture = f"{request.host_url.rstrip('/')}{OWN}/picture.png"
    return respond_with(Plan(ids, _logid(), speech, words, state.settings, picture), words)


def _error_body(status: int) -> dict[str, Any]:
    """The code that says about the same as an HTTP status."""
    code = {400: 1000, 401: 1116, 403: 1116, 404: 1006, 429: 1002}.get(status, 1001)
    return {"status": code, "message": LABELS[code], "logid": _logid(), "data": None}


def _app_id() -> str:
    """Whoever calls, by the two keys in the query and by nothing else."""
    app_id = request.args.get("appId", "")
    agent = WENXIN_AGENTS.get(app_id)
    if agent is None or resolve_alias(request.args.get("secretKey")) != agent.secret:
        raise Refused(1116)
    if not agent.is_online:
        raise Refused(1006)
    return app_id


def _body(app_id: str) -> dict[str, Any]:
    body = request.get_json(silent=True) if request.mimetype == "application/json" else None
    wrong = "the body is no JSON object" if not isinstance(body, dict) else _breach(body, app_id)
    if wrong:
        violation("bad_request", wrong)
        raise Refused(1000)
    assert isinstance(body, dict)
    return body


def _breach(body: dict[str, Any], app_id: str) -> str | None:
    """The first rule that a body breaks. Stricter than reality, on purpose."""
    if set(body) - FIELDS:
        return f"unknown field {min(set(body) - FIELDS)}"
    if body.get("from") != "openapi":
        return "from must be openapi"
    if body.get("source") != app_id and not here().settings.wenxin_soft:
        return "source must be the appId"
    if not re.fullmatch(r"[A-Za-z0-9_]{1,100}", str(body.get("openId", ""))):
        return "openId must be 1 to 100 letters, digits and underscores"
    if not isinstance(body.get("threadId", ""), str):
        return "threadId must be a text"
    if not _question(body).strip():
        return "message.content must be of a known type and hold a text"
    return None


def _question(body: dict[str, Any]) -> str:
    """The text of the question; empty when there is none. A picture or a file is named, not
    understood.
    """
    message = body.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, dict) or content.get("type") not in CONTENT_TYPES:
        return ""
    value = content.get("value")
    if content["type"] == "multimodal":
        texts = (
            [part for part in value if part.get("type") == "text"]
            if isinstance(value, list)
            else []
        )
        value = texts[0].get("value") if texts else None
    if content["type"] in ("image", "file"):
        return "图片理解功能暂未开放" if isinstance(value, dict) else ""
    text = value.get("showText") if isinstance(value, dict) else None
    return text if isinstance(text, str) else ""


def _thread(body: dict[str, Any], app_id: str) -> Thread | None:
    """The thread that goes on; None where a new one begins."""
    thread_id, state = body.get("threadId"), here()
    if not thread_id:
        return None
    thread = state.store(WenxinStore).threads.get(thread_id)
    if thread is None and state.settings.wenxin_soft:
        return None
    if thread is None or (thread.app_id, thread.open_id) != (app_id, body["openId"]):
        raise Refused(1000)
    return thread


def _refuse_by_words(words: MagicWords) -> None:
    for word, code in REFUSALS.items():
        if words.has(word):
            raise Refused(code)
    if words.has("code"):
        raise Refused(int(words.number("code", 1001)))


def _count(app_id: str) -> None:
    state = here()
    if not state.limits.allows(("wenxin", app_id), state.settings.wenxin_rate):
        violation("rate", f"more than {state.settings.wenxin_rate} questions a second")
        raise Refused(1002)
    today = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 8 * 3600))
    daily = state.settings.wenxin_daily
    count_today = state.limits.use(("wenxin", "day", app_id, today))
    if daily and count_today > daily:
        violation("quota", f"more than {daily} questions in a day")
        raise Refused(1115)


def _logid() -> str:
    """One number for a call, however often it is sent."""
    if "wenxin_logid" not in g:
        with here().lock:
            g.wenxin_logid = str(next(here().store(WenxinStore).numbers))
    return str(g.wenxin_logid)
