"""What robots have told the owner: one row a subject, so that one process tells it once."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, insert, select, update

from chat.storage.engine.kinds import lock
from chat.storage.models import Notice as Row


@dataclass(frozen=True)
class Notice:
    """How a subject stands, and since when; an empty `state` is none to tell of."""

    state: str
    at: datetime


class Notices:
    """The rows of the notices. What a subject and a state mean, chat/notices/ knows."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self) -> dict[str, Notice]:
        """All notices, by their subjects."""
        with self._engine.connect() as db:
            rows = db.execute(select(Row.subject, Row.state, Row.at))
            return {subject: Notice(state, at) for subject, state, at in rows}

    def swap(self, subject: str, former: Notice | None, new: Notice) -> bool:
        """Puts a notice in place of the former one; False when another process was faster."""
        values = {"state": new.state, "at": new.at}
        with self._engine.begin() as db:
            lock(db, f"notices {subject}")
            if former is None:
                if db.scalar(select(Row.subject).where(Row.subject == subject)) is not None:
                    return False
                db.execute(insert(Row), {"subject": subject, **values})
                return True
            is_former = (Row.subject == subject, Row.state == former.state, Row.at == former.at)
            return db.execute(update(Row).where(*is_former).values(**values)).rowcount == 1
