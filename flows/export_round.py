"""Make the files that were asked of rounds."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from prefect import flow

from flows.drain import Item, Record, drain
from flows.installation import storage
from models import RoundExport
from review_flow.clock import now
from review_flow.db import settings, transaction
from review_flow.outside.certificates import TypstPrinter
from review_flow.rules.words import WorkKind
from review_flow.steps import exports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session


def handle(item: Item) -> Record:
    """Make a file of a round; certificates are typeset while the database is free."""
    with transaction() as session:
        export = session.get_one(RoundExport, item.subject_id)
        pages = exports.certificate_pages(session, export=export, public_url=settings().public_url)
    printed = TypstPrinter().pdf(pages, made_at=now()) if pages is not None else None

    def record(session: Session) -> None:
        export = session.get_one(RoundExport, item.subject_id)
        exports.run(session, export=export, storage=storage(), printed=printed)

    return record


def tags_of(session: Session, item: Item) -> Sequence[str]:
    """Return the tag of the export's round."""
    return (f"round:{session.get_one(RoundExport, item.subject_id).round_id}",)


@flow(name="export_round", flow_run_name="export_round")
def export_round(patience: float = 0) -> dict[str, int]:
    """Make the files that were asked of rounds. Drains what is due; stays `patience` seconds for more."""
    return asdict(drain(WorkKind.EXPORT_ROUND, handle, tags_of=tags_of, patience=patience))
