"""Search in what was said: an index that is brought up to date by whoever searches, and by nobody else."""

import base64
import hashlib
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Engine, String, bindparam, select, text, type_coerce

from chat.storage.models import RUNNING, Base, Moment, now, oldest_id
from chat.storage.tokenizing import Pieces, Words, folded, indexed

INDEXED = 50_000  # characters of an answer; what comes after them is not found
BATCH, BATCH_CHARACTERS = (
    50,
    40_000,
)  # about 12 ms: nobody else can write, and no answer goes on, meanwhile
# An id is made a little before its answer can be seen, so "up to here" is never said of the last moment.
UNSETTLED = timedelta(minutes=1)

_CONVERSATIONS, _ANSWERS = Base.metadata.tables["conversations"], Base.metadata.tables["answers"]
_SEARCHED = Base.metadata.tables["searched"]
_UP_TO = select(_SEARCHED.c.up_to).where(_SEARCHED.c.visitor == bindparam("visitor"))
# Only for who read what is there: another process may have begun anew in the meantime.
_SAVE_UP_TO = text(
    "INSERT INTO searched (visitor, up_to) VALUES (:visitor, :up_to) "
    "ON CONFLICT (visitor) DO UPDATE SET up_to = excluded.up_to WHERE up_to = :read"
)
_BEGIN_ANEW = text(
    "INSERT INTO searched (visitor, up_to) VALUES (:visitor, :up_to) "
    "ON CONFLICT (visitor) DO UPDATE SET up_to = excluded.up_to"
)
_LATER = (
    select(_ANSWERS.c.id, _ANSWERS.c.state)
    .join_from(_CONVERSATIONS, _ANSWERS, _ANSWERS.c.conversation_id == _CONVERSATIONS.c.id)
    .where(
        _CONVERSATIONS.c.visitor == bindparam("visitor"),
        _CONVERSATIONS.c.updated_at >= bindparam("since"),
        _ANSWERS.c.id > bindparam("up_to"),
    )
)
_KNOWN = text("SELECT answer FROM passages WHERE rowid IN :rows AND visitor = :visitor").bindparams(
    bindparam("rows", expanding=True)
)
_TEXTS = select(_ANSWERS.c.id, _ANSWERS.c.question, _ANSWERS.c.replies).where(
    _ANSWERS.c.id.in_(bindparam("ids", expanding=True))
)
# What was deleted, or became another visitor's, since its text was read must not come back.
_PUT = text(
    "INSERT OR REPLACE INTO passages (rowid, answer, visitor, body) SELECT :row, :answer, :visitor, :body "
    "WHERE EXISTS (SELECT 1 FROM answers JOIN conversations ON conversations.id = conversation_id "
    "WHERE answers.id = :answer AND conversations.visitor = :visitor)"
)
_FORGET = text("DELETE FROM passages WHERE rowid = :row AND answer = :answer")
# The index is asked first, newest rows first: SQLite would like to begin at the visitor's conversations.
_HITS = text(
    "SELECT answers.id AS answer_id, conversation_id, title, answers.created_at FROM passages "
    "CROSS JOIN answers ON answers.id = passages.answer "
    "CROSS JOIN conversations ON conversations.id = answers.conversation_id "
    "WHERE passages MATCH :query AND conversations.visitor = :visitor AND deleted_at IS NULL "
    "ORDER BY passages.rowid DESC"
).columns(created_at=Moment)
_TITLES = (
    select(
        _CONVERSATIONS.c.id,
        _CONVERSATIONS.c.title,
        type_coerce(_CONVERSATIONS.c.updated_at, String),
    )
    .where(_CONVERSATIONS.c.visitor == bindparam("visitor"), _CONVERSATIONS.c.deleted_at.is_(None))
    .order_by(_CONVERSATIONS.c.updated_at.desc())
)


@dataclass(frozen=True)
class Found:
    """A conversation that holds all words of a search: in its title, in an answer or its question, or both.

    `title` and `excerpt` are in pieces, each with whether it is what was searched for. `answer_id` is the
    newest answer that holds the words; None, with an empty excerpt, when only the title does.
    """

    conversation_id: str
    title: Pieces
    answer_id: str | None
    excerpt: Pieces
    at: datetime


class Search:
    """Finds, and keeps the index. Asking and answering know nothing of it and cost what they did."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, visitor: str, typed: str, limit: int = 50) -> list[Found]:
        """The visitor's conversations that hold all words, newest first. Any text may be searched for."""
        words = Words.typed(typed)
        if not words:
            return []
        self.bring_up_to_date(visitor)
        with self._engine.connect() as db:
            hits = _hits(db, visitor, words, limit)
            titled = [
                one for one in _titled(db, visitor, words, limit) if one.conversation_id not in hits
            ]
        return sorted([*hits.values(), *titled], key=lambda one: one.at, reverse=True)[:limit]

    def bring_up_to_date(self, visitor: str) -> None:
        """Adds the visitor's ended answers that the index does not hold, in many short transactions."""
        with self._engine.connect() as db:
            read = db.scalar(_UP_TO, {"visitor": visitor})
            since = _moment(read) - UNSETTLED
            later = db.execute(
                _LATER, {"visitor": visitor, "since": since, "up_to": read or ""}
            ).all()
        ended = sorted(id for id, state in later if state != RUNNING)
        self._index(visitor, ended)
        settled = min(
            [oldest_id(now() - UNSETTLED), *(id for id, state in later if state == RUNNING)]
        )
        up_to = max((id for id in ended if id < settled), default=None)
        if up_to is not None:
            with self._engine.begin() as db:
                db.execute(_SAVE_UP_TO, {"visitor": visitor, "up_to": up_to, "read": read})

    def _index(self, visitor: str, ids: Sequence[str]) -> None:
        scope = _scope(visitor)
        for start in range(0, len(ids), BATCH):
            rows = {_row(id): id for id in ids[start : start + BATCH]}
            with self._engine.connect() as db:
                known = set(db.scalars(_KNOWN, {"rows": list(rows), "visitor": visitor}))
                texts = db.execute(
                    _TEXTS, {"ids": [id for id in rows.values() if id not in known]}
                ).all()
            passages = (
                {"row": _row(one.id), "answer": one.id, "body": _body(*one[1:], scope)}
                for one in texts
            )
            for portion in _portions(passages):
                with self._engine.begin() as db:
                    db.execute(_PUT, [{**one, "visitor": visitor} for one in portion])
                time.sleep(0)  # whoever waits for an answer comes first


def forget(db: Connection, answer_ids: Iterable[str]) -> None:
    """Takes answers out of the index, in the transaction that deletes them."""
    rows = [{"row": _row(id), "answer": id} for id in answer_ids]
    if rows:
        db.execute(_FORGET, rows)


def begin_anew(db: Connection, visitor: str) -> None:
    """The visitor has got conversations older than the newest: the next search looks at all of them.

    What the index holds already stays; what it holds as another visitor's is put right.
    """
    unlike_any = (
        f"00{secrets.token_hex(9)}"  # below all ids, and not what an indexing under way has read
    )
    db.execute(_BEGIN_ANEW, {"visitor": visitor, "up_to": unlike_any})


def _hits(db: Connection, visitor: str, words: Words, limit: int) -> dict[str, Found]:
    """The newest answers that hold the words, one for each conversation, by the conversation's id."""
    query = words.query(_scope(visitor))
    newest: dict[str, Any] = {}
    for hit in db.execute(_HITS, {"query": query, "visitor": visitor}):
        newest.setdefault(hit.conversation_id, hit)
        if len(newest) == limit:
            break
    texts = {
        one.id: one
        for one in db.execute(_TEXTS, {"ids": [hit.answer_id for hit in newest.values()]})
    }
    return {
        id: Found(
            id,
            words.marked(hit.title),
            hit.answer_id,
            words.excerpt(_parts(texts[hit.answer_id].question, texts[hit.answer_id].replies)),
            hit.created_at,
        )
        for id, hit in newest.items()
        if hit.answer_id in texts
    }


def _titled(db: Connection, visitor: str, words: Words, limit: int) -> Iterator[Found]:
    rows = db.execute(_TITLES, {"visitor": visitor}).all()
    # Folded together, and times read only of those that are shown: one by one takes three times as long.
    titles = folded("".join(title.replace("\n", " ") + "\n" for _, title, _ in rows)).split("\n")[
        :-1
    ]
    matching = (row for row, title in zip(rows, titles, strict=True) if words.are_in(title))
    for id, title, updated_at in islice(matching, limit):
        at = datetime.fromisoformat(updated_at).replace(tzinfo=UTC)
        yield Found(id, words.marked(title), None, (), at)


def _parts(question: str, replies: Sequence[str]) -> list[str]:
    """Question and replies, of which the first INDEXED characters count."""
    parts, left = [], INDEXED
    for part in (question, *replies):
        parts.append(part[:left])
        left -= len(parts[-1])
    return parts


def _body(question: str, replies: Sequence[str], scope: str) -> str:
    return indexed(_parts(question, replies), scope)


def _portions(passages: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Passages in lists that are not long together: nobody else can write while one is stored."""
    portion: list[dict[str, Any]] = []
    size = 0
    for one in passages:
        portion.append(one)
        size += len(one["body"])
        if size > BATCH_CHARACTERS:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _scope(visitor: str) -> str:
    """What a visitor's words begin with in the index: one of a million, so hardly anybody shares it.

    It only saves reading; whose an answer is, its conversation says.
    """
    return base64.b32encode(hashlib.sha256(visitor.encode()).digest()[:5]).decode().lower()[:4]


def _row(answer_id: str) -> int:
    """An answer's row in the index: its millisecond and 20 bits of chance, so rows sort by time as ids do.

    Two answers of one millisecond that share these bits share a row, and the first is not found. Accepted:
    a site with a million answers a year has a chance of 1 : 60,000 to lose one.
    """
    return int(answer_id[:16], 16)  # fits 63 bits until the year 2248


def _moment(answer_id: str | None) -> datetime:
    """When an id was made."""
    return datetime.fromtimestamp(int(answer_id[:11], 16) / 1000 if answer_id else 86_400, UTC)
