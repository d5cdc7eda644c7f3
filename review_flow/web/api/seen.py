"""What of a school a person may know of, by id or in a list; everything else is not found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Select, or_, select

from models import Assignment, Enrolment, Evidence, PanelMark, PanelSeat, Person, Role, Round, Submission
from review_flow.errors import NotFound
from review_flow.i18n import _, say
from review_flow.rules.lifecycle import EnrolmentState, RoundPhase, SubmissionState
from review_flow.rules.words import EvidenceState, RoleKind
from review_flow.steps.people import conflicting_with, has_role, has_seat
from review_flow.steps.programme import leads
from review_flow.steps.validity import VOTERS, may_judge
from review_flow.web import mine

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def rounds(person: Person) -> Select[tuple[Round]]:
    """Select the rounds a person takes part in, sits on the panel of, or administers."""
    takes_part = select(Enrolment.round_id).where(
        Enrolment.person_id == person.id, Enrolment.state != EnrolmentState.EXEMPT
    )
    seated = select(PanelSeat.round_id).where(PanelSeat.person_id == person.id)
    administers = select(Role.organization_id).where(Role.person_id == person.id, Role.kind == RoleKind.SCHOOL_ADMIN)
    return select(Round).where(
        or_(
            Round.id.in_(takes_part) & (Round.phase != RoundPhase.SETUP),
            Round.id.in_(seated),
            Round.organization_id.in_(administers),
        )
    )


def round_(session: Session, person: Person, key: int) -> Round:
    """Return a round that the person may know of."""
    found = session.scalars(rounds(person).where(Round.id == key)).first()
    if found is None:
        raise NotFound(what=say(_("考核轮次")), key=key)
    return found


def school_round(session: Session, person: Person, key: int) -> Round:
    """Return a round of the administrator's own school."""
    return mine.of_school(session, person, Round, key, _("考核轮次"))


def led_round(session: Session, person: Person, key: int) -> Round:
    """Return a round of the school, to whoever may know of it or leads one of its workshops."""
    if not leads(session, actor=person, workshop_id=person.workshop_id):
        round_(session, person, key)
    return school_round(session, person, key)


def panel_round(session: Session, person: Person, key: int) -> Round:
    """Return a round on whose panel the person sits."""
    seated = select(Round).join(PanelSeat, PanelSeat.round_id == Round.id)
    found = session.scalars(seated.where(Round.id == key, PanelSeat.person_id == person.id)).first()
    if found is None:
        raise NotFound(what=say(_("考核轮次")), key=key)
    return found


def panel_work(session: Session, person: Person, key: int) -> Submission:
    """Return a work that the person was asked to mark, or may say of whether it is valid; never one of their own."""
    found = session.get(Submission, key)
    if found is None or not _before_panel(session, person, found):
        raise NotFound(what=say(_("成果")), key=key)
    return found


def _before_panel(session: Session, person: Person, work: Submission) -> bool:
    if work.author_id in conflicting_with(session, person_id=person.id):
        return False
    asked = select(PanelMark.id).where(
        PanelMark.submission_id == work.id, PanelMark.marker_id == person.id, PanelMark.released_at.is_(None)
    )
    if session.scalars(asked).first() is not None:
        return True
    waiting = work.state is SubmissionState.SUBMITTED
    return waiting and has_seat(session, person_id=person.id, round_id=work.round_id, kinds=VOTERS)


def attested_work(session: Session, person: Person, key: int) -> Submission:
    """Return a work whose author one may sign for: as who judges it, as their school's administrator, as their leader."""
    found = session.get(Submission, key)
    if found is None or not _may_attest(session, person, found):
        raise NotFound(what=say(_("成果")), key=key)
    return found


def _may_attest(session: Session, person: Person, work: Submission) -> bool:
    school = session.get_one(Round, work.round_id).organization_id
    return (
        has_role(session, person_id=person.id, organization_id=school, kinds=[RoleKind.SCHOOL_ADMIN])
        or leads(session, actor=person, workshop_id=session.get_one(Person, work.author_id).workshop_id)
        or may_judge(session, person=person, submission=work)
    )


def works(person: Person) -> Select[tuple[Submission]]:
    """Select the works of a person that were not replaced."""
    return select(Submission).where(Submission.author_id == person.id, Submission.state != SubmissionState.REPLACED)


def files(work: Submission) -> Select[tuple[Evidence]]:
    """Select the files of a work that stand."""
    return select(Evidence).where(Evidence.submission_id == work.id, Evidence.state != EvidenceState.SUPERSEDED)


def named_file(session: Session, person: Person, author: Person, key: int) -> Evidence:
    """Return a file of the author's work; not of one that the person has reviewed or marked, whose author is not told."""
    found = mine.file(session, author, key)
    reviewed = select(Assignment.id).where(
        Assignment.submission_id == found.submission_id, Assignment.reviewer_id == person.id
    )
    marked = select(PanelMark.id).where(
        PanelMark.submission_id == found.submission_id, PanelMark.marker_id == person.id
    )
    if session.scalars(reviewed.union_all(marked)).first() is not None:
        raise NotFound(what=say(_("文件")), key=key)
    return found
