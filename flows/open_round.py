"""Invite everybody of a round that was opened."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from prefect import flow

from flows.drain import Item, Record, drain
from models import Round
from review_flow.rules.words import WorkKind
from review_flow.steps import advance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session


def handle(item: Item) -> Record:
    """Invite everybody of a round that was opened."""

    def record(session: Session) -> None:
        advance.invite(session, round_=session.get_one(Round, item.subject_id))

    return record


def tags_of(_session: Session, item: Item) -> Sequence[str]:
    """Return the tag of the round."""
    return (f"round:{item.subject_id}",)


@flow(name="open_round", flow_run_name="open_round")
def open_round(patience: float = 0) -> dict[str, int]:
    """Invite everybody of a round that was opened. Drains what is due; stays `patience` seconds for more."""
    return asdict(drain(WorkKind.OPEN_ROUND, handle, tags_of=tags_of, patience=patience))
