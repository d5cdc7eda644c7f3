"""接口令牌: made by the person they act for, shown once, kept as a digest; used within scopes and a rate."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING

from sqlalchemy import select

from models import ApiToken, Credential, Person
from review_flow.clock import now
from review_flow.errors import BadInput, NotFound, Refusal
from review_flow.i18n import _, say
from review_flow.rules.door import digest
from review_flow.rules.tokens import LONGEST_DAYS, PER_MINUTE, Scope
from review_flow.steps import audit
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

MINUTE = timedelta(minutes=1)
MARK, MOST_NAME = "rft_", 100
MOST_AT_ONCE = 20


class TokenTooFast(Refusal):
    """A token has asked too often in this minute; says how long to wait."""

    status, text = 429, _("请求太频繁，请{seconds}秒后再试。")


class TooManyTokens(Refusal):
    """Nobody keeps an eye on more tokens than these."""

    status, text = 409, _("您已有{most}个在用的令牌，请先撤销不用的。")


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who a valid token acts for, and what it opens."""

    person_id: int
    scopes: frozenset[Scope]
    must_change: bool


def make(session: Session, *, actor: Person, name: str, scopes: Collection[Scope], days: int) -> tuple[ApiToken, str]:
    """Make a token for the actor themselves; return its row and the token, which is kept nowhere.

    A scope opens no more than the person may do: their roles are asked at every request. Raises BadInput,
    TooManyTokens.
    """
    take_turn(session, organization_id=actor.organization_id)
    if not 0 < len(name.strip()) <= MOST_NAME:
        raise BadInput(field=say(_("名称")), problem=say(_("请写明用途，不超过{most}个字。"), most=MOST_NAME))
    if not scopes:
        raise BadInput(field=say(_("范围")), problem=say(_("请至少选一项。")))
    if not 1 <= days <= LONGEST_DAYS:
        raise BadInput(field=say(_("有效天数")), problem=say(_("应是1到{most}的整数。"), most=LONGEST_DAYS))
    if sum(is_live(one) for one in tokens_of(session, person=actor)) >= MOST_AT_ONCE:
        raise TooManyTokens(most=MOST_AT_ONCE)
    prefix = MARK + secrets.token_hex(4)
    token = f"{prefix}_{secrets.token_urlsafe(32)}"
    row = ApiToken(
        person_id=actor.id,
        name=name.strip(),
        prefix=prefix,
        token_hash=digest(token),
        scopes=[one.value for one in Scope if one in scopes],
        created_at=now(),
        expires_at=now() + timedelta(days=days),
    )
    session.add(row)
    session.flush()
    audit.record(
        session, organization_id=actor.organization_id, actor=actor, deed="token.make", about=row, scopes=row.scopes
    )
    return row, token


def is_live(token: ApiToken) -> bool:
    """Whether a token still opens anything."""
    return token.revoked_at is None and token.expires_at > now()


def tokens_of(session: Session, *, person: Person) -> list[ApiToken]:
    """Return the person's tokens that were not revoked, the newest first."""
    mine = select(ApiToken).where(ApiToken.person_id == person.id, ApiToken.revoked_at.is_(None))
    return list(session.scalars(mine.order_by(ApiToken.id.desc())))


def revoke(session: Session, *, actor: Person, token_id: int) -> None:
    """End one of the actor's own tokens; raises NotFound for another's."""
    take_turn(session, organization_id=actor.organization_id)
    found = session.get(ApiToken, token_id)
    if found is None or found.person_id != actor.id:
        raise NotFound(what=say(_("令牌")), key=token_id)
    if found.revoked_at is None:
        found.revoked_at = now()
        audit.record(session, organization_id=actor.organization_id, actor=actor, deed="token.revoke", about=found)


def admit(session: Session, *, token: str) -> Bearer | None:
    """Count a request of a token and say whom it acts for; None for one that opens nothing.

    A count of its own transaction: what is refused afterwards has been asked all the same. Raises TokenTooFast.
    """
    found = session.execute(
        select(ApiToken, Credential.must_change)
        .join(Person, Person.id == ApiToken.person_id)
        .outerjoin(Credential, Credential.person_id == Person.id)
        .where(ApiToken.token_hash == digest(token), Person.active)
        .with_for_update(of=ApiToken)
    ).first()
    if found is None or not is_live(found[0]):
        return None
    row = found[0]
    if row.minute_at is None or now() - row.minute_at >= MINUTE:
        row.minute_at, row.minute_count = now(), 0
    if row.minute_count >= PER_MINUTE:
        raise TokenTooFast(seconds=ceil((row.minute_at + MINUTE - now()).total_seconds()))
    row.minute_count += 1
    row.used_at = now()
    return Bearer(row.person_id, frozenset(map(Scope, row.scopes)), bool(found[1]))
