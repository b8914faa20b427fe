"""Signing in with an access code and signing out; the page that asks for a code."""

from urllib.parse import quote, urlsplit

from flask import Blueprint, Flask, Response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from chat.refusals import GuessRefusal, Refusal, SignInNeeded
from chat.visitors.sessions import Session
from chat.web import errors, services
from chat.web.frame.local import local
from chat.web.gate import visitors

bp = Blueprint("signing_in", __name__)


@bp.get("/sign-in")
def sign_in() -> AnyResponse:
    """The page with the field for a code; a visitor who is signed in is led to `?next=`."""
    _refuse_without_codes()
    if visitors.asker().session:
        return redirect(local(request.args.get("next")), 303)
    return _page(local(request.args.get("next")))


@bp.post("/sign-in")
def enter() -> AnyResponse:
    """Takes a `code`: a new session, and on to `next`."""
    _refuse_without_codes()
    next_path = local(request.form.get("next"))
    try:
        signed_in = _try_code(request.form.get("code", ""))
    except GuessRefusal as refusal:
        if not errors.wants_html():
            raise
        errors.count_refusal(refusal.code)
        page = _page(next_path, errors.sentence_for(refusal), 429)
        return errors.with_retry_after(page, refusal.retry_after)
    if signed_in is None:
        return _refuse_code(next_path)
    visitors.enter(*signed_in)
    return redirect(next_path, 303) if errors.wants_html() else Response(status=204)


def _try_code(code: str) -> tuple[str, Session] | None:
    """A token and its session for a good code. Raises GuessRefusal."""
    # An empty field is no try: it costs no hash, and the brake does not count it.
    if not code:
        return None
    puzzle, nonce = request.form.get("puzzle", ""), request.form.get("nonce", "")
    origin = visitors.origin(puzzle, nonce)
    return services().access.sign_in(code, origin, visitors.former())


def _refuse_code(next_path: str) -> Response:
    visitors.turn_away()
    errors.count_refusal("sign_in")
    if errors.wants_html():
        return _page(next_path, _wrong(), 401)
    return errors.error_response("sign_in", text=_wrong())


@bp.post("/sign-out")
def leave() -> AnyResponse:
    """Ends the session; with `everywhere` yes, on all devices that share the conversations."""
    session = _session()
    if session:
        services().access.sign_out(session, request.form.get("everywhere") == "yes")
        visitors.leave()
    home = redirect(url_for("pages.home"), 303)
    return visitors.clear_site_data(home if errors.wants_html() else Response(status=204))


def init_app(app: Flask) -> None:
    """Asks people to sign in where they have to, and gives templates the session."""
    app.register_error_handler(SignInNeeded, _ask_to_sign_in)

    @app.context_processor
    def signed_in() -> dict[str, object]:
        return {"signed_in": _session, "has_codes": services().access.is_closed, "here": _here}


def _here() -> str:
    return quote(_place(), safe="")


def _session() -> Session | None:
    return visitors.asker().session if services().access.is_closed else None


def _refuse_without_codes() -> None:
    if not services().access.is_closed:
        raise Refusal("not_found", "no ACCESS_CODES")


def _wrong() -> str:
    return str(_("This code is wrong, or it has expired. Check it, or ask whoever gave it to you."))


def _ask_to_sign_in(refusal: SignInNeeded) -> Response:
    visitors.turn_away()
    errors.count_refusal(refusal.code)
    errors.log.info("refused %.100a: %.200a", request.path, str(refusal))
    if errors.wants_html() and not refusal.is_wrong:
        return _page(_place(), status=401)
    text = _("This API key is wrong, or it has expired.") if refusal.is_wrong else _hint()
    response = errors.error_response("sign_in", text=str(text))
    if services().access.keys.all:
        response.headers["WWW-Authenticate"] = 'Bearer realm="agents"'
    return response


def _hint() -> str:
    return str(
        _(
            "Please sign in: reload this page and give your access code. "
            "What you have typed is kept."
        )
    )


def _place() -> str:
    """The page after signing in: the one that was requested, or the one with the form.

    The form itself is not read: nothing is, of who is turned away.
    """
    if request.method in ("GET", "HEAD"):
        return local(request.full_path.removesuffix("?"))
    parts = urlsplit(request.referrer or "")
    if f"{parts.scheme}://{parts.netloc}/" != request.host_url:
        return "/"
    return local(parts.path + (f"?{parts.query}" if parts.query else ""))


def _page(next_path: str, problem: str | None = None, status: int = 200) -> Response:
    page = render_template(
        "sign_in.html",
        next=next_path,
        problem=problem,
        status=status,
        is_question=request.endpoint == "chat.ask",
        puzzle=services().access.puzzle(visitors.origin()),
    )
    response = Response(page, status, mimetype="text/html")
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "Accept-Language, Cookie"
    return response
