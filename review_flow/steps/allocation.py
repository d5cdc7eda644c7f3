"""互评分配: gives each sealed submission its reviewers as it arrives; what it decides is rules/allocation."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from sqlalchemy import select

from models import Assignment, Enrolment, Notice, PanelSeat, Person, Round, Submission
from review_flow.clock import now
from review_flow.i18n import _
from review_flow.rules.allocation import Allocation, Groups, Reviewer, Work, allocate
from review_flow.rules.lifecycle import RoundPhase
from review_flow.rules.words import LIVE, AssignmentState, SeatKind
from review_flow.steps import audit
from review_flow.steps.approvals import open_to_peers
from review_flow.steps.duty import OPEN_TO_REVIEW
from review_flow.steps.may_review import REVIEWS
from review_flow.steps.messages import tell, tell_admins
from review_flow.steps.panel import free_seats
from review_flow.steps.people import conflicts_of
from review_flow.steps.reviews import lease_end
from review_flow.steps.rounds import round_scheme
from review_flow.steps.taking_back import GIVEN_TO_OTHERS
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy.orm import Session

    from review_flow.rules.allocation import Blocked, Pair

UNBOUNDED = 1_000_000


def allocate_reviews(session: Session, *, round_: Round) -> Allocation:
    """Assign what is still wanted: every submission open to review gets the scheme's number of reviewers.

    What somebody has begun stays theirs. A task that nobody has begun goes to somebody else where its reviewer is gone
    or must step aside, and where nothing else gives every work its reviews; else it stays too. What was not done within
    its lease goes to the reserve: volunteers first, then whoever has the least, then the panel. Raises nothing when
    the demand can't be met: the rest stays wanted, and the reason is in `blocked_by`.
    """
    take_turn(session, organization_id=round_.organization_id)
    if round_.phase not in {RoundPhase.OPEN, RoundPhase.SCORING}:
        return Allocation()
    pool = _Pool(session, round_)
    taken_over = pool.take_over(pool.teachers(volunteers=True))
    found = pool.allocate()
    stood_in = pool.take_over(*pool.panel())
    found = replace(
        found,
        pairs=tuple(sorted(found.pairs + taken_over + stood_in)),
        unmet=pool.wanting(),
        # What the panel took over is missing no more: the sentence is of what is missing now.
        blocked_by=pool.blocked() if stood_in else found.blocked_by,
    )
    session.flush()
    _assign(session, round_=round_, found=found, works=pool.works)
    _say_who_stands_in_the_way(session, round_=round_, found=found)
    return found


class _Pool:
    """The works of a round that are open to review, who holds them, and who failed to: what allocating needs to know."""

    def __init__(self, session: Session, round_: Round) -> None:
        self.session, self.round = session, round_
        self.peer = round_scheme(session, round_=round_).review.peer
        self.tasks = list(
            session.scalars(
                select(Assignment).where(
                    Assignment.round_id == round_.id,
                    Assignment.submission_id.is_not(None),
                    Assignment.state != AssignmentState.WITHDRAWN,
                )
            )
        )
        self.stand_ins = set(
            session.scalars(
                select(PanelSeat.person_id)
                .join(Person, Person.id == PanelSeat.person_id)
                .where(PanelSeat.round_id == round_.id, Person.active)
                .where(PanelSeat.person_id.not_in(select(Enrolment.person_id).where(Enrolment.round_id == round_.id)))
            )
        )
        people_apart = conflicts_of(session, organization_id=round_.organization_id)
        self.standing = {
            _pair(one): one
            for one in self.tasks
            if one.state is AssignmentState.ASSIGNED
            # Who stepped in from the panel stays, though no teacher of the round, but not beside a conflict.
            and (one.reviewer_id not in self.stand_ins or (one.reviewer_id, one.author_id) in people_apart)
        }
        self.held = {_pair(one) for one in self.tasks} - self.standing.keys()
        fixed = [one for one in self.tasks if one.state in LIVE and _pair(one) not in self.standing]
        # What somebody let lapse counts as load, or whoever does nothing would be asked first for ever.
        self.lapsed = Counter(one.reviewer_id for one in self.tasks if one.state is AssignmentState.LAPSED)
        self.load = Counter(one.reviewer_id for one in fixed) + self.lapsed
        self.ended = Counter(one.reviewer_id for one in fixed if one.state is AssignmentState.DONE) + self.lapsed
        self.left_undone = Counter(one.submission_id for one in self.tasks if one.state is AssignmentState.LAPSED)
        self.works = self._works(received=Counter(one.submission_id for one in fixed))
        self.conflicts = _works_of(self.works.values(), people_apart)

    def _works(self, *, received: Counter[int | None]) -> dict[int, Work]:
        rows = self.session.execute(
            select(Submission, Person)
            .join(Person, Person.id == Submission.author_id)
            .where(
                Submission.round_id == self.round.id,
                Submission.state.in_(OPEN_TO_REVIEW),
                open_to_peers(round_scheme(self.session, round_=self.round)),
            )
            .order_by(Submission.id)
        )
        return {
            submission.id: Work(
                id=submission.id,
                authors=frozenset({submission.author_id}),
                demand=max(0, self.peer.receive_target + submission.extra_reviews - received[submission.id]),
                groups=_groups(author),
            )
            for submission, author in rows
        }

    def allocate(self) -> Allocation:
        """Give everything that is wanted to the round's teachers; a task that moves is withdrawn from who had it."""
        found = self._found()
        for pair in found.withdrawn:
            task = self.standing.pop(pair)
            task.state, task.ended_at = AssignmentState.WITHDRAWN, now()
        self._hold(found.pairs)
        return found

    def blocked(self) -> Blocked | None:
        """Return why the round's teachers can't do what is still wanted; None: nothing is."""
        return self._found().blocked_by if self.wanting() else None

    def _found(self) -> Allocation:
        return allocate(
            reviewers=self.teachers(),
            works=self.works.values(),
            conflicts=self.conflicts,
            held=self.held,
            standing=self.standing.keys(),
            former=_works_of(self.works.values(), _former(self.session, round_=self.round)),
            rules=self.peer.allocation,
            seed=self.round.id,
        )

    def _hold(self, pairs: Iterable[Pair]) -> None:
        for reviewer_id, work_id in pairs:
            self.held.add((reviewer_id, work_id))
            self.load[reviewer_id] += 1
            work = self.works[work_id]
            self.works[work_id] = replace(work, demand=work.demand - 1)

    def wanting(self) -> dict[int, int]:
        """Return how many reviewers each work still lacks, where it does."""
        given = Counter(work_id for _reviewer, work_id in self.standing)
        short = {one.id: one.demand - given[one.id] for one in self.works.values()}
        return {work_id: lacking for work_id, lacking in short.items() if lacking > 0}

    def undone(self) -> list[Work]:
        """Return the works whose reviewers let the time pass, with how many of these nobody has replaced yet."""
        return [
            replace(self.works[work_id], demand=min(lacking, self.left_undone[work_id]))
            for work_id, lacking in self.wanting().items()
            if self.left_undone[work_id]
        ]

    def take_over(self, reserve: list[Reviewer], barred: Collection[Pair] = ()) -> tuple[Pair, ...]:
        """Give the reserve what was left undone; return the new pairs."""
        works = self.undone()
        if not reserve or not works:
            return ()
        booked = Counter(reviewer_id for reviewer_id, _work in self.standing)
        found = allocate(
            reviewers=[replace(one, load=self.load[one.id] + booked[one.id]) for one in reserve],
            works=works,
            conflicts={*self.conflicts, *barred},
            held=self.held | self.standing.keys(),
            rules=self.peer.allocation,
            seed=self.round.id,
        )
        self._hold(found.pairs)
        return found.pairs

    def panel(self) -> tuple[list[Reviewer], set[Pair]]:
        """Return who of the panel may step in for colleagues, and the works that can't spare them as judges.

        Who takes part in the round as well reviews as a teacher, within their cap, or not at all.
        """
        size = round_scheme(self.session, round_=self.round).review.panel.size
        spare = {
            work.id: self.stand_ins.intersection(
                free_seats(
                    self.session,
                    submission=self.session.get_one(Submission, work.id),
                    kinds=(SeatKind.MEMBER, SeatKind.RESERVE),
                )[size:]
            )
            for work in self.undone()
        }
        wanted = select(Person).where(Person.id.in_(set().union(*spare.values()))).order_by(Person.id)
        people = self.session.scalars(wanted).all()
        barred = {(one.id, work_id) for work_id, free in spare.items() for one in people if one.id not in free}
        return [Reviewer(id=one.id, cap=UNBOUNDED, groups=_groups(one)) for one in people], barred

    def teachers(self, *, volunteers: bool = False) -> list[Reviewer]:
        """Return the teachers who review in this round, or those of them who offered to do more."""
        rows = self.session.execute(
            select(Enrolment, Person)
            .join(Person, Person.id == Enrolment.person_id)
            .where(
                Enrolment.round_id == self.round.id,
                REVIEWS,
                *([Enrolment.volunteer] if volunteers else []),
            )
            .order_by(Person.id)
        )
        return [
            Reviewer(
                id=person.id,
                # A cap is of tasks at once, the load is of all: what has ended makes room again.
                cap=UNBOUNDED if enrolment.review_cap is None else enrolment.review_cap + self.ended[person.id],
                load=self.load[person.id],
                groups=_groups(person),
            )
            for enrolment, person in rows
        ]


def _pair(task: Assignment) -> Pair:
    assert task.submission_id is not None, "samples were not asked for"
    return task.reviewer_id, task.submission_id


def _groups(person: Person) -> Groups:
    return Groups(person.subject or None, person.stage or None, str(person.workshop_id or "") or None)


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


def _works_of(works: Iterable[Work], people: Iterable[Pair]) -> set[Pair]:
    """Return (reviewer, work) for each (reviewer, author)."""
    written: defaultdict[int, list[int]] = defaultdict(list)
    for work in works:
        for author in work.authors:
            written[author].append(work.id)
    return {(reviewer, work) for reviewer, author in people for work in written.get(author, ())}


def _assign(session: Session, *, round_: Round, found: Allocation, works: dict[int, Work]) -> None:
    scheme = round_scheme(session, round_=round_)
    given = {work_id for _reviewer, work_id in found.pairs}
    ends = session.execute(select(Submission.id, Submission.peer_due_at).where(Submission.id.in_(given)))
    due = {row.id: row.peer_due_at for row in ends}
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
                lease_until=lease_end(scheme, due_at=due[work_id]),
            )
        )
    session.flush()
    for kind, sentence, pairs in (
        ("review.assigned", _("您有{count}份成果待互评。"), found.pairs),
        ("review.withdrawn", GIVEN_TO_OTHERS, found.withdrawn),
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
            blocked_by=found.blocked_by and {**asdict(found.blocked_by), "text": found.blocked_by.text},
        )


def _say_who_stands_in_the_way(session: Session, *, round_: Round, found: Allocation) -> None:
    """Tell the school's administrators the sentence of what can't be met, once for each sentence."""
    why = found.blocked_by.text if found.blocked_by else ""
    key = "reviews-blocked"
    said = session.scalars(select(Notice).where(Notice.round_id == round_.id, Notice.key == key)).first()
    if said is None:
        said = Notice(round_id=round_.id, key=key, at=now(), note="")
        session.add(said)
    if why != said.note:
        said.note, said.at = why, now()
        if why:
            tell_admins(session, round_=round_, kind="reviews.blocked", sentence=why)
    session.flush()
