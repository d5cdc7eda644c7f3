"""Certificates: issued, confirmed by their issuers, revoked, issued again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, RedirectResponse

from models import Certificate, CertificateIssuer, Enrolment, Person, Round
from review_flow.errors import NotFound
from review_flow.i18n import _, say
from review_flow.rules.certificates import CertificateState
from review_flow.steps import certificates, certificates_valid
from review_flow.web.access import Admin, Confirmed, Db, Key
from review_flow.web.render import Paged, go, page, pages_of
from review_flow.web.school import SchoolRound

router = APIRouter()
PAGE = 50
Text = Annotated[str, Form(max_length=1000)]


@router.get("/school/rounds/{key}/certificates")
def listing(
    request: Request,
    session: Db,
    round_: SchoolRound,
    word: Annotated[str, Query(max_length=100)] = "",
    page_: Paged = 1,
) -> HTMLResponse:
    """List the round's certificates, older versions among them, the newest first."""
    mine = [Enrolment.round_id == round_.id]
    if word.strip():
        mine.append(or_(Certificate.holder.contains(word.strip(), autoescape=True), Certificate.number == word.strip()))
    rows = (
        select(Certificate, Person.number)
        .join(Enrolment, Enrolment.id == Certificate.enrolment_id)
        .join(Person, Person.id == Enrolment.person_id)
        .where(*mine)
        .order_by(Certificate.id.desc())
    )
    found = session.execute(rows.offset((page_ - 1) * PAGE).limit(PAGE)).all()
    issuers = (
        select(CertificateIssuer.name)
        .join(Certificate, Certificate.id == CertificateIssuer.certificate_id)
        .join(Enrolment, Enrolment.id == Certificate.enrolment_id)
        .where(
            Enrolment.round_id == round_.id,
            CertificateIssuer.confirmed_at.is_(None),
            Certificate.state == CertificateState.ISSUED,
        )
        .distinct()
        .order_by(CertificateIssuer.name)
    )
    count = select(func.count()).select_from(Certificate).join(Enrolment, Enrolment.id == Certificate.enrolment_id)
    return page(
        request,
        "school/certificates.html",
        round=round_,
        found=found,
        waiting=waiting_for(session, [one.id for one, _number in found]),
        issuers=session.scalars(issuers).all(),
        word=word,
        number=page_,
        pages=pages_of(session.scalar(count.where(*mine)) or 0, PAGE),
    )


def waiting_for(session: Session, ids: Sequence[int]) -> dict[int, list[str]]:
    """Return the issuers that certificates still wait for, by the certificate's id."""
    waiting: dict[int, list[str]] = {}
    unsaid = select(CertificateIssuer).where(
        CertificateIssuer.certificate_id.in_(ids), CertificateIssuer.confirmed_at.is_(None)
    )
    for row in session.scalars(unsaid.order_by(CertificateIssuer.place)):
        waiting.setdefault(row.certificate_id, []).append(row.name)
    return waiting


@router.post("/school/rounds/{key}/certificates/order")
def order(session: Db, person: Admin, round_: SchoolRound) -> RedirectResponse:
    """Have everything issued that is due."""
    certificates.order(session, actor=person, round_=round_)
    return go(f"/school/rounds/{round_.id}/finish#jobs")


@router.post("/school/rounds/{key}/certificates/confirm")
def confirm(
    session: Db, person: Admin, round_: SchoolRound, _sure: Confirmed, issuer: Text, proof: Text = ""
) -> RedirectResponse:
    """Confirm everything that waits for an issuer, with the issuer's paper where it is not in this system."""
    certificates_valid.confirm_all(session, actor=person, round_=round_, issuer=issuer, proof=proof.strip() or None)
    return go(f"/school/rounds/{round_.id}/certificates")


def certificate_of(session: Db, person: Admin, key: Key) -> Certificate:
    """Return a certificate of the administrator's own school."""
    found = session.get(Certificate, key)
    if found is None or _round(session, found).organization_id != person.organization_id:
        raise NotFound(what=say(_("证书")), key=key)
    return found


Chosen = Annotated[Certificate, Depends(certificate_of)]


def _round(session: Db, one: Certificate) -> Round:
    return session.get_one(Round, session.get_one(Enrolment, one.enrolment_id).round_id)


@router.post("/school/certificates/{key}/revoke")
def revoke(session: Db, person: Admin, chosen: Chosen, _sure: Confirmed, reason: Text = "") -> RedirectResponse:
    """Revoke a certificate, and those that rest on it."""
    certificates.revoke(session, actor=person, certificate=chosen, reason=reason)
    return go(f"/school/rounds/{_round(session, chosen).id}/certificates")


@router.post("/school/certificates/{key}/again")
def again(request: Request, session: Db, person: Admin, chosen: Chosen, _sure: Confirmed) -> RedirectResponse:
    """Issue anew what was revoked by hand."""
    enrolment = session.get_one(Enrolment, chosen.enrolment_id)
    key = request.app.state.settings.number_key()
    certificates.issue(session, actor=person, enrolment=enrolment, kind=chosen.kind, key=key)
    return go(f"/school/rounds/{enrolment.round_id}/certificates")
