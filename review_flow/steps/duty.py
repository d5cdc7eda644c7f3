"""The duty to review others (001-A-24): what a teacher owes, and what they have given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select

from models import Assignment, CalibrationSample, Review, Round, Submission
from review_flow.rules.duty import Duty, k_eff
from review_flow.rules.lifecycle import SubmissionState
from review_flow.steps.people import conflicting_with
from review_flow.steps.rounds import round_scheme

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

OPEN_TO_REVIEW = (
    SubmissionState.SEALED,
    SubmissionState.SUBMITTED,
    SubmissionState.IN_PEER_REVIEW,
)


def duty(session: Session, *, submission: Submission) -> tuple[Duty, int]:
    """Return what the author owes before this submission goes forward, and what they have given so far.

    Each sealed submission of theirs asks for the scheme's number of reviews; the pool is every work of others that
    they could review or have reviewed, and samples fill what it lacks (X-41, N15-N17). Declining a task doesn't lessen
    the duty; a conflict of interest is declared as one.
    """
    round_ = session.get_one(Round, submission.round_id)
    peer = round_scheme(session, round_=round_).review.peer
    if not peer.before_submit:
        return Duty(0, 0), 0
    sealed = session.scalar(
        select(func.count())
        .select_from(Submission)
        .where(
            Submission.enrolment_id == submission.enrolment_id,
            Submission.sealed_at <= submission.sealed_at,
            Submission.state != SubmissionState.REPLACED,
        )
    )
    author = submission.author_id
    done = (
        select(Assignment.submission_id)
        .join(Review, Review.assignment_id == Assignment.id)
        .where(
            Assignment.reviewer_id == author, Assignment.round_id == round_.id, Assignment.submission_id.is_not(None)
        )
    )
    pool = session.scalar(
        select(func.count())
        .select_from(Submission)
        .where(
            Submission.round_id == round_.id,
            Submission.author_id.not_in(conflicting_with(session, person_id=author)),
            or_(Submission.id.in_(done), Submission.state.in_(OPEN_TO_REVIEW)),
        )
    )
    samples = session.scalar(
        select(func.count()).select_from(CalibrationSample).where(CalibrationSample.round_id == round_.id)
    )
    owed = k_eff(peer.give * (sealed or 0), pool or 0, (samples or 0) if peer.pool_fallback == "calibration" else 0)
    return owed, given(session, round_id=round_.id, person_id=author)


def given(session: Session, *, round_id: int, person_id: int) -> int:
    """Return how many complete reviews a person has given in the round, samples among them."""
    return (
        session.scalar(
            select(func.count())
            .select_from(Review)
            .join(Assignment, Review.assignment_id == Assignment.id)
            .where(Assignment.reviewer_id == person_id, Assignment.round_id == round_id)
        )
        or 0
    )
