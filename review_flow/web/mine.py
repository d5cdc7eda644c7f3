"""What of a school is one's own: by id, or not found. Whose a row is, nobody else learns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import select

from models import (
    Adjustment,
    Appeal,
    Assignment,
    Certificate,
    Enrolment,
    Evidence,
    FileReport,
    Gathering,
    GroupResult,
    Nomination,
    PanelMark,
    Person,
    Result,
    Review,
    Round,
    Submission,
)
from review_flow.errors import NotFound
from review_flow.i18n import _, say
from review_flow.rules.lifecycle import EnrolmentState, SubmissionState
from review_flow.rules.path import NOT_SHOWN
from review_flow.rules.scheme import DELIVERABLES
from review_flow.rules.words import RoleKind, SeatKind
from review_flow.steps import approvals, file_reports, owners, validity
from review_flow.steps import standing as boards
from review_flow.steps.enrolments import enrolment_of
from review_flow.steps.path import standing_of
from review_flow.steps.people import conflicting_with, has_role, has_seat
from review_flow.steps.programme import leads
from review_flow.steps.rounds import round_scheme

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from models.base import Base
    from review_flow.rules.scheme import Scheme
    from review_flow.steps.owners import Graded
    from review_flow.steps.path import Standing

OfSchool = TypeVar("OfSchool", bound="Base")
MOST_OFFERED = 300
"""So many people a field for one of them offers; of more, a list is no help."""


def standing(session: Session, person: Person, round_id: int) -> Standing:
    """Return where the person stands in a round of theirs."""
    return standing_of(session, person=person, round_id=round_id)


def of_school(session: Session, person: Person, model: type[OfSchool], key: int, what: str) -> OfSchool:
    """Return a row of the person's own school, which it says itself or by its round; another's is not there."""
    found: Any = session.get(model, key)
    if found is not None:
        place = found if hasattr(model, "organization_id") else session.get_one(Round, found.round_id)
        if place.organization_id == person.organization_id:
            row: OfSchool = found
            return row
    raise NotFound(what=say(what), key=key)


def colleague(session: Session, person: Person, key: int) -> Person:
    """Return somebody of the person's own school who has not left."""
    found = of_school(session, person, Person, key, _("人员"))
    if not found.active:
        raise NotFound(what=say(_("人员")), key=key)
    return found


def enrolment(session: Session, person: Person, round_id: int) -> Enrolment:
    """Return the person's enrolment in a round."""
    found = of_school(session, person, Round, round_id, _("考核轮次"))
    return enrolment_of(session, round_=found, person=person)


def work(session: Session, person: Person, key: int) -> Submission:
    """Return a work of the person's that was not replaced."""
    found = session.get(Submission, key)
    if found is None or found.author_id != person.id or found.state is SubmissionState.REPLACED:
        raise NotFound(what=say(_("成果")), key=key)
    return found


def file(session: Session, person: Person, key: int) -> Evidence:
    """Return a file of a work of the person's, one that was superseded included."""
    found = session.get(Evidence, key)
    if found is None or session.get_one(Submission, found.submission_id).author_id != person.id:
        raise NotFound(what=say(_("文件")), key=key)
    return found


def task(session: Session, person: Person, key: int) -> Assignment:
    """Return a task that was given to the person."""
    found = session.get(Assignment, key)
    if found is None or found.reviewer_id != person.id:
        raise NotFound(what=say(_("互评任务")), key=key)
    return found


def title(scheme: Scheme, code: str) -> str:
    """Return an ability's code and name; what the scheme asks for besides abilities has a name of its own."""
    if code == DELIVERABLES:
        return say(_("其他材料"))
    known = scheme.catalogue.get(code)
    return f"{code} {known.name_zh}" if known else code


def panel(session: Session, person: Person, round_id: int, *kinds: SeatKind, admin: bool = False) -> Round:
    """Return a round on whose panel the person sits in one of these seats; or whose school they administer."""
    found = session.get(Round, round_id)
    if found is not None:
        if has_seat(session, person_id=person.id, round_id=round_id, kinds=kinds):
            return found
        roles = [RoleKind.SCHOOL_ADMIN] if admin else []
        if has_role(session, person_id=person.id, organization_id=found.organization_id, kinds=roles):
            return found
    raise NotFound(what=say(_("考核轮次")), key=round_id)


def judgeable(session: Session, person: Person, round_id: int, most: int | None = None) -> Sequence[Any]:
    """Return whom the person may record something of in a round, as (enrolment's id, number, name) by number."""
    away = conflicting_with(session, person_id=person.id)
    return session.execute(
        select(Enrolment.id, Person.number, Person.name)
        .join(Person, Person.id == Enrolment.person_id)
        .where(
            Enrolment.round_id == round_id,
            Enrolment.state != EnrolmentState.EXEMPT,
            Enrolment.person_id.not_in(away),
        )
        .order_by(Person.number)
        .limit(most)
    ).all()


def offered(session: Session, person: Person, round_id: int) -> Sequence[Any]:
    """Return those to choose from; nobody in a round so large that a list of them is no help."""
    found = judgeable(session, person, round_id, MOST_OFFERED + 1)
    return found if len(found) <= MOST_OFFERED else []


def enrolled(session: Session, round_id: int, key: int) -> Enrolment:
    """Return an enrolment of a round, as a form named it; whether the person may judge it, the step decides."""
    found = session.get(Enrolment, key)
    if found is None or found.round_id != round_id:
        raise NotFound(what=say(_("参评教师")), key=key)
    return found


def asked(session: Session, person: Person, key: int) -> tuple[Submission, PanelMark]:
    """Return a work that waits for the person's mark."""
    found = session.execute(
        select(Submission, PanelMark)
        .join(PanelMark, PanelMark.submission_id == Submission.id)
        .where(
            Submission.id == key,
            PanelMark.marker_id == person.id,
            PanelMark.mark.is_(None),
            PanelMark.released_at.is_(None),
        )
    ).first()
    if found is None or found[0].author_id in conflicting_with(session, person_id=person.id):
        raise NotFound(what=say(_("请您评分的成果")), key=key)
    return found[0], found[1]


def judged(session: Session, person: Person, key: int) -> Submission:
    """Return a work that waits for the person's word on its validity."""
    found = session.get(Submission, key)
    if found is not None and validity.may_judge(session, person=person, submission=found):
        return found
    raise NotFound(what=say(_("等您认定的成果")), key=key)


def contested(session: Session, person: Person, key: int) -> Adjustment:
    """Return a contested record that the person may decide."""
    found = session.get(Adjustment, key)
    if found is not None:
        round_ = session.get_one(Round, session.get_one(Enrolment, found.enrolment_id).round_id)
        if boards.may_decide(session, person=person, round_=round_, adjustment=found):
            return found
    raise NotFound(what=say(_("扣分记录")), key=key)


def appeal(session: Session, person: Person, key: int) -> tuple[Appeal, Graded]:
    """Return an appeal that the person may hear, and the teacher's or workshop's result it is against."""
    found = session.get(Appeal, key)
    if found is not None:
        result = owners.result_of(session, appeal=found)
        round_ = owners.round_of(session, result=result)
        if boards.may_hear(session, person=person, round_=round_, appeal=found):
            return found, result
    raise NotFound(what=say(_("申诉")), key=key)


def to_approve(session: Session, person: Person, key: int) -> tuple[Submission, str]:
    """Return a work that waits for somebody's approval such as this person gives, and the link of the chain."""
    found = session.get(Submission, key)
    if found is not None:
        round_ = panel(session, person, found.round_id, SeatKind.MEMBER, admin=True)
        scheme = round_scheme(session, round_=round_)
        for _key, link in approvals.next_links(session, person=person, round_=round_, scheme=scheme, work=found):
            return found, link
    raise NotFound(what=say(_("等您审核的成果")), key=key)


def workshop_result(session: Session, person: Person, key: int) -> tuple[GroupResult, Round]:
    """Return a workshop's standing result that the person may confirm: a member of the panel it doesn't concern."""
    found = session.get(GroupResult, key)
    if found is not None and found.current and person.id not in owners.concerned(session, result=found):
        return found, panel(session, person, found.round_id, SeatKind.MEMBER)
    raise NotFound(what=say(_("考核结果")), key=key)


def led_result(session: Session, person: Person, round_id: int) -> GroupResult:
    """Return the standing result of the workshop that the person leads, once it is published."""
    asked_ = select(GroupResult).where(
        GroupResult.round_id == round_id, GroupResult.workshop_id == person.workshop_id, GroupResult.current
    )
    found = session.scalars(asked_).first()
    if found is None or found.state in NOT_SHOWN or person.id not in owners.owners(session, result=found):
        raise NotFound(what=say(_("考核结果")), key=round_id)
    return found


def result(session: Session, person: Person, key: int) -> tuple[Result, Round]:
    """Return a standing result that the person may confirm: as a member of its panel, not one of their own."""
    found = session.get(Result, key)
    if found is not None and found.current:
        enrolment = session.get_one(Enrolment, found.enrolment_id)
        away = conflicting_with(session, person_id=person.id)
        if enrolment.person_id not in away:
            return found, panel(session, person, enrolment.round_id, SeatKind.MEMBER)
    raise NotFound(what=say(_("考核结果")), key=key)


def report(session: Session, person: Person, key: int) -> FileReport:
    """Return a report on a file that the person may look at."""
    found = session.get(FileReport, key)
    if found is not None:
        work_id = session.get_one(Evidence, found.evidence_id).submission_id
        round_id = session.get_one(Submission, work_id).round_id
        round_ = panel(session, person, round_id, *file_reports.LOOKERS)
        if file_reports.may_close(session, person=person, round_=round_, report=found):
            return found
    raise NotFound(what=say(_("文件报告")), key=key)


def received(session: Session, person: Person, key: int) -> tuple[Review, int]:
    """Return a review of the person's own work, and the id of its round."""
    found = session.execute(
        select(Review, Assignment.round_id)
        .join(Assignment, Assignment.id == Review.assignment_id)
        .where(Review.id == key, Assignment.author_id == person.id)
    ).first()
    if found is None:
        raise NotFound(what=say(_("互评")), key=key)
    return found[0], found[1]


def record(session: Session, person: Person, key: int) -> Adjustment:
    """Return a deduction or award of the person's own."""
    found = session.get(Adjustment, key)
    if found is None or session.get_one(Enrolment, found.enrolment_id).person_id != person.id:
        raise NotFound(what=say(_("您的扣分记录")), key=key)
    return found


def nomination(session: Session, person: Person, key: int) -> Nomination:
    """Return a nomination of the person's own work."""
    found = session.get(Nomination, key)
    if found is None or found.author_id != person.id:
        raise NotFound(what=say(_("推荐")), key=key)
    return found


def gatherings(session: Session, person: Person, round_: Round) -> Select[tuple[Gathering]]:
    """Select a round's meetings: all to whom it is theirs or their school's to run, else those of the workshop they lead."""
    found = select(Gathering).where(Gathering.round_id == round_.id)
    enrolled = select(Enrolment.id).where(Enrolment.round_id == round_.id, Enrolment.person_id == person.id)
    admin = [RoleKind.SCHOOL_ADMIN]
    if has_role(session, person_id=person.id, organization_id=round_.organization_id, kinds=admin):
        return found
    if person.organization_id == round_.organization_id and session.scalars(enrolled).first() is not None:
        return found
    led = person.workshop_id if leads(session, actor=person, workshop_id=person.workshop_id) else None
    return found.where(Gathering.workshop_id == led, Gathering.workshop_id.is_not(None))


def gathering(session: Session, person: Person, key: int) -> Gathering:
    """Return a meeting of a round of the person's, or of one of their school's where they may run it."""
    found = session.get(Gathering, key)
    if found is not None:
        asked_ = gatherings(session, person, session.get_one(Round, found.round_id))
        if session.scalars(asked_.where(Gathering.id == key)).first() is not None:
            return found
    raise NotFound(what=say(_("活动")), key=key)


def certificate(session: Session, person: Person, key: int) -> Certificate:
    """Return a certificate of the person's own."""
    found = session.get(Certificate, key)
    if found is None or session.get_one(Enrolment, found.enrolment_id).person_id != person.id:
        raise NotFound(what=say(_("证书")), key=key)
    return found
