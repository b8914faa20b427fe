"""Conversations: their visitor's alone, latest first, cleared and deleted as a whole."""

from sqlalchemy import delete, select

from chat.storage import Storage
from chat.storage.conversations import MAX_PINNED
from chat.storage.models import Answer, Conversation
from tests.storage.acting import answers, ask, end, refused


def test_what_is_another_visitor_s_does_not_exist(store: Storage) -> None:
    asked = ask(store)
    for act in (
        lambda: store.conversations.get("bob", asked.conversation_id),
        lambda: store.answers.get("bob", asked.answer_id),
        lambda: ask(store, "hi", asked.conversation_id, visitor="bob"),
        lambda: store.conversations.clear("bob", asked.conversation_id),
        lambda: store.conversations.get("alice", "nowhere"),
        lambda: store.answers.get("alice", "nowhere"),
        lambda: ask(store, "hi", "nowhere"),
    ):
        assert refused(act) == "not_found"
    assert store.conversations.of("bob", 10) == []
    assert len(answers(store, asked.conversation_id)) == 1


def test_what_was_cleared_stays_on_the_page_and_is_no_history(store: Storage) -> None:
    asked = ask(store, "one")
    store.answers.note_accepted(asked, "thread", "chat", None)
    assert store.conversations.is_answering(asked.conversation_id)
    end(store, asked, "first")
    store.conversations.clear("alice", asked.conversation_id)
    again = ask(store, "two", asked.conversation_id)
    assert (again.earlier, again.thread) == ((), None)
    assert [one.question for one in answers(store, asked.conversation_id)] == ["one", "two"]


def test_conversations_come_latest_first(store: Storage) -> None:
    first, second = ask(store, "first"), ask(store, "second")
    end(store, first)
    assert [one.title for one in store.conversations.of("alice", 10)] == ["second", "first"]
    ask(store, "again", first.conversation_id)
    assert [one.title for one in store.conversations.of("alice", 10)] == ["first", "second"]
    assert second.conversation_id != first.conversation_id


def test_deleting_a_conversation_deletes_its_answers(store: Storage) -> None:
    asked, kept = ask(store), ask(store)
    with store.engine.begin() as db:
        db.execute(delete(Conversation).where(Conversation.id == asked.conversation_id))
    with store.engine.connect() as db:
        assert db.scalars(select(Answer.id)).all() == [kept.answer_id]


def test_pinned_ones_are_listed_apart_and_the_first_goes_back_when_there_are_too_many(
    store: Storage,
) -> None:
    ids = [ask(store, str(number)).conversation_id for number in range(MAX_PINNED + 1)]
    for id in ids:
        store.conversations.pin("alice", id, is_pinned=True)

    def listed(is_pinned: bool) -> list[str]:
        return [row.id for row in store.conversations.of("alice", 99, is_pinned=is_pinned)]

    assert (listed(False), listed(True)) == (ids[:1], ids[:0:-1])
    store.conversations.pin("alice", ids[1], is_pinned=False)
    assert listed(False) == [ids[1], ids[0]]
    assert refused(lambda: store.conversations.pin("bob", ids[2], is_pinned=False)) == "not_found"
    assert ids[2] in listed(True)


def test_what_was_deleted_together_comes_back_together(store: Storage) -> None:
    asked = [ask(store, str(number)) for number in range(4)]
    for one in asked:
        end(store, one)
    alone, *several, other = [one.conversation_id for one in asked]
    store.conversations.delete("alice", alone)
    store.conversations.delete("alice", *several)
    store.conversations.restore("alice", several[0])
    assert {row.id for row in store.conversations.of("alice", 9)} == {*several, other}


def test_of_several_all_are_deleted_or_none(store: Storage) -> None:
    done, running = ask(store), ask(store)
    end(store, done)
    ids = done.conversation_id, running.conversation_id
    assert refused(lambda: store.conversations.delete("alice", *ids)) == "busy"
    assert refused(lambda: store.conversations.delete("bob", *ids)) == "not_found"
    assert len(store.conversations.of("alice", 9)) == 2
