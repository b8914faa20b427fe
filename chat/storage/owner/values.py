"""What the owner has chosen in the browser: values by name, each with its version."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update

from chat.storage.engine.kinds import lock
from chat.storage.models import OwnerValue as Row
from chat.storage.models import now
from chat.storage.owner.log import note


class StaleError(Exception):
    """Somebody else has changed the value since it was read; nothing was stored."""


@dataclass(frozen=True)
class OwnerValue:
    """A value and how often it was changed: 0 when never."""

    value: Any = None
    version: int = 0


@dataclass(frozen=True)
class Entry:
    """What the owner's log says of a change; `change` is what it takes to take it back."""

    command: str
    facts: Mapping[str, Any]
    change: Mapping[str, Any] | None = None


class OwnerValues:
    """The rows of the values. Which names there are, chat/owner/ knows."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, name: str) -> OwnerValue:
        with self._engine.connect() as db:
            return _get(db, name)

    def all(self) -> dict[str, OwnerValue]:
        """Every value that was ever chosen, by its name."""
        columns = Row.name, Row.value, Row.version
        with self._engine.connect() as db:
            return {
                name: OwnerValue(value, version)
                for name, value, version in db.execute(select(*columns))
            }

    def put(
        self,
        name: str,
        value: Any,
        entry: Entry | Callable[[Any], Entry],
        expected: int | None = None,
    ) -> int:
        """Stores a value, and the entry of the log with it; returns the new version.

        The entry may be made from the value that was there. Raises StaleError when the version is
        not the `expected` one.
        """
        with self._engine.begin() as db:
            lock(db, "owner_values")
            stored = _get(db, name)
            if expected is not None and stored.version != expected:
                raise StaleError(name)
            version = _put(db, name, value, stored.version + 1)
            entry = entry(stored.value) if callable(entry) else entry
            note(db, entry.command, entry.facts, entry.change)
            return version

    def alter(self, name: str, alteration: Callable[[Any], Any]) -> Any:
        """Puts what the `alteration` makes of the value in its place, alone; returns it.

        The log does not speak of it.
        """
        with self._engine.begin() as db:
            lock(db, "owner_values")
            stored = _get(db, name)
            value = alteration(stored.value)
            if value != stored.value:
                _put(db, name, value, stored.version + 1)
            return value


def _get(db: Connection, name: str) -> OwnerValue:
    row = db.execute(select(Row.value, Row.version).where(Row.name == name)).one_or_none()
    return OwnerValue(*row) if row else OwnerValue()


def _put(db: Connection, name: str, value: Any, version: int) -> int:
    columns = {"value": value, "version": version, "changed_at": now()}
    if not db.execute(update(Row).where(Row.name == name).values(**columns)).rowcount:
        db.execute(insert(Row), {"name": name, **columns})
    return version
