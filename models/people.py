"""单位、人员、角色、工作坊."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, OptionalPersonRef, PersonRef, words
from review_flow.rules.words import OrganizationKind, RoleKind


class Organization(Base):
    """单位: a province, city, county or school; a tree by `parent_id`."""

    __tablename__ = "organization"

    parent_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"))
    kind: Mapped[OrganizationKind] = mapped_column(words(OrganizationKind, "organization_kind"))
    name: Mapped[str]

    __table_args__ = (UniqueConstraint("parent_id", "name"),)


class Workshop(Base):
    """工作坊: a subject group of a school."""

    __tablename__ = "workshop"

    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    name: Mapped[str]

    __table_args__ = (UniqueConstraint("organization_id", "name"),)


class Person(Base):
    """人员: somebody of a school, known there by a number (工号)."""

    __tablename__ = "person"

    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    number: Mapped[str]
    name: Mapped[str]
    subject: Mapped[str | None]
    stage: Mapped[str | None]
    workshop_id: Mapped[int | None] = mapped_column(ForeignKey("workshop.id"), index=True)
    household: Mapped[str | None]
    """家庭户号: who shares one may not judge each other (X-47); nobody but the administrator's own sheet shows it."""
    contact: Mapped[str | None]
    retires_on: Mapped[date | None]
    active: Mapped[bool] = mapped_column(default=True)

    __table_args__ = (
        UniqueConstraint("organization_id", "number"),
        Index("ix_person_organization_id_household", "organization_id", "household"),
    )


class Role(Base):
    """角色: what a person may do, and in which organization."""

    __tablename__ = "role"

    person_id: Mapped[PersonRef]
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    kind: Mapped[RoleKind] = mapped_column(words(RoleKind, "role_kind"))

    __table_args__ = (
        UniqueConstraint("person_id", "organization_id", "kind"),
        Index("ix_role_organization_id_kind", "organization_id", "kind"),
    )


class Conflict(Base):
    """回避: two people who may not judge each other, kept once with the smaller id first (X-47)."""

    __tablename__ = "conflict"

    one_id: Mapped[PersonRef]
    other_id: Mapped[PersonRef] = mapped_column(index=True)
    reason: Mapped[str]
    declared_by_id: Mapped[OptionalPersonRef]
    declared_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("one_id", "other_id"), CheckConstraint("one_id < other_id", name="ordered"))
