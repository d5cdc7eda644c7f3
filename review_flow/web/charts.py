"""A round in charts, each with its table; printable."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from review_flow.db import transaction
from review_flow.steps import charts, feedback
from review_flow.web.access import Admin, Db, Key, PassingAdmin
from review_flow.web.render import page
from review_flow.web.school import SchoolRound, round_of

router = APIRouter()


@router.get("/school/rounds/{key}/charts")
def charts_page(request: Request, session: Db, person: Admin, round_: SchoolRound) -> HTMLResponse:
    """Show the round's charts."""
    return page(
        request, "school/charts.html", round=round_, charts=charts.of_round(session, actor=person, round_=round_)
    )


@router.get("/school/rounds/{key}/agreement")
def agreement(request: Request, person: PassingAdmin, key: Key) -> HTMLResponse:
    """Show how each reviewer's marks lie beside the others'; what takes long holds no transaction."""
    with transaction(request.app.state.engine) as session:
        round_ = round_of(session, person, key)
        given = feedback.gather(session, actor=person, round_=round_)
    return page(request, "school/agreement.html", round=round_, found=feedback.agree(given))
