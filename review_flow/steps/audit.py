"""Audit events: append-only, hash-chained per organization."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from sqlalchemy import select

from models import AuditEvent, Organization
from review_flow.clock import now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from models import Person
    from models.base import Base

GENESIS = "0" * 64


def record(
    session: Session, *, organization_id: int, actor: Person | None, deed: str, about: Base, **data: object
) -> AuditEvent:
    """Append an event to the organization's chain; `data` holds ids, numbers and reasons, never evidence or faces.

    The organization's row is locked first, so two writers of one chain follow each other. The lock lets rows that
    refer to the organization come in beside it: two writers who each added one before would wait for each other.
    """
    session.flush()
    locked = select(Organization.id).where(Organization.id == organization_id).with_for_update(key_share=True)
    session.execute(locked).one()
    last = session.scalars(
        select(AuditEvent)
        .where(AuditEvent.organization_id == organization_id)
        .order_by(AuditEvent.number.desc())
        .limit(1)
    ).first()
    event = AuditEvent(
        organization_id=organization_id,
        number=last.number + 1 if last else 1,
        at=now(),
        actor_id=actor.id if actor else None,
        deed=deed,
        about=f"{about.__tablename__}:{about.id}",
        data=json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str),
        previous_hash=last.hash if last else GENESIS,
    )
    event.hash = digest(event)
    session.add(event)
    session.flush()
    return event


def digest(event: AuditEvent) -> str:
    """Return the SHA-256 over everything the event says and the hash before it."""
    said = [
        event.organization_id,
        event.number,
        event.at.isoformat(),
        event.actor_id,
        event.deed,
        event.about,
        event.data,
    ]
    return hashlib.sha256((event.previous_hash + json.dumps(said, ensure_ascii=False)).encode()).hexdigest()


def breaks(session: Session) -> Iterator[tuple[int, int, str]]:
    """Yield (organization id, number, what is wrong) wherever a chain does not hold."""
    chain = session.scalars(
        select(AuditEvent).order_by(AuditEvent.organization_id, AuditEvent.number).execution_options(yield_per=1000)
    )
    organization, number, tip = 0, 0, GENESIS
    for event in chain:
        if event.organization_id != organization:
            organization, number, tip = event.organization_id, 0, GENESIS
        if event.number != number + 1:
            yield organization, event.number, "gap"
        if event.previous_hash != tip:
            yield organization, event.number, "link"
        if event.hash != digest(event):
            yield organization, event.number, "content"
        number, tip = event.number, event.hash
