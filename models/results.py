"""扣分/加分、考核结果、签名、申诉."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, OptionalPersonRef, PersonRef, words
from models.rounds import Enrolment
from review_flow.rules.lifecycle import ResultState
from review_flow.rules.words import AdjustmentKind, AdjustmentState, AppealState

ONE_RESULT = "(result_id IS NULL) <> (group_result_id IS NULL)"


class Adjustment(Base):
    """扣分/加分: a dated, proven, contestable fact; what it costs is the scheme's (001-A-35..37)."""

    __tablename__ = "adjustment"

    enrolment_id: Mapped[int] = mapped_column(ForeignKey("enrolment.id"))
    kind: Mapped[AdjustmentKind] = mapped_column(words(AdjustmentKind, "adjustment_kind"))
    happened_on: Mapped[date]
    proof: Mapped[str] = mapped_column(Text)
    key: Mapped[str]
    """What makes it the same fact when told again: a sheet's event id, or a submission."""
    approved_leave: Mapped[bool] = mapped_column(default=False)
    points: Mapped[Decimal | None]
    """Only for awards: the points of the school's own table (001-A-37)."""
    state: Mapped[AdjustmentState] = mapped_column(words(AdjustmentState, "adjustment_state"))
    recorded_by_id: Mapped[OptionalPersonRef]
    """None where the clock itself saw it (a late hand-in)."""
    recorded_at: Mapped[datetime]
    notified_at: Mapped[datetime]
    contest_reason: Mapped[str | None] = mapped_column(Text)
    decided_by_id: Mapped[OptionalPersonRef]
    decision_reason: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        UniqueConstraint("enrolment_id", "kind", "key"),
        CheckConstraint("(kind = 'award') = (points IS NOT NULL)", name="points_of_awards"),
        CheckConstraint("state <> 'contested' OR contest_reason IS NOT NULL", name="contested_with_reason"),
    )


class Result(Base):
    """考核结果: one version of a teacher's grade, with the inputs and the ledger it replays to, byte for byte."""

    __tablename__ = "result"

    enrolment_id: Mapped[int] = mapped_column(ForeignKey("enrolment.id"))
    version: Mapped[int]
    current: Mapped[bool] = mapped_column(default=True)
    state: Mapped[ResultState] = mapped_column(words(ResultState, "result_state"))
    scheme_digest: Mapped[str]
    record: Mapped[str] = mapped_column(Text)
    """The inputs as canonical JSON."""
    outcome: Mapped[str] = mapped_column(Text)
    """What `grade` made of them, as canonical JSON: score, grade, gates, ledger."""
    on_boundary: Mapped[bool] = mapped_column(default=False)
    """Whether the outcome has this flag: a list puts such results first without reading a thousand outcomes."""
    score: Mapped[Decimal | None]
    """None where the scheme grades without a number (official-conjunctive)."""
    proposed_grade: Mapped[str]
    grade: Mapped[str | None]
    """The confirmed grade; None until the panel confirmed it."""
    composed_at: Mapped[datetime]
    confirmed_by_id: Mapped[OptionalPersonRef]
    lowered_reason: Mapped[str | None] = mapped_column(Text)
    supersedes_reason: Mapped[str | None] = mapped_column(Text)

    enrolment: Mapped[Enrolment] = relationship(lazy="raise")

    __table_args__ = (
        UniqueConstraint("enrolment_id", "version"),
        Index(
            "uq_result_current",
            "enrolment_id",
            unique=True,
            sqlite_where=text("current"),
            postgresql_where=text("current"),
        ),
        CheckConstraint(
            "grade IS NULL OR grade = proposed_grade OR lowered_reason IS NOT NULL", name="lowered_with_reason"
        ),
    )


class Signature(Base):
    """签名 of a result, by the teacher (001-A-10), or of a workshop's, by its leader."""

    __tablename__ = "signature"

    result_id: Mapped[int | None] = mapped_column(ForeignKey("result.id"), unique=True)
    group_result_id: Mapped[int | None] = mapped_column(ForeignKey("group_result.id"), unique=True)
    person_id: Mapped[PersonRef]
    outcome_digest: Mapped[str]
    """SHA-256 of the outcome that was signed."""
    comment: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime]

    __table_args__ = (CheckConstraint(ONE_RESULT, name="one_result"),)


class Appeal(Base):
    """申诉 against one version of a teacher's or a workshop's result."""

    __tablename__ = "appeal"

    result_id: Mapped[int | None] = mapped_column(ForeignKey("result.id"), unique=True)
    group_result_id: Mapped[int | None] = mapped_column(ForeignKey("group_result.id"), unique=True)
    appellant_id: Mapped[PersonRef]
    reason: Mapped[str] = mapped_column(Text)
    late_reason: Mapped[str | None] = mapped_column(Text)
    filed_at: Mapped[datetime]
    due_at: Mapped[datetime]
    state: Mapped[AppealState] = mapped_column(words(AppealState, "appeal_state"))
    decided_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("id", "appellant_id"), CheckConstraint(ONE_RESULT, name="one_result"))


class AppealVote(Base):
    """What one hearer says of an appeal, with the panel marks they would give instead."""

    __tablename__ = "appeal_vote"

    appeal_id: Mapped[int] = mapped_column(ForeignKey("appeal.id"))
    voter_id: Mapped[PersonRef]
    uphold: Mapped[bool]
    marks: Mapped[dict[str, Any]]
    """Ability code → mark as a decimal string, or of a workshop: what a quota counts → how many; empty when dismissed."""
    reason: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("appeal_id", "voter_id"),)
