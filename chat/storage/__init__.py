"""Where conversations are kept: short transactions with names, for SQLite now and PostgreSQL later."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    bindparam,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, IntegrityError
from sqlalchemy.orm import Session, joinedload, sessionmaker

from chat.refusals import Refusal
from chat.settings import Settings, SettingsError
from chat.storage.models import RUNNING, Answer, Base, Conversation, Worker, new_id, now

HISTORY = 60
LISTED = 100

# Each turn writes by these, made once and without the ORM, which takes five times as long for the same.
_CONVERSATIONS, _ANSWERS = Base.metadata.tables["conversations"], Base.metadata.tables["answers"]
_BEGIN = insert(_CONVERSATIONS)
_ASK = insert(_ANSWERS)
_IN_CONVERSATION = _CONVERSATIONS.c.id == bindparam("conversation")
_TOUCH = update(_CONVERSATIONS).where(_IN_CONVERSATION)
_OWNED = select(_CONVERSATIONS.c.agent, _CONVERSATIONS.c.thread, _CONVERSATIONS.c.cleared_after).where(
    _IN_CONVERSATION, _CONVERSATIONS.c.visitor == bindparam("visitor")
)
_LATEST = (
    select(_ANSWERS.c.question, _ANSWERS.c.replies, _ANSWERS.c.state, _ANSWERS.c.chat)
    .where(_ANSWERS.c.conversation_id == bindparam("conversation"), _ANSWERS.c.id > bindparam("after"))
    .order_by(_ANSWERS.c.id.desc())
    .limit(HISTORY)
)
_KEEP = update(_ANSWERS).where(_ANSWERS.c.id == bindparam("answer"))
# One statement: were it read first and written second, two processes would let one more in.
_SPEND = text(
    "INSERT INTO days (account, day, asked) VALUES (:account, :day, 1) "
    "ON CONFLICT (account, day) DO UPDATE SET asked = days.asked + 1 WHERE days.asked < :limit "
    "RETURNING asked"
)
_KEEP_RUNNING = _KEEP.where(_ANSWERS.c.state == RUNNING)


@dataclass(frozen=True)
class Question:
    """A question as it was stored: where it stands, and what went before."""

    answer_id: str
    conversation_id: str
    thread: str | None
    previous_chat: str | None
    earlier: tuple[tuple[str, str], ...]


class Storage:
    """Named queries, each one short transaction. What they return is detached and may be read at leisure."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._sessions = sessionmaker(engine, expire_on_commit=False)

    def ping(self) -> None:
        """Raises SQLAlchemyError when the database does not answer."""
        with self._sessions() as db:
            db.execute(select(1))

    # Conversations, always looked up through their visitor

    def conversation_of(self, visitor: str, conversation_id: str) -> Conversation:
        """Raises Refusal not_found when there is none, or it is another visitor's."""
        with self._sessions() as db:
            return _conversation(db, visitor, conversation_id)

    def conversations_of(self, visitor: str) -> Sequence[Conversation]:
        """A visitor's conversations, latest first."""
        query = (
            select(Conversation)
            .where(Conversation.visitor == visitor)
            .order_by(Conversation.updated_at.desc())
            .limit(LISTED)
        )
        with self._sessions() as db:
            return db.scalars(query).all()

    def answers_in(self, conversation_id: str) -> Sequence[Answer]:
        """All questions and answers of a conversation, oldest first."""
        query = select(Answer).where(Answer.conversation_id == conversation_id).order_by(Answer.id)
        with self._sessions() as db:
            return db.scalars(query).all()

    def answer_of(self, visitor: str, answer_id: str) -> Answer:
        """An answer with its conversation. Raises Refusal not_found as `conversation_of`."""
        with self._sessions() as db:
            answer = db.get(Answer, answer_id, options=[joinedload(Answer.conversation)])
            if answer is None or answer.conversation.visitor != visitor:
                raise Refusal("not_found", "an answer")
            return answer

    def is_answering(self, conversation_id: str) -> bool:
        """Whether a question of the conversation is being answered."""
        running = select(Answer.id).where(Answer.conversation_id == conversation_id, Answer.state == RUNNING)
        with self._sessions() as db:
            return db.scalar(running) is not None

    def clear(self, visitor: str, conversation_id: str, keep_thread: bool) -> None:
        """The agent forgets what was said so far; the visitor does not. Raises Refusal not_found."""
        with self._sessions.begin() as db:
            conversation = _conversation(db, visitor, conversation_id)
            newest = select(func.max(Answer.id)).where(Answer.conversation_id == conversation_id)
            conversation.cleared_after = db.scalar(newest)
            conversation.thread = conversation.thread if keep_thread else None

    # The life of an answer

    def ask(
        self,
        visitor: str,
        agent: str,
        conversation_id: str | None,
        question: str,
        worker: str,
        files: Sequence[Mapping[str, Any]] = (),
    ) -> Question:
        """Stores a question with an empty answer, in a new conversation unless one is named.

        Raises Refusal: not_found (the conversation), bad_input (it belongs to another agent), busy.
        """
        stored = Question(new_id(), conversation_id or new_id(), None, None, ())
        try:
            with self.engine.begin() as db:
                if conversation_id:
                    stored = _continued(db, visitor, agent, stored)
                else:
                    _begin(db, visitor, agent, stored.conversation_id, question)
                db.execute(
                    _ASK,
                    {
                        "id": stored.answer_id,
                        "conversation_id": stored.conversation_id,
                        "question": question,
                        "files": list(files),
                        "worker": worker,
                    },
                )
        except IntegrityError as error:
            raise Refusal("busy", f"conversation {conversation_id}", retry_after=3) from error
        return stored

    def note_accepted(
        self, question: Question, thread: str | None, chat: str | None, trace: str | None
    ) -> None:
        """Keeps the platform's ids of a conversation and of a run, as soon as they are known."""
        with self.engine.begin() as db:
            db.execute(_KEEP, {"answer": question.answer_id, "chat": chat, "trace": trace})
            if thread and thread != question.thread:
                db.execute(_TOUCH, {"conversation": question.conversation_id, "thread": thread})

    def save(self, drafts: Mapping[str, Mapping[str, Any]]) -> None:
        """Keeps what running answers hold so far: columns by answer id, the same ones for each."""
        with self.engine.begin() as db:
            db.execute(_KEEP_RUNNING, [{"answer": id, **columns} for id, columns in drafts.items()])

    def end(self, answer_id: str, state: str, columns: Mapping[str, Any]) -> None:
        """The answer has ended, one way or another."""
        with self.engine.begin() as db:
            db.execute(_KEEP, {"answer": answer_id, "state": state, "ended_at": now(), **columns})

    # Budgets

    def spend(self, account: str, day: str, limit: int) -> bool:
        """Counts one more question of an account's day; False, and uncounted, when `limit` were asked."""
        with self.engine.begin() as connection:
            values = {"account": account, "day": day, "limit": limit}
            return connection.execute(_SPEND, values).first() is not None

    # Workers, and the answers that dead ones left behind

    def beat(self, worker: str, host: str, pid: int) -> None:
        """Says that this worker lives."""
        with self._sessions.begin() as db:
            db.merge(Worker(id=worker, host=host, pid=pid, seen_at=now()))

    def workers(self) -> Sequence[Worker]:
        with self._sessions() as db:
            return db.scalars(select(Worker)).all()

    def bury(self, workers: Iterable[str], forgotten_after: timedelta = timedelta(days=1)) -> None:
        """Removes workers that live no more, and those nobody has heard of for a long time."""
        with self._sessions.begin() as db:
            db.execute(
                delete(Worker).where(
                    Worker.id.in_(list(workers)) | (Worker.seen_at < now() - forgotten_after)
                )
            )

    def orphans(self, living: Iterable[str]) -> Sequence[Answer]:
        """Running answers, with their conversations, whose worker is none of the living."""
        query = (
            select(Answer)
            .options(joinedload(Answer.conversation))
            .where(Answer.state == RUNNING, Answer.worker.not_in(list(living)))
        )
        with self._sessions() as db:
            return db.scalars(query).all()

    def adopt(self, answer: Answer, worker: str) -> Question | None:
        """Takes over an orphan. None when another process was faster."""
        with self._sessions.begin() as db:
            taken = db.execute(
                update(Answer)
                .where(Answer.id == answer.id, Answer.state == RUNNING, Answer.worker == answer.worker)
                .values(worker=worker)
                .returning(Answer.id)
            ).all()
        if not taken:
            return None
        conversation = answer.conversation
        return Question(answer.id, conversation.id, conversation.thread, None, ())


def connect(settings: Settings) -> Storage:
    """The storage of this site, its tables made or brought up to date. Raises SettingsError, one line."""
    try:
        url = make_url(settings.database_url)
    except ArgumentError as error:
        raise SettingsError(f"DATABASE_URL: {error}. Unset it to use SQLite in instance/.") from None
    if url.get_backend_name() != "sqlite" or not url.database:
        raise SettingsError(
            "DATABASE_URL: only sqlite:///path is supported. Unset it to use instance/chat.db."
        )
    try:
        Path(url.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"DATABASE_URL: {error}. Name a folder that can be written.") from None
    engine = create_engine(url, pool_size=5, max_overflow=20, hide_parameters=True)  # they are people's words
    event.listen(engine, "connect", _tune)
    from chat.storage import migrations  # alembic is large: it is imported only when there is work for it

    migrations.bring_up_to_date(engine, Path(url.database))
    engine.dispose()  # SQLite's connections must not be carried into a worker
    return Storage(engine)


def _tune(connection: Any, record: Any) -> None:
    """WAL lets readers read while one writes; NORMAL survives a killed process, and is far faster."""
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", "busy_timeout = 5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _conversation(db: Session, visitor: str, conversation_id: str) -> Conversation:
    conversation = db.get(Conversation, conversation_id)
    if conversation is None or conversation.visitor != visitor:
        raise Refusal("not_found", "a conversation")
    return conversation


def _begin(db: Connection, visitor: str, agent: str, conversation_id: str, question: str) -> None:
    db.execute(
        _BEGIN,
        {"id": conversation_id, "visitor": visitor, "agent": agent, "title": _title(question)},
    )


def _continued(db: Connection, visitor: str, agent: str, asked: Question) -> Question:
    """The question with what went before it in its conversation, which moves to the top of the list."""
    conversation = {"conversation": asked.conversation_id}
    found = db.execute(_OWNED, {**conversation, "visitor": visitor}).one_or_none()
    if found is None:
        raise Refusal("not_found", "a conversation")
    if found.agent != agent:
        raise Refusal("bad_input", "the conversation belongs to another agent")
    latest = db.execute(_LATEST, {**conversation, "after": found.cleared_after or ""}).all()
    db.execute(_TOUCH, {**conversation, "updated_at": now()})
    finished = [(one.question, "\n\n".join(one.replies)) for one in reversed(latest) if one.state == "done"]
    previous = latest[0].chat if latest else None
    return replace(asked, thread=found.thread, previous_chat=previous, earlier=tuple(finished))


def _title(question: str) -> str:
    line = " ".join(question.split())
    return line if len(line) <= 40 else line[:39] + "…"


__all__ = ["Answer", "Conversation", "Question", "Storage", "connect"]
