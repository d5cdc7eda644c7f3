"""Whose result it is: a teacher's, or a workshop's where the scheme judges workshops (000-C/D/E).

Both are confirmed, published, signed, appealed against and closed by the same steps; what differs is told here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from models import Appeal, Enrolment, GroupResult, Person, Result, Role, Round, Workshop
from review_flow.rules.lifecycle import EnrolmentState, ResultState
from review_flow.rules.quotas import judges_groups
from review_flow.rules.words import GroupLevel, RoleKind
from review_flow.steps.groups import Group
from review_flow.steps.people import conflicting_with
from review_flow.steps.rounds import round_scheme

if TYPE_CHECKING:
    from sqlalchemy import BindParameter, Select
    from sqlalchemy.orm import Session

    from review_flow.rules.scheme import Scheme

Graded = Result | GroupResult


def round_of(session: Session, *, result: Graded) -> Round:
    """Return the round of a result."""
    if isinstance(result, GroupResult):
        return session.get_one(Round, result.round_id)
    return session.get_one(Round, session.get_one(Enrolment, result.enrolment_id).round_id)


def names(result: Graded) -> dict[str, int]:
    """Return the column by which a signature or an appeal names a result."""
    return {"group_result_id" if isinstance(result, GroupResult) else "result_id": result.id}


def owners(session: Session, *, result: Graded) -> list[int]:
    """Return who signs a result and may appeal against it: the teacher, or the workshop's leaders."""
    if isinstance(result, Result):
        return [session.get_one(Enrolment, result.enrolment_id).person_id]
    return list(
        session.scalars(
            select(Person.id)
            .join(Role, Role.person_id == Person.id)
            .where(Person.workshop_id == result.workshop_id, Role.kind == RoleKind.WORKSHOP_LEADER, Person.active)
            .distinct()
            .order_by(Person.id)
        )
    )


def concerned(session: Session, *, result: Graded) -> set[int]:
    """Return who steps aside: whose result it is and everybody with a conflict; of a workshop, its members as well."""
    found = set[int]()
    for person_id in owners(session, result=result):
        found |= conflicting_with(session, person_id=person_id)
    if isinstance(result, GroupResult):
        found |= set(session.scalars(select(Person.id).where(Person.workshop_id == result.workshop_id)))
    return found


@dataclass(frozen=True, slots=True)
class Aside:
    """From whose results somebody steps aside: of these people, and of these workshops."""

    people: set[int]
    workshops: set[int | None]


def steps_aside(session: Session, *, person: Person) -> Aside:
    """Return from whose results a person steps aside: those `concerned` names the person of, in two questions."""
    people = conflicting_with(session, person_id=person.id)
    led = (
        select(Person.workshop_id)
        .join(Role, Role.person_id == Person.id)
        .where(Role.kind == RoleKind.WORKSHOP_LEADER, Person.active, Person.id.in_(people))
    )
    return Aside(people, {person.workshop_id, *session.scalars(led)} - {None})


def name_of(session: Session, *, result: Graded) -> str:
    """Return the teacher's or the workshop's name."""
    if isinstance(result, GroupResult):
        return session.get_one(Workshop, result.workshop_id).name
    return session.get_one(Person, session.get_one(Enrolment, result.enrolment_id).person_id).name


def result_of(session: Session, *, appeal: Appeal) -> Graded:
    """Return the version of a result that an appeal is against."""
    if appeal.group_result_id is not None:
        return session.get_one(GroupResult, appeal.group_result_id)
    return session.get_one(Result, appeal.result_id)


def appeals_in(round_: Round) -> Select[tuple[Appeal]]:
    """Return the appeals of a round, in the order in which they were filed."""
    return appeals_of(round_.id)


def appeals_of(round_id: int | BindParameter[int]) -> Select[tuple[Appeal]]:
    """Return `appeals_in` a round by its id, or by a name for it."""
    return (
        select(Appeal)
        .outerjoin(Result, Result.id == Appeal.result_id)
        .outerjoin(Enrolment, Enrolment.id == Result.enrolment_id)
        .outerjoin(GroupResult, GroupResult.id == Appeal.group_result_id)
        .where(or_(Enrolment.round_id == round_id, GroupResult.round_id == round_id))
        .order_by(Appeal.id)
    )


def appeals_against(result: Graded) -> Select[tuple[Appeal]]:
    """Return the appeals against any version of the same teacher's or workshop's result; there is one in a round."""
    if isinstance(result, GroupResult):
        same = select(GroupResult.id).where(
            GroupResult.round_id == result.round_id, GroupResult.workshop_id == result.workshop_id
        )
        return select(Appeal).where(Appeal.group_result_id.in_(same))
    return select(Appeal).where(
        Appeal.result_id.in_(select(Result.id).where(Result.enrolment_id == result.enrolment_id))
    )


def standing_results(session: Session, *, round_: Round) -> list[Graded]:
    """Return the results of a round that stand: of its workshops where these are judged, else of its teachers."""
    found: list[Graded] = []
    if judges_groups(round_scheme(session, round_=round_)):
        of_groups = select(GroupResult).where(GroupResult.round_id == round_.id, GroupResult.current)
        found += session.scalars(of_groups.order_by(GroupResult.id))
        return found
    of_people = select(Result).join(Enrolment, Enrolment.id == Result.enrolment_id)
    found += session.scalars(of_people.where(Enrolment.round_id == round_.id, Result.current).order_by(Enrolment.id))
    return found


def standing_ids(round_: Round, scheme: Scheme) -> tuple[type[Graded], Select[tuple[int]]]:
    """Return of which table a round's standing results are, and a select of their ids: for counting, and many at once."""
    if judges_groups(scheme):
        return GroupResult, select(GroupResult.id).where(GroupResult.round_id == round_.id, GroupResult.current)
    of_people = select(Result.id).join(Enrolment, Enrolment.id == Result.enrolment_id)
    return Result, of_people.where(Enrolment.round_id == round_.id, Result.current)


def standing_states(session: Session, *, round_: Round) -> Counter[ResultState]:
    """Return how many standing results of a round are in each state."""
    model, ids = standing_ids(round_, round_scheme(session, round_=round_))
    return Counter(session.scalars(select(model.state).where(model.id.in_(ids))))


def all_owners(session: Session, *, round_: Round) -> list[int]:
    """Return everybody whom a standing result of the round belongs to, each once."""
    if judges_groups(round_scheme(session, round_=round_)):
        standing = standing_results(session, round_=round_)
        return list(dict.fromkeys(one for result in standing for one in owners(session, result=result)))
    of_people = select(Enrolment.person_id).join(Result, Result.enrolment_id == Enrolment.id)
    return list(
        session.scalars(of_people.where(Enrolment.round_id == round_.id, Result.current).order_by(Enrolment.id))
    )


def judged_workshops(session: Session, *, round_: Round) -> list[Group]:
    """Return the workshops that a round judges: those with somebody of the round in them."""
    taking_part = (
        select(Person.workshop_id)
        .join(Enrolment, Enrolment.person_id == Person.id)
        .where(Enrolment.round_id == round_.id, Enrolment.state != EnrolmentState.EXEMPT)
    )
    found = session.scalars(
        select(Workshop)
        .where(Workshop.organization_id == round_.organization_id, Workshop.id.in_(taking_part))
        .order_by(Workshop.id)
    )
    return [Group(round_, GroupLevel.WORKSHOP, workshop=one) for one in found]
