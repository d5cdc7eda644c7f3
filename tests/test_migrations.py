from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, Engine, UniqueConstraint, inspect, text

from models import Base
from review_flow.db import make_engine, transaction
from review_flow.migrate import config, downgrade, is_current, upgrade


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database without a table."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        server = request.getfixturevalue("postgres")
        url = server.url(server.database())
    made = make_engine(url)
    yield made
    made.dispose()


def test_up_and_down_and_up_again(empty: Engine) -> None:
    upgrade(empty)
    assert is_current(empty) is True
    tables = set(inspect(empty).get_table_names())
    assert tables == {*Base.metadata.tables, "alembic_version"}
    downgrade(empty, "base")
    assert is_current(empty) is False
    assert inspect(empty).get_table_names() == ["alembic_version"]
    assert leftovers(empty) == []
    upgrade(empty)
    assert set(inspect(empty).get_table_names()) == tables


def leftovers(engine: Engine) -> list[str]:
    """Functions and triggers that a downgrade forgot."""
    query = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT proname FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = 'public'",
    }[engine.dialect.name]
    with transaction(engine) as session:
        return list(session.scalars(text(query)))


def test_every_revision_goes_up_and_down_by_itself(empty: Engine) -> None:
    upgrade(empty, "0001")
    upgrade(empty)
    downgrade(empty, "0001")
    assert leftovers(empty) == []
    upgrade(empty)
    assert is_current(empty) is True


def test_the_migrated_tables_are_those_of_the_models(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_the_migrated_database_holds_every_check_of_the_models(engine: Engine) -> None:
    """Alembic compares no CHECK constraints."""
    found = inspect(engine)
    for table in Base.metadata.tables.values():
        declared = {str(c.name) for c in table.constraints if isinstance(c, CheckConstraint)}
        assert {str(c["name"]) for c in found.get_check_constraints(table.name)} == declared, table.name


def test_the_checks_say_what_the_models_say(empty: Engine) -> None:
    """The same database, made from the models instead, keeps the same words of every check, key and index."""
    upgrade(empty)
    migrated = constraints(empty)
    downgrade(empty, "base")
    with empty.begin() as connection:
        Base.metadata.create_all(connection)
    assert constraints(empty) == migrated


def constraints(engine: Engine) -> dict[str, list[str]]:
    found = inspect(engine)
    return {
        table: sorted(
            [
                *(f"check {c['name']}: {c['sqltext']}" for c in found.get_check_constraints(table)),
                *(f"unique {c['name']}: {c['column_names']}" for c in found.get_unique_constraints(table)),
                *(
                    f"foreign {c['name']}: {c['constrained_columns']} → {c['referred_table']}{c['referred_columns']}"
                    for c in found.get_foreign_keys(table)
                ),
                *(f"index {i['name']}: {i['column_names']} {i['unique']} {where(i)}" for i in found.get_indexes(table)),
            ]
        )
        for table in Base.metadata.tables
    }


def where(index: object) -> str:
    options = index.get("dialect_options", {})  # type: ignore[attr-defined] # an inspector's own dictionary
    return str(options.get("sqlite_where", options.get("postgresql_where", "")))


def test_the_migrated_database_holds_every_unique_key_of_the_models(engine: Engine) -> None:
    found = inspect(engine)
    for table in Base.metadata.tables.values():
        declared = {str(c.name) for c in table.constraints if isinstance(c, UniqueConstraint)}
        declared |= {str(i.name) for i in table.indexes if i.unique}
        kept = {str(c["name"]) for c in found.get_unique_constraints(table.name)}
        kept |= {str(i["name"]) for i in found.get_indexes(table.name) if i["unique"]}
        assert kept == declared, table.name


def test_the_migrations_are_one_line_without_a_fork() -> None:
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(config())
    assert [revision.revision for revision in script.walk_revisions()] == ["0002", "0001"]
    assert script.get_heads() == ["0002"]


def test_alembic_finds_the_installations_own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Called by itself (`alembic upgrade head`), it migrates what the settings name."""
    from alembic import command

    from review_flow.db import engine_for, settings

    monkeypatch.setenv("REVIEW_FLOW_HOME", str(tmp_path))
    settings.cache_clear()
    try:
        command.upgrade(config(), "head")
        assert is_current(make_engine(f"sqlite:///{tmp_path / 'review-flow.db'}")) is True
    finally:
        engine_for(settings().database).dispose()
        settings.cache_clear()
