"""接口令牌: one's own tokens: made, shown once, ended."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse

from review_flow.rules.tokens import LONGEST_DAYS, SCOPE_NAMES, USUAL_DAYS, Scope
from review_flow.steps import tokens
from review_flow.web import watch
from review_flow.web.access import Db, Key, Signed
from review_flow.web.render import go, page

router = APIRouter()


@router.get("/me/tokens")
def tokens_page(request: Request, session: Db, person: Signed) -> HTMLResponse:
    """List one's tokens, and what a new one may be let do."""
    rows = [{"token": one, "live": tokens.is_live(one)} for one in tokens.tokens_of(session, person=person)]
    names = {one.value: text for one, text in SCOPE_NAMES.items()}
    return page(request, "tokens/list.html", rows=rows, names=names, days=USUAL_DAYS, longest=LONGEST_DAYS)


@router.post("/me/tokens")
def make_token(
    request: Request,
    session: Db,
    person: Signed,
    name: Annotated[str, Form(max_length=200, pattern=r"^[^\x00]*$")],
    days: Annotated[int, Form()] = USUAL_DAYS,
    scopes: Annotated[list[Scope], Form(max_length=20)] = [],  # noqa: B006 - FastAPI copies it
) -> HTMLResponse:
    """Show a new token, once: only its digest is kept."""
    row, token = tokens.make(session, actor=person, name=name, scopes=scopes, days=days)
    watch.note(request, "token-made", about=row.id)
    return page(request, "tokens/made.html", row=row, token=token)


@router.post("/me/tokens/{key}/revoke")
def revoke_token(request: Request, session: Db, person: Signed, key: Key) -> RedirectResponse:
    """End one of one's tokens."""
    tokens.revoke(session, actor=person, token_id=key)
    watch.note(request, "token-ended", about=key)
    return go("/me/tokens")
