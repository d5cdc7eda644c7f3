"""Make what reviewers see of a film or photo that has its verdict: a poster, and a copy where browsers need one."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from prefect import flow

from flows.check_evidence import tags_of
from flows.drain import Item, Record, drain
from flows.installation import copier, storage
from models import Evidence
from review_flow.db import transaction
from review_flow.evidence.limits import Broken
from review_flow.outside.storage import keep
from review_flow.rules.words import WorkKind
from review_flow.steps import evidence

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def handle(item: Item) -> Record:
    """Have a child make the poster and the copy; where it can't, that is noted and nothing else changes."""
    with transaction() as session:
        key = evidence.to_copy(session, evidence=session.get_one(Evidence, item.subject_id))
    if key is None:
        return lambda _session: None
    poster_key = playable_key = None
    failed, notes = False, tuple[str, ...]()
    with storage().path(key) as path, tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        try:
            made = copier().present(path, copy)
        except Broken:
            failed = True
        else:
            notes = made.notes
            poster_key = keep(storage(), made.poster).key if made.poster else None
            playable_key = keep(storage(), copy).key if made.made else None

    def record(session: Session) -> None:
        row = session.get_one(Evidence, item.subject_id)
        evidence.record_copy(
            session, evidence=row, playable_key=playable_key, poster_key=poster_key, failed=failed, notes=notes
        )

    return record


@flow(name="copy_evidence", flow_run_name="copy_evidence")
def copy_evidence(patience: float = 0) -> dict[str, int]:
    """Make posters and copies of films and photos that have their verdict. Drains what is due; stays `patience` seconds for more."""
    return asdict(drain(WorkKind.COPY_EVIDENCE, handle, tags_of=tags_of, patience=patience))
