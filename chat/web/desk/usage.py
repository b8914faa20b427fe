"""Usage: the numbers of seven, thirty or ninety days, as plots and tables, and as JSON."""

from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, jsonify, request
from flask_babel import gettext as _

from chat.owner.desk.plots import Plot, plot
from chat.owner.desk.usage import Tally, Usage, usage_of
from chat.refusals import Refusal
from chat.storage.models import now
from chat.web import errors, services
from chat.web.desk import failures, frame
from chat.web.desk.labels import agent_name

bp = Blueprint("usage", __name__)

# How many days can be looked at; the first without a choice.
PERIODS = (7, 30, 90)


@bp.get("/usage")
def show() -> Response:
    """The days up to today, `?days=` of them."""
    days = _days()
    site = services()
    today = now().astimezone(ZoneInfo(site.settings.time_zone)).date()
    usage = usage_of(site.storage.outcomes, today, days, (agent.id for agent in site.agents.all))
    if not errors.wants_html():
        return jsonify(_as_json(usage))
    return frame.page(
        "usage.html",
        usage=usage,
        periods=PERIODS,
        days=days,
        plots=_plots(usage),
        failures=failures.rows(usage),
        agents=[(agent_name(id), tally) for id, tally in usage.agents.items()],
        accesses=[(_name_of_access(access), tally) for access, tally in usage.accesses.items()],
        has_codes=any(usage.accesses),
    )


def _days() -> int:
    """Raises Refusal bad_input for a number that is not among PERIODS."""
    text = request.args.get("days", str(PERIODS[0]))
    if text not in map(str, PERIODS):
        raise Refusal("bad_input", f"days is none of {PERIODS}")
    return int(text)


def _name_of_access(access: str | None) -> str:
    """The name of a code or key, which is stored as code:museum or key:museum."""
    if access is None:
        return str(_("Without a code"))
    kind, _colon, name = access.partition(":")
    return str(_("%(name)s (API key)", name=name)) if kind == "key" else name


def _as_json(usage: Usage) -> dict[str, Any]:
    return {
        "days": [
            {
                "day": day.isoformat(),
                "visitors": tally.visitors,
                **_numbers(tally),
            }
            for day, tally in usage.days.items()
        ],
        "agents": [
            {
                "id": id,
                "questions": tally.questions,
                "failed": tally.failed,
                "codes": dict(tally.codes),
            }
            for id, tally in usage.agents.items()
        ],
        "accesses": [
            {"access": access, **_numbers(tally)} for access, tally in usage.accesses.items()
        ],
    }


def _numbers(tally: Tally) -> dict[str, int]:
    return {
        "questions": tally.questions,
        "answers": tally.answers,
        "failed": tally.failed,
        "tokens": tally.tokens,
    }


def _plots(usage: Usage) -> dict[str, Plot]:
    """By their subjects. Those without a number are left out, but for questions."""
    subjects = {
        "questions": plot({day: _ends(tally) for day, tally in usage.days.items()}),
        "visitors": plot({day: {"visitors": tally.visitors} for day, tally in usage.days.items()}),
        "tokens": plot({day: {"tokens": tally.tokens} for day, tally in usage.days.items()}),
    }
    return {name: drawn for name, drawn in subjects.items() if drawn.most or name == "questions"}


def _ends(tally: Tally) -> dict[str, int]:
    """How the questions of a day ended; the rest is still being answered, or never ended."""
    rest = tally.questions - tally.answers - tally.failed
    return {"answers": tally.answers, "rest": rest, "failed": tally.failed}
