"""县级及以上: schools side by side, spot checks, what waits to be confirmed; only of the actor's own tree."""

from __future__ import annotations

import json
import random
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import func, select, union_all

from models import (
    Appeal,
    AuditEvent,
    Certificate,
    CertificateIssuer,
    Enrolment,
    GroupResult,
    Organization,
    Person,
    Result,
    Role,
    Round,
    Submission,
)
from review_flow.errors import BadInput, NotFound
from review_flow.i18n import _, say
from review_flow.rules.certificates import CertificateState
from review_flow.rules.lifecycle import EnrolmentState, ResultState, RoundPhase, SubmissionState
from review_flow.rules.words import AppealState, OrganizationKind, RoleKind
from review_flow.steps import audit
from review_flow.steps.programme import require_above
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sqlalchemy import Select
    from sqlalchemy.orm import Session

PAGE, MOST_DRAWN = 50, 20
DEED = "county.spot_check"


@dataclass(slots=True)
class SchoolLine:
    """A school beside others: its newest round that was opened, and how that stands; None: there is none."""

    school: Organization
    round: Round | None
    teachers: int = 0
    exempt: int = 0
    works: int = 0
    graded: int = 0
    confirmed: int = 0
    appeals: int = 0
    grades: dict[str, int] = field(default_factory=dict)


def offices(session: Session, *, actor: Person) -> list[Organization]:
    """Return the organizations above schools that the actor administers."""
    held = select(Role.organization_id).where(
        Role.person_id == actor.id, Role.kind == RoleKind.COUNTY_ADMIN, Role.person_id.in_(_active(actor))
    )
    return list(session.scalars(select(Organization).where(Organization.id.in_(held)).order_by(Organization.id)))


def _active(actor: Person) -> Select[tuple[int]]:
    return select(Person.id).where(Person.id == actor.id, Person.active)


def below(session: Session, *, actor: Person) -> Select[tuple[Organization]]:
    """Return a query of the schools below the actor's offices, however deep the tree is."""
    tops = [one.id for one in offices(session, actor=actor)]
    tree = select(Organization.id).where(Organization.parent_id.in_(tops)).cte("tree", recursive=True)
    tree = tree.union(select(Organization.id).where(Organization.parent_id == tree.c.id))
    return select(Organization).where(
        Organization.id.in_(select(tree.c.id)), Organization.kind == OrganizationKind.SCHOOL
    )


def schools(session: Session, *, actor: Person, page: int = 1) -> tuple[list[SchoolLine], int]:
    """Return a page of the schools below, each with its newest round, and how many schools there are."""
    everything = below(session, actor=actor)
    count = session.scalar(select(func.count()).select_from(everything.subquery())) or 0
    found = session.scalars(everything.order_by(Organization.name).offset((page - 1) * PAGE).limit(PAGE)).all()
    return beside(session, schools=found), count


def beside(session: Session, *, schools: Sequence[Organization]) -> list[SchoolLine]:
    """Return these schools, each with its newest round, in the same number of questions however many there are."""
    newest = (
        select(func.max(Round.id))
        .where(Round.organization_id.in_([one.id for one in schools]), Round.phase != RoundPhase.SETUP)
        .group_by(Round.organization_id)
    )
    rounds = {one.organization_id: one for one in session.scalars(select(Round).where(Round.id.in_(newest)))}
    lines = {one.id: SchoolLine(one, rounds.get(one.id)) for one in schools}
    by_round = {line.round.id: line for line in lines.values() if line.round is not None}
    _count(session, by_round)
    return list(lines.values())


def _count(session: Session, lines: dict[int, SchoolLine]) -> None:
    """Fill the lines in: one question for each kind of thing, however many schools there are."""
    of_rounds = Enrolment.round_id.in_(lines)
    for key, state, number in session.execute(
        select(Enrolment.round_id, Enrolment.state, func.count())
        .where(of_rounds)
        .group_by(Enrolment.round_id, Enrolment.state)
    ):
        if state is EnrolmentState.EXEMPT:
            lines[key].exempt = number
        else:
            lines[key].teachers += number
    for key, works in _by_round(session, lines, ~Submission.state.in_([SubmissionState.REPLACED])):
        lines[key].works = works
    for key, graded in _by_round(session, lines, Submission.state == SubmissionState.GRADED):
        lines[key].graded = graded
    _count_results(session, lines)


def _count_results(session: Session, lines: dict[int, SchoolLine]) -> None:
    """Count grades and appeals: of teachers, or of workshops where a round judges these."""
    of_people = (
        select(Enrolment.round_id, Result.grade, func.count())
        .join(Result, Result.enrolment_id == Enrolment.id)
        .where(Enrolment.round_id.in_(lines), Result.current, Result.grade.is_not(None))
        .group_by(Enrolment.round_id, Result.grade)
    )
    of_workshops = (
        select(GroupResult.round_id, GroupResult.grade, func.count())
        .where(GroupResult.round_id.in_(lines), GroupResult.current, GroupResult.grade.is_not(None))
        .group_by(GroupResult.round_id, GroupResult.grade)
    )
    for key, grade, number in session.execute(union_all(of_people, of_workshops)):
        lines[key].confirmed += number
        lines[key].grades[str(grade)] = number
    whose = func.coalesce(Enrolment.round_id, GroupResult.round_id)
    appeals = (
        select(whose, func.count())
        .select_from(Appeal)
        .outerjoin(Result, Result.id == Appeal.result_id)
        .outerjoin(Enrolment, Enrolment.id == Result.enrolment_id)
        .outerjoin(GroupResult, GroupResult.id == Appeal.group_result_id)
        .where(whose.in_(lines), Appeal.state == AppealState.FILED)
        .group_by(whose)
    )
    for key, number in session.execute(appeals):
        lines[key].appeals = number


def _by_round(session: Session, lines: dict[int, SchoolLine], which: Any) -> Sequence[Any]:
    rows = select(Submission.round_id, func.count()).where(Submission.round_id.in_(lines), which)
    return session.execute(rows.group_by(Submission.round_id)).all()


def round_below(session: Session, *, actor: Person, key: int) -> Round:
    """Return an opened round of a school below the actor's offices; any other is not there (NotFound)."""
    schools_ = below(session, actor=actor).with_only_columns(Organization.id)
    found = session.scalars(
        select(Round).where(Round.id == key, Round.organization_id.in_(schools_), Round.phase != RoundPhase.SETUP)
    ).first()
    if found is None:
        raise NotFound(what=say(_("考核轮次")), key=key)
    return found


def draw(session: Session, *, actor: Person, round_: Round, count: int, seed: int | None = None) -> list[int]:
    """Draw results of a round by lot to be looked into; the seed is kept, so that anybody can draw them again.

    The school reads in its own audit trail what was drawn. Return the ids. Raises NotAllowed, BadInput.
    """
    take_turn(session, organization_id=round_.organization_id)
    require_above(session, actor=actor, organization_id=round_.organization_id)
    if not 1 <= count <= MOST_DRAWN:
        raise BadInput(field=say(_("抽查份数")), problem=say(_("应是1到{most}的整数。"), most=MOST_DRAWN))
    of_round = select(Enrolment.id).where(Enrolment.round_id == round_.id)
    standing = session.scalars(
        select(Result.id)
        .where(Result.enrolment_id.in_(of_round), Result.current, Result.state != ResultState.COMPOSED)
        .order_by(Result.id)
    ).all()
    if not standing:
        raise BadInput(field=say(_("抽查")), problem=say(_("还没有定等的结果。")))
    lot = secrets.randbelow(2**31) if seed is None else seed
    drawn = sorted(random.Random(lot).sample(standing, min(count, len(standing))))  # noqa: S311 - kept, to be repeated
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed=DEED,
        about=round_,
        seed=lot,
        results=drawn,
    )
    return drawn


def drawn(session: Session, *, actor: Person, round_: Round) -> list[tuple[Result, Person]]:
    """Return every result of a round that was drawn, with whose it is; nothing else of a school's people is shown."""
    require_above(session, actor=actor, organization_id=round_.organization_id)
    told = session.scalars(
        select(AuditEvent.data).where(
            AuditEvent.organization_id == round_.organization_id,
            AuditEvent.deed == DEED,
            AuditEvent.about == f"{round_.__tablename__}:{round_.id}",
        )
    )
    ids = {one for data in told for one in json.loads(data)["results"]}
    rows = session.execute(
        select(Result, Person)
        .join(Enrolment, Enrolment.id == Result.enrolment_id)
        .join(Person, Person.id == Enrolment.person_id)
        .where(Result.id.in_(ids))
        .order_by(Result.id)
    )
    return [(result, person) for result, person in rows]


def issuers(session: Session, *, actor: Person, round_: Round) -> dict[str, int]:
    """Return how many certificates of a round wait for each of the actor's offices, as their issuer."""
    names = [one.name for one in offices(session, actor=actor)]
    rows = session.execute(
        select(CertificateIssuer.name, func.count())
        .join(Certificate, Certificate.id == CertificateIssuer.certificate_id)
        .join(Enrolment, Enrolment.id == Certificate.enrolment_id)
        .where(
            Enrolment.round_id == round_.id,
            CertificateIssuer.name.in_(names),
            CertificateIssuer.confirmed_at.is_(None),
            Certificate.state == CertificateState.ISSUED,
        )
        .group_by(CertificateIssuer.name)
    )
    return dict(rows.tuples().all())
