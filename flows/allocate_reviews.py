"""Give works that wait for reviewers their reviewers."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from prefect import flow

from flows.drain import Done, Item, Record, drain
from flows.showing import Table
from models import Round
from review_flow.rules.words import WorkKind
from review_flow.steps import allocation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session


def handle(item: Item) -> Record:
    """Give every work that waits for reviewers its reviewers."""

    def record(session: Session) -> Done:
        found = allocation.allocate_reviews(session, round_=session.get_one(Round, item.subject_id))
        rows: list[dict[str, int | None]] = [
            {"reviewer": reviewer, "submission": work} for reviewer, work in found.pairs
        ]
        rows += [{"reviewer": None, "submission": work, "unmet": short} for work, short in found.unmet.items()]
        return Done(shown=[Table(f"allocation-{item.subject_id}", rows)] if rows else [])

    return record


def tags_of(_session: Session, item: Item) -> Sequence[str]:
    """Return the tag of the round."""
    return (f"round:{item.subject_id}",)


@flow(name="allocate_reviews", flow_run_name="allocate_reviews")
def allocate_reviews(patience: float = 0) -> dict[str, int]:
    """Give works that wait for reviewers their reviewers. Drains what is due; stays `patience` seconds for more."""
    return asdict(drain(WorkKind.ALLOCATE_REVIEWS, handle, tags_of=tags_of, patience=patience))
