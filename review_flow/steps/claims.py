"""Taking a review oneself: one more work, or a calibration sample; the next in line, and never twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, insert, literal, select

from models import Assignment, CalibrationSample, FileReport, Person, Round, Submission
from review_flow.clock import now
from review_flow.errors import NotAllowed, Refusal
from review_flow.i18n import _, say
from review_flow.rules.lifecycle import EnrolmentState, RoundPhase, SubmissionState
from review_flow.rules.words import LIVE, UNDONE, AssignmentState
from review_flow.steps import audit
from review_flow.steps.approvals import open_to_peers
from review_flow.steps.duty import OPEN_TO_REVIEW
from review_flow.steps.enrolments import enrolment_of
from review_flow.steps.may_review import gets_reviews, kept_apart
from review_flow.steps.reviews import lease_end
from review_flow.steps.rounds import require_phase, round_scheme
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from review_flow.rules.scheme import Scheme


class NothingToReview(Refusal):
    """There is no work left that this person could review."""

    status, text = 404, _("目前没有可供您互评的成果；请稍后再来，或先评标准样例。")


class CapReached(Refusal):
    """Somebody holds as many reviews as they take at once."""

    status, text = 409, _("您同时最多承担{cap}份互评，现在不能再领。")


def claim(session: Session, *, actor: Person, round_: Round, key: str | None = None) -> Assignment:
    """Take one more work to review: of those that still want a review the least reviewed, among these the oldest.

    What the person declined comes last, so that declining never leaves them stuck; what they reported, never. Only somebody who owes more reviews
    than they hold gets a work that has all it wants: nobody waits for others. The same `key` again is the same claim
    sent twice, and returns its task. Raises NotAllowed for somebody who is exempt or has left, CapReached,
    NothingToReview.
    """
    take_turn(session, organization_id=round_.organization_id)
    require_phase(round_, RoundPhase.OPEN, RoundPhase.SCORING)
    enrolment = enrolment_of(session, round_=round_, person=actor)
    if enrolment.state is EnrolmentState.EXEMPT:
        raise NotAllowed(why=say(_("免训教师不参加互评")))
    if not gets_reviews(session, enrolment_id=enrolment.id):
        raise NotAllowed(why=say(_("您已不再承担互评")))
    if (again := _claimed_before(session, actor=actor, round_=round_, key=key)) is not None:
        return again
    cap, holding = enrolment.review_cap, _works_held(session, actor=actor, round_=round_, states=UNDONE)
    if cap is not None and holding >= cap:
        raise CapReached(cap=cap)
    scheme = round_scheme(session, round_=round_)
    taken = _take(session, actor=actor, round_=round_, scheme=scheme, key=key, wanting=True)
    if taken is None and _owes_more(session, actor=actor, round_=round_, scheme=scheme):
        taken = _take(session, actor=actor, round_=round_, scheme=scheme, key=key, wanting=False)
    if taken is None:
        raise NothingToReview
    assignment = session.get_one(Assignment, taken)
    due_at = session.scalar(select(Submission.peer_due_at).where(Submission.id == assignment.submission_id))
    assignment.lease_until = lease_end(scheme, due_at=due_at)
    audit.record(session, organization_id=round_.organization_id, actor=actor, deed="review.claim", about=assignment)
    return assignment


def _claimed_before(session: Session, *, actor: Person, round_: Round, key: str | None) -> Assignment | None:
    if key is None:
        return None
    return session.scalars(
        select(Assignment).where(
            Assignment.reviewer_id == actor.id, Assignment.round_id == round_.id, Assignment.claim_key == key
        )
    ).first()


def _take(
    session: Session, *, actor: Person, round_: Round, scheme: Scheme, key: str | None, wanting: bool
) -> int | None:
    """Insert the task where a work is to be had, as one conditional statement; return its id.

    The turn makes the claims of a school follow each other; the lock on the work's row keeps out whoever has no turn.
    """
    mine = select(Assignment.submission_id).where(
        Assignment.reviewer_id == actor.id, Assignment.submission_id.is_not(None)
    )
    declined = Submission.id.in_(mine.where(Assignment.state == AssignmentState.DECLINED))
    reviewers = (
        select(func.count())
        .select_from(Assignment)
        .where(Assignment.submission_id == Submission.id, Assignment.state.in_(LIVE))
        .correlate(Submission)
        .scalar_subquery()
    )
    values: dict[str, Any] = {
        "round_id": round_.id,
        "reviewer_id": actor.id,
        "state": AssignmentState.ASSIGNED,
        "assigned_at": now(),
        "lease_until": lease_end(scheme),
        "claim_key": key,
    }
    columns = Assignment.__table__.c
    work = (
        select(
            Submission.id, Submission.author_id, *(literal(value, columns[name].type) for name, value in values.items())
        )
        .where(
            Submission.round_id == round_.id,
            Submission.state.in_(OPEN_TO_REVIEW),
            open_to_peers(scheme),
            Submission.author_id.not_in(kept_apart(person=actor, rules=scheme.review.peer.allocation)),
            Submission.id.not_in(mine.where(Assignment.state.in_(LIVE))),
            Submission.id.not_in(mine.join(FileReport, FileReport.assignment_id == Assignment.id)),
            *([reviewers < scheme.review.peer.receive_target + Submission.extra_reviews] if wanting else []),
        )
        .order_by(case((declined, 1), else_=0), reviewers, Submission.sealed_at, Submission.id)
        .limit(1)
        .with_for_update(of=Submission, skip_locked=True)
    )
    taken = insert(Assignment).from_select(["submission_id", "author_id", *values], work).returning(Assignment.id)
    return session.scalars(taken).one_or_none()


def _works_held(session: Session, *, actor: Person, round_: Round, states: Sequence[AssignmentState]) -> int:
    """Return how many works of others a person holds in these states; samples are nobody's turn."""
    held = select(func.count()).where(
        Assignment.reviewer_id == actor.id,
        Assignment.round_id == round_.id,
        Assignment.submission_id.is_not(None),
        Assignment.state.in_(states),
    )
    return session.scalar(held) or 0


def _owes_more(session: Session, *, actor: Person, round_: Round, scheme: Scheme) -> bool:
    """Whether the person owes more reviews, for the works they chose, than they have given or hold."""
    works = session.scalar(
        select(func.count())
        .select_from(Submission)
        .where(
            Submission.author_id == actor.id,
            Submission.round_id == round_.id,
            Submission.state != SubmissionState.REPLACED,
        )
    )
    held = session.scalar(
        select(func.count())
        .select_from(Assignment)
        .where(Assignment.reviewer_id == actor.id, Assignment.round_id == round_.id, Assignment.state.in_(LIVE))
    )
    return scheme.review.peer.before_submit and (held or 0) < scheme.review.peer.give * (works or 0)


def take_sample(session: Session, *, actor: Person, round_: Round, key: str | None = None) -> Assignment:
    """Take a calibration sample that the person has not reviewed yet (X-41); the same `key` again is the same claim."""
    take_turn(session, organization_id=round_.organization_id)
    require_phase(round_, RoundPhase.OPEN, RoundPhase.SCORING)
    enrolment_of(session, round_=round_, person=actor)
    if (again := _claimed_before(session, actor=actor, round_=round_, key=key)) is not None:
        return again
    seen = select(Assignment.sample_id).where(
        Assignment.reviewer_id == actor.id, Assignment.sample_id.is_not(None), Assignment.state.in_(LIVE)
    )
    sample = session.scalars(
        select(CalibrationSample)
        .where(CalibrationSample.round_id == round_.id, CalibrationSample.id.not_in(seen))
        .order_by(CalibrationSample.id)
        .limit(1)
    ).first()
    if sample is None:
        raise NothingToReview
    assignment = Assignment(
        round_id=round_.id,
        reviewer_id=actor.id,
        sample_id=sample.id,
        state=AssignmentState.ASSIGNED,
        assigned_at=now(),
        lease_until=lease_end(round_scheme(session, round_=round_)),
        claim_key=key,
    )
    session.add(assignment)
    session.flush()
    audit.record(session, organization_id=round_.organization_id, actor=actor, deed="review.claim", about=assignment)
    return assignment
