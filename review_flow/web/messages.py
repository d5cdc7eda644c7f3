"""消息: what a person was told, which stays here whatever else went out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, Response

from review_flow.steps import messages
from review_flow.web.access import Db, Signed
from review_flow.web.render import Paged, go, is_htmx, page, pages_of

router = APIRouter()
EACH = 50


@router.get("/messages")
def messages_page(request: Request, session: Db, person: Signed, number: Paged = 1) -> HTMLResponse:
    """Show a person's own messages, the newest first; the page then says by itself that these were read."""
    found, count = messages.inbox(session, person=person, number=number, each=EACH)
    return page(request, "teacher/messages.html", found=found, number=number, pages=pages_of(count, EACH))


@router.post("/messages/read")
def read(
    request: Request, session: Db, person: Signed, newest: Annotated[int, Form(alias="message", ge=1, lt=2**63)]
) -> Response:
    """Keep that one's messages were read, up to this one; the page that says so by itself stays as it is."""
    messages.mark_read(session, actor=person, newest_id=newest)
    return Response(status_code=204) if is_htmx(request) else go("/messages")
