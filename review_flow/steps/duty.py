"""The duty to review others (001-A-24): what a teacher owes, and what they have given."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, and_, bindparam, func, or_, select

from models import Assignment, CalibrationSample, Enrolment, Person, Review, Round, Submission
from review_flow.rules.duty import Duty, k_eff
from review_flow.rules.lifecycle import SubmissionState
from review_flow.rules.words import UNDONE, AssignmentState
from review_flow.steps.approvals import let_through, links_before_peers, overdue_before
from review_flow.steps.may_review import HAS_A_CAP_TO_FILL, REVIEWS, apart, kept_by
from review_flow.steps.rounds import round_scheme

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import Session

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
    workshop, subject = kept_by(person=author, rules=peer.allocation)
    links = links_before_peers(scheme)
    counts = _counts(of_workshop=workshop is not None, of_subject=subject is not None, links=links)
    asked = {
        "round": round_.id,
        "person": author.id,
        "enrolment": submission.enrolment_id,
        "sealed_at": submission.sealed_at,
        "workshop": workshop,
        "subject": subject,
        "overdue": overdue_before(scheme),
    }
    sealed, pool, samples, done = session.execute(counts, asked).one()
    owed = k_eff(peer.give * sealed, pool, samples if peer.pool_fallback == "calibration" else 0)
    return owed, done


_PERSON, _ROUND, _ENROLMENT = (bindparam(name, type_=BigInteger) for name in ("person", "round", "enrolment"))
_GIVEN = (
    select(func.count(Review.id))
    .join(Assignment, Review.assignment_id == Assignment.id)
    .where(Assignment.reviewer_id == _PERSON, Assignment.round_id == _ROUND)
)


@cache
def _counts(*, of_workshop: bool, of_subject: bool, links: tuple[str, ...]) -> Select[tuple[int, int, int, int]]:
    """Select of works sealed, the pool, samples, and reviews given: built once for each way a scheme may ask."""
    sealed = select(func.count(Submission.id)).where(
        Submission.enrolment_id == _ENROLMENT,
        Submission.sealed_at <= bindparam("sealed_at"),
        Submission.state != SubmissionState.REPLACED,
    )
    pool = _pool(
        apart(
            _PERSON,
            workshop=bindparam("workshop") if of_workshop else None,
            subject=bindparam("subject") if of_subject else None,
        ),
        let_through(links, overdue=bindparam("overdue")),
    )
    samples = select(func.count(CalibrationSample.id)).where(CalibrationSample.round_id == _ROUND)
    return select(*(one.scalar_subquery() for one in (sealed, pool, samples, _GIVEN)))


def _pool(kept: Select[tuple[int]], open_to_peers: ColumnElement[bool]) -> Select[tuple[int]]:
    """Select how many works of others the author can review, holds, or has reviewed."""
    mine = select(Assignment.submission_id).where(
        Assignment.reviewer_id == _PERSON,
        Assignment.round_id == _ROUND,
        Assignment.submission_id.is_not(None),
    )
    able = select(Enrolment.id).join(Person, Person.id == Enrolment.person_id)
    able = able.where(Enrolment.id == _ENROLMENT, REVIEWS, HAS_A_CAP_TO_FILL)
    return select(func.count(Submission.id)).where(
        Submission.round_id == _ROUND,
        or_(
            Submission.id.in_(mine.where(Assignment.state == AssignmentState.DONE)),
            and_(
                Submission.author_id.not_in(kept),
                or_(
                    Submission.id.in_(mine.where(Assignment.state.in_(UNDONE))),
                    and_(Submission.state.in_(OPEN_TO_REVIEW), open_to_peers, able.exists()),
                ),
            ),
        ),
    )


def given(session: Session, *, round_id: int, person_id: int) -> int:
    """Return how many complete reviews a person has given in the round, samples among them."""
    return session.scalar(_GIVEN, {"person": person_id, "round": round_id}) or 0
