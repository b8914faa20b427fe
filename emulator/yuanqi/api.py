"""Tencent Yuanqi's agent API (platforms/yuanqi.md §9): its one endpoint, stateless.

Words of Yuanqi's own, besides those all platforms share:

    !tool-fail      a tool is called, some pieces, then finish_reason tool_fail
    !tail           the last frame carries text as well as its finish_reason
    !numeric        the error's code is a number instead of a string
    !moderation N   the end of the answer has the moderation_level N
    !no-done        the stream closes after its finish_reason, without [DONE]
    !unasked        a stream where JSON was asked for, JSON where a stream was

!blocked is a 200 with the finish_reason sensitive, !code X an error.code with HTTP 400;
!late-error without a stream is a 200 with an error and no choices. There are no sources and no
suggestions: !cite and !suggest change nothing."""

from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from emulator.faults import OncePerQuestion, transport_fault
from emulator.responding import respond
from emulator.speech import Speech, compose, gap_s, pieces
from emulator.state import here, note
from emulator.stream import Step, Wait, answer_steps, reframe
from emulator.words import MagicWords, read
from emulator.yuanqi.answer import Answer
from emulator.yuanqi.checks import YuanqiBooks, YuanqiRefused, checked, enter, files_of, text_of

PATH = "/openapi/v1/agent/chat/completions"
REFUSALS = {
    "busy": (429, "too many concurrent requests", "concurrency"),
    "quota": (429, "the token quota of this account is used up", "quota"),
    "unauthorized": (401, "token is missing or invalid", ""),
    "unknown": (403, "no right to this assistant", ""),
    "unpublished": (400, "this assistant has not been published", ""),
}

bp = Blueprint("yuanqi", __name__)


class YuanqiStore:
    """What !expired has refused."""

    def __init__(self) -> None:
        self.expired = OncePerQuestion()


def unknown_endpoint() -> ResponseReturnValue:
    """For a path or method Yuanqi does not have."""
    status = 405 if request.path == PATH else 404
    return jsonify(YuanqiRefused(status, "no such endpoint").body()), status


@bp.errorhandler(YuanqiRefused)
def refuse(error: YuanqiRefused) -> ResponseReturnValue:
    body = request.get_json(silent=True)
    is_numeric = "!numeric" in str(body)
    return jsonify(error.body(is_numeric)), error.status


@bp.post(PATH)
def complete() -> ResponseReturnValue:
    account, body = checked()
    question = text_of(body["messages"][-1])
    words = read(question)
    refusal = _refuse_by_words(words, (account, question))
    if refusal is not None:
        return refusal
    enter(account)
    try:
        return _answer(account, body, question, words)
    except BaseException:
        here().limits.leave(("yuanqi", account))
        raise


def _refuse_by_words(words: MagicWords, key: tuple[str, str]) -> ResponseReturnValue | None:
    for word, refusal in REFUSALS.items():
        if words.has(word):
            raise YuanqiRefused(*refusal)
    if words.has("expired") and here().store(YuanqiStore).expired.refuses(key):
        raise YuanqiRefused(*REFUSALS["unauthorized"])
    if words.has("code"):
        raise YuanqiRefused(400, "refused as ordered", str(int(words.number("code", 400))))
    if words.has("json-error"):
        return jsonify(YuanqiRefused(500, "the assistant failed").body(words.has("numeric")))
    return transport_fault(
        words, lambda status: YuanqiRefused(status, f"refused as ordered: {status}").body()
    )


def _answer(account: str, body: dict[str, Any], question: str, words: MagicWords) -> Response:
    speech = _speech(body, question, words)
    answer = Answer(
        body["assistant_id"], words, speech, pieces(speech.text, words, here().settings)
    )
    note(chat_id=answer.id)
    state, leave = here(), here().limits.leaver(("yuanqi", account))

    def finished() -> None:
        leave()
        with state.lock:
            used = state.store(YuanqiBooks).used
            used[account] = used.get(account, 0) + answer.usage["total_tokens"]

    if bool(body.get("stream")) != words.has("unasked"):
        return respond(_stream(answer, words), finished=finished, closed=leave)
    return respond(
        _at_once(answer, words), mimetype="application/json", finished=finished, closed=leave
    )


def _speech(body: dict[str, Any], question: str, words: MagicWords) -> Speech:
    *before, last = body["messages"]
    earlier = [text_of(message) for message in before if message["role"] == "user"]
    speech = compose(question, words, earlier, f"{request.host_url}_emulator/picture.png")
    files = files_of(last)
    if not files or not speech.replies:
        return speech
    names = f"\n\n收到附件：{'、'.join(files)}"
    return Speech((*speech.replies, names), speech.thought, speech.suggestions)


def _stream(answer: Answer, words: MagicWords) -> Any:
    settings = here().settings
    steps = answer_steps(
        words,
        answer.opening(),
        answer.pieces(),
        answer.closing(),
        gap_s=gap_s(len(answer.parts), words, settings),
        silence_s=settings.silence_s,
        middle=answer.strange() if words.has("strange") else (),
        instead=answer.failure(),
    )
    return reframe(steps, words)


def _at_once(answer: Answer, words: MagicWords) -> list[Step]:
    """The whole answer after the time that its stream would have taken."""
    settings = here().settings
    if words.has("silent") or words.has("endless"):
        return [Wait(settings.silence_s)]
    body = answer.whole()
    if words.has("short"):
        return [body[: len(body) // 2]]
    work_s = gap_s(len(answer.parts), words, settings) * len(answer.parts)
    return [Wait(work_s), *answer_steps(words, (), (), [body])]
