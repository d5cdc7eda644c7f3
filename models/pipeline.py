"""推优: nominations, what was judged of them level by level, what their authors agreed to, and the resource library."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, OptionalPersonRef, PersonRef, words
from review_flow.rules.words import NominationKind, NominationState, WorkConsent


class Nomination(Base):
    """推优: a work or a learner put forward by a workshop; a work is a checked file, or one that is told of."""

    __tablename__ = "nomination"

    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"), index=True)
    workshop_id: Mapped[int | None] = mapped_column(ForeignKey("workshop.id"))
    """The author's workshop when it was put forward; its quotas count it."""
    author_id: Mapped[PersonRef] = mapped_column(index=True)
    kind: Mapped[NominationKind] = mapped_column(words(NominationKind, "nomination_kind"))
    title: Mapped[str]
    video: Mapped[bool]
    ability: Mapped[str | None]
    category: Mapped[str | None]
    """One of the scheme's award categories (003-24)."""
    evidence_id: Mapped[int | None] = mapped_column(ForeignKey("evidence.id"))
    step: Mapped[str | None]
    """The level it waits at, by its id in the scheme; None where the scheme has no levels, or it has passed all."""
    state: Mapped[NominationState] = mapped_column(words(NominationState, "nomination_state"))
    nominated_by_id: Mapped[PersonRef]
    nominated_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("id", "author_id"),
        CheckConstraint("kind = 'work' OR (evidence_id IS NULL AND NOT video)", name="learner_has_no_work"),
    )


class NominationMove(Base):
    """How one level decided: passed on or left; the basis names a letter, the tally, or who named it."""

    __tablename__ = "nomination_move"

    nomination_id: Mapped[int] = mapped_column(ForeignKey("nomination.id"))
    step: Mapped[str]
    passed: Mapped[bool]
    basis: Mapped[str] = mapped_column(Text)
    by_id: Mapped[PersonRef]
    at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("nomination_id", "step"),)


class NominationVoice(Base):
    """A vote (no mark) or a mark of 0-100 at one level; never of one's own work. Another mark supersedes, it is kept."""

    __tablename__ = "nomination_voice"

    nomination_id: Mapped[int]
    author_id: Mapped[int]
    step: Mapped[str]
    judge_id: Mapped[PersonRef]
    mark: Mapped[Decimal | None]
    at: Mapped[datetime]
    struck_at: Mapped[datetime | None]

    __table_args__ = (
        ForeignKeyConstraint(["nomination_id", "author_id"], ["nomination.id", "nomination.author_id"]),
        Index(
            "uq_nomination_voice_standing",
            "nomination_id",
            "step",
            "judge_id",
            unique=True,
            sqlite_where=text("struck_at IS NULL"),
            postgresql_where=text("struck_at IS NULL"),
        ),
        CheckConstraint("judge_id <> author_id", name="not_own_work"),
    )


class NominationConsent(Base):
    """What an author said: to leave the workshop, or, separately, to be published. The latest word of each counts."""

    __tablename__ = "nomination_consent"

    nomination_id: Mapped[int]
    author_id: Mapped[PersonRef]
    about: Mapped[WorkConsent] = mapped_column(words(WorkConsent, "work_consent"))
    given: Mapped[bool]
    show_name: Mapped[bool]
    pupils: Mapped[bool | None]
    """Whether pupils can be recognised in the work; asked with the consent to publication."""
    pupils_note: Mapped[str | None] = mapped_column(Text)
    """Where the guardians' consents are kept."""
    at: Mapped[datetime]

    __table_args__ = (
        ForeignKeyConstraint(["nomination_id", "author_id"], ["nomination.id", "nomination.author_id"]),
        CheckConstraint(
            "about <> 'publication' OR NOT given OR pupils IS NOT NULL AND (NOT pupils OR pupils_note IS NOT NULL)",
            name="pupils_said",
        ),
    )


class LibraryEntry(Base):
    """资源库: a work published with both consents of its author; taken back, it stays to be seen only in the audit."""

    __tablename__ = "library_entry"

    nomination_id: Mapped[int] = mapped_column(ForeignKey("nomination.id"))
    published_by_id: Mapped[PersonRef]
    published_at: Mapped[datetime]
    taken_back_by_id: Mapped[OptionalPersonRef]
    taken_back_at: Mapped[datetime | None]
    taken_back_reason: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        Index(
            "uq_library_entry_standing",
            "nomination_id",
            unique=True,
            sqlite_where=text("taken_back_at IS NULL"),
            postgresql_where=text("taken_back_at IS NULL"),
        ),
    )
