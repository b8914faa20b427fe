"""Agents at the desk: connected by a paste, tested, changed, moved, switched off and removed."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from flask import Blueprint, Response, request
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response as AnyResponse

from chat.agents.current import ListedAgent
from chat.agents.offered import Agent
from chat.owner.desk import pasting
from chat.owner.desk.agents import (
    CARD_FIELDS,
    LastAgent,
    WrongFields,
    last_four,
    secret_options,
)
from chat.owner.desk.pasting import Paste, PasteTooLong
from chat.owner.desk.values import Locked
from chat.owner.doctor import agents as doctor
from chat.owner.doctor.findings import Finding
from chat.page.look import ICONS
from chat.refusals import Refusal
from chat.settings.errors import SettingsError
from chat.settings.words import Words
from chat.storage.owner.values import StaleError
from chat.web import services
from chat.web.desk import frame, labels
from chat.web.frame.language import language
from providers import PLATFORMS, options, signs
from providers.errors import AuthRejected, NotConfigured
from providers.options import chinese_help

bp = Blueprint("agents", __name__, url_prefix="/agents")

# Fields of options are called so in forms, apart from those of the card.
PREFIX = "option-"
WHICH = _("We could not tell which platform this is from. Choose it below.")
SEVERAL = _("This may be from more than one platform. Choose one.")
TOO_LONG = _("This is too long. Paste only the id, the token, or the example call.")
MISSING = _("This is still missing.")
STALE = _(
    "Somebody else has just changed this. Nothing was overwritten: look at it, and make your "
    "change again."
)
LAST = _("At least one agent has to stay switched on. Switch another one on first.")
OTHER_TEST = Words("另一项检查还没结束", "another test has not ended yet")
# One test at a time in a process: a click must not hammer a platform.
_testing = threading.Lock()


@dataclass(frozen=True)
class Field:
    """One option in a form: `ending` is that of a secret which is kept unless another is given."""

    name: str
    label: str
    help: str
    value: str
    is_secret: bool
    ending: str = ""
    is_kept: bool = False
    problem: str = ""


@bp.get("")
def show() -> Response:
    """All agents, and the field to paste what connects another one."""
    return _list()


@bp.post("")
def connect() -> AnyResponse:
    """Connects an agent by what was pasted and filled in; asks for what is missing."""
    desk = services().agents_desk
    platform = request.form.get("platform") or None
    if platform is not None and platform not in PLATFORMS:
        raise Refusal("bad_input", "no platform")
    try:
        paste = pasting.recognise(request.form.get("paste", ""), platform)
    except PasteTooLong:
        return _list(str(TOO_LONG), 413)
    if paste.platform is None:
        return _list(
            str(SEVERAL if paste.candidates else WHICH), 422, paste.candidates or tuple(PLATFORMS)
        )
    values = {**desk.unseal(request.form.get("sealed", "")), **paste.options}
    values |= _options_of_form(paste.platform)
    missing = pasting.missing(paste.platform, values)
    if missing:
        known = {name: "" for name in missing} if "sealed" in request.form else {}
        problems = {name: str(MISSING) for name in known}
        return _connecting(paste, values, problems, (), 422)
    try:
        agent = desk.try_out(paste.platform, values, _card_of_form())
    except WrongFields as wrong:
        return _connecting(paste, values, _said(wrong), (), 422)
    findings = _test(agent, asks=False)
    if any(finding.level == "fail" for finding in findings) and "anyway" not in request.form:
        return _connecting(paste, values, _field_problems(agent, findings), findings, 422)
    services().introductions.learn(agent)
    try:
        id = desk.connect(paste.platform, values, _card_of_form())
    except WrongFields as wrong:
        return _connecting(paste, values, _said(wrong), findings, 422)
    return frame.changed("desk.agents.change_form", "connected", id=id)


@bp.get("/<id>")
def change_form(id: str) -> Response:
    """An agent: how it is, and all that can be changed about it."""
    return _agent(_listed(id))


@bp.post("/<id>")
def change(id: str) -> AnyResponse:
    """Changes an agent's card, and the options of one that was connected here."""
    listed, desk = _listed(id), services().agents_desk
    values = desk.options_of(listed)
    if listed.declared is None:
        kept = secret_options(listed.platform)
        # An empty field takes an option away, but not a secret, which no form shows.
        emptied = {name for name in values if PREFIX + name in request.form} - kept
        values = {name: value for name, value in values.items() if name not in emptied}
        values |= _options_of_form(listed.platform)
    try:
        card = {**listed.card.model_dump(exclude_unset=True), **_card_of_form(), **_icon(listed)}
        desk.change(listed, card, values, _version())
    except WrongFields as wrong:
        return _agent(listed, _said(wrong), status=422)
    except SettingsError as error:
        return _agent(listed, {"picture": str(labels.PICTURE_PROBLEMS[error.id])}, status=422)
    except StaleError:
        return _agent(listed, problem=str(STALE), status=409)
    return frame.changed("desk.agents.change_form", "saved", id=id)


@bp.post("/<id>/test")
def test(id: str) -> Response:
    """Looks at an agent as the doctor does; by a question, which costs quota, with `ask`."""
    listed = _listed(id)
    if listed.agent is None:
        return _agent(listed, status=409)
    findings = _test(listed.agent, asks="ask" in request.form)
    services().introductions.learn(listed.agent)
    return _agent(listed, findings=findings)


@bp.post("/<id>/switch")
def switch(id: str) -> AnyResponse:
    """Offers an agent with `on`=yes, else no more."""
    try:
        services().agents_desk.switch(_listed(id), request.form.get("on") == "yes", _version())
    except LastAgent:
        return _list(str(LAST), 409)
    except StaleError:
        return _list(str(STALE), 409)
    return frame.changed("desk.agents.show", "saved")


@bp.post("/<id>/move")
def move(id: str) -> AnyResponse:
    """Moves an agent one place `up`, else down, in the order `seen`."""
    by = -1 if request.form.get("to") == "up" else 1
    try:
        services().agents_desk.move(_listed(id), by, request.form.get("seen", ""))
    except StaleError:
        return _list(str(STALE), 409)
    return frame.changed("desk.agents.show", "saved")


@bp.post("/<id>/remove")
def remove(id: str) -> AnyResponse:
    """Removes an agent of the desk. `sure` has to be yes."""
    if request.form.get("sure") != "yes":
        raise Refusal("bad_input", "not sure")
    try:
        services().agents_desk.remove(_listed(id), _version())
    except Locked:
        return _list(str(labels.LOCKED_AGENT), 409)
    except LastAgent:
        return _list(str(LAST), 409)
    except StaleError:
        return _list(str(STALE), 409)
    return frame.changed("desk.agents.show", "removed")


def _list(problem: str | None = None, status: int = 200, platforms: Sequence[str] = ()) -> Response:
    site = services()
    listed = site.agents_desk.listed
    return frame.page(
        "agents.html",
        status,
        agents=listed,
        shown={one.id: site.introductions.of(one.agent) for one in listed if one.agent},
        seen=",".join(one.id for one in listed),
        unreachable=site.health.unreachable(),
        titles={name: _title(name) for name in PLATFORMS},
        endings={one.id: _ending(one) for one in listed},
        problem=problem,
        platforms=platforms,
        paste=request.form.get("paste", "") if platforms else "",
    )


def _connecting(
    paste: Paste,
    values: Mapping[str, Any],
    problems: Mapping[str, str],
    findings: Sequence[Finding],
    status: int,
) -> Response:
    platform = cast(str, paste.platform)
    asked, further = _fields(platform, values, problems)
    return frame.page(
        "connect.html",
        status,
        platform=platform,
        title=_title(platform),
        asked=asked,
        further=further,
        problem=problems.get("", ""),
        problems=problems,
        is_swapped=paste.is_swapped,
        sealed=services().agents_desk.seal(values),
        # A cure that stands beside its field is not said twice.
        lines=[
            {**line, "to_do": ""} if line["to_do"] in problems.values() else line
            for line in _lines(findings, platform, request.form.get("id") or f"{platform}-new")
        ],
        card=request.form,
    )


def _agent(
    listed: ListedAgent,
    problems: Mapping[str, str] | None = None,
    problem: str | None = None,
    findings: Sequence[Finding] = (),
    status: int = 200,
) -> Response:
    problems = problems or {}
    asked: list[Field] = []
    further: list[Field] = []
    if listed.declared is None and listed.platform in PLATFORMS:
        values = services().agents_desk.options_of(listed)
        asked, further = _fields(listed.platform, values, problems)
    is_own_input = bool(problems or problem)
    card = listed.card.model_dump()
    # A picture is shown, and in the field stands no address of ours.
    card["icon"] = "" if listed.card.icon.startswith(ICONS) else listed.card.icon
    card["suggestions"] = "\n".join(card.get("suggestions", ()))
    card["daily_limit"] = card.get("daily_limit") or ""
    return frame.page(
        "agent.html",
        status,
        listed=listed,
        # What was typed is not lost with what was wrong about it.
        card={**card, **request.form.to_dict()} if is_own_input else card,
        title=_title(listed.platform),
        asked=asked,
        further=further,
        problem=problem or problems.get(""),
        problems=problems,
        picture=listed.card.icon if listed.card.icon.startswith(ICONS) else "",
        unmade=listed.problem.say(language()) if listed.problem else "",
        lines=_lines(findings, listed.platform, listed.id),
        has_web_app=getattr(listed.agent and listed.agent.provider, "web_app", None) is not None,
        introduced=services().introductions.of(listed.agent) if listed.agent else None,
        is_unreachable=listed.id in services().health.unreachable(),
    )


def _fields(
    platform: str, values: Mapping[str, Any], problems: Mapping[str, str]
) -> tuple[list[Field], list[Field]]:
    """The options of a platform that are also settings: those that it needs, and the others."""
    needed = [group[0] for group in signs(platform).needs]
    model = options(platform).model_fields
    others = [name for name in model if chinese_help(model[name]) and name not in needed]
    hidden = secret_options(platform)

    def field(name: str) -> Field:
        is_secret = name in hidden
        label = str(labels.OPTIONS.get(name, name))
        help = model[name].description if language() == "en" else chinese_help(model[name])
        return Field(
            name=name,
            label=label,
            help=labels.help_beside(label, labels.at_desk(platform, help or "")),
            value="" if is_secret else str(values.get(name, "")),
            is_secret=is_secret,
            ending=last_four(values, name) if is_secret else "",
            is_kept=is_secret and bool(values.get(name)),
            problem=problems.get(name, ""),
        )

    return [field(name) for name in needed], [field(name) for name in others]


def _options_of_form(platform: str) -> dict[str, str]:
    """The options that were filled in."""
    filled = {
        name: text
        for name in options(platform).model_fields
        if (text := request.form.get(PREFIX + name, "").strip())
    }
    return {name: text[: pasting.LONGEST] for name, text in filled.items()}


def _card_of_form() -> dict[str, Any]:
    """The fields of the card that are in the form."""
    card: dict[str, Any] = {
        name: request.form[name].replace("\r\n", "\n").strip()
        for name in ("id", *CARD_FIELDS)
        if name in request.form
    }
    if "suggestions" in card:
        lines = (line.strip() for line in card["suggestions"].splitlines())
        card["suggestions"] = [line for line in lines if line]
    limit = card.get("daily_limit", "")
    if limit.isdecimal() and len(limit) < 10:
        card["daily_limit"] = int(limit)
    return card


def _icon(listed: ListedAgent) -> dict[str, str]:
    """The picture that was sent; else the one of now, unless a sign was typed in its place.

    Raises SettingsError for what is none.
    """
    file = request.files.get("picture")
    if file is not None and file.filename and "icon" not in listed.locked:
        return {"icon": ICONS + services().desk.add_picture(frame.picture_of(file))}
    is_left = not request.form.get("icon", "").strip() and "remove-picture" not in request.form
    return {"icon": listed.card.icon} if is_left and listed.card.icon.startswith(ICONS) else {}


def _version() -> int:
    text = request.form.get("version", "")
    if not (text.isdecimal() and len(text) < 10):
        raise Refusal("bad_input", "no version")
    return int(text)


def _listed(id: str) -> ListedAgent:
    listed = services().agents_desk.get(id)
    if listed is None:
        raise Refusal("not_found", "an agent of the desk")
    return listed


def _test(agent: Agent, asks: bool) -> list[Finding]:
    """What the doctor finds; nothing while another test runs."""
    if not _testing.acquire(blocking=False):
        return [Finding("agent_busy", agent.id, {"reason": OTHER_TEST})]
    try:
        return doctor.examine(services().settings, [agent], asks)
    finally:
        _testing.release()


def _field_problems(agent: Agent, findings: Sequence[Finding]) -> dict[str, str]:
    """The cures of a test, beside the field that each is about."""
    problems: dict[str, str] = {}
    hidden = secret_options(agent.platform)
    needs = [name for group in signs(agent.platform).needs for name in group]
    for finding in findings:
        if finding.level != "fail" or finding.error is None:
            continue
        cure = labels.at_desk(agent.platform, finding.to_do(language()))
        if isinstance(finding.error, AuthRejected):
            name = next((name for name in needs if name in hidden), "")
        elif isinstance(finding.error, NotConfigured):
            name = next((name for name in needs if name not in hidden), "")
        else:
            name = ""
        if name:
            problems[name] = cure
    return problems


def _lines(findings: Sequence[Finding], platform: str, id: str) -> list[dict[str, str]]:
    spoken = language()
    return [
        {
            "level": finding.level,
            # The page is about this agent.
            "title": "" if finding.title(spoken) == id else finding.title(spoken),
            "seen": labels.at_desk(platform, finding.seen(spoken)),
            "to_do": labels.at_desk(platform, finding.to_do(spoken)),
        }
        for finding in findings
    ]


def _said(wrong: WrongFields) -> dict[str, str]:
    return {
        name: labels.as_sentence(reason.say(language())) for name, reason in wrong.problems.items()
    }


def _ending(listed: ListedAgent) -> str:
    """The last four of the key by which an agent is reached."""
    own = listed.agent.options if listed.agent else None
    hidden = secret_options(listed.platform) if listed.platform in PLATFORMS else ()
    names = [name for name in hidden if own is not None and getattr(own, name, None)]
    return last_four(dict(own), sorted(names)[0]) if own is not None and names else ""


def _title(platform: str) -> str:
    row = PLATFORMS.get(platform)
    if row is None:
        return platform
    return row.english if language() == "en" else row.title
