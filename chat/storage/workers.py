"""The processes of this site: each writes a sign of life, others see when it ends."""

import os
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import sessionmaker

from chat.storage.engine.kinds import by_single_statements, kind_of
from chat.storage.models import Worker, now

DEAD_AFTER = timedelta(seconds=8)


class Workers:
    """The rows of the workers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sessions = sessionmaker(engine, expire_on_commit=False)
        self._reading = sessionmaker(by_single_statements(engine), expire_on_commit=False)

    def now(self, clock: Callable[[], datetime] = now) -> datetime:
        """The time by which signs of life are written and compared.

        That of the database, if it has a clock of its own: those of several hosts may differ.
        """
        return kind_of(self._engine).time_of(self._engine) or clock()

    def beat(self, worker: str, host: str, pid: int, at: datetime | None = None) -> None:
        """Writes the worker's sign of life."""
        with self._sessions.begin() as db:
            db.merge(Worker(id=worker, host=host, pid=pid, seen_at=at or now()))

    def all(self) -> Sequence[Worker]:
        """All workers that have signed on and not off, whether they live or not."""
        with self._reading() as db:
            return db.scalars(select(Worker)).all()

    def heard(self) -> list[Worker]:
        """Those whose sign of life is recent: the site is running."""
        at = self.now()
        return [worker for worker in self.all() if is_heard(worker, at)]

    def bury(self, workers: Iterable[str]) -> None:
        """Removes workers that live no more."""
        with self._sessions.begin() as db:
            db.execute(delete(Worker).where(Worker.id.in_(list(workers))))


def has_ended(worker: Worker, host: str) -> bool:
    """Whether it is known to be gone: a process of this machine that does not run any more."""
    return worker.host == host and not _is_running(worker.pid)


def is_heard(worker: Worker, at: datetime) -> bool:
    """Whether its sign of life is recent. One of the future is from before the clock went back."""
    return abs(at - worker.seen_at) < DEAD_AFTER


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
