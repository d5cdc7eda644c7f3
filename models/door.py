"""密码、登录、一次性链接: who came in through the web's door; never a password or a token, only what proves one."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, OptionalPersonRef, PersonRef


class Credential(Base):
    """密码: its argon2 hash; one for each person who signs in with one."""

    __tablename__ = "credential"

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), unique=True)
    password_hash: Mapped[str]
    must_change: Mapped[bool]
    """Somebody else knows it: it opens nothing but the page that changes it."""
    set_at: Mapped[datetime]


class WebSession(Base):
    """登录: one browser that is signed in; revoked, never deleted."""

    __tablename__ = "web_session"

    person_id: Mapped[PersonRef]
    token_hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    user_agent: Mapped[str]
    awaits_code: Mapped[bool]
    """The password was right, the second step is still to come: it opens nothing but that."""
    proved_at: Mapped[datetime]
    """When it was last proven who is there."""
    revoked_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_web_session_person_id", "person_id"),)


class SecondFactor(Base):
    """第二步验证: the secret that a person's phone shares with us, sealed; it counts once confirmed."""

    __tablename__ = "second_factor"

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), unique=True)
    sealed: Mapped[bytes]
    begun_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int]
    """The half minute whose code was used last; no earlier one opens anything."""


class RecoveryCode(Base):
    """备用码: opens once, when the phone is not at hand."""

    __tablename__ = "recovery_code"

    person_id: Mapped[PersonRef]
    code_hash: Mapped[str] = mapped_column(unique=True)
    used_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_recovery_code_person_id", "person_id"),)


class OneTimeLink(Base):
    """一次性链接: whoever holds it sets a first password; without a person it makes the first administrator."""

    __tablename__ = "one_time_link"

    token_hash: Mapped[str] = mapped_column(unique=True)
    person_id: Mapped[OptionalPersonRef]
    made_by_id: Mapped[OptionalPersonRef]
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    __table_args__ = (CheckConstraint("expires_at > made_at", name="in_order"),)


class IdentityBinding(Base):
    """绑定: whom a person is at another service that may say who they are (OIDC, CAS, 企业微信, 钉钉)."""

    __tablename__ = "identity_binding"

    person_id: Mapped[PersonRef]
    provider: Mapped[str]
    subject: Mapped[str]
    """The service's own lasting name for them."""
    bound_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("provider", "subject"), UniqueConstraint("person_id", "provider"))


class SignInFailure(Base):
    """A wrong password, for a day: by digests of the account and the address, so that it tells nobody's number."""

    __tablename__ = "sign_in_failure"

    account: Mapped[str]
    address: Mapped[str]
    device: Mapped[str | None]
    """The device that had signed in to this account before; None: an unknown one."""
    at: Mapped[datetime]

    __table_args__ = (
        Index("ix_sign_in_failure_account_at", "account", "at"),
        Index("ix_sign_in_failure_address_at", "address", "at"),
    )
