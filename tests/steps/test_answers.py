from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.exceptions import InvalidTag
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from models import AuditEvent, KeptAnswer, Person
from review_flow.clock import now
from review_flow.errors import NotAllowed
from review_flow.steps import answers, audit
from tests.cast import Clock, School
from tests.steps.test_concurrency import at_once

KEYS = (b"k" * 32,)


def note(session: Session, person: Person, digest: str = "d", key: str = "one") -> KeptAnswer:
    return answers.begin(session, actor=person, key=key, request_digest=digest)


def test_the_same_request_gets_the_same_answer(school: School) -> None:
    session, person = school.session, school.teachers[0]
    first = note(session, person)
    assert answers.kept(first, seal_keys=KEYS) is None
    answers.keep(first, answer={"status": 200, "body": {"secret": "秘密"}}, seal_keys=KEYS)
    session.flush()
    again = note(session, person)
    assert answers.kept(again, seal_keys=KEYS) == {"status": 200, "body": {"secret": "秘密"}}
    assert "秘密".encode() not in (first.sealed or b"")
    with pytest.raises(InvalidTag):
        answers.kept(again, seal_keys=(b"x" * 32,))
    assert answers.kept(note(session, school.teachers[1]), seal_keys=KEYS) is None
    assert answers.kept(note(session, person, key="other"), seal_keys=KEYS) is None


def test_a_key_stands_for_one_request_for_a_day(school: School, clock: Clock) -> None:
    session, person = school.session, school.teachers[0]
    note(session, person)
    with pytest.raises(answers.KeyUsedOtherwise):
        note(session, person, "another")
    clock.to(now() + timedelta(hours=24, seconds=1))
    assert note(session, person, "another").request_digest == "another"
    assert len(session.scalars(select(KeptAnswer)).all()) == 1


@pytest.fixture
def people(engine: Engine, clock: Clock) -> list[int]:
    from review_flow.db import transaction

    with transaction(engine) as session:
        return [one.id for one in School(session, teachers=1).teachers]


def deed(session: Session, person_id: int, refused: bool = False) -> None:  # noqa: FBT001, FBT002 - a helper
    person = session.get_one(Person, person_id)
    kept = note(session, person)
    if answers.kept(kept, seal_keys=KEYS) is None:
        audit.record(session, organization_id=person.organization_id, actor=person, deed="test.deed", about=person)
        if refused:
            raise NotAllowed(why="不行")
        answers.keep(kept, answer={"status": 200}, seal_keys=KEYS)


def deeds(engine: Engine) -> int:
    from review_flow.db import transaction

    with transaction(engine) as session:
        return len(session.scalars(select(AuditEvent).where(AuditEvent.deed == "test.deed")).all())


def test_racing_requests_do_the_deed_once(engine: Engine, people: list[int]) -> None:
    assert at_once(engine, [lambda session: deed(session, people[0])] * 6) == ["done"] * 6
    assert deeds(engine) == 1


def test_a_refused_deed_leaves_the_key_free(engine: Engine, people: list[int]) -> None:
    racing = [lambda session: deed(session, people[0], refused=True), lambda session: deed(session, people[0])]
    assert sorted(at_once(engine, racing)) in (["NotAllowed", "done"], ["done", "done"])
    assert deeds(engine) == 1
