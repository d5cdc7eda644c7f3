"""回调地址: the administrator's page of them: set up, tried, switched off and on, taken away, and what was sent."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, RedirectResponse

from models import Person, Webhook, WebhookDelivery
from review_flow.rules.webhooks import EVENTS, TEST
from review_flow.steps import webhooks
from review_flow.web.access import Admin, Db, Key
from review_flow.web.render import go, page

router = APIRouter()
LATEST = 50
Events = Annotated[list[str], Form(max_length=100)]


@router.get("/school/webhooks")
def webhooks_page(request: Request, session: Db, person: Admin) -> HTMLResponse:
    """List the school's addresses."""
    found = webhooks.webhooks_of(session, organization_id=person.organization_id)
    return page(request, "webhooks/list.html", rows=found, events=EVENTS)


@router.post("/school/webhooks")
def make_webhook(
    request: Request,
    session: Db,
    person: Admin,
    url: Annotated[str, Form(max_length=1000)],
    events: Events = [],  # noqa: B006 - FastAPI copies it
) -> HTMLResponse:
    """Show a new address with its secret, once."""
    settings = request.app.state.settings
    row, secret = webhooks.make(
        session,
        actor=person,
        url=url.strip(),
        events=events,
        seal_keys=settings.derived_keys("webhooks"),
        networks=settings.webhook_networks,
    )
    return page(request, "webhooks/made.html", row=row, secret=secret)


@router.get("/school/webhooks/{key}")
def webhook_page(request: Request, session: Db, person: Admin, key: Key) -> HTMLResponse:
    """Show an address, and what was sent to it lately."""
    row = webhooks.webhook_of(session, actor=person, key=key)
    latest = webhooks.deliveries(row).order_by(WebhookDelivery.id.desc()).limit(LATEST)
    return page(request, "webhooks/one.html", row=row, sent=session.scalars(latest).all(), events=EVENTS, test=TEST)


@router.post("/school/webhooks/{key}")
def change_webhook(
    session: Db,
    person: Admin,
    key: Key,
    events: Events = [],  # noqa: B006 - FastAPI copies it
    on: Annotated[bool, Form()] = False,  # noqa: FBT002 - a box of the form
) -> RedirectResponse:
    """Choose its news anew, switch it off or on."""
    webhooks.change(session, actor=person, webhook=_row(session, person, key), events=events, on=on)
    return go(f"/school/webhooks/{key}")


@router.post("/school/webhooks/{key}/test")
def test_webhook(session: Db, person: Admin, key: Key) -> RedirectResponse:
    """Send it a telling of nothing."""
    webhooks.test(session, actor=person, webhook=_row(session, person, key))
    return go(f"/school/webhooks/{key}")


@router.post("/school/webhooks/{key}/remove")
def remove_webhook(session: Db, person: Admin, key: Key) -> RedirectResponse:
    """Take it away."""
    webhooks.remove(session, actor=person, webhook=_row(session, person, key))
    return go("/school/webhooks")


def _row(session: Session, person: Person, key: int) -> Webhook:
    return webhooks.webhook_of(session, actor=person, key=key)
