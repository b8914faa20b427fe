"""Answers: one running in a conversation, with its history, saved, ended, claimed as orphans."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from chat.refusals import Refusal
from chat.storage import Storage, StoredQuestion
from chat.storage.answers import HISTORY
from chat.storage.models import now
from tests.storage.acting import Connect, answers, ask, end, refused, together


def test_a_question_is_there_before_its_answer(store: Storage) -> None:
    asked = ask(store, "  what\n is   this? " + "x" * 100)
    (answer,) = answers(store, asked.conversation_id)
    assert (answer.id, answer.state, answer.replies) == (asked.answer_id, "running", [])
    title = store.conversations.get("alice", asked.conversation_id).title
    assert title.startswith("what is this? xxx") and len(title) == 40 and title.endswith("…")


def test_of_twenty_questions_at_once_one_is_answered(connect: Connect) -> None:
    first = connect()
    asked = ask(first)
    end(first, asked, "hello")
    stores = [first, connect(), connect()]
    results = together(lambda n: ask(stores[n % 3], f"question {n}", asked.conversation_id), 20)
    stored = [result for result in results if isinstance(result, StoredQuestion)]
    assert len(stored) == 1
    assert [one.code for one in results if isinstance(one, Refusal)] == ["busy"] * 19
    assert len(answers(first, asked.conversation_id)) == 2


def test_twenty_conversations_at_once_are_no_trouble(connect: Connect) -> None:
    stores = [connect(), connect()]
    results = together(lambda n: ask(stores[n % 2], visitor=f"visitor {n}"), 20)
    assert all(isinstance(one, StoredQuestion) for one in results), results


def test_busy_says_when_to_come_back_and_ends_with_the_answer(store: Storage) -> None:
    asked = ask(store)
    with pytest.raises(Refusal) as raised:
        ask(store, "me too", asked.conversation_id)
    assert raised.value.code == "busy" and raised.value.retry_after
    for state in ("failed", "stopped", "interrupted", "done"):
        end(store, asked, state=state)
        asked = ask(store, state, asked.conversation_id)


def test_a_conversation_stays_with_its_agent(store: Storage) -> None:
    asked = ask(store)
    end(store, asked)
    assert refused(lambda: ask(store, "hi", asked.conversation_id, agent="yuanqi")) == "bad_input"


def test_a_question_brings_what_went_before(store: Storage) -> None:
    asked = ask(store, "one")
    store.answers.note_accepted(asked, "thread", "chat-1", "trace")
    end(store, asked, "first", "and more")
    failed = ask(store, "two", asked.conversation_id)
    assert (failed.thread, failed.previous_chat) == ("thread", "chat-1")
    assert failed.earlier == (("one", "first\n\nand more"),)
    end(store, failed, "half", state="failed", chat="chat-2")
    third = ask(store, "three", asked.conversation_id)
    assert third.previous_chat == "chat-2", "also one that failed occupies its thread"
    assert third.earlier == (("one", "first\n\nand more"),), "what failed was not said"


def test_history_is_the_latest_part_in_order(store: Storage) -> None:
    asked = ask(store, "0")
    for number in range(HISTORY + 5):
        end(store, asked, f"answer {number}")
        asked = ask(store, str(number + 1), asked.conversation_id)
    questions = [int(question) for question, _ in asked.earlier]
    assert questions == list(range(5, HISTORY + 5))


def test_a_growing_answer_is_saved_and_never_over_its_end(store: Storage) -> None:
    one, two = ask(store), ask(store)
    store.answers.save(
        {one.answer_id: {"replies": ["so far"]}, two.answer_id: {"replies": ["here too"]}}
    )
    assert store.answers.get("alice", one.answer_id).replies == ["so far"]
    end(store, one, "so far and to the end")
    store.answers.save({one.answer_id: {"replies": ["so far"]}})
    answer = store.answers.get("alice", one.answer_id)
    assert (answer.state, answer.replies) == ("done", ["so far and to the end"])
    assert answer.ended_at is not None and now() - answer.ended_at < timedelta(minutes=1)


def test_half_characters_from_a_platform_can_be_stored(store: Storage) -> None:
    asked = ask(store)
    store.answers.save({asked.answer_id: {"replies": ["\ud83d"], "thoughts": "thought"}})
    end(store, asked, "\ud83d\x00")
    assert store.answers.get("alice", asked.answer_id).state == "done"


def test_json_is_stored_as_utf_8_and_read_in_either_shape(store: Storage) -> None:
    new, old = ask(store), ask(store)
    end(store, new, "你好")
    end(store, old, "")
    as_before = text("""UPDATE answers SET replies = '["\\u4f60\\u597d"]' WHERE id = :id""")
    raw = text("SELECT CAST(replies AS TEXT) FROM answers WHERE id = :id")
    with store.engine.begin() as db:
        db.execute(as_before, {"id": old.answer_id})
        assert db.scalar(raw, {"id": new.answer_id}) == '["你好"]'
    for asked in (new, old):
        assert store.answers.get("alice", asked.answer_id).replies == ["你好"]


def test_the_dead_leave_orphans_and_the_living_none(store: Storage) -> None:
    mine, theirs = ask(store, worker="w1"), ask(store, worker="w2")
    end(store, ask(store, worker="w2"))
    assert [one.id for one in store.answers.orphans({"w1"})] == [theirs.answer_id]
    assert {one.id for one in store.answers.orphans(set())} == {mine.answer_id, theirs.answer_id}
    assert store.answers.orphans({"w1", "w2"}) == []
    assert store.answers.orphans({"w1"})[0].conversation.visitor == "alice", (
        "may be read afterwards"
    )


def test_of_two_workers_one_takes_an_orphan_over(connect: Connect) -> None:
    stores = [connect(), connect()]
    for _ in range(10):
        asked = ask(stores[0], worker="dead")
        found = [store.answers.orphans({"w0", "w1"})[0] for store in stores]
        results = together(
            lambda n, found=found: stores[n].answers.claim_orphan(found[n], f"w{n}"), 2
        )
        heirs = [one for one in results if one is not None]
        assert len(heirs) == 1 and isinstance(heirs[0], StoredQuestion), results
        assert heirs[0].answer_id == asked.answer_id
        end(stores[0], asked)


def test_an_ended_answer_has_no_heir(store: Storage) -> None:
    asked = ask(store, worker="dead")
    (orphan,) = store.answers.orphans({"w1"})
    end(store, asked, "after all")
    assert store.answers.claim_orphan(orphan, "w1") is None
