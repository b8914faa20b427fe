"""Tokens that the site was granted, sealed: bytes by name."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from chat.storage.engine.kinds import kind_of, lock
from chat.storage.models import Secret

# Between two looks whether a name is free. A lock that waits would hold up the whole process.
LOOK_S = 0.05


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

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Lets in one at a time of all processes, for as long as it takes or its process lives."""
        while (give_back := kind_of(self._engine).try_to_hold(self._engine, name)) is None:
            time.sleep(LOOK_S)
        try:
            yield
        finally:
            give_back()
