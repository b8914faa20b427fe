"""What the owner may read: answers whose visitors were told so when they asked, and no others."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Row, Select, Text, case, cast, func, null, select
from sqlalchemy.orm import Session, contains_eager, sessionmaker, undefer

from chat.offload import give_way
from chat.refusals import Refusal
from chat.storage.models import Answer, Conversation
from chat.storage.search.plain import SEPARATOR, plain
from chat.storage.search.words import SearchWords

# Not by the index of deleted conversations: nearly all are not, and SQLite would read them all.
_IS_THERE = func.coalesce(Conversation.deleted_at, null()).is_(None)
# Every query for a text has this condition: the one place that decides it.
_MAY_BE_READ = Answer.is_readable & _IS_THERE
# Between two steps others get their turn. A step looks at fewer answers when it takes long.
SMALLEST_STEP, STEP = 25, 2000
STEP_S = 0.02
# After this a page shows what it has, and says that it has not looked at all answers.
PAGE_S = 0.2
# A longer answer has no excerpt on a list.
_EXCERPT_CHARS = 20_000
# Two lines of a wide window.
_SHOWN_CHARS = 600
# Answers with their whole texts that an export has in memory.
BATCH = 10
# No sequence is larger: a column of integers holds no more.
LARGEST = 2**31 - 1


@dataclass(frozen=True)
class Filters:
    """What the owner looks for; what is None or empty is no condition.

    `text` is what the question or the answer says, `access` the code or key it was asked by, such
    as code:museum.
    """

    agent: str | None = None
    state: str | None = None
    rating: str | None = None
    access: str | None = None
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class AnswerLine:
    """An answer on a list. `replies` is empty where they are very long."""

    id: str
    conversation_id: str
    sequence: int
    agent: str
    visitor: str
    question: str
    replies: list[str]
    state: str
    code: str | None
    rating: str | None
    rating_reason: str | None
    created_at: datetime

    @property
    def excerpt(self) -> str:
        """The beginning of the first reply as it is read, without marks of Markdown."""
        return plain(self.replies[0][:_SHOWN_CHARS]) if self.replies else ""


@dataclass(frozen=True)
class AnswerLines:
    """A part of a list, newest first. Older ones have a sequence before `older`, None at its end.

    `is_cut`: there was no time to look at as many answers as would have filled it.
    """

    lines: list[AnswerLine]
    older: int | None = None
    is_cut: bool = False


@dataclass(frozen=True)
class RatedAnswer:
    """A rating. `question` is None where the owner may not read it."""

    id: str
    sequence: int
    agent: str
    rating: str
    rating_reason: str | None
    rated_at: datetime
    question: str | None


@dataclass(frozen=True)
class Passage:
    """A part of a conversation, oldest first, with the ids of the answers just beyond it.

    `closed` counts the answers of the conversation that the owner may not read.
    """

    answers: Sequence[Answer]
    earlier: str | None
    later: str | None
    closed: int


class OwnerReading:
    """Queries of the owner, who sees no answer that is not readable, and none that was deleted."""

    def __init__(self, engine: Engine) -> None:
        self._sessions = sessionmaker(engine, expire_on_commit=False)

    def find(
        self, filters: Filters, limit: int, before: int | None = None, seconds: float = PAGE_S
    ) -> AnswerLines:
        """The newest answers with all that the filters ask for, of those before a sequence."""
        lines: list[AnswerLine] = []
        until = time.monotonic() + seconds
        for rows, older in self._steps(_LINES, filters, before, limit + 1):
            lines += map(_line, rows)
            if len(lines) > limit:
                return AnswerLines(lines[:limit], lines[limit - 1].sequence)
            if older is not None and time.monotonic() > until:
                return AnswerLines(lines, older, is_cut=True)
        return AnswerLines(lines)

    def each(self, filters: Filters) -> Iterator[Answer]:
        """All of them, newest first, whole and with their conversations; a few are in memory."""
        for rows, _ in self._steps(_NUMBERS, filters, None, STEP):
            numbers = [row.sequence for row in rows]
            for start in range(0, len(numbers), BATCH):
                give_way()
                with self._sessions() as db:
                    answers = list(db.scalars(_whole(numbers[start : start + BATCH])))
                yield from answers

    def passage(self, answer_id: str, size: int) -> Passage:
        """What is around an answer in its conversation: so many before it, and from it on.

        Raises Refusal not_found when the owner may not read it.
        """
        with self._sessions() as db:
            conversation_id, sequence = _place(db, answer_id)
            of_it = _IDS.where(Answer.conversation_id == conversation_id)
            before = of_it.where(Answer.sequence < sequence).order_by(Answer.sequence.desc())
            after = of_it.where(Answer.sequence >= sequence).order_by(Answer.sequence)
            earlier = db.execute(before.limit(size + 1)).all()
            later = db.execute(after.limit(size + 1)).all()
            numbers = [row.sequence for row in (*earlier[:size], *later[:size])]
            closed = select(func.count()).where(
                Answer.conversation_id == conversation_id, ~Answer.is_readable
            )
            return Passage(
                list(db.scalars(_whole(numbers)))[::-1],
                earlier=earlier[size].id if len(earlier) > size else None,
                later=later[size].id if len(later) > size else None,
                closed=db.scalar(closed) or 0,
            )

    def conversation_of(self, answer_id: str) -> str:
        """The conversation of an answer. Raises Refusal not_found as `passage`."""
        with self._sessions() as db:
            return _place(db, answer_id)[0]

    def rated(
        self, rating: str, limit: int, before: int | None = None, *, with_questions: bool
    ) -> list[RatedAnswer]:
        """Answers with this rating, newest first. What visitors gave as a reason is for the owner.

        The question is there only `with_questions`, and where it may be read.
        """
        question = case((Answer.is_readable, Answer.question)) if with_questions else null()
        query = (
            select(
                Answer.id,
                Answer.sequence,
                Conversation.agent,
                Answer.rating,
                Answer.rating_reason,
                Answer.rated_at,
                question.label("question"),
            )
            .join(Answer.conversation)
            .where(Answer.rating == rating, _IS_THERE)
            .where(Answer.sequence < _bounded(before))
            .order_by(Answer.sequence.desc())
            .limit(limit)
        )
        with self._sessions() as db:
            return [RatedAnswer(**row._mapping) for row in db.execute(query)]

    def rating_counts(self) -> dict[str, dict[str, int]]:
        """How many answers of each agent are rated up and down."""
        query = (
            select(Conversation.agent, Answer.rating, func.count())
            .join(Answer.conversation)
            .where(Answer.rating.is_not(None), _IS_THERE)
            .group_by(Conversation.agent, Answer.rating)
        )
        counts: dict[str, dict[str, int]] = {}
        with self._sessions() as db:
            for agent, rating, number in db.execute(query):
                counts.setdefault(agent, {"up": 0, "down": 0})[str(rating)] = number
        return counts

    def _steps(
        self, query: Select[Any], filters: Filters, before: int | None, room: int
    ) -> Iterator[tuple[Sequence[Row[Any]], int | None]]:
        """Goes back through all readable answers by steps, however few of them match.

        Yields the rows of each step, and the sequence before which the next one looks.
        """
        words = SearchWords.typed(filters.text)
        if filters.text.strip() and not words:
            return
        matching = _matching(query, filters, words).limit(room)
        place: int | None = _bounded(before)
        size = SMALLEST_STEP
        while place is not None:
            give_way()
            began = time.monotonic()
            with self._sessions() as db:
                low = db.scalar(_EDGE.where(Answer.sequence < place).offset(size - 1))
                is_within = (Answer.sequence < place) & (Answer.sequence >= (low or 0))
                rows = db.execute(matching.where(is_within)).all()
            is_slow = time.monotonic() - began > STEP_S
            size = max(SMALLEST_STEP, size // 4) if is_slow else min(STEP, size * 2)
            place = rows[-1].sequence if len(rows) == room else low
            yield _with_words(rows, words), place


# From the index alone.
_EDGE = select(Answer.sequence).where(Answer.is_readable).order_by(Answer.sequence.desc()).limit(1)
_NUMBERS = select(Answer.sequence).join(Answer.conversation)
_IDS = select(Answer.sequence, Answer.id).join(Answer.conversation).where(_MAY_BE_READ)
_LINES = select(
    Answer.id,
    Answer.conversation_id,
    Answer.sequence,
    Conversation.agent,
    Conversation.visitor,
    Answer.question,
    case((func.length(cast(Answer.replies, Text)) < _EXCERPT_CHARS, Answer.replies)).label(
        "replies"
    ),
    Answer.state,
    Answer.code,
    Answer.rating,
    Answer.rating_reason,
    Answer.created_at,
).join(Answer.conversation)


def _line(row: Row[Any]) -> AnswerLine:
    columns = {name: value for name, value in row._mapping.items() if name != "plain"}
    return AnswerLine(**{**columns, "replies": row.replies or []})


def _place(db: Session, answer_id: str) -> tuple[str, int]:
    """The conversation and the sequence of an answer. Raises Refusal not_found."""
    query = select(Answer.conversation_id, Answer.sequence).join(Answer.conversation)
    row = db.execute(query.where(_MAY_BE_READ, Answer.id == answer_id)).one_or_none()
    if row is None:
        raise Refusal("not_found", "an answer")
    return row.conversation_id, row.sequence


def _whole(numbers: Sequence[int]) -> Select[Any]:
    """Answers with these sequences and all their columns, newest first.

    They may have been deleted since they were found.
    """
    return (
        select(Answer)
        .join(Answer.conversation)
        .options(contains_eager(Answer.conversation), undefer(Answer.timeline))
        .where(_MAY_BE_READ, Answer.sequence.in_(numbers))
        .order_by(Answer.sequence.desc())
    )


def _matching(query: Select[Any], filters: Filters, words: SearchWords) -> Select[Any]:
    query = query.where(_MAY_BE_READ).order_by(Answer.sequence.desc())
    if filters.agent:
        query = query.where(Conversation.agent == filters.agent)
    if filters.state:
        # Not by the index of the states: most answers of a site have the same one.
        query = query.where(func.coalesce(Answer.state, "") == filters.state)
    if filters.rating:
        query = query.where(Answer.rating == filters.rating)
    if filters.access:
        query = query.where(Answer.access == filters.access)
    if filters.since:
        query = query.where(Answer.created_at >= filters.since)
    if filters.until:
        query = query.where(Answer.created_at < filters.until)
    for run in words.all_runs:
        # A run has letters and digits only: none of them means something to LIKE.
        query = query.where(Answer.plain.like(f"%{run}%"))
    return query.add_columns(Answer.plain) if words else query


def _with_words(rows: Sequence[Row[Any]], words: SearchWords) -> Sequence[Row[Any]]:
    """The rows whose texts have all words, as words and not as parts of others."""
    return [row for row in rows if words.are_in(*row.plain.split(SEPARATOR))] if words else rows


def _bounded(before: int | None) -> int:
    """What somebody typed may be larger than any number a database has."""
    return LARGEST if before is None else max(0, min(before, LARGEST))
