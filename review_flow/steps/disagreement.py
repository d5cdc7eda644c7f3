"""Where peers differ, one more of them looks before the panel does; the panel sees such works first (001-A-07)."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import select

from models import Assignment, Enrolment, Person, Round, Submission
from review_flow.rules.grading import grade
from review_flow.rules.lifecycle import SubmissionState
from review_flow.rules.marks import has_scale, judged, plain_method, position_of
from review_flow.rules.peer_marks import by_work, disagreements, spread_of, straddle
from review_flow.rules.words import WorkKind
from review_flow.steps import audit
from review_flow.steps.facts import record_of
from review_flow.steps.may_review import HAS_A_CAP_TO_FILL, REVIEWS, kept_apart
from review_flow.steps.peer_marks import marks_of
from review_flow.steps.rounds import round_scheme
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from review_flow.rules.marks import Number
    from review_flow.rules.scheme import Scheme


COUNT_NOTHING = (SubmissionState.INVALID, SubmissionState.CLOSED, SubmissionState.REPLACED)


def look(session: Session, *, submission: Submission) -> bool:
    """Note on a work whether its reviewers differ, and why; return whether they do. Without reviews nobody differs."""
    round_ = session.get_one(Round, submission.round_id)
    scheme = round_scheme(session, round_=round_)
    rules = scheme.review.peer.disagreement
    everything = by_work(marks_of(session, round_=round_, ability=submission.ability))
    marks = [one.mark for one in everything.get(str(submission.id), ())]
    if not marks:
        submission.disagreement = None
        return False
    scatter, freedom = spread_of(everything)
    prior = rules.honest_marks
    variance = (prior * float(rules.honest_spread) ** 2 + freedom * scatter) / (prior + freedom)
    scaled = has_scale(scheme)
    chance = _chance(session, scheme=scheme, submission=submission, variance=variance) if scaled else 0.0
    place = partial(position_of, scheme) if scaled else None
    reasons = disagreements(rules, marks, place=place, chance=chance)
    submission.disagreement = ",".join(reasons) or None
    return bool(reasons)


def _chance(session: Session, *, scheme: Scheme, submission: Submission, variance: float) -> float:
    """Return the probability that one more honest mark moves the author across a band.

    The author's number is that of all their works that stand, with the panel taken to agree with the peers where it
    has not marked. While a work has no mark at all the number may still come to lie anywhere: then one more mark of
    another moves it across a band with next to no probability, whichever came first.
    """
    standing = select(Submission.ability).where(
        Submission.enrolment_id == submission.enrolment_id, Submission.state.not_in(COUNT_NOTHING)
    )
    record = record_of(session, enrolment=session.get_one(Enrolment, submission.enrolment_id), weighed=False)
    stand = set(session.scalars(standing))
    if any(not (one["peer"] or one["panel"]) for one in record["abilities"] if one["code"] in stand):
        return 0.0
    for ability in record["abilities"]:
        ability["panel"] = ability["panel"] or ability["peer"]
    outcome = grade(scheme, record)
    counting = [one.code for one in outcome.abilities if one.counts]
    weight = scheme.compose.sources.get("peer")
    if outcome.score is None or not weight or submission.ability not in counting:
        return 0.0
    marks = next(one["peer"] for one in record["abilities"] if one["code"] == submission.ability)

    def place(number: Number) -> int:
        return position_of(scheme, judged(scheme, number))

    return straddle(
        plain_method(scheme.review.peer.aggregate),
        [Fraction(mark) for mark in marks],
        number=outcome.score,
        share=Fraction(weight) / len(counting),
        place=place,
        variance=variance,
        scale=scheme.adjust.clamp,
    )


def ask_more(session: Session, *, submission: Submission) -> bool:
    """Ask for one more reviewer where the scheme allows it and somebody is left; return whether the work waits."""
    round_ = session.get_one(Round, submission.round_id)
    if submission.extra_reviews >= round_scheme(session, round_=round_).review.peer.disagreement.more:
        return False
    if not _somebody_left(session, submission=submission):
        return False
    submission.extra_reviews += 1
    enqueue(session, kind=WorkKind.ALLOCATE_REVIEWS, subject_id=round_.id)
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=None,
        deed="peer.more",
        about=submission,
        why=submission.disagreement,
    )
    return True


def _somebody_left(session: Session, *, submission: Submission) -> bool:
    """Return whether anybody who may review this work never had it: who declined it or let it lapse is not waited for."""
    rules = round_scheme(session, round_=session.get_one(Round, submission.round_id)).review.peer.allocation
    author = session.get_one(Person, submission.author_id)
    had_it = select(Assignment.reviewer_id).where(Assignment.submission_id == submission.id)
    free = (
        select(Enrolment.id)
        .join(Person, Person.id == Enrolment.person_id)
        .where(
            Enrolment.round_id == submission.round_id,
            REVIEWS,
            HAS_A_CAP_TO_FILL,
            Person.id.not_in(kept_apart(person=author, rules=rules)),
            Person.id.not_in(had_it),
        )
        .limit(1)
    )
    return session.scalars(free).first() is not None
