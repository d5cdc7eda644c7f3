"""互评任务、互评、标准样例、考核组评分."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, OptionalPersonRef, PersonRef, words
from models.submissions import Submission
from review_flow.rules.words import AssignmentState, ReportReason, SeatKind

LIVE = text("state IN ('assigned', 'begun', 'done')")


class CalibrationSample(Base):
    """标准样例: a work marked by the panel beforehand; reviewing it counts for the duty (X-41)."""

    __tablename__ = "calibration_sample"

    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    ability: Mapped[str]
    title: Mapped[str]
    mark: Mapped[Decimal]
    form: Mapped[dict[str, Any]]
    added_by_id: Mapped[PersonRef]

    __table_args__ = (UniqueConstraint("round_id", "title"), CheckConstraint("mark BETWEEN 0 AND 1000000", name="mark"))


class Assignment(Base):
    """互评任务: one person reviews one submission, or one sample, within a lease."""

    __tablename__ = "assignment"

    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    reviewer_id: Mapped[PersonRef]
    submission_id: Mapped[int | None]
    author_id: Mapped[int | None]
    sample_id: Mapped[int | None] = mapped_column(ForeignKey("calibration_sample.id"))
    state: Mapped[AssignmentState] = mapped_column(words(AssignmentState, "assignment_state"))
    assigned_at: Mapped[datetime]
    lease_until: Mapped[datetime]
    begun_at: Mapped[datetime | None]
    """When the first draft was kept; None: nobody knows when it was begun."""
    reminded_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    draft: Mapped[dict[str, Any] | None]
    draft_version: Mapped[int] = mapped_column(default=0)
    draft_from: Mapped[str | None]
    """How often the draft was kept, and by which page: another page that fills in over an older one overwrites nothing."""
    declined_reason: Mapped[str | None] = mapped_column(Text)
    claim_key: Mapped[str | None]
    """Says which claim this came from: the same one sent twice takes one task."""

    submission: Mapped[Submission | None] = relationship(lazy="raise", viewonly=True)

    __table_args__ = (
        ForeignKeyConstraint(["submission_id", "author_id"], ["submission.id", "submission.author_id"]),
        CheckConstraint("author_id IS NULL OR author_id <> reviewer_id", name="not_own_work"),
        CheckConstraint("(submission_id IS NULL) <> (sample_id IS NULL)", name="work_or_sample"),
        CheckConstraint("(submission_id IS NULL) = (author_id IS NULL)", name="author_of_work"),
        Index(
            "uq_assignment_live_submission",
            "submission_id",
            "reviewer_id",
            unique=True,
            sqlite_where=LIVE,
            postgresql_where=LIVE,
        ),
        Index(
            "uq_assignment_live_sample",
            "sample_id",
            "reviewer_id",
            unique=True,
            sqlite_where=LIVE,
            postgresql_where=LIVE,
        ),
        UniqueConstraint("round_id", "reviewer_id", "claim_key"),
        Index("ix_assignment_reviewer_id_state", "reviewer_id", "state"),
        Index("ix_assignment_submission_id_state", "submission_id", "state"),
    )


class Review(Base):
    """互评: the filled form of one assignment, frozen with the digest of the scheme it was made under."""

    __tablename__ = "review"

    assignment_id: Mapped[int] = mapped_column(ForeignKey("assignment.id"), unique=True)
    form: Mapped[dict[str, Any]]
    mark: Mapped[Decimal]
    scheme_digest: Mapped[str]
    submitted_at: Mapped[datetime]

    assignment: Mapped[Assignment] = relationship(lazy="raise")

    __table_args__ = (CheckConstraint("mark BETWEEN 0 AND 1000000", name="mark"),)


class ReviewSign(Base):
    """敷衍迹象 of one review: told to its reviewer first; for humans to judge, never a weight."""

    __tablename__ = "review_sign"

    review_id: Mapped[int] = mapped_column(ForeignKey("review.id"))
    sign: Mapped[str]
    told_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("review_id", "sign"),)


class FileReport(Base):
    """报告文件问题: a reviewer's word that a file is broken or suspicious; a human of the panel looks and says what it is."""

    __tablename__ = "file_report"

    assignment_id: Mapped[int] = mapped_column(ForeignKey("assignment.id"))
    evidence_id: Mapped[int] = mapped_column(ForeignKey("evidence.id"))
    reporter_id: Mapped[PersonRef]
    reason: Mapped[ReportReason] = mapped_column(words(ReportReason, "report_reason"))
    note: Mapped[str] = mapped_column(Text)
    reported_at: Mapped[datetime]
    closed_by_id: Mapped[OptionalPersonRef]
    closed_at: Mapped[datetime | None]
    finding: Mapped[str | None] = mapped_column(Text)
    """What whoever looked found."""

    __table_args__ = (
        UniqueConstraint("assignment_id", "evidence_id"),
        CheckConstraint(
            "(closed_at IS NULL) = (closed_by_id IS NULL) AND (closed_at IS NULL) = (finding IS NULL)",
            name="closed_whole",
        ),
    )


class ReviewAnswer(Base):
    """Whether a review helped its work's author, once said; its reviewer reads it when the grade is final."""

    __tablename__ = "review_answer"

    review_id: Mapped[int] = mapped_column(ForeignKey("review.id"), unique=True)
    author_id: Mapped[PersonRef]
    helped: Mapped[bool]
    comment: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime]


class PanelMark(Base):
    """考核组评分: one person's marks of one submission; a later one supersedes, none is edited."""

    __tablename__ = "panel_mark"

    submission_id: Mapped[int]
    author_id: Mapped[int]
    marker_id: Mapped[PersonRef] = mapped_column(index=True)
    seat: Mapped[SeatKind] = mapped_column(words(SeatKind, "mark_seat_kind"))
    draft: Mapped[dict[str, Any] | None]
    draft_version: Mapped[int] = mapped_column(default=0)
    draft_from: Mapped[str | None]
    form: Mapped[dict[str, Any] | None]
    mark: Mapped[Decimal | None]
    ability_level: Mapped[str | None]
    scheme_digest: Mapped[str | None]
    asked_at: Mapped[datetime]
    due_at: Mapped[datetime]
    marked_at: Mapped[datetime | None]
    released_at: Mapped[datetime | None]
    """When a substitute took the place, or the mark was superseded."""

    __table_args__ = (
        ForeignKeyConstraint(["submission_id", "author_id"], ["submission.id", "submission.author_id"]),
        CheckConstraint("marker_id <> author_id", name="not_own_work"),
        CheckConstraint("(mark IS NULL) = (marked_at IS NULL)", name="marked_whole"),
        CheckConstraint("mark IS NULL OR mark BETWEEN 0 AND 1000000", name="mark"),
        Index("ix_panel_mark_submission_id", "submission_id"),
        Index(
            "uq_panel_mark_standing",
            "submission_id",
            "marker_id",
            unique=True,
            sqlite_where=text("released_at IS NULL"),
            postgresql_where=text("released_at IS NULL"),
        ),
    )
