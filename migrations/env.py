"""Alembic's environment: the models' metadata, on the connection that is handed over or the settings' database."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlalchemy import JSON

from models import Base
from models.base import Exact, UtcDateTime
from review_flow.db import engine_for, settings


def run() -> None:
    """Migrate on the given connection, or on an engine of our own."""
    connection = context.config.attributes.get("connection")
    if connection is None:
        with engine_for(settings().database).connect() as own, own.begin():
            _migrate(own)
    else:
        _migrate(connection)


def _migrate(connection: Any) -> None:
    context.configure(
        connection=connection, target_metadata=Base.metadata, render_as_batch=True, render_item=_plain_type
    )
    with context.begin_transaction():
        context.run_migrations()


def _plain_type(kind: str, item: Any, autogen: Any) -> str | Literal[False]:
    """Write our column types as what they are in the database: a migration never depends on the models."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, Exact):
        return "sa.BigInteger()"
    if kind == "type" and isinstance(item, JSON):
        autogen.imports.add("from sqlalchemy.dialects.postgresql import JSONB")
        return 'sa.JSON().with_variant(JSONB(), "postgresql")'
    return False


run()
