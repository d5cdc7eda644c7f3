"""Deliver what waits in people's outboxes."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from prefect import flow

from flows.drain import Item, Record, drain
from review_flow.db import settings
from review_flow.outside.messages import messenger_for
from review_flow.rules.words import WorkKind
from review_flow.steps import messages

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def handle(item: Item) -> Record:
    """Deliver what waits for one person. Recorded after it went out: cut off between the two, it may come twice."""

    def record(session: Session) -> None:
        messages.deliver(session, person_id=item.subject_id, messenger=messenger_for(settings()))

    return record


@flow(name="deliver_messages", flow_run_name="deliver_messages")
def deliver_messages(patience: float = 0) -> dict[str, int]:
    """Deliver what waits in people's outboxes. Drains what is due; stays `patience` seconds for more."""
    return asdict(drain(WorkKind.DELIVER_MESSAGES, handle, patience=patience))
