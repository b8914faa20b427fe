"""The owner reads what visitors asked while they were told so, and nothing else, by any query."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import update

from chat.storage import NewQuestion, Storage, StoredQuestion
from chat.storage.models import Answer, now
from chat.storage.owner.reading import BATCH, SMALLEST_STEP, Filters
from tests.kit.filling import fill
from tests.storage.acting import refused


def say(
    store: Storage,
    question: str = "hi",
    *replies: str,
    is_readable: bool = True,
    state: str = "done",
    agent: str = "coze",
    visitor: str = "alice",
    conversation: str | None = None,
    access: str | None = None,
) -> StoredQuestion:
    asked = store.answers.store_question(
        NewQuestion(
            visitor,
            agent,
            question,
            "w1",
            conversation_id=conversation,
            access=access,
            is_readable=is_readable,
        )
    )
    store.answers.end(asked.answer_id, state, {"replies": list(replies)})
    return asked


def found(store: Storage, limit: int = 50, **filters: object) -> list[str]:
    return [line.question for line in store.owner_reading.find(Filters(**filters), limit).lines]  # type: ignore[arg-type]


def test_what_was_asked_before_or_after_is_never_read(store: Storage) -> None:
    before = say(store, "before", is_readable=False)
    say(store, "meanwhile", conversation=before.conversation_id)
    after = say(store, "after", is_readable=False, conversation=before.conversation_id)
    assert found(store) == ["meanwhile"]
    assert [answer.question for answer in store.owner_reading.each(Filters())] == ["meanwhile"]
    for answer in (before, after):
        assert refused(lambda answer=answer: store.owner_reading.passage(answer.answer_id, 5)) == (  # type: ignore[misc]
            "not_found"
        )


def test_a_conversation_is_read_without_what_is_closed(store: Storage) -> None:
    first = say(store, "closed", is_readable=False)
    open_answer = say(store, "open", conversation=first.conversation_id)
    say(store, "closed again", is_readable=False, conversation=first.conversation_id)
    passage = store.owner_reading.passage(open_answer.answer_id, 5)
    assert [answer.question for answer in passage.answers] == ["open"]
    assert (passage.closed, passage.earlier, passage.later) == (2, None, None)


def test_a_long_conversation_is_read_in_parts(store: Storage) -> None:
    asked = [say(store, "0")]
    for number in range(1, 9):
        asked.append(say(store, str(number), conversation=asked[0].conversation_id))
    passage = store.owner_reading.passage(asked[4].answer_id, 2)
    assert [answer.question for answer in passage.answers] == ["2", "3", "4", "5"]
    assert (passage.earlier, passage.later) == (asked[1].answer_id, asked[6].answer_id)


def test_what_a_visitor_has_deleted_is_not_read(store: Storage) -> None:
    asked = say(store, "gone")
    store.ratings.rate("alice", asked.answer_id, "down", "gone as well")
    store.conversations.delete("alice", asked.conversation_id)
    assert found(store) == [] and list(store.owner_reading.each(Filters())) == []
    assert store.owner_reading.rated("down", 5, with_questions=True) == []
    assert store.owner_reading.rating_counts() == {}
    assert refused(lambda: store.owner_reading.passage(asked.answer_id, 5)) == "not_found"
    store.conversations.restore("alice", asked.conversation_id)
    assert found(store) == ["gone"]


def test_the_newest_come_first_and_a_page_goes_on_where_the_last_one_ended(store: Storage) -> None:
    for number in range(7):
        say(store, str(number))
    first = store.owner_reading.find(Filters(), 3)
    second = store.owner_reading.find(Filters(), 3, first.older)
    third = store.owner_reading.find(Filters(), 3, second.older)
    pages = [[line.question for line in page.lines] for page in (first, second, third)]
    assert pages == [["6", "5", "4"], ["3", "2", "1"], ["0"]]
    assert third.older is None and not third.is_cut


@pytest.mark.parametrize("before", [-(2**70), -1, 0, 2**31, 2**70])
def test_any_number_is_a_place_to_go_on(store: Storage, before: int) -> None:
    say(store)
    assert len(store.owner_reading.find(Filters(), 3, before).lines) == (before > 0)


def test_filters_combine(store: Storage) -> None:
    failed = say(store, "开放时间", state="failed", access="code:museum")
    say(store, "开放时间", "八点")
    say(store, "门票", state="failed")
    say(store, "开放时间", state="failed", agent="yuanqi")
    store.ratings.rate("alice", failed.answer_id, "down")
    many = dict(agent="coze", state="failed", rating="down", text="开放", access="code:museum")
    recently = now() - timedelta(hours=1)
    (line,) = store.owner_reading.find(Filters(**many, since=recently), 5).lines  # type: ignore[arg-type]
    assert line.id == failed.answer_id
    for wrong in (
        {"agent": "yuanqi"},
        {"state": "done"},
        {"rating": "up"},
        {"text": "门票"},
        {"access": "key:museum"},
        {"until": recently},
    ):
        assert store.owner_reading.find(Filters(**{**many, **wrong}), 5).lines == []  # type: ignore[arg-type]


def test_text_is_found_in_questions_and_answers_as_visitors_find_it(store: Storage) -> None:
    say(store, "Ｏｐｅｎｉｎｇ hours", "**八点**开门")
    say(store, "reopening")
    assert found(store, text="opening") == ["Ｏｐｅｎｉｎｇ hours"]
    assert found(store, text="八点 hours") == ["Ｏｐｅｎｉｎｇ hours"]
    assert found(store, text="%") == found(store, text="九点") == []


def test_answers_that_only_look_like_a_match_hide_none_behind_them(store: Storage) -> None:
    say(store, "opening")
    for _ in range(4):
        say(store, "reopening")
    assert found(store, 1, text="opening") == ["opening"]


def test_a_page_without_time_says_where_it_stopped_and_misses_nothing(store: Storage) -> None:
    fill(store.engine, "alice", SMALLEST_STEP, 3, words=2)
    with store.engine.begin() as db:
        db.execute(update(Answer).values(is_readable=True))
    first = say(store, "needle")
    fill(store.engine, "bob", SMALLEST_STEP, 3, words=2)
    with store.engine.begin() as db:
        db.execute(update(Answer).values(is_readable=True))
    page = store.owner_reading.find(Filters(text="needle"), 5, seconds=0)
    assert page.is_cut and page.lines == []
    ids: list[str] = []
    while page.older is not None:
        page = store.owner_reading.find(Filters(text="needle"), 5, page.older, seconds=0)
        ids += [line.id for line in page.lines]
    assert ids == [first.answer_id]


def test_an_export_has_every_answer_once_and_whole(store: Storage) -> None:
    for number in range(2 * BATCH + 1):
        say(store, str(number), "long " * 10_000)
    answers = list(store.owner_reading.each(Filters()))
    assert [answer.question for answer in answers] == [
        str(number) for number in reversed(range(2 * BATCH + 1))
    ]
    assert all(answer.replies == ["long " * 10_000] for answer in answers)


def test_an_export_leaves_out_what_is_deleted_while_it_is_made(store: Storage) -> None:
    asked = [say(store, str(number)) for number in range(BATCH + 1)]
    answers = store.owner_reading.each(Filters())
    next(answers)
    store.conversations.delete("alice", asked[0].conversation_id)
    assert "0" not in [answer.question for answer in answers]


def test_a_reason_is_for_the_owner_and_its_question_only_where_it_may_be_read(
    store: Storage,
) -> None:
    closed, opened = say(store, "closed", is_readable=False), say(store, "open")
    for asked in (closed, opened):
        store.ratings.rate("alice", asked.answer_id, "down", "wrong")
    store.ratings.rate("alice", say(store).answer_id, "up")
    rated = store.owner_reading.rated("down", 5, with_questions=True)
    assert [(one.question, one.rating_reason) for one in rated] == [
        ("open", "wrong"),
        (None, "wrong"),
    ]
    rated = store.owner_reading.rated("down", 5, with_questions=False)
    assert [one.question for one in rated] == [None, None]
    assert store.owner_reading.rating_counts() == {"coze": {"up": 1, "down": 2}}


@dataclass
class Said:
    """What the model knows of one answer."""

    asked: StoredQuestion
    question: str
    visitor: str
    is_readable: bool
    is_deleted: bool = False


@dataclass
class Everything:
    answers: list[Said] = field(default_factory=list)

    def readable(self) -> set[str]:
        return {one.question for one in self.answers if one.is_readable and not one.is_deleted}


class Switching(RuleBasedStateMachine):
    """The owner's switch goes on and off while visitors ask, branch, rate, delete and move."""

    store: Storage

    def __init__(self) -> None:
        super().__init__()
        self.said = Everything()
        self.is_on = False
        for visitor in ("alice", "bob"):
            self.store.deletion.forget(visitor)

    @rule()
    def switch(self) -> None:
        self.is_on = not self.is_on

    @rule(visitor=st.sampled_from(["alice", "bob"]), data=st.data())
    def ask(self, visitor: str, data: st.DataObject) -> None:
        own = [one for one in self.said.answers if one.visitor == visitor and not one.is_deleted]
        before = data.draw(st.sampled_from([None, *own]), label="in the conversation of")
        question = f"question {len(self.said.answers)}"
        asked = say(
            self.store,
            question,
            f"reply to {question}",
            visitor=visitor,
            is_readable=self.is_on,
            conversation=before.asked.conversation_id if before else None,
        )
        self.said.answers.append(Said(asked, question, visitor, self.is_on))

    @precondition(lambda self: self.said.answers)
    @rule(data=st.data(), reason=st.sampled_from([None, "because"]))
    def rate(self, data: st.DataObject, reason: str | None) -> None:
        one = data.draw(st.sampled_from(self.said.answers))
        if not one.is_deleted:
            self.store.ratings.rate(one.visitor, one.asked.answer_id, "down", reason)

    @precondition(lambda self: self.said.answers)
    @rule(data=st.data())
    def delete_or_restore(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.said.answers))
        conversations = self.store.conversations
        act = conversations.restore if one.is_deleted else conversations.delete
        act(one.visitor, one.asked.conversation_id)
        is_deleted = not one.is_deleted
        for other in self.said.answers:
            if other.asked.conversation_id == one.asked.conversation_id:
                other.is_deleted = is_deleted

    @rule()
    def move(self) -> None:
        self.store.merge_visitors("bob", "alice")
        for one in self.said.answers:
            one.visitor = "alice"

    @invariant()
    def nothing_else_is_read(self) -> None:
        reading, readable = self.store.owner_reading, self.said.readable()
        lines = reading.find(Filters(), 100).lines
        assert {line.question for line in lines} == readable
        assert {answer.question for answer in reading.each(Filters())} == readable
        found = reading.find(Filters(text="reply"), 100).lines
        assert {line.question for line in found} == readable
        rated = reading.rated("down", 100, with_questions=True)
        assert {one.question for one in rated} <= readable | {None}
        for one in self.said.answers:
            if one.question not in readable:
                assert refused(lambda one=one: reading.passage(one.asked.answer_id, 50))  # type: ignore[misc]
                continue
            passage = reading.passage(one.asked.answer_id, 50)
            assert {answer.question for answer in passage.answers} <= readable


@pytest.fixture
def machine(store: Storage) -> Iterator[type[Switching]]:
    yield type("SwitchingHere", (Switching,), {"store": store})


def test_no_closed_answer_is_ever_read_whatever_the_owner_switches(
    machine: type[Switching],
) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=8,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
