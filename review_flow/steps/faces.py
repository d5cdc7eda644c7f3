"""人脸: recorded consent, encrypted reference encodings, withdrawal and purging (design rule 4, domain 7.2)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select

from models import Consent, Enrolment, Evidence, Person, ReferenceFace, Round, Submission
from review_flow.clock import now
from review_flow.errors import NotAllowed, Refusal
from review_flow.i18n import _, say
from review_flow.rules.lifecycle import RoundPhase
from review_flow.rules.words import EvidenceState, WorkKind
from review_flow.steps import audit
from review_flow.steps.turn import take_turn
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

CONSENT_TEXT = "2026-11"
NONCE_BYTES = 12


class NoConsent(Refusal):
    """No reference face is kept without the person's own standing consent."""

    status, text = 409, _("请先单独同意人脸比对；不同意也可以参评，由人工核对，不受任何影响。")


def standing_consent(session: Session, *, person_id: int) -> Consent | None:
    """Return the person's consent that was not withdrawn, or None."""
    return session.scalars(
        select(Consent).where(Consent.person_id == person_id, Consent.withdrawn_at.is_(None))
    ).first()


def give_consent(session: Session, *, actor: Person, text_version: str = CONSENT_TEXT) -> Consent:
    """Record the actor's own consent to face matching, once."""
    take_turn(session, organization_id=actor.organization_id)
    standing = standing_consent(session, person_id=actor.id)
    if standing is not None:
        return standing
    consent = Consent(person_id=actor.id, text_version=text_version, given_at=now())
    session.add(consent)
    session.flush()
    audit.record(session, organization_id=actor.organization_id, actor=actor, deed="consent.give", about=consent)
    return consent


def withdraw_consent(session: Session, *, actor: Person) -> None:
    """Withdraw it: the encodings are destroyed in this transaction, and waiting checks run without them."""
    standing = standing_consent(session, person_id=actor.id)
    if standing is None:
        return
    standing.withdrawn_at = now()
    destroyed = _destroy(session, person_ids=[actor.id])
    audit.record(
        session,
        organization_id=actor.organization_id,
        actor=actor,
        deed="consent.withdraw",
        about=standing,
        destroyed=destroyed,
    )


def add_reference(session: Session, *, actor: Person, encoding: bytes, encoder: str, key: bytes) -> ReferenceFace:
    """Keep one reference encoding of the actor, encrypted and bound to the person; the photo is not kept.

    Files of theirs that wait for their check, or were checked without a reference, are looked at (again).
    """
    consent = standing_consent(session, person_id=actor.id)
    if consent is None:
        raise NoConsent
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = nonce + AESGCM(key).encrypt(nonce, encoding, _bound_to(actor.id))
    face = ReferenceFace(
        consent_id=consent.id, person_id=actor.id, encrypted=sealed, encoder=encoder, enrolled_at=now()
    )
    session.add(face)
    session.flush()
    audit.record(session, organization_id=actor.organization_id, actor=actor, deed="face.enrol", about=face)
    for evidence_id in session.scalars(
        select(Evidence.id)
        .join(Submission, Submission.id == Evidence.submission_id)
        .where(
            Submission.author_id == actor.id,
            Submission.valid.is_(None),
            Evidence.state != EvidenceState.SUPERSEDED,
            Evidence.teacher_present.is_(None),
        )
    ):
        enqueue(session, kind=WorkKind.CHECK_EVIDENCE, subject_id=evidence_id)
    return face


def references_of(session: Session, *, person_id: int, encoder: str, key: bytes) -> list[bytes]:
    """Return the person's encodings by this encoder, decrypted; none without a standing consent."""
    return _decrypted(session, Person.id == person_id, encoder=encoder, key=key).get(person_id, [])


def colleagues_of(session: Session, *, person: Person, encoder: str, key: bytes) -> list[list[bytes]]:
    """Return the same for the others of the person's school who consented: whoever looks more like one of them."""
    mine = Person.organization_id == person.organization_id
    return [*_decrypted(session, mine, Person.id != person.id, encoder=encoder, key=key).values()]


def _decrypted(session: Session, *whose: ColumnElement[bool], encoder: str, key: bytes) -> dict[int, list[bytes]]:
    """Return the encodings of people with a standing consent, oldest first, by person."""
    rows = session.execute(
        select(ReferenceFace.person_id, ReferenceFace.encrypted)
        .join(Person, Person.id == ReferenceFace.person_id)
        .join(Consent, (Consent.person_id == Person.id) & Consent.withdrawn_at.is_(None))
        .where(*whose, ReferenceFace.encoder == encoder, ReferenceFace.encrypted.is_not(None))
        .order_by(ReferenceFace.person_id, ReferenceFace.id)
    )
    cipher = AESGCM(key)
    found: dict[int, list[bytes]] = {}
    for person_id, sealed in rows:
        plain = cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _bound_to(person_id))
        found.setdefault(person_id, []).append(plain)
    return found


def _bound_to(person_id: int) -> bytes:
    return f"person:{person_id}".encode()


def purge_round(session: Session, *, round_: Round) -> int:
    """Destroy the encodings of everybody in a closed round who is in no other round that still needs them."""
    if round_.phase is not RoundPhase.CLOSED:
        raise NotAllowed(why=say(_("本轮申诉尚未结束")))
    needed = (
        select(Enrolment.person_id)
        .join(Round, Round.id == Enrolment.round_id)
        .where(Round.id != round_.id, Round.phase != RoundPhase.CLOSED)
    )
    people = session.scalars(
        select(Enrolment.person_id).where(Enrolment.round_id == round_.id, Enrolment.person_id.not_in(needed))
    )
    destroyed = _destroy(session, person_ids=people)
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=None,
        deed="faces.purge",
        about=round_,
        destroyed=destroyed,
    )
    return destroyed


def _destroy(session: Session, *, person_ids: Iterable[int]) -> int:
    faces = list(
        session.scalars(
            select(ReferenceFace).where(
                ReferenceFace.person_id.in_(list(person_ids)), ReferenceFace.encrypted.is_not(None)
            )
        )
    )
    for face in faces:
        face.encrypted, face.purged_at = None, now()
    session.flush()
    return len(faces)
