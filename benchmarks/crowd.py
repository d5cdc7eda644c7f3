"""A few people's part of a school, repeated until there is a crowd.

The benchmarks play a few people by the product's own steps. `repeat` copies them with every row that hangs on them,
through the foreign keys: works, files, findings, reviews, marks, results, appeals, messages, events. The database does
it, one statement for each table; a copy's id is the id of what it copies plus a multiple of `STRIDE`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Integer, String, Table, UniqueConstraint, case, cast, insert, literal, or_, select
from sqlalchemy import text as sql

from models import Base

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy import CTE, ColumnElement
    from sqlalchemy.orm import Session

STRIDE = 1_000_000
LEFT = {"fingerprint", "fingerprint_key", "copy_hit", "credential", "second_factor", "recovery_code"}
"""Not repeated: a thousand copies of one file would all be found alike, and nobody comes in as a copy."""
Ids = dict[str, list[int]]


def repeat(session: Session, seeds: dict[type[Base], Collection[int]], times: int) -> None:
    """Add as many copies of the rows with these ids, and of all that hangs on them."""
    session.flush()
    ids: Ids = {}
    tables = [one for one in Base.metadata.sorted_tables if one.name not in LEFT]
    for table in tables:
        wanted = list(seeds.get(next((one for one in seeds if one.__table__ is table), Base), ()))
        hanging = [column.in_(ids[target]) for column, target in _ways(table) if ids.get(target)]
        if hanging:
            wanted += session.scalars(select(table.c.id).where(or_(*hanging), table.c.id < STRIDE))
        ids[table.name] = sorted(set(wanted))
    if times < 1:
        return
    blocks = select(literal(1).label("n")).cte("blocks", recursive=True)
    blocks = blocks.union_all(select(blocks.c.n + 1).where(blocks.c.n < times))
    for table in tables:
        if ids[table.name]:
            assert max(ids[table.name]) < STRIDE
            values = [_value(column, ids, blocks) for column in table.columns]
            rows = select(*values).select_from(table).join(blocks, literal(True)).where(table.c.id.in_(ids[table.name]))  # noqa: FBT003 - SQL's TRUE
            session.execute(insert(table).from_select([one.name for one in table.columns], rows))
            if session.get_bind().dialect.name == "postgresql":
                session.execute(
                    sql(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), max(id)) FROM {table.name}")
                )


def _ways(table: Table) -> Iterator[tuple[Column[Any], str]]:
    """Return the columns that name other rows, and whose."""
    for column in table.columns:
        if owner := _owner(column):
            yield column, owner


def _owner(column: Column[Any]) -> str | None:
    """Return the table whose ids a column holds: an author beside a work is the work's author, who is a person."""
    for key in column.foreign_keys:
        return key.column.table.name if key.column.primary_key else _owner(key.column)
    return None


def _value(column: Column[Any], ids: Ids, blocks: CTE) -> ColumnElement[Any]:
    """Return what a copy has in a column."""
    if column.primary_key:
        return column + blocks.c.n * STRIDE
    if (owner := _owner(column)) and (found := ids.get(owner)):
        return case((column.in_(found), column + blocks.c.n * STRIDE), else_=column)
    if not _says_who(column, ids):
        return column
    if isinstance(column.type, Integer):
        return column + blocks.c.n * STRIDE
    return column.concat("-").concat(cast(blocks.c.n, String))


def _says_who(column: Column[Any], ids: Ids) -> bool:
    """Whether a column alone keeps copies apart: the last of what must be unique, where nothing of it is copied."""
    for columns in _unique(column.table):
        if column is columns[-1] and not any(ids.get(_owner(one) or "") for one in columns):
            return True
    return False


def _unique(table: Table) -> Iterator[Sequence[Column[Any]]]:
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield list(constraint.columns)
    for index in table.indexes:
        if index.unique:
            yield list(index.columns)
