"""What every table shares: names of constraints, exact numbers, UTC times, JSON."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Enum,
    ForeignKey,
    Integer,
    MetaData,
    String,
    TypeDecorator,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMES = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment, kept in UTC on every database; a naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Bring the moment to UTC; SQLite keeps it without its zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            message = f"a naive time: {value!r}"
            raise ValueError(message)
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the base's signature
        """Give the moment its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Exact(TypeDecorator[Decimal]):
    """A Decimal with up to four places, kept as a whole number of ten-thousandths: no database rounds it."""

    impl = BigInteger
    cache_ok = True
    UNIT: ClassVar[int] = 10_000

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - the base's signature
        """Refuse what four places can't hold."""
        if value is None:
            return None
        units = value * self.UNIT
        if units != units.to_integral_value():
            message = f"more than four places: {value}"
            raise ValueError(message)
        return int(units)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002 - the base's signature
        """Return it with at least two places, as marks are written."""
        if value is None:
            return None
        exact = Decimal(value) / self.UNIT
        return exact.quantize(Decimal("0.01")) if value % 100 == 0 else exact


class Base(DeclarativeBase):
    """The declarative base of all tables."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime,
        Decimal: Exact,
        dict[str, Any]: JSON().with_variant(JSONB(), "postgresql"),
        list[str]: JSON().with_variant(JSONB(), "postgresql"),
        str: String,
    }

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)


def words(kind: type[enum.Enum], name: str) -> Enum:
    """Return a column type for an enum: its values as text, held by a CHECK constraint."""
    return Enum(
        kind,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=40,
        values_callable=lambda e: [m.value for m in e],
    )


def plain(value: object) -> Any:
    """Return a column's value as JSON has it: decimals as strings, moments and days as ISO, words as their values."""
    match value:
        case enum.Enum():
            return value.value
        case Decimal():
            return str(value)
        case date():  # and a moment
            return value.isoformat()
        case _:
            return value


PersonRef = Annotated[int, mapped_column(ForeignKey("person.id"))]
OptionalPersonRef = Annotated[int | None, mapped_column(ForeignKey("person.id"))]
