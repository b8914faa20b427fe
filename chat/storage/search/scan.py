"""Search in a visitor's conversations: a scan of their texts in the database, newest first."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Engine, Row, String, bindparam, select, type_coerce

from chat.offload import give_way
from chat.storage.engine.kinds import by_single_statements
from chat.storage.models import RUNNING, Base
from chat.storage.search.plain import SEPARATOR, folded, readable
from chat.storage.search.words import Pieces, SearchWords

# Between two pages others get their turn. A page is smaller when the answers are long.
SMALLEST_PAGE, PAGE = 25, 500
PAGE_S = 0.02

_CONVERSATIONS, _ANSWERS = Base.metadata.tables["conversations"], Base.metadata.tables["answers"]
_IS_VISIBLE = (_CONVERSATIONS.c.visitor == bindparam("visitor")) & (
    _CONVERSATIONS.c.deleted_at.is_(None)
)
# Numbers alone come from an index, without reading any text.
_SEQUENCES = (
    select(_ANSWERS.c.sequence)
    .join_from(_CONVERSATIONS, _ANSWERS, _ANSWERS.c.conversation_id == _CONVERSATIONS.c.id)
    .where(_IS_VISIBLE)
    .order_by(_ANSWERS.c.sequence.desc())
)
_PAGE = (
    select(_ANSWERS.c.id, _ANSWERS.c.conversation_id, _ANSWERS.c.plain)
    .where(
        _ANSWERS.c.sequence.in_(bindparam("sequences", expanding=True)),
        _ANSWERS.c.state != RUNNING,
    )
    .order_by(_ANSWERS.c.sequence.desc())
)
# Asks again whose it is: it may have been deleted or merged while the pages were read.
_HITS = (
    select(
        _ANSWERS.c.id,
        _ANSWERS.c.conversation_id,
        _ANSWERS.c.sequence,
        _CONVERSATIONS.c.title,
        _ANSWERS.c.created_at,
        _ANSWERS.c.question,
        _ANSWERS.c.replies,
    )
    .join_from(_ANSWERS, _CONVERSATIONS, _ANSWERS.c.conversation_id == _CONVERSATIONS.c.id)
    .where(_ANSWERS.c.id.in_(bindparam("ids", expanding=True)), _IS_VISIBLE)
)
_TITLES = (
    select(
        _CONVERSATIONS.c.id,
        _CONVERSATIONS.c.title,
        _CONVERSATIONS.c.sequence,
        type_coerce(_CONVERSATIONS.c.updated_at, String).label("updated_at"),
    )
    .where(_IS_VISIBLE)
    .order_by(_CONVERSATIONS.c.sequence.desc())
)


@dataclass(frozen=True)
class SearchHit:
    """A conversation with all words of a search in its title, or in an answer and its question.

    `title` and `excerpt` are in pieces, each with whether it matches. `answer_id` is the newest
    answer that matches; None, with an empty excerpt, when only the title does. Hits are ordered by
    `sequence`; `at` is what the clock said.
    """

    conversation_id: str
    title: Pieces
    answer_id: str | None
    excerpt: Pieces
    sequence: int
    at: datetime


class Search:
    """Finds answers that have ended, by what a person reads of them (`answers.plain`)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = by_single_statements(engine)

    def find(self, visitor: str, typed: str, limit: int = 50) -> list[SearchHit]:
        """The visitor's conversations with all words, newest first. Any text may be typed."""
        words = SearchWords.typed(typed)
        if not words:
            return []
        answer_ids = self._matching_answers(visitor, words, limit)
        with self._engine.connect() as db:
            hits = {hit.conversation_id: hit for hit in _hits(db, visitor, words, answer_ids)}
            titles = db.execute(_TITLES, {"visitor": visitor}).all()
        by_title = [
            hit
            for hit in islice(_hits_by_title(titles, words), limit)
            if hit.conversation_id not in hits
        ]
        all_hits = [*hits.values(), *by_title]
        return sorted(all_hits, key=lambda hit: hit.sequence, reverse=True)[:limit]

    def _matching_answers(self, visitor: str, words: SearchWords, limit: int) -> list[str]:
        """The newest matching answer of each conversation, `limit` of them."""
        with self._engine.connect() as db:
            sequences = db.scalars(_SEQUENCES, {"visitor": visitor}).all()
        query = _PAGE
        for run in words.all_runs:
            # A run has letters and digits only: none of them means something to LIKE.
            query = query.where(_ANSWERS.c.plain.like(f"%{run}%"))
        newest: dict[str, str] = {}
        start, size = 0, SMALLEST_PAGE
        while start < len(sequences) and len(newest) < limit:
            give_way()
            began = time.perf_counter()
            with self._engine.connect() as db:
                rows = db.execute(query, {"sequences": sequences[start : start + size]}).all()
            start += size
            is_slow = time.perf_counter() - began > PAGE_S
            size = max(SMALLEST_PAGE, size // 4) if is_slow else min(PAGE, size * 2)
            for id, conversation_id, plain in rows:
                if conversation_id not in newest:
                    time.sleep(0)
                    if words.are_in(*plain.split(SEPARATOR)):
                        newest[conversation_id] = id
        return list(newest.values())[:limit]


def _hits(
    db: Connection, visitor: str, words: SearchWords, answer_ids: Sequence[str]
) -> Iterator[SearchHit]:
    for row in db.execute(_HITS, {"ids": answer_ids, "visitor": visitor}):
        yield SearchHit(
            row.conversation_id,
            words.marked(row.title),
            row.id,
            words.excerpt(readable(row.question, row.replies)),
            row.sequence,
            row.created_at,
        )
        time.sleep(0)


def _hits_by_title(rows: Sequence[Row[Any]], words: SearchWords) -> Iterator[SearchHit]:
    for start in range(0, len(rows), PAGE):
        give_way()
        page = rows[start : start + PAGE]
        # Folded together, and only the times of hits are read: one by one takes three times as
        # long.
        lines = "".join(row.title.replace("\n", " ") + "\n" for row in page)
        titles = folded(lines).split("\n")[:-1]
        for row, title in zip(page, titles, strict=True):
            if words.are_in(title):
                at = datetime.fromisoformat(str(row.updated_at)).replace(tzinfo=UTC)
                yield SearchHit(row.id, words.marked(row.title), None, (), row.sequence, at)
