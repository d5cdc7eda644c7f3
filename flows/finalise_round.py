"""Compose results, each in a transaction of its own."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from prefect import flow

from flows.drain import Done, Item, Record, drain
from flows.showing import Table
from models import Enrolment, Round
from review_flow.db import transaction
from review_flow.rules.lifecycle import ResultState
from review_flow.rules.words import WorkKind
from review_flow.steps import results, reviews
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session


def handle(item: Item) -> Record:
    """Compose the result of everybody who can have one, each in a transaction of its own: a cut costs one at most."""
    with transaction() as session:
        round_ = session.get_one(Round, item.subject_id)
        ids = [enrolment.id for enrolment in reviews.participants(session, round_=round_)]
    rows = [row for enrolment_id in ids if (row := _compose(enrolment_id))]

    def record(session: Session) -> Done:
        enqueue(session, kind=WorkKind.ADVANCE_ROUND, subject_id=item.subject_id)
        return Done(shown=[Table(f"ledger-summary-{item.subject_id}", rows)] if rows else [])

    return record


def _compose(enrolment_id: int) -> dict[str, object] | None:
    with transaction() as session:
        enrolment = session.get_one(Enrolment, enrolment_id)
        standing = results.current(session, enrolment=enrolment)
        if standing is not None and standing.state is not ResultState.COMPOSED:
            return None
        if results.open_ends(session, enrolment=enrolment):
            return None
        result = results.compose(session, enrolment=enrolment)
        return {
            "enrolment": enrolment_id,
            "version": result.version,
            "score": str(result.score),
            "grade": result.proposed_grade,
        }


def tags_of(_session: Session, item: Item) -> Sequence[str]:
    """Return the tag of the round."""
    return (f"round:{item.subject_id}",)


@flow(name="finalise_round", flow_run_name="finalise_round")
def finalise_round(patience: float = 0) -> dict[str, int]:
    """Compose results, each in a transaction of its own. Drains what is due; stays `patience` seconds for more."""
    return asdict(drain(WorkKind.FINALISE_ROUND, handle, tags_of=tags_of, patience=patience))
