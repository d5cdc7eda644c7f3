"""Audit events: append-only, hash-chained per organization."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, cast

from sqlalchemy import select

from models import AuditEvent, Organization
from review_flow.clock import now
from review_flow.steps.turn import innermost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from models import Person
    from models.base import Base

GENESIS = "0" * 64
_TIP = "audit tip"


def record(
    session: Session, *, organization_id: int, actor: Person | None, deed: str, about: Base, **data: object
) -> AuditEvent:
    """Append an event to the organization's chain; `data` holds ids, numbers and reasons, never evidence or faces.

    The organization's row is locked first, so two writers of one chain follow each other. The lock lets rows that
    refer to the organization come in beside it: two writers who each added one before would wait for each other.
    """
    session.flush()
    number, tip = _tip(session, organization_id)
    event = AuditEvent(
        organization_id=organization_id,
        number=number + 1,
        at=now(),
        actor_id=actor.id if actor else None,
        deed=deed,
        about=f"{about.__tablename__}:{about.id}",
        data=json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str),
        previous_hash=tip,
    )
    event.hash = digest(event)
    session.add(event)
    session.flush()
    session.info[_TIP] = innermost(session), organization_id, (event.number, event.hash)
    return event


def _tip(session: Session, organization_id: int) -> tuple[int, str]:
    """Return number and hash of the chain's last event: what this transaction wrote last, else asked under the lock."""
    inside, organization, tip = session.info.get(_TIP, (None, None, None))
    if inside is innermost(session) and organization == organization_id:
        return cast("tuple[int, str]", tip)
    locked = select(Organization.id).where(Organization.id == organization_id).with_for_update(key_share=True)
    session.execute(locked).one()
    last = session.execute(
        select(AuditEvent.number, AuditEvent.hash)
        .where(AuditEvent.organization_id == organization_id)
        .order_by(AuditEvent.number.desc())
        .limit(1)
    ).first()
    return (last.number, last.hash) if last else (0, GENESIS)


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
