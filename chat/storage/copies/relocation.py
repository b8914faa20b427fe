"""A site's rows copied into another database: in batches, each compared, as often as one likes."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Table,
    func,
    insert,
    select,
    true,
    tuple_,
)

from chat.legible import legible
from chat.storage.engine.kinds import kind_of
from chat.storage.models import Base

# A process belongs to where it runs.
LEFT_BEHIND = frozenset({"workers"})
# Rows in one transaction. Of some tables a row may have many megabytes.
BATCH = 200
BATCHES = {"uploads": 1, "drawings": 50}

Row = dict[str, Any]
Key = tuple[Any, ...]


class RelocationError(Exception):
    """Nothing of the target was changed, or nothing but missing rows added.

    `kind` names a sentence for the owner (chat/owner/words.py), `facts` fill it.
    """

    def __init__(self, kind: str, **facts: Any) -> None:
        super().__init__(kind)
        self.kind = kind
        self.facts = facts


def copy_site(
    source: Engine, target: Engine, report: Callable[[str, int], object]
) -> dict[str, int]:
    """Copies every row into a database that has none but these: how many of which table.

    `report` hears of each table that is done. Copied by one that was interrupted before, a row
    stays. In the end each row is read again and compared. A site that starts on the target waits
    until then.

    Raises RelocationError: other_rows, not_equal. StorageError.
    """
    counts: dict[str, int] = {}
    with kind_of(target).alone(target), kind_of(source).one_moment(source) as rows:
        for table in tables():
            _refuse_other_rows(rows, target, table)
        for table in tables():
            counts[table.name] = _copy_table(rows, target, table)
            report(table.name, counts[table.name])
        with target.begin() as db:
            kind_of(db).restart_numbers(db)
        for table in tables():
            _require_equal(rows, target, table)
    return counts


def tables() -> list[Table]:
    """The tables that are copied, each after those that its rows belong to."""
    return [table for table in Base.metadata.sorted_tables if table.name not in LEFT_BEHIND]


def _refuse_other_rows(rows: Connection, target: Engine, table: Table) -> None:
    """Raises RelocationError when the target has a row that the source has not."""
    with target.connect() as db:
        count = db.scalar(select(func.count()).select_from(table)) or 0
        if not count:
            return
        for batch in _batches(rows, table):
            stored_rows = _stored(db, table, batch)
            count -= sum(stored_rows.get(_key(table, row)) == row for row in batch)
    if count:
        raise RelocationError("other_rows", table=table.name, count=count)


def _copy_table(rows: Connection, target: Engine, table: Table) -> int:
    count = 0
    for batch in _batches(rows, table):
        count += len(batch)
        with target.begin() as db:
            stored_rows = _stored(db, table, batch)
            missing = [row for row in batch if _key(table, row) not in stored_rows]
            if missing:
                db.execute(insert(table), missing)
    return count


def _require_equal(rows: Connection, target: Engine, table: Table) -> None:
    """Raises RelocationError unless the target has each row as the source has it, and no other."""
    with target.connect() as db:
        count = db.scalar(select(func.count()).select_from(table)) or 0
        for batch in _batches(rows, table):
            stored_rows = _stored(db, table, batch)
            count -= len(batch)
            different = sum(stored_rows.get(_key(table, row)) != row for row in batch)
            if different:
                raise RelocationError("not_equal", table=table.name, count=different)
    if count:
        raise RelocationError("other_rows", table=table.name, count=count)


def _batches(rows: Connection, table: Table) -> Iterator[list[Row]]:
    """The rows of the source, in the order of their keys, as the target stores them."""
    size = BATCHES.get(table.name, BATCH)
    query = select(table).where(_belongs(table)).order_by(*table.primary_key.columns)
    streamed = rows.execution_options(yield_per=size).execute(query)
    for batch in streamed.mappings().partitions(size):
        yield [{name: _as_stored(value) for name, value in row.items()} for row in batch]


def _belongs(table: Table) -> ColumnElement[bool]:
    """Leaves out what somebody's hand has left behind: rows whose conversation was deleted."""
    condition: ColumnElement[bool] = true()
    for key in table.foreign_keys:
        owner = key.column.table
        is_there = key.parent.in_(select(key.column).where(_belongs(owner)))
        condition &= is_there | key.parent.is_(None) if key.parent.nullable else is_there
    return condition


def _as_stored(value: Any) -> Any:
    return legible(value) if isinstance(value, str) else value


def _stored(db: Connection, table: Table, batch: Sequence[Row]) -> dict[Key, Row]:
    """The rows of the target with the keys of these, by key."""
    columns = list(table.primary_key.columns)
    keys = [_key(table, row) for row in batch]
    if len(columns) == 1:
        is_one = columns[0].in_([key[0] for key in keys])
    else:
        is_one = tuple_(*columns).in_(keys)
    rows = db.execute(select(table).where(is_one)).mappings()
    return {_key(table, row): dict(row) for row in rows}


def _key(table: Table, row: Any) -> Key:
    return tuple(row[column.name] for column in table.primary_key.columns)
