"""Ratings: of one's own answers that have ended, changed and taken back as one likes."""

import pytest

from chat.storage import Storage
from tests.storage.acting import ask, end, refused


def ended(store: Storage) -> str:
    asked = ask(store)
    end(store, asked, "hello")
    return asked.answer_id


def rating(store: Storage, answer_id: str) -> tuple[str | None, str | None, bool]:
    answer = store.answers.get("alice", answer_id)
    return answer.rating, answer.rating_reason, answer.rated_at is not None


def test_a_rating_stands_in_place_of_the_one_before(store: Storage) -> None:
    answer = ended(store)
    store.ratings.rate("alice", answer, "down", "太长了")
    assert rating(store, answer) == ("down", "太长了", True)
    store.ratings.rate("alice", answer, "up")
    assert rating(store, answer) == ("up", None, True)


def test_a_rating_that_is_taken_back_leaves_nothing(store: Storage) -> None:
    answer = ended(store)
    store.ratings.rate("alice", answer, "down", "wrong")
    store.ratings.rate("alice", answer, None, "still wrong")
    assert rating(store, answer) == (None, None, False)


def test_an_answer_is_rated_by_whoever_asked_alone(store: Storage) -> None:
    answer = ended(store)
    assert refused(lambda: store.ratings.rate("bob", answer, "down")) == "not_found"
    assert rating(store, answer)[0] is None


def test_an_answer_of_a_deleted_conversation_is_not_rated(store: Storage) -> None:
    asked = ask(store)
    end(store, asked, "hello")
    store.conversations.delete("alice", asked.conversation_id)
    assert refused(lambda: store.ratings.rate("alice", asked.answer_id, "up")) == "not_found"


@pytest.mark.parametrize("answer", ["", "nowhere", "'"])
def test_what_is_no_answer_is_not_rated(store: Storage, answer: str) -> None:
    assert refused(lambda: store.ratings.rate("alice", answer, "up")) == "not_found"


def test_an_answer_is_rated_once_it_has_ended(store: Storage) -> None:
    asked = ask(store)
    assert refused(lambda: store.ratings.rate("alice", asked.answer_id, "up")) == "busy"
    end(store, asked, "half", state="failed")
    assert store.ratings.rate("alice", asked.answer_id, "up") == asked.conversation_id
