"""Drawings: the HTML of ended answers, replaced with its version, bounded, gone with its answer."""

from sqlalchemy import delete, func, select, update

from chat.storage import Storage
from chat.storage.drawings import Drawings, StoredDrawing
from chat.storage.models import Answer, Drawing, Outcome
from tests.storage.acting import ask, end

DRAWING = StoredDrawing("1-a", ["<p>hello</p>\n"])


def ended_answer(store: Storage, question: str) -> str:
    asked = ask(store, question)
    end(store, asked, "hello")
    return asked.answer_id


def count(store: Storage) -> int:
    with store.engine.connect() as db:
        return db.scalar(select(func.count()).select_from(Drawing)) or 0


def test_a_drawing_is_found_until_another_replaces_it(store: Storage) -> None:
    id = ended_answer(store, "how?")
    assert store.drawings.find([id]) == {}
    store.drawings.put({id: DRAWING})
    assert store.drawings.find([id, "other"]) == {id: DRAWING}
    newer = StoredDrawing("2-a", ["<p>new</p>\n", "<hr>\n"])
    store.drawings.put({id: newer})
    assert store.drawings.find([id]) == {id: newer}


def test_a_drawing_of_a_deleted_answer_is_not_stored(store: Storage) -> None:
    store.drawings.put({"gone": DRAWING})
    assert count(store) == 0


def test_a_drawing_goes_with_its_answer(store: Storage) -> None:
    store.drawings.put({ended_answer(store, "how?"): DRAWING})
    store.deletion.forget("alice")
    assert count(store) == 0


def test_the_drawings_of_the_first_questions_go_when_there_are_too_many(store: Storage) -> None:
    """Whatever the clock said, which ids begin with; and some at once, for to count is costly."""
    drawings = Drawings(store.engine, max_bytes=100)
    ids = [f"{9 - number}" for number in range(9)]
    left = []
    for id in ids:
        asked = ended_answer(store, f"question {id}")
        with store.engine.begin() as db:
            # Its outcome refers to the id.
            db.execute(delete(Outcome))
            db.execute(update(Answer).where(Answer.id == asked).values(id=id))
        drawings.put({id: DRAWING})
        left.append(len(drawings.find(ids)))
    # Of 13 bytes each: the eighth is too many, and two go.
    assert left == [1, 2, 3, 4, 5, 6, 7, 6, 7]
    assert set(drawings.find(ids)) == set(ids[2:])
