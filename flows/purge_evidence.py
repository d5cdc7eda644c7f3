"""Delete the files of evidence whose round's results have been effective for as long as files are kept."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from prefect import flow

from flows.drain import Done, Item, Record, drain
from flows.installation import storage
from models import Round
from review_flow.clock import now
from review_flow.db import settings
from review_flow.rules.words import WorkKind
from review_flow.steps import retention

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session


def handle(item: Item) -> Record:
    """Delete a closed round's files when they are due; look again when they will be, or every day while that is open."""

    def record(session: Session) -> Done:
        round_ = session.get_one(Round, item.subject_id)
        days = settings().evidence_days
        for key in retention.remove_files(session, round_=round_, days=days):
            storage().delete(key)
        ends = retention.ends_at(session, round_=round_, days=days)
        if ends is None:
            return Done(again_at=now() + retention.LOOK_EVERY)
        return Done(again_at=ends) if ends > now() else Done()

    return record


def tags_of(_session: Session, item: Item) -> Sequence[str]:
    """Return the round's tag."""
    return (f"round:{item.subject_id}",)


@flow(name="purge_evidence", flow_run_name="purge_evidence")
def purge_evidence(patience: float = 0) -> dict[str, int]:
    """Delete files of evidence that are due to go. Drains what is due; stays `patience` seconds for more."""
    return asdict(drain(WorkKind.PURGE_EVIDENCE, handle, tags_of=tags_of, patience=patience))
