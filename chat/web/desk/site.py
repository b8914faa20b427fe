"""What the whole site is like: its look and words, how long it keeps, its ceilings, who is told."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, request
from flask_babel import LazyString
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response as AnyResponse

from chat.agents.ceilings import day_of
from chat.notices.robots import Robot
from chat.owner.desk.values import LOGO, SEALED
from chat.page.look import logo_of
from chat.settings import model
from chat.settings.errors import SettingsError
from chat.settings.robots import addresses
from chat.settings.words import Sentence, Words
from chat.storage.models import now
from chat.storage.owner.values import StaleError
from chat.web import services
from chat.web.desk import frame, labels
from chat.web.frame.language import language

bp = Blueprint("site", __name__)

# Another owner's change has come between.
STALE = _(
    "Somebody else has just changed this to what is shown below. Nothing was overwritten: what "
    "you typed is still here, and saving again replaces theirs."
)


@dataclass(frozen=True)
class Section:
    """A heading with the settings below it."""

    id: str
    title: LazyString
    names: tuple[str, ...]


SECTIONS = (
    Section("look", _("Look"), ("site_title", LOGO, "accent_color")),
    Section(
        "lines",
        _("Texts on the page"),
        (
            "site_notice",
            "notice_until",
            "site_footer",
            "icp_number",
            "ai_label",
            "default_language",
        ),
    ),
    Section("keeping", _("Conversations and privacy"), ("keep_days", "owner_reads")),
    Section("limits", _("Limits"), ("daily_limit", "banned_words")),
    Section("told", _("Notifications"), ("notify_url",)),
)
NAMES = tuple(name for section in SECTIONS for name in section.names)
HELP = {
    "site_title": _("At most 60 characters; shown at the top of every page."),
    LOGO: _("A square PNG, JPEG, WebP or SVG of at most 200 kB."),
    "accent_color": _("Such as #0f6b62; made lighter or darker where it could not be read."),
    "site_notice": _("Shown above the welcome, such as what the agents can be asked."),
    "notice_until": _("Such as 2027-01-31. Leave empty to keep the notice."),
    "site_footer": _("Shown at the bottom of every page."),
    "icp_number": _("Links to beian.miit.gov.cn."),
    "ai_label": _("Leave empty for the default in the reader's language; “off” shows none."),
    "default_language": _("For browsers that do not name one."),
    "keep_days": _(
        "A conversation is deleted after this many days without a new message. Leave empty to "
        "keep it."
    ),
    "daily_limit": _(
        "For the whole site. Once they are used up, visitors are told when to come back. Leave "
        "empty for no limit."
    ),
    "banned_words": _(
        "One per line. A question with such a word is refused; in an answer it becomes "
        "asterisks. Case, full-width letters, and spaces or signs in between make no "
        "difference. English words match only as whole words."
    ),
    "notify_url": _(
        "The webhook of a WeCom, DingTalk or Feishu robot; several on lines of their own. It is"
        " told of failing agents, expiring tokens, a full disk, and a day's questions at 80 %. "
        "Put a signing secret behind the address after a #."
    ),
}
# Fields of several lines.
LONG = {"site_notice", "banned_words", "notify_url"}


@dataclass
class Attempt:
    """What somebody has typed, and what is wrong with it, by the name of the setting."""

    texts: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    stale: set[str] = field(default_factory=set)


@bp.get("/site")
def show() -> Response:
    """The form, with what holds now."""
    return _page(Attempt())


@bp.post("/site")
def save() -> AnyResponse:
    """Takes each setting that was changed, all of them or none."""
    attempt = Attempt(_changed_texts())
    logo = _sent_logo()
    for name, text in attempt.texts.items():
        _check(attempt, name, text)
    if logo:
        _check_logo(attempt, logo)
    if attempt.problems or attempt.stale:
        return _page(attempt, 409 if attempt.stale else 400)
    try:
        _store(attempt, logo)
    except StaleError as error:
        attempt.stale.add(str(error))
        return _page(attempt, 409)
    return frame.changed("desk.site.show", "saved")


@bp.post("/site/test")
def test() -> Response:
    """Sends each robot a message, and says what became of it."""
    services().limits.count_visitor("change", "owner's robots")
    outcomes = [
        (robot.name.say(language()), error.say(language()) if error else None)
        for robot, error in services().start().notifier.test()
    ]
    return _page(Attempt(), outcomes=outcomes)


def _changed_texts() -> dict[str, str]:
    """What was typed that differs from what holds, of the settings that can be changed here."""
    desk, texts = services().desk, {}
    for name in NAMES:
        # A switch that is off is not sent.
        if name == LOGO or desk.locked(name) or f"version-{name}" not in request.form:
            continue
        text = request.form.get(name, "").replace("\r\n", "\n").strip()
        # What is sealed is not in the form: an empty field leaves it as it is.
        is_kept = _mark(text) == _made_of(name)[1]
        if not is_kept or f"remove-{name}" in request.form:
            texts[name] = text
    return texts


def _sent_logo() -> bytes | None:
    """The file that was sent; b"" to take the logo away, None to leave it."""
    if services().desk.locked(LOGO):
        return None
    file = request.files.get(LOGO)
    if file is not None and file.filename:
        return frame.picture_of(file) or b"nothing"
    return b"" if f"remove-{LOGO}" in request.form else None


def _check(attempt: Attempt, name: str, text: str) -> None:
    if services().desk.version(name) != _made_of(name)[0]:
        attempt.stale.add(name)
    try:
        if text:
            model.written(name, text)
    except SettingsError as error:
        attempt.problems[name] = _problem(error)


def _check_logo(attempt: Attempt, data: bytes) -> None:
    try:
        logo_of(data)
    except SettingsError as error:
        attempt.problems[LOGO] = str(labels.PICTURE_PROBLEMS[error.id])
    if services().desk.version(LOGO) != _made_of(LOGO)[0]:
        attempt.stale.add(LOGO)


def _problem(error: SettingsError) -> str:
    """What is wrong with a value; the name of the setting and where it is explained go without."""
    reason = error.facts.get("problem")
    speaker = reason if isinstance(reason, Words | Sentence) else error
    return labels.as_sentence(speaker.say(language()))


def _store(attempt: Attempt, logo: bytes | None) -> None:
    desk = services().desk
    for name, text in attempt.texts.items():
        desk.change(name, text, _made_of(name)[0])
    if logo is not None:
        desk.change_logo(logo or None, _made_of(LOGO)[0])


def _made_of(name: str) -> tuple[int, str]:
    """The version that the form was made of, and the mark of its text: so a field that somebody
    else has changed, and this form has not, is left alone."""
    version, mark = f"{request.form.get(f'version-{name}', '')}-".split("-")[:2]
    return int(version) if version.isdecimal() and len(version) < 10 else -1, mark


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _page(
    attempt: Attempt, status: int = 200, outcomes: list[tuple[str, str | None]] | None = None
) -> Response:
    return frame.page(
        "site.html",
        status,
        sections=SECTIONS,
        fields={name: _field(name, attempt) for name in NAMES},
        problems=[(name, labels.SETTINGS[name]) for name in NAMES if name in attempt.problems],
        stale=str(STALE) if attempt.stale else None,
        met=_met(),
        robots=_robots(),
        outcomes=outcomes,
    )


def _field(name: str, attempt: Attempt) -> Mapping[str, Any]:
    """What the template shows of one setting."""
    site, desk = services(), services().desk
    locked = desk.locked(name)
    held = "" if name in (*SEALED, LOGO) else desk.text(name)
    if locked and name not in (*SEALED, LOGO):
        held = _plain(getattr(site.settings, name))
    default = model.Settings.model_fields[name].default
    return {
        "label": labels.SETTINGS[name],
        "help": HELP.get(name),
        "text": attempt.texts.get(name, held),
        "held": held if name in attempt.stale else None,
        "problem": attempt.problems.get(name),
        "locked": locked,
        "version": f"{desk.version(name)}-{_mark(held)}",
        "usual": _plain(default),
        "is_long": name in LONG,
        "is_there": desk.logo_id is not None if name == LOGO else bool(_robots()),
    }


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else ""
    return "" if value is None else str(value)


def _met() -> tuple[int, int]:
    """How many questions were refused for a word today, and in how many answers one was masked."""
    counts = services().storage.days.counts(day_of(now(), services().settings.time_zone))
    return counts.get("words:question", 0), counts.get("words:answer", 0)


def _robots() -> list[str]:
    """The robots of now by their names: their addresses are secrets."""
    return [
        Robot(address).name.say(language()) for address in addresses(services().settings.notify_url)
    ]
