"""上传: a file on its way in; how much of it is here is what lies on the disk, and nothing else."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, PersonRef


class Upload(Base):
    """One file that its owner is sending, for one slot of one work; the row goes when it has arrived."""

    __tablename__ = "upload"

    token: Mapped[str] = mapped_column(unique=True)
    owner_id: Mapped[PersonRef]
    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"), index=True)
    slot: Mapped[str]
    replaces_id: Mapped[int | None] = mapped_column(ForeignKey("evidence.id"))
    file_name: Mapped[str]
    size_bytes: Mapped[int]
    begun_at: Mapped[datetime]
    expires_at: Mapped[datetime]

    __table_args__ = (CheckConstraint("size_bytes > 0", name="not_empty"),)
