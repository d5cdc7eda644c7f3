"""Delete files whose time is over: of evidence once their round is long over, and of uploads that nobody finished."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from prefect import flow

from flows.drain import Done, Item, Record, drain
from flows.installation import storage
from models import Round
from review_flow.clock import now
from review_flow.db import settings
from review_flow.rules.words import WorkKind
from review_flow.steps import retention, uploads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session


FRESH_S = 3600


def handle(item: Item) -> Record:
    """Delete a closed round's files when they are due; look again when they will be, or every day while that is open.

    Or, where it is of no round, the bytes of unfinished uploads.
    """
    if item.subject_id == uploads.OF_NO_ROUND:
        return _unfinished

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


def _unfinished(session: Session) -> Done:
    """Forget uploads whose time is over, and delete bytes that are nobody's; the row of a fresh file may be on its way."""
    next_at = uploads.expire(session)
    here = {path.name: path for path in settings().folder("uploads").iterdir()}
    strays = [here[name] for name in uploads.strays(session, tokens=here)]
    fresh = [path for path in strays if time.time() - path.stat().st_mtime < FRESH_S]
    for path in strays:
        if path not in fresh:
            path.unlink(missing_ok=True)
    return Done(again_at=now() + retention.LOOK_EVERY if fresh else next_at)


def tags_of(_session: Session, item: Item) -> Sequence[str]:
    """Return the tag of the round, if it is of one."""
    return () if item.subject_id == uploads.OF_NO_ROUND else (f"round:{item.subject_id}",)


@flow(name="purge_evidence", flow_run_name="purge_evidence")
def purge_evidence(patience: float = 0) -> dict[str, int]:
    """Delete files of evidence that are due to go. Drains what is due; stays `patience` seconds for more."""
    return asdict(drain(WorkKind.PURGE_EVIDENCE, handle, tags_of=tags_of, patience=patience))
