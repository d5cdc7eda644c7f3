"""Bring a database to the schema of this version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

if TYPE_CHECKING:
    from sqlalchemy import Engine


def config() -> Config:
    """Return Alembic's configuration; the migrations lie beside the packages."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations"))
    return made


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Migrate up to a revision."""
    with engine.begin() as connection:
        made = config()
        made.attributes["connection"] = connection
        command.upgrade(made, revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Migrate down to a revision ("base" removes every table)."""
    with engine.begin() as connection:
        made = config()
        made.attributes["connection"] = connection
        command.downgrade(made, revision)


def is_current(engine: Engine) -> bool:
    """Whether the database stands at the newest revision."""
    with engine.connect() as connection:
        return (
            MigrationContext.configure(connection).get_current_revision()
            == ScriptDirectory.from_config(config()).get_current_head()
        )
