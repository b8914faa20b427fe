"""What the site was used for in some days: by day, by agent and by code, and what went wrong."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TypeVar

from chat.storage.owner.outcomes import Count, Outcomes

Key = TypeVar("Key")

# The end of an answer that is no failure: who stops one has what came until then.
ANSWERED = ("done", "stopped")
FAILED = ("failed", "interrupted")
# A failure whose reason was not stored.
UNKNOWN = "unexpected"


@dataclass
class Tally:
    """What questions came to. What is neither answered nor failed is still being answered.

    `tokens` are those that the platforms counted; not all of them do.
    """

    questions: int = 0
    answers: int = 0
    failed: int = 0
    tokens: int = 0
    codes: Counter[str] = field(default_factory=Counter)

    def add(self, count: Count) -> None:
        self.questions += count.questions
        self.tokens += count.tokens
        if count.state in ANSWERED:
            self.answers += count.questions
        elif count.state in FAILED:
            self.failed += count.questions
            self.codes[count.code or UNKNOWN] += count.questions


@dataclass
class DayTally(Tally):
    """A day with its visitors, each counted once."""

    visitors: int = 0


@dataclass(frozen=True)
class FirstWords:
    """Within how many seconds half of the answers began, and nine of ten."""

    median_s: float
    most_s: float

    @classmethod
    def of(cls, seconds: Sequence[tuple[float, int]]) -> "FirstWords | None":
        """From how many answers began after how long, shortest first; None when there are none."""
        count = sum(number for _, number in seconds)
        if not count:
            return None
        return cls(_nth(seconds, (count + 1) // 2), _nth(seconds, -(-9 * count // 10)))


@dataclass(frozen=True)
class Usage:
    """The numbers of some days, the oldest first; agents and accesses by questions, most first.

    Of the agents the site's own stand there with nothing too. An access is a code or key such as
    code:museum; None are all visitors without one.
    """

    total: Tally
    days: dict[date, DayTally]
    agents: dict[str, Tally]
    accesses: dict[str | None, Tally]
    failures: list[tuple[str, str, int]]
    first_words: FirstWords | None


def usage_of(outcomes: Outcomes, today: date, days: int, agents: Iterable[str]) -> Usage:
    """The numbers of so many days, of which today is the last."""
    first = today - timedelta(days=days - 1)
    total = Tally()
    by_day = {first + timedelta(days=number): DayTally() for number in range(days)}
    by_agent = {agent: Tally() for agent in agents}
    by_access: dict[str | None, Tally] = {}
    for count in outcomes.counts(first, today):
        total.add(count)
        by_day[count.day].add(count)
        by_agent.setdefault(count.agent, Tally()).add(count)
        by_access.setdefault(count.access, Tally()).add(count)
    for day, visitors in outcomes.visitors(first, today).items():
        by_day[day].visitors = visitors
    return Usage(
        total=total,
        days=by_day,
        agents=_most_first(by_agent),
        accesses=_most_first(by_access),
        failures=_failures(by_agent),
        first_words=FirstWords.of(outcomes.first_words(first, today)),
    )


def _most_first(tallies: dict[Key, Tally]) -> dict[Key, Tally]:
    return dict(sorted(tallies.items(), key=lambda item: -item[1].questions))


def _failures(agents: dict[str, Tally]) -> list[tuple[str, str, int]]:
    """Agent, reason and how often, the most frequent first."""
    failures = [
        (agent, code, times)
        for agent, tally in agents.items()
        for code, times in tally.codes.items()
    ]
    return sorted(failures, key=lambda failure: -failure[2])


def _nth(seconds: Sequence[tuple[float, int]], number: int) -> float:
    """The so-manieth value, counted from one."""
    for value, times in seconds:
        number -= times
        if number <= 0:
            return value
    raise IndexError(number)
