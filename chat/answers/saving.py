"""Stores running answers about once a second each, several in one transaction."""

import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

from chat.answers.partial import PartialAnswer
from chat.storage import Storage
from chat.storage.engine.kinds import is_trouble

# State, columns and question, as `Answers.end` takes them.
_End = tuple[str, Mapping[str, Any], str | None]

log = logging.getLogger("chat.saver")


class Saver:
    """Knows the running answers of this process; `save` stores those that have changed."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._lock = threading.Lock()
        self._partials: dict[str, PartialAnswer] = {}
        # Those that are not stored yet, and of those the ones that are being stored just now: each
        # by its own thread, since a server's reply may take longer than the next end.
        self._ends: dict[str, _End] = {}
        self._under_way: set[str] = set()

    def add(self, answer_id: str, partial: PartialAnswer) -> None:
        with self._lock:
            self._partials[answer_id] = partial

    def end_answer(
        self, answer_id: str, state: str, columns: Mapping[str, Any], question: str | None = None
    ) -> None:
        """Stores how an answer ended. When that fails, every `save` tries again.

        Until its end is stored, the conversation takes no other question.
        """
        with self._lock:
            self._partials.pop(answer_id, None)
            self._ends[answer_id] = (state, columns, question)
            self._under_way.add(answer_id)
        try:
            self._store_end(answer_id)
        except Exception as error:
            reason = getattr(error, "orig", None) or error
            log.error(
                "answer %s: its end could not be stored yet: %s",
                answer_id,
                reason,
                exc_info=not is_trouble(error),
            )
        finally:
            with self._lock:
                self._under_way.discard(answer_id)

    def close_doubtful(self, answer_id: str) -> None:
        """Ends an answer that nobody makes, if its question was stored after all.

        Else its conversation would take no other question while this process lives.
        """
        with self._lock:
            self._ends[answer_id] = ("interrupted", {"code": "unavailable"}, None)

    def save_all(self) -> None:
        """Stores everything, also what another thread is about to store: the process ends."""
        with self._lock:
            self._under_way.clear()
        self.save()

    def save(self, older_s: float = 0.0) -> None:
        """Stores changed answers, except those stored in the last `older_s` seconds."""
        with self._lock:
            ends = self._ends.keys() - self._under_way
        for answer_id in ends:
            self._store_end(answer_id)
        now = time.monotonic()
        with self._lock:
            changed = {
                answer_id: partial
                for answer_id, partial in self._partials.items()
                if partial.is_dirty and partial.saved_at <= now - older_s
            }
        # Before the write: what comes meanwhile makes an answer dirty again.
        for partial in changed.values():
            partial.is_dirty, partial.saved_at = False, now
        try:
            if changed:
                self._storage.answers.save(
                    {answer_id: partial.columns() for answer_id, partial in changed.items()}
                )
        except Exception:
            for partial in changed.values():
                partial.is_dirty = True
            raise

    def _store_end(self, answer_id: str) -> None:
        """Stores an end, unless another thread has; when it fails, the next `save` tries again."""
        with self._lock:
            end = self._ends.get(answer_id)
        if end is not None:
            self._storage.answers.end(answer_id, *end)
            with self._lock:
                self._ends.pop(answer_id, None)
