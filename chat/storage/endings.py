"""How the latest answers ended, the newest first: what says whether an agent is failing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, func, select

from chat.storage.models import Answer, Conversation

# So many of the site's newest questions are looked at.
LATEST = 1000


@dataclass(frozen=True)
class Ending:
    """The end of one answer; `code` is the reason of a failure, None when it was done."""

    agent: str
    code: str | None
    ended_at: datetime


class Endings:
    """Reads the ends of answers; those that a visitor or a restart cut short say nothing."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def latest(self) -> Sequence[Ending]:
        """The ends of the newest answers."""
        newest = select(func.max(Answer.sequence)).scalar_subquery()
        query = (
            select(Conversation.agent, Answer.code, Answer.ended_at)
            .join(Conversation, Answer.conversation_id == Conversation.id)
            .where(Answer.sequence > newest - LATEST, Answer.state.in_(("done", "failed")))
            .order_by(Answer.sequence.desc())
        )
        with self._engine.connect() as db:
            return [
                Ending(agent, code, ended_at)
                for agent, code, ended_at in db.execute(query)
                if ended_at is not None
            ]
