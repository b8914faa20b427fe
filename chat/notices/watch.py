"""What the owner should hear of: failing agents, ending tokens, a full disk, days nearly full."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, takewhile

from chat.agents.ceilings import SITE, account_of, day_of
from chat.agents.offered import Agent, Agents
from chat.china import CHINA
from chat.notices.words import REASONS, WORDS
from chat.settings.model import Settings
from chat.settings.words import Sentence, sentence
from chat.storage import Storage
from chat.storage.endings import Ending
from chat.storage.models import now
from chat.storage.owner.notices import Notice
from chat.visitors.limits.bodies import LEFT_FREE

FAILING = timedelta(minutes=5)
# In a row: one or two may be chance.
FAILURES = 3
# An older failure says nothing about now.
FRESH = timedelta(hours=1)
TOKEN_ENDS = timedelta(days=7)
NEARLY = 0.8
# A subject is told of no more often.
PAUSE = timedelta(hours=1)
# What stays as it is is told again.
AGAIN = timedelta(days=1)
SEEN = "seen"
# An account, what the owner calls it, and its questions a day.
Limit = tuple[str, Sentence | str, int]


@dataclass(frozen=True)
class Condition:
    """How a subject stands now. `alarm` tells that it is in `state`, `relief` that it is well
    again. Without either nothing is told, and a state is only noted.
    """

    subject: str
    state: str = ""
    alarm: Sentence | None = None
    relief: Sentence | None = None
    again: timedelta = AGAIN

    def is_due(self, notice: Notice | None, at: datetime) -> bool:
        """Whether it is time to tell, after what was told last."""
        if self.relief is not None:
            return notice is not None and notice.state != ""
        if self.alarm is None:
            return self.state != "" and notice is None
        if notice is None or at - notice.at >= self.again:
            return True
        return notice.state != self.state and at - notice.at >= PAUSE


class Watch:
    """Looks at a site; `settings` and `agents` are those of now."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        agents: Callable[[], Agents],
        storage: Storage,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._settings = settings
        self._agents = agents
        self._storage = storage
        self._clock = clock

    def look(self, notices: dict[str, Notice]) -> Iterator[Condition]:
        """How everything stands; `notices` are what was told."""
        yield from self._failing()
        yield from self._ending_tokens(notices)
        yield self._disk()
        yield from self._days()

    def _failing(self) -> Iterator[Condition]:
        by_agent = {agent.id: agent for agent in self._agents().all}
        endings = sorted(self._storage.endings.latest(), key=lambda ending: ending.agent)
        for agent_id, ends in groupby(endings, key=lambda ending: ending.agent):
            if agent_id in by_agent:
                yield self._failing_agent(by_agent[agent_id], list(ends))

    def _failing_agent(self, agent: Agent, ends: Sequence[Ending]) -> Condition:
        """`ends` are the agent's own, the newest first."""
        subject, at = f"agent {agent.id}", self._clock()
        failures = list(takewhile(lambda end: end.code in REASONS, ends))
        if len(failures) >= FAILURES and at - failures[0].ended_at < FRESH:
            seconds = (at - failures[-1].ended_at).total_seconds()
            if seconds >= FAILING.total_seconds():
                reason = REASONS[failures[0].code or ""]
                minutes = int(seconds // 60)
                alarm = sentence(WORDS["failing"], name=agent.name, minutes=minutes, reason=reason)
                return Condition(subject, "failing", alarm)
        if ends[0].code is not None:
            return Condition(subject)
        return Condition(subject, relief=sentence(WORDS["well"], name=agent.name))

    def _ending_tokens(self, notices: dict[str, Notice]) -> Iterator[Condition]:
        """A token whose end nobody says ends at the latest a life after it was seen first."""
        for agent in self._agents().all:
            token, days = agent.provider.short_lived_token
            if not token:
                continue
            mark = hashlib.sha256(token.encode()).hexdigest()[:16]
            seen = notices.get(f"token {mark}")
            if seen is None:
                yield Condition(f"token {mark}", SEEN)
                continue
            last_day = seen.at + timedelta(days=days)
            if last_day - self._clock() <= TOKEN_ENDS:
                zone = self._settings().time_zone
                alarm = sentence(
                    WORDS["token"], name=agent.name, day=day_of(last_day, zone), days=days
                )
                yield Condition(f"token end {mark}", "ending", alarm)

    def _disk(self) -> Condition:
        free = self._storage.disk.free
        if free >= 2 * LEFT_FREE:
            return Condition("disk", relief=sentence(WORDS["room"]))
        if free >= LEFT_FREE:
            # Between the two nothing is told, or it would be told at each step.
            return Condition("disk")
        return Condition("disk", "full", sentence(WORDS["disk"], free=free // 1_000_000))

    def _days(self) -> Iterator[Condition]:
        settings, at = self._settings(), self._clock()
        day = day_of(at, settings.time_zone)
        asked = self._storage.days.counts(day)
        limits: list[Limit] = [(SITE, sentence(WORDS["site"]), settings.daily_limit or 0)]
        agents = self._agents().all
        limits += [(account_of(agent.id), agent.name, agent.daily_limit) for agent in agents]
        yield from _nearly_full(day, asked, limits)
        day = at.astimezone(CHINA).date().isoformat()
        accounts = {agent.account.name: agent for agent in agents}
        yield from _nearly_full(
            day,
            self._storage.days.counts(day),
            [
                (name, sentence(WORDS["account"], name=agent.name), agent.account.limits.daily)
                for name, agent in accounts.items()
            ],
        )


def _nearly_full(day: str, asked: dict[str, int], limits: Sequence[Limit]) -> Iterator[Condition]:
    for account, name, limit in limits:
        count = asked.get(account, 0)
        if limit and count >= NEARLY * limit:
            alarm = sentence(WORDS["day"], name=name, count=count, limit=limit)
            # Once a day: another day is another state.
            yield Condition(f"day {account}", day, alarm, again=timedelta(days=2))
