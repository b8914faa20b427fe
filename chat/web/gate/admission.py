"""Who is turned away by the head of a request: its body is not read, whatever it is.

What a head is asked, in this order: does it name this site, and come from its own page
(gate/security.py); has the owner shut out its address or visitor (gate/blocking.py); does its
address come too often; does it need a code or a key (gate/permissions.py); does its visitor come
too often; is its body too large for its route; would its question or file be one too many; is too
much on its way already, from the address or in all; is there room on the disk.
"""

from flask import Flask, g, request
from werkzeug.exceptions import RequestEntityTooLarge

from chat.refusals import FileRefusal
from chat.visitors.limits.bodies import SMALL
from chat.web import services
from chat.web.gate import permissions
from chat.web.gate.blocking import refuse_blocked_address
from chat.web.gate.body_fields import FORMS, MULTIPART
from chat.web.gate.body_stream import BodyStream
from chat.web.gate.security import SAFE
from chat.web.gate.visitors import address, asker, returning_visitor

# A megabyte of nothing but brackets costs a fifth of a second, during which nobody else is served.
LARGEST_JSON = 1024 * 1024
# Cheap, and asked for often by browsers and probes.
UNCOUNTED = {
    "static.file",
    "static.manifest",
    "ops.healthz",
    "ops.readyz",
    "ops.metrics",
    "ops.openapi",
}
# What each route counts as: a deed of visitors/limits/rates.py. Others are "page" or "change".
DEEDS = {
    "history.search": "search",
    "history.markdown": "export",
    "history.document": "export",
    "sharing.share": "share",
    "sharing.unshare": "share",
    "chat.follow": "events",
    "pictures.show": "picture",
    "static.icon": "picture",
    "files.fetch": "fetched file",
}
# These are counted when they are asked and stored; here it is only looked whether they may be.
QUESTIONS = "chat.ask"
FILES = "files.upload"
# These may bring a picture, and a list of thousands of words.
OWNER_S_FORMS = {"desk.site.save", "desk.agents.change"}
# A browser must not use up its visitor's rate by reports: their route counts them apart.
COUNTED_ELSEWHERE = {QUESTIONS, FILES, "csp_reports.take"}


def init_app(app: Flask) -> None:
    """Decides about each request before any route sees it."""
    app.before_request(_admit)
    app.teardown_request(_end_body)


def _admit() -> None:
    # Whom the owner's newest settings let in.
    services().desk.look()
    refuse_blocked_address()
    if request.endpoint in UNCOUNTED:
        return
    deed = _deed()
    if deed:
        services().limits.count_address(deed, address())
    permissions.require_admission()
    if deed and (visitor := returning_visitor()):
        services().limits.count_visitor(deed, visitor)
    if request.endpoint and request.method not in SAFE:
        _admit_body()


def _deed() -> str | None:
    if request.endpoint in COUNTED_ELSEWHERE:
        return None
    usual = "page" if request.method in SAFE else "change"
    return DEEDS.get(request.endpoint or "", usual)


def _check_rate() -> None:
    """Raises Refusal when a question or a file would be one too many."""
    limits = services().limits
    if request.endpoint == FILES:
        limits.check_file(asker().visitor, address(), request.content_length or 0)
    if request.endpoint == QUESTIONS and not _is_small_form():
        limits.check_question(asker().visitor, address())


def _is_small_form() -> bool:
    """Whether a form comes without a file.

    A visitor without JavaScript who asks too often gets the question back on the page, by the route
    itself.
    """
    is_small = 0 < (request.content_length or 0) <= SMALL
    return is_small and request.mimetype in FORMS


def _admit_body() -> None:
    """Lets the route read the body. Raises Refusal, RequestEntityTooLarge."""
    largest = _largest_body()
    length = request.content_length
    if length is not None and length > largest:
        raise _too_large()
    _check_rate()
    g.body = services().bodies.admit(address(), length)
    request.environ["wsgi.input"] = BodyStream(
        request.environ["wsgi.input"],
        g.body,
        length,
        largest,
        _too_large,
        is_kept=request.mimetype == MULTIPART,
    )


def _largest_body() -> int:
    """How many bytes the route of the request at hand takes."""
    uploads = services().uploads
    if request.endpoint == FILES:
        return uploads.most_bytes + SMALL
    if request.endpoint in OWNER_S_FORMS:
        return LARGEST_JSON
    if request.endpoint != QUESTIONS:
        return SMALL
    if request.mimetype == MULTIPART and uploads.most_bytes:
        return uploads.largest_form
    # Coze's own body brings the history along. One character may take twelve bytes: an emoji is two
    # escapes of six in JSON, and four of three in a form.
    return max(LARGEST_JSON, 12 * services().settings.max_message_chars)


def _too_large() -> Exception:
    if request.mimetype == MULTIPART:
        return FileRefusal("too_long", "a body that is too large")
    return RequestEntityTooLarge()


def _end_body(error: BaseException | None) -> None:
    body = g.pop("body", None)
    if body is not None:
        body.end()
