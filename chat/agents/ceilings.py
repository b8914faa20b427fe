"""Ceilings of the site's own: how many questions a day it takes in all, and each agent.

The day is that of TIME_ZONE, which the owner and the visitors live by. The platforms count by
China's day (chat/china.py).
"""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from chat.agents.offered import Agent
from chat.refusals import CeilingRefusal
from chat.settings.model import Settings
from chat.storage.days import Days
from chat.storage.models import now

SITE = "site"


def account_of(agent_id: str) -> str:
    """Under which name an agent's questions of a day are counted."""
    return f"agent:{agent_id}"


class Ceilings:
    """Counts questions against the site's day and the agent's; `settings` are those of now."""

    def __init__(
        self,
        days: Days,
        settings: Callable[[], Settings],
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._days = days
        self._settings = settings
        self._clock = clock
        # Since which day each account has a limit here.
        self._begun: dict[str, str] = {}

    def spend(self, agent: Agent) -> Callable[[], None]:
        """Counts one more question; returns the function that takes it back.

        Raises CeilingRefusal, and counts nothing, when a day is full.
        """
        settings, at = self._settings(), self._clock()
        day = day_of(at, settings.time_zone)
        limits = {SITE: settings.daily_limit, account_of(agent.id): agent.daily_limit}
        with ExitStack() as undo:
            for account, limit in limits.items():
                if not limit:
                    self._begun.pop(account, None)
                    continue
                self._begin(account, day, "" if account == SITE else agent.id)
                if not self._days.spend(account, day, limit):
                    wait = seconds_until_tomorrow(at, settings.time_zone)
                    raise CeilingRefusal("quota_exhausted", f"the day of {account}", wait)
                undo.callback(self._days.give_back, account, day)
            return undo.pop_all().close

    def _begin(self, account: str, day: str, agent_id: str) -> None:
        """Takes a limit that is new to this process for one of the whole day."""
        if self._begun.get(account) != day:
            self._days.begin(account, day, agent_id)
            self._begun[account] = day

    def count(self, subject: str) -> None:
        """Counts what has no limit, for the owner to see."""
        self._days.count(subject, day_of(self._clock(), self._settings().time_zone))


def day_of(at: datetime, zone: str) -> str:
    """The date of a moment in the site's time zone, as text."""
    return at.astimezone(ZoneInfo(zone)).date().isoformat()


def seconds_until_tomorrow(at: datetime, zone: str) -> float:
    """Seconds from a moment to the next midnight in the site's time zone."""
    here = at.astimezone(ZoneInfo(zone))
    midnight = datetime.combine(here.date() + timedelta(days=1), time(), here.tzinfo)
    # Where clocks are put forward or back, a day has not 24 hours.
    return (midnight.astimezone(UTC) - at).total_seconds()
