"""Who may review whose work: one answer for what is handed out, claimed, asked for and owed (001-A-24, X-41).

A duty that nobody lets its teacher fulfil would hold their work up for ever. `rules/allocation` decides the same for a
whole pool at once, from what it is given: groups, conflicts, caps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, or_, select

from models import Enrolment, Person
from review_flow.rules.lifecycle import EnrolmentState
from review_flow.steps.people import conflicts

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import Session

    from review_flow.rules.peer_rules import AllocationRules

REVIEWS = and_(Enrolment.reviewing, Enrolment.state != EnrolmentState.EXEMPT, Person.active)
"""Gets reviews in a round; for a query over Enrolment and its Person."""
HAS_A_CAP_TO_FILL = or_(Enrolment.review_cap.is_(None), Enrolment.review_cap > 0)


def gets_reviews(session: Session, *, enrolment_id: int) -> bool:
    """Whether somebody takes part in reviewing: neither exempt nor gone."""
    found = select(Enrolment.id).join(Person, Person.id == Enrolment.person_id)
    return session.scalars(found.where(Enrolment.id == enrolment_id, REVIEWS)).first() is not None


def kept_apart(*, person: Person, rules: AllocationRules) -> Select[tuple[int]]:
    """Return the ids of everybody whose work the person may not review, nor they the person's; themselves among them.

    By a conflict, and by what the scheme forbids. Where nobody said where somebody belongs, nothing is forbidden.
    """
    reasons: list[ColumnElement[bool]] = [Person.id == person.id, Person.id.in_(conflicts(person.id))]
    if rules.own_workshop == "forbid" and person.workshop_id is not None:
        reasons.append(Person.workshop_id == person.workshop_id)
    if rules.other_subject == "forbid" and person.subject:
        reasons.append(and_(Person.subject != "", Person.subject != person.subject))
    return select(Person.id).where(or_(*reasons))
