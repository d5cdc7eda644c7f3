"""Accounts at other services that open the door here: bound once by their owner, or by a 工号 the service vouches for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from models import IdentityBinding, Person
from review_flow.clock import now
from review_flow.errors import Refusal
from review_flow.i18n import _
from review_flow.rules.codes import plain
from review_flow.steps import audit
from review_flow.steps.door import schools
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class NotBound(Refusal):
    """Somebody is proven to be somebody, but it is not known who that is here."""

    status, text = 403, _("这个{label}账号还没有绑定。请先用工号和密码登录，再到“我的账号”里绑定一次。")


class BoundToAnother(Refusal):
    """One account of a service is one person's, and one person has one account of it."""

    status, text = 409, _("这个{label}账号已绑定别人，或者您已绑定另一个{label}账号。请先解除原来的绑定。")


def person_of(
    session: Session, *, provider: str, label: str, subject: str, number: str | None, school: str | None
) -> Person:
    """Return whom a proof of identity lets in; raises NotBound where it is nobody here.

    `number`: the person's 工号 at `school` (a name; None: the only school), given only where the service vouches for
    it; whoever comes so for the first time is bound.
    """
    bound = session.scalars(
        select(Person)
        .join(IdentityBinding, IdentityBinding.person_id == Person.id)
        .where(IdentityBinding.provider == provider, IdentityBinding.subject == subject)
    ).first()
    if bound is not None:
        if not bound.active:
            raise NotBound(label=label)
        return bound
    found = None if number is None else _by_number(session, number=number, school=school)
    if found is None:
        raise NotBound(label=label)
    bind(session, actor=found, provider=provider, label=label, subject=subject)
    return found


def _by_number(session: Session, *, number: str, school: str | None) -> Person | None:
    here = [one for one in schools(session) if school in (None, one.name)]
    if len(here) != 1:
        return None
    return session.scalars(
        select(Person).where(Person.organization_id == here[0].id, Person.number == plain(number), Person.active)
    ).first()


def bindings_of(session: Session, *, person: Person) -> dict[str, IdentityBinding]:
    """Return the person's bindings by the id of the service."""
    found = session.scalars(select(IdentityBinding).where(IdentityBinding.person_id == person.id))
    return {one.provider: one for one in found}


def bind(session: Session, *, actor: Person, provider: str, label: str, subject: str) -> IdentityBinding:
    """Bind an account that was proven to be the actor's own; raises BoundToAnother. Binding it again changes nothing."""
    take_turn(session, organization_id=actor.organization_id)
    of_it = session.scalars(
        select(IdentityBinding).where(IdentityBinding.provider == provider, IdentityBinding.subject == subject)
    ).first()
    own = bindings_of(session, person=actor).get(provider)
    if of_it is not own:
        raise BoundToAnother(label=label)
    if own is None:
        own = IdentityBinding(person_id=actor.id, provider=provider, subject=subject, bound_at=now())
        session.add(own)
        session.flush()
        _record(session, actor, "identity.bind", provider)
    return own


def unbind(session: Session, *, actor: Person, provider: str) -> None:
    """End one's binding; the account opens nothing here any more."""
    take_turn(session, organization_id=actor.organization_id)
    own = bindings_of(session, person=actor).get(provider)
    if own is not None:
        session.delete(own)
        session.flush()
        _record(session, actor, "identity.unbind", provider)


def _record(session: Session, actor: Person, deed: str, provider: str) -> None:
    audit.record(session, organization_id=actor.organization_id, actor=actor, deed=deed, about=actor, provider=provider)
