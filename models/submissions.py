"""成果提交、证据、检查发现、有效性认定."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, PersonRef, words
from models.rounds import Enrolment
from review_flow.rules.lifecycle import SubmissionState
from review_flow.rules.words import EvidenceState, Verdict


class Submission(Base):
    """成果提交: one teacher x one ability in a round.

    `author_id` repeats the enrolment's person, so that constraints of other tables can forbid own work.
    """

    __tablename__ = "submission"

    enrolment_id: Mapped[int] = mapped_column(ForeignKey("enrolment.id"))
    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"), index=True)
    author_id: Mapped[PersonRef] = mapped_column(index=True)
    ability: Mapped[str]
    state: Mapped[SubmissionState] = mapped_column(words(SubmissionState, "submission_state"))
    statement_at: Mapped[datetime | None]
    """When the author signed that the work is their own (X-34)."""
    sealed_at: Mapped[datetime | None]
    """First sealing: hand-in counts from here."""
    submitted_at: Mapped[datetime | None]
    peer_owed: Mapped[int | None]
    """How many reviews its author owed when it went forward, and had given (001-A-24)."""
    peer_due_at: Mapped[datetime | None]
    peer_extended_at: Mapped[datetime | None]
    correction_due_at: Mapped[datetime | None]
    corrections: Mapped[int] = mapped_column(default=0)
    peer_missing: Mapped[bool] = mapped_column(default=False)
    extra_reviews: Mapped[int] = mapped_column(default=0)
    """How many reviewers are wanted beyond the scheme's number, because those who reviewed differ."""
    disagreement: Mapped[str | None]
    """Why the peers' marks deserve a first look: words of rules/peer_marks, comma between; None: they agree."""
    valid: Mapped[bool | None]

    enrolment: Mapped[Enrolment] = relationship(lazy="raise")

    __table_args__ = (
        UniqueConstraint("id", "author_id"),
        UniqueConstraint("enrolment_id", "ability"),
        CheckConstraint(
            "state = 'draft' OR state = 'closed' OR state = 'replaced' OR sealed_at IS NOT NULL", name="sealed_once"
        ),
    )


class Evidence(Base):
    """证据: one file filling a slot of a submission. A new file supersedes, never overwrites."""

    __tablename__ = "evidence"

    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"), index=True)
    slot: Mapped[str]
    file_name: Mapped[str]
    storage_key: Mapped[str]
    sha256: Mapped[str] = mapped_column(index=True)
    size_bytes: Mapped[int]
    uploaded_at: Mapped[datetime]
    state: Mapped[EvidenceState] = mapped_column(words(EvidenceState, "evidence_state"))
    verdict: Mapped[Verdict | None] = mapped_column(words(Verdict, "verdict_kind"))
    teacher_present: Mapped[bool | None]
    report: Mapped[dict[str, Any] | None]
    """The check's report without its findings: media facts, moments seen, cost, checker version."""
    sheet_key: Mapped[str | None]
    playable_key: Mapped[str | None]
    """A copy that browsers show, where they don't show the file itself; the file always stays."""
    poster_key: Mapped[str | None]
    checked_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]
    """When the file itself was deleted, its time being over; this row stays."""

    __table_args__ = (CheckConstraint("state <> 'checked' OR verdict IS NOT NULL", name="checked_has_verdict"),)


class Finding(Base):
    """检查发现: what one automatic check saw, in a sentence a teacher understands."""

    __tablename__ = "finding"

    evidence_id: Mapped[int] = mapped_column(ForeignKey("evidence.id"))
    position: Mapped[int]
    code: Mapped[str]
    level: Mapped[str]
    text: Mapped[str] = mapped_column(Text)

    __table_args__ = (UniqueConstraint("evidence_id", "position"),)


class ValidityVote(Base):
    """有效性认定: what one person of the panel says of a submission, for each of its correction rounds (T10)."""

    __tablename__ = "validity_vote"

    submission_id: Mapped[int]
    author_id: Mapped[int]
    voter_id: Mapped[PersonRef]
    attempt: Mapped[int]
    teacher_visible: Mapped[bool]
    own_work: Mapped[bool]
    reason: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]

    __table_args__ = (
        ForeignKeyConstraint(["submission_id", "author_id"], ["submission.id", "submission.author_id"]),
        UniqueConstraint("submission_id", "voter_id", "attempt"),
        CheckConstraint("voter_id <> author_id", name="not_own_work"),
    )
