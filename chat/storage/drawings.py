"""The HTML of ended answers, so that a text is drawn once and not at each view."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select

from chat.storage.engine.kinds import by_single_statements, lock
from chat.storage.models import Answer, Drawing

# All HTML together; beyond it that of the first questions goes.
MAX_BYTES = 64_000_000
# To add up all sizes is to read the table (50 ms when it is full), so it is done when a process has
# added so much of the whole, and then this much of the whole goes at once.
LOOK_SHARE = 1 / 64
DROP_SHARE = 1 / 10


@dataclass(frozen=True)
class StoredDrawing:
    """The blocks of an answer. `version` names the renderer and the text they were made from."""

    version: str
    blocks: list[str]


class Drawings:
    """A cache: what is missing can be drawn again."""

    def __init__(self, engine: Engine, max_bytes: int = MAX_BYTES) -> None:
        self._engine = engine
        self._single = by_single_statements(engine)
        self._max_bytes = max_bytes
        # At the first drawing it is not known how much there is.
        self._added = max_bytes

    def find(self, answer_ids: Sequence[str]) -> dict[str, StoredDrawing]:
        """What there is of these answers, in any version."""
        query = select(Drawing.answer_id, Drawing.version, Drawing.blocks)
        with self._single.connect() as db:
            rows = db.execute(query.where(Drawing.answer_id.in_(answer_ids))).all()
        return {answer_id: StoredDrawing(version, blocks) for answer_id, version, blocks in rows}

    def put(self, drawings: Mapping[str, StoredDrawing]) -> None:
        """Replaces what there is of these answers."""
        with self._engine.begin() as db:
            lock(db, "drawings")
            db.execute(delete(Drawing).where(Drawing.answer_id.in_(drawings)))
            # An answer may have been deleted while it was drawn.
            existing = set(db.scalars(select(Answer.id).where(Answer.id.in_(drawings))))
            rows: list[dict[str, Any]] = [
                {
                    "answer_id": answer_id,
                    "version": drawing.version,
                    "blocks": drawing.blocks,
                    "size": sum(len(block.encode()) for block in drawing.blocks),
                }
                for answer_id, drawing in drawings.items()
                if answer_id in existing
            ]
            if rows:
                db.execute(insert(Drawing), rows)
            self._added += sum(row["size"] for row in rows)
            if self._added >= LOOK_SHARE * self._max_bytes:
                self._added = 0
                self._drop_oldest(db)

    def _drop_oldest(self, db: Connection) -> None:
        excess = (db.scalar(select(func.sum(Drawing.size))) or 0) - self._max_bytes
        if excess <= 0:
            return
        excess += int(DROP_SHARE * self._max_bytes)
        by_age = select(Drawing.answer_id, Drawing.size).join(Answer).order_by(Answer.sequence)
        for answer_id, size in db.execute(by_age).all():
            if excess <= 0:
                return
            db.execute(delete(Drawing).where(Drawing.answer_id == answer_id))
            excess -= size
