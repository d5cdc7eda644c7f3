"""回调: addresses of an organization's other systems that are told of news, and every telling."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, PersonRef


class Webhook(Base):
    """回调地址: which kinds of news go where, signed with a secret that is kept sealed."""

    __tablename__ = "webhook"

    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    url: Mapped[str] = mapped_column(Text)
    events: Mapped[list[str]]
    sealed_secret: Mapped[bytes]
    made_by_id: Mapped[PersonRef]
    made_at: Mapped[datetime]
    failing_since: Mapped[datetime | None]
    """When the failures began that no success has ended."""
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str | None] = mapped_column(Text)
    removed_at: Mapped[datetime | None]
    """It is not there any more; nothing is sent there, and what was is forgotten."""

    __table_args__ = (
        Index("ix_webhook_organization_id", "organization_id"),
        CheckConstraint("(disabled_at IS NULL) = (disabled_reason IS NULL)", name="disabled_with_reason"),
    )


class WebhookDelivery(Base):
    """投递: one piece of news for one address, what became of it, and when it is tried again."""

    __tablename__ = "webhook_delivery"

    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhook.id"))
    event: Mapped[str]
    public_id: Mapped[str] = mapped_column(unique=True)
    """The webhook-id header: the same at every try, so that the receiver can tell."""
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime | None]
    """When it is tried (again); None: it has arrived, or was given up."""
    delivered_at: Mapped[datetime | None]
    tried_at: Mapped[datetime | None]
    status: Mapped[int | None]
    """What the last try was answered with; None: no answer came."""
    problem: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        Index("ix_webhook_delivery_webhook_id_next_at", "webhook_id", "next_at"),
        CheckConstraint("delivered_at IS NULL OR next_at IS NULL", name="delivered_once"),
    )
