"""A round in charts, each with its table; printable."""

from __future__ import annotations

from fastapi import APIRouter, Request
from sqlalchemy import select
from starlette.responses import HTMLResponse, RedirectResponse

from models import Person
from review_flow.rules.words import ErrandKind
from review_flow.steps import charts, errands
from review_flow.web.access import Admin, Db
from review_flow.web.render import Paged, go, page, pages_of
from review_flow.web.school import SchoolRound

router = APIRouter()
PAGE = 50


@router.get("/school/rounds/{key}/charts")
def charts_page(request: Request, session: Db, person: Admin, round_: SchoolRound) -> HTMLResponse:
    """Show the round's charts."""
    return page(
        request, "school/charts.html", round=round_, charts=charts.of_round(session, actor=person, round_=round_)
    )


@router.get("/school/rounds/{key}/agreement")
def agreement(
    request: Request,
    session: Db,
    person: Admin,  # noqa: ARG001 - the guard is its point
    round_: SchoolRound,
    page_: Paged = 1,
) -> HTMLResponse:
    """Show how each reviewer's marks lie beside the others', as it was computed last."""
    known = errands.known(session, kind=ErrandKind.AGREEMENT, organization_id=round_.organization_id, round_=round_)
    answer = known.answer or {"alpha": None, "reviewers": []}
    rows = answer["reviewers"][(page_ - 1) * PAGE : page_ * PAGE]
    people = {one.id: one for one in session.scalars(select(Person).where(Person.id.in_([row[0] for row in rows])))}
    return page(
        request,
        "school/agreement.html",
        round=round_,
        errand=known,
        alpha=answer["alpha"],
        rows=[(people[key], *numbers) for key, *numbers in rows],
        number=page_,
        pages=pages_of(len(answer["reviewers"]), PAGE),
    )


@router.post("/school/rounds/{key}/agreement")
def compute_agreement(session: Db, person: Admin, round_: SchoolRound) -> RedirectResponse:
    """Have it computed; it takes seconds for a large school."""
    errands.ask_agreement(session, actor=person, round_=round_)
    return go(f"/school/rounds/{round_.id}/agreement")
