"""News for webhooks: what people are told of is booked for their school's addresses, in the same transaction.

A telling holds ids and the kind of news, never a sentence or a name: who receives it asks the API, with a token.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from models import Person, Webhook, WebhookDelivery
from review_flow.clock import now
from review_flow.rules.words import WorkKind
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from models import Message


def book(session: Session, *, message: Message) -> None:
    """Book a message for every address of its person's school that wants its kind."""
    wanting = (
        select(Webhook)
        .join(Person, Person.organization_id == Webhook.organization_id)
        .where(Person.id == message.person_id, Webhook.removed_at.is_(None), Webhook.disabled_at.is_(None))
        .order_by(Webhook.id)
    )
    for webhook in session.scalars(wanting).all():
        if message.kind in webhook.events:
            about = {"message_id": message.id, "person_id": message.person_id, "round_id": message.round_id}
            deliver(session, webhook=webhook, event=message.kind, about=about)


def deliver(session: Session, *, webhook: Webhook, event: str, about: dict[str, Any]) -> WebhookDelivery:
    """Leave a telling for an address, and ask for its delivery."""
    said = {
        "type": event,
        "timestamp": now().isoformat(),
        "data": {"organization_id": webhook.organization_id, **about},
    }
    telling = WebhookDelivery(
        webhook_id=webhook.id,
        event=event,
        public_id=f"msg_{secrets.token_hex(12)}",
        body=json.dumps(said, ensure_ascii=False, separators=(",", ":")),
        created_at=now(),
        next_at=now(),
    )
    session.add(telling)
    session.flush()
    enqueue(session, kind=WorkKind.DELIVER_WEBHOOKS, subject_id=webhook.id)
    return telling
