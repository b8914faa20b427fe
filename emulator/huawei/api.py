"""The agent call of Huawei's AI-native application engine (platforms/huawei.md §9).

Words of the engine's own, besides those all platforms share:

    !workflow  !knowledge   a step of this kind before the answer (!cite: as !knowledge, there are
               no sources)
    !step-failed            a step that fails, then an answer that is sorry about it
    !repeat [2]             the last piece repeats the whole text; with 2 it adds some words
    !image [N]              a piece with a `url` and no content, in layout N of four
    !image-only [N]         the same, and no text at all
    !raw                    no content, the text is in `raw`, the model's own output
    !status                 each piece has a `status` beside its content
    !top                    `content` stands beside a `status` at the top, without `data`
    !apology                what an agent says whose model provider has no credentials: an error
                            as an answer
    !late-error [2]         an object with error_code after some pieces; with 2 the code is within
                            `data`
    !apigw N [STATUS]       refused by the gateway with APIGW.N

!code N and !late-code N mean AIAE.N, !blocked is refused with AIAE.31001601, !empty is a stream
without any object. The engine documents no code for too many requests: !busy and !quota are the
gateway's APIGW.0308. It has no end marker, so that !short is an answer like another, and no
suggestions. Settings choose the framing, the names of types, the ids and how empty fields look.
"""

from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from emulator.faults import OncePerQuestion, transport_fault
from emulator.huawei.answer import Answer, Shape
from emulator.huawei.checks import (
    HuaweiRefused,
    agent_of,
    checked_body,
    error_for_status,
    unauthorized,
    unknown_agent,
)
from emulator.responding import respond
from emulator.speech import Speech, compose, gap_s
from emulator.state import here, note
from emulator.stream import answer_steps, reframe
from emulator.words import MagicWords, read

PREFIX = "/v1/routes/open"
IMAGES = ("image", "image-only")

bp = Blueprint("huawei", __name__, url_prefix=PREFIX)

Conversation = tuple[str, str, str]


class HuaweiStore:
    """The questions of each conversation, known by agent, user and conversation."""

    def __init__(self) -> None:
        self.questions: dict[Conversation, list[str]] = {}
        self.expired = OncePerQuestion()


def unknown_endpoint() -> ResponseReturnValue:
    """For a path or method the engine does not have."""
    text = "The API does not exist or has not been published in the environment."
    return jsonify(HuaweiRefused("APIGW.0101", text).body()), 404


@bp.errorhandler(HuaweiRefused)
def refuse(error: HuaweiRefused) -> ResponseReturnValue:
    return jsonify(error.body()), error.http_status


@bp.delete("/<agent_id>/memory")
def forget(agent_id: str) -> ResponseReturnValue:
    """Clears the agent's memory; no conversation can be chosen."""
    agent_of(agent_id)
    kind = request.args.get("type")
    if kind not in ("variables", "fragment", "conversation"):
        raise HuaweiRefused("AIAE.22001004", "参数type异常")
    state = here()
    with state.lock:
        questions = state.store(HuaweiStore).questions
        for key in [key for key in questions if key[0] == agent_id and kind == "conversation"]:
            del questions[key]
    return jsonify(data={"result": True})


@bp.post("/<agent_id>/execute")
def execute(agent_id: str) -> ResponseReturnValue:
    body = checked_body(agent_of(agent_id))
    words = read(body["query"])
    refusal = _refuse_by_words(words, (agent_id, body["query"]))
    return _answer(agent_id, body, words) if refusal is None else refusal


def _refuse_by_words(words: MagicWords, key: tuple[str, str]) -> ResponseReturnValue | None:
    if words.has("unauthorized") or (
        words.has("expired") and here().store(HuaweiStore).expired.refuses(key)
    ):
        raise unauthorized()
    if words.has("unknown") or words.has("unpublished"):
        raise unknown_agent()
    if words.has("busy") or words.has("quota"):
        raise HuaweiRefused("APIGW.0308", "The throttling threshold has been reached")
    if words.has("blocked"):
        raise HuaweiRefused("AIAE.31001601", "请求中包含敏感内容")
    if words.has("json-error"):
        raise HuaweiRefused("AIAE.22001005", "远程调用失败")
    if words.has("code"):
        raise HuaweiRefused(f"AIAE.{int(words.number('code', 22009001)):08d}", "refused as ordered")
    if words.has("apigw"):
        code = f"APIGW.{int(words.number('apigw', 201)):04d}"
        raise HuaweiRefused(code, "refused as ordered", int(words.number("apigw", 0, 1)) or None)
    return transport_fault(words, error_for_status)


def _answer(agent_id: str, body: dict[str, Any], words: MagicWords) -> Response:
    state, settings = here(), here().settings
    key = _conversation(agent_id, body)
    shape = Shape.of(settings)
    answer = Answer(
        agent_id, body, words, _speech(body, words, _earlier(body, key)), settings, shape
    )
    note(request_id=answer.request_id, conversation_id=body.get("conversation_id", ""))
    frames = answer.pieces()
    steps = answer_steps(
        words,
        answer.opening(),
        frames,
        answer.closing(),
        gap_s=gap_s(len(frames), words, settings),
        silence_s=settings.silence_s,
        middle=answer.strange() if words.has("strange") else (),
        instead=answer.failure(),
    )

    def finished() -> None:
        if key and answer.failure() is None:
            with state.lock:
                state.store(HuaweiStore).questions.setdefault(key, []).append(body["query"])

    return respond(
        reframe(steps, words, is_sse=shape.is_sse), mimetype=shape.content_type, finished=finished
    )


def _conversation(agent_id: str, body: dict[str, Any]) -> Conversation | None:
    """Where the engine remembers: only with both ids, and not beside a memory of the caller's."""
    has_memory = bool(body.get("memory")) or (
        "memory" in body and here().settings.huawei_empty_memory_counts
    )
    if has_memory or not body.get("user_id") or not body.get("conversation_id"):
        return None
    return agent_id, body["user_id"], body["conversation_id"]


def _earlier(body: dict[str, Any], key: Conversation | None) -> list[str]:
    if key is None:
        return [entry["content"] for entry in body.get("memory", []) if entry["role"] == "user"]
    state = here()
    with state.lock:
        return state.store(HuaweiStore).questions.get(key, [])[-state.settings.huawei_rounds :]


def _speech(body: dict[str, Any], words: MagicWords, earlier: list[str]) -> Speech:
    """What it says; its pictures travel beside the text."""
    plain = MagicWords(
        {word: values for word, values in words.numbers.items() if word not in IMAGES}
    )
    return compose(body["query"], plain, earlier)
