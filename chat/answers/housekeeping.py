"""The one background thread of a process: saves growing answers, says that it lives, takes over what the dead left."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from chat.agents.offered import Agents
from chat.answers.saving import Saver
from chat.answers.turns import Turns
from chat.storage import Answer, Storage
from chat.storage.models import Worker, now
from chat.storage.sqlite import is_trouble
from chat.storage.workers import DEAD_AFTER, has_ended, is_heard

SAVE_S = 0.9
LOOK_S = 0.1  # a tenth of the answers at a time: all at once would hold up every answer
BEAT_S = 2.0
TIDY_S = 60.0
JUMP = timedelta(
    seconds=2
)  # between two beats the clock and the time that went by agree better than that
UNTRUSTED_S = (
    3600.0  # so long after a jump nothing is deleted for its age: the next may set the clock right
)
TROUBLED_S = 1.0  # between two tries while the database cannot be used
TOLD_S = 60.0

log = logging.getLogger("chat.keeper")


class Housekeeper:
    """Start it once per process, after the fork; `worker` is the id this process answers under."""

    def __init__(
        self,
        storage: Storage,
        saver: Saver,
        turns: Turns,
        agents: Agents,
        worker: str,
        keep_days: int | None = None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._storage = storage
        self._saver = saver
        self._turns = turns
        self._agents = agents
        self._worker = worker
        self._keep_days = keep_days
        self._clock = clock
        self._host = socket.gethostname()
        self._ended = threading.Event()
        self._last = (clock(), time.monotonic())
        self._jumped_at: float | None = None
        self._told_at = float("-inf")
        self._is_tidying = False

    def start(self) -> None:
        """Looks for orphans at once, then works on in the background."""
        self._try(self._beat)
        threading.Thread(target=self._work, name="keeper", daemon=True).start()

    def end(self) -> None:
        """Saves everything and signs off, so that the next process need not wait for our silence."""
        self._ended.set()
        self._saver.save()
        self._storage.workers.bury([self._worker])

    def _work(self) -> None:
        beaten = tidied = time.monotonic()
        pause = LOOK_S
        while not self._ended.wait(pause):
            well = self._try(lambda: self._saver.save(SAVE_S))
            if time.monotonic() - beaten >= BEAT_S:
                beaten = time.monotonic()
                well = self._try(self._beat) and well
            if time.monotonic() - tidied >= TIDY_S:
                tidied = time.monotonic()
                well = self._try(self._expire) and well
                self._is_tidying = True
            if well and (self._is_tidying or self._storage.deletion.is_urgent):
                well = self._try(self._tidy)
            pause = LOOK_S if well else TROUBLED_S

    def _beat(self) -> None:
        self._look_at_the_clock()
        self._storage.workers.beat(self._worker, self._host, os.getpid(), self._clock())
        workers = self._storage.workers.all()
        living = {one.id for one in workers if self._lives(one)}
        dead = {one.id for one in workers} - living
        for answer in self._storage.answers.orphans(living):
            self._take_over(answer)
        if dead:
            self._storage.workers.bury(dead)

    def _look_at_the_clock(self) -> None:
        """Notices when the clock was set: signs of life from before say nothing then."""
        (clock, ticked), self._last = self._last, (self._clock(), time.monotonic())
        went_by = timedelta(seconds=self._last[1] - ticked)
        if abs(self._last[0] - clock - went_by) > JUMP:
            log.warning("the clock was set from about %s to %s", clock + went_by, self._last[0])
            self._jumped_at = self._last[1]

    def _has_jumped(self, seconds: float) -> bool:
        """Whether the clock was set in the last so many seconds."""
        return self._jumped_at is not None and time.monotonic() - self._jumped_at < seconds

    def _lives(self, one: Worker) -> bool:
        if one.id == self._worker:
            return True
        if has_ended(one, self._host) or (one.host == self._host and one.pid == os.getpid()):
            return False
        return is_heard(one, self._clock()) or self._has_jumped(DEAD_AFTER.total_seconds())

    def _tidy(self) -> None:
        self._is_tidying = self._storage.deletion.step()

    def _expire(self) -> None:
        if self._has_jumped(UNTRUSTED_S):
            return
        self._storage.deletion.expire_files()
        if self._keep_days is not None:
            self._storage.deletion.expire(self._keep_days)

    def _take_over(self, answer: Answer) -> None:
        """Finishes an orphan from the platform's record where there is one, else ends it with what it had."""
        agent = self._agents.get(answer.conversation.agent)
        if agent is not None and agent.row.records and answer.chat and answer.thread:
            if self._turns.resume(agent, answer):
                log.warning("answer %s: its process died; reading the platform's record", answer.id)
        elif self._storage.answers.claim_orphan(answer, self._worker) is not None:
            self._storage.answers.end(answer.id, "interrupted", {"code": "unavailable"})
            log.warning("answer %s: its process died; interrupted", answer.id)

    def _try(self, work: Callable[[], object]) -> bool:
        """Works, or says why not, once a minute: a full disk may have room again then."""
        try:
            work()
        except Exception as error:
            if time.monotonic() - self._told_at >= TOLD_S:
                self._told_at = time.monotonic()
                reason = getattr(error, "orig", None) or error
                log.error(
                    "could not reach the database: %s", reason, exc_info=not is_trouble(error)
                )
            return False
        return True
