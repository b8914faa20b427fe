"""What tests of the storage do: ask, end, be refused, all at once."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest

from chat.refusals import Refusal
from chat.storage import Storage, StoredQuestion
from chat.storage.models import Answer

T = TypeVar("T")


Connect = Callable[..., Storage]


def ask(
    store: Storage, question: str = "hi", conversation: str | None = None, **who: str
) -> StoredQuestion:
    return store.answers.ask(
        who.get("visitor", "alice"),
        who.get("agent", "coze"),
        question,
        who.get("worker", "w1"),
        conversation_id=conversation,
        after=who.get("after"),
        instead=who.get("instead"),
    )


def answers(store: Storage, conversation: str) -> Sequence[Answer]:
    shelf = store.conversations
    return shelf.answers(conversation, shelf.tree(conversation).branch())


def end(
    store: Storage, asked: StoredQuestion, *replies: str, state: str = "done", **columns: Any
) -> None:
    store.answers.end(asked.answer_id, state, {"replies": list(replies), **columns})


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as raised:
        act()
    return raised.value.code


def together(act: Callable[[int], T], count: int) -> list[T | Exception]:
    """What so many threads get that do this at the same moment."""
    barrier = threading.Barrier(count)
    results: list[T | Exception] = []

    def one(number: int) -> None:
        barrier.wait()
        try:
            results.append(act(number))
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
