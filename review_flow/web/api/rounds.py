"""Oneself, the rounds one may know of, and what they ask for."""

from __future__ import annotations

from datetime import datetime

from fastapi import Request
from sqlalchemy import select

from models import Organization, Person, Role, Round
from review_flow.rules.catalogue import Slot
from review_flow.rules.scheme import DELIVERABLES
from review_flow.rules.words import FactKind
from review_flow.steps import enrolments, results
from review_flow.steps.path import enrolments_of
from review_flow.steps.programme import subjects
from review_flow.steps.rounds import WrongPhase, round_scheme
from review_flow.steps.turn import take_turn
from review_flow.web import mine
from review_flow.web.access import Db, Key
from review_flow.web.api import seen
from review_flow.web.api.access import Reader, Teacher
from review_flow.web.api.pages import Asked, listed_part
from review_flow.web.api.routes import IfMatch, reads, router, writes
from review_flow.web.api.shapes import Code, Edited, In, Out, Page, Who, Word
from review_flow.web.versions import require_version

routes = router("rounds")


class School(Out):
    """A school."""

    id: int
    name: str


class Me(Who):
    """The person a token acts for, and what it opens."""

    subject: str | None
    school: School
    roles: list[str]
    scopes: list[str]


class RoundOut(Out):
    """A round and its calendar; a moment is null as long as it is not settled."""

    id: int
    name: str
    phase: Word
    opens_at: datetime
    submit_due_at: datetime
    hard_close_at: datetime
    publicity_ends_at: datetime | None
    sign_due_at: datetime | None
    appeal_due_at: datetime | None


class SlotOut(Out):
    """A piece of evidence that is asked for; null: no limit."""

    id: str
    name: str
    kind: str
    count: int
    required: bool
    formats: list[str]
    min_seconds: str | None
    max_seconds: str | None
    min_chars: int | None
    shows_teacher: bool


class AbilityOut(Out):
    """An ability that may be chosen, and its evidence."""

    code: str
    name: str
    dimension: str
    environment: str
    slots: list[SlotOut]


class NamedOut(Out):
    """Something of the scheme that others speak of by its id."""

    id: str
    name: str


class PlanOut(Out):
    """What a round asks for: the scheme at the version it froze, and the abilities to choose from.

    `deliverables`: the slots of what is asked for besides abilities; `activities`: what meetings are held of; `levels`:
    through which works rise.
    """

    scheme: str
    version: int
    digest: str | None
    min_abilities: int
    max_abilities: int | None
    min_dimensions: int
    abilities: list[AbilityOut]
    deliverables: list[SlotOut]
    activities: list[NamedOut]
    levels: list[NamedOut]


class Choice(Edited):
    """The abilities that somebody chose."""

    abilities: list[str]


class ChoiceIn(In):
    """The abilities to take; those chosen before and not named are dropped."""

    abilities: list[Code]


class Published(Out):
    """One line of what a school publishes: as much as its scheme says."""

    name: str | None = None
    grade: str | None = None


class Publicity(Out):
    """公示: empty before it begins."""

    until: datetime | None
    lines: list[Published]


def shown_round(one: Round) -> RoundOut:
    """Return a round as it is told."""
    return RoundOut(
        id=one.id,
        name=one.name,
        phase=Word.of(one.phase),
        opens_at=one.opens_at,
        submit_due_at=one.submit_due_at,
        hard_close_at=one.hard_close_at,
        publicity_ends_at=one.publicity_ends_at,
        sign_due_at=one.sign_due_at,
        appeal_due_at=one.appeal_due_at,
    )


@reads(routes, "/me")
def get_me(request: Request, session: Db, person: Reader) -> Me:
    """Tell whom the token acts for."""
    roles = session.scalars(select(Role.kind).where(Role.person_id == person.id).order_by(Role.id)).all()
    school = session.get_one(Organization, person.organization_id)
    return Me(
        id=person.id,
        number=person.number,
        name=person.name,
        subject=person.subject,
        school=School(id=school.id, name=school.name),
        roles=list(dict.fromkeys(one.value for one in roles)),
        scopes=sorted(one.value for one in request.state.scopes),
    )


@reads(routes, "/rounds")
def list_rounds(session: Db, person: Reader, part: Asked) -> Page[RoundOut]:
    """List the rounds one takes part in, sits on the panel of, or administers, the newest first."""
    return listed_part(
        session,
        seen.rounds(person),
        key=Round.id,
        part=part,
        shown=lambda rows: [shown_round(one) for (one,) in rows],
        newest_first=True,
    )


@reads(routes, "/rounds/{key}")
def get_round(session: Db, person: Reader, key: Key) -> RoundOut:
    """Tell of a round: its phase and calendar."""
    return shown_round(seen.round_(session, person, key))


@reads(routes, "/rounds/{key}/plan")
def get_plan(session: Db, person: Reader, key: Key) -> PlanOut:
    """Tell what a round asks for; with the numbers of one's own tier."""
    found = seen.round_(session, person, key)
    scheme = round_scheme(session, round_=found)
    rule = scheme.teacher_selection(_tier(session, person, found))
    return PlanOut(
        scheme=scheme.id,
        version=scheme.version,
        digest=found.scheme_digest,
        min_abilities=rule.min,
        max_abilities=rule.max,
        min_dimensions=rule.min_dimensions,
        abilities=[
            AbilityOut(
                code=one.code,
                name=one.name_zh,
                dimension=one.dimension,
                environment=one.environment,
                slots=[shown_slot(slot) for slot in scheme.slots(one.code)],
            )
            for one in scheme.catalogue.abilities
            if rule.within != "school_list" or one.code in found.abilities
        ],
        deliverables=[shown_slot(slot) for slot in scheme.slots(DELIVERABLES)],
        activities=[NamedOut(id=one, name=name) for one, name in subjects(scheme, FactKind.ATTENDANCE).items()],
        levels=[NamedOut(id=one.id, name=one.name_zh) for one in scheme.pipeline],
    )


def _tier(session: Db, person: Person, found: Round) -> str | None:
    own = [one for one, round_ in enrolments_of(session, person=person) if round_.id == found.id]
    return own[0].tier if own else None


def shown_slot(slot: Slot) -> SlotOut:
    """Return a slot as it is told."""
    return SlotOut(
        id=slot.id,
        name=slot.name_zh,
        kind=slot.kind,
        count=slot.count,
        required=slot.required,
        formats=list(slot.formats),
        min_seconds=None if slot.min_seconds is None else str(slot.min_seconds),
        max_seconds=None if slot.max_seconds is None else str(slot.max_seconds),
        min_chars=slot.min_chars,
        shows_teacher=slot.shows_teacher,
    )


@reads(routes, "/rounds/{key}/publicity")
def get_publicity(session: Db, person: Reader, key: Key) -> Publicity:
    """Tell what is published of a round: the scheme's fields and no more."""
    found = seen.round_(session, person, key)
    lines = results.published_list(session, round_=found)
    return Publicity(until=found.publicity_ends_at, lines=[Published(**one) for one in lines])


@reads(routes, "/rounds/{key}/choice")
def get_choice(session: Db, person: Reader, key: Key) -> Choice:
    """Tell which abilities one chose, with the version that another choice is made from."""
    return _choice(session, person, key)


@writes(
    routes,
    "PUT",
    "/rounds/{key}/choice",
    refuses=[enrolments.NotYet, enrolments.NotBegun, enrolments.Selection, enrolments.CannotReplace, WrongPhase],
)
def put_choice(session: Db, person: Teacher, key: Key, body: ChoiceIn, if_match: IfMatch) -> Choice:
    """Choose the abilities, or choose anew among those that are not sealed."""
    take_turn(session, organization_id=person.organization_id)
    require_version(_choice(session, person, key).model_dump(mode="json"), if_match=if_match)
    enrolments.choose(session, actor=person, enrolment=mine.enrolment(session, person, key), abilities=body.abilities)
    return _choice(session, person, key)


def _choice(session: Db, person: Person, key: int) -> Choice:
    works = enrolments.submissions_of(session, enrolment=mine.enrolment(session, person, key))
    return Choice(abilities=[one.ability for one in works])
