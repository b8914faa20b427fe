"""Which answers the owner looks for, as the address of a page says it."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask import request
from flask_babel import lazy_gettext as _

from chat.refusals import Refusal
from chat.storage.owner.reading import Filters
from chat.web import services

# The words for the states of an answer, in the order of the field.
STATES = {
    "done": _("Answered"),
    "failed": _("Failed"),
    "stopped": _("Stopped"),
    "interrupted": _("Interrupted"),
    "running": _("Being answered"),
}
RATINGS = {"down": _("Not useful"), "up": _("Useful")}
FIELDS = ("agent", "state", "rating", "code", "day", "q")
LONGEST = 100


def values() -> dict[str, str]:
    """What is typed and chosen in the form of the page at hand, without empty fields."""
    typed = {name: request.args.get(name, "").strip()[:LONGEST] for name in FIELDS}
    return {name: value for name, value in typed.items() if value}


def filters() -> Filters:
    """The filters of the request at hand. Raises Refusal bad_input."""
    chosen = values()
    if chosen.get("state", "done") not in STATES or chosen.get("rating", "up") not in RATINGS:
        raise Refusal("bad_input", "a filter that is none")
    since, until = _day(chosen.get("day"))
    return Filters(
        agent=chosen.get("agent"),
        state=chosen.get("state"),
        rating=chosen.get("rating"),
        access=chosen.get("code"),
        text=chosen.get("q", ""),
        since=since,
        until=until,
    )


def before() -> int | None:
    """The place in a list from which a page goes on. Raises Refusal bad_input."""
    place = request.args.get("before")
    if place is None:
        return None
    if not (place.isascii() and place.isdecimal() and len(place) < 19):
        raise Refusal("bad_input", "no place in a list")
    return int(place)


def _day(typed: str | None) -> tuple[datetime | None, datetime | None]:
    """The beginning and the end of a day of the site's time zone."""
    if not typed:
        return None, None
    try:
        day = date.fromisoformat(typed)
        zone = ZoneInfo(services().settings.time_zone)
        midnights = (datetime.combine(day + timedelta(days=n), time(), zone) for n in (0, 1))
        since, until = (midnight.astimezone(UTC) for midnight in midnights)
    except (ValueError, OverflowError):
        raise Refusal("bad_input", "no day") from None
    return since, until
