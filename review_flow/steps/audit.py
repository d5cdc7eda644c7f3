"""Audit events: append-only, hash-chained per organization."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from sqlalchemy import bindparam, select

from models import AuditEvent, PrivateNote
from review_flow.clock import now
from review_flow.steps.turn import LOCKED, innermost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from models import Person
    from models.base import Base

GENESIS = "0" * 64
PART = 1000  # events read in one transaction
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
        data=canonical(data),
        previous_hash=tip,
    )
    event.hash = digest(event)
    session.add(event)
    session.info[_TIP] = innermost(session), organization_id, (event.number, event.hash)
    return event


def record_private(
    session: Session, *, organization_id: int, actor: Person | None, deed: str, about: Base, **data: object
) -> PrivateNote:
    """Note a deed about a person's face beside the chain, which gets the note's digest alone.

    The chain goes into archives, and nobody may learn there who consented, or how somebody's picture was confirmed.
    """
    note = PrivateNote(
        organization_id=organization_id,
        actor_id=actor.id if actor else None,
        deed=deed,
        about=f"{about.__tablename__}:{about.id}",
        data=canonical(data),
        at=now(),
        salt=secrets.token_hex(16),
    )
    session.add(note)
    session.flush()
    record(session, organization_id=organization_id, actor=None, deed="private", about=note, digest=note_digest(note))
    return note


def note_digest(note: PrivateNote) -> str:
    """Return the SHA-256 over everything a note says, its salt among it."""
    said = [note.salt, note.organization_id, note.actor_id, note.deed, note.about, note.data, note.at.isoformat()]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()


def canonical(data: dict[str, object]) -> str:
    """Return data as JSON that is always the same for the same data."""
    return json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)


_LAST = (
    select(AuditEvent.number, AuditEvent.hash)
    .where(AuditEvent.organization_id == bindparam("organization"))
    .order_by(AuditEvent.number.desc())
    .limit(1)
)


def _tip(session: Session, organization_id: int) -> tuple[int, str]:
    """Return number and hash of the chain's last event: what this transaction wrote last, else asked under the lock."""
    inside, organization, tip = session.info.get(_TIP, (None, None, None))
    if inside is innermost(session) and organization == organization_id:
        return cast("tuple[int, str]", tip)
    session.execute(LOCKED, {"organization": organization_id}).one()
    last = session.execute(_LAST, {"organization": organization_id}).first()
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


def altered_notes(session: Session) -> Iterator[int]:
    """Yield the id of every private note that does not say what the chain holds the digest of."""
    events = select(AuditEvent.about, AuditEvent.data).where(AuditEvent.deed == "private")
    digests = {about: json.loads(data)["digest"] for about, data in session.execute(events)}
    for note in session.scalars(select(PrivateNote).order_by(PrivateNote.id)):
        if digests.get(f"{note.__tablename__}:{note.id}") != note_digest(note):
            yield note.id


@dataclass(frozen=True, slots=True)
class Reading:
    """How far a chain was read: how many events, the last one's number and hash, and the numbers that don't fit."""

    count: int = 0
    number: int = 0
    tip: str = GENESIS
    wrong: tuple[int, ...] = ()


def read_on(session: Session, *, organization_id: int, read: Reading, most: int = PART) -> Reading | None:
    """Read the next part of an organization's chain; None at its end.

    What was read doesn't change, and what is appended meanwhile is read later: each part may have a transaction of
    its own, and a long chain holds nobody up.
    """
    following = [AuditEvent.number > read.number] if read.count else []
    part = session.scalars(
        select(AuditEvent)
        .where(AuditEvent.organization_id == organization_id, *following)
        .order_by(AuditEvent.number)
        .limit(most)
    ).all()
    number, tip, wrong = read.number, read.tip, list(read.wrong)
    for event in part:
        wrong += [event.number] if any(_faults(event, number, tip)) else []
        number, tip = event.number, event.hash
    return Reading(read.count + len(part), number, tip, tuple(wrong)) if part else None


def _faults(event: AuditEvent, number: int, tip: str) -> Iterator[str]:
    """Yield what is wrong with the event that follows the one of this number and hash."""
    if event.number != number + 1:
        yield "gap"
    if event.previous_hash != tip:
        yield "link"
    if event.hash != digest(event):
        yield "content"


def breaks(session: Session) -> Iterator[tuple[int, int, str]]:
    """Yield (organization id, number, what is wrong) wherever a chain does not hold."""
    chain = session.scalars(
        select(AuditEvent).order_by(AuditEvent.organization_id, AuditEvent.number).execution_options(yield_per=1000)
    )
    organization, number, tip = 0, 0, GENESIS
    for event in chain:
        if event.organization_id != organization:
            organization, number, tip = event.organization_id, 0, GENESIS
        for fault in _faults(event, number, tip):
            yield organization, event.number, fault
        number, tip = event.number, event.hash
