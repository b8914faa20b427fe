"""Files that visitors sent for their questions; each stays for FILES_KEPT."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, delete, func, insert, select

from chat.storage.engine.kinds import by_single_statements, lock
from chat.storage.models import Upload, new_id, now

FILES_KEPT = timedelta(days=1)


@dataclass(frozen=True)
class StoredFile:
    """A file with its content."""

    name: str
    content_type: str
    data: bytes


class StoredUploads:
    """The rows of the files."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime] = now) -> None:
        self._engine = engine
        self._single = by_single_statements(engine)
        self._clock = clock

    def add(self, visitor: str, file: StoredFile, check: Callable[[int], None]) -> str:
        """Stores a file and returns its id.

        `check` gets the bytes that the visitor has here already, and prevents it by raising.
        """
        at = self._clock()
        id = new_id(at)
        with self._engine.begin() as db:
            # The lock, or in SQLite the write that comes first, lets nobody else add a file of the
            # visitor from here on: the sum below stays true until the insert.
            lock(db, f"uploads {visitor}")
            db.execute(delete(Upload).where(Upload.created_at < at - FILES_KEPT))
            size = db.scalar(select(func.sum(Upload.size)).where(Upload.visitor == visitor)) or 0
            check(size)
            db.execute(
                insert(Upload),
                {
                    "id": id,
                    "visitor": visitor,
                    "name": file.name,
                    "content_type": file.content_type,
                    "size": len(file.data),
                    "data": file.data,
                    "created_at": at,
                },
            )
        return id

    def find(self, id: str, visitor: str | None = None) -> StoredFile | None:
        """A file that has not expired; with `visitor` only one of that visitor."""
        query = select(Upload.name, Upload.content_type, Upload.data).where(
            Upload.id == id, Upload.created_at >= self._clock() - FILES_KEPT
        )
        if visitor is not None:
            query = query.where(Upload.visitor == visitor)
        with self._single.connect() as db:
            row = db.execute(query).first()
        return StoredFile(*row) if row else None

    def count(self) -> tuple[int, int]:
        """How many files there are, and their size in bytes."""
        columns = select(func.count(), func.coalesce(func.sum(Upload.size), 0))
        with self._single.connect() as db:
            count, size = db.execute(
                columns.where(Upload.created_at >= self._clock() - FILES_KEPT)
            ).one()
        return count, size
