"""Who may review whose work: one answer for what is handed out, claimed, asked for and owed (001-A-24, X-41).

A duty that nobody lets its teacher fulfil would hold their work up for ever. `rules/allocation` decides the same for a
whole pool at once, from what it is given: groups, conflicts, caps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, bindparam, or_, select

from models import Enrolment, Person
from review_flow.rules.lifecycle import EnrolmentState
from review_flow.steps.people import conflicts

if TYPE_CHECKING:
    from sqlalchemy import BindParameter, ColumnElement, Select
    from sqlalchemy.orm import Session

    from review_flow.rules.peer_rules import AllocationRules

REVIEWS = and_(Enrolment.reviewing, Enrolment.state != EnrolmentState.EXEMPT, Person.active)
"""Gets reviews in a round; for a query over Enrolment and its Person."""
HAS_A_CAP_TO_FILL = or_(Enrolment.review_cap.is_(None), Enrolment.review_cap > 0)


_GETS = (
    select(Enrolment.id)
    .join(Person, Person.id == Enrolment.person_id)
    .where(Enrolment.id == bindparam("enrolment"), REVIEWS)
)


def gets_reviews(session: Session, *, enrolment_id: int) -> bool:
    """Whether somebody takes part in reviewing: neither exempt nor gone."""
    return session.scalars(_GETS, {"enrolment": enrolment_id}).first() is not None


def kept_apart(*, person: Person, rules: AllocationRules) -> Select[tuple[int]]:
    """Return the ids of everybody whose work the person may not review, nor they the person's; themselves among them.

    By a conflict, and by what the scheme forbids. Where nobody said where somebody belongs, nothing is forbidden.
    """
    workshop, subject = kept_by(person=person, rules=rules)
    return apart(person.id, workshop=workshop, subject=subject)


def kept_by(*, person: Person, rules: AllocationRules) -> tuple[int | None, str | None]:
    """Return the workshop whose people, and the subject whose teachers alone, the scheme keeps from or for somebody."""
    return (
        person.workshop_id if rules.own_workshop == "forbid" else None,
        person.subject or None if rules.other_subject == "forbid" else None,
    )


def apart(
    person: int | BindParameter[int],
    *,
    workshop: int | BindParameter[int] | None,
    subject: str | BindParameter[str] | None,
) -> Select[tuple[int]]:
    """Return what `kept_apart` does, of somebody whom `kept_by` says that of; with values, or names for them."""
    reasons: list[ColumnElement[bool]] = [Person.id == person, Person.id.in_(conflicts(person))]
    if workshop is not None:
        reasons.append(Person.workshop_id == workshop)
    if subject is not None:
        reasons.append(and_(Person.subject != "", Person.subject != subject))
    return select(Person.id).where(or_(*reasons))
