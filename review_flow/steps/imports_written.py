"""What taking a sheet writes, row by row: heard from the session itself, so every kind of sheet tells in the same way.

A preview shows it and takes it back; an import keeps it, so that it can be undone.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, inspect
from sqlalchemy.orm import Session

from models import Adjustment, AuditEvent, DueWork, Fact, Hours, Message, Notice, Person
from models.base import Base, plain
from review_flow.outside.cells import unusual

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from review_flow.outside.spreadsheets import Row, Sheet, Table

FOLLOWS = (AuditEvent, DueWork, Message, Notice)
"""What a deed says and asks for besides: kept whatever becomes of the deed."""
SUBJECTS = (Person, Hours, Fact, Adjustment)
"""What a row of a sheet is about: a row that adds one, and changes nothing, is new."""
NEW, CHANGED, SAME = "new", "changed", "same"
Values = dict[str, tuple[object, object]]
"""What a flush changes of a row: column → before, after."""


@dataclass
class Written:
    """Rows added and values changed, in their order; `at` are the rows of the sheet that did it."""

    session: Session
    at: tuple[int, ...] = ()
    added: list[tuple[tuple[int, ...], Base]] = field(default_factory=list)
    changed: list[tuple[tuple[int, ...], Base, Values]] = field(default_factory=list)
    own: set[int] = field(default_factory=set)
    """The ids in memory of what was added: what is changed of that is part of its being new."""

    def each(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yield the rows, and settle what each wrote before the next one comes."""
        for row in rows:
            with self.by(row.number):
                yield row

    @contextmanager
    def by(self, *numbers: int) -> Iterator[None]:
        """Settle what a block writes as done by these rows of the sheet, alone or together."""
        self.at = numbers
        yield
        self.session.flush()
        self.at = ()

    def note(self, session: Session, *_: object) -> None:
        """Take note of a flush, while the session still knows what it was about."""
        for one in session.new:
            if not isinstance(one, FOLLOWS):
                self.added.append((self.at, one))
                self.own.add(id(one))
        for one in session.dirty:
            values = {} if isinstance(one, FOLLOWS) or id(one) in self.own else _values(one)
            if values:
                self.changed.append((self.at, one, values))

    def as_json(self) -> dict[str, Any]:
        """Return what an undo needs."""
        return {
            "added": [[one.__tablename__, one.id] for _row, one in self.added],
            "changed": [
                [one.__tablename__, one.id, {key: [plain(was), plain(now)] for key, (was, now) in values.items()}]
                for _row, one, values in self.changed
            ],
        }


def _values(one: Base) -> Values:
    found = {}
    state: Any = inspect(one)
    for column in state.mapper.column_attrs:
        history = state.attrs[column.key].history
        if history.has_changes():
            found[column.key] = (history.deleted[0] if history.deleted else None, history.added[0])
    return found


@contextmanager
def listening(found: Written) -> Iterator[None]:
    """Take note of what a block writes."""
    found.session.flush()
    event.listen(found.session, "after_flush", found.note)
    try:
        yield
        found.session.flush()
    finally:
        event.remove(found.session, "after_flush", found.note)


def preview(found: Written, sheet: Sheet, table: Table) -> dict[str, Any]:
    """Return, for every row of the sheet, whether it is new, changes something or is known already, as plain data."""
    titles = {column.key: column.name_zh for column in table.columns}
    added, changed = defaultdict(list), defaultdict(list)
    for at, one in found.added:
        for number in at:
            added[number].append(one)
    for at, one, values in found.changed:
        for number in at:
            changed[number].append((one, values))
    shown = [
        {
            **_row(row, titles, added[row.number], changed[row.number]),
            "cells": sheet.taken(row),
            "hints": _hints(row, table),
        }
        for row in sheet.rows
    ]
    counts = {what: sum(one["what"] == what for one in shown) for what in (NEW, CHANGED, SAME)}
    return {"header": list(sheet.header), "rows": shown, "counts": counts}


def _row(row: Row, titles: dict[str, str], added: list[Base], changed: list[tuple[Base, Values]]) -> dict[str, Any]:
    subject = any(isinstance(one, SUBJECTS) for one in added)
    what = NEW if subject and not changed else CHANGED if added or changed else SAME
    told = [
        {"name": titles[key], "was": plain(was), "now": plain(now)}
        for one, values in changed
        for key, (was, now) in values.items()
        if key in titles and isinstance(one, SUBJECTS)
    ]
    told += [
        {"name": titles["hours"], "was": plain(one.hours), "now": plain(row.decimal("hours"))}
        for one, _values in changed
        if isinstance(one, Hours)
    ]
    return {"row": row.number, "what": what, "told": told}


def _hints(row: Row, table: Table) -> list[dict[str, str]]:
    """Return the words that are not the usual ones of their columns, with the one that is meant, or ""."""
    found = [(column, row.text(column.key)) for column in table.columns if column.usual]
    return [
        {"name": column.name_zh, "word": word, "near": near}
        for column, word in found
        if (near := unusual(column, word)) is not None
    ]
