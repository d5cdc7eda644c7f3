"""雷同: fingerprints of evidence, the keys they're found by, what was found, and the sources everybody may share."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, OptionalPersonRef, PersonRef, words
from review_flow.rules.words import CopyKind

_ID = BigInteger().with_variant(Integer, "sqlite")


class CommonSource(Base):
    """共用素材: a template or stock footage that many may use; what it explains is no finding. Never deleted, only ended."""

    __tablename__ = "common_source"

    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    sha256: Mapped[str]
    name: Mapped[str]
    reason: Mapped[str] = mapped_column(Text)
    added_by_id: Mapped[PersonRef]
    added_at: Mapped[datetime]
    ended_by_id: Mapped[OptionalPersonRef]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("(ended_by_id IS NULL) = (ended_at IS NULL)", name="ended_by_somebody"),
        Index(
            "uq_common_source_standing",
            "organization_id",
            "sha256",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )


class Fingerprint(Base):
    """What one file is compared by, of one kind: an evidence's, or a common source's. It goes with its owner."""

    __tablename__ = "fingerprint"

    evidence_id: Mapped[int | None] = mapped_column(ForeignKey("evidence.id", ondelete="CASCADE"), index=True)
    source_id: Mapped[int | None] = mapped_column(ForeignKey("common_source.id", ondelete="CASCADE"), index=True)
    kind: Mapped[CopyKind] = mapped_column(words(CopyKind, "fingerprint_kind"))
    format: Mapped[int]
    """Prints of different formats are never compared."""
    data: Mapped[bytes]

    __table_args__ = (CheckConstraint("(evidence_id IS NULL) <> (source_id IS NULL)", name="one_owner"),)


FINGERPRINT_KEY = Table(
    "fingerprint_key",
    Base.metadata,
    Column("value", BigInteger, primary_key=True, autoincrement=False),
    Column(
        "fingerprint_id",
        _ID,
        ForeignKey("fingerprint.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
        index=True,
    ),
    sqlite_with_rowid=False,
)
"""The index: files that share values are compared. No row of its own: a hundred of them belong to each fingerprint."""


class CopyHit(Base):
    """雷同: a later file agrees with an earlier one; both places side by side, for people to look at."""

    __tablename__ = "copy_hit"

    evidence_id: Mapped[int] = mapped_column(ForeignKey("evidence.id", ondelete="CASCADE"))
    """The file that came later."""
    earlier_id: Mapped[int] = mapped_column(ForeignKey("evidence.id", ondelete="CASCADE"), index=True)
    kind: Mapped[CopyKind] = mapped_column(words(CopyKind, "copy_kind"))
    percent: Mapped[int]
    """How much of the smaller file is found in the other."""
    places: Mapped[dict[str, Any]]
    """{"here": […], "there": […]}: here in the later file, there in the earlier one."""
    found_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("evidence_id", "earlier_id", "kind"),
        CheckConstraint("evidence_id <> earlier_id", name="two_files"),
    )
