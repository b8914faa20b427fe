"""The background thread of a process: it saves answers, beats, adopts orphans, deletes old data."""

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
from chat.storage.conversations import UNDO
from chat.storage.engine.kinds import is_trouble
from chat.storage.models import Worker, now
from chat.storage.workers import DEAD_AFTER, has_ended, is_heard

# At most so much of a text is lost when the process is killed.
SAVE_S = 0.9
# A tenth of the answers at a time: saving all at once would hold up every answer.
LOOK_S = 0.1
BEAT_S = 2.0
TIDY_S = 60.0
# Between two beats, the wall's clock and the monotonic one agree better than that.
JUMP = timedelta(seconds=2)
# So long after a jump nothing is deleted for its age: the next jump may set the clock right.
UNTRUSTED_S = 3600.0
# Between two tries while the database cannot be used.
TROUBLED_S = 1.0
# Between two errors in the log about that.
ERROR_S = 60.0

log = logging.getLogger("chat.housekeeping")


class Housekeeper:
    """Start it once per process, after the fork; `worker` is the id of this process."""

    def __init__(
        self,
        storage: Storage,
        saver: Saver,
        turns: Turns,
        agents: Callable[[], Agents],
        worker: str,
        keep_days: Callable[[], int | None] = lambda: None,
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
        self._reported_at = float("-inf")
        self._is_tidying = False

    def start(self) -> None:
        """Looks for orphans at once, then works on in the background."""
        self._try(self._beat)
        threading.Thread(target=self._work, name="housekeeper", daemon=True).start()

    def end(self) -> None:
        """Saves everything and signs off, so that the next process takes over at once."""
        self._ended.set()
        self._saver.save_all()
        self._storage.workers.bury([self._worker])

    def _work(self) -> None:
        beat_at = tidied_at = time.monotonic()
        pause = LOOK_S
        while not self._ended.wait(pause):
            is_well = self._try(lambda: self._saver.save(SAVE_S))
            if time.monotonic() - beat_at >= BEAT_S:
                beat_at = time.monotonic()
                is_well = self._try(self._beat) and is_well
            if time.monotonic() - tidied_at >= TIDY_S:
                tidied_at = time.monotonic()
                is_well = self._try(self._expire) and is_well
                self._is_tidying = True
            if is_well and (self._is_tidying or self._storage.deletion.is_urgent):
                is_well = self._try(self._tidy)
            pause = LOOK_S if is_well else TROUBLED_S

    def _beat(self) -> None:
        self._check_clock()
        at = self._storage.workers.now(self._clock)
        self._storage.workers.beat(self._worker, self._host, os.getpid(), at)
        workers = self._storage.workers.all()
        living = {worker.id for worker in workers if self._lives(worker, at)}
        dead = {worker.id for worker in workers} - living
        for answer in self._storage.answers.orphans(living):
            self._take_over(answer)
        if dead:
            self._storage.workers.bury(dead)

    def _check_clock(self) -> None:
        """Notices when the wall's clock was set: earlier signs of life prove nothing then."""
        (last_clock, last_tick), self._last = self._last, (self._clock(), time.monotonic())
        clock, tick = self._last
        expected = last_clock + timedelta(seconds=tick - last_tick)
        if abs(clock - expected) > JUMP:
            log.warning("the clock was set from about %s to %s", expected, clock)
            self._jumped_at = tick

    def _has_jumped(self, seconds: float) -> bool:
        """Whether the clock was set in the last so many seconds."""
        return self._jumped_at is not None and time.monotonic() - self._jumped_at < seconds

    def _lives(self, worker: Worker, at: datetime) -> bool:
        if worker.id == self._worker:
            return True
        has_our_pid = worker.host == self._host and worker.pid == os.getpid()
        if has_our_pid or has_ended(worker, self._host):
            return False
        return is_heard(worker, at) or self._has_jumped(DEAD_AFTER.total_seconds())

    def _tidy(self) -> None:
        # Who deleted something a minute before a jump can still take it back.
        undo = None if self._has_jumped(UNTRUSTED_S) else UNDO
        self._is_tidying = self._storage.deletion.step(undo)

    def _expire(self) -> None:
        if self._has_jumped(UNTRUSTED_S):
            return
        self._storage.sessions.expire(self._clock())
        self._storage.owner_sessions.expire(self._clock())
        self._storage.deletion.expire_files()
        self._storage.outcomes.close(self._clock().date())
        self._storage.outcomes.expire(self._clock().date())
        keep_days = self._keep_days()
        if keep_days is not None:
            self._storage.deletion.expire(keep_days)

    def _take_over(self, answer: Answer) -> None:
        """Finishes an orphan from the platform's record; without one, ends it as it is."""
        agent = self._agents().get(answer.conversation.agent)
        if agent is not None and agent.row.records and answer.chat and answer.thread:
            if self._turns.resume_answer(agent, answer):
                log.warning("answer %s: its process died; reading the platform's record", answer.id)
        elif self._storage.answers.claim_orphan(answer, self._worker) is not None:
            self._storage.answers.end(answer.id, "interrupted", {"code": "unavailable"})
            log.warning("answer %s: its process died; interrupted", answer.id)

    def _try(self, work: Callable[[], object]) -> bool:
        """Whether the work succeeded. Why it failed goes to the log, once a minute."""
        try:
            work()
        except Exception as error:
            if time.monotonic() - self._reported_at >= ERROR_S:
                self._reported_at = time.monotonic()
                reason = getattr(error, "orig", None) or error
                log.error(
                    "could not reach the database: %s", reason, exc_info=not is_trouble(error)
                )
            return False
        return True
