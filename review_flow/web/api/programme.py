"""Besides abilities: what is recorded of oneself, other deliverables, certificates, and what one was told."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Certificate, Message
from review_flow.rules.certificates import CertificateState
from review_flow.steps import certificates, enrolments
from review_flow.steps.rounds import WrongPhase, round_scheme
from review_flow.web import mine
from review_flow.web.access import Db, Key
from review_flow.web.api.access import Reader, Teacher
from review_flow.web.api.pages import Asked, listed_part
from review_flow.web.api.routes import reads, router, writes
from review_flow.web.api.shapes import Out, Page
from review_flow.web.api.teaching import WorkOut, shown_work
from review_flow.web.programme import facts_shown, hours_shown

routes = router("programme")


class HoursOut(Out):
    """The hours of one of the scheme's ledgers, as a decimal string."""

    id: str
    name: str
    hours: str


class FactOut(Out):
    """Something that is told of oneself, in words; `waits`: it does not count until it is confirmed."""

    kind: str
    about: str
    value: str
    source: str
    waits: bool


class RecordsOut(Out):
    """What is recorded of oneself in a round, besides works, reviews and `adjustments`."""

    hours: list[HoursOut]
    facts: list[FactOut]


class CertificateOut(Out):
    """A certificate of one's own. `valid`: every issuer has confirmed it; its PDF is on the page of the result."""

    id: int
    number: str
    title: str
    valid: bool
    issued_at: datetime
    revoked_at: datetime | None
    revoked_reason: str | None


class MessageOut(Out):
    """What one was told; `kind` is stable, `text` is for people. `delivered_at` null: it waits to be sent."""

    id: int
    round_id: int | None
    kind: str
    text: str
    created_at: datetime
    delivered_at: datetime | None


@reads(routes, "/rounds/{key}/records")
def get_records(session: Db, person: Reader, key: Key) -> RecordsOut:
    """Tell what is recorded of oneself: hours, and facts of the programme."""
    at = mine.standing(session, person, key)
    scheme = round_scheme(session, round_=at.round)
    return RecordsOut(
        hours=[
            HoursOut(id=ledger, name=name, hours=str(hours))
            for name, hours, ledger in hours_shown(session, at.enrolment, scheme)
        ],
        facts=[FactOut(**one) for one in facts_shown(session, at.enrolment, scheme)],
    )


@writes(routes, "POST", "/rounds/{key}/deliverables", refuses=[enrolments.NothingAsked, WrongPhase])
def open_deliverables(session: Db, person: Teacher, key: Key) -> WorkOut:
    """Open the work that gathers what the scheme asks for besides abilities; its files come by `/uploads`.

    Again it is the same one. It is not sealed: it stays open until the round's hard close.
    """
    return shown_work(enrolments.deliverables_of(session, actor=person, enrolment=mine.enrolment(session, person, key)))


@reads(routes, "/rounds/{key}/own-certificates")
def list_own_certificates(session: Db, person: Reader, key: Key, part: Asked) -> Page[CertificateOut]:
    """List one's own certificates of a round, revoked ones included."""
    own = select(Certificate).where(Certificate.enrolment_id == mine.enrolment(session, person, key).id)
    return listed_part(
        session,
        own,
        key=Certificate.id,
        part=part,
        shown=lambda rows: _certificates(session, [one for (one,) in rows]),
    )


def _certificates(session: Session, found: list[Certificate]) -> list[CertificateOut]:
    waiting = certificates.unconfirmed(session, ids=[one.id for one in found])
    return [
        CertificateOut(
            id=one.id,
            number=one.number,
            title=one.title,
            valid=one.state is CertificateState.ISSUED and one.id not in waiting,
            issued_at=one.issued_at,
            revoked_at=one.revoked_at,
            revoked_reason=one.revoked_reason,
        )
        for one in found
    ]


@reads(routes, "/messages")
def list_messages(session: Db, person: Reader, part: Asked) -> Page[MessageOut]:
    """List what one was told, the newest first."""
    return listed_part(
        session,
        select(Message).where(Message.person_id == person.id),
        key=Message.id,
        part=part,
        shown=lambda rows: [_message(one) for (one,) in rows],
        newest_first=True,
    )


def _message(one: Message) -> MessageOut:
    return MessageOut(
        id=one.id,
        round_id=one.round_id,
        kind=one.kind,
        text=one.text,
        created_at=one.created_at,
        delivered_at=one.delivered_at,
    )
