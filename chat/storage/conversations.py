"""A visitor's conversations as a whole: listed, read by branches, renamed, deleted, restored."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.orm import Session, sessionmaker

from chat.refusals import Refusal
from chat.storage.engine.kinds import by_single_statements
from chat.storage.models import RUNNING, Answer, Conversation, Share, now
from chat.storage.titles import as_title

UNDO = timedelta(hours=1)
# So many stand above the others, or the others would be out of sight.
MAX_PINNED = 20
# What a column of integers holds: a visitor may ask for more.
LARGEST = 2**31 - 1


@dataclass(frozen=True)
class Tree:
    """How the answers of a conversation follow each other: parents by id, oldest first."""

    parents: dict[str, str | None]

    def branch(self, at: str | None = None) -> list[str]:
        """The ids of one branch from beginning to end: the one through `at`, else the newest.

        Beyond `at` it takes the newest way. Raises Refusal not_found for an unknown answer.
        """
        if at is None:
            return self._up_from(next(reversed(self.parents), None))
        if at not in self.parents:
            raise Refusal("not_found", "an answer")
        below = {at}
        leaf = at
        # Children come after their parents.
        for answer_id, parent in self.parents.items():
            if parent in below:
                below.add(answer_id)
                leaf = answer_id
        return self._up_from(leaf)

    def versions(self, answer_id: str) -> list[str]:
        """The ids of all versions of a turn, oldest first, itself among them."""
        parent = self.parents[answer_id]
        return [id for id, other in self.parents.items() if other == parent]

    def _up_from(self, leaf: str | None) -> list[str]:
        branch: list[str] = []
        while leaf is not None:
            branch.append(leaf)
            leaf = self.parents[leaf]
        return branch[::-1]


class Conversations:
    """Named queries, each one short transaction, each through the visitor whose conversation it is.

    All that take the id of a conversation raise Refusal not_found when it is unknown, deleted or
    another visitor's.
    """

    def __init__(self, engine: Engine, clock: Callable[[], datetime] = now) -> None:
        self._clock = clock
        self._sessions = sessionmaker(engine, expire_on_commit=False)
        self._reading = sessionmaker(by_single_statements(engine), expire_on_commit=False)

    def get(self, visitor: str, conversation_id: str) -> Conversation:
        """Raises Refusal not_found when there is none, or it is another visitor's."""
        with self._reading() as db:
            return owned_conversation(db, visitor, conversation_id)

    def is_answering(self, conversation_id: str) -> bool:
        """Whether a question of the conversation is being answered."""
        running = select(Answer.id).where(
            Answer.conversation_id == conversation_id, Answer.state == RUNNING
        )
        with self._reading() as db:
            return db.scalar(running) is not None

    def of(
        self,
        visitor: str,
        limit: int,
        before: int | None = None,
        agents: Sequence[str] | None = None,
        is_pinned: bool | None = None,
    ) -> Sequence[Conversation]:
        """A visitor's conversations, latest first.

        With `before` those whose sequence is smaller, with `agents` those with one of them, with
        `is_pinned` those that are pinned or those that are not.
        """
        query = (
            select(Conversation)
            .where(Conversation.visitor == visitor, Conversation.deleted_at.is_(None))
            .order_by(Conversation.sequence.desc())
            .limit(limit)
        )
        if agents is not None:
            query = query.where(Conversation.agent.in_(agents))
        if is_pinned is not None:
            query = query.where(Conversation.pinned_at.is_not(None) == is_pinned)
        if before is not None:
            # What somebody typed may be larger than any number a database has.
            query = query.where(Conversation.sequence < min(before, LARGEST))
        with self._reading() as db:
            return db.scalars(query).all()

    def agent_of(self, visitor: str, id: str) -> str | None:
        """The agent of a conversation, or of an answer's conversation, deleted or not.

        None when it is not the visitor's.
        """
        of_answer = select(Answer.conversation_id).where(Answer.id == id).scalar_subquery()
        is_it = (Conversation.id == id) | (Conversation.id == of_answer)
        with self._reading() as db:
            return db.scalar(
                select(Conversation.agent).where(is_it, Conversation.visitor == visitor)
            )

    def among(self, ids: Sequence[str], agents: Sequence[str]) -> set[str]:
        """Those of these conversations that are with one of the agents."""
        query = select(Conversation.id).where(
            Conversation.id.in_(ids), Conversation.agent.in_(agents)
        )
        with self._reading() as db:
            return set(db.scalars(query))

    def tree(self, conversation_id: str) -> Tree:
        """All answers of a conversation by their ids alone: a thousand take two milliseconds."""
        query = (
            select(Answer.id, Answer.parent)
            .where(Answer.conversation_id == conversation_id)
            .order_by(Answer.sequence)
        )
        with self._reading() as db:
            return Tree({row.id: row.parent for row in db.execute(query)})

    def answers(self, conversation_id: str, ids: Sequence[str]) -> Sequence[Answer]:
        """These answers of a conversation, in the order of the ids."""
        query = select(Answer).where(Answer.conversation_id == conversation_id, Answer.id.in_(ids))
        with self._reading() as db:
            answers = {answer.id: answer for answer in db.scalars(query)}
        return [answers[id] for id in ids if id in answers]

    def rename(self, visitor: str, conversation_id: str, title: str) -> str:
        """Gives it a title; what was stored. Raises Refusal bad_input for an empty one."""
        stored_title = as_title(title)
        if not stored_title:
            raise Refusal("bad_input", "an empty title")
        with self._sessions.begin() as db:
            owned_conversation(db, visitor, conversation_id, is_changed=True).title = stored_title
        return stored_title

    def pin(self, visitor: str, conversation_id: str, is_pinned: bool) -> None:
        """Puts it above the others, or back among them. Beyond MAX_PINNED the first goes back."""
        is_theirs = (Conversation.visitor == visitor, Conversation.pinned_at.is_not(None))
        with self._sessions.begin() as db:
            conversation = owned_conversation(db, visitor, conversation_id, is_changed=True)
            conversation.pinned_at = self._clock() if is_pinned else None
            db.flush()
            pinned = select(Conversation.id).where(*is_theirs, Conversation.deleted_at.is_(None))
            latest = pinned.order_by(Conversation.pinned_at.desc(), Conversation.sequence.desc())
            for surplus in db.scalars(latest.offset(MAX_PINNED)).all():
                owned_conversation(db, visitor, surplus, is_changed=True).pinned_at = None

    def clear(self, visitor: str, conversation_id: str, keep_thread: str | None = None) -> None:
        """The agent forgets the conversation so far; the visitor does not.

        `keep_thread` is one that the platform has emptied itself.
        """
        answers = Answer.conversation_id == conversation_id
        with self._sessions.begin() as db:
            conversation = owned_conversation(db, visitor, conversation_id, is_changed=True)
            conversation.cleared_after = db.scalar(select(func.max(Answer.sequence)).where(answers))
            others = update(Answer).where(answers, Answer.thread != (keep_thread or ""))
            db.execute(others.values(thread=None))

    def newest_thread(self, conversation_id: str) -> str | None:
        """The thread of the newest branch; None when it has none since the agent forgot."""
        query = select(Answer.thread).join(Answer.conversation)
        query = query.where(Answer.conversation_id == conversation_id, Answer.thread.is_not(None))
        query = query.where(Answer.sequence > func.coalesce(Conversation.cleared_after, -1))
        with self._reading() as db:
            return db.scalar(query.order_by(Answer.sequence.desc()).limit(1))

    def live_answers(self, conversation_id: str) -> list[str]:
        """The ids of its answers that are being made."""
        running = select(Answer.id).where(
            Answer.conversation_id == conversation_id, Answer.state == RUNNING
        )
        with self._reading() as db:
            return list(db.scalars(running))

    def delete(self, visitor: str, *conversation_ids: str) -> None:
        """Takes them off every list until `restore`, or for good. Links to them end at once.

        All of them or, where a Refusal is raised, none: busy while one is answering.
        """
        at = self._clock()
        with self._sessions.begin() as db:
            # In one order, so that two who delete the same do not wait for each other.
            for conversation_id in sorted(set(conversation_ids)):
                conversation = owned_conversation(db, visitor, conversation_id, is_changed=True)
                running = select(Answer.id).where(
                    Answer.conversation_id == conversation_id, Answer.state == RUNNING
                )
                if db.scalar(running) is not None:
                    raise Refusal("busy", f"conversation {conversation_id}", retry_after=3)
                conversation.deleted_at = at
                db.execute(delete(Share).where(Share.conversation_id == conversation_id))

    def restore(self, visitor: str, conversation_id: str) -> None:
        """Takes back a deletion, with all that it deleted."""
        with self._sessions.begin() as db:
            conversation = db.get(Conversation, conversation_id, with_for_update=True)
            if conversation is None or conversation.visitor != visitor:
                raise Refusal("not_found", "a conversation")
            if conversation.deleted_at is None:
                return
            together = (
                Conversation.visitor == visitor,
                Conversation.deleted_at == conversation.deleted_at,
            )
            db.execute(update(Conversation).where(*together).values(deleted_at=None))

    def deleted(self, visitor: str, conversation_id: str) -> Conversation | None:
        """The conversation if it was deleted and can still be taken back."""
        with self._reading() as db:
            row = db.get(Conversation, conversation_id)
        return row if row and row.visitor == visitor and row.deleted_at else None


def owned_conversation(
    db: Session, visitor: str, conversation_id: str, is_changed: bool = False
) -> Conversation:
    """The visitor's conversation. Raises Refusal not_found for none or another's.

    `is_changed`: where several may write, nobody else does until the transaction ends.
    """
    conversation = db.get(Conversation, conversation_id, with_for_update=is_changed)
    if conversation is None or conversation.visitor != visitor or conversation.deleted_at:
        raise Refusal("not_found", "a conversation")
    return conversation
