from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select

from models import Assignment, Message, Person
from review_flow.clock import now, shown
from review_flow.errors import BadInput, NotAllowed, NotFound
from review_flow.rules.words import AssignmentState
from review_flow.steps import enrolments, people, reassign, reviews
from review_flow.steps.reassign import NotMovable
from tests.cast import Clock, School, queries
from tests.stages import stage


@stage
def given(session, _clock: Clock) -> School:
    """Six teachers; two of them have sealed, and their works have reviewers."""
    school = School(session, teachers=6).open()
    for person in school.teachers[:2]:
        school.ready(person)
        school.seal(person)
    school.allocate()
    return school


def task(school: School, state: AssignmentState = AssignmentState.ASSIGNED) -> Assignment:
    author = school.teachers[0]
    rows = select(Assignment).where(Assignment.author_id == author.id, Assignment.state == state)
    found = school.session.scalars(rows.order_by(Assignment.id)).first()
    assert found is not None
    return found


def able(school: School, one: Assignment, **asked: str) -> list[Person]:
    return [row.person for row in reassign.candidates(school.session, actor=school.admin, assignment=one, **asked)]


def move(school: School, one: Assignment, to: Person, reason: str = "产假") -> Assignment:
    return reassign.move(school.session, actor=school.admin, assignment=one, to=to, reason=reason)


def prolong(school: School, one: Assignment, day: date, reason: str = "生病") -> None:
    reassign.prolong(school.session, actor=school.admin, assignment=one, until=day, reason=reason)


def told(school: School, person_id: int) -> str:
    rows = select(Message.text).where(Message.person_id == person_id).order_by(Message.id.desc())
    return school.session.scalars(rows).first() or ""


def test_a_task_goes_to_somebody_who_may_and_holds_little(given: School) -> None:
    one = task(given)
    who = reassign.candidates(given.session, actor=given.admin, assignment=one)
    assert [row.held + row.done for row in who] == sorted(row.held + row.done for row in who)
    mine = set(
        given.session.scalars(select(Assignment.reviewer_id).where(Assignment.submission_id == one.submission_id))
    )
    assert {row.person.id for row in who} == {
        person.id for person in given.teachers if person.id not in {*mine, one.author_id}
    }
    first = who[0].person
    assert able(given, one, word=first.number) == [first]
    assert able(given, one, word="没有这个人") == []
    made = move(given, one, first)
    assert (one.state, made.reviewer_id, made.state) == (AssignmentState.WITHDRAWN, first.id, AssignmentState.ASSIGNED)
    assert told(given, one.reviewer_id) == "您有1份尚未开始的互评已改由他人完成，不必再评。"
    assert told(given, first.id) == "您有1份成果待互评。"
    with pytest.raises(NotMovable):
        move(given, one, first)


def test_nobody_gets_what_they_may_not_see(given: School) -> None:
    one = task(given)
    author = given.teachers[0]
    free = able(given, one)
    people.declare_conflict(given.session, actor=given.admin, one=author, other=free[0], reason="亲属")
    enrolments.set_review_cap(given.session, actor=given.admin, enrolment=given.enrolment(free[1]), cap=0)
    assert able(given, one) == free[2:]
    for person in (author, free[0], free[1], given.members[0]):
        with pytest.raises(NotFound) as no:
            move(given, one, person)
    assert str(no.value) == "找不到可以评这份成果的人“P1”。"
    with pytest.raises(BadInput):
        move(given, one, given.teachers[5], reason=" ")


def test_what_is_begun_stays_its_writer_s(given: School) -> None:
    one = task(given)
    free = able(given, one)[0]
    reviewer = given.session.get_one(Person, one.reviewer_id)
    reviews.save_draft(given.session, actor=reviewer, assignment=one, draft={"comment": "写了"})
    with pytest.raises(NotMovable):
        move(given, one, free)


def test_an_administrator_steps_aside_from_own_works(given: School) -> None:
    author, one = given.teachers[0], task(given)
    every, count = reassign.tasks(given.session, actor=given.admin, round_=given.round)
    assert (len(every), count) == (count, 18)
    assert {row.ability for row in every} == {"A1", "A3", "A5"}
    people.declare_conflict(given.session, actor=given.admin, one=author, other=given.admin, reason="本人亲属")
    rest, left = reassign.tasks(given.session, actor=given.admin, round_=given.round)
    assert {row.assignment.author_id for row in rest} == {given.teachers[1].id}
    assert left == len(rest) == 9
    with pytest.raises(NotAllowed):
        reassign.candidates(given.session, actor=given.admin, assignment=one)
    with pytest.raises(NotAllowed):
        prolong(given, one, date(2026, 3, 12))
    with pytest.raises(NotAllowed):
        reassign.tasks(given.session, actor=author, round_=given.round)


def test_a_sample_stays_with_who_takes_it(given: School) -> None:
    form = given.review_form()
    sample = reviews.add_sample(
        given.session, actor=given.admin, round_=given.round, ability="A1", title="样例", form=form
    )
    one = Assignment(
        round_id=given.round.id, reviewer_id=given.teachers[5].id, sample_id=sample.id,
        state=AssignmentState.ASSIGNED, assigned_at=now(), lease_until=now(),
    )  # fmt: skip
    given.session.add(one)
    given.session.flush()
    with pytest.raises(NotMovable):
        able(given, one)
    prolong(given, one, date(2026, 3, 12))
    assert shown(one.lease_until) == "2026-03-12 23:59:59"


def test_a_reviewer_gets_more_time(given: School) -> None:
    one = task(given)
    prolong(given, one, date(2026, 3, 12))
    assert shown(one.lease_until) == "2026-03-12 23:59:59"
    assert told(given, one.reviewer_id) == "您的一份互评延期到2026-03-12 23:59:59。理由：生病"
    for day in (date(2026, 3, 12), date(2026, 4, 4)):
        with pytest.raises(BadInput) as no:
            prolong(given, one, day)
    assert str(no.value) == "期限：应晚于现在的2026-03-12 23:59:59，不晚于最终截止的2026-04-03 23:59:59。"
    with pytest.raises(BadInput):
        prolong(given, one, date(2026, 3, 20), reason="")
    move(given, one, able(given, one)[0])
    with pytest.raises(NotMovable):
        prolong(given, one, date(2026, 3, 20))


def test_the_list_asks_the_same_however_long_it_is(given: School) -> None:
    def asked() -> int:
        given.session.expire_all()
        with queries(given.session) as sent:
            reassign.tasks(given.session, actor=given.admin, round_=given.round)
        return len(sent)

    many = asked()
    for one in given.session.scalars(select(Assignment)).all()[3:]:
        given.session.delete(one)
    given.session.flush()
    assert asked() == many
