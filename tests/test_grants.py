"""The account that web and worker use: it plays a round, and changes neither tables nor the audit trail."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from models import AuditEvent
from review_flow.db import make_engine, transaction
from review_flow.migrate import NoSuchRole, RoleStillMighty, RoleTooMighty, grant, is_current, may_alter
from review_flow.rules.lifecycle import RoundPhase
from review_flow.steps import advance, invariants, results
from tests.cast import Clock, School
from tests.conftest import Postgres, Templates

NUMBERS = itertools.count()


@pytest.fixture
def owner(postgres: Postgres, templates: Templates) -> Iterator[Engine]:
    made = make_engine(postgres.url(postgres.database(templates.postgres(postgres))))
    yield made
    made.dispose()


@pytest.fixture
def role(owner: Engine) -> Iterator[str]:
    """An account with a name that must be quoted."""
    name = f"App-{next(NUMBERS)}"
    with owner.begin() as connection:
        connection.execute(text(f'CREATE ROLE "{name}" LOGIN'))
    yield name
    with owner.begin() as connection:
        connection.execute(text(f'DROP OWNED BY "{name}"'))
        connection.execute(text(f'DROP ROLE "{name}"'))


@pytest.fixture
def app(owner: Engine, role: str) -> Iterator[Engine]:
    made = create_engine(make_url(owner.url).set(username=role))
    yield made
    made.dispose()


def test_it_plays_a_round_to_its_end_and_every_statement_holds(
    owner: Engine, role: str, app: Engine, clock: Clock
) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), Session(app) as session:
        session.query(AuditEvent).count()
    grant(owner, role=role)
    grant(owner, role=role)  # as after every update
    assert (is_current(app), may_alter(app), may_alter(owner)) == (True, False, True)
    with transaction(app) as session:
        school = School(session).open().whole()
        advance.advance(session, round_=school.round)
        made = school.compose()
        results.confirm_all(session, actor=school.members[0], round_=school.round)
        results.publish(session, actor=school.admin, round_=school.round)
        clock.day(4, 20)
        advance.advance(session, round_=school.round)
        results.sign(session, actor=school.teachers[0], result=made[0])
        clock.day(5, 20)
        advance.advance(session, round_=school.round)
        advance.close(session, actor=school.admin, round_=school.round)
        assert school.round.phase is RoundPhase.CLOSED
    with transaction(app) as session:
        assert invariants.broken(session) == []
        assert session.query(AuditEvent).count() > 50


REFUSED = (
    "UPDATE audit_event SET deed = 'nothing'",
    "DELETE FROM audit_event",
    "TRUNCATE audit_event",
    "ALTER TABLE audit_event DISABLE TRIGGER ALL",
    "DROP TRIGGER audit_event_append_only ON audit_event",
    "DROP FUNCTION audit_event_append_only() CASCADE",
    "DROP TABLE audit_event",
    "CREATE TABLE beside (id INTEGER)",
    "DELETE FROM alembic_version",
    "TRUNCATE person CASCADE",
    "SET ROLE test",
)


def test_it_changes_neither_the_audit_trail_nor_a_table(owner: Engine, role: str, app: Engine) -> None:
    grant(owner, role=role)
    for deed in REFUSED:
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"), app.begin() as connection:
            connection.execute(text(deed))


def test_only_an_account_apart_is_granted_anything(owner: Engine, role: str) -> None:
    with pytest.raises(NoSuchRole, match="CREATE ROLE nobody"):
        grant(owner, role="nobody")
    with pytest.raises(RoleTooMighty):
        grant(owner, role="test")
    with owner.begin() as connection:
        connection.execute(text(f'ALTER TABLE audit_event OWNER TO "{role}"'))
    with pytest.raises(RoleTooMighty):
        grant(owner, role=role)
    with owner.begin() as connection:
        connection.execute(text("ALTER TABLE audit_event OWNER TO test"))


MIGHTY = ("GRANT pg_write_all_data TO {role}", "GRANT CREATE ON SCHEMA public TO {group}; GRANT {group} TO {role}")


@pytest.mark.parametrize("deed", MIGHTY)
def test_an_account_that_others_make_mighty_is_granted_nothing(
    owner: Engine, role: str, app: Engine, deed: str
) -> None:
    """What it may through an account that it is a member of, the tables' owner can't take back."""
    with owner.begin() as connection:
        connection.execute(text(f'CREATE ROLE "{role}-group"'))
        connection.execute(text(deed.format(role=f'"{role}"', group=f'"{role}-group"')))
    with pytest.raises(RoleStillMighty) as no:
        grant(owner, role=role)
    remedy = str(no.value).partition("运行 ")[2].partition(" 再")[0]
    assert (remedy.count(";"), f'FROM "{role}";' in remedy) == (2, True)
    with pytest.raises(ProgrammingError, match="permission denied"), app.begin() as connection:
        connection.execute(text("SELECT 1 FROM audit_event"))
    with owner.begin() as connection:
        connection.execute(text(remedy))
    grant(owner, role=role)
    with owner.begin() as connection:
        connection.execute(text(f'DROP OWNED BY "{role}-group"; DROP ROLE "{role}-group"'))


def test_what_everybody_was_granted_on_the_audit_trail_is_taken_back(owner: Engine, role: str, app: Engine) -> None:
    with owner.begin() as connection:
        connection.execute(text("GRANT ALL ON audit_event TO PUBLIC"))
    grant(owner, role=role)
    with pytest.raises(ProgrammingError, match="permission denied"), app.begin() as connection:
        connection.execute(text("DELETE FROM audit_event"))


def test_sqlite_has_no_accounts(templates: Templates) -> None:
    engine = make_engine(f"sqlite:///{templates.sqlite()}")
    with pytest.raises(NoSuchRole):
        grant(engine, role="app")
    assert may_alter(engine) is False
    engine.dispose()
