"""Agents connected at the desk, and what was changed there about others: rows by the agent's id."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.orm import Session

from chat.storage.engine.kinds import lock
from chat.storage.models import OwnerAgent, now
from chat.storage.owner.log import note
from chat.storage.owner.values import Entry, StaleError


@dataclass(frozen=True)
class AgentContent:
    """What the owner decides about an agent.

    `platform` and `sealed`, its options, are None where .env or agents.toml declare it. One that
    was removed keeps its platform, so that nobody else gets its id and with it its conversations.
    """

    card: Mapping[str, Any] = field(default_factory=dict)
    platform: str | None = None
    sealed: bytes | None = field(default=None, repr=False)
    is_off: bool = False

    @classmethod
    def of(cls, row: OwnerAgent | None) -> "AgentContent":
        """The content of a row; of none, that nothing was changed."""
        return cls(row.card, row.platform, row.sealed, row.is_off) if row else cls()

    @property
    def is_connected(self) -> bool:
        """Whether it is an agent of its own."""
        return self.sealed is not None


class OwnerAgents:
    """The rows. What a card means and how options are sealed, chat/agents/ knows."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self) -> Sequence[OwnerAgent]:
        """All rows, in the owner's order; a new one comes last."""
        with Session(self._engine) as db:
            return db.scalars(select(OwnerAgent).order_by(OwnerAgent.position, OwnerAgent.id)).all()

    def get(self, id: str) -> OwnerAgent | None:
        with Session(self._engine) as db:
            return db.get(OwnerAgent, id)

    def put(self, id: str, content: AgentContent, entry: Entry, expected: int) -> int:
        """Stores what is decided about an agent, and the log's entry; returns the new version.

        The version of an id without a row is 0. Raises StaleError when the version is not the
        `expected` one.
        """
        columns = {
            "card": dict(content.card),
            "platform": content.platform,
            "sealed": content.sealed,
            "is_off": content.is_off,
            "version": expected + 1,
            "changed_at": now(),
        }
        with self._engine.begin() as db:
            lock(db, "owner_agents")
            positions = _positions(db)
            version = db.scalar(select(OwnerAgent.version).where(OwnerAgent.id == id)) or 0
            if version != expected:
                raise StaleError(id)
            if id in positions:
                db.execute(update(OwnerAgent).where(OwnerAgent.id == id).values(**columns))
            else:
                # Those that .env and agents.toml declare stand where these put them.
                last = max(positions.values(), default=0)
                position = last + 1 if content.is_connected else 0
                db.execute(insert(OwnerAgent), {"id": id, "position": position, **columns})
            note(db, entry.command, entry.facts, entry.change)
        return expected + 1

    def positions(self) -> dict[str, int]:
        """Where each agent stands that has a row: 0 for one that was never moved."""
        with self._engine.connect() as db:
            return _positions(db)

    def move(self, positions: Mapping[str, int], entry: Entry, expected: Mapping[str, int]) -> None:
        """Gives agents their places, and stores the log's entry.

        Raises StaleError when the places are not the `expected` ones.
        """
        with self._engine.begin() as db:
            lock(db, "owner_agents")
            stored = _positions(db)
            if stored != expected:
                raise StaleError("the order of the agents")
            for id, position in positions.items():
                if id in stored:
                    db.execute(
                        update(OwnerAgent).where(OwnerAgent.id == id).values(position=position)
                    )
                else:
                    columns = {"card": {}, "is_off": False, "version": 0, "changed_at": now()}
                    db.execute(insert(OwnerAgent), {"id": id, "position": position, **columns})
            note(db, entry.command, entry.facts, entry.change)


def _positions(db: Connection) -> dict[str, int]:
    rows = db.execute(select(OwnerAgent.id, OwnerAgent.position))
    return {id: position for id, position in rows}
