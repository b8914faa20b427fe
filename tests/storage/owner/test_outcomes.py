"""The owner's numbers are what a recount gives, whatever happens to the answers themselves."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import create_engine, delete, text

from chat import storage
from chat.china import CHINA
from chat.storage import NewQuestion, Storage, migrations
from chat.storage.models import RUNNING, ClosedDay, Conversation, Outcome
from chat.storage.owner.outcomes import DAYS_KEPT, MOST_TOKENS, OPEN_DAYS, Count
from tests.storage.acting import (
    Connect,
    ask,
    end,
    everything,
    insert_old_rows,
    migrate,
    only_sqlite,
    together,
)
from tests.storage.machines import InAFile, OnAServer

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
FIRST, LAST = date(2000, 1, 1), date(2099, 1, 1)


def total(store: Storage) -> Counter[str]:
    """How many questions ended how, of all days."""
    counts: Counter[str] = Counter()
    for count in store.outcomes.counts(FIRST, LAST):
        counts[count.code or count.state] += count.questions
    return counts


def at(store: Storage, moment: datetime, zone: str = "Asia/Shanghai") -> Storage:
    """The same database at that moment, for a site in that zone."""
    return Storage.on(store.engine, lambda: moment, ZoneInfo(zone))


def usage(total: int, input: int = 0, output: int = 0) -> dict[str, int]:
    return {"input": input, "output": output, "total": total}


def test_a_question_counts_from_the_moment_it_is_asked(store: Storage) -> None:
    ask(store)
    assert total(store) == {RUNNING: 1}


def test_an_end_that_is_stored_twice_counts_once(store: Storage) -> None:
    asked = ask(store)
    end(store, asked, "so", usage=usage(7))
    end(store, asked, "so", usage=usage(7))
    (count,) = store.outcomes.counts(FIRST, LAST)
    assert (count.state, count.questions, count.tokens) == ("done", 1, 7)


def test_an_orphan_that_two_processes_end_counts_once_as_it_is_stored_last(store: Storage) -> None:
    asked = ask(store)
    end(store, asked, state="interrupted", code="unavailable")
    end(store, asked, "late", code=None)
    assert total(store) == {"done": 1}


def test_a_question_that_was_refused_counts_nowhere(store: Storage) -> None:
    asked = ask(store)
    with pytest.raises(storage.answers.Refusal):
        ask(store, conversation=asked.conversation_id)
    assert total(store) == {RUNNING: 1}


def test_numbers_outlive_a_visitor_and_lead_nowhere(store: Storage) -> None:
    asked = ask(store, visitor="alice")
    end(store, asked, "so")
    store.deletion.forget("alice")
    assert store.deletion.finish()
    assert total(store) == {"done": 1}
    assert list(store.outcomes.visitors(FIRST, LAST).values()) == [1]
    with store.engine.connect() as db:
        (row,) = db.execute(text("SELECT * FROM outcomes")).mappings()
    assert asked.answer_id not in row.values() and "alice" not in row.values()


@only_sqlite
def test_of_a_deleted_answer_not_even_the_id_is_in_the_file(store: Storage, tmp_path: Path) -> None:
    asked = ask(store, visitor="alice")
    end(store, asked, "so")
    store.deletion.forget("alice")
    assert store.deletion.finish()
    assert asked.answer_id.encode() not in everything(tmp_path / "chat.db")


@pytest.mark.parametrize(
    ("zone", "day"),
    [("Asia/Shanghai", date(2026, 6, 16)), ("America/New_York", date(2026, 6, 15))],
)
def test_a_day_is_one_in_the_zone_of_the_site(store: Storage, zone: str, day: date) -> None:
    ask(at(store, datetime(2026, 6, 15, 20, tzinfo=UTC), zone))
    assert [count.day for count in store.outcomes.counts(FIRST, LAST)] == [day]


def test_a_visitor_counts_once_a_day(store: Storage) -> None:
    for moment in (NOON, NOON, NOON + DAY):
        for visitor in ("alice", "bob", "alice"):
            ask(at(store, moment), visitor=visitor)
    assert list(store.outcomes.visitors(FIRST, LAST).values()) == [2, 2]


def test_no_two_days_have_the_same_mark_of_a_visitor(store: Storage) -> None:
    for moment in (NOON, NOON + DAY):
        ask(at(store, moment), visitor="alice")
    with store.engine.connect() as db:
        assert len(set(db.scalars(text("SELECT visitor_mark FROM outcomes")))) == 2


def test_a_period_ends_with_its_last_day(store: Storage) -> None:
    for number in range(4):
        ask(at(store, NOON + number * DAY))
    first, last = (NOON + DAY).date(), (NOON + 2 * DAY).date()
    assert len(store.outcomes.counts(first, last)) == 2
    assert len(store.outcomes.visitors(first, last)) == 2


def test_first_words_come_shortest_first(store: Storage) -> None:
    for seconds in (2.5, 0.25, None, 2.5):
        end(store, ask(store), "so", first_s=seconds)
    assert store.outcomes.first_words(FIRST, LAST) == [(0.25, 1), (2.5, 2)]


@pytest.mark.parametrize(
    ("counted", "stored"),
    [
        (usage(10**30), MOST_TOKENS),
        (usage(-5), 0),
        (usage(0, 3, 4), 7),
        (None, 0),
    ],
)
def test_an_answer_ends_whatever_a_platform_says_of_its_tokens(
    store: Storage, counted: dict[str, int] | None, stored: int
) -> None:
    end(store, ask(store), "so", usage=counted)
    (count,) = store.outcomes.counts(FIRST, LAST)
    assert (count.state, count.tokens) == ("done", stored)


def test_tokens_that_were_saved_before_a_crash_count(store: Storage) -> None:
    asked = ask(store)
    store.answers.save({asked.answer_id: {"usage": usage(9)}})
    store.answers.end(asked.answer_id, "interrupted", {"code": "unavailable"})
    assert [count.tokens for count in store.outcomes.counts(FIRST, LAST)] == [9]


def test_the_name_of_a_code_is_stored_with_answer_and_numbers(store: Storage) -> None:
    question = NewQuestion("alice", "coze", "hi", "w1", access="code:museum")
    asked = store.answers.store_question(question)
    assert store.answers.get("alice", asked.answer_id).access == "code:museum"
    assert [count.access for count in store.outcomes.counts(FIRST, LAST)] == ["code:museum"]


def test_numbers_older_than_a_year_and_a_month_are_deleted(store: Storage) -> None:
    for days in (0, DAYS_KEPT, DAYS_KEPT + 1):
        ask(at(store, NOON - days * DAY))
        end(store, ask(at(store, NOON - days * DAY)), "so")
    store.outcomes.close(NOON.date())
    store.outcomes.expire(NOON.date())
    assert total(store) == {RUNNING: 2, "done": 2}


def test_of_a_closed_day_nothing_is_left_but_its_sums(store: Storage) -> None:
    for visitor in ("alice", "bob", "alice"):
        asked = ask(at(store, NOON), visitor=visitor)
        end(store, asked, "so", usage=usage(7), first_s=0.349)
    before = store.outcomes.counts(FIRST, LAST), store.outcomes.visitors(FIRST, LAST)
    store.outcomes.close((NOON + OPEN_DAYS * DAY).date())
    assert (store.outcomes.counts(FIRST, LAST), store.outcomes.visitors(FIRST, LAST)) == before
    assert store.outcomes.first_words(FIRST, LAST) == [(0.3, 3)]
    with store.engine.connect() as db:
        assert db.scalar(text("SELECT count(*) FROM outcomes")) == 0


def test_the_last_days_stay_open(store: Storage) -> None:
    end(store, ask(at(store, NOON)), "so")
    store.outcomes.close((NOON + (OPEN_DAYS - 1) * DAY).date())
    with store.engine.connect() as db:
        assert db.scalar(text("SELECT count(*) FROM outcomes")) == 1


def test_what_is_still_being_answered_is_added_to_its_closed_day_when_it_ends(
    store: Storage,
) -> None:
    first, late = ask(at(store, NOON)), ask(at(store, NOON))
    end(store, first, "so")
    for _ in range(2):
        store.outcomes.close((NOON + 9 * DAY).date())
        assert total(store)["done"] == 1 + (total(store)[RUNNING] == 0)
        end(store, late, "so")
    store.outcomes.close((NOON + 9 * DAY).date())
    assert total(store) == {"done": 2}


def test_two_processes_that_close_a_day_at_once_count_it_once(connect: Connect) -> None:
    stores = [connect(), connect()]
    for _ in range(20):
        end(stores[0], ask(at(stores[0], NOON)), "so")
    together(lambda n: stores[n % 2].outcomes.close((NOON + 9 * DAY).date()), 4)
    assert total(stores[1]) == {"done": 20}


@only_sqlite
def test_what_was_answered_before_there_were_numbers_is_counted(
    connect: Connect, tmp_path: Path
) -> None:
    path = tmp_path / "chat.db"
    migrate(path, "0009")
    insert_old_rows(path, *((f"a{number:04}", None, "how?", "so") for number in range(1203)))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as db:
        db.exec_driver_sql(
            "UPDATE answers SET state = 'failed', code = 'timeout' WHERE id = 'a0001'"
        )
        db.exec_driver_sql(
            'UPDATE answers SET usage = \'{"input": 1, "output": 2, "total": 3}\', '
            "created_at = '2026-01-01 20:00:00.000000' WHERE id = 'a0002'"
        )
    engine.dispose()
    store = connect()
    new_year = date(2026, 1, 1)
    assert store.outcomes.counts(FIRST, LAST) == [
        Count(new_year, "coze", None, "done", None, 1201, 0),
        Count(new_year, "coze", None, "failed", "timeout", 1, 0),
        Count(new_year + DAY, "coze", None, "done", None, 1, 3),
    ]
    assert store.outcomes.visitors(FIRST, LAST) == {new_year: 1, new_year + DAY: 1}


@only_sqlite
def test_days_before_there_were_numbers_are_those_of_the_site_s_zone(
    connect: Connect, tmp_path: Path
) -> None:
    migrate(tmp_path / "chat.db", "0011")
    insert_old_rows(tmp_path / "chat.db", ("a1", None, "how?", "so"))
    engine = create_engine(f"sqlite:///{tmp_path}/chat.db")
    migrations.upgrade(engine, zone=ZoneInfo("America/New_York"))
    engine.dispose()
    assert list(connect().outcomes.visitors(FIRST, LAST)) == [date(2025, 12, 31)]


# Whatever visitors, processes and clocks do


@dataclass
class Asked:
    """What a recount knows of a question. `is_there`: its visitor has not deleted it. `closing` is
    when its day was closed, 0 for not yet.
    """

    id: str
    conversation: str
    visitor: str
    day: date
    agent: str
    access: str | None
    state: str = RUNNING
    code: str | None = None
    tokens: int = 0
    first_s: float | None = None
    is_there: bool = True
    closing: int = 0


CHOICE = st.integers(0, 1000)
ENDS = st.sampled_from(
    [("done", None), ("stopped", None), ("failed", "timeout"), ("interrupted", "unavailable")]
)
JUMP = st.sampled_from([timedelta(), timedelta(hours=5), -timedelta(hours=5), 2 * DAY, -2 * DAY])


class Recounting(RuleBasedStateMachine):
    """Two processes whose clocks jump, and a list of all that was ever asked."""

    store: Storage

    def __init__(self) -> None:
        super().__init__()
        with self.store.engine.begin() as db:
            db.execute(delete(Conversation))
            db.execute(delete(Outcome))
            db.execute(delete(ClosedDay))
        self.moments = [NOON, NOON]
        self.processes = [self._process(0), self._process(1)]
        self.all: list[Asked] = []
        self.closings = 0

    def _process(self, number: int) -> Storage:
        return Storage.on(self.store.engine, lambda: self.moments[number])

    @rule(process=st.integers(0, 1), jump=JUMP)
    def set_clock(self, process: int, jump: timedelta) -> None:
        self.moments[process] += jump

    @rule(
        process=st.integers(0, 1),
        visitor=st.sampled_from(["alice", "bob"]),
        agent=st.sampled_from(["coze", "yuanqi"]),
        access=st.sampled_from([None, "code:museum", "key:museum"]),
    )
    def ask(self, process: int, visitor: str, agent: str, access: str | None) -> None:
        question = NewQuestion(visitor, agent, "hi", "w1", access=access)
        stored = self.processes[process].answers.store_question(question)
        day = self.moments[process].astimezone(CHINA).date()
        self.all.append(
            Asked(stored.answer_id, stored.conversation_id, visitor, day, agent, access)
        )

    @precondition(lambda self: self._open())
    @rule(
        process=st.integers(0, 1),
        choice=CHOICE,
        ending=ENDS,
        tokens=st.integers(0, 500),
        first_s=st.sampled_from([None, 0.5, 1.2]),
    )
    def end(
        self,
        process: int,
        choice: int,
        ending: tuple[str, str | None],
        tokens: int,
        first_s: float | None,
    ) -> None:
        """Ends one, perhaps for the second time, as after a crash, but not days later."""
        asked = self._pick(self._open(), choice)
        asked.state, asked.code = ending
        asked.tokens, asked.first_s = tokens, first_s
        columns = {"code": asked.code, "first_s": first_s, "usage": usage(tokens)}
        self.processes[process].answers.end(asked.id, asked.state, columns)

    @precondition(lambda self: self._ended())
    @rule(choice=CHOICE)
    def delete(self, choice: int) -> None:
        asked = self._pick(self._ended(), choice)
        self.store.conversations.delete(asked.visitor, asked.conversation)
        while self.store.deletion.step(timedelta(days=-999)):
            pass
        asked.is_there = False

    @rule(visitor=st.sampled_from(["alice", "bob"]))
    def forget(self, visitor: str) -> None:
        self.store.deletion.forget(visitor)
        for asked in self.all:
            asked.is_there &= asked.visitor != visitor

    @rule(days=st.integers(-4, 4))
    def close(self, days: int) -> None:
        today = (NOON + days * DAY).date()
        self.processes[days % 2].outcomes.close(today)
        self.closings += 1
        for asked in self.all:
            has_ended = asked.state != RUNNING or not asked.is_there
            if asked.day <= today - OPEN_DAYS * DAY and has_ended and not asked.closing:
                asked.closing = self.closings

    @invariant()
    def counts_are_those_of_a_recount(self) -> None:
        recount: dict[tuple[Any, ...], list[int]] = {}
        for asked in self.all:
            key = asked.day, asked.agent, asked.access, asked.state, asked.code
            count = recount.setdefault(key, [0, 0])
            count[0] += 1
            count[1] += asked.tokens
        expected = [Count(*key, *count) for key, count in recount.items()]
        assert sorted(self.store.outcomes.counts(FIRST, LAST), key=repr) == sorted(
            expected, key=repr
        )

    @invariant()
    def visitors_are_those_of_a_recount(self) -> None:
        """One who comes back to a day that was closed counts anew."""
        marks = {(asked.day, asked.visitor, asked.closing) for asked in self.all}
        assert self.store.outcomes.visitors(FIRST, LAST) == Counter(day for day, *_ in marks)

    @invariant()
    def first_words_are_those_of_a_recount(self) -> None:
        seconds = Counter(asked.first_s for asked in self.all if asked.first_s is not None)
        assert self.store.outcomes.first_words(FIRST, LAST) == sorted(seconds.items())

    def _present(self) -> list[Asked]:
        return [asked for asked in self.all if asked.is_there]

    def _open(self) -> list[Asked]:
        return [asked for asked in self._present() if not asked.closing]

    def _ended(self) -> list[Asked]:
        return [asked for asked in self._present() if asked.state != RUNNING]

    def _pick(self, some: list[Asked], choice: int) -> Asked:
        return some[choice % len(some)]


class TestRecounting(InAFile, Recounting.TestCase):  # type: ignore[name-defined, misc]
    machine = Recounting


class TestRecountingOnAServer(OnAServer, Recounting.TestCase):  # type: ignore[name-defined, misc]
    machine = Recounting
