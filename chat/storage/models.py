"""What is stored: conversations, and in each the questions with their answers."""

import secrets
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    TypeDecorator,
    false,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from chat.storage.engine.numbers import NextSequence, SameSequence

RUNNING = "running"


def new_id(at: datetime | None = None) -> str:
    """A public id: 72 of its bits are chance, so that nobody guesses another's.

    It begins with the time, so that new rows lie together; nothing is ordered by it.
    """
    milliseconds = int((at or now()).timestamp() * 1000)
    return f"{max(0, milliseconds):011x}{secrets.token_hex(9)}"


def now() -> datetime:
    return datetime.now(UTC)


class Moment(TypeDecorator[datetime]):
    """A point in time, always UTC: SQLite keeps no zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value else None


class Base(DeclarativeBase):
    type_annotation_map = {datetime: Moment, list[Any]: JSON, dict[str, Any]: JSON}  # noqa: RUF012


class Conversation(Base):
    """A visitor's conversation with one agent.

    `sequence` is that of its newest question, and what lists are ordered by; the agent has
    forgotten all up to the sequence `cleared_after`. One with `deleted_at` is on no list; for a
    while it can be restored, with all that were deleted at the same moment. Those with `pinned_at`
    stand above the others.
    """

    __tablename__ = "conversations"
    __table_args__ = (
        Index("conversations_of_a_visitor", "visitor", "sequence"),
        Index("conversations_by_age", "deleted_at", "updated_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=new_id)
    visitor: Mapped[str] = mapped_column(String(64))
    agent: Mapped[str] = mapped_column(String(40))
    sequence: Mapped[int] = mapped_column(default=NextSequence(), server_default="0")
    cleared_after: Mapped[int | None] = mapped_column()
    title: Mapped[str] = mapped_column(String(80))
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    deleted_at: Mapped[datetime | None] = mapped_column()
    pinned_at: Mapped[datetime | None] = mapped_column()

    answers: Mapped[list["Answer"]] = relationship(
        back_populates="conversation", cascade="all, delete-orphan", passive_deletes=True
    )


class Answer(Base):
    """A question and its answer, from the moment the question is asked.

    `id` is the contract's message_id. `sequence` numbers the questions of the whole site in the
    order in which they were stored: whatever comes later is told by it and never by a clock, which
    may be set back. `parent` is the answer that the question follows, None at
    the beginning: answers with the same parent are versions of one turn, so that a conversation is
    a tree of which a page has one branch. `state` is running, done, failed, stopped or
    interrupted; `code` the reason of a failure. `thread`, `chat` and `trace` are the platform's ids
    of its memory, of the run and of its log. `worker` is the process that is answering. `access`
    names the code or key by which it was asked, such as code:museum, and `first_s` is how many
    seconds passed until the first words. The fields of the answer itself are those of `Content`.
    `plain` is what a search looks at (chat/storage/search/plain.py), made when the answer ends.
    `rating` is what the visitor says of it, up or down (chat/storage/ratings.py). `is_readable`:
    the visitor was told, when asking, that the owner may read it; it never becomes so later.
    `timeline` says how such an answer came (chat/answers/timeline.py).
    """

    __tablename__ = "answers"
    __table_args__ = (
        Index("answers_in_order", "sequence", unique=True),
        Index("answers_of_a_conversation", "conversation_id", "sequence"),
        # Migration 0001 has the same condition for PostgreSQL; here it would load that dialect.
        Index(
            "one_running_answer",
            "conversation_id",
            unique=True,
            sqlite_where=text("state = 'running'"),
        ),
        Index("answers_by_worker", "state", "worker"),
        # What the owner filters by is read from the index alone. Nobody pays for it while the
        # owner may read nothing.
        Index(
            "answers_to_read",
            "is_readable",
            "sequence",
            "created_at",
            "state",
            "rating",
            "conversation_id",
            sqlite_where=text("is_readable = 1"),
        ),
        Index("answers_rated", "rating", "sequence", sqlite_where=text("rating IS NOT NULL")),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=new_id)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    sequence: Mapped[int] = mapped_column(default=SameSequence(), server_default="0")
    parent: Mapped[str | None] = mapped_column(String(40))
    question: Mapped[str] = mapped_column(Text)
    files: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    state: Mapped[str] = mapped_column(String(12), default=RUNNING)
    code: Mapped[str | None] = mapped_column(String(20))
    finish_reason: Mapped[str | None] = mapped_column(String(40))
    replies: Mapped[list[Any]] = mapped_column(default=list)
    thoughts: Mapped[str] = mapped_column(Text, default="")
    thought_s: Mapped[float | None] = mapped_column()
    tools: Mapped[list[Any]] = mapped_column(default=list)
    media: Mapped[list[Any]] = mapped_column(default=list)
    citations: Mapped[list[Any]] = mapped_column(default=list)
    suggestions: Mapped[list[Any]] = mapped_column(default=list)
    usage: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    thread: Mapped[str | None] = mapped_column(String(255))
    chat: Mapped[str | None] = mapped_column(String(255))
    trace: Mapped[str | None] = mapped_column(String(255))
    worker: Mapped[str] = mapped_column(String(40))
    access: Mapped[str | None] = mapped_column(String(80))
    first_s: Mapped[float | None] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(default=now)
    ended_at: Mapped[datetime | None] = mapped_column()
    plain: Mapped[str | None] = mapped_column(Text, deferred=True)
    rating: Mapped[str | None] = mapped_column(String(4))
    rating_reason: Mapped[str | None] = mapped_column(Text)
    rated_at: Mapped[datetime | None] = mapped_column()
    is_readable: Mapped[bool] = mapped_column(default=False, server_default=false())
    timeline: Mapped[list[Any] | None] = mapped_column(deferred=True)

    conversation: Mapped[Conversation] = relationship(back_populates="answers")


class Outcome(Base):
    """What the owner's numbers have of one answer of the last days (outcomes.py).

    `day` is that of the question, in the site's time zone; `visitor_mark` tells the visitors of a
    day apart, and says nothing of who they are; `tokens` are all that the platform counted. Once
    the answer is deleted nothing leads from here to anybody.
    """

    __tablename__ = "outcomes"
    __table_args__ = (
        Index("outcomes_of_an_answer", "answer_id", unique=True),
        Index("outcomes_by_day", "day"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    answer_id: Mapped[str | None] = mapped_column(ForeignKey("answers.id", ondelete="SET NULL"))
    day: Mapped[str] = mapped_column(String(10))
    agent: Mapped[str] = mapped_column(String(40))
    access: Mapped[str | None] = mapped_column(String(80))
    visitor_mark: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(12))
    code: Mapped[str | None] = mapped_column(String(20))
    first_s: Mapped[float | None] = mapped_column()
    tokens: Mapped[int | None] = mapped_column()


class ClosedDay(Base):
    """What the outcomes of a day came to, in place of them.

    An item of `counts` is agent, access, state, code, questions and tokens; one of `first_words`
    are seconds and how many answers began within them.
    """

    __tablename__ = "closed_days"

    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    counts: Mapped[list[Any]] = mapped_column()
    visitors: Mapped[int] = mapped_column()
    first_words: Mapped[list[Any]] = mapped_column()


class Drawing(Base):
    """The HTML of an ended answer, a cache (chat/storage/drawings.py)."""

    __tablename__ = "drawings"

    answer_id: Mapped[str] = mapped_column(
        ForeignKey("answers.id", ondelete="CASCADE"), primary_key=True
    )
    version: Mapped[str] = mapped_column(String(40))
    blocks: Mapped[list[Any]] = mapped_column()
    size: Mapped[int] = mapped_column()


class Share(Base):
    """A link to a branch of a conversation, as far as the answer `leaf`, for whoever has it.

    `is_previewed`: messengers may show the first question beside the link.
    """

    __tablename__ = "shares"

    token: Mapped[str] = mapped_column(String(40), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(
        ForeignKey("conversations.id", ondelete="CASCADE"), unique=True
    )
    leaf: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(default=now)
    is_previewed: Mapped[bool] = mapped_column(default=False, server_default=false())


class Worker(Base):
    """A process of this site that answers questions, with its last sign of life."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int] = mapped_column()
    seen_at: Mapped[datetime] = mapped_column()


class Upload(Base):
    """A file that a visitor has sent for a question."""

    __tablename__ = "uploads"
    __table_args__ = (Index("uploads_by_age", "created_at"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    visitor: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    content_type: Mapped[str] = mapped_column(String(100))
    size: Mapped[int] = mapped_column()
    data: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column()


class Day(Base):
    """How many questions an account was asked on a day.

    For accounts of platforms and for codes it begins at midnight in China, for what is the site's
    own in the site's time zone.
    """

    __tablename__ = "days"

    account: Mapped[str] = mapped_column(String(80), primary_key=True)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    asked: Mapped[int] = mapped_column()


class Secret(Base):
    """A token that the site was granted, sealed."""

    __tablename__ = "secrets"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


class Move(Base):
    """A code by which a visitor moves to another device, as its hash."""

    __tablename__ = "moves"

    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    visitor: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime] = mapped_column()


class Block(Base):
    """Whom the owner has shut out: the name of a visitor, or a network such as 192.0.2.0/24."""

    __tablename__ = "blocks"

    subject: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime] = mapped_column()


class Notice(Base):
    """What a robot has told the owner of a subject last (chat/storage/owner/notices.py)."""

    __tablename__ = "notices"

    subject: Mapped[str] = mapped_column(String(80), primary_key=True)
    state: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime] = mapped_column()


class OwnerEntry(Base):
    """A command of the owner that changed something, with its facts."""

    __tablename__ = "owner_log"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column()
    command: Mapped[str] = mapped_column(String(20))
    facts: Mapped[dict[str, Any]] = mapped_column()
    # What it takes to take it back; None where that cannot be.
    change: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class OwnerValue(Base):
    """What the owner has chosen in the browser, by the name of the setting; None once taken back.

    `version` grows with each change, so that nobody overwrites what they have not seen.
    """

    __tablename__ = "owner_values"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    version: Mapped[int] = mapped_column()
    changed_at: Mapped[datetime] = mapped_column()


class OwnerFile(Base):
    """A file of the owner's, such as the logo; its id is the hash of what is in it."""

    __tablename__ = "owner_files"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime] = mapped_column()


class OwnerAgent(Base):
    """What the owner has decided at the desk about an agent: chat/storage/owner/agents.py.

    `version` grows with each change but that of its `position` among the agents.
    """

    __tablename__ = "owner_agents"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    position: Mapped[int] = mapped_column()
    platform: Mapped[str | None] = mapped_column(String(20))
    card: Mapped[dict[str, Any]] = mapped_column()
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    is_off: Mapped[bool] = mapped_column()
    version: Mapped[int] = mapped_column()
    changed_at: Mapped[datetime] = mapped_column()


class OwnerSession(Base):
    """A browser in which the owner is signed in by the password of this `mark`.

    `id` is its cookie's hash.
    """

    __tablename__ = "owner_sessions"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    mark: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column()
    seen_at: Mapped[datetime] = mapped_column()


class SignIn(Base):
    """A browser that has given an access code, known by its `mark`. `id` is its cookie's hash."""

    __tablename__ = "sessions"
    __table_args__ = (Index("sessions_of_a_visitor", "visitor"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    code: Mapped[str] = mapped_column(String(60))
    mark: Mapped[str] = mapped_column(String(64))
    visitor: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column()
    seen_at: Mapped[datetime] = mapped_column()
    expires_at: Mapped[datetime] = mapped_column()
