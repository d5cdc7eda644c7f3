"""A round before and after it runs: set up, its panel, opened, put off, closed; the dry run is a page's alone."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field
from sqlalchemy import select

from models import PanelSeat, Person, Round, SchemeVersion
from review_flow.clock import SCHOOL_ZONE
from review_flow.errors import BadInput, NotFound
from review_flow.i18n import _
from review_flow.rules.lifecycle import RoundPhase
from review_flow.rules.words import SeatKind
from review_flow.steps import advance, people, rounds
from review_flow.steps.rounds import WrongPhase
from review_flow.steps.turn import take_turn
from review_flow.web import mine
from review_flow.web.access import Db, Key
from review_flow.web.api import seen
from review_flow.web.api.access import Administrator
from review_flow.web.api.pages import Asked, listed_part
from review_flow.web.api.panel import who
from review_flow.web.api.rounds import RoundOut, shown_round
from review_flow.web.api.routes import IfMatch, reads, router, writes
from review_flow.web.api.shapes import CalendarDay, Code, Edited, In, Line, Out, Page, Prose, RowId, Who
from review_flow.web.versions import require_version

routes = router("setup")
Codes = Annotated[list[Code], Field(max_length=100)]


class Days(In):
    """A round's calendar: each day counts to its last second at the school."""

    opens_on: CalendarDay
    submit_due_on: CalendarDay
    hard_close_on: CalendarDay


class SetupIn(Days):
    """What may be changed before a round opens: its days, and the abilities that the school offers."""

    abilities: Codes


class RoundIn(Days):
    """A new round of a published scheme of the school (`GET /schemes`)."""

    name: Annotated[Line, Field(min_length=1)]
    scheme_id: RowId
    abilities: Annotated[Codes, Field(default_factory=list)]


class SetupOut(Edited):
    """How a round is set up."""

    id: int
    name: str
    scheme_id: int
    abilities: list[str]
    opens_on: date
    submit_due_on: date
    hard_close_on: date


class Readiness(Out):
    """What a round lacks before it can open, in sentences; of one that was opened, nothing."""

    lacking: list[str]


class PutOffIn(In):
    """The new last days, none before the old, and the reason that everybody reads."""

    submit_due_on: CalendarDay
    hard_close_on: CalendarDay
    reason: Prose


class EnrolledOut(Out):
    """How many teachers are new in the round."""

    new: int


class SeatIn(In):
    """Who, by number, is to sit where."""

    number: Code
    kind: Annotated[SeatKind, Field(strict=False)]


class SeatOut(Out):
    """A place on a round's panel."""

    id: int
    person: Who
    kind: str


def _setup(one: Round) -> SetupOut:
    return SetupOut(
        id=one.id,
        name=one.name,
        scheme_id=one.scheme_version_id,
        abilities=one.abilities,
        opens_on=one.opens_at.astimezone(SCHOOL_ZONE).date(),
        submit_due_on=one.submit_due_at.astimezone(SCHOOL_ZONE).date(),
        hard_close_on=one.hard_close_at.astimezone(SCHOOL_ZONE).date(),
    )


def _seat(one: PanelSeat, person: Person) -> SeatOut:
    return SeatOut(id=one.id, person=who(person), kind=one.kind.value)


@writes(routes, "POST", "/rounds", status=201, refuses=[rounds.UnpublishedScheme, BadInput, NotFound])
def create_round(session: Db, person: Administrator, body: RoundIn) -> SetupOut:
    """Set up a round."""
    made = rounds.create(
        session,
        actor=person,
        version=mine.of_school(session, person, SchemeVersion, body.scheme_id, _("考核方案")),
        name=body.name.strip(),
        abilities=body.abilities,
        opens_on=body.opens_on,
        submit_due_on=body.submit_due_on,
        hard_close_on=body.hard_close_on,
    )
    return _setup(made)


@reads(routes, "/rounds/{key}/setup")
def get_setup(session: Db, person: Administrator, key: Key) -> SetupOut:
    """Tell how a round is set up, with the version that a change is made from."""
    return _setup(seen.school_round(session, person, key))


@writes(routes, "PUT", "/rounds/{key}/setup", refuses=[BadInput, WrongPhase])
def put_setup(session: Db, person: Administrator, key: Key, body: SetupIn, if_match: IfMatch) -> SetupOut:
    """Change days and abilities of a round that is not open yet."""
    take_turn(session, organization_id=person.organization_id)
    found = seen.school_round(session, person, key)
    require_version(_setup(found).model_dump(mode="json"), if_match=if_match)
    rounds.set_up(
        session,
        actor=person,
        round_=found,
        abilities=body.abilities,
        opens_on=body.opens_on,
        submit_due_on=body.submit_due_on,
        hard_close_on=body.hard_close_on,
    )
    return _setup(found)


@reads(routes, "/rounds/{key}/readiness")
def get_readiness(session: Db, person: Administrator, key: Key) -> Readiness:
    """Tell what a round lacks before it can open."""
    found = seen.school_round(session, person, key)
    return Readiness(lacking=rounds.obstacles(session, round_=found) if found.phase is RoundPhase.SETUP else [])


@writes(routes, "POST", "/rounds/{key}/enrol-all", refuses=[WrongPhase])
def enrol_everybody(session: Db, person: Administrator, key: Key) -> EnrolledOut:
    """Put every teacher of the school into the round; those of a roster alone: `POST /roster` with the round."""
    return EnrolledOut(new=rounds.enrol_all(session, actor=person, round_=seen.school_round(session, person, key)))


@reads(routes, "/rounds/{key}/seats")
def list_seats(session: Db, person: Administrator, key: Key, part: Asked) -> Page[SeatOut]:
    """List who sits on a round's panel."""
    found = (
        select(PanelSeat, Person)
        .join(Person, Person.id == PanelSeat.person_id)
        .where(PanelSeat.round_id == seen.school_round(session, person, key).id)
    )
    return listed_part(session, found, key=PanelSeat.id, part=part, shown=lambda rows: [_seat(*row) for row in rows])


@writes(routes, "POST", "/rounds/{key}/seats", status=201, refuses=[WrongPhase])
def give_seat(session: Db, person: Administrator, key: Key, body: SeatIn) -> SeatOut:
    """Give somebody of the school a place on the panel, also while the round runs; given again it is the same."""
    round_ = seen.school_round(session, person, key)
    chosen = people.person_by_number(session, organization_id=round_.organization_id, number=body.number)
    return _seat(rounds.seat(session, actor=person, round_=round_, person=chosen, kind=body.kind), chosen)


@writes(routes, "DELETE", "/seats/{key}", status=204, refuses=[WrongPhase])
def take_seat(session: Db, person: Administrator, key: Key) -> None:
    """Take a place on the panel away, before the round opens."""
    rounds.unseat(session, actor=person, place=mine.of_school(session, person, PanelSeat, key, _("席位")))


@writes(routes, "POST", "/rounds/{key}/open", refuses=[rounds.NotReady, WrongPhase])
def open_round(session: Db, person: Administrator, key: Key) -> RoundOut:
    """Open the round: its scheme is frozen, its people are told; this can't be undone."""
    found = seen.school_round(session, person, key)
    rounds.open_round(session, actor=person, round_=found)
    return shown_round(found)


@writes(routes, "POST", "/rounds/{key}/put-off", refuses=[rounds.OnlyLater, BadInput, WrongPhase])
def put_off_round(session: Db, person: Administrator, key: Key, body: PutOffIn) -> RoundOut:
    """Give everybody more time in an open round."""
    found = seen.school_round(session, person, key)
    rounds.put_off(
        session,
        actor=person,
        round_=found,
        submit_due_on=body.submit_due_on,
        hard_close_on=body.hard_close_on,
        reason=body.reason,
    )
    return shown_round(found)


@writes(routes, "POST", "/rounds/{key}/close", refuses=[advance.NotToClose, WrongPhase])
def close_round(session: Db, person: Administrator, key: Key) -> RoundOut:
    """Close the round, once every result is final; this can't be undone."""
    found = seen.school_round(session, person, key)
    advance.close(session, actor=person, round_=found)
    return shown_round(found)
