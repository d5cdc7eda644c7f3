"""考核方案、考核轮次、参评、学时."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, OptionalPersonRef, PersonRef, words
from models.people import Person
from review_flow.rules.lifecycle import EnrolmentState, RoundPhase, SchemeState
from review_flow.rules.words import SeatKind


class SchemeVersion(Base):
    """考核方案 at one content: never edited once a round uses it, told apart by its digest."""

    __tablename__ = "scheme_version"

    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    scheme_id: Mapped[str]
    version: Mapped[int]
    digest: Mapped[str]
    document: Mapped[dict[str, Any]] = mapped_column(deferred=True)
    """Read only where its digest is not known yet: it is large, and asked for at every step."""
    state: Mapped[SchemeState] = mapped_column(words(SchemeState, "scheme_state"))
    confirmed: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """本校待确认 as ticked: unknown id → {"by": person id, "at": time}."""
    effective_from: Mapped[date | None]
    published_by_id: Mapped[OptionalPersonRef]
    reason: Mapped[str | None]
    """Why it amends its predecessor (001-A-06)."""

    __table_args__ = (UniqueConstraint("organization_id", "scheme_id", "version"),)


class Round(Base):
    """考核轮次: one school runs one scheme version over a calendar (moments in UTC)."""

    __tablename__ = "round"

    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    scheme_version_id: Mapped[int] = mapped_column(ForeignKey("scheme_version.id"))
    scheme_digest: Mapped[str | None]
    """The digest as it was when the round opened."""
    name: Mapped[str]
    phase: Mapped[RoundPhase] = mapped_column(words(RoundPhase, "round_phase"))
    abilities: Mapped[list[str]] = mapped_column(default=list)
    """Codes of the abilities the school chose."""
    opens_at: Mapped[datetime]
    submit_due_at: Mapped[datetime]
    hard_close_at: Mapped[datetime]
    publicity_ends_at: Mapped[datetime | None]
    sign_due_at: Mapped[datetime | None]
    appeal_due_at: Mapped[datetime | None]

    scheme_version: Mapped[SchemeVersion] = relationship(lazy="raise")

    __table_args__ = (
        UniqueConstraint("organization_id", "name"),
        CheckConstraint("opens_at < submit_due_at AND submit_due_at <= hard_close_at", name="calendar"),
        CheckConstraint("phase = 'setup' OR scheme_digest IS NOT NULL", name="frozen_when_open"),
    )


class PanelSeat(Base):
    """A person's place on a round's panel (001-A-25, 001-A-43)."""

    __tablename__ = "panel_seat"

    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    person_id: Mapped[PersonRef] = mapped_column(index=True)
    kind: Mapped[SeatKind] = mapped_column(words(SeatKind, "seat_kind"))

    __table_args__ = (UniqueConstraint("round_id", "person_id", "kind"),)


class Enrolment(Base):
    """参评: a teacher in a round, or exempt with a reason."""

    __tablename__ = "enrolment"

    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    person_id: Mapped[PersonRef] = mapped_column(index=True)
    state: Mapped[EnrolmentState] = mapped_column(words(EnrolmentState, "enrolment_state"))
    exempt_reason: Mapped[str | None]
    acknowledged_at: Mapped[datetime | None]
    delivered_in_person_by_id: Mapped[OptionalPersonRef]
    """Who handed the plan over where the teacher didn't open it (T3)."""
    self_tested_at: Mapped[datetime | None]
    review_cap: Mapped[int | None]
    """At most so many reviews of others' works at once; None: as many as come."""
    reviewing: Mapped[bool] = mapped_column(default=True)
    """False for one who has left: gets no new reviews."""
    tier: Mapped[str | None]
    """The scheme's tier this teacher belongs to; None: everybody's rule."""
    roles: Mapped[list[str]] = mapped_column(default=list)
    """The scheme's roles this teacher has in the round (demonstrator, observer …)."""
    volunteer: Mapped[bool] = mapped_column(default=False)
    """Takes what others did not get done before anybody else is asked."""

    person: Mapped[Person] = relationship(lazy="raise", foreign_keys="Enrolment.person_id")
    round: Mapped[Round] = relationship(lazy="raise")

    __table_args__ = (
        UniqueConstraint("round_id", "person_id"),
        CheckConstraint("state <> 'exempt' OR exempt_reason IS NOT NULL", name="exempt_with_reason"),
    )


class Hours(Base):
    """学时: hours credited to a ledger; imported again by the same key, a row changes nothing."""

    __tablename__ = "hours"

    enrolment_id: Mapped[int] = mapped_column(ForeignKey("enrolment.id"), index=True)
    ledger: Mapped[str]
    hours: Mapped[Decimal]
    source: Mapped[str]
    key: Mapped[str]
    recorded_by_id: Mapped[PersonRef]
    recorded_at: Mapped[datetime]
    confirmed_by_id: Mapped[OptionalPersonRef]
    """Who confirmed them, where the scheme's ledger asks for that; until then they don't count (X-59)."""
    confirmed_at: Mapped[datetime | None]
    struck_at: Mapped[datetime | None]
    """Set when a later import supersedes this row; a number is never edited."""

    __table_args__ = (CheckConstraint("hours >= 0", name="positive"),)


class Notice(Base):
    """A round's own diary of moments already acted on, so that the clock acts on each once."""

    __tablename__ = "notice"

    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    key: Mapped[str]
    at: Mapped[datetime]
    note: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (UniqueConstraint("round_id", "key"),)
