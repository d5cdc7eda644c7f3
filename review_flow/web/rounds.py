"""A round before it runs: days, abilities, people, the panel; tried out, then opened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, RedirectResponse

from models import Enrolment, PanelSeat, Person, Round
from review_flow.i18n import _, language
from review_flow.rules.lifecycle import EnrolmentState, RoundPhase, SchemeState
from review_flow.rules.words import ErrandKind, SeatKind
from review_flow.steps import errands, people, rounds
from review_flow.steps.rounds import round_scheme
from review_flow.web import approving, mine
from review_flow.web.access import Admin, Called, Confirmed, Db, Key
from review_flow.web.render import go, page
from review_flow.web.school import SchoolRound, today, version_of, versions_of

router = APIRouter()
Day = Annotated[date, Form()]
Codes = Annotated[list[str], Form(max_length=100)]


@router.get("/school/new-round")
def new_page(request: Request, session: Db, person: Admin, scheme: int = 0) -> HTMLResponse:
    """Ask for name, scheme and days of a new round; `scheme`: the version that one comes from."""
    published = versions_of(session, person, SchemeState.PUBLISHED)
    return page(request, "school/new_round.html", published=published, chosen=scheme, today=today())


@router.post("/school/new-round")
def create(
    session: Db,
    person: Admin,
    name: Annotated[str, Form(max_length=200)],
    scheme: Annotated[int, Form(ge=1, lt=2**63)],
    opens_on: Day,
    submit_due_on: Day,
    hard_close_on: Day,
) -> RedirectResponse:
    """Set up a round of a published scheme."""
    made = rounds.create(
        session,
        actor=person,
        version=version_of(session, person, scheme),
        name=name.strip(),
        abilities=[],
        opens_on=opens_on,
        submit_due_on=submit_due_on,
        hard_close_on=hard_close_on,
    )
    return go(f"/school/rounds/{made.id}")


@router.get("/school/rounds/{key}")
def round_page(request: Request, session: Db, person: Admin, round_: SchoolRound) -> HTMLResponse:
    """Show what a round is made of, and before it opens what it lacks."""
    scheme = round_scheme(session, round_=round_)
    setup = round_.phase is RoundPhase.SETUP
    return page(
        request,
        "school/round.html",
        round=round_,
        scheme=scheme,
        groups=_abilities(session, round_),
        counts=_counts(session, round_),
        seats=_seats(session, round_),
        kinds=[(kind.value, people.SEAT_NAMES[kind]) for kind in SeatKind],
        offered=_everybody(session, person),
        lacking=rounds.obstacles(session, round_=round_) if setup else [],
        approvals=approving.count_waiting(session, person, round_),
    )


def _abilities(session: Session, round_: Round) -> list[tuple[str, list[Any]]]:
    catalogue = round_scheme(session, round_=round_).catalogue
    known = sorted(catalogue.abilities, key=lambda one: catalogue.dimensions.index(one.dimension))
    return [(name, list(found)) for name, found in groupby(known, key=lambda one: one.dimension)]


def _counts(session: Session, round_: Round) -> dict[str, int]:
    of_round = select(Enrolment.state, func.count()).where(Enrolment.round_id == round_.id).group_by(Enrolment.state)
    found = dict(session.execute(of_round).tuples().all())
    exempt = found.pop(EnrolmentState.EXEMPT, 0)
    return {"taking_part": sum(found.values()), "exempt": exempt}


def _seats(session: Session, round_: Round) -> list[tuple[str, Sequence[Any]]]:
    rows = session.execute(
        select(PanelSeat, Person)
        .join(Person, Person.id == PanelSeat.person_id)
        .where(PanelSeat.round_id == round_.id)
        .order_by(PanelSeat.id)
    ).all()
    return [(name, [row for row in rows if row[0].kind is kind]) for kind, name in people.SEAT_NAMES.items()]


_PEOPLE = (
    select(Person.number, Person.name)
    .where(Person.organization_id == bindparam("school"), Person.active)
    .order_by(Person.number)
    .limit(mine.MOST_OFFERED + 1)
)


def _everybody(session: Session, person: Person) -> Sequence[Any]:
    """Return the school's people to choose from; nobody in a school so large that a list of them is no help."""
    found = session.execute(_PEOPLE, {"school": person.organization_id}).all()
    return found if len(found) <= mine.MOST_OFFERED else []


@router.post("/school/rounds/{key}/set-up")
def set_up(
    session: Db,
    person: Admin,
    round_: SchoolRound,
    opens_on: Day,
    submit_due_on: Day,
    hard_close_on: Day,
    abilities: Codes = [],  # noqa: B006 - FastAPI copies it
) -> RedirectResponse:
    """Change days and abilities before the round opens."""
    rounds.set_up(
        session,
        actor=person,
        round_=round_,
        abilities=abilities,
        opens_on=opens_on,
        submit_due_on=submit_due_on,
        hard_close_on=hard_close_on,
    )
    return go(f"/school/rounds/{round_.id}")


@router.post("/school/rounds/{key}/put-off")
def put_off(
    session: Db,
    person: Admin,
    round_: SchoolRound,
    _sure: Confirmed,
    submit_due_on: Day,
    hard_close_on: Day,
    reason: Annotated[str, Form(max_length=1000)] = "",
) -> RedirectResponse:
    """Give everybody more time in an open round."""
    rounds.put_off(
        session,
        actor=person,
        round_=round_,
        submit_due_on=submit_due_on,
        hard_close_on=hard_close_on,
        reason=reason,
    )
    return go(f"/school/rounds/{round_.id}")


@router.post("/school/rounds/{key}/seats")
def seat(
    session: Db, person: Admin, round_: SchoolRound, number: Called, kind: Annotated[SeatKind, Form()]
) -> RedirectResponse:
    """Give a person a place on the panel."""
    chosen = people.person_called(session, organization_id=round_.organization_id, word=number)
    rounds.seat(session, actor=person, round_=round_, person=chosen, kind=kind)
    return go(f"/school/rounds/{round_.id}#panel")


@router.post("/school/seats/{key}/remove")
def unseat(session: Db, person: Admin, key: Key) -> RedirectResponse:
    """Take a place on the panel away, before the round opens."""
    place = mine.of_school(session, person, PanelSeat, key, _("席位"))
    way = go(f"/school/rounds/{place.round_id}#panel")  # said before the place is gone
    rounds.unseat(session, actor=person, place=place)
    return way


@router.post("/school/rounds/{key}/enrol-all")
def enrol_all(session: Db, person: Admin, round_: SchoolRound) -> RedirectResponse:
    """Put every teacher of the school into the round."""
    rounds.enrol_all(session, actor=person, round_=round_)
    return go(f"/school/rounds/{round_.id}#people")


@router.get("/school/rounds/{key}/dry-run")
def dry_run(
    request: Request,
    session: Db,
    person: Admin,  # noqa: ARG001 - the guard is its point
    round_: SchoolRound,
) -> HTMLResponse:
    """Show what came of trying the round out last."""
    known = errands.known(session, kind=ErrandKind.DRY_RUN, organization_id=round_.organization_id, round_=round_)
    at = known.answer[language.get()] if known.answer else None
    return page(request, "school/dry_run.html", round=round_, errand=known, at=at)


@router.post("/school/rounds/{key}/dry-run")
def try_out(session: Db, person: Admin, round_: SchoolRound) -> RedirectResponse:
    """Have the round tried out; it takes a moment for a large school."""
    errands.ask_dry_run(session, actor=person, round_=round_)
    return go(f"/school/rounds/{round_.id}/dry-run")


@router.post("/school/rounds/{key}/open")
def open_(session: Db, person: Admin, round_: SchoolRound, _sure: Confirmed) -> RedirectResponse:
    """Open the round."""
    rounds.open_round(session, actor=person, round_=round_)
    return go(f"/school/rounds/{round_.id}/progress")
