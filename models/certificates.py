"""证书: one version of a certificate, and which of its issuers confirmed it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, OptionalPersonRef, words
from review_flow.rules.certificates import CertificateState


class Certificate(Base):
    """A certificate of one teacher in one round: what it says is kept as it was issued, and never edited (N29)."""

    __tablename__ = "certificate"

    enrolment_id: Mapped[int] = mapped_column(ForeignKey("enrolment.id"))
    kind: Mapped[str]
    """The scheme's id of it."""
    version: Mapped[int]
    number: Mapped[str]
    state: Mapped[CertificateState] = mapped_column(words(CertificateState, "certificate_state"))
    result_id: Mapped[int] = mapped_column(ForeignKey("result.id"))
    outcome_digest: Mapped[str]
    """SHA-256 of the outcome it rests on."""
    title: Mapped[str]
    holder: Mapped[str]
    school: Mapped[str]
    round_name: Mapped[str]
    ledger: Mapped[str | None]
    hours: Mapped[Decimal | None]
    issued_at: Mapped[datetime]
    issued_by_id: Mapped[OptionalPersonRef]
    """None where the flow issued it."""
    revoked_at: Mapped[datetime | None]
    revoked_by_id: Mapped[OptionalPersonRef]
    revoked_reason: Mapped[str | None] = mapped_column(Text)
    supersedes_id: Mapped[int | None] = mapped_column(ForeignKey("certificate.id"), unique=True)

    __table_args__ = (
        UniqueConstraint("enrolment_id", "kind", "version"),
        Index("uq_certificate_number", "number", unique=True),
        Index(
            "uq_certificate_standing",
            "enrolment_id",
            "kind",
            unique=True,
            sqlite_where=text("state = 'issued'"),
            postgresql_where=text("state = 'issued'"),
        ),
        CheckConstraint(
            "(state = 'revoked') = (revoked_at IS NOT NULL AND revoked_reason IS NOT NULL)", name="revoked_with_reason"
        ),
    )


class CertificateIssuer(Base):
    """颁发单位: one of those whose seals a certificate bears; it is valid when all of them confirmed (003-17)."""

    __tablename__ = "certificate_issuer"

    certificate_id: Mapped[int] = mapped_column(ForeignKey("certificate.id"))
    place: Mapped[int]
    name: Mapped[str]
    confirmed_by_id: Mapped[OptionalPersonRef]
    confirmed_at: Mapped[datetime | None]
    proof: Mapped[str | None] = mapped_column(Text)
    """The issuer's own paper, where the school recorded its confirmation."""

    __table_args__ = (
        UniqueConstraint("certificate_id", "name"),
        CheckConstraint("(confirmed_by_id IS NULL) = (confirmed_at IS NULL)", name="confirmed_by_somebody"),
    )
