from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from models import AuditEvent, Organization, Person, Role
from review_flow.clock import now
from review_flow.db import make_engine, transaction
from review_flow.rules.words import RoleKind
from review_flow.steps import audit, invariants, people
from tests.cast import Clock


@pytest.fixture
def free_engine(database_url: str) -> Iterator[Engine]:
    """A database that nobody looks over at the end: its chain is broken on purpose."""
    made = make_engine(database_url)
    yield made
    made.dispose()


def begin(session: Session, *, events: int = 3) -> Organization:
    school, admin = people.found_school(session, name="实验中学", admin_number="A01", admin_name="陈静")
    for number in range(events):
        audit.record(session, organization_id=school.id, actor=admin, deed="test.deed", about=admin, number=number)
    return school


@contextmanager
def unguarded(engine: Engine) -> Iterator[Session]:
    """What somebody with the database's own password could do."""
    with transaction(engine) as session:
        if engine.dialect.name == "sqlite":
            session.execute(text("DROP TRIGGER audit_event_no_update"))
            session.execute(text("DROP TRIGGER audit_event_no_delete"))
        else:
            session.execute(text("ALTER TABLE audit_event DISABLE TRIGGER audit_event_append_only"))
        yield session


def found(engine: Engine) -> list[str]:
    with transaction(engine) as session:
        return [one.row for one in invariants.broken(session) if one.statement == "the audit chain is whole"]


def test_an_event_says_who_did_what_to_which_thing_when(session: Session, clock: Clock) -> None:
    school, admin = people.found_school(session, name="实验中学", admin_number="A01", admin_name="陈静")
    event = audit.record(
        session,
        organization_id=school.id,
        actor=admin,
        deed="mark.set",
        about=admin,
        mark=Decimal("79.50"),
        理由="补登",
    )
    alone = audit.record(session, organization_id=school.id, actor=None, deed="clock.tick", about=school)
    assert (event.number, event.at, event.actor_id, event.deed) == (2, now(), admin.id, "mark.set")
    assert (event.about, event.data) == (f"person:{admin.id}", '{"mark":"79.50","理由":"补登"}')
    assert (alone.actor_id, alone.about, alone.data) == (None, f"organization:{school.id}", "{}")
    assert alone.previous_hash == event.hash


def test_every_school_has_a_chain_of_its_own_that_begins_at_the_genesis(session: Session, clock: Clock) -> None:
    first = begin(session)
    second, admin = people.found_school(session, name="第二中学", admin_number="A01", admin_name="吴静")
    audit.record(session, organization_id=first.id, actor=None, deed="test.deed", about=admin)
    chains = {
        school.id: list(
            session.scalars(
                select(AuditEvent).where(AuditEvent.organization_id == school.id).order_by(AuditEvent.number)
            )
        )
        for school in (first, second)
    }
    assert [[event.number for event in chain] for chain in chains.values()] == [[1, 2, 3, 4, 5], [1]]
    for chain in chains.values():
        hashes = ["0" * 64, *(event.hash for event in chain)]
        assert [event.previous_hash for event in chain] == hashes[:-1]
    assert list(audit.breaks(session)) == []


def test_a_chain_goes_on_where_it_was_when_a_savepoint_is_taken_back(session: Session, clock: Clock) -> None:
    school, admin = people.found_school(session, name="实验中学", admin_number="A01", admin_name="陈静")
    record = lambda: audit.record(  # noqa: E731 - the same deed four times
        session, organization_id=school.id, actor=None, deed="test.deed", about=admin
    )
    before = record()
    taken_back = session.begin_nested()
    record()
    taken_back.rollback()
    with session.begin_nested():
        after = record()
    last = record()
    assert [(one.number, one.previous_hash) for one in (after, last)] == [(3, before.hash), (4, after.hash)]


def test_the_digest_is_the_same_on_every_database_and_in_every_version() -> None:
    event = AuditEvent(
        organization_id=1,
        number=2,
        at=datetime(2026, 3, 2, 1, 0, 0, 250000, tzinfo=UTC),
        actor_id=None,
        deed="round.open",
        about="round:7",
        data='{"名":"2026春"}',
        previous_hash="0" * 64,
    )
    assert audit.digest(event) == "021cfdca32396038b4b7105f5df6ba1084e230f648fa399a9e84cf21fc5a384b"


@pytest.mark.parametrize(
    "deed", ["UPDATE audit_event SET deed = 'x'", "DELETE FROM audit_event", "TRUNCATE audit_event"]
)
def test_the_database_itself_refuses_to_change_or_remove_an_event(engine: Engine, deed: str) -> None:
    if deed.startswith("TRUNCATE") and engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no TRUNCATE")
    with transaction(engine) as session:
        begin(session)
    with pytest.raises(DatabaseError, match="audit events are append-only"), transaction(engine) as session:
        session.execute(text(deed))
    with transaction(engine) as session:
        assert [event.deed for event in session.scalars(select(AuditEvent))] == [
            "organization.found",
            *["test.deed"] * 3,
        ]


@pytest.mark.parametrize(
    ("deed", "where"),
    [
        ("UPDATE audit_event SET data = '{}' WHERE number = 3", ["event 3 (content)"]),
        ("UPDATE audit_event SET actor_id = NULL WHERE number = 2", ["event 2 (content)"]),
        ("UPDATE audit_event SET hash = previous_hash WHERE number = 2", ["event 2 (content)", "event 3 (link)"]),
        ("DELETE FROM audit_event WHERE number = 2", ["event 3 (gap)", "event 3 (link)"]),
        ("DELETE FROM audit_event WHERE number = 1", ["event 2 (gap)", "event 2 (link)"]),
        ("UPDATE audit_event SET number = 9 WHERE number = 4", ["event 9 (gap)", "event 9 (content)"]),
    ],
)
def test_a_tampered_chain_is_found(free_engine: Engine, deed: str, where: list[str]) -> None:
    with transaction(free_engine) as session:
        school = begin(session)
    assert found(free_engine) == []
    with unguarded(free_engine) as session:
        session.execute(text(deed))
    assert found(free_engine) == [f"organization:{school.id} {one}" for one in where]


def test_an_event_forged_between_two_is_found(free_engine: Engine) -> None:
    with transaction(free_engine) as session:
        school = begin(session)
    with unguarded(free_engine) as session:
        second = session.scalars(select(AuditEvent).where(AuditEvent.number == 2)).one()
        second.data = json.dumps({"number": 77})
        second.hash = audit.digest(second)  # the forger knows how it is made
    assert found(free_engine) == [f"organization:{school.id} event 3 (link)"]


def test_writers_of_one_chain_follow_each_other(engine: Engine) -> None:
    """Each adds a row that refers to the school before it writes: none waits for another for ever."""
    with transaction(engine) as session:
        school = begin(session, events=0)
    ready = threading.Barrier(8)
    errors: list[BaseException] = []

    def write(number: int) -> None:
        try:
            ready.wait()
            for turn in range(5):
                with transaction(engine) as session:
                    person = Person(organization_id=school.id, number=f"T{number}-{turn}", name="王芳")
                    session.add(person)
                    session.flush()
                    session.add(Role(person_id=person.id, organization_id=school.id, kind=RoleKind.TEACHER))
                    audit.record(session, organization_id=school.id, actor=None, deed="person.add", about=person)
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with transaction(engine) as session:
        numbers = list(session.scalars(select(AuditEvent.number).order_by(AuditEvent.number)))
        assert numbers == list(range(1, 42))
        assert list(audit.breaks(session)) == []
