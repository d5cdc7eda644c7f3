"""接口令牌、已答请求: who may call the API for whom, and what was answered, so that a request sent twice is done once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, PersonRef


class ApiToken(Base):
    """接口令牌: lets a program act for its person within scopes; only its digest is kept, revoked, never deleted."""

    __tablename__ = "api_token"

    person_id: Mapped[PersonRef]
    name: Mapped[str]
    prefix: Mapped[str]
    """The token's first signs, by which its person knows it again."""
    token_hash: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    minute_at: Mapped[datetime | None]
    """When the minute began in which its requests are counted."""
    minute_count: Mapped[int] = mapped_column(default=0)

    __table_args__ = (
        Index("ix_api_token_person_id", "person_id"),
        CheckConstraint("expires_at > created_at", name="in_order"),
    )


class KeptAnswer(Base):
    """What a request with an Idempotency-Key was answered, for a day: sealed, since it holds what the request asked."""

    __tablename__ = "kept_answer"

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    key: Mapped[str]
    request_digest: Mapped[str]
    sealed: Mapped[bytes | None]
    """None only while the deed is being done, inside its own transaction."""
    at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("person_id", "key"), Index("ix_kept_answer_at", "at"))
