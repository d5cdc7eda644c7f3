"""Who takes part in a round: where each stands, exempted, relieved, reminded; reviews that are not done, moved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Assignment, Enrolment, Person, Round, Submission
from review_flow.errors import BadInput, NotAllowed, NotFound
from review_flow.i18n import _
from review_flow.rules.lifecycle import SubmissionState
from review_flow.rules.path import Stage
from review_flow.steps import enrolments, people, progress, reassign
from review_flow.steps.progress import NothingToRemind, RemindedToday
from review_flow.steps.rounds import WrongPhase
from review_flow.steps.turn import take_turn
from review_flow.web import mine
from review_flow.web.access import Db, Key
from review_flow.web.api import seen
from review_flow.web.api.access import Administrator
from review_flow.web.api.pages import Asked, listed_part, numbered_part
from review_flow.web.api.panel import who
from review_flow.web.api.routes import IfMatch, reads, router, writes
from review_flow.web.api.school import Reminded
from review_flow.web.api.shapes import CalendarDay, Code, Edited, In, Out, Page, Prose, Who, Word
from review_flow.web.api.teaching import ReasonIn, WorkOut, shown_work
from review_flow.web.versions import require_version

routes = router("enrolments")
MOVING = [reassign.NotMovable, BadInput, NotAllowed, WrongPhase]


class EnrolmentOut(Out):
    """Somebody in a round. `stage`: what they stand at, null for who is exempt; `held`: reviews they have not done."""

    id: int
    round_id: int
    person: Who
    state: Word
    stage: str | None
    exempt_reason: str | None
    reviewing: bool
    works: int
    drafts: int
    sealed: int
    held: int
    lease_until: datetime | None
    correction_due_at: datetime | None
    reminded_at: datetime | None


class EnrolmentMore(EnrolmentOut):
    """Somebody in a round, with their works."""

    submissions: list[WorkOut]


class Cap(Edited):
    """How many reviews somebody may hold at once; null: as many as come, 0: none."""

    most: int | None


class CapIn(In):
    """The new cap."""

    most: Annotated[int | None, Field(ge=0, le=enrolments.MOST_AT_ONCE)]


class AssignmentOut(Out):
    """A review that is not done: whose it is, of which work; null: of a sample."""

    id: int
    reviewer: Who
    submission_id: int | None
    ability: str | None
    state: str
    lease_until: datetime


class CandidateOut(Out):
    """Somebody who could do it instead, and how many reviews they hold, and have done."""

    person: Who
    held: int
    done: int


class MoveIn(In):
    """To whom, by number, and why."""

    number: Code
    reason: Prose


class ProlongIn(In):
    """To the end of which day, and why."""

    until: CalendarDay
    reason: Prose


def _enrolment(session: Session, person: Person, key: int) -> Enrolment:
    return mine.of_school(session, person, Enrolment, key, _("参评教师"))


def _assignment(session: Session, person: Person, key: int) -> Assignment:
    return mine.of_school(session, person, Assignment, key, _("互评任务"))


def _shown(session: Session, round_: Round, rows: Sequence[Any]) -> list[EnrolmentOut]:
    people_ = {one.id: person.id for one, person in rows}
    lines = {one.enrolment_id: one for one in progress.lines(session, round_=round_, people=people_)}
    return [_row(one, person, lines.get(one.id)) for one, person in rows]


def _row(one: Enrolment, person: Person, line: progress.Line | None) -> EnrolmentOut:
    return EnrolmentOut(
        id=one.id,
        round_id=one.round_id,
        person=who(person),
        state=Word.of(one.state),
        stage=line.stage.value if line else None,
        exempt_reason=one.exempt_reason,
        reviewing=one.reviewing,
        works=line.works if line else 0,
        drafts=line.drafts if line else 0,
        sealed=line.sealed if line else 0,
        held=line.held if line else 0,
        lease_until=line.lease_until if line else None,
        correction_due_at=line.correction_due_at if line else None,
        reminded_at=line.reminded_at if line else None,
    )


@reads(routes, "/rounds/{key}/enrolments")
def list_enrolments(
    session: Db,
    person: Administrator,
    key: Key,
    part: Asked,
    stage: Annotated[Stage | None, Query(description="Those who stand at this alone.")] = None,
) -> Page[EnrolmentOut]:
    """List everybody in a round and where they stand, those who are exempt too."""
    round_ = seen.school_round(session, person, key)
    return listed_part(
        session,
        progress.listing(session, actor=person, round_=round_, stage=stage),
        key=Enrolment.id,
        part=part,
        shown=lambda rows: _shown(session, round_, rows),
    )


@reads(routes, "/enrolments/{key}")
def get_school_enrolment(session: Db, person: Administrator, key: Key) -> EnrolmentMore:
    """Tell where somebody stands, with their works."""
    return _more(session, person, _enrolment(session, person, key))


def _more(session: Session, person: Person, found: Enrolment) -> EnrolmentMore:
    session.flush()
    round_ = session.get_one(Round, found.round_id)
    listed = progress.listing(session, actor=person, round_=round_).where(Enrolment.id == found.id)
    [told] = _shown(session, round_, session.execute(listed).all())
    works = select(Submission).where(Submission.enrolment_id == found.id, Submission.state != SubmissionState.REPLACED)
    shown = [shown_work(one) for one in session.scalars(works.order_by(Submission.id))]
    return EnrolmentMore(**told.model_dump(), submissions=shown)


@writes(routes, "POST", "/enrolments/{key}/remind", refuses=[NothingToRemind, RemindedToday, WrongPhase])
def remind_teacher(session: Db, person: Administrator, key: Key) -> Reminded:
    """Remind somebody of what is next, where it is their turn; not twice in a day."""
    found = _enrolment(session, person, key)
    round_ = session.get_one(Round, found.round_id)
    return Reminded(told=progress.remind(session, actor=person, round_=round_, enrolment=found))


@writes(routes, "POST", "/enrolments/{key}/exempt", refuses=[enrolments.NotExemptible, BadInput, WrongPhase])
def exempt_teacher(session: Db, person: Administrator, key: Key, body: ReasonIn) -> EnrolmentMore:
    """Leave somebody out, with a reason, as long as nothing of theirs is sealed."""
    found = _enrolment(session, person, key)
    enrolments.exempt(session, actor=person, enrolment=found, reason=body.reason)
    return _more(session, person, found)


@writes(routes, "POST", "/enrolments/{key}/deliver", refuses=[WrongPhase])
def deliver_plan(session: Db, person: Administrator, key: Key) -> EnrolmentMore:
    """Record that the plan was handed over in person."""
    found = _enrolment(session, person, key)
    enrolments.deliver_in_person(session, actor=person, enrolment=found)
    return _more(session, person, found)


@writes(routes, "POST", "/enrolments/{key}/leave-reviewing")
def leave_reviewing(session: Db, person: Administrator, key: Key) -> EnrolmentMore:
    """Give somebody who has left no new reviews."""
    found = _enrolment(session, person, key)
    enrolments.leave_reviewing(session, actor=person, enrolment=found)
    return _more(session, person, found)


@reads(routes, "/enrolments/{key}/cap")
def get_cap(session: Db, person: Administrator, key: Key) -> Cap:
    """Tell how many reviews somebody may hold at once, with the version that a change is made from."""
    return Cap(most=_enrolment(session, person, key).review_cap)


@writes(routes, "PUT", "/enrolments/{key}/cap", refuses=[BadInput, WrongPhase])
def put_cap(session: Db, person: Administrator, key: Key, body: CapIn, if_match: IfMatch) -> Cap:
    """Say how many reviews somebody may hold at once; what they hold already stays with them."""
    take_turn(session, organization_id=person.organization_id)
    found = _enrolment(session, person, key)
    require_version(Cap(most=found.review_cap).model_dump(mode="json"), if_match=if_match)
    enrolments.set_review_cap(session, actor=person, enrolment=found, cap=body.most)
    return Cap(most=found.review_cap)


def _task(one: Assignment, reviewer: Person, ability: str | None) -> AssignmentOut:
    return AssignmentOut(
        id=one.id,
        reviewer=who(reviewer),
        submission_id=one.submission_id,
        ability=ability,
        state=one.state.value,
        lease_until=one.lease_until,
    )


@reads(routes, "/rounds/{key}/assignments")
def list_assignments(session: Db, person: Administrator, key: Key, part: Asked) -> Page[AssignmentOut]:
    """List the reviews of a round that are not done, but those of works that one has to keep away from."""
    found = reassign.undone(session, actor=person, round_=seen.school_round(session, person, key))
    return listed_part(session, found, key=Assignment.id, part=part, shown=lambda rows: [_task(*row) for row in rows])


@reads(routes, "/assignments/{key}/candidates", refuses=[reassign.NotMovable, NotAllowed])
def list_candidates(
    session: Db,
    person: Administrator,
    key: Key,
    part: Asked,
    word: Annotated[Code | None, Query(description="Whose number this is, or whose name it is in.")] = None,
) -> Page[CandidateOut]:
    """List who could do a review instead, who has least first; fifty at most."""
    found = reassign.candidates(
        session, actor=person, assignment=_assignment(session, person, key), word=(word or "").strip()
    )
    told = [CandidateOut(person=who(one.person), held=one.held, done=one.done) for one in found]
    return numbered_part(told, part=part)


@writes(routes, "POST", "/assignments/{key}/move", status=201, refuses=[NotFound, *MOVING])
def move_assignment(session: Db, person: Administrator, key: Key, body: MoveIn) -> AssignmentOut:
    """Give a review that nobody has begun to somebody else; both are told."""
    found = _assignment(session, person, key)
    chosen = people.person_by_number(session, organization_id=person.organization_id, number=body.number)
    made = reassign.move(session, actor=person, assignment=found, to=chosen, reason=body.reason)
    ability = session.scalars(select(Submission.ability).where(Submission.id == made.submission_id)).first()
    return _task(made, chosen, ability)


@writes(routes, "POST", "/assignments/{key}/prolong", status=204, refuses=MOVING)
def prolong_assignment(session: Db, person: Administrator, key: Key, body: ProlongIn) -> None:
    """Give a reviewer more time, no more than to the round's last day."""
    found = _assignment(session, person, key)
    reassign.prolong(session, actor=person, assignment=found, until=body.until, reason=body.reason)
