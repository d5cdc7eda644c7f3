"""What the house keeps about itself: audit events, due work, messages, imported and exported files."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, OptionalPersonRef, PersonRef, words
from review_flow.rules.words import ErrandKind, ExportKind, JobState, SheetKind, WorkKind


class AuditEvent(Base):
    """Who did what to which thing, when: append-only, each row holding the hash of the one before."""

    __tablename__ = "audit_event"

    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    number: Mapped[int]
    at: Mapped[datetime]
    actor_id: Mapped[OptionalPersonRef]
    deed: Mapped[str]
    about: Mapped[str]
    """Table and id: "submission:12"."""
    data: Mapped[str] = mapped_column(Text)
    """Canonical JSON; ids and numbers, no evidence and no faces."""
    previous_hash: Mapped[str]
    hash: Mapped[str]

    __table_args__ = (UniqueConstraint("organization_id", "number"), Index("ix_audit_event_about", "about"))


class DueWork(Base):
    """What is due: a flow claims it by conditional update and a lease, does it, and records it."""

    __tablename__ = "due_work"

    kind: Mapped[WorkKind] = mapped_column(words(WorkKind, "work_kind"))
    subject_id: Mapped[int]
    due_at: Mapped[datetime]
    again_at: Mapped[datetime | None]
    """Asked for once more while somebody was at it: `finish` books it anew."""
    priority: Mapped[int] = mapped_column(default=0)
    lease_token: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    leased_by: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    parked_at: Mapped[datetime | None]
    parked_reason: Mapped[str | None] = mapped_column(Text)
    done_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("(lease_token IS NULL) = (lease_until IS NULL)", name="lease_whole"),
        CheckConstraint("(parked_at IS NULL) = (parked_reason IS NULL)", name="parked_with_reason"),
        Index(
            "uq_due_work_waiting",
            "kind",
            "subject_id",
            unique=True,
            sqlite_where=text("done_at IS NULL"),
            postgresql_where=text("done_at IS NULL"),
        ),
        Index("ix_due_work_kind_due_at", "kind", "due_at"),
    )


class Message(Base):
    """An outbox row: a sentence for one person, delivered by a flow."""

    __tablename__ = "message"

    person_id: Mapped[PersonRef] = mapped_column(index=True)
    round_id: Mapped[int | None] = mapped_column(ForeignKey("round.id"), index=True)
    kind: Mapped[str]
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]
    delivered_by: Mapped[str | None]
    read_at: Mapped[datetime | None]
    """When its person had it before them on the page; what went out besides may be read there without our knowing."""


class SheetImport(Base):
    """A sheet brought in: all of its rows, or none and a sheet that says why."""

    __tablename__ = "sheet_import"

    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), index=True)
    round_id: Mapped[int | None] = mapped_column(ForeignKey("round.id"))
    kind: Mapped[SheetKind] = mapped_column(words(SheetKind, "sheet_kind"))
    file_name: Mapped[str]
    storage_key: Mapped[str]
    provider_id: Mapped[int | None] = mapped_column(ForeignKey("provider.id"))
    """Whose export it is, where its columns are named the platform's way."""
    state: Mapped[JobState] = mapped_column(words(JobState, "import_state"))
    brought_by_id: Mapped[PersonRef]
    brought_at: Mapped[datetime]
    rows: Mapped[int | None]
    problems: Mapped[dict[str, Any] | None]
    """Row number → sentences, where it was refused."""
    problems_key: Mapped[str | None]
    preview: Mapped[dict[str, Any] | None]
    """Row by row what taking it would do, where somebody looks before it is taken."""
    made: Mapped[dict[str, Any] | None]
    """What it added and changed, so that it can be taken back."""
    finished_at: Mapped[datetime | None]
    taken_back_by_id: Mapped[OptionalPersonRef]
    taken_back_at: Mapped[datetime | None]


class RoundExport(Base):
    """A file made of a round."""

    __tablename__ = "round_export"

    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"), index=True)
    kind: Mapped[ExportKind] = mapped_column(words(ExportKind, "export_kind"))
    state: Mapped[JobState] = mapped_column(words(JobState, "export_state"))
    asked_by_id: Mapped[PersonRef]
    asked_at: Mapped[datetime]
    storage_key: Mapped[str | None]
    sha256: Mapped[str | None]
    finished_at: Mapped[datetime | None]


class Errand(Base):
    """Something long that somebody asked for, and what came of it: kept, so that its page shows it at once."""

    __tablename__ = "errand"

    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), index=True)
    round_id: Mapped[int | None] = mapped_column(ForeignKey("round.id"), index=True)
    kind: Mapped[ErrandKind] = mapped_column(words(ErrandKind, "errand_kind"))
    asked_by_id: Mapped[PersonRef]
    asked_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    answer: Mapped[dict[str, Any]]
    """Ids and numbers; empty until it is done."""
