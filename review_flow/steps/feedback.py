"""Feedback both ways: the author says whether a review helped, the reviewer sees how their marks sat, the school how all agree."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import or_, select
from sqlalchemy.orm import aliased

from models import Assignment, Enrolment, Person, Result, Review, ReviewAnswer, Round, Submission
from review_flow.clock import now
from review_flow.errors import Refusal
from review_flow.i18n import _, say
from review_flow.rules.lifecycle import ResultState, SubmissionState
from review_flow.rules.peer_marks import Mark, Sample, Standing, alpha, weigh
from review_flow.rules.peer_rules import ReliabilityRules
from review_flow.rules.words import AssignmentState
from review_flow.steps import audit
from review_flow.steps.duty import OPEN_TO_REVIEW
from review_flow.steps.peer_marks import marks_of, samples_of
from review_flow.steps.people import require_admin
from review_flow.steps.rounds import round_scheme
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import Session


STILL_PEERS = (*OPEN_TO_REVIEW, SubmissionState.CORRECTING)
"""A work that is corrected goes back to its peers: what they said stays closed until they are done."""


class NotYourWork(Refusal):
    """Only the author says whether a review of their work helped."""

    status, text = 403, _("只有成果的作者能评价收到的互评。")


class StillReviewed(Refusal):
    """While peers still review, the author sees none of it."""

    status, text = 409, _("互评还在进行（{state}），结束后再评价。")


class AlreadyAnswered(Refusal):
    """Said once; not taken back."""

    status, text = 409, _("您已评价过这份互评。")


@dataclass(frozen=True, slots=True)
class Received:
    """A review as its author sees it: what it says, not whose it is; `helped` None: the author has not said."""

    review: int
    ability: str
    comment: str
    helped: bool | None


@dataclass(frozen=True, slots=True)
class Beside:
    """A reviewer's own mark beside the final ones, and what the author said of it; None: there is none."""

    review: int
    ability: str
    mine: Decimal
    peers: Decimal | None
    panel: Decimal | None
    helped: bool | None
    comment: str | None


@dataclass(frozen=True, slots=True)
class Given:
    """Every mark of colleagues in a round, those of samples, whose they are, and how the scheme weighs them."""

    people: Sequence[Person]
    marks: tuple[Mark, ...]
    samples: tuple[Sample, ...]
    rules: ReliabilityRules


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a school's reviewers agree: Krippendorff's alpha, and each reviewer's bias with its interval."""

    alpha: Decimal | None
    reviewers: list[tuple[Person, Standing]]


def received_by(session: Session, *, person: Person, round_: Round) -> list[Received]:
    """Return the reviews of a person's works that peers have done with, by ability and age."""
    rows = session.execute(
        _reviews(round_)
        .where(Assignment.author_id == person.id, ~_with_peers())
        .order_by(Submission.ability, Review.id)
    )
    return [
        Received(review.id, work.ability, str(review.form["comment"]), answer.helped if answer else None)
        for review, work, answer in rows
    ]


def _with_peers() -> ColumnElement[bool]:
    """Whether peers may still say something of a work: it is theirs, or one of them has begun."""
    theirs = aliased(Assignment)
    begun = select(theirs.id).where(theirs.submission_id == Submission.id, theirs.state == AssignmentState.BEGUN)
    return or_(Submission.state.in_(STILL_PEERS), begun.exists())


def _reviews(round_: Round) -> Select[Any]:
    return (
        select(Review, Submission, ReviewAnswer)
        .join(Assignment, Assignment.id == Review.assignment_id)
        .join(Submission, Submission.id == Assignment.submission_id)
        .outerjoin(ReviewAnswer, ReviewAnswer.review_id == Review.id)
        .where(Assignment.round_id == round_.id)
    )


def answer(
    session: Session, *, actor: Person, review: Review, helped: bool, comment: str | None = None
) -> ReviewAnswer:
    """Say, as the author, whether a review helped; its reviewer reads it when the author's grade is final.

    Raises NotYourWork, StillReviewed, AlreadyAnswered.
    """
    assignment = session.get_one(Assignment, review.assignment_id)
    round_ = session.get_one(Round, assignment.round_id)
    take_turn(session, organization_id=round_.organization_id)
    if assignment.submission_id is None or assignment.author_id != actor.id:
        raise NotYourWork
    work = session.get_one(Submission, assignment.submission_id)
    if session.scalars(select(Submission.id).where(Submission.id == work.id, _with_peers())).first() is not None:
        raise StillReviewed(state=say(work.state.label))
    if session.scalars(select(ReviewAnswer.id).where(ReviewAnswer.review_id == review.id)).first() is not None:
        raise AlreadyAnswered
    said = ReviewAnswer(
        review_id=review.id, author_id=actor.id, helped=helped, comment=(comment or "").strip() or None, at=now()
    )
    session.add(said)
    session.flush()
    audit.record(
        session, organization_id=round_.organization_id, actor=actor, deed="review.answer", about=review, helped=helped
    )
    return said


def beside(session: Session, *, person: Person, round_: Round) -> list[Beside]:
    """Return a reviewer's marks beside the final ones, for works whose author's grade is final; nothing before."""
    rows = session.execute(
        _reviews(round_)
        .add_columns(Result.outcome)
        .join(Enrolment, Enrolment.id == Submission.enrolment_id)
        .join(Result, Result.enrolment_id == Enrolment.id)
        .where(Assignment.reviewer_id == person.id, Result.current, Result.state == ResultState.FINAL)
        .order_by(Review.id)
        .execution_options(populate_existing=True)
    )
    found = []
    for review, work, said, outcome in rows:
        final: dict[str, Any] = next(
            (one for one in json.loads(outcome)["abilities"] if one["code"] == work.ability), {}
        )
        found.append(
            Beside(
                review=review.id,
                ability=work.ability,
                mine=review.mark,
                peers=_mark(final.get("peer")),
                panel=_mark(final.get("panel")),
                helped=said.helped if said else None,
                comment=said.comment if said else None,
            )
        )
    return found


def _mark(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def gather(session: Session, *, actor: Person, round_: Round) -> Given:
    """Return what the agreement is computed from, for the school's administrator (NotAllowed for others)."""
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    marks, samples = marks_of(session, round_=round_), samples_of(session, round_=round_)
    # By id, not by enrolment: who stood in from the panel is enrolled nowhere.
    known = {int(one.reviewer) for one in marks} | {int(one.reviewer) for one in samples}
    people = session.scalars(select(Person).where(Person.id.in_(known)).order_by(Person.number)).all()
    return Given(people, marks, samples, round_scheme(session, round_=round_).review.peer.reliability)


def agree(given: Given) -> Agreement:
    """Return how the reviewers agree. It takes seconds for a large school, so it belongs outside of any transaction."""
    standings = weigh(given.marks, given.samples, given.rules).reviewers
    ranked = [(person, standings[str(person.id)]) for person in given.people if str(person.id) in standings]
    return Agreement(alpha(given.marks), ranked)


def agreement(session: Session, *, actor: Person, round_: Round) -> Agreement:
    """Return how the round's reviewers agree, gathered and computed at once."""
    return agree(gather(session, actor=actor, round_=round_))
