from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from models import AuditEvent, Enrolment, Organization, Person, Role
from review_flow.errors import BadInput, NotAllowed, NotFound
from review_flow.rules.lifecycle import EnrolmentState
from review_flow.rules.words import OrganizationKind, RoleKind
from review_flow.steps import advance, appeals, certificates, certificates_valid, county, people, results
from tests.cast import Clock, School, certified, queries


def above(school: School, *, deep: bool = False) -> Person:
    """刘局 administers the county, with 实验中学 below it; deep: the city, with the county between."""
    session = school.session
    city = Organization(kind=OrganizationKind.CITY, name="市")
    session.add(city)
    session.flush()
    seat = Organization(kind=OrganizationKind.COUNTY, name="实验县", parent_id=city.id)
    session.add(seat)
    session.flush()
    school.organization.parent_id = seat.id
    house = city if deep else seat
    person = Person(organization_id=house.id, number="C01", name="刘局")
    session.add(person)
    session.flush()
    session.add(Role(person_id=person.id, organization_id=house.id, kind=RoleKind.COUNTY_ADMIN))
    session.flush()
    return person


def banded(school: School, clock: Clock) -> None:
    clock.day(4, 4)
    advance.advance(school.session, round_=school.round)
    school.compose()
    results.confirm_all(school.session, actor=school.members[0], round_=school.round)


@pytest.mark.parametrize("deep", [False, True])
def test_schools_stand_side_by_side_in_one_s_own_tree(marked: School, clock: Clock, *, deep: bool) -> None:
    session, officer = marked.session, above(marked, deep=deep)
    people.found_school(session, name="别县中学", admin_number="Z1", admin_name="吴静")
    second = Organization(kind=OrganizationKind.SCHOOL, name="新校", parent_id=marked.organization.parent_id)
    session.add(second)
    session.flush()
    banded(marked, clock)
    found, count = county.schools(session, actor=officer)
    assert ([one.school.name for one in found], count) == (["实验中学", "新校"], 2)
    first, empty = found
    assert (first.round, first.teachers, first.exempt, first.works, first.graded) == (marked.round, 5, 0, 15, 15)
    assert (first.confirmed, sum(first.grades.values()), first.appeals) == (5, 5, 0)
    assert (empty.round, empty.teachers, empty.grades) == (None, 0, {})
    assert county.schools(session, actor=officer, page=2) == ([], 2)
    results.publish(session, actor=marked.admin, round_=marked.round)
    one = results.current(session, enrolment=marked.enrolment(marked.teachers[0]))
    assert one is not None
    appeals.file(session, actor=marked.teachers[0], result=one, reason="分数有误")
    ill = marked.person("T99", "病休者")
    state = EnrolmentState.EXEMPT
    session.add(Enrolment(round_id=marked.round.id, person_id=ill.id, state=state, exempt_reason="病休"))
    session.flush()
    [again, _other], _count = county.schools(session, actor=officer)
    assert (again.teachers, again.exempt, again.appeals) == (5, 1, 1)
    assert county.schools(session, actor=marked.admin) == ([], 0)
    assert RoleKind.COUNTY_ADMIN in people.roles_of(session, person=officer)


def test_a_round_elsewhere_or_not_open_is_not_there(school: School) -> None:
    officer = above(school)
    with pytest.raises(NotFound):
        county.round_below(school.session, actor=officer, key=school.round.id)
    school.open()
    assert county.round_below(school.session, actor=officer, key=school.round.id) is school.round
    for actor in (school.admin, school.teachers[0]):
        with pytest.raises(NotFound):
            county.round_below(school.session, actor=actor, key=school.round.id)
    officer.active = False
    school.session.flush()
    with pytest.raises(NotFound):
        county.round_below(school.session, actor=officer, key=school.round.id)


def test_what_is_looked_into_is_drawn_by_lot_and_told_to_the_school(marked: School, clock: Clock) -> None:
    session, officer, round_ = marked.session, above(marked), marked.round
    with pytest.raises(BadInput) as no:
        county.draw(session, actor=officer, round_=round_, count=2)
    assert str(no.value) == "抽查：还没有定等的结果。"
    banded(marked, clock)
    for count in (0, 21):
        with pytest.raises(BadInput):
            county.draw(session, actor=officer, round_=round_, count=count)
    for deed in (lambda: county.draw(session, actor=marked.admin, round_=round_, count=2),
                 lambda: county.drawn(session, actor=marked.admin, round_=round_)):  # fmt: skip
        with pytest.raises(NotAllowed):
            deed()
    first = county.draw(session, actor=officer, round_=round_, count=2, seed=7)
    assert county.draw(session, actor=officer, round_=round_, count=2, seed=7) == first
    event = session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert event is not None
    assert (event.organization_id, json.loads(event.data)) == (round_.organization_id, {"seed": 7, "results": first})
    shown = county.drawn(session, actor=officer, round_=round_)
    assert [result.id for result, _person in shown] == first
    assert len(county.draw(session, actor=officer, round_=round_, count=20)) == 5


def test_certificates_that_wait_for_the_county_are_counted(session, clock: Clock) -> None:
    school = School(session, teachers=4, scheme=certified()).open().whole()
    officer = above(school)
    officer_house = session.get_one(Organization, officer.organization_id)
    officer_house.name = "教师进修学校"
    banded(school, clock)
    results.publish(session, actor=school.admin, round_=school.round)
    for month in (5, 6):
        clock.day(month, 30)
        advance.advance(session, round_=school.round)
    key = bytes(range(32))
    for one in certificates.due_certificates(session, round_=school.round):
        enrolment = next(row for row in map(school.enrolment, school.teachers) if row.id == one.enrolment_id)
        certificates.issue(session, actor=None, enrolment=enrolment, kind=one.kind, key=key)
    assert county.issuers(session, actor=officer, round_=school.round) == {"教师进修学校": 4}
    certificates_valid.confirm_all(session, actor=officer, round_=school.round, issuer="教师进修学校")
    assert county.issuers(session, actor=officer, round_=school.round) == {}


def test_more_schools_ask_no_more(opened: School) -> None:
    officer = above(opened)

    def asked() -> int:
        opened.session.expire_all()
        with queries(opened.session) as sent:
            county.schools(opened.session, actor=officer)
        return len(sent)

    few = asked()
    opened.organization.name = "第一中学"
    second = School(opened.session, teachers=1).open()
    second.organization.parent_id = opened.organization.parent_id
    opened.session.flush()
    assert asked() == few
    lines, _count = county.schools(opened.session, actor=officer)
    assert {one.round for one in lines} == {opened.round, second.round}
