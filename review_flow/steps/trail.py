"""审计记录, to be read: who did what to which thing and when, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from models import AuditEvent, Person
from review_flow.clock import first_second_of, last_second_of
from review_flow.i18n import say
from review_flow.rules.deeds import DEEDS, THINGS
from review_flow.steps import trail_details
from review_flow.steps.people import numbered, require_admin

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

PAGE = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for: a name or number, a deed ("round.": all that begin so), a kind of thing and which one of it, days; blank: everything."""

    who: str = ""
    deed: str = ""
    thing: str = ""
    key: int | None = None
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One event, who acted (None: the clock itself, or somebody who is not told), and the names of whom it tells."""

    event: AuditEvent
    actor: Person | None
    names: Mapping[int, str]

    @property
    def deed(self) -> str:
        """Return what was done, in words."""
        return words(self.event.deed)

    @property
    def thing(self) -> str:
        """Return what kind of thing it was done to, in words."""
        return say(THINGS.get(self.table, self.table))

    @property
    def table(self) -> str:
        """Return the table of the thing."""
        return self.event.about.partition(":")[0]

    @property
    def key(self) -> str:
        """Return which one of its table it is."""
        return self.event.about.partition(":")[2]

    @property
    def reason(self) -> str:
        """Return why, where somebody said so."""
        return trail_details.reason_of(self.event)

    @property
    def details(self) -> list[tuple[str, str]]:
        """Return what else is noted, each with what it is called."""
        return trail_details.details(self.event, names=self.names)


def words(deed: str) -> str:
    """Return a deed in words; one of a program that was here before, as it was written."""
    return say(DEEDS.get(deed, deed))


def search(
    session: Session, *, actor: Person, asked: Asked, before: int | None = None
) -> tuple[list[Event], int | None]:
    """Return a page of the school's events, the newest first, and the cursor of the next page; None: there is none.

    `before`: the cursor, a number of the chain: new events don't move the pages. For the school's administrators.
    """
    require_admin(session, actor=actor, organization_id=actor.organization_id)
    wanted = [AuditEvent.organization_id == actor.organization_id]
    wanted += [] if before is None else [AuditEvent.number < before]
    wanted += [_deed(asked.deed)] if asked.deed else []
    wanted += [_about(asked)] if asked.thing else []
    wanted += [AuditEvent.at >= first_second_of(asked.since)] if asked.since else []
    wanted += [AuditEvent.at <= last_second_of(asked.until)] if asked.until else []
    wanted += [or_(Person.name.contains(asked.who, autoescape=True), numbered(asked.who))] if asked.who else []
    rows = session.execute(
        select(AuditEvent, Person)
        .outerjoin(Person, Person.id == AuditEvent.actor_id)
        .where(*wanted)
        .order_by(AuditEvent.number.desc())
        .limit(PAGE + 1)
    ).all()
    events = [event for event, _actor in rows[:PAGE]]
    names = trail_details.names_in(session, events=events, organization_id=actor.organization_id)
    found = [Event(event, who, names) for event, who in rows[:PAGE]]
    return found, found[-1].event.number if len(rows) > PAGE else None


def _deed(asked: str) -> ColumnElement[bool]:
    if asked.endswith("."):
        return AuditEvent.deed.startswith(asked, autoescape=True)
    return AuditEvent.deed == asked


def _about(asked: Asked) -> ColumnElement[bool]:
    if asked.key is None:
        return AuditEvent.about.startswith(f"{asked.thing}:", autoescape=True)
    return AuditEvent.about == f"{asked.thing}:{asked.key}"
