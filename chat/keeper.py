"""The one background thread of a process: saves drafts, says that it lives, takes over what the dead left."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from chat.agents import Agents
from chat.saver import Saver
from chat.storage import Answer, Storage
from chat.storage.models import Worker, now
from chat.turns import Turns

SAVE_S = 0.9
LOOK_S = 0.1  # a tenth of the drafts at a time: all at once would hold up every answer
BEAT_S = 2.0
TIDY_S = 60.0
DEAD_AFTER = timedelta(seconds=8)

log = logging.getLogger("chat.keeper")


class Keeper:
    """Start it once per process, after the fork; `worker` is the id this process answers under."""

    def __init__(self, storage: Storage, saver: Saver, turns: Turns, agents: Agents, worker: str) -> None:
        self._storage = storage
        self._saver = saver
        self._turns = turns
        self._agents = agents
        self._worker = worker
        self._host = socket.gethostname()
        self._ended = threading.Event()

    def start(self) -> None:
        """Looks for orphans at once, then works on in the background."""
        _try(self._beat)
        threading.Thread(target=self._work, name="keeper", daemon=True).start()

    def end(self) -> None:
        """Saves everything and signs off, so that the next process need not wait for our silence."""
        self._ended.set()
        self._saver.save()
        self._storage.bury([self._worker])

    def _work(self) -> None:
        beaten = tidied = time.monotonic()
        while not self._ended.wait(LOOK_S):
            _try(lambda: self._saver.save(SAVE_S))
            if time.monotonic() - beaten >= BEAT_S:
                beaten = time.monotonic()
                _try(self._beat)
            if time.monotonic() - tidied >= TIDY_S:
                tidied = time.monotonic()
                _try(self._storage.conversations.purge)

    def _beat(self) -> None:
        self._storage.beat(self._worker, self._host, os.getpid())
        workers = self._storage.workers()
        living = {one.id for one in workers if self._lives(one)}
        dead = {one.id for one in workers} - living
        for answer in self._storage.orphans(living):
            self._take_over(answer)
        if dead:
            self._storage.bury(dead)

    def _lives(self, one: Worker) -> bool:
        if one.id == self._worker:
            return True
        if one.host == self._host and (one.pid == os.getpid() or not _is_running(one.pid)):
            return False
        return now() - one.seen_at < DEAD_AFTER

    def _take_over(self, answer: Answer) -> None:
        """Finishes an orphan from the platform's record where there is one, else ends it with what it had."""
        agent = self._agents.get(answer.conversation.agent)
        if agent is not None and agent.row.records and answer.chat and answer.thread:
            if self._turns.resume(agent, answer):
                log.warning("answer %s: its process died; reading the platform's record", answer.id)
        elif self._storage.adopt(answer, self._worker) is not None:
            self._storage.end(answer.id, "interrupted", {"code": "unavailable"})
            log.warning("answer %s: its process died; interrupted", answer.id)


def _try(work: Callable[[], None]) -> None:
    """Works, or says why not: a full disk may have room again in a minute."""
    try:
        work()
    except Exception:
        log.exception("could not reach the database")


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
