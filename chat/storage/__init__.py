"""Where conversations are kept:

short transactions with names, SQLite now and PostgreSQL by the same model.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, delete, event, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, IntegrityError
from sqlalchemy.orm import Session, joinedload, sessionmaker

from chat.refusals import Refusal
from chat.settings import Settings, SettingsError
from chat.storage.models import RUNNING, Answer, Conversation, Worker, new_id, now

HISTORY = 60
LISTED = 100


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
                raise Refusal("not_found", f"answer {answer_id}")
            return answer

    # The life of an answer

    def ask(
        self, visitor: str, agent: str, conversation_id: str | None, question: str, worker: str
    ) -> Question:
        """Stores a question with an empty answer, in a new conversation unless one is named.

        Raises Refusal: not_found (the conversation), bad_input (it belongs to another agent), busy.
        """
        try:
            with self._sessions.begin() as db:
                conversation = (
                    _conversation(db, visitor, conversation_id)
                    if conversation_id
                    else _begin(db, visitor, agent, question)
                )
                if conversation.agent != agent:
                    raise Refusal("bad_input", "the conversation belongs to another agent")
                earlier = _latest(db, conversation.id) if conversation_id else []
                answer = Answer(
                    id=new_id(), conversation_id=conversation.id, question=question, worker=worker
                )
                conversation.updated_at = now()
                db.add(answer)
        except IntegrityError as error:
            raise Refusal("busy", f"conversation {conversation_id}", retry_after=3) from error
        return _question(answer, conversation, earlier)

    def note_accepted(
        self, question: Question, thread: str | None, chat: str | None, trace: str | None
    ) -> None:
        """Keeps the platform's ids of a conversation and of a run, as soon as they are known."""
        with self._sessions.begin() as db:
            db.execute(update(Answer).where(Answer.id == question.answer_id).values(chat=chat, trace=trace))
            if thread and thread != question.thread:
                db.execute(
                    update(Conversation)
                    .where(Conversation.id == question.conversation_id)
                    .values(thread=thread)
                )

    def save(self, drafts: Mapping[str, Mapping[str, Any]]) -> None:
        """Keeps what running answers hold so far: columns by answer id."""
        with self._sessions.begin() as db:
            for answer_id, columns in drafts.items():
                db.execute(
                    update(Answer).where(Answer.id == answer_id, Answer.state == RUNNING).values(**columns)
                )

    def end(self, answer_id: str, state: str, columns: Mapping[str, Any]) -> None:
        """The answer has ended, one way or another."""
        with self._sessions.begin() as db:
            db.execute(
                update(Answer).where(Answer.id == answer_id).values(state=state, ended_at=now(), **columns)
            )

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
        return _question(answer, answer.conversation, []) if taken else None


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
    engine = create_engine(url, pool_size=5, max_overflow=20)
    event.listen(engine, "connect", _tune)
    from chat.storage import migrations  # alembic is large: it is imported only when there is work for it

    migrations.bring_up_to_date(engine, Path(url.database))
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
        raise Refusal("not_found", f"conversation {conversation_id}")
    return conversation


def _begin(db: Session, visitor: str, agent: str, question: str) -> Conversation:
    conversation = Conversation(id=new_id(), visitor=visitor, agent=agent, title=_title(question))
    db.add(conversation)
    db.flush()
    return conversation


def _title(question: str) -> str:
    line = " ".join(question.split())
    return line if len(line) <= 40 else line[:39] + "…"


def _latest(db: Session, conversation_id: str) -> list[Answer]:
    query = (
        select(Answer)
        .where(Answer.conversation_id == conversation_id)
        .order_by(Answer.id.desc())
        .limit(HISTORY)
    )
    return list(db.scalars(query).all())


def _question(answer: Answer, conversation: Conversation, latest: Sequence[Answer]) -> Question:
    finished = [(one.question, "\n\n".join(one.replies)) for one in reversed(latest) if one.state == "done"]
    return Question(
        answer_id=answer.id,
        conversation_id=conversation.id,
        thread=conversation.thread,
        previous_chat=latest[0].chat if latest else None,
        earlier=tuple(finished),
    )


__all__ = ["Answer", "Conversation", "Question", "Storage", "connect"]
