"""Keeps what running answers hold so far, each about once a second, some of them in each transaction."""

import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

from chat.answers.partial import Draft
from chat.storage import Storage

log = logging.getLogger("chat.saver")


class Saver:
    """Knows the drafts of this process. Adding text to one costs nothing here; `save` does the work."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._lock = threading.Lock()
        self._drafts: dict[str, Draft] = {}
        self._ends: dict[str, tuple[str, Mapping[str, Any]]] = {}

    def add(self, answer_id: str, draft: Draft) -> None:
        with self._lock:
            self._drafts[answer_id] = draft

    def end(self, answer_id: str, state: str, columns: Mapping[str, Any]) -> None:
        """Stores how an answer ended. When that fails, every `save` tries again: until it is stored, the
        conversation takes no other question.
        """
        with self._lock:
            self._drafts.pop(answer_id, None)
            self._ends[answer_id] = (state, columns)
        try:
            self._store_ends()
        except Exception:
            log.exception("answer %s: its end could not be stored yet", answer_id)

    def save(self, older_s: float = 0.0) -> None:
        """Stores the drafts that have changed, but for those stored in the last `older_s` seconds."""
        self._store_ends()
        now = time.monotonic()
        with self._lock:
            changed = {
                answer_id: draft
                for answer_id, draft in self._drafts.items()
                if draft.is_dirty and draft.saved_at <= now - older_s
            }
        for draft in changed.values():
            draft.is_dirty, draft.saved_at = False, now
        try:
            if changed:
                self._storage.answers.save(
                    {answer_id: draft.columns() for answer_id, draft in changed.items()}
                )
        except Exception:
            for draft in changed.values():
                draft.is_dirty = True
            raise

    def _store_ends(self) -> None:
        with self._lock:
            ends = list(self._ends.items())
        for answer_id, (state, columns) in ends:
            self._storage.answers.end(answer_id, state, columns)
            with self._lock:
                self._ends.pop(answer_id, None)
