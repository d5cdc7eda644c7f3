"""Send what waits for an organization's webhooks."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from prefect import flow

from flows.drain import Done, Item, Record, drain
from review_flow.clock import now
from review_flow.db import settings, transaction
from review_flow.outside.webhooks import poster_for, signed
from review_flow.rules.words import WorkKind
from review_flow.steps import webhooks

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def handle(item: Item) -> Record:
    """Send what is due to one address, outside of any transaction. Cut off before the record, a telling comes twice."""
    poster = poster_for(settings())
    with transaction() as session:
        tellings = webhooks.due(session, webhook_id=item.subject_id, seal_keys=settings().derived_keys("webhooks"))
    answers = []
    for one in tellings:
        headers = signed(one.secret, webhook_id=one.public_id, timestamp=int(now().timestamp()), body=one.body)
        answers.append((one.id, poster.post(one.url, headers=headers, body=one.body)))

    def record(session: Session) -> Done:
        return Done(again_at=webhooks.record(session, webhook_id=item.subject_id, answers=answers))

    return record


@flow(name="deliver_webhooks", flow_run_name="deliver_webhooks")
def deliver_webhooks(patience: float = 0) -> dict[str, int]:
    """Send what waits for webhooks. Drains what is due; stays `patience` seconds for more."""
    return asdict(drain(WorkKind.DELIVER_WEBHOOKS, handle, patience=patience))
