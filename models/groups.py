"""集体事实、集体考核结果、班: what is known of a workshop, class, school or county, and what its grade was."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, OptionalPersonRef, PersonRef, words
from review_flow.rules.lifecycle import ResultState
from review_flow.rules.words import ClassKind, GroupFactKind, GroupLevel

WHOSE = "(level = 'workshop') = (workshop_id IS NOT NULL) AND (level = 'class') = (class_id IS NOT NULL)"


class TrainingClass(Base):
    """班: people of a round who learn together; of one school, or joint with schools of the same county (004-09)."""

    __tablename__ = "training_class"

    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    name: Mapped[str]
    kind: Mapped[ClassKind] = mapped_column(words(ClassKind, "class_kind"))
    admin_id: Mapped[PersonRef]
    """Who looks after it (004-11)."""
    founded_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("round_id", "name"),)


class ClassMember(Base):
    """Somebody in a class; who leaves is kept with the day."""

    __tablename__ = "class_member"

    class_id: Mapped[int] = mapped_column(ForeignKey("training_class.id"))
    person_id: Mapped[PersonRef]
    joined_at: Mapped[datetime]
    left_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_class_member_class_id_person_id", "class_id", "person_id"),)


class GroupFact(Base):
    """集体事实: one thing handed in or told for a group.

    Told again under the same key it changes nothing; another value supersedes the row, which is kept.
    """

    __tablename__ = "group_fact"

    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    level: Mapped[GroupLevel] = mapped_column(words(GroupLevel, "group_level"))
    workshop_id: Mapped[int | None] = mapped_column(ForeignKey("workshop.id"))
    class_id: Mapped[int | None] = mapped_column(ForeignKey("training_class.id"))
    kind: Mapped[GroupFactKind] = mapped_column(words(GroupFactKind, "group_fact_kind"))
    about: Mapped[str]
    """What of the scheme it speaks of: what a quota counts, a task, a target, a quota (its reason), a theme."""
    number: Mapped[Decimal | None]
    """How many (None: one), a target's numerator, or how many tasks a theme has."""
    happened_at: Mapped[datetime | None]
    """When a task was done."""
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What a counted thing has (photos: true …), a target's denominator (of) or value, a reason (reason)."""
    storage_key: Mapped[str | None]
    sha256: Mapped[str | None]
    removed_at: Mapped[datetime | None]
    """When its file was deleted at the end of its time; the row and the digest stay."""
    key: Mapped[str]
    source: Mapped[str] = mapped_column(Text)
    recorded_by_id: Mapped[PersonRef]
    recorded_at: Mapped[datetime]
    struck_by_id: Mapped[OptionalPersonRef]
    struck_at: Mapped[datetime | None]
    struck_reason: Mapped[str | None] = mapped_column(Text)
    """None where a later fact superseded it."""

    __table_args__ = (
        Index("ix_group_fact_round_id_level", "round_id", "level"),
        CheckConstraint(WHOSE, name="whose"),
        CheckConstraint("(kind = 'task') = (happened_at IS NOT NULL)", name="task_when"),
        CheckConstraint("(storage_key IS NULL) = (sha256 IS NULL)", name="file_and_digest"),
    )


class GroupResult(Base):
    """集体考核结果: one version of a group's grade, with the record and outcome it replays to, byte for byte."""

    __tablename__ = "group_result"

    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    level: Mapped[GroupLevel] = mapped_column(words(GroupLevel, "result_level"))
    workshop_id: Mapped[int | None] = mapped_column(ForeignKey("workshop.id"))
    class_id: Mapped[int | None] = mapped_column(ForeignKey("training_class.id"))
    version: Mapped[int]
    current: Mapped[bool] = mapped_column(default=True)
    scheme_digest: Mapped[str]
    record: Mapped[str] = mapped_column(Text)
    outcome: Mapped[str] = mapped_column(Text)
    state: Mapped[ResultState] = mapped_column(words(ResultState, "group_result_state"))
    proposed_grade: Mapped[str]
    grade: Mapped[str | None]
    """The confirmed grade; None until the panel confirmed it."""
    composed_by_id: Mapped[PersonRef]
    composed_at: Mapped[datetime]
    confirmed_by_id: Mapped[OptionalPersonRef]
    lowered_reason: Mapped[str | None] = mapped_column(Text)
    supersedes_reason: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        Index("ix_group_result_round_id_level", "round_id", "level"),
        CheckConstraint(
            "grade IS NULL OR grade = proposed_grade OR lowered_reason IS NOT NULL", name="lowered_with_reason"
        ),
        CheckConstraint(WHOSE, name="whose"),
    )
