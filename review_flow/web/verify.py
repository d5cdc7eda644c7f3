"""核验: what a stranger may know of a certificate's number; a QR code on paper leads here."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from review_flow.rules.certificates import genuine
from review_flow.steps import certificates_valid
from review_flow.steps.certificates_valid import UNKNOWN
from review_flow.web.access import Db, public
from review_flow.web.render import go, page

router = APIRouter()


@router.get("/verify")
@public
def ask(request: Request, number: Annotated[str, Query(max_length=60)] = "") -> Response:
    """Ask for a number, for whoever has only the paper; a number given leads to its page."""
    known = genuine(number, keys=request.app.state.settings.number_keys()) if number else None
    if known is not None:
        return go(f"/verify/{known}")
    return page(request, "verify/ask.html", number=number)


@router.get("/verify/{number}")
@public
def verify(request: Request, session: Db, number: str) -> HTMLResponse:
    """Show whether a certificate stands; a made-up number is told without asking the database."""
    known = genuine(number, keys=request.app.state.settings.number_keys())
    found = UNKNOWN if known is None else certificates_valid.verify(session, number=known)
    return page(request, "verify/shown.html", found=found, number=number)
