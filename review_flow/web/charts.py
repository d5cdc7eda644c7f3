"""A round in charts, each with its table; printable."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from review_flow.steps import charts, feedback
from review_flow.web.access import Admin, Db
from review_flow.web.render import page
from review_flow.web.school import SchoolRound

router = APIRouter()


@router.get("/school/rounds/{key}/charts")
def charts_page(request: Request, session: Db, person: Admin, round_: SchoolRound) -> HTMLResponse:
    """Show the round's charts."""
    return page(
        request, "school/charts.html", round=round_, charts=charts.of_round(session, actor=person, round_=round_)
    )


@router.get("/school/rounds/{key}/agreement")
def agreement(request: Request, session: Db, person: Admin, round_: SchoolRound) -> HTMLResponse:
    """Show how each reviewer's marks lie beside the others'; it is computed when somebody asks."""
    found = feedback.agreement(session, actor=person, round_=round_)
    return page(request, "school/agreement.html", round=round_, found=found)
