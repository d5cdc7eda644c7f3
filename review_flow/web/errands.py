"""What was asked to be done in the background, on whatever page asked for it: followed until it is done."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from review_flow.steps import errands
from review_flow.web.access import Db, Key, Signed
from review_flow.web.render import page

router = APIRouter()


@router.get("/errands/{key}")
def errand_part(request: Request, session: Db, person: Signed, key: Key) -> Response:
    """Show where an errand stands, asked for again until it is done: then its page is fetched anew."""
    found = errands.of_person(session, person=person, key=key)
    if found.done_at is not None:
        return Response(status_code=204, headers={"HX-Refresh": "true"})
    return page(request, "parts/errand.html", errand=errands.following(session, errand=found))
