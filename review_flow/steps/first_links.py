"""One-time links for everybody who can't sign in yet, on one list: how a school of hundreds gets its first passwords."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, insert, select, update

from models import Credential, IdentityBinding, OneTimeLink, Organization, Person
from review_flow.clock import now
from review_flow.errors import Refusal
from review_flow.i18n import _
from review_flow.rules.door import digest
from review_flow.steps import audit
from review_flow.steps.door import LINK_LASTS
from review_flow.steps.people import require_admin
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class EverybodyComesIn(Refusal):
    """There is nobody to make a link for."""

    status, text = 409, _("人人都能登录了，没有要生成的链接。")


class AllHaveLinks(Refusal):
    """A second sheet would make the links void that were handed out."""

    status, text = 409, _("还不能登录的人手上都有还能用的链接；确实要换新的，请用“全部重发”。")


@dataclass(frozen=True, slots=True)
class FirstLink:
    """Somebody's way in: the token is told once, only its digest is kept."""

    number: str
    name: str
    token: str
    expires_at: datetime


_WITHOUT = (
    select(Person.id, Person.number, Person.name)
    .where(
        Person.organization_id == bindparam("school"),
        Person.active,
        Person.id.not_in(select(Credential.person_id)),
        Person.id.not_in(select(IdentityBinding.person_id)),
    )
    .order_by(Person.number)
)
_LINKED = (
    select(OneTimeLink.id)
    .where(
        OneTimeLink.person_id == Person.id,
        OneTimeLink.used_at.is_(None),
        OneTimeLink.expires_at > bindparam("now", type_=OneTimeLink.expires_at.type),
    )
    .exists()
)
_NEW = _WITHOUT.where(~_LINKED)
_HOW_MANY = _WITHOUT.order_by(None).with_only_columns(func.count(), func.count().filter(_LINKED))


def count_without(session: Session, *, actor: Person) -> tuple[int, int]:
    """Return how many active people of the administrator's school have neither a password nor another way in.

    And how many of them have a link that still opens.
    """
    require_admin(session, actor=actor, organization_id=actor.organization_id)
    everybody, linked = session.execute(_HOW_MANY, {"school": actor.organization_id, "now": now()}).one()
    return everybody, linked


def make_links(session: Session, *, actor: Person, again: bool = False) -> list[FirstLink]:
    """Return a link for each of them who has none that opens, by number; `again`: for all, and earlier ones are void.

    Raises EverybodyComesIn, AllHaveLinks.
    """
    require_admin(session, actor=actor, organization_id=actor.organization_id)
    take_turn(session, organization_id=actor.organization_id)
    people = session.execute(_WITHOUT if again else _NEW, {"school": actor.organization_id, "now": now()}).all()
    if not people:
        everybody, _linked = count_without(session, actor=actor)
        raise AllHaveLinks if everybody else EverybodyComesIn
    ids = [key for key, _number, _name in people]
    moment = now()
    made = {
        key: FirstLink(number, name, secrets.token_urlsafe(24), moment + LINK_LASTS) for key, number, name in people
    }
    session.execute(
        update(OneTimeLink)
        .where(OneTimeLink.person_id.in_(ids), OneTimeLink.used_at.is_(None))
        .values(used_at=moment)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        insert(OneTimeLink),
        [
            {
                "token_hash": digest(one.token),
                "person_id": key,
                "made_by_id": actor.id,
                "made_at": moment,
                "expires_at": one.expires_at,
            }
            for key, one in made.items()
        ],
    )
    school = session.get_one(Organization, actor.organization_id)
    audit.record(session, organization_id=school.id, actor=actor, deed="door.links", about=school, people=ids)
    return [*made.values()]
