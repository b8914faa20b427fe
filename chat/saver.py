"""Keeps what running answers hold so far, about once a second, all of them in one transaction."""

import threading

from chat.draft import Draft
from chat.storage import Storage


class Saver:
    """Knows the drafts of this process. Adding text to one costs nothing here; `save` does the work."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._lock = threading.Lock()
        self._drafts: dict[str, Draft] = {}

    def add(self, answer_id: str, draft: Draft) -> None:
        with self._lock:
            self._drafts[answer_id] = draft

    def remove(self, answer_id: str) -> None:
        with self._lock:
            self._drafts.pop(answer_id, None)

    def save(self) -> None:
        """Stores the drafts that have changed since the last time."""
        with self._lock:
            changed = {answer_id: draft for answer_id, draft in self._drafts.items() if draft.is_dirty}
        for draft in changed.values():
            draft.is_dirty = False
        if changed:
            self._storage.save({answer_id: draft.columns() for answer_id, draft in changed.items()})
