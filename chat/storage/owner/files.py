"""Files of the owner's, such as the logo, by the hash of what is in them."""

import hashlib

from sqlalchemy import Connection, Engine, delete, func, insert, select

from chat.storage.engine.kinds import lock
from chat.storage.models import OwnerAgent, OwnerFile, OwnerValue, now

# Besides those in use so many stay, so that a change can be taken back; the oldest go first.
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
            needed = {*db.scalars(newest), *_in_use(db)}
            db.execute(delete(OwnerFile).where(OwnerFile.id.not_in(needed)))
        return id


def _in_use(db: Connection) -> set[str]:
    """The ids of the logo and of agents' pictures, which are the ends of their addresses."""
    logo = db.scalar(select(OwnerValue.value).where(OwnerValue.name == "site_logo"))
    icons = [str(card.get("icon", "")) for card in db.scalars(select(OwnerAgent.card))]
    return {str(logo), *(icon.rpartition("/")[2] for icon in icons)}
