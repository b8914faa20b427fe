"""Files of the owner's, such as the logo, by the hash of what is in them."""

import hashlib

from sqlalchemy import Engine, delete, func, insert, select

from chat.storage.engine.kinds import lock
from chat.storage.models import OwnerFile, now

# So many stay, so that a change can be taken back; the oldest go first.
MOST = 10


class OwnerFiles:
    """The rows of the files."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, id: str) -> bytes | None:
        with self._engine.connect() as db:
            return db.scalar(select(OwnerFile.data).where(OwnerFile.id == id))

    def has(self, id: str) -> bool:
        """Whether the file is still there."""
        with self._engine.connect() as db:
            return bool(db.scalar(select(func.count()).where(OwnerFile.id == id)))

    def put(self, data: bytes) -> str:
        """Stores a file, the newest from now on; returns its id."""
        id = hashlib.sha256(data).hexdigest()
        with self._engine.begin() as db:
            lock(db, "owner_files")
            db.execute(delete(OwnerFile).where(OwnerFile.id == id))
            db.execute(insert(OwnerFile), {"id": id, "data": data, "at": now()})
            newest = select(OwnerFile.id).order_by(OwnerFile.at.desc()).limit(MOST)
            kept = db.scalars(newest).all()
            db.execute(delete(OwnerFile).where(OwnerFile.id.not_in(kept)))
        return id
