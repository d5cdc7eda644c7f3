"""Destroy reference encodings that a closed round, or somebody in no round, no longer needs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from prefect import flow

from flows.drain import Done, Item, Record, drain
from models import Round
from review_flow.clock import now
from review_flow.db import settings
from review_flow.rules.words import WorkKind
from review_flow.steps import faces, retention

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session


def handle(item: Item) -> Record:
    """Destroy the reference encodings that a closed round no longer needs; or, once a day, those of people in none."""

    def record(session: Session) -> Done:
        if item.subject_id != faces.IN_NO_ROUND:
            faces.purge_round(session, round_=session.get_one(Round, item.subject_id))
            return Done()
        faces.purge_idle(session, idle_days=settings().face_idle_days, log_days=settings().face_log_days)
        retention.purge_consents(session, days=settings().consent_days)
        return Done(again_at=now() + faces.LOOK_EVERY)

    return record


def tags_of(_session: Session, item: Item) -> Sequence[str]:
    """Return the tag of the round, if it is of one."""
    return () if item.subject_id == faces.IN_NO_ROUND else (f"round:{item.subject_id}",)


@flow(name="purge_faces", flow_run_name="purge_faces")
def purge_faces(patience: float = 0) -> dict[str, int]:
    """Destroy reference encodings that a closed round, or somebody in no round, no longer needs. Drains what is due; stays `patience` seconds for more."""
    return asdict(drain(WorkKind.PURGE_FACES, handle, tags_of=tags_of, patience=patience))
