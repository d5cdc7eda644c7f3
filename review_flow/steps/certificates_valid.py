"""When a certificate is valid: its issuers confirm it, a stranger verifies it, and only then is it printed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from models import Certificate, CertificateIssuer, Enrolment, Organization, Person, Role, Round
from review_flow.clock import SCHOOL_ZONE, now
from review_flow.errors import BadInput, NotAllowed, NotFound, Refusal
from review_flow.i18n import _, say
from review_flow.outside.certificates import Page
from review_flow.rules.certificates import CertificateState, masked
from review_flow.rules.lifecycle import State
from review_flow.rules.marks import shown
from review_flow.rules.words import RoleKind
from review_flow.steps import audit
from review_flow.steps.certificates import AlreadyRevoked, ask_for_certificates, issuers_of, of_round, unconfirmed
from review_flow.steps.messages import tell
from review_flow.steps.people import has_role, require_role
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

ADMINS = (RoleKind.SCHOOL_ADMIN, RoleKind.COUNTY_ADMIN)


class NotYetValid(Refusal):
    """Only what all its issuers confirmed is handed out."""

    status, text = 409, _("编号{number}的证书还没有由颁发单位全部确认，不能打印。")


class Standing(State):
    """What a stranger learns of a number."""

    VALID = "valid", _("有效")
    PENDING = "pending", _("待颁发单位确认，尚未生效")
    REVOKED = "revoked", _("已撤销")
    UNKNOWN = "unknown", _("查无此证")


@dataclass(frozen=True, slots=True)
class Verified:
    """What may be shown to a stranger, and nothing else: no score, no grade, no whole name. None: not known."""

    standing: Standing
    number: str | None = None
    title: str | None = None
    holder: str | None = None
    school: str | None = None
    ledger: str | None = None
    hours: str | None = None
    issued_on: str | None = None

    def as_json(self) -> dict[str, str | None]:
        """Return it as plain data."""
        return {**asdict(self), "standing": self.standing.value, "text": say(self.standing.label)}


UNKNOWN = Verified(Standing.UNKNOWN)


def by_number(session: Session, *, number: str, round_: Round) -> Certificate:
    """Return a certificate of the round, or raise NotFound."""
    found = session.scalars(
        select(Certificate)
        .join(Enrolment, Enrolment.id == Certificate.enrolment_id)
        .where(Certificate.number == number.strip().upper(), Enrolment.round_id == round_.id)
    ).first()
    if found is None:
        raise NotFound(what=say(_("证书")), key=number)
    return found


def verify(session: Session, *, number: str) -> Verified:
    """Return what a stranger may know of a genuine number; ask `genuine` first, which needs no database."""
    found = session.scalars(select(Certificate).where(Certificate.number == number)).first()
    if found is None:
        return UNKNOWN
    standing = Standing.REVOKED
    if found.state is CertificateState.ISSUED:
        standing = Standing.PENDING if unconfirmed(session, ids=[found.id]) else Standing.VALID
    return Verified(
        standing=standing,
        number=found.number,
        title=found.title,
        holder=masked(found.holder),
        school=found.school,
        ledger=found.ledger,
        hours=None if found.hours is None else shown(found.hours),
        issued_on=day_of(found.issued_at),
    )


def day_of(moment: datetime) -> str:
    """Return the day of a moment as a certificate writes it, in the school's zone: 2026年5月6日."""
    day = moment.astimezone(SCHOOL_ZONE)
    return f"{day.year}年{day.month}月{day.day}日"


def confirm(
    session: Session, *, actor: Person, certificate: Certificate, issuer: str, proof: str | None = None
) -> None:
    """Record that an issuer stands by a certificate; with the last one it is valid, and the teacher told (003-17).

    An issuer that has administrators in this installation speaks for itself. For one that has none an administrator of
    the school records its confirmation, with the paper that proves it (domain §5). Nobody confirms their own
    certificate. Confirmed again it changes nothing. Raises NotAllowed, NotFound, BadInput, AlreadyRevoked.
    """
    enrolment = session.get_one(Enrolment, certificate.enrolment_id)
    round_ = session.get_one(Round, enrolment.round_id)
    take_turn(session, organization_id=round_.organization_id)
    _require_voice(session, actor=actor, round_=round_, issuer=issuer, proof=proof)
    _confirm(session, actor=actor, round_=round_, certificate=certificate, issuer=issuer, proof=proof)
    ask_for_certificates(session, round_=round_)


def _confirm(
    session: Session, *, actor: Person, round_: Round, certificate: Certificate, issuer: str, proof: str | None
) -> None:
    enrolment = session.get_one(Enrolment, certificate.enrolment_id)
    if enrolment.person_id == actor.id:
        raise NotAllowed(why=say(_("不能确认自己的证书")))
    if certificate.state is CertificateState.REVOKED:
        raise AlreadyRevoked(number=certificate.number)
    row = next((one for one in issuers_of(session, certificate=certificate) if one.name == issuer), None)
    if row is None:
        raise NotFound(what=say(_("颁发单位")), key=issuer)
    if row.confirmed_at is not None:
        return
    row.confirmed_by_id, row.confirmed_at, row.proof = actor.id, now(), proof
    session.flush()
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="certificate.confirm",
        about=certificate,
        issuer=issuer,
        proof=proof,
    )
    if unconfirmed(session, ids=[certificate.id]):
        return
    tell(
        session,
        person_id=enrolment.person_id,
        round_id=round_.id,
        kind="certificate.valid",
        sentence=_("您的“{title}”（编号{number}）已生效。"),
        title=certificate.title,
        number=certificate.number,
    )


def confirm_all(session: Session, *, actor: Person, round_: Round, issuer: str, proof: str | None = None) -> int:
    """Confirm what waits for an issuer in a round, but the actor's own; return how many. What rests on them is due."""
    take_turn(session, organization_id=round_.organization_id)
    _require_voice(session, actor=actor, round_=round_, issuer=issuer, proof=proof)
    waiting = session.execute(
        select(Certificate, Enrolment.person_id)
        .join(CertificateIssuer, CertificateIssuer.certificate_id == Certificate.id)
        .join(Enrolment, Enrolment.id == Certificate.enrolment_id)
        .where(
            Enrolment.round_id == round_.id,
            Certificate.state == CertificateState.ISSUED,
            CertificateIssuer.name == issuer,
            CertificateIssuer.confirmed_at.is_(None),
        )
        .order_by(Certificate.id)
    ).all()
    mine = [one for one, person_id in waiting if person_id != actor.id]
    for one in mine:
        _confirm(session, actor=actor, round_=round_, certificate=one, issuer=issuer, proof=proof)
    ask_for_certificates(session, round_=round_)
    return len(mine)


def _require_voice(session: Session, *, actor: Person, round_: Round, issuer: str, proof: str | None) -> None:
    houses = [one for one in _above(session, round_.organization_id) if one.name == issuer]
    speaking = select(Role.id).where(Role.organization_id.in_([one.id for one in houses]), Role.kind.in_(ADMINS))
    if session.scalars(speaking).first() is not None:
        if not any(has_role(session, person_id=actor.id, organization_id=one.id, kinds=ADMINS) for one in houses):
            raise NotAllowed(why=say(_("“{issuer}”由其自己的管理员确认"), issuer=issuer))
        return
    require_role(session, actor=actor, organization_id=round_.organization_id, kinds=[RoleKind.SCHOOL_ADMIN])
    if not (proof or "").strip():
        problem = say(_("“{issuer}”不在本系统内，请写明其确认的凭据（文号、函件）。"), issuer=issuer)
        raise BadInput(field=say(_("凭据")), problem=problem)


def _above(session: Session, organization_id: int | None) -> Iterator[Organization]:
    while organization_id is not None:
        house = session.get_one(Organization, organization_id)
        yield house
        organization_id = house.parent_id


def printable(session: Session, *, round_: Round) -> list[Certificate]:
    """Return the round's valid certificates in order of issue."""
    standing = [one for one in of_round(session, round_=round_) if one.state is CertificateState.ISSUED]
    waiting = unconfirmed(session, ids=[one.id for one in standing])
    return [one for one in standing if one.id not in waiting]


def pages(
    session: Session, *, actor: Person, round_: Round, certificates: Sequence[Certificate], public_url: str | None
) -> list[Page]:
    """Return what is printed of valid certificates of a round: the school's administrators may, and teachers their own.

    Raises NotAllowed, AlreadyRevoked, NotYetValid. Who printed what is audited.
    """
    owners = session.scalars(
        select(Enrolment.person_id).where(Enrolment.id.in_({one.enrolment_id for one in certificates}))
    )
    if set(owners) - {actor.id}:
        require_role(session, actor=actor, organization_id=round_.organization_id, kinds=[RoleKind.SCHOOL_ADMIN])
    waiting = unconfirmed(session, ids=[one.id for one in certificates])
    for one in certificates:
        if one.state is CertificateState.REVOKED:
            raise AlreadyRevoked(number=one.number)
        if one.id in waiting:
            raise NotYetValid(number=one.number)
    issuers: dict[int, list[str]] = {one.id: [] for one in certificates}
    rows = select(CertificateIssuer).where(CertificateIssuer.certificate_id.in_(issuers))
    for row in session.scalars(rows.order_by(CertificateIssuer.certificate_id, CertificateIssuer.place)):
        issuers[row.certificate_id].append(row.name)
    numbers = [one.number for one in certificates]
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="certificate.print",
        about=round_,
        numbers=numbers,
    )
    return [
        Page(
            number=one.number,
            title=one.title,
            holder=one.holder,
            school=one.school,
            round=one.round_name,
            ledger=one.ledger,
            hours=None if one.hours is None else shown(one.hours),
            issuers=tuple(issuers[one.id]),
            issued_on=day_of(one.issued_at),
            url=f"{public_url}/verify/{one.number}" if public_url else None,
        )
        for one in certificates
    ]
