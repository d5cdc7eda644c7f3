"""Bring sheets in, each whole or not at all."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from prefect import flow

from flows.drain import Item, Record, drain
from flows.installation import storage
from models import SheetImport
from review_flow.rules.words import WorkKind
from review_flow.steps import imports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session


def handle(item: Item) -> Record:
    """Bring a sheet in, whole or not at all."""

    def record(session: Session) -> None:
        imports.run(session, sheet_import=session.get_one(SheetImport, item.subject_id), storage=storage())

    return record


def tags_of(_session: Session, item: Item) -> Sequence[str]:
    """Return the tag by which an operator follows the import."""
    return (f"import:{item.subject_id}",)


@flow(name="import_sheet", flow_run_name="import_sheet")
def import_sheet(patience: float = 0) -> dict[str, int]:
    """Bring sheets in, each whole or not at all. Drains what is due; stays `patience` seconds for more."""
    return asdict(drain(WorkKind.IMPORT_SHEET, handle, tags_of=tags_of, patience=patience))
