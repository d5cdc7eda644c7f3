"""学时: hours credited by the leader of a workshop for practice on the spot, confirmed by the level above (X-59, T6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from models import Enrolment, Hours, Person, Round
from review_flow.clock import now
from review_flow.errors import BadInput, NotAllowed
from review_flow.i18n import _, listed, say
from review_flow.rules.words import RoleKind
from review_flow.steps import audit
from review_flow.steps.people import has_role
from review_flow.steps.programme import PHASES, NotConfirmable, leads, require_above
from review_flow.steps.rounds import require_phase, round_scheme
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from sqlalchemy.orm import Session


def credit_hours(
    session: Session, *, actor: Person, enrolment: Enrolment, ledger: str, hours: Decimal, key: str, source: str
) -> str:
    """Credit hours to a ledger of the round's scheme; return added, superseded or unchanged, as a sheet does.

    By the school's administrator, or the leader of the teacher's workshop for others of it.
    Raises NotAllowed, WrongPhase, BadInput naming the field.
    """
    round_ = session.get_one(Round, enrolment.round_id)
    take_turn(session, organization_id=round_.organization_id)
    require_phase(round_, *PHASES)
    _require_crediting(session, actor=actor, round_=round_, enrolment=enrolment)
    known = [one.id for one in round_scheme(session, round_=round_).hours.ledgers]
    if ledger not in known:
        raise BadInput(field=say(_("账本")), problem=say(_("应为以下之一：{allowed}。"), allowed=listed(known)))
    if hours < 0:
        raise BadInput(field=say(_("学时")), problem=say(_("不能小于0。")))
    old = session.scalars(
        select(Hours).where(
            Hours.enrolment_id == enrolment.id, Hours.ledger == ledger, Hours.key == key, Hours.struck_at.is_(None)
        )
    ).first()
    if old is not None and old.hours == hours:
        return "unchanged"
    if old is not None:
        old.struck_at = now()
    credit = Hours(
        enrolment_id=enrolment.id,
        ledger=ledger,
        hours=hours,
        source=source,
        key=key,
        recorded_by_id=actor.id,
        recorded_at=now(),
    )
    session.add(credit)
    session.flush()
    audit.record(
        session, organization_id=round_.organization_id, actor=actor, deed="hours.credit", about=credit, ledger=ledger
    )
    return "added" if old is None else "superseded"


def _require_crediting(session: Session, *, actor: Person, round_: Round, enrolment: Enrolment) -> None:
    if has_role(session, person_id=actor.id, organization_id=round_.organization_id, kinds=[RoleKind.SCHOOL_ADMIN]):
        return
    person = session.get_one(Person, enrolment.person_id)
    if person.id == actor.id or not leads(session, actor=actor, workshop_id=person.workshop_id):
        raise NotAllowed(why=say(_("这需要校级管理员，或本坊坊主（本人的学时除外）")))


def unconfirmed_hours(session: Session, *, round_: Round) -> list[Hours]:
    """Return the credits that wait for the level above, in the order they came."""
    ledgers = [one.id for one in round_scheme(session, round_=round_).hours.ledgers if one.confirmed_by is not None]
    return list(
        session.scalars(
            select(Hours)
            .join(Enrolment, Enrolment.id == Hours.enrolment_id)
            .where(
                Enrolment.round_id == round_.id,
                Hours.ledger.in_(ledgers),
                Hours.struck_at.is_(None),
                Hours.confirmed_at.is_(None),
            )
            .order_by(Hours.id)
        )
    )


def require_seeing(session: Session, *, actor: Person, round_: Round) -> None:
    """Credits that wait are seen by the school's administrator and the level above. Raises NotAllowed."""
    if not has_role(session, person_id=actor.id, organization_id=round_.organization_id, kinds=[RoleKind.SCHOOL_ADMIN]):
        require_above(session, actor=actor, organization_id=round_.organization_id)


def confirm_hours(session: Session, *, actor: Person, round_: Round, told: Sequence[Hours]) -> int:
    """The county confirms credits of ledgers that the scheme wants confirmed; return how many (X-59).

    Raises NotAllowed, NotConfirmable for a credit that does not wait for it.
    """
    take_turn(session, organization_id=round_.organization_id)
    require_above(session, actor=actor, organization_id=round_.organization_id)
    waiting = {one.id for one in unconfirmed_hours(session, round_=round_)}
    for credit in told:
        if credit.id not in waiting:
            raise NotConfirmable(why=say(_("学时{id}不在待确认之列"), id=credit.id))
        credit.confirmed_by_id, credit.confirmed_at = actor.id, now()
        audit.record(session, organization_id=round_.organization_id, actor=actor, deed="hours.confirm", about=credit)
    return len(told)
