"""互评分配: gives each sealed submission its reviewers as it arrives; what it decides is rules/allocation."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from sqlalchemy import select

from models import Assignment, Conflict, Enrolment, Person, Round, Submission
from review_flow.clock import now
from review_flow.i18n import _
from review_flow.rules.allocation import Allocation, Reviewer, Work, allocate
from review_flow.rules.lifecycle import EnrolmentState, RoundPhase
from review_flow.rules.words import AssignmentState
from review_flow.steps import audit
from review_flow.steps.duty import OPEN_TO_REVIEW
from review_flow.steps.messages import tell
from review_flow.steps.reviews import LIVE, lease_end
from review_flow.steps.rounds import round_scheme
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

    from review_flow.rules.allocation import Pair

UNBOUNDED = 1_000_000


def allocate_reviews(session: Session, *, round_: Round) -> Allocation:
    """Assign what is still wanted: every submission open to review gets the scheme's number of reviewers.

    What somebody has begun stays theirs. A task that nobody has begun goes to somebody else where its reviewer is gone
    or must step aside, and where nothing else gives every work its reviews; else it stays too. Raises nothing when
    the demand can't be met: the rest stays wanted, and the reason is in `blocked_by`.
    """
    take_turn(session, organization_id=round_.organization_id)
    if round_.phase not in {RoundPhase.OPEN, RoundPhase.SCORING}:
        return Allocation()
    peer = round_scheme(session, round_=round_).review.peer
    tasks = list(
        session.scalars(
            select(Assignment).where(
                Assignment.round_id == round_.id,
                Assignment.submission_id.is_not(None),
                Assignment.state != AssignmentState.WITHDRAWN,
            )
        )
    )
    standing = {_pair(one): one for one in tasks if one.state is AssignmentState.ASSIGNED}
    fixed = [one for one in tasks if one.state in LIVE and one.state is not AssignmentState.ASSIGNED]
    received = Counter(one.submission_id for one in fixed)
    works = [
        Work(
            id=submission.id,
            authors=frozenset({submission.author_id}),
            demand=max(0, peer.receive_target + submission.extra_reviews - received[submission.id]),
            groups=_groups(author),
        )
        for submission, author in session.execute(
            select(Submission, Person)
            .join(Person, Person.id == Submission.author_id)
            .where(Submission.round_id == round_.id, Submission.state.in_(OPEN_TO_REVIEW))
            .order_by(Submission.id)
        )
    ]
    found = allocate(
        reviewers=_reviewers(session, round_=round_, fixed=fixed),
        works=works,
        conflicts=_works_of(works, _conflicts(session)),
        held={_pair(one) for one in tasks} - standing.keys(),
        standing=standing.keys(),
        former=_works_of(works, _former(session, round_=round_)),
        rules=peer.allocation,
        seed=round_.id,
    )
    for pair in found.withdrawn:
        standing[pair].state, standing[pair].ended_at = AssignmentState.WITHDRAWN, now()
    session.flush()
    _assign(session, round_=round_, found=found, works={work.id: work for work in works})
    return found


def _pair(task: Assignment) -> Pair:
    assert task.submission_id is not None, "samples were not asked for"
    return task.reviewer_id, task.submission_id


def _reviewers(session: Session, *, round_: Round, fixed: list[Assignment]) -> list[Reviewer]:
    load = Counter(one.reviewer_id for one in fixed)
    done = Counter(one.reviewer_id for one in fixed if one.state is AssignmentState.DONE)
    return [
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


def _groups(person: Person) -> dict[str, str]:
    named = {"subject": person.subject, "stage": person.stage, "workshop": str(person.workshop_id or "")}
    return {key: value for key, value in named.items() if value}


def _conflicts(session: Session) -> set[Pair]:
    """Return (reviewer, author) of everybody who may not judge the other."""
    declared = [(row.one_id, row.other_id) for row in session.scalars(select(Conflict))]
    return {*declared, *((other, one) for one, other in declared)}


def _former(session: Session, *, round_: Round) -> set[Pair]:
    """Return (reviewer, author) of what was reviewed in the school's other rounds."""
    rows = session.execute(
        select(Assignment.reviewer_id, Assignment.author_id)
        .join(Round, Round.id == Assignment.round_id)
        .where(
            Round.organization_id == round_.organization_id,
            Round.id != round_.id,
            Assignment.state == AssignmentState.DONE,
            Assignment.author_id.is_not(None),
        )
        .distinct()
    )
    return {(reviewer, author) for reviewer, author in rows if author is not None}


def _works_of(works: list[Work], people: Iterable[Pair]) -> set[Pair]:
    """Return (reviewer, work) for each (reviewer, author)."""
    written: defaultdict[int, list[int]] = defaultdict(list)
    for work in works:
        for author in work.authors:
            written[author].append(work.id)
    return {(reviewer, work) for reviewer, author in people for work in written.get(author, ())}


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
    for kind, sentence, pairs in (
        ("review.assigned", _("您有{count}份成果待互评。"), found.pairs),
        ("review.withdrawn", _("您有{count}份尚未开始的互评已改由他人完成，不必再评。"), found.withdrawn),
    ):
        for reviewer_id, count in Counter(reviewer for reviewer, _work in pairs).items():
            tell(session, person_id=reviewer_id, round_id=round_.id, kind=kind, sentence=sentence, count=count)
    if found.pairs or found.withdrawn or found.unmet:
        audit.record(
            session,
            organization_id=round_.organization_id,
            actor=None,
            deed="reviews.allocate",
            about=round_,
            pairs=[list(pair) for pair in found.pairs],
            withdrawn=[list(pair) for pair in found.withdrawn],
            unmet={str(work): short for work, short in found.unmet.items()},
        )
