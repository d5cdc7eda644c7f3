"""证书: issued on an effective result, valid when all issuers confirmed, revoked or replaced, never edited (T22, N29)."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from models import Certificate, CertificateIssuer, Enrolment, Organization, Person, Result, Round
from review_flow.clock import now
from review_flow.errors import BadInput, Refusal
from review_flow.i18n import _, listed, say
from review_flow.rules.certificates import (
    CHANCE_BYTES,
    CertificateState,
    certificates_granted,
    ledger_hours,
    number_of,
    resting_on,
    rests_on,
)
from review_flow.rules.lifecycle import ResultState, RoundPhase
from review_flow.rules.words import WorkKind
from review_flow.steps import audit
from review_flow.steps.messages import tell
from review_flow.steps.people import require_admin
from review_flow.steps.results import current, outcome_digest, results_of
from review_flow.steps.rounds import require_phase, round_scheme
from review_flow.steps.turn import take_turn
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

    from review_flow.rules.programme import Certificate as Asked
    from review_flow.rules.scheme import Scheme

EFFECTIVE = (ResultState.SIGNED, ResultState.UNSIGNED_EFFECTIVE, ResultState.FINAL)


class UnknownCertificate(Refusal):
    """The round's scheme has no such certificate."""

    status, text = 404, _("本轮的方案没有证书“{kind}”。")


class ResultNotEffective(Refusal):
    """A certificate rests on a result that is signed, or counts unsigned."""

    status, text = 409, _("考核结果还没有生效，不能发证。")


class AppealOpen(Refusal):
    """While an appeal is heard nothing is issued on the result it is against."""

    status, text = 409, _("申诉正在复核，有决定之后才能发证。")


class NotGranted(Refusal):
    """The standing result does not grant the certificate (000-A-21)."""

    status, text = 409, _("现在的考核结果达不到“{title}”的条件，不能发证。")


class BasisMissing(Refusal):
    """The certificates that this one rests on must be valid first (003-18)."""

    status, text = 409, _("“{title}”以{titles}为依据，须等其颁发单位全部确认后才能发证。")


class AlreadyRevoked(Refusal):
    """A revoked certificate stays as it is."""

    status, text = 409, _("编号{number}的证书已经撤销。")


@dataclass(frozen=True, slots=True)
class Due:
    """A certificate that a standing result grants and nobody has issued on it yet."""

    enrolment_id: int
    result: Result
    kind: str


def of_enrolment(session: Session, *, enrolment_id: int) -> list[Certificate]:
    """Return every version of every certificate of a teacher in a round, the oldest first."""
    found = select(Certificate).where(Certificate.enrolment_id == enrolment_id)
    return list(session.scalars(found.order_by(Certificate.id)))


def of_round(session: Session, *, round_: Round) -> list[Certificate]:
    """Return every version of every certificate of a round, in order of issue."""
    return list(
        session.scalars(
            select(Certificate)
            .join(Enrolment, Enrolment.id == Certificate.enrolment_id)
            .where(Enrolment.round_id == round_.id)
            .order_by(Certificate.id)
        )
    )


def unconfirmed(session: Session, *, ids: Iterable[int]) -> set[int]:
    """Return those of the certificates that an issuer has not confirmed yet."""
    waiting = select(CertificateIssuer.certificate_id).where(
        CertificateIssuer.certificate_id.in_(list(ids)), CertificateIssuer.confirmed_at.is_(None)
    )
    return set(session.scalars(waiting))


def issuers_of(session: Session, *, certificate: Certificate) -> list[CertificateIssuer]:
    """Return the issuers in the scheme's order."""
    found = select(CertificateIssuer).where(CertificateIssuer.certificate_id == certificate.id)
    return list(session.scalars(found.order_by(CertificateIssuer.place)))


def granted(scheme: Scheme, result: Result) -> set[str]:
    """Return the ids of the certificates that a result grants by its confirmed grade."""
    return certificates_granted(scheme, json.loads(result.record), json.loads(result.outcome), confirmed=result.grade)


def due_certificates(session: Session, *, round_: Round) -> list[Due]:
    """Return what is to be issued now, teacher by teacher in the scheme's order: see `issue` for the conditions.

    What somebody revoked by hand is not due again on the same result: issuing it anew is an administrator's deed.
    """
    scheme = round_scheme(session, round_=round_)
    if not scheme.certificates:
        return []
    latest: dict[tuple[int, str], Certificate] = {
        (one.enrolment_id, one.kind): one for one in of_round(session, round_=round_)
    }
    waiting = unconfirmed(session, ids=[one.id for one in latest.values()])
    found = []
    for result in results_of(session, round_=round_):
        if result.state not in EFFECTIVE:
            continue
        mine = {kind: one for (enrolment_id, kind), one in latest.items() if enrolment_id == result.enrolment_id}
        grants = granted(scheme, result)
        valid = {kind for kind, one in mine.items() if _stands_on(one, result) and one.id not in waiting}
        found += [
            Due(result.enrolment_id, result, one.id)
            for one in scheme.certificates
            if one.id in grants
            and (one.id not in mine or mine[one.id].result_id != result.id)
            and grants.intersection(rests_on(one)) <= valid
        ]
    return found


def _stands_on(certificate: Certificate, result: Result) -> bool:
    return certificate.state is CertificateState.ISSUED and certificate.result_id == result.id


def ask_for_certificates(session: Session, *, round_: Round) -> None:
    """Ask for the issuing flow where something is due."""
    if due_certificates(session, round_=round_):
        enqueue(session, kind=WorkKind.ISSUE_CERTIFICATES, subject_id=round_.id)


def order(session: Session, *, actor: Person, round_: Round) -> None:
    """Have everything issued that is due, by the flow; the school's administrators may. Raises WrongPhase."""
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    require_phase(round_, RoundPhase.SIGNING, RoundPhase.CLOSED)
    audit.record(session, organization_id=round_.organization_id, actor=actor, deed="certificate.order", about=round_)
    enqueue(session, kind=WorkKind.ISSUE_CERTIFICATES, subject_id=round_.id)


def issue(session: Session, *, actor: Person | None, enrolment: Enrolment, kind: str, key: bytes) -> Certificate:
    """Issue a certificate on the teacher's standing result; one that stands on it already is returned.

    By the flow (actor None), or by an administrator of the school. An older version is revoked with the new one's
    reason and stays. Raises UnknownCertificate, AppealOpen, ResultNotEffective, NotGranted, BasisMissing.
    """
    round_ = session.get_one(Round, enrolment.round_id)
    take_turn(session, organization_id=round_.organization_id)
    if actor is not None:
        require_admin(session, actor=actor, organization_id=round_.organization_id)
    scheme = round_scheme(session, round_=round_)
    asked = next((one for one in scheme.certificates if one.id == kind), None)
    if asked is None:
        raise UnknownCertificate(kind=kind)
    result = current(session, enrolment=enrolment)
    if result is not None and result.state is ResultState.APPEALED:
        raise AppealOpen
    if result is None or result.state not in EFFECTIVE:
        raise ResultNotEffective
    mine = of_enrolment(session, enrolment_id=enrolment.id)
    standing = {one.kind: one for one in mine if _stands_on(one, result)}
    if kind in standing:
        return standing[kind]
    grants = granted(scheme, result)
    if kind not in grants:
        raise NotGranted(title=asked.name_zh)
    waiting = unconfirmed(session, ids=[one.id for one in standing.values()])
    valid = {one.kind for one in standing.values() if one.id not in waiting}
    lacking = {one.id: one.name_zh for one in scheme.certificates if one.id in {*rests_on(asked)} & grants - valid}
    if lacking:
        raise BasisMissing(title=asked.name_zh, titles=listed(f"“{name}”" for name in lacking.values()))
    older = [one for one in mine if one.kind == kind]
    return _issue(session, actor, round_, enrolment, result, asked, older[-1] if older else None, key)


def _issue(
    session: Session,
    actor: Person | None,
    round_: Round,
    enrolment: Enrolment,
    result: Result,
    asked: Asked,
    older: Certificate | None,
    key: bytes,
) -> Certificate:
    scheme = round_scheme(session, round_=round_)
    ledgers = {one.id: one.name_zh for one in scheme.hours.ledgers}
    school = session.get_one(Organization, round_.organization_id)
    certificate = Certificate(
        enrolment_id=enrolment.id,
        kind=asked.id,
        version=older.version + 1 if older else 1,
        number=number_of(secrets.token_bytes(CHANCE_BYTES), key=key),
        state=CertificateState.ISSUED,
        result_id=result.id,
        outcome_digest=outcome_digest(result),
        title=asked.name_zh,
        holder=session.get_one(Person, enrolment.person_id).name,
        school=school.name,
        round_name=round_.name,
        ledger=ledgers.get(asked.ledger or ""),
        hours=ledger_hours(scheme, json.loads(result.record), asked),
        issued_at=now(),
        issued_by_id=actor.id if actor else None,
        supersedes_id=older.id if older else None,
    )
    session.add(certificate)
    session.flush()
    for place, name in enumerate(dict.fromkeys(asked.issuers or (school.name,))):
        session.add(CertificateIssuer(certificate_id=certificate.id, place=place, name=name))
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="certificate.issue",
        about=certificate,
        kind=asked.id,
        version=certificate.version,
        number=certificate.number,
        result=result.id,
        outcome=certificate.outcome_digest,
    )
    tell(
        session,
        person_id=enrolment.person_id,
        round_id=round_.id,
        kind="certificate.issued",
        sentence=_("您的“{title}”已签发，编号{number}；颁发单位全部确认后生效。")
        if older is None
        else _("您的“{title}”已换发，新编号{number}；颁发单位全部确认后生效，原证书留档备查。"),
        title=certificate.title,
        number=certificate.number,
    )
    return certificate


def revoke(session: Session, *, actor: Person, certificate: Certificate, reason: str) -> None:
    """Revoke a certificate, and those that rest on it, with a reason the teacher reads; nothing is deleted.

    Raises NotAllowed for all but the school's administrators, BadInput without a reason, AlreadyRevoked.
    """
    enrolment = session.get_one(Enrolment, certificate.enrolment_id)
    round_ = session.get_one(Round, enrolment.round_id)
    take_turn(session, organization_id=round_.organization_id)
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    if not reason.strip():
        raise BadInput(field=say(_("理由")), problem=say(_("撤销证书须写明理由。")))
    if certificate.state is CertificateState.REVOKED:
        raise AlreadyRevoked(number=certificate.number)
    _revoke(session, actor=actor, round_=round_, enrolment=enrolment, certificate=certificate, reason=reason.strip())
    scheme = round_scheme(session, round_=round_)
    for one in of_enrolment(session, enrolment_id=enrolment.id):
        if one.state is CertificateState.ISSUED and one.kind in resting_on(scheme.certificates, [certificate.kind]):
            because = say(_("所依据的“{title}”已撤销"), title=certificate.title)
            _revoke(session, actor=actor, round_=round_, enrolment=enrolment, certificate=one, reason=because)


def _revoke(
    session: Session,
    *,
    actor: Person | None,
    round_: Round,
    enrolment: Enrolment,
    certificate: Certificate,
    reason: str,
) -> None:
    certificate.state = CertificateState.REVOKED
    certificate.revoked_at, certificate.revoked_reason = now(), reason
    certificate.revoked_by_id = actor.id if actor else None
    session.flush()
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="certificate.revoke",
        about=certificate,
        number=certificate.number,
        reason=reason,
    )
    tell(
        session,
        person_id=enrolment.person_id,
        round_id=round_.id,
        kind="certificate.revoked",
        sentence=_("您的“{title}”（编号{number}）已撤销：{reason}。"),
        title=certificate.title,
        number=certificate.number,
        reason=reason,
    )


def withdraw_outdated(session: Session, *, enrolment: Enrolment, result: Result) -> None:
    """Revoke what does not rest on the result that stands now; its issue on the new one is due (N29)."""
    round_ = session.get_one(Round, enrolment.round_id)
    reason = say(_("考核结果已变更（第{version}版）"), version=result.version)
    for one in of_enrolment(session, enrolment_id=enrolment.id):
        if one.state is CertificateState.ISSUED and one.result_id != result.id:
            _revoke(session, actor=None, round_=round_, enrolment=enrolment, certificate=one, reason=reason)
