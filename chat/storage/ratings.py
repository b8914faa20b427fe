"""What visitors say of answers: useful or not, and why."""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from sqlalchemy import Engine, select, update

from chat.refusals import Refusal
from chat.storage.models import RUNNING, Answer, Conversation, now

Rating = Literal["up", "down"]


class Ratings:
    """The rating of an answer is its visitor's, who may change it and take it back."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime] = now) -> None:
        self._engine = engine
        self._clock = clock

    def rate(
        self, visitor: str, answer_id: str, rating: Rating | None, reason: str | None = None
    ) -> str:
        """Stores what the visitor says, in place of what was said before: the conversation's id.

        Raises Refusal: not_found (no answer, or another visitor's), busy (it has not ended yet).
        """
        conversations = select(Conversation.id).where(
            Conversation.visitor == visitor, Conversation.deleted_at.is_(None)
        )
        own = (Answer.id == answer_id) & Answer.conversation_id.in_(conversations)
        values = {
            "rating": rating,
            "rating_reason": reason if rating else None,
            "rated_at": self._clock() if rating else None,
        }
        rate = update(Answer).where(own, Answer.state != RUNNING).values(values)
        with self._engine.begin() as db:
            conversation_id = db.scalar(rate.returning(Answer.conversation_id))
            if conversation_id is None and db.scalar(select(Answer.id).where(own)):
                raise Refusal("busy", f"answer {answer_id}", retry_after=3)
        if conversation_id is None:
            raise Refusal("not_found", "an answer")
        return str(conversation_id)
