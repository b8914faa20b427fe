"""The one shape of a failure: a sentence for the person, a reason for the program, a status."""

import errno
import logging
from contextlib import suppress
from datetime import datetime, timedelta
from math import ceil

from flask import Flask, Response, g, jsonify, render_template, request
from flask_babel import lazy_gettext as _
from flask_babel import ngettext
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import HTTPException

from chat.china import CHINA
from chat.logs import request_id
from chat.refusals import (
    AwayRefusal,
    BlockRefusal,
    CeilingRefusal,
    CrowdRefusal,
    FileRefusal,
    FormerAgentRefusal,
    GuessRefusal,
    HostRefusal,
    LiveRefusal,
    PictureRefusal,
    QueueRefusal,
    RateRefusal,
    ReasonRefusal,
    Refusal,
    StoppingRefusal,
    StreamRefusal,
    WordRefusal,
)
from chat.storage.engine.kinds import RETRY_S, StorageError, StorageRefusal, is_trouble
from chat.storage.models import now
from chat.visitors.blocks import name_of
from chat.web import services
from chat.web.answers.events import error_payload
from chat.web.frame.dates import moment
from chat.web.frame.sidebar import sidebar
from providers.errors import ProviderError

log = logging.getLogger("chat.web")

# Until tomorrow, with a minute to spare.
DAY_S = 24 * 3600 + 60
# For a longer wait the sentence names the time when it ends.
LONG_S = 300
STATUS = {
    "bad_input": 400,
    "too_long": 413,
    "sign_in": 401,
    "cross_site": 403,
    "not_found": 404,
    "busy": 409,
    "rate_limited": 429,
    "quota_exhausted": 429,
    "unavailable": 502,
    "unexpected": 502,
    "blocked": 502,
    "needs_action": 502,
    "empty": 502,
    "misconfigured": 503,
    "timeout": 504,
}
SENTENCES = {
    "bad_input": _(
        "The request is malformed. Write your question as plain text and send it again."
    ),
    "too_long": _("This question is too long. Shorten it and send it again."),
    "sign_in": _("Please sign in first."),
    "cross_site": _(
        "This request came from another site and was refused. Open this site and ask there."
    ),
    "not_found": _("This page does not exist, or you may not see it. Start a new conversation."),
    "busy": _(
        "The last question of this conversation is still being answered. Wait for it, or stop it."
    ),
    "rate_limited": _("Too many questions at the moment. Wait a little and ask again."),
    "quota_exhausted": _(
        "The agent's allowance is used up for now. Come back later, or tell the site's owner."
    ),
    "unavailable": _(
        "The agent could not be reached, or the answer broke off. Ask again in a moment."
    ),
    "unexpected": _(
        "The agent's answer could not be understood. Ask again; "
        "if it keeps happening, tell the site's owner."
    ),
    "blocked": _(
        "The platform refused this question or its answer as inappropriate. Ask something else."
    ),
    "needs_action": _("The agent asks for a step that this site cannot take. Ask in another way."),
    "empty": _("The agent finished without an answer. Ask again, perhaps in other words."),
    "misconfigured": _("This agent is not set up properly. The site's owner has to look at it."),
    "timeout": _(
        "The answer took too long and was ended. Ask again, or ask for something shorter."
    ),
}
FILE_SENTENCES = {
    "bad_input": _(
        "This file cannot be sent to this agent: "
        "it is empty, of a kind it does not read, or not what its name says."
    ),
    "too_long": _("This file is too large. Send a smaller one."),
    "rate_limited": _(
        "Too many files for now, or too large ones. Wait a little before you send more."
    ),
}
REASON_SENTENCES = {
    "bad_input": _(
        "This reason has unreadable characters. Write it as plain text and send it again."
    ),
    "too_long": _("This reason is too long. Shorten it and send it again."),
}
TOO_MANY_LIVE = _(
    "Your earlier questions are still being answered. Wait for one of them, or stop it."
)
TOO_MANY_IN_LINE = _("Too many people are waiting for this agent. Ask again in a moment.")
LINE_AWAY = _(
    "The agent's limits cannot be checked right now. "
    "Your question was not sent: ask again in a moment."
)
TOO_OFTEN = _("Too many requests at the moment. Wait a little and try again.")
TOO_MANY_READERS = _("Too many people are using this site just now. Try again in a moment.")
TOO_MANY_TRIES = _("Many people are signing in just now. Wait a moment and try again.")
RESTARTING = _("This site is restarting. Your question was not sent: ask again in a moment.")
WRONG_HOST = _("This site has another address. Open it there.")
BLOCKED = _(
    "This site does not serve you, or the network you use. "
    "If you think that is a mistake, tell the site's owner."
)
BANNED_WORD = _(
    "This question touches on something that this site does not discuss. "
    "Ask in other words, or ask something else."
)
FORMER_AGENT = _(
    "This agent is no longer offered here. What you asked it before can still be read; "
    "choose another agent for a new conversation."
)
NO_PICTURE = _("This picture cannot be shown. It may have expired, or be too large.")
NO_STORAGE = _(
    "This site's database cannot be used at the moment. "
    "Nothing was asked or changed; try again in a minute."
)
OWN_SENTENCES = {
    BlockRefusal: BLOCKED,
    FormerAgentRefusal: FORMER_AGENT,
    PictureRefusal: NO_PICTURE,
    LiveRefusal: TOO_MANY_LIVE,
    QueueRefusal: TOO_MANY_IN_LINE,
    AwayRefusal: LINE_AWAY,
    StreamRefusal: TOO_MANY_READERS,
    CrowdRefusal: TOO_MANY_TRIES,
    HostRefusal: WRONG_HOST,
    RateRefusal: TOO_OFTEN,
    StorageRefusal: NO_STORAGE,
    StoppingRefusal: RESTARTING,
    WordRefusal: BANNED_WORD,
}
# The disk is full, or its owner's part of it.
NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
HTTP_CODES = {
    400: "bad_input",
    405: "bad_input",
    413: "too_long",
    415: "bad_input",
    404: "not_found",
}


def sentence(code: str, retry_after: float | None = None) -> str:
    """The sentence for a reason of the contract, in the language of the request."""
    if code == "quota_exhausted" and retry_after and retry_after < DAY_S:
        at = datetime.now(CHINA) + timedelta(seconds=retry_after)
        return str(
            _(
                "Today's questions are used up. Ask again after %(time)s (China time).",
                time=f"{at:%H:%M}",
            )
        )
    if code == "rate_limited" and retry_after and retry_after > LONG_S:
        until = moment(now() + timedelta(seconds=retry_after))
        return str(_("Too many questions for now. Ask again after %(time)s.", time=until))
    return str(SENTENCES[code])


def sentence_for(refusal: Refusal) -> str:
    """The sentence for a refusal; some kinds have their own."""
    if type(refusal) in OWN_SENTENCES:
        return str(OWN_SENTENCES[type(refusal)])
    if isinstance(refusal, CeilingRefusal):
        until = moment(now() + timedelta(seconds=refusal.retry_after or 0))
        return str(_("Today's questions are used up. Ask again after %(time)s.", time=until))
    if isinstance(refusal, FileRefusal):
        return str(FILE_SENTENCES[refusal.code])
    if isinstance(refusal, ReasonRefusal):
        return str(REASON_SENTENCES[refusal.code])
    if isinstance(refusal, GuessRefusal):
        return _too_many_tries(refusal.retry_after or 1)
    return sentence(refusal.code, refusal.retry_after)


def _too_many_tries(seconds: float) -> str:
    if seconds <= 90:
        return str(
            ngettext(
                "Too many wrong tries. Wait %(num)s second and try again.",
                "Too many wrong tries. Wait %(num)s seconds and try again.",
                ceil(seconds),
            )
        )
    return str(
        _("Too many wrong tries. Wait %(count)s minutes and try again.", count=ceil(seconds / 60))
    )


def wants_html() -> bool:
    """Whether a browser asks for a page, and not a program or the page's script for data."""
    best = request.accept_mimetypes.best_match(
        ["application/json", "text/html", "text/event-stream"]
    )
    return best == "text/html" and "text/html" in request.headers.get("Accept", "")


def init_app(app: Flask) -> None:
    """Answers every refusal and every fault in the one shape."""
    app.register_error_handler(Refusal, _refusal)
    app.register_error_handler(ProviderError, _provider_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(ParseException, _malformed)
    app.register_error_handler(StorageError, _storage_error)
    app.register_error_handler(OSError, _system_error)
    app.register_error_handler(Exception, _fault)


def error_response(
    code: str, status: int | None = None, retry_after: float | None = None, text: str | None = None
) -> Response:
    """The response for a reason of the contract; `text` replaces its usual sentence."""
    status = status or STATUS[code]
    text = text or sentence(code, retry_after)
    number = request_id.current()
    if wants_html():
        response = Response(_page(status, text, number))
    else:
        response = jsonify(error_payload(text, code, retry_after, number))
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return with_retry_after(response, retry_after)


def _page(status: int, text: str, number: str | None) -> str:
    """In the frame of the visitor's pages where something is missing there, else by itself."""
    facts = {"status": status, "sentence": text, "number": number}
    if status == 404 and "asker" in g and request.blueprint != "desk":
        with suppress(StorageError):
            return render_template("not_found.html", agent=None, **facts, **sidebar())
    return render_template("error.html", **facts)


def with_retry_after(response: Response, retry_after: float | None) -> Response:
    """The response with a Retry-After, if that is known."""
    if retry_after is not None:
        response.headers["Retry-After"] = str(max(1, ceil(retry_after)))
    return response


def unauthorized(challenge: str) -> Response:
    """401 with a `challenge` that says which key or password is missing or wrong."""
    count_refusal("sign_in")
    response = error_response("sign_in")
    response.headers["WWW-Authenticate"] = challenge
    return response


def count_refusal(code: str) -> None:
    """Counts a request that is refused for a reason of the contract."""
    services().metrics.count_refusal(code)


def _refusal(refusal: Refusal) -> Response:
    log.info("refused %.100a: %.200a%s", request.path, str(refusal), _whose(refusal))
    count_refusal(refusal.code)
    text = sentence_for(refusal)
    return error_response(refusal.code, refusal.status, refusal.retry_after, text)


def _whose(refusal: Refusal) -> str:
    """What the owner may block after a refusal of too much: the visitor's name and the address."""
    if refusal.code != "rate_limited":
        return ""
    if "asker" not in g:
        return f" ({request.remote_addr})"
    name = name_of(services().visitors.pseudonym(g.asker.visitor))
    return f" (visitor {name}, {request.remote_addr})"


def _provider_error(error: ProviderError) -> Response:
    log.warning("%.100a: %s", request.path, error)
    return error_response(error.reason, retry_after=error.retry_after)


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    # A redirect of the router's own.
    if status < 400:
        return Response(error.get_response().response, status, error.get_headers())
    code = HTTP_CODES.get(status, "unexpected" if status >= 500 else "bad_input")
    count_refusal(code)
    response = error_response(code, status)
    if status == 405 and "Allow" in (headers := dict(error.get_headers())):
        response.headers["Allow"] = headers["Allow"]
    return response


def _malformed(error: ParseException) -> Response:
    """Refuses a malformed body: the server reads it only when a route does, so its error arrives
    here.
    """
    log.info("refused %.100a: %.200a", request.path, str(error))
    count_refusal("bad_input")
    return error_response("bad_input")


def _storage_error(error: StorageError) -> Response:
    if not is_trouble(error):
        return _fault(error)
    log.warning(
        "%.100a: the database cannot be used: %s", request.path, getattr(error, "orig", error)
    )
    count_refusal("unavailable")
    return error_response("unavailable", retry_after=RETRY_S, text=str(NO_STORAGE))


def _system_error(error: OSError) -> Response:
    """A disk without room is the contract's refusal, wherever it was noticed."""
    if error.errno not in NO_ROOM:
        return _fault(error)
    log.warning("%.100a: %s", request.path, error)
    count_refusal("unavailable")
    return error_response("unavailable", retry_after=RETRY_S, text=str(NO_STORAGE))


def _fault(error: Exception) -> Response:
    log.exception("a fault of ours at %.100a", request.path)
    return error_response("unexpected", 500)
