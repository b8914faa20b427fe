"""How the owner comes in: by the password, or by the link of the first start; and goes."""

from flask import Blueprint, Response, request, url_for
from flask_babel import LazyString
from flask_babel import lazy_gettext as _
from werkzeug.utils import redirect
from werkzeug.wrappers import Response as AnyResponse

from chat.owner import passwords
from chat.refusals import GuessRefusal, Refusal
from chat.release import PROGRAM
from chat.web import errors, services
from chat.web.desk import frame, session
from chat.web.frame.local import local
from chat.web.gate.visitors import address

bp = Blueprint("signing_in", __name__)

WRONG = _("This password is wrong. Check it and try again.")
WRONG_OR_CODE = _("The password or the code is wrong. Check both; each code works once.")
WEAK = {
    "short": _("The password is too short. Use at least 12 characters."),
    "long": _("The password is too long. Use at most 200 characters."),
    "unequal": _("The two passwords differ. Type both again."),
    "repeats": _("The password has too few different characters. Use more of them."),
    "common": _("Passwords like this one are guessed first. Use a few unrelated words."),
}
NO_LINK = _(
    "This link no longer works: each works once, and only until the site starts again. Use the "
    "newest in the terminal."
)


@bp.get("/sign-in")
def sign_in() -> AnyResponse:
    """The field for the password; the owner who is signed in is led to `?next=`."""
    if session.current():
        return redirect(_next(request.args.get("next")), 303)
    return _form(_next(request.args.get("next")))


@bp.post("/sign-in")
def enter() -> AnyResponse:
    """Takes the `password`: a new session, and on to `next`."""
    next_path = _next(request.form.get("next"))
    try:
        password, code = request.form.get("password", ""), request.form.get("code", "")
        is_owner = services().owner.knows(password, address(), code)
    except GuessRefusal as refusal:
        if not errors.wants_html():
            raise
        errors.count_refusal(refusal.code)
        page = _form(next_path, errors.sentence_for(refusal), 429)
        return errors.with_retry_after(page, refusal.retry_after)
    if not is_owner:
        errors.count_refusal("sign_in")
        if not errors.wants_html():
            return errors.error_response("sign_in", text=str(_wrong()))
        return _form(next_path, str(_wrong()), 401)
    session.begin()
    return redirect(next_path, 303)


@bp.post("/sign-out")
def leave() -> AnyResponse:
    """Ends the session; with `everywhere` yes, every session of the owner."""
    sessions, current = services().owner_sessions, session.current()
    if request.form.get("everywhere") == "yes":
        count = sessions.end_all()
        services().storage.owner_log.add("sign-out", browsers=count)
    elif current:
        sessions.end(current)
    session.leave()
    return redirect("/admin/sign-in", 303)


@bp.get("/welcome")
def welcome() -> AnyResponse:
    """The form to choose a password by the `?key=` of a link."""
    key = request.args.get("key", "")
    return _choice(key) if services().welcome.fits(key) else _no_link()


@bp.post("/welcome")
def choose() -> AnyResponse:
    """Takes a `key`, and the `password` twice; the owner is signed in."""
    key, password = request.form.get("key", ""), request.form.get("password", "")
    if not services().welcome.fits(key):
        return _no_link()
    weakness = passwords.weakness(password, request.form.get("again", ""))
    if weakness:
        return _choice(key, str(WEAK[weakness]), 400)
    if not services().welcome.use(key, password):
        return _no_link()
    session.begin()
    # Who has just come has an agent to connect.
    return redirect(url_for("desk.agents.show") if services().agents.is_demo else "/admin", 303)


@bp.get("/password")
def password() -> AnyResponse:
    """The form to change the password, and to end all sessions."""
    return _password_page()


@bp.post("/password")
def change_password() -> AnyResponse:
    """Takes the `current` password and the new one twice; every other session ends."""
    owner = services().owner
    if owner.is_locked:
        raise Refusal("bad_input", "ADMIN_PASSWORD is set")
    problem = _problem_with_change()
    if problem:
        field, sentence, status = problem
        return _password_page(status, problem=sentence, problem_field=field)
    owner.choose(request.form["password"])
    session.begin()
    return frame.changed("desk.signing_in.password", "password")


def _password_page(status: int = 200, **content: object) -> Response:
    owner = services().owner
    facts = {"is_locked": owner.is_locked, "has_codes_on": owner.codes.is_on, **content}
    return frame.page("password.html", status, **facts)


def _problem_with_change() -> tuple[str, str, int] | None:
    """The field, the sentence and the status of what is wrong with a change of the password."""
    try:
        is_owner = services().owner.knows(request.form.get("current", ""), address())
    except GuessRefusal as refusal:
        return "current", errors.sentence_for(refusal), 429
    if not is_owner:
        return "current", str(WRONG), 400
    weakness = passwords.weakness(request.form.get("password", ""), request.form.get("again", ""))
    return ("password", str(WEAK[weakness]), 400) if weakness else None


def _wrong() -> LazyString:
    return WRONG_OR_CODE if services().owner.codes.is_on else WRONG


def _next(target: str | None) -> str:
    """A page of the desk to go on with."""
    path = local(target)
    return path if path.startswith("/admin") else "/admin"


def _form(next_path: str, problem: str | None = None, status: int = 200) -> Response:
    return frame.page(
        "sign_in.html",
        status,
        next=next_path,
        problem=problem,
        has_password=services().owner.may_exist,
        needs_code=services().owner.codes.is_on,
        command=f"{PROGRAM} admin-link",
    )


def _choice(key: str, problem: str | None = None, status: int = 200) -> Response:
    return frame.page("welcome.html", status, key=key, problem=problem)


def _no_link() -> AnyResponse:
    errors.count_refusal("sign_in")
    if not errors.wants_html():
        return errors.error_response("sign_in", text=str(NO_LINK))
    return _form("/admin", str(NO_LINK), 401)
