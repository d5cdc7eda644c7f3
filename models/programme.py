"""项目事实、活动签到、平台列对应: what is known of a teacher's way through a programme."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, OptionalPersonRef, PersonRef, words
from models.rounds import Enrolment
from review_flow.rules.words import FactKind


class Fact(Base):
    """项目事实: one thing told of a teacher besides hours, abilities and adjustments.

    Told again under the same key it changes nothing; another value supersedes the row, which is kept.
    """

    __tablename__ = "fact"

    enrolment_id: Mapped[int] = mapped_column(ForeignKey("enrolment.id"))
    kind: Mapped[FactKind] = mapped_column(words(FactKind, "fact_kind"))
    about: Mapped[str]
    """What of the scheme it speaks of: a minute ledger, deliverable, activity, test or test.part, theme, component,
    an ability and its approval (A1:学校审核), or a further source of marks (self, on_site, students, parents)."""
    number: Mapped[Decimal | None]
    """Minutes, a mark of 0-100 (of a questionnaire: the mean), pieces in a period."""
    word: Mapped[str | None]
    """合格, 不合格, present, made_up, absent, given, refused."""
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Of a piece: chars, seconds (decimal string), on (own or others); of a questionnaire: answers (how many)."""
    key: Mapped[str]
    source: Mapped[str]
    recorded_by_id: Mapped[PersonRef]
    recorded_at: Mapped[datetime]
    confirmed_by_id: Mapped[OptionalPersonRef]
    """Who confirmed it, where the scheme asks for that; until then it doesn't count (X-59)."""
    confirmed_at: Mapped[datetime | None]
    struck_by_id: Mapped[OptionalPersonRef]
    struck_at: Mapped[datetime | None]
    struck_reason: Mapped[str | None] = mapped_column(Text)
    """None where a later fact superseded it."""

    enrolment: Mapped[Enrolment] = relationship(lazy="raise")

    __table_args__ = (
        Index(
            "uq_fact_standing",
            "enrolment_id",
            "kind",
            "about",
            "key",
            unique=True,
            sqlite_where=text("struck_at IS NULL"),
            postgresql_where=text("struck_at IS NULL"),
        ),
        CheckConstraint("(confirmed_at IS NULL) = (confirmed_by_id IS NULL)", name="confirmed_by_somebody"),
        CheckConstraint("number IS NULL OR number >= 0", name="positive"),
    )


class Gathering(Base):
    """活动场次: one meeting of an activity of the scheme, where people sign in."""

    __tablename__ = "gathering"

    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    activity: Mapped[str]
    workshop_id: Mapped[int | None] = mapped_column(ForeignKey("workshop.id"))
    """None: for everybody of the round."""
    held_at: Mapped[datetime]
    place: Mapped[str]
    opened_by_id: Mapped[PersonRef]
    sign_in_opens_at: Mapped[datetime]
    sign_in_closes_at: Mapped[datetime]
    secret: Mapped[str]
    """What its sign-in codes are made from; never shown."""

    __table_args__ = (
        UniqueConstraint("round_id", "activity", "workshop_id", "held_at"),
        CheckConstraint("sign_in_opens_at < sign_in_closes_at", name="window"),
    )


class Provider(Base):
    """平台: how a platform names the columns of its export, kept for each sheet of a school."""

    __tablename__ = "provider"

    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    name: Mapped[str]
    sheet: Mapped[str]
    """The kind of sheet its export is read as."""
    columns: Mapped[dict[str, Any]]
    """Column key → the platform's heading."""
    constants: Mapped[dict[str, Any]]
    """Column key → what to take where the export has no such column."""
    kept_by_id: Mapped[PersonRef]
    kept_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("organization_id", "name", "sheet"),)
