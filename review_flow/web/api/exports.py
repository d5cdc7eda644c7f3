"""Files out, and certificates: asked for, made by the worker, handed out; confirmed, revoked, issued again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import Request
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response

from models import Certificate, Enrolment, Person, RoundExport
from review_flow.errors import BadInput, NotAllowed
from review_flow.i18n import _, say
from review_flow.rules.marks import shown
from review_flow.rules.words import ExportKind
from review_flow.steps import certificates, certificates_valid, exports, jobs
from review_flow.steps.rounds import WrongPhase
from review_flow.web import mine
from review_flow.web.access import Db, Key
from review_flow.web.api import seen
from review_flow.web.api.access import Administrator
from review_flow.web.api.pages import Asked, listed_part, numbered_part
from review_flow.web.api.panel import who
from review_flow.web.api.routes import gives, reads, router, writes
from review_flow.web.api.shapes import In, Line, Out, Page, Prose, Who
from review_flow.web.api.teaching import ReasonIn
from review_flow.web.certificates import certificate_of, waiting_for
from review_flow.web.finish import made

routes = router("exports")
AGAIN = [
    certificates.AppealOpen,
    certificates.BasisMissing,
    certificates.NotGranted,
    certificates.ResultNotEffective,
    certificates.UnknownCertificate,
]


class ExportIn(In):
    """Which file of a round."""

    kind: Annotated[ExportKind, Field(strict=False)]


class ExportOut(Out):
    """A file that was asked for: `done` once it can be fetched; then `sha256` is of its bytes."""

    id: int
    round_id: int
    kind: str
    state: str
    asked_at: datetime
    finished_at: datetime | None
    sha256: str | None


class JobOut(Out):
    """A round's work in the background: its name, `booked`, `waiting`, `running`, `parked` or `done`, and why parked."""

    name: str
    at: str
    moment: datetime | None
    why: str | None
    export_id: int | None


class CertificateOut(Out):
    """A certificate. It is valid when it is `issued` and waits for no issuer."""

    id: int
    person: Who
    kind: str
    number: str
    title: str
    state: str
    version: int
    hours: str | None
    issued_at: datetime
    revoked_at: datetime | None
    revoked_reason: str | None
    waiting_for: list[str]


class IssuerIn(In):
    """For which issuer; with the paper that proves its word where it is not in this system."""

    issuer: Annotated[Line, Field(min_length=1)]
    proof: Prose | None = None


class ConfirmedOut(Out):
    """How many were confirmed."""

    confirmed: int


def _export(one: RoundExport) -> ExportOut:
    return ExportOut(
        id=one.id,
        round_id=one.round_id,
        kind=one.kind.value,
        state=one.state.value,
        asked_at=one.asked_at,
        finished_at=one.finished_at,
        sha256=one.sha256,
    )


def _own(session: Session, person: Person, key: int) -> RoundExport:
    return mine.of_school(session, person, RoundExport, key, _("导出"))


@writes(routes, "POST", "/rounds/{key}/exports", status=202, refuses=[exports.NothingToPrint])
def ask_export(session: Db, person: Administrator, key: Key, body: ExportIn) -> ExportOut:
    """Ask for a file of the round; the worker makes it."""
    round_ = seen.school_round(session, person, key)
    return _export(exports.start(session, actor=person, round_=round_, kind=body.kind))


@reads(routes, "/rounds/{key}/exports")
def list_exports(session: Db, person: Administrator, key: Key, part: Asked) -> Page[ExportOut]:
    """List the files of a round that were asked for, the newest first."""
    return listed_part(
        session,
        select(RoundExport).where(RoundExport.round_id == seen.school_round(session, person, key).id),
        key=RoundExport.id,
        part=part,
        shown=lambda rows: [_export(one) for (one,) in rows],
        newest_first=True,
    )


@reads(routes, "/exports/{key}")
def get_export(session: Db, person: Administrator, key: Key) -> ExportOut:
    """Tell where a file stands."""
    return _export(_own(session, person, key))


@gives(routes, "/exports/{key}/file", kinds=["application/octet-stream", "application/pdf"])
def get_export_file(request: Request, session: Db, person: Administrator, key: Key) -> Response:
    """Give a file that was made, or the asked range of it; not found before."""
    return made(request, session, _own(session, person, key))


@reads(routes, "/rounds/{key}/jobs")
def list_jobs(session: Db, person: Administrator, key: Key, part: Asked) -> Page[JobOut]:
    """List what is under way for a round in the background, and its newest files."""
    found = jobs.of_round(session, actor=person, round_=seen.school_round(session, person, key))
    told = [
        JobOut(
            name=say(one.name),
            at=one.at.value,
            moment=one.moment,
            why=one.why,
            export_id=one.export.id if one.export else None,
        )
        for one in found
    ]
    return numbered_part(told, part=part)


@reads(routes, "/rounds/{key}/certificates")
def list_certificates(session: Db, person: Administrator, key: Key, part: Asked) -> Page[CertificateOut]:
    """List a round's certificates, revoked and older ones too, the newest first."""
    found = (
        select(Certificate, Person)
        .join(Enrolment, Enrolment.id == Certificate.enrolment_id)
        .join(Person, Person.id == Enrolment.person_id)
        .where(Enrolment.round_id == seen.school_round(session, person, key).id)
    )
    return listed_part(
        session,
        found,
        key=Certificate.id,
        part=part,
        shown=lambda rows: _certificates(session, rows),
        newest_first=True,
    )


def _certificates(session: Session, rows: Sequence[Any]) -> list[CertificateOut]:
    waiting = waiting_for(session, [one.id for one, _person in rows])
    return [
        CertificateOut(
            id=one.id,
            person=who(person),
            kind=one.kind,
            number=one.number,
            title=one.title,
            state=one.state.value,
            version=one.version,
            hours=None if one.hours is None else shown(one.hours),
            issued_at=one.issued_at,
            revoked_at=one.revoked_at,
            revoked_reason=one.revoked_reason,
            waiting_for=waiting.get(one.id, []),
        )
        for one, person in rows
    ]


def _certificate(session: Session, one: Certificate) -> CertificateOut:
    holder = session.get_one(Person, session.get_one(Enrolment, one.enrolment_id).person_id)
    return _certificates(session, [(one, holder)])[0]


@writes(routes, "POST", "/rounds/{key}/certificates", status=204, refuses=[WrongPhase])
def order_certificates(session: Db, person: Administrator, key: Key) -> None:
    """Have everything issued that is due; the worker does it."""
    certificates.order(session, actor=person, round_=seen.school_round(session, person, key))


@writes(routes, "POST", "/rounds/{key}/certificates/confirm", refuses=[NotAllowed, BadInput])
def confirm_certificates(session: Db, person: Administrator, key: Key, body: IssuerIn) -> ConfirmedOut:
    """Confirm everything that waits for an issuer, but one's own certificates."""
    round_ = seen.school_round(session, person, key)
    proof = (body.proof or "").strip() or None
    said = certificates_valid.confirm_all(session, actor=person, round_=round_, issuer=body.issuer, proof=proof)
    return ConfirmedOut(confirmed=said)


@writes(routes, "POST", "/certificates/{key}/revoke", refuses=[certificates.AlreadyRevoked, BadInput])
def revoke_certificate(session: Db, person: Administrator, key: Key, body: ReasonIn) -> CertificateOut:
    """Revoke a certificate, and those that rest on it; this can't be undone."""
    found = certificate_of(session, person, key)
    certificates.revoke(session, actor=person, certificate=found, reason=body.reason)
    return _certificate(session, found)


@writes(routes, "POST", "/certificates/{key}/again", status=201, refuses=AGAIN)
def issue_again(request: Request, session: Db, person: Administrator, key: Key) -> CertificateOut:
    """Issue anew what was revoked by hand."""
    found = certificate_of(session, person, key)
    made_ = certificates.issue(
        session,
        actor=person,
        enrolment=session.get_one(Enrolment, found.enrolment_id),
        kind=found.kind,
        key=request.app.state.settings.number_key(),
    )
    return _certificate(session, made_)
