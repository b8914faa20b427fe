"""Whom the owner has shut out, by a visitor's name or by a network."""

from collections.abc import Sequence

from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.orm import Session

from chat.storage.engine.kinds import lock
from chat.storage.models import Block, now
from chat.storage.owner.log import OwnerLog, note


class StoredBlocks:
    """The rows of the blocks. What a subject means, chat/visitors/blocks.py knows."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._log = OwnerLog(engine)

    def version(self) -> int:
        """A number that is another one after each change: changes stand in the owner's log."""
        return self._log.version()

    def all(self) -> Sequence[Block]:
        """All blocks, the oldest first."""
        with Session(self._engine) as db:
            return db.scalars(select(Block).order_by(Block.at, Block.subject)).all()

    def add(self, subject: str) -> bool:
        """Stores a block; False when it was there already."""
        with self._engine.begin() as db:
            lock(db, f"block {subject}")
            if db.scalar(select(Block.at).where(Block.subject == subject)) is not None:
                return False
            db.execute(insert(Block), {"subject": subject, "at": now()})
            note(db, "block", {"subject": subject}, {"subject": subject})
        return True

    def remove(self, subject: str) -> bool:
        """Deletes a block; False when there was none."""
        with self._engine.begin() as db:
            if not db.execute(delete(Block).where(Block.subject == subject)).rowcount:
                return False
            note(db, "unblock", {"subject": subject}, {"subject": subject})
        return True
