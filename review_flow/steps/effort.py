"""Signs of low effort: noted when a review comes in, told to its reviewer at once, shown to humans after a while."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, select

from models import Assignment, CalibrationSample, Person, Review, ReviewSign, Round, Submission
from review_flow.clock import now
from review_flow.i18n import _, say
from review_flow.rules.effort import SIGNS, Given, signs
from review_flow.rules.words import SeatKind
from review_flow.steps.messages import tell
from review_flow.steps.people import has_seat, require_admin
from review_flow.steps.rounds import round_scheme

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from review_flow.rules.scheme import Scheme


def note(session: Session, *, scheme: Scheme, assignment: Assignment, review: Review) -> tuple[str, ...]:
    """Keep the signs of a review that was just handed in and tell its reviewer; marks and weights stay as they are."""
    rules = scheme.review.peer.effort
    before = _given(session, assignment=assignment, own=True)
    others = _given(session, assignment=assignment, own=False) if rules.copied_share else []
    found = signs(rules, _read(review, seconds=_seconds(session, assignment, review)), own=before, others=others)
    session.add_all(ReviewSign(review_id=review.id, sign=sign, told_at=now()) for sign in found)
    if found:
        tell(
            session,
            person_id=assignment.reviewer_id,
            round_id=assignment.round_id,
            kind="review.effort",
            sentence=_("您刚提交的互评有这些迹象：{signs}。这不影响分数和权重；如果确有原因，可以不必理会。"),
            signs="、".join(say(SIGNS[sign]) for sign in found),
        )
    return found


def _read(review: Review, *, seconds: int | None = None) -> Given:
    parts = [part for part in review.form["components"].values() if part is not None]
    return Given(tuple(Decimal(str(part["mark"])) for part in parts), str(review.form["comment"]), seconds)


_LAST = (
    select(func.max(Review.submitted_at))
    .join(Assignment, Assignment.id == Review.assignment_id)
    .where(
        Assignment.reviewer_id == bindparam("reviewer"),
        Assignment.round_id == bindparam("round"),
        Review.id != bindparam("review"),
        Review.submitted_at <= bindparam("begun"),
    )
)


def _seconds(session: Session, assignment: Assignment, review: Review) -> int:
    """Return the most seconds a review can have taken: since its task came, or since the reviewer's last one before it.

    What was begun before others were handed in was written beside them: it may have taken since the last one before
    its first draft.
    """
    begun = assignment.begun_at or review.submitted_at
    asked = {"reviewer": assignment.reviewer_id, "round": assignment.round_id, "review": review.id, "begun": begun}
    last = session.scalar(_LAST, asked)
    since = max(assignment.assigned_at, last) if last is not None else assignment.assigned_at
    return int((review.submitted_at - since).total_seconds())


_REVIEWS = (
    select(Review)
    .join(Assignment, Assignment.id == Review.assignment_id)
    .where(Assignment.round_id == bindparam("round"), Assignment.id != bindparam("assignment"))
    .order_by(Review.id)
)
_OWN = _REVIEWS.where(Assignment.reviewer_id == bindparam("reviewer"))
_OTHERS = (
    _REVIEWS.outerjoin(Submission, Submission.id == Assignment.submission_id)
    .outerjoin(CalibrationSample, CalibrationSample.id == Assignment.sample_id)
    .where(
        Assignment.reviewer_id != bindparam("reviewer"),
        func.coalesce(Submission.ability, CalibrationSample.ability) == bindparam("ability"),
    )
)


def _given(session: Session, *, assignment: Assignment, own: bool) -> list[Given]:
    """Return the reviewer's other reviews, or what others said of the same ability (or the same sample)."""
    asked = {
        "round": assignment.round_id,
        "assignment": assignment.id,
        "reviewer": assignment.reviewer_id,
        "ability": None if own else _ability(session, assignment),
    }
    return [_read(review) for review in session.scalars(_OWN if own else _OTHERS, asked)]


def _ability(session: Session, assignment: Assignment) -> str:
    if assignment.submission_id is not None:
        return session.get_one(Submission, assignment.submission_id).ability
    return session.get_one(CalibrationSample, assignment.sample_id).ability


def signs_of(session: Session, *, actor: Person, round_: Round) -> list[tuple[Person, Review, list[str]]]:
    """Return reviewer, review and signs for the administrator or the panel, once the reviewer has known them a while.

    Raises NotAllowed for everybody else.
    """
    if not has_seat(session, person_id=actor.id, round_id=round_.id, kinds=[SeatKind.MEMBER]):
        require_admin(session, actor=actor, organization_id=round_.organization_id)
    hours = round_scheme(session, round_=round_).review.peer.effort.tell_first_hours
    rows = session.execute(
        select(Person, Review, ReviewSign)
        .join(Assignment, Assignment.reviewer_id == Person.id)
        .join(Review, Review.assignment_id == Assignment.id)
        .join(ReviewSign, ReviewSign.review_id == Review.id)
        .where(Assignment.round_id == round_.id, ReviewSign.told_at <= now() - timedelta(hours=hours))
        .order_by(Person.number, Review.id, ReviewSign.id)
    )
    found: dict[int, tuple[Person, Review, list[str]]] = {}
    for person, review, sign in rows:
        found.setdefault(review.id, (person, review, []))[2].append(sign.sign)
    return list(found.values())
