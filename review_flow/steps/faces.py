"""人脸: recorded consent, encrypted reference encodings, who read them, withdrawal, purging (design rule 4, domain 7.2).

Who consented, and whose face was enrolled, is nobody's business but theirs: it is noted privately, and no export tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import and_, bindparam, delete, func, or_, select, update

from models import Consent, Enrolment, Evidence, FaceReading, Person, ReferenceFace, Round, Submission
from review_flow.clock import now
from review_flow.errors import NotAllowed, Refusal
from review_flow.i18n import _, language, say
from review_flow.rules.consent import CURRENT, digest_of, text_of
from review_flow.rules.lifecycle import RoundPhase
from review_flow.rules.words import ConsentWay, EvidenceState, FacePurpose, WorkKind
from review_flow.steps import audit
from review_flow.steps.evidence import attested
from review_flow.steps.face_keys import key_id, opened, sealed
from review_flow.steps.people import require_admin
from review_flow.steps.turn import take_turn
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import Session

    from review_flow.steps.face_keys import Keys

IN_NO_ROUND = 0
"""The subject of a purge that is not of one round, but of people who are in none."""
LOOK_EVERY = timedelta(days=1)


class NoConsent(Refusal):
    """No reference face is kept without the person's own standing consent."""

    status, text = 409, _("请先单独同意人脸比对；不同意也可以参评，由人工核对，不受任何影响。")


class ConsentOutdated(Refusal):
    """A consent covers the text it was given to: after a later one nothing is compared until it is given anew."""

    status, text = (
        409,
        _(
            "您同意的是旧版本 {version}，同意书现在是 {current}：在您重新同意之前不作人脸比对，由人工核对，不受任何影响。请在网页“我的账号 → 人脸比对”重看全文（命令行：review-flow teacher consent --show）。"
        ),
    )


def require_consent(session: Session, *, person: Person) -> Consent:
    """Return the person's consent to the present text; raises NoConsent, ConsentOutdated."""
    consent = standing_consent(session, person_id=person.id)
    if consent is None:
        raise NoConsent
    if consent.text_version != CURRENT:
        raise ConsentOutdated(version=consent.text_version, current=CURRENT)
    return consent


def standing_consent(session: Session, *, person_id: int) -> Consent | None:
    """Return the person's consent that was not withdrawn, to whichever version of the text, or None."""
    return session.scalars(
        select(Consent).where(Consent.person_id == person_id, Consent.withdrawn_at.is_(None))
    ).first()


def consents_of(session: Session, *, person: Person) -> list[Consent]:
    """Return every consent the person gave, the withdrawn ones too, oldest first."""
    return list(session.scalars(select(Consent).where(Consent.person_id == person.id).order_by(Consent.id)))


def give_consent(session: Session, *, actor: Person, through: ConsentWay = ConsentWay.COMMAND_LINE) -> Consent:
    """Record the actor's own consent to face matching, once a version, with the hash of the text as they read it.

    One to an earlier version ends with it; the encodings go over to the new one, and undecided files are looked at again.
    """
    take_turn(session, organization_id=actor.organization_id)
    standing = standing_consent(session, person_id=actor.id)
    if standing is not None:
        if standing.text_version == CURRENT:
            return standing
        standing.withdrawn_at = now()
        session.flush()
    consent = Consent(
        person_id=actor.id,
        text_version=CURRENT,
        language=language.get(),
        text_sha256=digest_of(text_of(CURRENT)),
        given_through=through,
        given_at=now(),
    )
    session.add(consent)
    session.flush()
    audit.record_private(
        session, organization_id=actor.organization_id, actor=actor, deed="consent.give", about=consent
    )
    if standing is not None:
        kept = update(ReferenceFace).where(ReferenceFace.consent_id == standing.id)
        session.execute(kept.values(consent_id=consent.id))
        _look_again(session, person=actor)
    return consent


def withdraw_consent(session: Session, *, actor: Person) -> None:
    """Withdraw it: the encodings are destroyed in this transaction, and nothing that used them is recorded any more."""
    take_turn(session, organization_id=actor.organization_id)
    standing = standing_consent(session, person_id=actor.id)
    if standing is None:
        return
    standing.withdrawn_at = now()
    destroyed = _destroy(session, person_ids=[actor.id])
    audit.record_private(
        session,
        organization_id=actor.organization_id,
        actor=actor,
        deed="consent.withdraw",
        about=standing,
        destroyed=destroyed,
    )


def add_reference(session: Session, *, actor: Person, encoding: bytes, encoder: str, keys: Keys) -> ReferenceFace:
    """Keep one reference encoding of the actor, encrypted and bound to the person; the photo is not kept.

    Files of theirs that wait for their check, or were checked without a reference, are looked at (again).
    """
    take_turn(session, organization_id=actor.organization_id)
    consent = require_consent(session, person=actor)
    key = keys()[0]
    face = ReferenceFace(
        consent_id=consent.id,
        person_id=actor.id,
        encrypted=sealed(key, encoding, person_id=actor.id),
        key_id=key_id(key),
        encoder=encoder,
        enrolled_at=now(),
    )
    session.add(face)
    session.flush()
    audit.record_private(session, organization_id=actor.organization_id, actor=actor, deed="face.enrol", about=face)
    enqueue(session, kind=WorkKind.PURGE_FACES, subject_id=IN_NO_ROUND, due_at=now() + LOOK_EVERY)
    _look_again(session, person=actor)
    return face


def _look_again(session: Session, *, person: Person) -> None:
    """Leave due the files of a person that nobody has decided and that were checked without a face, or not yet."""
    for evidence_id in session.scalars(
        select(Evidence.id)
        .join(Submission, Submission.id == Evidence.submission_id)
        .where(
            Submission.author_id == person.id,
            Submission.valid.is_(None),
            Evidence.state != EvidenceState.SUPERSEDED,
            Evidence.teacher_present.is_(None),
        )
    ):
        enqueue(session, kind=WorkKind.CHECK_EVIDENCE, subject_id=evidence_id)


@dataclass(frozen=True, slots=True)
class Known:
    """What was read for one check: the author's encodings, those of each colleague, and the rows they came from."""

    author: list[bytes]
    colleagues: list[list[bytes]]
    read: frozenset[int] = frozenset()


def references_of(session: Session, *, actor: Person, encoder: str, keys: Keys) -> list[bytes]:
    """Return the actor's own encodings by this encoder, decrypted; none without a consent to the present text."""
    found = _decrypted(session, Person.id == actor.id, encoder=encoder, keys=keys)
    mine = [encoding for _id, encoding in found.get(actor.id, [])]
    if mine:
        _note(session, person=actor, purpose=FacePurpose.ENROL, encoder=encoder, encodings=len(mine))
    return mine


def known_for(session: Session, *, evidence: Evidence, encoder: str, keys: Keys) -> Known:
    """Return what a file is compared with: its author's encodings, and those of colleagues who consented.

    Nothing at all where the author did not consent, or where people signed for the file. The reading is logged; no turn is taken for it: it judges nothing.
    """
    submission = session.get_one(Submission, evidence.submission_id)
    if evidence.id in attested(session, submission=submission):
        return Known([], [])
    return read_for(session, evidence=evidence, purpose=FacePurpose.CHECK, encoder=encoder, keys=keys)


def read_for(session: Session, *, evidence: Evidence, purpose: FacePurpose, encoder: str, keys: Keys) -> Known:
    """Return the encodings of a file's author and of colleagues, all with a consent to the present text; log it."""
    submission = session.get_one(Submission, evidence.submission_id)
    author = session.get_one(Person, submission.author_id)
    if not _has_face(session, author, encoder):
        return Known([], [])
    mine = Person.organization_id == author.organization_id
    found = _decrypted(session, mine, encoder=encoder, keys=keys)
    rows = {face_id for those in found.values() for face_id, _encoding in those}
    encodings = {person_id: [encoding for _id, encoding in those] for person_id, those in found.items()}
    own = encodings.pop(author.id)
    _note(
        session,
        person=author,
        purpose=purpose,
        encoder=encoder,
        encodings=len(rows),
        colleagues=len(encodings),
        evidence=evidence,
    )
    return Known(own, [*encodings.values()], frozenset(rows))


_KEPT = select(func.count()).where(
    ReferenceFace.id.in_(bindparam("read", expanding=True)), ReferenceFace.encrypted.is_not(None)
)


def still_kept(session: Session, *, read: Collection[int]) -> bool:
    """Whether all that a check read is still kept: what came of a destroyed encoding must not be recorded."""
    return session.scalar(_KEPT, {"read": list(read)}) == len(read)


def _has_face(session: Session, person: Person, encoder: str) -> bool:
    faces = select(ReferenceFace.id).join(Consent, Consent.id == ReferenceFace.consent_id)
    mine = and_(ReferenceFace.person_id == person.id, ReferenceFace.encoder == encoder, _covered())
    return session.scalars(faces.where(mine)).first() is not None


def _covered() -> ColumnElement[bool]:
    """Of a face kept and the consent it was given with: whether that still covers what is done now."""
    standing = and_(Consent.withdrawn_at.is_(None), Consent.text_version == CURRENT)
    return and_(standing, ReferenceFace.encrypted.is_not(None))


def _decrypted(
    session: Session, *whose: ColumnElement[bool], encoder: str, keys: Keys
) -> dict[int, list[tuple[int, bytes]]]:
    """Return row id and encoding, oldest first, by person, of people with a consent to the present text."""
    rows = session.scalars(
        select(ReferenceFace)
        .join(Person, Person.id == ReferenceFace.person_id)
        .join(Consent, Consent.id == ReferenceFace.consent_id)
        .where(*whose, ReferenceFace.encoder == encoder, _covered())
        .order_by(ReferenceFace.person_id, ReferenceFace.id)
    ).all()
    at_hand = keys() if rows else ()
    found: dict[int, list[tuple[int, bytes]]] = {}
    for face in rows:
        found.setdefault(face.person_id, []).append((face.id, opened(face, keys=at_hand)))
    return found


def _note(
    session: Session,
    *,
    person: Person,
    purpose: FacePurpose,
    encoder: str,
    encodings: int,
    colleagues: int = 0,
    evidence: Evidence | None = None,
) -> None:
    reading = FaceReading(
        organization_id=person.organization_id,
        person_id=person.id,
        evidence_id=evidence.id if evidence else None,
        purpose=purpose,
        encoder=encoder,
        encodings=encodings,
        colleagues=colleagues,
        at=now(),
    )
    session.add(reading)
    session.flush()


def readings_of(session: Session, *, actor: Person) -> list[FaceReading]:
    """Return every reading of the actor's own encodings, oldest first: for their files, and as a colleague for others'."""
    as_colleague = and_(
        FaceReading.organization_id == actor.organization_id,
        FaceReading.colleagues > 0,
        select(ReferenceFace.id)
        .where(
            ReferenceFace.person_id == actor.id,
            ReferenceFace.encoder == FaceReading.encoder,
            ReferenceFace.enrolled_at <= FaceReading.at,
            or_(ReferenceFace.purged_at.is_(None), ReferenceFace.purged_at > FaceReading.at),
        )
        .exists(),
    )
    found = select(FaceReading).where(or_(FaceReading.person_id == actor.id, as_colleague))
    return list(session.scalars(found.order_by(FaceReading.id)))


def readings(session: Session, *, actor: Person, organization_id: int) -> list[FaceReading]:
    """Return every reading in a school, for its administrator."""
    require_admin(session, actor=actor, organization_id=organization_id)
    found = select(FaceReading).where(FaceReading.organization_id == organization_id)
    return list(session.scalars(found.order_by(FaceReading.id)))


def kept_of(session: Session, *, person: Person) -> int:
    """Return how many encodings of a person are kept."""
    kept = select(func.count()).where(ReferenceFace.person_id == person.id, ReferenceFace.encrypted.is_not(None))
    return session.scalar(kept) or 0


@dataclass(frozen=True, slots=True)
class Stored:
    """How much is kept: standing consents, people with a face, faces."""

    consents: int
    people: int
    faces: int


def stored(session: Session) -> Stored:
    """Count what is kept now; the law counts stored people, not those there ever were (办法 §15)."""
    consents = session.scalar(select(func.count()).select_from(Consent).where(Consent.withdrawn_at.is_(None)))
    people, faces = session.execute(
        select(func.count(ReferenceFace.person_id.distinct()), func.count()).where(ReferenceFace.encrypted.is_not(None))
    ).one()
    return Stored(consents or 0, people, faces)


def purge_round(session: Session, *, round_: Round) -> int:
    """Destroy the encodings of everybody in a closed round who is in no other round that still needs them."""
    take_turn(session, organization_id=round_.organization_id)
    if round_.phase is not RoundPhase.CLOSED:
        raise NotAllowed(why=say(_("本轮申诉尚未结束")))
    people = session.scalars(
        select(Enrolment.person_id).where(Enrolment.round_id == round_.id, Enrolment.person_id.not_in(_needed()))
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


def purge_idle(session: Session, *, idle_days: int, log_days: int) -> int:
    """Destroy the encodings of people who are in no running round and enrolled none for `idle_days` days.

    Readings older than `log_days` days are forgotten, too. Returns how many encodings were destroyed.
    """
    fresh = select(ReferenceFace.person_id).where(ReferenceFace.enrolled_at > now() - timedelta(days=idle_days))
    idle = select(Person).where(
        Person.id.in_(select(ReferenceFace.person_id).where(ReferenceFace.encrypted.is_not(None))),
        Person.id.not_in(_needed()),
        Person.id.not_in(fresh),
    )
    destroyed = 0
    for person in session.scalars(idle.order_by(Person.organization_id, Person.id)).all():
        take_turn(session, organization_id=person.organization_id)
        gone = _destroy(session, person_ids=[person.id])
        audit.record_private(
            session,
            organization_id=person.organization_id,
            actor=None,
            deed="faces.purge",
            about=person,
            destroyed=gone,
        )
        destroyed += gone
    session.execute(delete(FaceReading).where(FaceReading.at < now() - timedelta(days=log_days)))
    return destroyed


def _needed() -> Select[tuple[int]]:
    """Return the ids of everybody in a round that is not closed."""
    return (
        select(Enrolment.person_id).join(Round, Round.id == Enrolment.round_id).where(Round.phase != RoundPhase.CLOSED)
    )


def _destroy(session: Session, *, person_ids: Iterable[int]) -> int:
    faces: Sequence[ReferenceFace] = session.scalars(
        select(ReferenceFace)
        .where(ReferenceFace.person_id.in_(list(person_ids)), ReferenceFace.encrypted.is_not(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    for face in faces:
        face.encrypted, face.purged_at = None, now()
    session.flush()
    return len(faces)
