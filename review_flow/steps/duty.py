"""The duty to review others (001-A-24): what a teacher owes, and what they have given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, func, or_, select

from models import Assignment, CalibrationSample, Enrolment, Person, Review, Round, Submission
from review_flow.rules.duty import Duty, k_eff
from review_flow.rules.lifecycle import SubmissionState
from review_flow.rules.words import UNDONE, AssignmentState
from review_flow.steps.approvals import open_to_peers
from review_flow.steps.may_review import HAS_A_CAP_TO_FILL, REVIEWS, kept_apart
from review_flow.steps.rounds import round_scheme

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from review_flow.rules.scheme import Scheme

OPEN_TO_REVIEW = (
    SubmissionState.SEALED,
    SubmissionState.SUBMITTED,
    SubmissionState.IN_PEER_REVIEW,
)


def duty(session: Session, *, submission: Submission) -> tuple[Duty, int]:
    """Return what the author owes before this submission goes forward, and what they have given so far.

    Each sealed submission of theirs asks for the scheme's number of reviews; the pool is every work of others that
    they may review, hold or have reviewed, and samples fill what it lacks (X-41, N15-N17). Declining a task doesn't
    lessen the duty; a conflict of interest is declared as one. Who gets no reviews any more owes none besides.
    """
    round_ = session.get_one(Round, submission.round_id)
    scheme = round_scheme(session, round_=round_)
    peer = scheme.review.peer
    if not peer.before_submit:
        return Duty(0, 0), 0
    author = session.get_one(Person, submission.author_id)
    counts = (
        select(func.count(Submission.id)).where(
            Submission.enrolment_id == submission.enrolment_id,
            Submission.sealed_at <= submission.sealed_at,
            Submission.state != SubmissionState.REPLACED,
        ),
        _pool(scheme, round_id=round_.id, author=author, enrolment_id=submission.enrolment_id),
        select(func.count(CalibrationSample.id)).where(CalibrationSample.round_id == round_.id),
        _given(round_id=round_.id, person_id=author.id),
    )
    sealed, pool, samples, done = session.execute(select(*(one.scalar_subquery() for one in counts))).one()
    owed = k_eff(peer.give * sealed, pool, samples if peer.pool_fallback == "calibration" else 0)
    return owed, done


def _pool(scheme: Scheme, *, round_id: int, author: Person, enrolment_id: int) -> Select[tuple[int]]:
    """Select how many works of others the author can review, holds, or has reviewed."""
    rules = scheme.review.peer.allocation
    mine = select(Assignment.submission_id).where(
        Assignment.reviewer_id == author.id,
        Assignment.round_id == round_id,
        Assignment.submission_id.is_not(None),
    )
    able = select(Enrolment.id).join(Person, Person.id == Enrolment.person_id)
    able = able.where(Enrolment.id == enrolment_id, REVIEWS, HAS_A_CAP_TO_FILL)
    return select(func.count(Submission.id)).where(
        Submission.round_id == round_id,
        or_(
            Submission.id.in_(mine.where(Assignment.state == AssignmentState.DONE)),
            and_(
                Submission.author_id.not_in(kept_apart(person=author, rules=rules)),
                or_(
                    Submission.id.in_(mine.where(Assignment.state.in_(UNDONE))),
                    and_(Submission.state.in_(OPEN_TO_REVIEW), open_to_peers(scheme), able.exists()),
                ),
            ),
        ),
    )


def given(session: Session, *, round_id: int, person_id: int) -> int:
    """Return how many complete reviews a person has given in the round, samples among them."""
    return session.scalar(_given(round_id=round_id, person_id=person_id)) or 0


def _given(*, round_id: int, person_id: int) -> Select[tuple[int]]:
    return (
        select(func.count(Review.id))
        .join(Assignment, Review.assignment_id == Assignment.id)
        .where(Assignment.reviewer_id == person_id, Assignment.round_id == round_id)
    )
