"""The school's administrator: people, progress, results, publicity, the audit trail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import AuditEvent, Enrolment, Person, Result, Role
from review_flow.rules.path import Stage
from review_flow.steps import progress, results, standing, trail, trail_details
from review_flow.steps.rounds import WrongPhase
from review_flow.web.access import Db, Key
from review_flow.web.api import seen
from review_flow.web.api.access import Administrator
from review_flow.web.api.pages import Asked, listed_part, numbered_part
from review_flow.web.api.panel import who
from review_flow.web.api.rounds import RoundOut, shown_round
from review_flow.web.api.routes import reads, router, writes
from review_flow.web.api.shapes import Code, In, Out, Page, Who, Word

routes = router("school")


class PersonOut(Who):
    """Somebody of the school."""

    subject: str | None
    stage: str | None
    active: bool
    roles: list[str]


class Progress(Out):
    """How many enrolments, submissions and standing results are in which state."""

    enrolments: dict[str, int]
    submissions: dict[str, int]
    results: dict[str, int]


class WaitOut(Out):
    """Something that has not happened yet: who it waits for, why, until when."""

    who: str
    person: Who | None
    why: str
    until: datetime | None


class RemindIn(In):
    """Whom to remind: those in a stage, or all whose turn it is."""

    stage: Annotated[Stage | None, Field(strict=False)] = None


class Reminded(Out):
    """How many were told."""

    told: int


class ResultLine(Out):
    """One teacher's standing result."""

    id: int
    person: Who
    version: int
    state: Word
    score: str | None
    proposed_grade: str
    grade: str | None


class EventOut(Out):
    """One link of the audit chain. `about`: table and id; actor null: the clock or a check; `text`: the deed in words."""

    number: int
    at: datetime
    actor: Who | None
    deed: str
    text: str
    about: str
    data: dict[str, Any]
    hash: str


@reads(routes, "/people")
def list_people(session: Db, person: Administrator, part: Asked) -> Page[PersonOut]:
    """List the school's people."""
    everybody = select(Person).where(Person.organization_id == person.organization_id)
    return listed_part(session, everybody, key=Person.id, part=part, shown=lambda rows: shown_people(session, rows))


def shown_people(session: Session, rows: Sequence[Any]) -> list[PersonOut]:
    """Return people as they are told of, with their roles, in one question."""
    found = [one for (one,) in rows]
    held = session.execute(
        select(Role.person_id, Role.kind).where(Role.person_id.in_([one.id for one in found])).order_by(Role.id)
    ).all()
    return [
        PersonOut(
            id=one.id,
            number=one.number,
            name=one.name,
            subject=one.subject,
            stage=one.stage,
            active=one.active,
            roles=[kind.value for person_id, kind in held if person_id == one.id],
        )
        for one in found
    ]


@reads(routes, "/rounds/{key}/progress")
def get_progress(session: Db, person: Administrator, key: Key) -> Progress:
    """Tell how far a round has come."""
    counts = standing.counts(session, round_=seen.school_round(session, person, key))
    return Progress(**{name: {state.value: count for state, count in of.items()} for name, of in counts.items()})


@reads(routes, "/rounds/{key}/waits")
def list_waits(session: Db, person: Administrator, key: Key, part: Asked) -> Page[WaitOut]:
    """List what a round waits for, and from whom."""
    found = standing.waits(session, round_=seen.school_round(session, person, key))
    told = [
        WaitOut(who=one.who, person=who(one.person) if one.person else None, why=one.why, until=one.until)
        for one in found
    ]
    return numbered_part(told, part=part)


@writes(
    routes,
    "POST",
    "/rounds/{key}/remind",
    refuses=[progress.NothingToRemind, progress.RemindedToday, WrongPhase],
)
def remind_teachers(session: Db, person: Administrator, key: Key, body: RemindIn) -> Reminded:
    """Remind everybody whose turn it is, or those in a stage; nobody twice in a day."""
    round_ = seen.school_round(session, person, key)
    return Reminded(told=progress.remind(session, actor=person, round_=round_, stage=body.stage))


@reads(routes, "/rounds/{key}/results")
def list_results(session: Db, person: Administrator, key: Key, part: Asked) -> Page[ResultLine]:
    """List the standing results of a round."""
    found = (
        select(Result, Person)
        .join(Enrolment, Enrolment.id == Result.enrolment_id)
        .join(Person, Person.id == Enrolment.person_id)
        .where(Enrolment.round_id == seen.school_round(session, person, key).id, Result.current)
    )
    return listed_part(session, found, key=Result.id, part=part, shown=lambda rows: [_line(*row) for row in rows])


def _line(one: Result, person: Person) -> ResultLine:
    return ResultLine(
        id=one.id,
        person=who(person),
        version=one.version,
        state=Word.of(one.state),
        score=None if one.score is None else str(one.score),
        proposed_grade=one.proposed_grade,
        grade=one.grade,
    )


@writes(routes, "POST", "/rounds/{key}/publicity", refuses=[results.NotToPublish, WrongPhase])
def publish_results(session: Db, person: Administrator, key: Key) -> RoundOut:
    """Publish names and grades for the scheme's days, once every result is confirmed."""
    found = seen.school_round(session, person, key)
    results.publish(session, actor=person, round_=found)
    return shown_round(found)


@reads(routes, "/audit")
def list_audit(
    session: Db,
    person: Administrator,
    part: Asked,
    about: Annotated[Code | None, Query(description="One thing alone, as `submission:12`.")] = None,
    deed: Annotated[Code | None, Query(description="One kind of deed alone, as `review.submit`.")] = None,
) -> Page[EventOut]:
    """List the school's audit trail, the newest first."""
    found = (
        select(AuditEvent, Person)
        .outerjoin(Person, Person.id == AuditEvent.actor_id)
        .where(AuditEvent.organization_id == person.organization_id)
    )
    found = found if about is None else found.where(AuditEvent.about == about)
    found = found if deed is None else found.where(AuditEvent.deed == deed)
    return listed_part(
        session,
        found,
        key=AuditEvent.id,
        part=part,
        shown=lambda rows: [_event(*row) for row in rows],
        newest_first=True,
    )


def _event(one: AuditEvent, actor: Person | None) -> EventOut:
    return EventOut(
        number=one.number,
        at=one.at,
        actor=who(actor) if actor else None,
        deed=one.deed,
        text=trail.words(one.deed),
        about=one.about,
        data=trail_details.data_of(one),
        hash=one.hash,
    )
