"""互评分配: gives each sealed submission its reviewers as it arrives; what it decides is rules/allocation."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import select

from models import Assignment, Conflict, Enrolment, Person, Round, Submission
from review_flow.clock import now
from review_flow.i18n import _
from review_flow.rules.allocation import Allocation, Reviewer, Weights, Work, allocate
from review_flow.rules.lifecycle import EnrolmentState, RoundPhase
from review_flow.rules.words import AssignmentState
from review_flow.steps import audit
from review_flow.steps.duty import OPEN_TO_REVIEW
from review_flow.steps.messages import tell
from review_flow.steps.reviews import LIVE, lease_end
from review_flow.steps.rounds import round_scheme
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

UNBOUNDED = 1_000_000


def allocate_reviews(session: Session, *, round_: Round) -> Allocation:
    """Assign what is still wanted: every submission open to review gets the scheme's number of reviewers.

    Raises nothing when the demand can't be met: the rest stays wanted, and the reason is in `blocked_by`.
    """
    take_turn(session, organization_id=round_.organization_id)
    if round_.phase not in {RoundPhase.OPEN, RoundPhase.SCORING}:
        return Allocation(pairs=(), unmet={}, blocked_by=None, optimal=True)
    scheme = round_scheme(session, round_=round_)
    held = list(session.scalars(select(Assignment).where(Assignment.round_id == round_.id)))
    live = [one for one in held if one.state in LIVE]
    received = Counter(one.submission_id for one in live if one.submission_id is not None)
    works = [
        Work(
            id=submission.id,
            authors=frozenset({submission.author_id}),
            demand=max(0, scheme.review.peer.receive_target + submission.extra_reviews - received[submission.id]),
            groups=_groups(author),
        )
        for submission, author in session.execute(
            select(Submission, Person)
            .join(Person, Person.id == Submission.author_id)
            .where(Submission.round_id == round_.id, Submission.state.in_(OPEN_TO_REVIEW))
            .order_by(Submission.id)
        )
    ]
    load = Counter(one.reviewer_id for one in live if one.submission_id is not None)
    done = Counter(
        one.reviewer_id for one in live if one.state is AssignmentState.DONE and one.submission_id is not None
    )
    reviewers = [
        Reviewer(
            id=person.id,
            # A cap is of tasks at once, the load is of all: what is done makes room again.
            cap=UNBOUNDED if enrolment.review_cap is None else enrolment.review_cap + done[person.id],
            load=load[person.id],
            groups=_groups(person),
        )
        for enrolment, person in session.execute(
            select(Enrolment, Person)
            .join(Person, Person.id == Enrolment.person_id)
            .where(
                Enrolment.round_id == round_.id,
                Enrolment.reviewing,
                Enrolment.state != EnrolmentState.EXEMPT,
                Person.active,
            )
            .order_by(Person.id)
        )
    ]
    found = allocate(
        reviewers=reviewers,
        works=works,
        conflicts=_conflicts(session, works=works),
        held={(one.reviewer_id, one.submission_id) for one in held if one.submission_id is not None},
        weights=Weights(),
        seed=round_.id,
    )
    _assign(session, round_=round_, found=found, works={work.id: work for work in works})
    return found


def _groups(person: Person) -> dict[str, str]:
    named = {"subject": person.subject, "stage": person.stage, "workshop": str(person.workshop_id or "")}
    return {key: value for key, value in named.items() if value}


def _conflicts(session: Session, *, works: list[Work]) -> set[tuple[int, int]]:
    by_author: dict[int, list[int]] = {}
    for work in works:
        for author in work.authors:
            by_author.setdefault(author, []).append(work.id)
    pairs: set[tuple[int, int]] = set()
    for row in session.scalars(select(Conflict)):
        pairs |= {(row.one_id, work) for work in by_author.get(row.other_id, ())}
        pairs |= {(row.other_id, work) for work in by_author.get(row.one_id, ())}
    return pairs


def _assign(session: Session, *, round_: Round, found: Allocation, works: dict[int, Work]) -> None:
    scheme = round_scheme(session, round_=round_)
    for reviewer_id, work_id in found.pairs:
        (author_id,) = works[work_id].authors
        session.add(
            Assignment(
                round_id=round_.id,
                reviewer_id=reviewer_id,
                submission_id=work_id,
                author_id=author_id,
                state=AssignmentState.ASSIGNED,
                assigned_at=now(),
                lease_until=lease_end(scheme),
            )
        )
    session.flush()
    for reviewer_id, count in Counter(reviewer for reviewer, _work in found.pairs).items():
        tell(
            session,
            person_id=reviewer_id,
            round_id=round_.id,
            kind="review.assigned",
            sentence=_("您有{count}份成果待互评。"),
            count=count,
        )
    if found.pairs or found.unmet:
        audit.record(
            session,
            organization_id=round_.organization_id,
            actor=None,
            deed="reviews.allocate",
            about=round_,
            pairs=[list(pair) for pair in found.pairs],
            unmet={str(work): short for work, short in found.unmet.items()},
        )
