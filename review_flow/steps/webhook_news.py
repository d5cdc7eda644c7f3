"""News for webhooks: what people are told of is booked for their school's addresses, in the same transaction.

A telling holds ids and the kind of news, never a sentence or a name: who receives it asks the API, with a token.
"""

from __future__ import annotations

import json
import secrets
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, insert, select

from models import Person, Webhook, WebhookDelivery
from review_flow.clock import now
from review_flow.rules.words import WorkKind
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

    from models import Message


_ADDRESSES = (
    select(Person.id, Webhook)
    .join(Webhook, Person.organization_id == Webhook.organization_id)
    .where(Webhook.removed_at.is_(None), Webhook.disabled_at.is_(None))
    .where(Person.id.in_(bindparam("people", expanding=True)))
    .order_by(Webhook.id)
)


def book(session: Session, *, messages: Collection[Message]) -> None:
    """Book messages for every address of their people's school that wants their kind, in a few statements."""
    people = list({one.person_id for one in messages})
    addresses = defaultdict(list)
    for person_id, webhook in session.execute(_ADDRESSES, {"people": people}).tuples():
        addresses[person_id].append(webhook)
    tellings = [
        _telling(webhook, one.kind, message_id=one.id, person_id=one.person_id, round_id=one.round_id)
        for one in messages
        for webhook in addresses[one.person_id]
        if one.kind in webhook.events
    ]
    if tellings:
        session.execute(insert(WebhookDelivery), tellings)
    for key in dict.fromkeys(one["webhook_id"] for one in tellings):
        enqueue(session, kind=WorkKind.DELIVER_WEBHOOKS, subject_id=key)


def deliver(session: Session, *, webhook: Webhook, event: str) -> WebhookDelivery:
    """Leave a telling of nothing in particular for an address, and ask for its delivery."""
    telling = WebhookDelivery(**_telling(webhook, event))
    session.add(telling)
    session.flush()
    enqueue(session, kind=WorkKind.DELIVER_WEBHOOKS, subject_id=webhook.id)
    return telling


def _telling(webhook: Webhook, event: str, **about: int | None) -> dict[str, Any]:
    said = {
        "type": event,
        "timestamp": now().isoformat(),
        "data": {"organization_id": webhook.organization_id, **about},
    }
    return {
        "webhook_id": webhook.id,
        "event": event,
        "public_id": f"msg_{secrets.token_hex(12)}",
        "body": json.dumps(said, ensure_ascii=False, separators=(",", ":")),
        "created_at": now(),
        "next_at": now(),
    }
