"""Tokens that the site was granted, sealed: bytes by name."""

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from chat.storage.engine.kinds import lock
from chat.storage.models import Secret


class Secrets:
    """The rows of the tokens. What the bytes mean, chat/agents/vault.py knows."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, name: str) -> bytes | None:
        with self._engine.connect() as db:
            return db.scalar(select(Secret.sealed).where(Secret.name == name))

    def put(self, name: str, sealed: bytes) -> None:
        """Stores the bytes of a name in place of what it had."""
        with Session(self._engine) as db, db.begin():
            lock(db.connection(), f"secrets {name}")
            db.merge(Secret(name=name, sealed=sealed))
