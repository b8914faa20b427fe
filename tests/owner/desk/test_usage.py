"""What the desk makes of counted questions."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.owner.desk.usage import FirstWords, Usage, usage_of
from chat.storage.owner.outcomes import Count, Outcomes

TODAY = date(2026, 3, 1)


class Counted(Outcomes):
    """Numbers that nobody has to store first."""

    def __init__(
        self,
        counts: Sequence[Count] = (),
        visitors: dict[date, int] | None = None,
        first_words: Sequence[tuple[float, int]] = (),
    ) -> None:
        self._counts, self._visitors = list(counts), visitors or {}
        self._first_words = list(first_words)

    def counts(self, first: date, last: date) -> list[Count]:
        return [count for count in self._counts if first <= count.day <= last]

    def visitors(self, first: date, last: date) -> dict[date, int]:
        return {day: count for day, count in self._visitors.items() if first <= day <= last}

    def first_words(self, first: date, last: date) -> list[tuple[float, int]]:
        return self._first_words


def count(
    state: str = "done",
    code: str | None = None,
    questions: int = 1,
    *,
    agent: str = "coze",
    access: str | None = None,
    ago: int = 0,
) -> Count:
    return Count(TODAY - timedelta(days=ago), agent, access, state, code, questions, 10 * questions)


def usage(*counts: Count, days: int = 7, agents: Sequence[str] = ("coze",)) -> Usage:
    return usage_of(Counted(counts), TODAY, days, agents)


def test_there_is_a_day_for_each_of_the_period_the_last_is_today() -> None:
    days = list(usage(days=30).days)
    assert days == [TODAY - timedelta(days=29 - number) for number in range(30)]


def test_a_stopped_answer_is_an_answer_and_no_failure() -> None:
    total = usage(count("stopped")).total
    assert (total.questions, total.answers, total.failed) == (1, 1, 0)


def test_what_a_crash_interrupted_is_a_failure() -> None:
    total = usage(count("interrupted", "unavailable", 3)).total
    assert (total.answers, total.failed, total.codes) == (0, 3, {"unavailable": 3})


def test_what_is_still_being_answered_is_a_question_only() -> None:
    total = usage(count("running")).total
    assert (total.questions, total.answers, total.failed) == (1, 0, 0)


def test_a_failure_whose_reason_was_not_stored_is_one_all_the_same() -> None:
    assert usage(count("failed")).total.codes == {"unexpected": 1}


def test_an_agent_without_questions_is_listed_and_so_is_a_former_one() -> None:
    agents = usage(count(agent="gone"), agents=["coze", "yuanqi"]).agents
    assert {id: tally.questions for id, tally in agents.items()} == {
        "gone": 1,
        "coze": 0,
        "yuanqi": 0,
    }


def test_whoever_is_asked_most_comes_first() -> None:
    counted = usage(count(agent="a"), count(agent="b", questions=5, access="code:museum"))
    assert list(counted.agents) == ["b", "a", "coze"]
    assert list(counted.accesses) == ["code:museum", None]


def test_the_most_frequent_failure_comes_first() -> None:
    counted = usage(count("failed", "timeout"), count("failed", "empty", 4, agent="b"))
    assert counted.failures == [("b", "empty", 4), ("coze", "timeout", 1)]


def test_visitors_stand_on_their_day() -> None:
    outcomes = Counted(visitors={TODAY: 3, TODAY - timedelta(days=1): 2})
    days = usage_of(outcomes, TODAY, 7, ["coze"]).days
    assert [tally.visitors for tally in days.values()] == [0, 0, 0, 0, 0, 2, 3]


@pytest.mark.parametrize(
    ("seconds", "median", "most"),
    [
        ([1.0], 1.0, 1.0),
        ([1.0, 9.0], 1.0, 9.0),
        ([1.0, 2.0, 9.0], 2.0, 9.0),
        ([float(number) for number in range(1, 11)], 5.0, 9.0),
    ],
)
def test_half_of_the_answers_begin_within_the_median_and_nine_of_ten_within_the_other(
    seconds: list[float], median: float, most: float
) -> None:
    counted = sorted(Counter(seconds).items())
    assert FirstWords.of(counted) == FirstWords(median, most)


def test_without_an_answer_there_are_no_first_words() -> None:
    assert FirstWords.of([]) is None


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["running", "done", "stopped", "failed", "interrupted"]),
            st.integers(1, 9),
            st.integers(0, 6),
            st.sampled_from(["coze", "b"]),
            st.sampled_from([None, "code:museum"]),
        ),
        max_size=20,
    )
)
def test_days_agents_and_codes_add_up_to_the_same(
    ends: list[tuple[str, int, int, str, str | None]],
) -> None:
    counted = usage(
        *(
            count(state, None, questions, ago=ago, agent=agent, access=access)
            for state, questions, ago, agent, access in ends
        )
    )
    for tallies in (counted.days.values(), counted.agents.values(), counted.accesses.values()):
        for name in ("questions", "answers", "failed", "tokens"):
            parts = sum(getattr(tally, name) for tally in tallies)
            assert parts == getattr(counted.total, name)
