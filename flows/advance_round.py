"""Turn the clocks of rounds: deadlines, leases, reminders, phase ends."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from prefect import flow

from flows.drain import Done, Item, Record, drain
from models import Round
from review_flow.rules.words import WorkKind
from review_flow.steps import advance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session


def handle(item: Item) -> Record:
    """Turn the round's clock; it says itself when it is due again."""

    def record(session: Session) -> Done:
        return Done(again_at=advance.advance(session, round_=session.get_one(Round, item.subject_id)))

    return record


def tags_of(_session: Session, item: Item) -> Sequence[str]:
    """Return the tag of the round."""
    return (f"round:{item.subject_id}",)


@flow(name="advance_round", flow_run_name="advance_round")
def advance_round(patience: float = 0) -> dict[str, int]:
    """Turn the clocks of rounds: deadlines, leases, reminders, phase ends. Drains what is due; stays `patience` seconds for more."""
    return asdict(drain(WorkKind.ADVANCE_ROUND, handle, tags_of=tags_of, patience=patience))
