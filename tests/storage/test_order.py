"""Order is a sequence: whatever the clocks of two processes say, what is done later comes later."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import delete, select

from chat.storage import Storage
from chat.storage.models import Conversation
from tests.kit.filling import fill
from tests.storage.acting import answers, ask, end
from tests.storage.machines import InAFile, OnAServer

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Clock:
    """The wall's clock of a process, which a test sets."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


def beside(store: Storage, at: datetime) -> Storage:
    """The same database as a process with another clock has it."""
    return Storage.on(store.engine, Clock(at))


@pytest.mark.parametrize("off", [HOUR, -HOUR, 400 * DAY, -400 * DAY], ids=str)
def test_of_two_processes_neither_hides_what_the_other_stored(
    store: Storage, off: timedelta
) -> None:
    right, wrong = beside(store, NOON), beside(store, NOON + off)
    first = ask(right, "zero")
    end(right, first, "reply")
    for number, process in enumerate((wrong, right, right, wrong, right)):
        asked = ask(process, f"question {number}", first.conversation_id)
        assert len(asked.earlier) == number + 1
        end(process, asked, f"reply {number}")
    questions = [answer.question for answer in answers(store, first.conversation_id)]
    assert questions == ["zero", *(f"question {number}" for number in range(5))]
    (hit,) = store.search.find("alice", "question")
    assert hit.answer_id == asked.answer_id


@pytest.mark.parametrize("off", [HOUR, -HOUR], ids=str)
def test_forgetting_ends_where_it_was_wished(store: Storage, off: timedelta) -> None:
    right, wrong = beside(store, NOON), beside(store, NOON + off)
    first = ask(wrong, "before")
    end(wrong, first, "reply", thread="thread")
    right.conversations.clear("alice", first.conversation_id)
    second = ask(right, "after", first.conversation_id)
    assert (second.earlier, second.thread) == ((), None)
    end(right, second, "reply", thread="another")
    third = ask(wrong, "again", first.conversation_id)
    assert (third.earlier, third.thread) == ((("after", "reply"),), "another")
    assert store.conversations.newest_thread(first.conversation_id) == "another"


def test_what_a_clock_that_was_behind_has_dated_is_not_too_old(store: Storage) -> None:
    right, behind = beside(store, NOON), beside(store, NOON - 1000 * DAY)
    old = ask(beside(store, NOON - 31 * DAY))
    before, late, after = ask(right), ask(behind), ask(right)
    for asked in (old, before, late, after):
        end(right, asked)
    right.deletion.expire(30)
    listed = [one.id for one in store.conversations.of("alice", 9)]
    assert listed == [one.conversation_id for one in (after, late, before)]


def test_what_a_clock_that_was_ahead_has_dated_goes_when_its_time_has_come(store: Storage) -> None:
    asked = ask(beside(store, NOON + 10 * DAY))
    end(store, asked)
    beside(store, NOON + 39 * DAY).deletion.expire(30)
    assert store.conversations.of("alice", 1)
    beside(store, NOON + 41 * DAY).deletion.expire(30)
    assert store.conversations.of("alice", 1) == []


def test_what_was_deleted_while_the_clock_was_ahead_does_not_stay_until_then(
    store: Storage,
) -> None:
    asked = ask(store)
    end(store, asked)
    beside(store, NOON + 400 * DAY).conversations.delete("alice", asked.conversation_id)
    right = beside(store, NOON)
    right.deletion.step(undo=None)
    assert _count(store) == 1, "nothing is due while the clock may be wrong"
    while right.deletion.step():
        pass
    assert _count(store) == 0


def test_a_list_goes_on_where_its_page_ended_although_times_are_equal(store: Storage) -> None:
    ids = fill(store.engine, "alice", conversations=7, answers=1, apart_s=0)
    pages: list[str] = []
    before: int | None = None
    while rows := store.conversations.of("alice", 3, before):
        pages += [row.id for row in rows]
        before = rows[-1].sequence
    assert pages == ids[::-1]


def _count(store: Storage) -> int:
    with store.engine.connect() as db:
        return len(db.scalars(select(Conversation.id)).all())


@dataclass
class Turn:
    """An answer as the model has it: `parent` is an index in its conversation."""

    id: str
    question: str
    parent: int | None
    state: str = "running"


@dataclass
class Talk:
    """A conversation as the model has it: its turns in the order of asking."""

    id: str
    title: str
    turns: list[Turn] = field(default_factory=list)
    # So many turns the agent has forgotten.
    cleared: int = 0
    is_deleted: bool = False

    @property
    def is_running(self) -> bool:
        return self.turns[-1].state == "running"

    def branch(self, leaf: int | None) -> list[int]:
        """The indexes from the beginning to a leaf."""
        indexes: list[int] = []
        while leaf is not None:
            indexes.append(leaf)
            leaf = self.turns[leaf].parent
        return indexes[::-1]

    def memory(self, leaf: int | None) -> tuple[tuple[str, str], ...]:
        """What the agent hears of the past with a question that follows a leaf."""
        turns = [self.turns[index] for index in self.branch(leaf) if index >= self.cleared]
        return tuple(
            (turn.question, f"reply to {turn.question}") for turn in turns if turn.state == "done"
        )


CHOICE = st.integers(0, 1000)
JUMP = st.sampled_from(
    [timedelta(), timedelta(seconds=1), HOUR, -HOUR, 3 * DAY, -3 * DAY, 400 * DAY]
)


class Ordering(RuleBasedStateMachine):
    """Two processes whose clocks jump, against a model that knows only what was done when."""

    store: Storage

    def __init__(self) -> None:
        super().__init__()
        with self.store.engine.begin() as db:
            db.execute(delete(Conversation))
        self.clocks = [Clock(), Clock()]
        self.processes = [Storage.on(self.store.engine, clock) for clock in self.clocks]
        # The one touched last is at the end.
        self.talks: list[Talk] = []
        self.count = 0

    @rule(process=st.integers(0, 1), jump=JUMP)
    def set_clock(self, process: int, jump: timedelta) -> None:
        self.clocks[process].at += jump

    @rule(process=st.integers(0, 1))
    def begin(self, process: int) -> None:
        question = self._question()
        asked = ask(self.processes[process], question)
        turn = Turn(asked.answer_id, question, None)
        self.talks.append(Talk(asked.conversation_id, question, [turn]))

    @precondition(lambda self: self._askable())
    @rule(
        process=st.integers(0, 1),
        choice=CHOICE,
        place=CHOICE,
        how=st.sampled_from(["", "", "after", "instead"]),
    )
    def go_on(self, process: int, choice: int, place: int, how: str) -> None:
        talk = _pick(self._askable(), choice)
        index = place % len(talk.turns) if how else len(talk.turns) - 1
        parent = talk.turns[index].parent if how == "instead" else index
        question = self._question()
        neighbour = {how: talk.turns[index].id} if how else {}
        asked = ask(self.processes[process], question, talk.id, **neighbour)
        assert asked.earlier == talk.memory(parent)
        talk.turns.append(Turn(asked.answer_id, question, parent))
        self.talks.remove(talk)
        self.talks.append(talk)

    @precondition(lambda self: self._running())
    @rule(process=st.integers(0, 1), choice=CHOICE, state=st.sampled_from(["done", "failed"]))
    def end(self, process: int, choice: int, state: str) -> None:
        turn = _pick(self._running(), choice).turns[-1]
        reply = f"reply to {turn.question}"
        self.processes[process].answers.end(turn.id, state, {"replies": [reply]})
        turn.state = state

    @precondition(lambda self: self._askable())
    @rule(process=st.integers(0, 1), choice=CHOICE)
    def clear(self, process: int, choice: int) -> None:
        talk = _pick(self._askable(), choice)
        self.processes[process].conversations.clear("alice", talk.id)
        talk.cleared = len(talk.turns)

    @precondition(lambda self: self._askable())
    @rule(process=st.integers(0, 1), choice=CHOICE)
    def rename(self, process: int, choice: int) -> None:
        talk = _pick(self._askable(), choice)
        talk.title = self._question()
        self.processes[process].conversations.rename("alice", talk.id, talk.title)

    @precondition(lambda self: self._askable())
    @rule(process=st.integers(0, 1), choice=CHOICE)
    def delete(self, process: int, choice: int) -> None:
        talk = _pick(self._askable(), choice)
        self.processes[process].conversations.delete("alice", talk.id)
        talk.is_deleted = True

    @precondition(lambda self: any(talk.is_deleted for talk in self.talks))
    @rule(process=st.integers(0, 1), choice=CHOICE)
    def restore(self, process: int, choice: int) -> None:
        talk = _pick([talk for talk in self.talks if talk.is_deleted], choice)
        self.processes[process].conversations.restore("alice", talk.id)
        talk.is_deleted = False

    @invariant()
    def the_list_is_in_the_order_of_asking(self) -> None:
        listed = [(row.id, row.title) for row in self.store.conversations.of("alice", 99)]
        assert listed == [(talk.id, talk.title) for talk in reversed(self._visible())]

    @invariant()
    def the_page_shows_the_branch_that_was_asked_last(self) -> None:
        for talk in self._visible():
            tree = self.store.conversations.tree(talk.id)
            assert list(tree.parents) == [turn.id for turn in talk.turns]
            newest = talk.branch(len(talk.turns) - 1)
            assert tree.branch() == [talk.turns[index].id for index in newest]

    @invariant()
    def the_search_shows_the_newest_first(self) -> None:
        ended = [
            [turn for turn in talk.turns if turn.state != "running"] for talk in self._visible()
        ]
        newest = [turns[-1] for turns in ended if turns]
        # The number of a question is its place in the order of asking.
        newest.sort(key=lambda turn: int(turn.question.split()[-1]), reverse=True)
        hits = [hit.answer_id for hit in self.store.search.find("alice", "reply")]
        assert hits == [turn.id for turn in newest]

    def _question(self) -> str:
        self.count += 1
        return f"question {self.count}"

    def _visible(self) -> list[Talk]:
        return [talk for talk in self.talks if not talk.is_deleted]

    def _askable(self) -> list[Talk]:
        return [talk for talk in self._visible() if not talk.is_running]

    def _running(self) -> list[Talk]:
        return [talk for talk in self._visible() if talk.is_running]


def _pick(talks: list[Talk], choice: int) -> Talk:
    return talks[choice % len(talks)]


class TestOrdering(InAFile, Ordering.TestCase):  # type: ignore[name-defined, misc]
    machine = Ordering


class TestOrderingOnAServer(OnAServer, Ordering.TestCase):  # type: ignore[name-defined, misc]
    machine = Ordering
