"""Where conversations are kept: short transactions with names, for SQLite now and PostgreSQL later."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Connection,
    Engine,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import joinedload, sessionmaker

from chat.refusals import Refusal
from chat.settings.model import Settings, SettingsError
from chat.storage.conversations import Conversations, owned
from chat.storage.deletion import Forgetting
from chat.storage.disk import Disk
from chat.storage.models import RUNNING, Answer, Base, Conversation, Worker, new_id, now
from chat.storage.sqlite import guard, open_engine

HISTORY = 60
HISTORY_CHARS = 60_000  # so much of what was said goes along with a question

# Each turn writes by these, made once and without the ORM, which takes five times as long for the same.
_CONVERSATIONS, _ANSWERS = Base.metadata.tables["conversations"], Base.metadata.tables["answers"]
_BEGIN = insert(_CONVERSATIONS)
_ASK = insert(_ANSWERS)
_IN_CONVERSATION = _ANSWERS.c.conversation_id == bindparam("conversation")
_TOUCH = update(_CONVERSATIONS).where(_CONVERSATIONS.c.id == bindparam("conversation"))
_OWNED = select(_CONVERSATIONS.c.agent, _CONVERSATIONS.c.cleared_after).where(
    _CONVERSATIONS.c.id == bindparam("conversation"),
    _CONVERSATIONS.c.visitor == bindparam("visitor"),
    _CONVERSATIONS.c.deleted_at.is_(None),
)
_NEWEST = select(func.max(_ANSWERS.c.id)).where(_IN_CONVERSATION)
_NEWEST_IN_THREAD = _NEWEST.where(_ANSWERS.c.thread == bindparam("thread"))
_LATEST_THREAD = (
    select(_ANSWERS.c.thread)
    .where(_IN_CONVERSATION, _ANSWERS.c.thread.is_not(None))
    .order_by(_ANSWERS.c.id.desc())
    .limit(1)
)
_ONE = select(_ANSWERS.c.id, _ANSWERS.c.parent).where(
    _IN_CONVERSATION, _ANSWERS.c.id == bindparam("answer")
)
_BRANCH = text(
    "WITH RECURSIVE branch(id, depth) AS (SELECT :leaf, 1 UNION ALL "
    "SELECT answers.parent, depth + 1 FROM answers JOIN branch ON answers.id = branch.id "
    "WHERE answers.parent IS NOT NULL AND depth < :most) "
    "SELECT answers.id, question, replies, state, chat, thread FROM branch "
    "JOIN answers ON answers.id = branch.id WHERE depth = 1 OR answers.id > :after ORDER BY depth"
).columns(replies=JSON)
_KEEP = update(_ANSWERS).where(_ANSWERS.c.id == bindparam("answer"))
# One statement: were it read first and written second, two processes would let one more in.
_SPEND = text(
    "INSERT INTO days (account, day, asked) VALUES (:account, :day, 1) "
    "ON CONFLICT (account, day) DO UPDATE SET asked = days.asked + 1 WHERE days.asked < :limit "
    "RETURNING asked"
)
_GIVE_BACK = text(
    "UPDATE days SET asked = asked - 1 WHERE account = :account AND day = :day AND asked > 0"
)
_KEEP_RUNNING = _KEEP.where(_ANSWERS.c.state == RUNNING)


@dataclass(frozen=True)
class Question:
    """A question as it was stored: where it stands, and what went before.

    `thread` is what the platform remembers of just that, None when it remembers nothing or something else.
    """

    answer_id: str
    conversation_id: str
    thread: str | None = None
    previous_chat: str | None = None
    earlier: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Place:
    """Where in a conversation a question belongs: `after` an answer, or `instead` of one's question.

    Without either it follows the newest. `can_branch`: the platform can be given another past than the one
    it remembers.
    """

    conversation_id: str
    after: str | None = None
    instead: str | None = None
    can_branch: bool = True


class Storage:
    """Named queries, each one short transaction. What they return is detached and may be read at leisure."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.disk = Disk(Path(engine.url.database or ""))
        self.conversations = Conversations(engine)
        self.forgetting = Forgetting(engine)
        self._sessions = sessionmaker(engine, expire_on_commit=False)

    def ping(self) -> None:
        """Raises SQLAlchemyError when the database does not answer."""
        with self._sessions() as db:
            db.execute(select(1))

    def conversation_of(self, visitor: str, conversation_id: str) -> Conversation:
        """Raises Refusal not_found when there is none, or it is another visitor's."""
        with self._sessions() as db:
            return owned(db, visitor, conversation_id)

    def answer_of(self, visitor: str, answer_id: str) -> Answer:
        """An answer with its conversation. Raises Refusal not_found as `conversation_of`."""
        with self._sessions() as db:
            answer = db.get(Answer, answer_id, options=[joinedload(Answer.conversation)])
            if (
                answer is None
                or answer.conversation.visitor != visitor
                or answer.conversation.deleted_at
            ):
                raise Refusal("not_found", "an answer")
            return answer

    def is_running(self, answer_id: str) -> bool:
        """Whether an answer is being made; when that cannot be looked up now, it may be."""
        with suppress(SQLAlchemyError), self._sessions() as db:
            return db.scalar(select(Answer.state).where(Answer.id == answer_id)) == RUNNING
        return True

    def is_answering(self, conversation_id: str) -> bool:
        """Whether a question of the conversation is being answered."""
        running = select(Answer.id).where(
            Answer.conversation_id == conversation_id, Answer.state == RUNNING
        )
        with self._sessions() as db:
            return db.scalar(running) is not None

    # The life of an answer

    def ask(
        self,
        visitor: str,
        agent: str,
        place: Place | None,
        question: str,
        worker: str,
        files: Sequence[Mapping[str, Any]] = (),
    ) -> Question:
        """Stores a question with an empty answer, in a new conversation unless a place in one is named.

        Raises Refusal: not_found (the conversation, or the answer), bad_input (it belongs to another agent),
        busy.
        """
        stored = Question(new_id(), place.conversation_id if place else new_id())
        parent = None
        try:
            with self.engine.begin() as db:
                if place:
                    parent, stored = _placed(db, visitor, agent, place, stored)
                else:
                    _begin(db, visitor, agent, stored.conversation_id, question)
                db.execute(
                    _ASK,
                    {
                        "id": stored.answer_id,
                        "conversation_id": stored.conversation_id,
                        "parent": parent,
                        "question": question,
                        "files": list(files),
                        "worker": worker,
                    },
                )
        except IntegrityError as error:
            raise Refusal(
                "busy", f"conversation {stored.conversation_id}", retry_after=3
            ) from error
        return stored

    def note_accepted(
        self, question: Question, thread: str | None, chat: str | None, trace: str | None
    ) -> None:
        """Keeps the platform's ids of a conversation and of a run, as soon as they are known."""
        with self.engine.begin() as db:
            known = {"thread": thread, "chat": chat, "trace": trace}
            db.execute(_KEEP, {"answer": question.answer_id, **known})

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

    def give_back(self, account: str, day: str) -> None:
        """Takes one question of an account's day back: it was not asked after all."""
        with self.engine.begin() as connection:
            connection.execute(_GIVE_BACK, {"account": account, "day": day})

    # Workers, and the answers that dead ones left behind

    def beat(self, worker: str, host: str, pid: int, at: datetime | None = None) -> None:
        """Says that this worker lives."""
        with self._sessions.begin() as db:
            db.merge(Worker(id=worker, host=host, pid=pid, seen_at=at or now()))

    def workers(self) -> Sequence[Worker]:
        with self._sessions() as db:
            return db.scalars(select(Worker)).all()

    def bury(self, workers: Iterable[str]) -> None:
        """Removes workers that live no more."""
        with self._sessions.begin() as db:
            db.execute(delete(Worker).where(Worker.id.in_(list(workers))))

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
                .where(
                    Answer.id == answer.id, Answer.state == RUNNING, Answer.worker == answer.worker
                )
                .values(worker=worker)
                .returning(Answer.id)
            ).all()
        if not taken:
            return None
        return Question(answer.id, answer.conversation_id, answer.thread)


def connect(settings: Settings) -> Storage:
    """The storage of this site, its tables made or brought up to date. Raises SettingsError, one line."""
    try:
        url = make_url(settings.database_url)
    except ArgumentError as error:
        raise SettingsError(
            f"DATABASE_URL: {error}. Unset it to use SQLite in instance/."
        ) from None
    if url.get_backend_name() != "sqlite" or not url.database:
        raise SettingsError(
            "DATABASE_URL: only sqlite:///path is supported. Unset it to use instance/chat.db."
        )
    try:
        Path(url.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"DATABASE_URL: {error}. Name a folder that can be written.") from None
    engine = open_engine(url)
    from chat.storage import (
        migrations,  # alembic is large: it is imported only when there is work for it
    )

    migrations.bring_up_to_date(engine, Path(url.database))
    engine.dispose()  # SQLite's connections must not be carried into a worker
    guard(engine, Path(url.database))
    return Storage(engine)


def file_of(settings: Settings) -> Path | None:
    """The file of the database; None when DATABASE_URL names none."""
    try:
        url = make_url(settings.database_url)
    except ArgumentError:
        return None
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def _begin(db: Connection, visitor: str, agent: str, conversation_id: str, question: str) -> None:
    db.execute(
        _BEGIN,
        {"id": conversation_id, "visitor": visitor, "agent": agent, "title": _title(question)},
    )


def _placed(
    db: Connection, visitor: str, agent: str, place: Place, asked: Question
) -> tuple[str | None, Question]:
    """The answer that a question follows, and the question with what went before it there.

    Its conversation moves to the top of the list.
    """
    conversation = {"conversation": place.conversation_id}
    found = db.execute(_OWNED, {**conversation, "visitor": visitor}).one_or_none()
    if found is None:
        raise Refusal("not_found", "a conversation")
    if found.agent != agent:
        raise Refusal("bad_input", "the conversation belongs to another agent")
    parent = _parent(db, place)
    known_from = found.cleared_after or ""
    limits = {"leaf": parent, "after": known_from, "most": HISTORY}
    branch = db.execute(_BRANCH, limits).all() if parent else []
    db.execute(_TOUCH, {**conversation, "updated_at": now()})
    said = [one for one in branch if one.state == "done" and one.id > known_from]
    earlier = _newest((one.question, "\n\n".join(one.replies)) for one in said)
    thread = _thread(db, place, branch)
    previous = next((one.chat for one in branch if one.chat), None) if thread else None
    return parent, replace(asked, thread=thread, previous_chat=previous, earlier=earlier)


def _newest(exchanges: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Of exchanges, newest first, as many whole ones as fit, oldest first."""
    kept: list[tuple[str, str]] = []
    left = HISTORY_CHARS
    for question, answer in exchanges:
        left -= len(question) + len(answer)
        if left < 0:
            break
        kept.append((question, answer))
    return tuple(reversed(kept))


def _parent(db: Connection, place: Place) -> str | None:
    conversation = {"conversation": place.conversation_id}
    named = place.instead or place.after
    if not named:
        newest: str | None = db.scalar(_NEWEST, conversation)
        return newest
    found = db.execute(_ONE, {**conversation, "answer": named}).one_or_none()
    if found is None:
        raise Refusal("not_found", "an answer")
    return found.parent if place.instead else found.id  # type: ignore[no-any-return]


def _thread(db: Connection, place: Place, branch: Sequence[Any]) -> str | None:
    """The platform's memory of just this branch: no other answer may have gone on from it since."""
    conversation = {"conversation": place.conversation_id}
    held = next((one for one in branch if one.thread), None)
    if held and db.scalar(_NEWEST_IN_THREAD, {**conversation, "thread": held.thread}) == held.id:
        return held.thread  # type: ignore[no-any-return]
    if place.can_branch or not branch:
        return None
    # A memory with a question too many in it is better than none at all.
    latest: str | None = db.scalar(_LATEST_THREAD, conversation)
    return latest


def _title(question: str) -> str:
    line = " ".join(question.split())
    return line if len(line) <= 40 else line[:39] + "…"


__all__ = ["Answer", "Conversation", "Place", "Question", "Storage", "connect", "file_of"]
