"""How the site stands just now: what is being answered, who waits, what is left of the day."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Literal

from chat.agents.ceilings import SITE, account_of, day_of
from chat.agents.offered import Agent, Agents
from chat.agents.pacing import Account
from chat.settings.model import Settings
from chat.storage.days import Days


@dataclass(frozen=True)
class Budget:
    """How many questions a day has: of the site, of one agent, or of a platform's account.

    `agents` are those whose questions count.
    """

    kind: Literal["site", "agent", "account"]
    agents: tuple[Agent, ...]
    limit: int
    asked: int

    @property
    def left(self) -> int:
        # The owner may have lowered the limit since.
        return max(0, self.limit - self.asked)


@dataclass(frozen=True)
class Waiting:
    """How many questions of all processes wait for an account, which `agents` share."""

    agents: tuple[Agent, ...]
    questions: int


def budgets(settings: Settings, agents: Agents, days: Days, at: datetime) -> Iterator[Budget]:
    """All budgets of the day that have a limit. The platforms' day is China's, ours TIME_ZONE's."""
    # Read once: both kinds of days are one, as a rule.
    counts = cache(days.counts)
    today = day_of(at, settings.time_zone)
    if settings.daily_limit:
        asked = counts(today).get(SITE, 0)
        yield Budget("site", agents.all, settings.daily_limit, asked)
    for agent in agents.all:
        if agent.daily_limit:
            asked = counts(today).get(account_of(agent.id), 0)
            yield Budget("agent", (agent,), agent.daily_limit, asked)
    for account, those in accounts(agents).items():
        if account.daily:
            asked = counts(account.day).get(account.name, 0)
            yield Budget("account", those, account.daily, asked)


def waiting(agents: Agents) -> list[Waiting]:
    """Where questions wait, the longest line first."""
    lines = [
        Waiting(those, account.waiting_everywhere) for account, those in accounts(agents).items()
    ]
    return sorted((line for line in lines if line.questions), key=lambda line: -line.questions)


def accounts(agents: Agents) -> dict[Account, tuple[Agent, ...]]:
    """The accounts of the site, each with the agents that share it."""
    shared: dict[Account, list[Agent]] = {}
    for agent in agents.all:
        shared.setdefault(agent.account, []).append(agent)
    return {account: tuple(those) for account, those in shared.items()}
