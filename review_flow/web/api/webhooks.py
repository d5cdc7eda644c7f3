"""Webhooks: addresses of the school's other systems, set up here; what was sent there, and what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Request
from pydantic import Field

from models import Webhook, WebhookDelivery
from review_flow.errors import BadInput
from review_flow.outside.webhooks import MOST_URL, NotForOutside
from review_flow.steps import webhooks
from review_flow.steps.turn import take_turn
from review_flow.web.access import Db, Key
from review_flow.web.api.access import Administrator
from review_flow.web.api.pages import Asked, listed_part, numbered_part
from review_flow.web.api.routes import IfMatch, reads, router, writes
from review_flow.web.api.shapes import NO_NUL, Code, Edited, In, Out, Page
from review_flow.web.versions import require_version

routes = router("webhooks")
Events = Annotated[list[Code], Field(min_length=1, max_length=100)]


class WebhookOut(Edited):
    """An address. `on`: whether it is told of anything; `why_off`: who or what switched it off."""

    id: int
    url: str
    events: list[str]
    on: bool
    why_off: str | None


class WebhookMade(WebhookOut):
    """A new address, with the secret that it verifies with; it is shown this once."""

    secret: str


class WebhookIn(In):
    """Where to, and which kinds of news: those of docs/api.md."""

    url: Annotated[str, Field(min_length=1, max_length=MOST_URL, pattern=NO_NUL)]
    events: Events


class WebhookChange(In):
    """Which kinds of news, and whether any."""

    events: Events
    on: bool


class DeliveryOut(Out):
    """One telling. `next_at` null: it has arrived, or was given up; `status`: what the last try was answered with."""

    id: int
    webhook_id: str
    event: str
    created_at: datetime
    attempts: int
    tried_at: datetime | None
    status: int | None
    problem: str | None
    delivered_at: datetime | None
    next_at: datetime | None


def _shown(one: Webhook) -> WebhookOut:
    return WebhookOut(
        id=one.id, url=one.url, events=one.events, on=one.disabled_at is None, why_off=one.disabled_reason
    )


@reads(routes, "/webhooks")
def list_webhooks(session: Db, person: Administrator, part: Asked) -> Page[WebhookOut]:
    """List the school's addresses."""
    found = webhooks.webhooks_of(session, organization_id=person.organization_id)
    return numbered_part([_shown(one) for one in found], part=part)


@writes(routes, "POST", "/webhooks", status=201, refuses=[BadInput, NotForOutside, webhooks.TooManyWebhooks])
def make_webhook(request: Request, session: Db, person: Administrator, body: WebhookIn) -> WebhookMade:
    """Set up an address; its secret is told this once."""
    settings = request.app.state.settings
    made, secret = webhooks.make(
        session,
        actor=person,
        url=body.url,
        events=body.events,
        seal_keys=settings.derived_keys("webhooks"),
        networks=settings.webhook_networks,
    )
    return WebhookMade(**_shown(made).model_dump(), secret=secret)


@reads(routes, "/webhooks/{key}")
def get_webhook(session: Db, person: Administrator, key: Key) -> WebhookOut:
    """Tell of an address."""
    return _shown(webhooks.webhook_of(session, actor=person, key=key))


@writes(routes, "PUT", "/webhooks/{key}", refuses=[BadInput])
def put_webhook(session: Db, person: Administrator, key: Key, body: WebhookChange, if_match: IfMatch) -> WebhookOut:
    """Choose its news anew, switch it off or on; what waits is sent when it is on again."""
    take_turn(session, organization_id=person.organization_id)
    found = webhooks.webhook_of(session, actor=person, key=key)
    require_version(_shown(found).model_dump(mode="json"), if_match=if_match)
    webhooks.change(session, actor=person, webhook=found, events=body.events, on=body.on)
    return _shown(found)


@writes(routes, "DELETE", "/webhooks/{key}", status=204)
def delete_webhook(session: Db, person: Administrator, key: Key) -> None:
    """Take an address away; nothing more is sent there."""
    webhooks.remove(session, actor=person, webhook=webhooks.webhook_of(session, actor=person, key=key))


@writes(routes, "POST", "/webhooks/{key}/test", status=202)
def test_webhook(session: Db, person: Administrator, key: Key) -> DeliveryOut:
    """Send a telling of nothing (`webhook.test`), to see whether it arrives."""
    return _delivery(webhooks.test(session, actor=person, webhook=webhooks.webhook_of(session, actor=person, key=key)))


@reads(routes, "/webhooks/{key}/deliveries")
def list_deliveries(session: Db, person: Administrator, key: Key, part: Asked) -> Page[DeliveryOut]:
    """List what was sent to an address, the newest first."""
    return listed_part(
        session,
        webhooks.deliveries(webhooks.webhook_of(session, actor=person, key=key)),
        key=WebhookDelivery.id,
        part=part,
        shown=lambda rows: [_delivery(one) for (one,) in rows],
        newest_first=True,
    )


def _delivery(one: WebhookDelivery) -> DeliveryOut:
    return DeliveryOut(
        id=one.id,
        webhook_id=one.public_id,
        event=one.event,
        created_at=one.created_at,
        attempts=one.attempts,
        tried_at=one.tried_at,
        status=one.status,
        problem=one.problem,
        delivered_at=one.delivered_at,
        next_at=one.next_at,
    )
