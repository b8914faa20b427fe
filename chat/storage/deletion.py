"""Deletion for good, without a trace: a conversation after its hour, a visitor, what is too old."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, and_, delete, exists, func, or_, select, update
from sqlalchemy.orm import aliased

from chat.offload import give_way
from chat.refusals import Refusal
from chat.storage.conversations import UNDO
from chat.storage.engine.kinds import kind_of
from chat.storage.models import (
    RUNNING,
    Answer,
    Base,
    Conversation,
    SignIn,
    Upload,
    now,
)
from chat.storage.models import Move as Code
from chat.storage.visitors.uploads import FILES_KEPT

# Every table that says whose its rows are. Answers and shares go with their
# conversations.
OF_A_VISITOR: dict[str, type[Base]] = {
    "conversations": Conversation,
    "uploads": Upload,
    "moves": Code,
    "sessions": SignIn,
}
# Answers in one transaction, which takes a few milliseconds: nobody else can write meanwhile.
BATCH = 50


class Deletion:
    """Deletes in steps, each so short that nobody notices.

    In SQLite deleted text is overwritten in the database's pages, and is still in the log that
    precedes them (-wal) until `step` returns False. PostgreSQL gives the room to the next rows.
    """

    def __init__(self, engine: Engine, clock: Callable[[], datetime] = now) -> None:
        self._engine = engine
        self._clock = clock
        self._has_traces = False
        self.is_urgent = False

    def visitor_of(self, named: str) -> str | None:
        """The visitor with this id, or of the conversation with this id or address, if any."""
        id = named.strip().partition("?")[0].rstrip("/").rpartition("/c/")[2]
        with self._engine.connect() as db:
            owner: str | None = db.scalar(select(Conversation.visitor).where(Conversation.id == id))
            if owner is not None:
                return owner
            tables = OF_A_VISITOR.values()
            is_known = any(db.scalar(select(exists().where(_whose(kind) == id))) for kind in tables)
        return id if is_known else None

    def live_answers(self, visitor: str) -> list[str]:
        """The ids of the visitor's answers that are being made."""
        answers = select(Answer.id).join(Conversation).where(Conversation.visitor == visitor)
        with self._engine.connect() as db:
            return list(db.scalars(answers.where(Answer.state == RUNNING)))

    def forget(self, visitor: str) -> dict[str, int]:
        """Deletes everything of a visitor: how many rows of which table. Then `step` has work.

        Live answers have to be stopped before: the end of one would have no row to be stored in.
        """
        counts = {"answers": 0, "shares": 0}
        conversations = Conversation.visitor == visitor
        while part := self._erase(conversations):
            for name, number in part.items():
                counts[name] = counts.get(name, 0) + number
        with self._engine.begin() as db:
            for name, kind in OF_A_VISITOR.items():
                rows = db.execute(delete(kind).where(_whose(kind) == visitor)).rowcount
                counts[name] = counts.get(name, 0) + rows
        if any(counts.values()):
            self._has_traces = self.is_urgent = True
        return counts

    def delete_conversation(self, conversation_id: str) -> int:
        """Deletes a conversation at once and for good: how many answers it had.

        Then `step` has work. Raises Refusal: not_found, busy (it is answering).
        """
        is_it = Conversation.id == conversation_id
        running = select(Answer.id).where(
            Answer.conversation_id == conversation_id, Answer.state == RUNNING
        )
        with self._engine.begin() as db:
            # Nobody asks in it meanwhile: a question waits for this row, and finds it deleted.
            if db.scalar(select(Conversation.id).where(is_it).with_for_update()) is None:
                raise Refusal("not_found", "a conversation")
            if db.scalar(running) is not None:
                raise Refusal("busy", f"conversation {conversation_id}", retry_after=3)
            at = self._clock() - 2 * UNDO
            db.execute(update(Conversation).where(is_it).values(deleted_at=at))
        count = 0
        while part := self._erase(is_it):
            count += part["answers"]
        self._has_traces = self.is_urgent = True
        return count

    def expire(self, keep_days: int) -> None:
        """Deletes conversations not touched for so many days, except those being answered.

        One that was touched after one that is young is young, whatever its time says: the clock was
        behind then.
        """
        at = self._clock()
        limit = at - timedelta(days=keep_days)
        running = exists().where(Answer.conversation_id == Conversation.id, Answer.state == RUNNING)
        other = aliased(Conversation)
        first_young = (
            select(func.min(other.sequence))
            .where(other.deleted_at.is_(None), other.updated_at.between(limit, at))
            .scalar_subquery()
        )
        before_the_young = func.coalesce(first_young, Conversation.sequence + 1)
        is_old = and_(Conversation.updated_at < limit, Conversation.sequence < before_the_young)
        old = (
            select(Conversation.id)
            .where(is_old, Conversation.deleted_at.is_(None), ~running)
            .limit(500)
        )
        with self._engine.connect() as db:
            ids = list(db.scalars(old))
        if ids:
            still = and_(Conversation.id.in_(ids), Conversation.updated_at < limit, ~running)
            with self._engine.begin() as db:
                db.execute(update(Conversation).where(still).values(deleted_at=at - 2 * UNDO))

    def expire_files(self) -> None:
        """Deletes the files that visitors sent longer ago than FILES_KEPT."""
        with self._engine.begin() as db:
            if db.execute(
                delete(Upload).where(Upload.created_at < self._clock() - FILES_KEPT)
            ).rowcount:
                self._has_traces = True

    def step(self, undo: timedelta | None = UNDO) -> bool:
        """One short piece of work: False when all that is due has gone without a trace.

        Due is what visitors deleted longer ago than `undo`, within which they may take it back.
        None: nothing is due while the clock may be wrong.
        """
        if undo is not None and self._erase(_is_due(self._clock(), undo)):
            self._has_traces = True
            return True
        return self._has_traces and self._squeeze()

    def finish(self, seconds: float = 600.0) -> bool:
        """Works until nothing is left to do, and says whether that was so in time."""
        self._has_traces = self.is_urgent = True
        until = time.monotonic() + seconds
        while is_left := self.step():
            if time.monotonic() >= until:
                break
            time.sleep(0.01)
        return not is_left

    def _erase(self, which: ColumnElement[bool]) -> dict[str, int]:
        """Deletes some answers of the conversations, and the conversations that are empty then."""
        with self._engine.connect() as db:
            ids = list(db.scalars(select(Conversation.id).where(which).limit(BATCH)))
            in_them = select(Answer.id).where(Answer.conversation_id.in_(ids)).limit(BATCH)
            answers = list(db.scalars(in_them)) if ids else []
        if not ids:
            return {}
        filled = exists().where(Answer.conversation_id == Conversation.id)
        share = Base.metadata.tables["shares"]
        with self._engine.begin() as db:
            db.execute(delete(Answer).where(Answer.id.in_(answers)))
            # None of them can be read any more, whatever is left of it.
            shares = db.execute(delete(share).where(share.c.conversation_id.in_(ids))).rowcount
            conversations = db.execute(
                delete(Conversation).where(Conversation.id.in_(ids), which, ~filled)
            ).rowcount
        # Others that wait for the database come first.
        give_way()
        return {"answers": len(answers), "shares": shares, "conversations": conversations}

    def _squeeze(self) -> bool:
        """True while traces are left, because somebody is reading."""
        is_left = kind_of(self._engine).squeeze(self._engine)
        if not is_left:
            self._has_traces = self.is_urgent = False
        return is_left


def _is_due(at: datetime, undo: timedelta) -> ColumnElement[bool]:
    # What was deleted while the clock was far ahead would stay until it is there again.
    return or_(Conversation.deleted_at < at - undo, Conversation.deleted_at > at + undo)


def _whose(kind: type[Base]) -> ColumnElement[str]:
    column: ColumnElement[str] = kind.__table__.c.visitor
    return column
