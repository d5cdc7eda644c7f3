"""The outbox: a sentence for one person, kept in the same transaction as what it tells of; a flow delivers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models import Message, Person
from review_flow.clock import now
from review_flow.i18n import say
from review_flow.rules.words import WorkKind
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from review_flow.outside.messages import Messenger


def tell(
    session: Session, *, person_id: int, round_id: int | None, kind: str, sentence: str, **names: object
) -> Message:
    """Leave a message for a person and ask for its delivery. `kind` is stable; the sentence is what they read."""
    message = Message(person_id=person_id, round_id=round_id, kind=kind, text=say(sentence, **names), created_at=now())
    session.add(message)
    session.flush()
    enqueue(session, kind=WorkKind.DELIVER_MESSAGES, subject_id=message.id)
    return message


def deliver(session: Session, *, message_id: int, messenger: Messenger) -> None:
    """Hand one message to the outside, and record how it went. A messenger that fails raises: the queue retries."""
    message = session.get_one(Message, message_id)
    if message.delivered_at is not None:
        return
    person = session.get_one(Person, message.person_id)
    message.delivered_by = messenger.send(to=person.contact, text=message.text)
    message.delivered_at = now()
