"""Today: what the site was asked, how it went, who waits, and what is left of the day."""

from zoneinfo import ZoneInfo

from flask import Blueprint, Response

from chat.owner.desk import standing
from chat.owner.desk.usage import usage_of
from chat.storage.models import now
from chat.web import services
from chat.web.desk import failures, frame
from chat.web.desk.labels import agent_name

bp = Blueprint("today", __name__)


@bp.get("", strict_slashes=False)
def show() -> Response:
    """The first page of the desk."""
    site, at = services(), now()
    today = at.astimezone(ZoneInfo(site.settings.time_zone)).date()
    usage = usage_of(site.storage.outcomes, today, 1, (agent.id for agent in site.agents.all))
    return frame.page(
        "today.html",
        usage=usage,
        day=usage.days[today],
        failures=failures.rows(usage),
        running=site.storage.answers.running(),
        waiting=standing.waiting(site.agents),
        budgets=list(standing.budgets(site.settings, site.agents, site.storage.days, at)),
        unreachable=site.health.unreachable(),
        agents=[(agent_name(id), tally) for id, tally in usage.agents.items()],
        agent_name=agent_name,
    )
