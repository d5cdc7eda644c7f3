"""回调: an organization's other systems are told of news: set up by its administrator, tried again, given up in the end."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select

from models import Webhook, WebhookDelivery
from review_flow.clock import now
from review_flow.errors import BadInput, NotFound, Refusal
from review_flow.i18n import _, listed, say
from review_flow.outside.webhooks import require_sayable, shown_secret
from review_flow.rules.webhooks import EVENTS, KEPT_FOR, LONGEST_FAILING, TEST, next_try
from review_flow.rules.words import WorkKind
from review_flow.steps import audit, webhook_news
from review_flow.steps.messages import tell_administrators
from review_flow.steps.people import require_admin
from review_flow.steps.sealing import Keys, Resealed, sealed, unsealed
from review_flow.steps.turn import take_turn
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from models import Person
    from review_flow.outside.webhooks import Answer, Network

SECRET_BYTES = 32
MOST, AT_ONCE = 10, 20
GONE = 410


class TooManyWebhooks(Refusal):
    """A school has few other systems."""

    status, text = 409, _("已有{most}个回调地址，请先删除不用的。")


@dataclass(frozen=True, slots=True)
class Telling:
    """One piece of news on its way: where to, with which secret, so that it can be sent outside of any transaction."""

    id: int
    url: str
    secret: bytes
    public_id: str
    body: bytes


def make(
    session: Session,
    *,
    actor: Person,
    url: str,
    events: Collection[str],
    seal_keys: Keys,
    networks: Sequence[Network] = (),
) -> tuple[Webhook, str]:
    """Set up an address of the actor's school; return it with its secret, which is shown once.

    Raises NotAllowed, BadInput, NotForOutside, TooManyWebhooks.
    """
    take_turn(session, organization_id=actor.organization_id)
    require_admin(session, actor=actor, organization_id=actor.organization_id)
    require_sayable(url, networks=networks)
    _require_known(events)
    if len(webhooks_of(session, organization_id=actor.organization_id)) >= MOST:
        raise TooManyWebhooks(most=MOST)
    secret = secrets.token_bytes(SECRET_BYTES)
    webhook = Webhook(
        organization_id=actor.organization_id,
        url=url,
        events=_in_order(events),
        sealed_secret=sealed(seal_keys[0], secret, bound_to=_owner(actor.organization_id)),
        made_by_id=actor.id,
        made_at=now(),
    )
    session.add(webhook)
    session.flush()
    _note(session, actor=actor, webhook=webhook, deed="webhook.make")
    return webhook, shown_secret(secret)


def _owner(organization_id: int) -> str:
    return f"webhook:{organization_id}"


def _require_known(events: Collection[str]) -> None:
    unknown = sorted(set(events) - set(EVENTS))
    if unknown or not events:
        problem = say(_("没有这样的事件：{names}。"), names=listed(unknown)) if unknown else say(_("请至少选一项。"))
        raise BadInput(field=say(_("事件")), problem=problem)


def _in_order(events: Collection[str]) -> list[str]:
    return [one for one in EVENTS if one in events]


def _note(session: Session, *, actor: Person, webhook: Webhook, deed: str) -> None:
    audit.record(
        session,
        organization_id=webhook.organization_id,
        actor=actor,
        deed=deed,
        about=webhook,
        events=webhook.events,
        on=webhook.disabled_at is None,
    )


def webhooks_of(session: Session, *, organization_id: int) -> list[Webhook]:
    """Return an organization's addresses, in the order they were set up."""
    there = select(Webhook).where(Webhook.organization_id == organization_id, Webhook.removed_at.is_(None))
    return list(session.scalars(there.order_by(Webhook.id)))


def webhook_of(session: Session, *, actor: Person, key: int) -> Webhook:
    """Return an address of the administrator's own school; raises NotAllowed, NotFound."""
    require_admin(session, actor=actor, organization_id=actor.organization_id)
    found = session.get(Webhook, key)
    if found is None or found.removed_at is not None or found.organization_id != actor.organization_id:
        raise NotFound(what=say(_("回调地址")), key=key)
    return found


def change(session: Session, *, actor: Person, webhook: Webhook, events: Collection[str], on: bool) -> None:
    """Choose its news anew, switch it off, or on again: what waits is then sent."""
    take_turn(session, organization_id=webhook.organization_id)
    require_admin(session, actor=actor, organization_id=webhook.organization_id)
    _require_known(events)
    webhook.events = _in_order(events)
    if on and webhook.disabled_at is not None:
        webhook.disabled_at = webhook.disabled_reason = webhook.failing_since = None
        enqueue(session, kind=WorkKind.DELIVER_WEBHOOKS, subject_id=webhook.id)
    elif not on and webhook.disabled_at is None:
        webhook.disabled_at, webhook.disabled_reason = now(), say(_("由管理员停用"))
    _note(session, actor=actor, webhook=webhook, deed="webhook.change")


def remove(session: Session, *, actor: Person, webhook: Webhook) -> None:
    """Take an address away; nothing more is sent there, and nobody can look at what was: it is forgotten."""
    take_turn(session, organization_id=webhook.organization_id)
    require_admin(session, actor=actor, organization_id=webhook.organization_id)
    webhook.removed_at = now()
    session.execute(delete(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook.id))
    _note(session, actor=actor, webhook=webhook, deed="webhook.remove")


def test(session: Session, *, actor: Person, webhook: Webhook) -> WebhookDelivery:
    """Send an address a telling of nothing, so that its owner sees whether it arrives."""
    take_turn(session, organization_id=webhook.organization_id)
    require_admin(session, actor=actor, organization_id=webhook.organization_id)
    return webhook_news.deliver(session, webhook=webhook, event=TEST)


def seal_anew(session: Session, *, seal_keys: Keys) -> Resealed:
    """Seal with the first key the secrets that are sealed with a later one."""
    done = Resealed()
    for webhook in session.scalars(select(Webhook).order_by(Webhook.id)).all():
        bound_to = _owner(webhook.organization_id)
        webhook.sealed_secret = done.of(seal_keys, webhook.sealed_secret, bound_to=bound_to)
    return done


def due(session: Session, *, webhook_id: int, seal_keys: Keys) -> list[Telling]:
    """Return what is to be sent to an address now, the oldest first; nothing where it is switched off or taken away."""
    webhook = session.get_one(Webhook, webhook_id)
    if webhook.disabled_at is not None or webhook.removed_at is not None:
        return []
    secret = unsealed(seal_keys, webhook.sealed_secret, bound_to=_owner(webhook.organization_id))
    waiting = (
        select(WebhookDelivery)
        .where(WebhookDelivery.webhook_id == webhook.id, WebhookDelivery.next_at <= now())
        .order_by(WebhookDelivery.id)
        .limit(AT_ONCE)
    )
    return [Telling(one.id, webhook.url, secret, one.public_id, one.body.encode()) for one in session.scalars(waiting)]


def record(session: Session, *, webhook_id: int, answers: Sequence[tuple[int, Answer]]) -> datetime | None:
    """Keep what became of each telling, and forget the old ones; return when the next one is due, None: none is.

    An address that took nothing for days, or says that it is gone, is switched off, and its administrators are told.
    """
    webhook = session.get_one(Webhook, webhook_id)
    take_turn(session, organization_id=webhook.organization_id)
    if webhook.removed_at is not None:
        return None
    for key, answer in answers:
        _keep(session.get_one(WebhookDelivery, key), answer)
        webhook.failing_since = None if answer.taken else webhook.failing_since or now()
    failing = webhook.failing_since is not None and now() - webhook.failing_since >= LONGEST_FAILING
    gone = any(answer.status == GONE for _key, answer in answers)
    if (failing or gone) and webhook.disabled_at is None:
        _disable(session, webhook)
    done = (WebhookDelivery.webhook_id == webhook.id, WebhookDelivery.next_at.is_(None))
    session.execute(delete(WebhookDelivery).where(*done, WebhookDelivery.created_at < now() - KEPT_FOR))
    if webhook.disabled_at is not None:
        return None
    return session.scalar(select(func.min(WebhookDelivery.next_at)).where(WebhookDelivery.webhook_id == webhook.id))


def _keep(telling: WebhookDelivery, answer: Answer) -> None:
    telling.attempts += 1
    telling.tried_at, telling.status, telling.problem = now(), answer.status, answer.problem
    telling.delivered_at = now() if answer.taken else None
    telling.next_at = None if answer.taken else next_try(telling.attempts, at=now())


def _disable(session: Session, webhook: Webhook) -> None:
    webhook.disabled_at, webhook.disabled_reason = now(), say(_("连续多日没有送达，或对方已不再接收"))
    audit.record(session, organization_id=webhook.organization_id, actor=None, deed="webhook.disable", about=webhook)
    tell_administrators(
        session,
        organization_id=webhook.organization_id,
        round_id=None,
        kind="webhook.disabled",
        sentence=_("回调地址（编号{id}）已停用：{reason}。修好后请重新启用，还在等待的会继续发送。"),
        id=webhook.id,
        reason=webhook.disabled_reason,
    )


def deliveries(webhook: Webhook) -> Select[tuple[WebhookDelivery]]:
    """Select what was sent, or is to be sent, to an address."""
    return select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook.id)
