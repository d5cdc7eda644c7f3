"""The level above: its schools side by side, a round's indicators, results drawn by lot, what waits for its word."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import select

from models import Enrolment, Hours, Organization, Person, Result
from review_flow.errors import BadInput, NotAllowed, NotFound
from review_flow.i18n import _, say
from review_flow.rules.marks import shown
from review_flow.steps import boards, certificates_valid, county, crediting
from review_flow.steps.turn import take_turn
from review_flow.web.access import Db, Key
from review_flow.web.api.access import CountyAdministrator
from review_flow.web.api.exports import ConfirmedOut
from review_flow.web.api.pages import Asked, listed_part, numbered_part
from review_flow.web.api.panel import who
from review_flow.web.api.rounds import RoundOut, School, shown_round
from review_flow.web.api.routes import reads, router, writes
from review_flow.web.api.shapes import In, Line, Out, Page, RowId, Who, Word
from review_flow.web.api.teaching import LedgerLine

routes = router("county")


class OfficeIn(In):
    """As which issuer one says it: one of one's own offices."""

    issuer: Annotated[Line, Field(min_length=1)]


class SchoolLine(Out):
    """A school, and how its newest round stands that was opened; null: there is none."""

    school: School
    round: RoundOut | None
    teachers: int
    exempt: int
    works: int
    graded: int
    confirmed: int
    appeals: int
    grades: dict[str, int]


class Indicator(Out):
    """An indicator of a school: numerator, denominator, value and whether it is met; null: nobody told of it."""

    id: str
    text: str
    have: str | None
    of: str | None
    value: str | None
    met: bool | None


class CountyRound(Out):
    """A school's round: its indicators, and how many certificates wait for each of one's offices as their issuer."""

    school: School
    round: RoundOut
    indicators: list[Indicator]
    certificates: dict[str, int]


class DrawIn(In):
    """How many results are drawn."""

    count: Annotated[int, Field(ge=1, le=county.MOST_DRAWN)]


class DrawnOut(Out):
    """A result that was drawn, and whose it is."""

    id: int
    person: Who
    state: Word
    score: str | None
    grade: str | None


class DrawnMore(DrawnOut):
    """A result that was drawn, with every line that made it."""

    ledger: list[LedgerLine]
    outcome: dict[str, Any]


class CreditOut(Out):
    """Hours that wait for the county's word."""

    id: int
    person: Who
    ledger: str
    hours: str
    source: str


class CreditsIn(In):
    """The credits to confirm."""

    ids: Annotated[list[RowId], Field(min_length=1, max_length=county.PAGE)]


@reads(routes, "/county/schools")
def list_schools(session: Db, person: CountyAdministrator, part: Asked) -> Page[SchoolLine]:
    """List the schools below side by side."""
    return listed_part(
        session,
        county.below(session, actor=person),
        key=Organization.id,
        part=part,
        shown=lambda rows: [_line(one) for one in county.beside(session, schools=[one for (one,) in rows])],
    )


def _school(one: Organization) -> School:
    return School(id=one.id, name=one.name)


def _line(one: county.SchoolLine) -> SchoolLine:
    return SchoolLine(
        school=_school(one.school),
        round=shown_round(one.round) if one.round else None,
        teachers=one.teachers,
        exempt=one.exempt,
        works=one.works,
        graded=one.graded,
        confirmed=one.confirmed,
        appeals=one.appeals,
        grades=one.grades,
    )


@reads(routes, "/county/rounds/{key}")
def get_county_round(session: Db, person: CountyAdministrator, key: Key) -> CountyRound:
    """Tell of a round of a school below."""
    round_ = county.round_below(session, actor=person, key=key)
    told = boards.indicators(session, actor=person, round_=round_)
    return CountyRound(
        school=_school(session.get_one(Organization, round_.organization_id)),
        round=shown_round(round_),
        indicators=[Indicator.model_validate(one) for one in told],
        certificates=county.issuers(session, actor=person, round_=round_),
    )


@writes(routes, "POST", "/county/rounds/{key}/spot-checks", status=201, refuses=[BadInput])
def draw_results(session: Db, person: CountyAdministrator, key: Key, body: DrawIn) -> Page[DrawnOut]:
    """Draw results by lot to be looked into, and list those that were drawn now; the school reads what was drawn."""
    round_ = county.round_below(session, actor=person, key=key)
    now_ = set(county.draw(session, actor=person, round_=round_, count=body.count))
    session.flush()
    found = county.drawn(session, actor=person, round_=round_)
    return Page(items=[DrawnOut(**_drawn(*one)) for one in found if one[0].id in now_], next=None)


@reads(routes, "/county/rounds/{key}/spot-checks")
def list_drawn(session: Db, person: CountyAdministrator, key: Key, part: Asked) -> Page[DrawnOut]:
    """List every result of a round that was drawn."""
    found = county.drawn(session, actor=person, round_=county.round_below(session, actor=person, key=key))
    return numbered_part([DrawnOut(**_drawn(*one)) for one in found], part=part)


def _drawn(one: Result, person: Person) -> dict[str, Any]:
    return {
        "id": one.id,
        "person": who(person),
        "state": Word.of(one.state),
        "score": None if one.score is None else str(one.score),
        "grade": one.grade,
    }


@reads(routes, "/county/rounds/{key}/spot-checks/{result}")
def get_drawn(session: Db, person: CountyAdministrator, key: Key, result: Key) -> DrawnMore:
    """Tell a result that was drawn, line by line; no other is there."""
    drawn = county.drawn(session, actor=person, round_=county.round_below(session, actor=person, key=key))
    found = next((one for one in drawn if one[0].id == result), None)
    if found is None:
        raise NotFound(what=say(_("考核结果")), key=result)
    outcome = json.loads(found[0].outcome)
    return DrawnMore(**_drawn(*found), ledger=outcome["ledger"], outcome=outcome)


@reads(routes, "/county/rounds/{key}/hours")
def list_unconfirmed_hours(session: Db, person: CountyAdministrator, key: Key, part: Asked) -> Page[CreditOut]:
    """List the hours that wait for the county's word."""
    round_ = county.round_below(session, actor=person, key=key)
    cut = numbered_part(crediting.unconfirmed_hours(session, round_=round_), part=part)
    whose = (
        select(Enrolment.id, Person)
        .join(Person, Person.id == Enrolment.person_id)
        .where(Enrolment.id.in_({one.enrolment_id for one in cut.items}))
    )
    people = dict(session.execute(whose).tuples().all())
    return Page(items=[_credit(one, people[one.enrolment_id]) for one in cut.items], next=cut.next)


def _credit(one: Hours, person: Person) -> CreditOut:
    return CreditOut(id=one.id, person=who(person), ledger=one.ledger, hours=shown(one.hours), source=one.source)


@writes(routes, "POST", "/county/rounds/{key}/hours/confirm")
def confirm_hours(session: Db, person: CountyAdministrator, key: Key, body: CreditsIn) -> ConfirmedOut:
    """Confirm hours; those that do not wait (any more) are passed over."""
    round_ = county.round_below(session, actor=person, key=key)
    take_turn(session, organization_id=round_.organization_id)
    chosen = [one for one in crediting.unconfirmed_hours(session, round_=round_) if one.id in set(body.ids)]
    return ConfirmedOut(confirmed=crediting.confirm_hours(session, actor=person, round_=round_, told=chosen))


@writes(routes, "POST", "/county/rounds/{key}/certificates/confirm", refuses=[NotAllowed])
def confirm_county_certificates(session: Db, person: CountyAdministrator, key: Key, body: OfficeIn) -> ConfirmedOut:
    """Confirm, as their issuer, the certificates that wait for it."""
    said = certificates_valid.confirm_all(
        session,
        actor=person,
        round_=county.round_below(session, actor=person, key=key),
        issuer=body.issuer,
    )
    return ConfirmedOut(confirmed=said)
