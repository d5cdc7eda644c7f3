"""What is kept about faces, and about how a teacher's own picture was confirmed: never in an export."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, OptionalPersonRef, PersonRef, words
from review_flow.rules.words import AttestationKind, ConsentWay, FacePurpose


class Consent(Base):
    """单独同意 to face matching: to which text, how and when; withdrawable (design rule 4, domain 7.2)."""

    __tablename__ = "consent"

    person_id: Mapped[PersonRef]
    text_version: Mapped[str]
    language: Mapped[str]
    text_sha256: Mapped[str]
    """Of the text as it was read, in that language."""
    given_through: Mapped[ConsentWay] = mapped_column(words(ConsentWay, "consent_way"))
    given_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("withdrawn_at IS NULL OR withdrawn_at >= given_at", name="in_order"),
        Index(
            "uq_consent_standing",
            "person_id",
            unique=True,
            sqlite_where=text("withdrawn_at IS NULL"),
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
    )


class ReferenceFace(Base):
    """One reference encoding, encrypted with a key outside the database; the photo itself is not kept.

    Encodings of two encoders can't be compared: `encoder` says whose this is. `key_id` names the key, and tells
    nothing about it.
    """

    __tablename__ = "reference_face"

    consent_id: Mapped[int] = mapped_column(ForeignKey("consent.id"))
    person_id: Mapped[PersonRef]
    encrypted: Mapped[bytes | None]
    key_id: Mapped[str] = mapped_column(index=True)
    encoder: Mapped[str]
    enrolled_at: Mapped[datetime]
    purged_at: Mapped[datetime | None]

    __table_args__ = (CheckConstraint("(encrypted IS NULL) = (purged_at IS NOT NULL)", name="purged_means_gone"),)


class FaceReading(Base):
    """One reading of encodings: who, what for, when, and how many; never the numbers.

    `person_id`: whose file was looked at, or who enrolled. The `colleagues` are everybody else of the school whose
    encodings of this encoder were kept at that moment, so that each of them can be told of it.
    """

    __tablename__ = "face_reading"

    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    person_id: Mapped[PersonRef]
    evidence_id: Mapped[int | None] = mapped_column(ForeignKey("evidence.id"))
    purpose: Mapped[FacePurpose] = mapped_column(words(FacePurpose, "face_purpose"))
    encoder: Mapped[str]
    encodings: Mapped[int]
    colleagues: Mapped[int]
    at: Mapped[datetime]

    __table_args__ = (Index("ix_face_reading_organization_id_at", "organization_id", "at"),)


class Attestation(Base):
    """证明: what one of the staff signs instead of a face comparison, for one file as it is (domain 7.2)."""

    __tablename__ = "attestation"

    evidence_id: Mapped[int] = mapped_column(ForeignKey("evidence.id"))
    submission_id: Mapped[int] = mapped_column(index=True)
    author_id: Mapped[int]
    signatory_id: Mapped[PersonRef]
    kind: Mapped[AttestationKind] = mapped_column(words(AttestationKind, "attestation_kind"))
    statement: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]

    __table_args__ = (
        ForeignKeyConstraint(["submission_id", "author_id"], ["submission.id", "submission.author_id"]),
        UniqueConstraint("evidence_id", "signatory_id", "kind"),
        CheckConstraint("signatory_id <> author_id", name="not_own_work"),
    )


class PrivateNote(Base):
    """What an audit event holds only the digest of: a person's choice about their face stays out of every export.

    `salt` keeps few possible contents from being guessed. Erasing a note leaves the chain whole.
    """

    __tablename__ = "private_note"

    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    actor_id: Mapped[OptionalPersonRef]
    deed: Mapped[str]
    about: Mapped[str]
    data: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    salt: Mapped[str]
