"""审计记录, to be read: who did what to which thing and when, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from models import AuditEvent, Person
from review_flow.clock import first_second_of, last_second_of
from review_flow.steps.people import require_admin

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

PAGE = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for: a name or number, the beginning of a deed, a thing ("round:3"), days; blank: everything."""

    who: str = ""
    deed: str = ""
    about: str = ""
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One event, and who acted; None: the clock itself, or somebody who is not told."""

    event: AuditEvent
    actor: Person | None


def search(
    session: Session, *, actor: Person, asked: Asked, before: int | None = None
) -> tuple[list[Event], int | None]:
    """Return a page of the school's events, the newest first, and the cursor of the next page; None: there is none.

    `before`: the cursor, a number of the chain: new events don't move the pages. For the school's administrators.
    """
    require_admin(session, actor=actor, organization_id=actor.organization_id)
    wanted = [AuditEvent.organization_id == actor.organization_id]
    wanted += [] if before is None else [AuditEvent.number < before]
    wanted += [AuditEvent.deed.startswith(asked.deed, autoescape=True)] if asked.deed else []
    wanted += [AuditEvent.about == asked.about] if asked.about else []
    wanted += [AuditEvent.at >= first_second_of(asked.since)] if asked.since else []
    wanted += [AuditEvent.at <= last_second_of(asked.until)] if asked.until else []
    wanted += [or_(Person.name.contains(asked.who, autoescape=True), Person.number == asked.who)] if asked.who else []
    rows = session.execute(
        select(AuditEvent, Person)
        .outerjoin(Person, Person.id == AuditEvent.actor_id)
        .where(*wanted)
        .order_by(AuditEvent.number.desc())
        .limit(PAGE + 1)
    ).all()
    found = [Event(*row) for row in rows[:PAGE]]
    return found, found[-1].event.number if len(rows) > PAGE else None
