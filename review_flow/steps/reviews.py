"""互评: leased tasks, drafts, the filled form; declined, lapsed or pulled when somebody wants more to do."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, select

from models import Assignment, CalibrationSample, Enrolment, Person, Review, Round, Submission
from review_flow.clock import now
from review_flow.errors import BadInput, NotAllowed, Refusal
from review_flow.i18n import _, say
from review_flow.rules.lifecycle import EnrolmentState, RoundPhase, SubmissionState
from review_flow.rules.rubric import FormInvalid, evaluate
from review_flow.rules.words import LIVE, UNDONE, AssignmentState, WorkKind
from review_flow.steps import audit
from review_flow.steps.disagreement import ask_more, look
from review_flow.steps.drafts import keep_draft, require_latest
from review_flow.steps.duty import OPEN_TO_REVIEW
from review_flow.steps.effort import note
from review_flow.steps.evidence import slots_filled
from review_flow.steps.panel import ask_panel
from review_flow.steps.people import conflicting_with, require_admin
from review_flow.steps.rounds import require_phase, round_scheme
from review_flow.steps.taking_back import GIVEN_TO_OTHERS, take_back_unbegun, withdraw
from review_flow.steps.turn import take_turn
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from review_flow.rules.scheme import Scheme
    from review_flow.steps.drafts import Over


BEFORE_THE_PANEL = (SubmissionState.IN_PANEL, SubmissionState.IN_ARBITRATION)


class NotYours(Refusal):
    """A task belongs to its reviewer alone."""

    status, text = 403, _("这不是分配给您的互评任务。")


class ReviewOver(Refusal):
    """The task has ended: done, declined, or the work is no longer under review."""

    status, text = 409, _("这项互评任务已经结束（{state}）。")


class FormRefused(Refusal):
    """The form has mistakes; names each field."""

    status, text = 422, _("评审表还不完整：{problems}")


def lease_end(scheme: Scheme, *, due_at: datetime | None = None) -> datetime:
    """Return when a task that is handed out now comes back.

    Of a work whose peer phase ends at `due_at` a task takes half of what is left, so that there is time for another
    reviewer after this one; never less than the scheme's shortest lease (T12).
    """
    longest, shortest = (
        timedelta(days=span.days, hours=span.hours) for span in (scheme.calendar.lease, scheme.calendar.lease_min)
    )
    if due_at is None:
        return now() + longest
    return now() + min(longest, max(shortest, (due_at - now()) / 2))


_TASKS = (
    select(Assignment)
    .where(
        Assignment.reviewer_id == bindparam("person"),
        Assignment.round_id == bindparam("round"),
        Assignment.state.in_(UNDONE),
    )
    .order_by(Assignment.lease_until, Assignment.id)
)


def tasks_of(session: Session, *, person: Person, round_: Round) -> list[Assignment]:
    """Return what the person has still to review, the earliest lease first."""
    return list(session.scalars(_TASKS, {"person": person.id, "round": round_.id}))


def _own(session: Session, *, actor: Person, assignment: Assignment) -> Round:
    round_ = session.get_one(Round, assignment.round_id)
    take_turn(session, organization_id=round_.organization_id)
    if assignment.reviewer_id != actor.id:
        raise NotYours
    require_phase(round_, RoundPhase.OPEN, RoundPhase.SCORING)
    return round_


def save_draft(
    session: Session, *, actor: Person, assignment: Assignment, draft: dict[str, Any], over: Over | None = None
) -> None:
    """Keep a half-filled form; the lease starts anew, since somebody is at it, unless it has ended already.

    Raises NotYours, ReviewOver, DraftElsewhere.
    """
    round_ = _own(session, actor=actor, assignment=assignment)
    _require_open(session, assignment=assignment)
    keep_draft(assignment, draft=draft, over=over)
    assignment.begun_at = assignment.begun_at or now()
    if assignment.state is AssignmentState.LAPSED:
        return
    assignment.state = AssignmentState.BEGUN
    assignment.lease_until = lease_end(round_scheme(session, round_=round_))


STATES = {
    AssignmentState.ASSIGNED: _("待评"),
    AssignmentState.BEGUN: _("在评"),
    AssignmentState.DONE: _("已评"),
    AssignmentState.LAPSED: _("已过期"),
    AssignmentState.DECLINED: _("已谢绝"),
    AssignmentState.WITHDRAWN: _("已撤回"),
}


def submit(
    session: Session, *, actor: Person, assignment: Assignment, form: Mapping[str, Any], over: Over | None = None
) -> Review:
    """Record the actor's review of the assigned work or sample (001-A-24).

    A lapsed task may still be handed in before somebody else did it; who got it instead and hasn't begun is let off.
    What was begun while the work was open to review counts until the work is graded.
    Raises NotYours, NotAllowed where a conflict was declared meanwhile, ReviewOver, FormRefused naming each field,
    DraftElsewhere where another device has kept a later draft than the one (`over`) this was filled in over.
    """
    round_ = _own(session, actor=actor, assignment=assignment)
    if assignment.author_id is not None and actor.id in conflicting_with(session, person_id=assignment.author_id):
        raise NotAllowed(why=say(_("应回避本人或有关联的教师")))
    _require_open(session, assignment=assignment)
    require_latest(assignment, over=over)
    late = assignment.state is AssignmentState.LAPSED
    scheme = round_scheme(session, round_=round_)
    mark = _evaluated(session, scheme=scheme, assignment=assignment, form=form)
    review = Review(
        assignment_id=assignment.id, form=dict(form), mark=mark, scheme_digest=scheme.digest, submitted_at=now()
    )
    session.add(review)
    assignment.state, assignment.ended_at, assignment.draft = AssignmentState.DONE, now(), None
    session.flush()
    audit.record(
        session, organization_id=round_.organization_id, actor=actor, deed="review.submit", about=assignment, mark=mark
    )
    note(session, scheme=scheme, assignment=assignment, review=review)
    if assignment.submission_id is not None:
        submission = session.get_one(Submission, assignment.submission_id)
        if late:
            _let_off(session, submission=submission)
        if submission.state in BEFORE_THE_PANEL:
            _count_too(session, submission=submission)
        forward(session, submission=submission)
        _look_again(session, submission=submission)
    return review


def _require_open(session: Session, *, assignment: Assignment) -> None:
    """Raise ReviewOver unless the task may still be worked at."""
    if assignment.state not in UNDONE and not _still_welcome(session, assignment=assignment):
        raise ReviewOver(state=say(STATES[assignment.state]))


def _let_off(session: Session, *, submission: Submission) -> None:
    """Take the task back from who got it in the late reviewer's place, if they have not begun and nothing lacks."""
    wanted = round_scheme(session, round_=session.get_one(Round, submission.round_id)).review.peer.receive_target
    live = session.scalars(
        select(Assignment)
        .where(Assignment.submission_id == submission.id, Assignment.state.in_(LIVE))
        .order_by(Assignment.id.desc())
    ).all()
    spare = [one for one in live if one.state is AssignmentState.ASSIGNED]
    for one in spare[: max(0, len(live) - wanted - submission.extra_reviews)]:
        withdraw(session, task=one, sentence=GIVEN_TO_OTHERS, count=1)


def _count_too(session: Session, *, submission: Submission) -> None:
    """Let a review that was begun before the panel's turn count: the board is put right, and reviews may now suffice."""
    look(session, submission=submission)
    round_ = session.get_one(Round, submission.round_id)
    enough = received(session, submission=submission) >= round_scheme(session, round_=round_).review.peer.receive_min
    if submission.peer_missing and enough:
        submission.peer_missing = False
        audit.record(session, organization_id=round_.organization_id, actor=None, deed="peer.enough", about=submission)


def _look_again(session: Session, *, submission: Submission) -> None:
    """Look anew at the author's other works before the panel: what one more mark could move depends on all of them."""
    others = select(Submission).where(
        Submission.enrolment_id == submission.enrolment_id,
        Submission.id != submission.id,
        Submission.state == SubmissionState.IN_PANEL,
    )
    for other in session.scalars(others.order_by(Submission.id)):
        look(session, submission=other)


def _still_welcome(session: Session, *, assignment: Assignment) -> bool:
    if assignment.state is not AssignmentState.LAPSED or assignment.submission_id is None:
        return False
    submission = session.get_one(Submission, assignment.submission_id)
    round_ = session.get_one(Round, submission.round_id)
    wanted = round_scheme(session, round_=round_).review.peer.receive_target + submission.extra_reviews
    again = select(Assignment.id).where(
        Assignment.submission_id == submission.id,
        Assignment.reviewer_id == assignment.reviewer_id,
        Assignment.state.in_(LIVE),
    )
    return (
        submission.state in OPEN_TO_REVIEW
        and received(session, submission=submission) < wanted
        and session.scalars(again).first() is None
    )


def _evaluated(session: Session, *, scheme: Scheme, assignment: Assignment, form: Mapping[str, Any]) -> Decimal:
    slots = []
    if assignment.submission_id is not None:
        submission = session.get_one(Submission, assignment.submission_id)
        if submission.state not in (*OPEN_TO_REVIEW, *BEFORE_THE_PANEL):
            raise ReviewOver(state=say(submission.state.label))
        slots = slots_filled(session, scheme=scheme, submission=submission)
    return form_mark(scheme=scheme, form=form, slots=slots)


def form_mark(*, scheme: Scheme, form: Mapping[str, Any], slots: list[Any]) -> Decimal:
    """Return the mark of a form, or raise FormRefused naming every field that is wrong."""
    try:
        marks = evaluate(scheme, form, slots)
    except FormInvalid as wrong:
        raise FormRefused.of_fields((one.field, one.text) for one in wrong.problems) from wrong
    if marks.mark is None:
        raise FormRefused(problems=say(_("请至少给一个考核项打分。")))
    return marks.mark


def decline(session: Session, *, actor: Person, assignment: Assignment, reason: str) -> None:
    """Give a task back with a reason; somebody else gets it."""
    round_ = _own(session, actor=actor, assignment=assignment)
    if assignment.state not in UNDONE:
        raise ReviewOver(state=say(STATES[assignment.state]))
    if not reason.strip():
        raise BadInput(field=say(_("理由")), problem=say(_("请写明谢绝的理由。")))
    assignment.state, assignment.ended_at, assignment.declined_reason = AssignmentState.DECLINED, now(), reason
    enqueue(session, kind=WorkKind.ALLOCATE_REVIEWS, subject_id=round_.id)
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="review.decline",
        about=assignment,
        reason=reason,
    )


def add_sample(
    session: Session, *, actor: Person, round_: Round, ability: str, title: str, form: Mapping[str, Any]
) -> CalibrationSample:
    """Add a calibration sample (标准样例) with the marks the panel gave it."""
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    mark = form_mark(scheme=round_scheme(session, round_=round_), form=form, slots=[])
    sample = CalibrationSample(
        round_id=round_.id, ability=ability, title=title, mark=mark, form=dict(form), added_by_id=actor.id
    )
    session.add(sample)
    session.flush()
    audit.record(session, organization_id=round_.organization_id, actor=actor, deed="sample.add", about=sample)
    return sample


def lapse(session: Session, *, round_: Round) -> int:
    """End the tasks whose lease ran out; the works are allocated anew. Drafts stay with their writers."""
    overdue = list(
        session.scalars(
            select(Assignment).where(
                Assignment.round_id == round_.id, Assignment.state.in_(UNDONE), Assignment.lease_until < now()
            )
        )
    )
    for assignment in overdue:
        assignment.state, assignment.ended_at = AssignmentState.LAPSED, now()
        audit.record(session, organization_id=round_.organization_id, actor=None, deed="review.lapse", about=assignment)
    if overdue:
        enqueue(session, kind=WorkKind.ALLOCATE_REVIEWS, subject_id=round_.id)
    return len(overdue)


def received(session: Session, *, submission: Submission) -> int:
    """Return how many complete reviews a work has."""
    return (
        session.scalar(
            select(func.count())
            .select_from(Review)
            .join(Assignment, Review.assignment_id == Assignment.id)
            .where(Assignment.submission_id == submission.id)
        )
        or 0
    )


def forward(session: Session, *, submission: Submission, at_deadline: bool = False) -> None:
    """Send a valid work to the panel once it has the reviews it should have, or the least it must at the deadline.

    Where the reviewers differ, one more is asked first; the deadline does not wait for that.
    """
    if submission.state is not SubmissionState.IN_PEER_REVIEW:
        return
    peer = round_scheme(session, round_=session.get_one(Round, submission.round_id)).review.peer
    wanted = peer.receive_min if at_deadline else peer.receive_target + submission.extra_reviews
    if received(session, submission=submission) < wanted:
        return
    if look(session, submission=submission) and not at_deadline and ask_more(session, submission=submission):
        return
    take_back_unbegun(session, submission=submission)
    ask_panel(session, submission=submission)


def close_short(session: Session, *, submission: Submission) -> None:
    """The extension is over and reviews are missing: the panel's marks count alone, and everybody can see it (T12)."""
    submission.peer_missing = True
    take_back_unbegun(session, submission=submission)
    ask_panel(session, submission=submission)


def participants(session: Session, *, round_: Round) -> list[Enrolment]:
    """Return the round's enrolments that are not exempt, in order of enrolment."""
    return list(session.scalars(select(Enrolment).where(*_taking_part(round_)).order_by(Enrolment.id)))


def count_participants(session: Session, *, round_: Round) -> int:
    """Return how many enrolments of the round are not exempt."""
    return session.scalar(select(func.count(Enrolment.id)).where(*_taking_part(round_))) or 0


def _taking_part(round_: Round) -> tuple[ColumnElement[bool], ...]:
    return Enrolment.round_id == round_.id, Enrolment.state != EnrolmentState.EXEMPT
