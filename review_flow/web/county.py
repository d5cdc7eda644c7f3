"""The county's desk: schools side by side, a round's indicators, spot checks, confirmations."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from sqlalchemy import select
from starlette.responses import HTMLResponse, RedirectResponse

from models import Enrolment, Organization, Person, Round
from review_flow.errors import NotFound
from review_flow.i18n import _, say
from review_flow.steps import boards, certificates_valid, county, crediting
from review_flow.steps.rounds import round_scheme
from review_flow.web.access import Confirmed, CountyAdmin, Db, Key
from review_flow.web.render import Paged, go, page, pages_of

router = APIRouter()


def round_below(session: Db, person: CountyAdmin, key: Key) -> Round:
    """Return a round of a school below; any other is not there."""
    return county.round_below(session, actor=person, key=key)


Below = Annotated[Round, Depends(round_below)]


@router.get("/county")
def schools(request: Request, session: Db, person: CountyAdmin, page_: Paged = 1) -> HTMLResponse:
    """Show the schools side by side."""
    found, count = county.schools(session, actor=person, page=page_)
    return page(
        request,
        "county/schools.html",
        offices=county.offices(session, actor=person),
        found=found,
        count=count,
        number=page_,
        pages=pages_of(count, county.PAGE),
    )


@router.get("/county/rounds/{key}")
def round_page(request: Request, session: Db, person: CountyAdmin, round_: Below) -> HTMLResponse:
    """Show a school's round: indicators, what waits for the county, what was drawn."""
    waiting = crediting.unconfirmed_hours(session, round_=round_)[: county.PAGE]
    whose = (
        select(Enrolment.id, Person)
        .join(Person, Person.id == Enrolment.person_id)
        .where(Enrolment.id.in_({one.enrolment_id for one in waiting}))
    )
    return page(
        request,
        "county/round.html",
        round=round_,
        school=session.get_one(Organization, round_.organization_id),
        scheme=round_scheme(session, round_=round_),
        indicators=boards.indicators(session, actor=person, round_=round_),
        issuers=county.issuers(session, actor=person, round_=round_),
        hours=waiting,
        whose=dict(session.execute(whose).tuples().all()),
        drawn=county.drawn(session, actor=person, round_=round_),
        most=county.MOST_DRAWN,
    )


@router.post("/county/rounds/{key}/spot-check")
def draw(
    session: Db, person: CountyAdmin, round_: Below, _sure: Confirmed, count: Annotated[int, Form()]
) -> RedirectResponse:
    """Draw results to be looked into."""
    county.draw(session, actor=person, round_=round_, count=count)
    return go(f"/county/rounds/{round_.id}#drawn")


@router.get("/county/rounds/{key}/results/{result}")
def result_page(request: Request, session: Db, person: CountyAdmin, round_: Below, result: Key) -> HTMLResponse:
    """Show a result that was drawn, line by line."""
    found = {one.id: (one, whose) for one, whose in county.drawn(session, actor=person, round_=round_)}
    if result not in found:
        raise NotFound(what=say(_("考核结果")), key=result)
    one, whose = found[result]
    return page(request, "county/result.html", round=round_, result=one, whose=whose, outcome=json.loads(one.outcome))


@router.post("/county/rounds/{key}/hours")
def confirm_hours(
    session: Db,
    person: CountyAdmin,
    round_: Below,
    _sure: Confirmed,
    credits_: Annotated[list[int], Form(alias="credits", max_length=county.PAGE)],
) -> RedirectResponse:
    """Confirm hours that wait for the county."""
    chosen = [one for one in crediting.unconfirmed_hours(session, round_=round_) if one.id in set(credits_)]
    crediting.confirm_hours(session, actor=person, round_=round_, told=chosen)
    return go(f"/county/rounds/{round_.id}")


@router.post("/county/rounds/{key}/certificates")
def confirm_certificates(
    session: Db,
    person: CountyAdmin,
    round_: Below,
    _sure: Confirmed,
    issuer: Annotated[str, Form(max_length=200)],
) -> RedirectResponse:
    """Confirm, as their issuer, the certificates that wait for it."""
    certificates_valid.confirm_all(session, actor=person, round_=round_, issuer=issuer)
    return go(f"/county/rounds/{round_.id}")
