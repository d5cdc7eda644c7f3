"""改派: an administrator gives a task to somebody else by hand, or its reviewer more time; what it does is shown first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, or_, select

from models import Assignment, Enrolment, Person, Round, Submission
from review_flow.clock import last_second_of, now, shown
from review_flow.errors import BadInput, NotAllowed, NotFound, Refusal
from review_flow.i18n import _, say
from review_flow.rules.lifecycle import RoundPhase
from review_flow.rules.words import LIVE, UNDONE, AssignmentState
from review_flow.steps import audit
from review_flow.steps.may_review import REVIEWS, kept_apart
from review_flow.steps.messages import tell
from review_flow.steps.people import conflicting_with, numbered, require_admin
from review_flow.steps.reviews import lease_end
from review_flow.steps.rounds import require_phase, round_scheme
from review_flow.steps.taking_back import GIVEN_TO_OTHERS, withdraw
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import Session

MOST = 50


class NotMovable(Refusal):
    """What somebody has begun is theirs until its lease ends, and what has ended stays where it is."""

    status, text = 409, _("这份互评已经开始或已经结束，不能改派；到期没有交的会自动转给别人。")


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who may review the work, and how many reviews they hold, and have done, now."""

    person: Person
    held: int
    done: int


@dataclass(frozen=True, slots=True)
class Task:
    """A task that is not done, for the administrator's list: whose it is, of which work."""

    assignment: Assignment
    reviewer: Person
    ability: str | None


def undone(session: Session, *, actor: Person, round_: Round) -> Select[Any]:
    """Return a query of the round's undone tasks, each with its reviewer and the ability; a sample has none.

    Of the actor's own works, and of those they must step aside from, nothing is shown: peers stay unknown.
    """
    return _with_names(_undone(session, actor=actor, round_=round_))


def _undone(session: Session, *, actor: Person, round_: Round) -> ColumnElement[bool]:
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    aside = conflicting_with(session, person_id=actor.id)
    return and_(
        Assignment.round_id == round_.id,
        Assignment.state.in_(UNDONE),
        or_(Assignment.author_id.is_(None), Assignment.author_id.not_in(aside)),
    )


def _with_names(which: ColumnElement[bool]) -> Select[Any]:
    return (
        select(Assignment, Person, Submission.ability)
        .join(Person, Person.id == Assignment.reviewer_id)
        .outerjoin(Submission, Submission.id == Assignment.submission_id)
        .where(which)
    )


def tasks(session: Session, *, actor: Person, round_: Round, page: int = 1) -> tuple[list[Task], int]:
    """Return a page of what `undone` finds, the earliest lease first, and how many there are."""
    waiting, urgency = _undone(session, actor=actor, round_=round_), (Assignment.lease_until, Assignment.id)
    first = select(Assignment.id).where(waiting).order_by(*urgency).offset((page - 1) * MOST).limit(MOST)
    ids = session.scalars(first).all()  # a thousand teachers have seven thousand: names are read of one page alone
    rows = session.execute(_with_names(Assignment.id.in_(ids)).order_by(*urgency))
    return [Task(*row) for row in rows], session.scalar(select(func.count(Assignment.id)).where(waiting)) or 0


def _work(session: Session, *, actor: Person, assignment: Assignment) -> tuple[Round, Submission]:
    round_ = session.get_one(Round, assignment.round_id)
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    if assignment.submission_id is None:
        raise NotMovable
    _require_apart(session, actor=actor, assignment=assignment)
    return round_, session.get_one(Submission, assignment.submission_id)


def _require_apart(session: Session, *, actor: Person, assignment: Assignment) -> None:
    """Who administers stays away from tasks on own works, and on those of whom they must step aside from; a sample is nobody's."""
    if assignment.author_id in conflicting_with(session, person_id=actor.id):
        raise NotAllowed(why=say(_("应回避本人或有回避关系的教师的成果")))


def candidates(session: Session, *, actor: Person, assignment: Assignment, word: str = "") -> list[Candidate]:
    """Return who could do the task instead, who holds least first; at most fifty, by name or number where one asks."""
    round_, work = _work(session, actor=actor, assignment=assignment)
    found = _able(session, round_=round_, work=work)
    if word:
        found = found.where(or_(Person.name.contains(word, autoescape=True), numbered(word)))
    return [Candidate(*row) for row in session.execute(found.limit(MOST))]


def _able(session: Session, *, round_: Round, work: Submission) -> Select[tuple[Person, int, int]]:
    """Return a query of those who may review a work and had nothing to do with it yet."""
    loads = (
        select(
            Assignment.reviewer_id,
            func.count().filter(Assignment.state.in_(UNDONE)).label("held"),
            func.count().filter(Assignment.state == AssignmentState.DONE).label("done"),
        )
        .where(Assignment.round_id == round_.id)
        .group_by(Assignment.reviewer_id)
        .subquery()
    )
    held, done = func.coalesce(loads.c.held, 0), func.coalesce(loads.c.done, 0)
    author = session.get_one(Person, work.author_id)
    rules = round_scheme(session, round_=round_).review.peer.allocation
    known = select(Assignment.reviewer_id).where(
        Assignment.submission_id == work.id, Assignment.state.in_([*LIVE, AssignmentState.DECLINED])
    )
    return (
        select(Person, held, done)
        .join(Enrolment, Enrolment.person_id == Person.id)
        .outerjoin(loads, loads.c.reviewer_id == Person.id)
        .where(Enrolment.round_id == round_.id, REVIEWS)
        # Who may not review whom is said both ways round, so the author's answer is everybody's.
        .where(Person.id.not_in(kept_apart(person=author, rules=rules)), Person.id.not_in(known))
        .where(or_(Enrolment.review_cap.is_(None), Enrolment.review_cap > held))
        .order_by(held + done, Person.number)
    )


def move(session: Session, *, actor: Person, assignment: Assignment, to: Person, reason: str) -> Assignment:
    """Give a task that nobody has begun to another person, with a reason; both are told. Return the new task.

    Raises NotMovable, NotFound for somebody who may not review the work, BadInput, NotAllowed, WrongPhase.
    """
    round_, work = _movable(session, actor=actor, assignment=assignment, reason=reason)
    if session.execute(_able(session, round_=round_, work=work).where(Person.id == to.id)).first() is None:
        raise NotFound(what=say(_("可以评这份成果的人")), key=to.number)
    withdraw(session, task=assignment, sentence=GIVEN_TO_OTHERS, count=1)
    made = Assignment(
        round_id=round_.id,
        reviewer_id=to.id,
        submission_id=work.id,
        author_id=work.author_id,
        state=AssignmentState.ASSIGNED,
        assigned_at=now(),
        lease_until=lease_end(round_scheme(session, round_=round_), due_at=work.peer_due_at),
    )
    session.add(made)
    session.flush()
    tell(
        session,
        person_id=to.id,
        round_id=round_.id,
        kind="review.assigned",
        sentence=_("您有{count}份成果待互评。"),
        count=1,
    )
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="review.move",
        about=assignment,
        to=made.id,
        reason=reason,
    )
    return made


def _movable(session: Session, *, actor: Person, assignment: Assignment, reason: str) -> tuple[Round, Submission]:
    take_turn(session, organization_id=session.get_one(Round, assignment.round_id).organization_id)
    round_, work = _work(session, actor=actor, assignment=assignment)
    require_phase(round_, RoundPhase.OPEN, RoundPhase.SCORING)
    if not reason.strip():
        raise BadInput(field=say(_("理由")), problem=say(_("请写明理由。")))
    if assignment.state is not AssignmentState.ASSIGNED:
        raise NotMovable
    return round_, work


def prolong(session: Session, *, actor: Person, assignment: Assignment, until: date, reason: str) -> None:
    """Let a reviewer keep an undone task to the end of a day: later than now, no later than the round's last day.

    Raises NotAllowed, WrongPhase, NotMovable, BadInput.
    """
    round_ = session.get_one(Round, assignment.round_id)
    take_turn(session, organization_id=round_.organization_id)
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    _require_apart(session, actor=actor, assignment=assignment)
    require_phase(round_, RoundPhase.OPEN, RoundPhase.SCORING)
    if assignment.state not in UNDONE:
        raise NotMovable
    if not reason.strip():
        raise BadInput(field=say(_("理由")), problem=say(_("请写明理由。")))
    end = last_second_of(until)
    if not assignment.lease_until < end <= max(round_.hard_close_at, assignment.lease_until):
        sentence = _("应晚于现在的{now}，不晚于最终截止的{close}。")
        why = say(sentence, now=shown(assignment.lease_until), close=shown(round_.hard_close_at))
        raise BadInput(field=say(_("期限")), problem=why)
    was, assignment.lease_until = assignment.lease_until, end
    tell(
        session,
        person_id=assignment.reviewer_id,
        round_id=round_.id,
        kind="review.prolonged",
        sentence=_("您的一份互评延期到{until}。理由：{reason}"),
        until=shown(end),
        reason=reason.strip(),
    )
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="review.prolong",
        about=assignment,
        was=was.isoformat(),
        until=end.isoformat(),
        reason=reason,
    )
