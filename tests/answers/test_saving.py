"""How answers are stored while they grow and at their end, many at once."""

import threading
from pathlib import Path
from typing import Any

from sqlalchemy import event

from chat import storage
from chat.answers.saving import Saver
from chat.settings.model import Settings
from tests.kit.patience import soon
from tests.storage.acting import ask

CROWD = 24


def test_each_end_is_stored_once_however_many_end_together(tmp_path: Path) -> None:
    store = storage.connect(Settings(database_url=f"sqlite:///{tmp_path / 'chat.db'}"))
    answers = [ask(store, visitor=f"v{number}").answer_id for number in range(CROWD)]
    saver, gate = Saver(store), threading.Barrier(CROWD)
    writes: list[str] = []

    @event.listens_for(store.engine, "before_cursor_execute")
    def note(db: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if statement.startswith("UPDATE answers"):
            writes.append(statement)

    def end(answer: str) -> None:
        gate.wait(soon(10))
        saver.end_answer(answer, "done", {"replies": [f"of {answer}"], "finish_reason": "stop"})

    threads = [threading.Thread(target=end, args=(answer,)) for answer in answers]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        # As the housekeeper does meanwhile.
        saver.save()
    assert len(writes) == CROWD
    stored = [store.answers.get(f"v{number}", id) for number, id in enumerate(answers)]
    assert [(row.state, row.replies) for row in stored] == [
        ("done", [f"of {row.id}"]) for row in stored
    ]
    store.close()
