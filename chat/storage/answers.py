"""The life of an answer: asked, accepted, saved while it grows, ended, claimed as an orphan."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Any

from sqlalchemy import (
    JSON,
    Connection,
    Engine,
    Row,
    bindparam,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import joinedload, sessionmaker

from chat.china import CHINA
from chat.refusals import Refusal
from chat.storage.engine.kinds import by_single_statements
from chat.storage.engine.numbers import NextSequence
from chat.storage.models import RUNNING, Answer, Base, Conversation, new_id, now
from chat.storage.owner.outcomes import insert_outcome, update_outcome
from chat.storage.search.plain import searchable
from chat.storage.titles import title_of

# So many earlier exchanges, and characters of them, go along with a question.
HISTORY = 60
# For platforms that remember nothing: it goes along with each question, and is paid for.
HISTORY_CHARS = 60_000

# Each turn writes by these, made once and without the ORM, which takes five times as long.
_CONVERSATIONS, _ANSWERS = Base.metadata.tables["conversations"], Base.metadata.tables["answers"]
_INSERT_CONVERSATION = insert(_CONVERSATIONS)
_INSERT_ANSWER = insert(_ANSWERS)
_IN_CONVERSATION = _ANSWERS.c.conversation_id == bindparam("conversation")
# The question that is stored next in the same transaction gets the same number.
_TOUCH = (
    update(_CONVERSATIONS)
    .where(_CONVERSATIONS.c.id == bindparam("conversation"))
    .values(sequence=NextSequence(), updated_at=bindparam("at"))
)
# No sequence is negative.
_CLEARED_AFTER = func.coalesce(_CONVERSATIONS.c.cleared_after, -1).label("cleared_after")
# The row stays locked, where several may write: nobody deletes a conversation that is asked.
_OWNED = (
    select(_CONVERSATIONS.c.agent, _CLEARED_AFTER)
    .where(
        _CONVERSATIONS.c.id == bindparam("conversation"),
        _CONVERSATIONS.c.visitor == bindparam("visitor"),
        _CONVERSATIONS.c.deleted_at.is_(None),
    )
    .with_for_update()
)
_NEWEST = (
    select(_ANSWERS.c.id).where(_IN_CONVERSATION).order_by(_ANSWERS.c.sequence.desc()).limit(1)
)
_NEWEST_IN_THREAD = _NEWEST.where(_ANSWERS.c.thread == bindparam("thread"))
_LATEST_THREAD = (
    select(_ANSWERS.c.thread)
    .where(_IN_CONVERSATION, _ANSWERS.c.thread.is_not(None))
    .order_by(_ANSWERS.c.sequence.desc())
    .limit(1)
)
_ANSWER_AND_PARENT = select(_ANSWERS.c.id, _ANSWERS.c.parent).where(
    _IN_CONVERSATION, _ANSWERS.c.id == bindparam("answer")
)
_BRANCH = text(
    "WITH RECURSIVE branch(id, depth) AS (SELECT CAST(:leaf AS TEXT), 1 UNION ALL "
    "SELECT answers.parent, depth + 1 FROM answers JOIN branch ON answers.id = branch.id "
    "WHERE answers.parent IS NOT NULL AND depth < :most) "
    "SELECT answers.id, sequence, question, replies, state, chat, thread FROM branch "
    "JOIN answers ON answers.id = branch.id WHERE depth = 1 OR sequence > :after ORDER BY depth"
).columns(replies=JSON)
_TEXTS = select(_ANSWERS.c.question, _ANSWERS.c.replies, _ANSWERS.c.usage).where(
    _ANSWERS.c.id == bindparam("answer")
)
_UPDATE = update(_ANSWERS).where(_ANSWERS.c.id == bindparam("answer"))
_UPDATE_RUNNING = _UPDATE.where(_ANSWERS.c.state == RUNNING)


@dataclass(frozen=True)
class NewQuestion:
    """A question to be stored; `worker` is the process that answers it.

    In the conversation that it names it comes `after` an answer, or `instead` of the question of an
    answer; without either it follows the newest. `can_branch`: the platform accepts another past
    than the one it remembers. `access` names the code or key by which it is asked. `is_readable`:
    the visitor was told that the owner may read it. `id` is that of its answer, where the caller
    has to know it.
    """

    visitor: str
    agent: str
    text: str
    worker: str
    conversation_id: str | None = None
    after: str | None = None
    instead: str | None = None
    can_branch: bool = True
    files: Sequence[Mapping[str, Any]] = ()
    access: str | None = None
    is_readable: bool = False
    id: str | None = None


@dataclass(frozen=True)
class StoredQuestion:
    """A question as it was stored: its place, and the exchanges before it.

    `thread` is the platform's id of its memory of exactly those exchanges; None when it has none.
    """

    answer_id: str
    conversation_id: str
    thread: str | None = None
    previous_chat: str | None = None
    earlier: tuple[tuple[str, str], ...] = ()
    is_readable: bool = False


class Answers:
    """Named queries, each one short transaction. The rows they return are detached.

    What they store is in the owner's numbers at once, on its day in `zone`.
    """

    def __init__(
        self, engine: Engine, clock: Callable[[], datetime] = now, zone: tzinfo = CHINA
    ) -> None:
        self._engine = engine
        self._single = by_single_statements(engine)
        self._clock = clock
        self._zone = zone
        self._sessions = sessionmaker(engine, expire_on_commit=False)
        self._reading = sessionmaker(by_single_statements(engine), expire_on_commit=False)

    def get(self, visitor: str, answer_id: str) -> Answer:
        """An answer with its conversation. Raises Refusal not_found as `Conversations.get`."""
        with self._reading() as db:
            answer = db.get(Answer, answer_id, options=[joinedload(Answer.conversation)])
            if (
                answer is None
                or answer.conversation.visitor != visitor
                or answer.conversation.deleted_at
            ):
                raise Refusal("not_found", "an answer")
            return answer

    def is_running(self, answer_id: str) -> bool:
        """Whether an answer is being made. True as well while the database cannot be read."""
        with suppress(SQLAlchemyError), self._reading() as db:
            return db.scalar(select(Answer.state).where(Answer.id == answer_id)) == RUNNING
        return True

    def running(self) -> dict[str, int]:
        """How many answers are being made by all processes, by agent."""
        query = (
            select(Conversation.agent, func.count())
            .join(Answer.conversation)
            .where(Answer.state == RUNNING)
            .group_by(Conversation.agent)
        )
        with self._sessions() as db:
            return {agent: count for agent, count in db.execute(query)}

    def store_question(self, question: NewQuestion) -> StoredQuestion:
        """Stores a question with an empty answer, in a new conversation unless it names one.

        Raises Refusal: not_found (the conversation, or the answer), bad_input (it belongs to
        another agent), busy.
        """
        at = self._clock()
        stored = StoredQuestion(
            question.id or new_id(at),
            question.conversation_id or new_id(at),
            is_readable=question.is_readable,
        )
        parent = None
        try:
            with self._engine.begin() as db:
                if question.conversation_id:
                    parent, stored = _continue_conversation(db, question, stored, at)
                else:
                    _insert_conversation(db, question, stored, at)
                _insert_answer(db, question, stored, parent, at)
                insert_outcome(
                    db,
                    answer_id=stored.answer_id,
                    visitor=question.visitor,
                    agent=question.agent,
                    access=question.access,
                    day=at.astimezone(self._zone).date(),
                )
        except IntegrityError as error:
            raise Refusal(
                "busy", f"conversation {stored.conversation_id}", retry_after=3
            ) from error
        return stored

    def note_accepted(
        self, question: StoredQuestion, thread: str | None, chat: str | None, trace: str | None
    ) -> None:
        """Stores the platform's ids of a conversation and of a run, as soon as they are known."""
        with self._single.begin() as db:
            ids = {"thread": thread, "chat": chat, "trace": trace}
            db.execute(_UPDATE, {"answer": question.answer_id, **ids})

    def save(self, columns: Mapping[str, Mapping[str, Any]]) -> None:
        """Stores running answers so far: columns by answer id, the same ones for each."""
        rows = [{"answer": id, **values} for id, values in columns.items()]
        with self._engine.begin() as db:
            db.execute(_UPDATE_RUNNING, rows)

    def end(
        self, answer_id: str, state: str, columns: Mapping[str, Any], question: str | None = None
    ) -> None:
        """Stores the end of an answer, with all its columns; `question` where that is known."""
        known = {"question": question, **columns}
        if question is None or not {"replies", "usage"} <= columns.keys():
            # In a transaction of its own: one that has read may not wait for another's write.
            with self._single.connect() as db:
                row = db.execute(_TEXTS, {"answer": answer_id}).one_or_none()
            if row is None:
                return
            known = {**row._mapping, **columns}
        plain = searchable(known["question"], known["replies"])
        end = {"state": state, "ended_at": self._clock(), "plain": plain}
        with self._engine.begin() as db:
            if db.execute(_UPDATE, {"answer": answer_id, **end, **columns}).rowcount:
                update_outcome(db, answer_id, {**known, "state": state})

    def orphans(self, living: Iterable[str]) -> Sequence[Answer]:
        """Running answers, with their conversations, whose worker is none of the living."""
        query = (
            select(Answer)
            .options(joinedload(Answer.conversation))
            .where(Answer.state == RUNNING, Answer.worker.not_in(list(living)))
        )
        with self._reading() as db:
            return db.scalars(query).all()

    def claim_orphan(self, answer: Answer, worker: str) -> StoredQuestion | None:
        """Makes `worker` responsible for an orphan. None when another process was faster."""
        is_orphan = (
            (Answer.id == answer.id) & (Answer.state == RUNNING) & (Answer.worker == answer.worker)
        )
        with self._sessions.begin() as db:
            claim = update(Answer).where(is_orphan).values(worker=worker).returning(Answer.id)
            rows = db.execute(claim).all()
        if not rows:
            return None
        return StoredQuestion(
            answer.id, answer.conversation_id, answer.thread, is_readable=answer.is_readable
        )


def _insert_conversation(
    db: Connection, question: NewQuestion, stored: StoredQuestion, at: datetime
) -> None:
    db.execute(
        _INSERT_CONVERSATION,
        {
            "id": stored.conversation_id,
            "visitor": question.visitor,
            "agent": question.agent,
            "title": title_of(question.text),
            "created_at": at,
            "updated_at": at,
        },
    )


def _insert_answer(
    db: Connection,
    question: NewQuestion,
    stored: StoredQuestion,
    parent: str | None,
    at: datetime,
) -> None:
    db.execute(
        _INSERT_ANSWER,
        {
            "id": stored.answer_id,
            "conversation_id": stored.conversation_id,
            "parent": parent,
            "question": question.text,
            "files": list(question.files),
            "worker": question.worker,
            "access": question.access,
            "is_readable": question.is_readable,
            "created_at": at,
        },
    )


def _continue_conversation(
    db: Connection, question: NewQuestion, stored: StoredQuestion, at: datetime
) -> tuple[str | None, StoredQuestion]:
    """The answer that the question follows, and the question with what came before it."""
    cleared_after = _touch_conversation(db, question, stored.conversation_id, at)
    parent = _parent(db, question, stored.conversation_id)
    branch = _branch(db, parent, cleared_after)
    thread = _thread(db, stored.conversation_id, branch, question.can_branch)
    return parent, _with_history(stored, branch, thread, cleared_after)


def _touch_conversation(
    db: Connection, question: NewQuestion, conversation_id: str, at: datetime
) -> int:
    """Moves a conversation to the top of the visitor's list: its `cleared_after`."""
    key = {"conversation": conversation_id}
    row = db.execute(_OWNED, {**key, "visitor": question.visitor}).one_or_none()
    if row is None:
        raise Refusal("not_found", "a conversation")
    if row.agent != question.agent:
        raise Refusal("bad_input", "the conversation belongs to another agent")
    db.execute(_TOUCH, {**key, "at": at})
    return row.cleared_after  # type: ignore[no-any-return]


def _parent(db: Connection, question: NewQuestion, conversation_id: str) -> str | None:
    """The id of the answer that a new question follows; None at the beginning."""
    key = {"conversation": conversation_id}
    neighbour = question.instead or question.after
    if not neighbour:
        newest: str | None = db.scalar(_NEWEST, key)
        return newest
    row = db.execute(_ANSWER_AND_PARENT, {**key, "answer": neighbour}).one_or_none()
    if row is None:
        raise Refusal("not_found", "an answer")
    return row.parent if question.instead else row.id  # type: ignore[no-any-return]


def _branch(db: Connection, leaf: str | None, cleared_after: int) -> Sequence[Row[Any]]:
    """The answers from `leaf` back to where the agent's memory begins, newest first."""
    if not leaf:
        return []
    return db.execute(_BRANCH, {"leaf": leaf, "after": cleared_after, "most": HISTORY}).all()


def _thread(
    db: Connection, conversation_id: str, branch: Sequence[Row[Any]], can_branch: bool
) -> str | None:
    """The newest thread of this branch, unless a later answer outside of it has used it."""
    key = {"conversation": conversation_id}
    latest_row = next((row for row in branch if row.thread), None)
    if latest_row:
        newest = db.scalar(_NEWEST_IN_THREAD, {**key, "thread": latest_row.thread})
        if newest == latest_row.id:
            return latest_row.thread  # type: ignore[no-any-return]
    if can_branch or not branch:
        return None
    # A memory with a question too many in it is better than no memory.
    latest: str | None = db.scalar(_LATEST_THREAD, key)
    return latest


def _with_history(
    stored: StoredQuestion,
    branch: Sequence[Row[Any]],
    thread: str | None,
    cleared_after: int,
) -> StoredQuestion:
    complete = [row for row in branch if row.state == "done" and row.sequence > cleared_after]
    earlier = _newest_that_fit((row.question, "\n\n".join(row.replies)) for row in complete)
    previous = next((row.chat for row in branch if row.chat), None) if thread else None
    return replace(stored, thread=thread, previous_chat=previous, earlier=earlier)


def _newest_that_fit(exchanges: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """As many whole exchanges as fit into HISTORY_CHARS, oldest first; they come newest first."""
    fitting: list[tuple[str, str]] = []
    room = HISTORY_CHARS
    for question, answer in exchanges:
        room -= len(question) + len(answer)
        if room < 0:
            break
        fitting.append((question, answer))
    return tuple(reversed(fitting))
