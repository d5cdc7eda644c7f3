from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import AuditEvent, Conflict, Organization, Person
from review_flow.errors import BadInput, NotAllowed, NotFound
from review_flow.rules.words import OrganizationKind, RoleKind, SeatKind
from review_flow.steps import people
from tests.cast import Clock, School


def test_a_school_begins_with_its_first_administrator(session: Session, clock: Clock) -> None:
    county = Organization(kind=OrganizationKind.COUNTY, name="x县")
    session.add(county)
    session.flush()
    session.add(Organization(kind=OrganizationKind.SCHOOL, name="实验中学", parent_id=county.id))  # another one
    session.flush()
    school, admin = people.found_school(session, name="实验中学", admin_number="A01", admin_name="陈静")
    assert (school.kind, school.name, school.parent_id) == (OrganizationKind.SCHOOL, "实验中学", None)
    assert (admin.organization_id, admin.number, admin.name, admin.active) == (school.id, "A01", "陈静", True)
    people.require_admin(session, actor=admin, organization_id=school.id)
    events = session.scalars(select(AuditEvent)).all()
    assert [(e.deed, e.actor_id, e.about) for e in events] == [
        ("organization.found", admin.id, f"organization:{school.id}")
    ]


def test_a_school_is_founded_once(session: Session) -> None:
    people.found_school(session, name="实验中学", admin_number="A01", admin_name="陈静")
    with pytest.raises(people.SchoolFounded) as no:
        people.found_school(session, name=" 实验中学", admin_number="A02", admin_name="外人")
    assert (no.value.status, str(no.value)) == (409, "学校“实验中学”已经建立，不必再建。")


def test_a_number_is_kept_plain_and_found_however_it_is_typed(session: Session) -> None:
    school, admin = people.found_school(session, name="实验中学", admin_number="Ａ０ 01　", admin_name=" 陈静 ")
    assert (admin.number, admin.name) == ("A001", "陈静")
    for typed in ("A001", "Ａ００１", " A0 01", "Ａ001　"):
        assert people.person_by_number(session, organization_id=school.id, number=typed) == admin


@pytest.mark.parametrize("empty", ["name", "admin_number", "admin_name"])
def test_a_school_its_administrator_and_their_number_have_names(session: Session, empty: str) -> None:
    with pytest.raises(BadInput, match="不能为空。"):
        people.found_school(session, **{"name": "实验中学", "admin_number": "A1", "admin_name": "陈静", empty: " 　"})


def test_a_person_is_found_by_number_or_by_a_name_that_nobody_else_has(school: School) -> None:
    def find(word: str) -> Person:
        return people.person_called(school.session, organization_id=school.organization.id, word=word)

    twin = school.person("T98", "王芳")
    other = school.person("T99", "T98")
    assert (find("李伟"), find("T01")) == (school.teachers[1], school.teachers[0])
    assert (find("T98"), find("T99")) == (twin, other)  # a number comes before a name
    with pytest.raises(BadInput, match="叫“王芳”的不止一人，请写工号：T01、T98。"):
        find("王芳")
    assert (find("t98"), find("ｔ99")) == (twin, other)
    lower = school.person("t98", "刘洋")
    assert (find("t98"), find("T98")) == (lower, twin)
    lower.number, other.number = "tt98", "TT98"
    school.session.flush()
    with pytest.raises(BadInput, match="不止一人"):
        find("Tt98")
    with pytest.raises(NotFound):
        people.person_by_number(school.session, organization_id=school.organization.id, number="Tt98")
    twin.active = False
    assert find("王芳") == school.teachers[0]
    with pytest.raises(NotFound, match="找不到人员“吴静”"):
        find("吴静")


def test_a_person_is_found_by_number_in_their_own_school_while_active(school: School) -> None:
    session = school.session
    other, stranger = people.found_school(session, name="第二中学", admin_number="T01", admin_name="吴静")
    first = school.teachers[0]
    find = people.person_by_number
    assert find(session, organization_id=school.organization.id, number="T01") is first
    assert find(session, organization_id=other.id, number="T01") is stranger
    first.active = False
    with pytest.raises(NotFound) as no:
        find(session, organization_id=school.organization.id, number="T01")
    assert (no.value.status, str(no.value)) == (404, "找不到人员“T01”。")


def test_a_role_counts_in_its_own_organization_only(school: School) -> None:
    session = school.session
    other, stranger = people.found_school(session, name="第二中学", admin_number="A01", admin_name="吴静")
    with pytest.raises(NotAllowed) as no:
        people.require_admin(session, actor=stranger, organization_id=school.organization.id)
    assert str(no.value) == "您没有权限做这件事：这需要校级管理员的角色。"
    with pytest.raises(NotAllowed):
        people.require_admin(session, actor=school.teachers[0], organization_id=school.organization.id)
    with pytest.raises(NotAllowed) as no:
        people.require_role(
            session,
            actor=school.teachers[0],
            organization_id=other.id,
            kinds=[RoleKind.TEACHER, RoleKind.COUNTY_ADMIN],
        )
    assert str(no.value) == "您没有权限做这件事：这需要教师、县级管理员的角色。"
    teacher = {"person_id": school.teachers[0].id, "organization_id": school.organization.id}
    assert people.has_role(session, **teacher, kinds=[RoleKind.TEACHER]) is True
    assert people.has_role(session, **teacher, kinds=[RoleKind.SCHOOL_ADMIN]) is False


def test_a_seat_counts_in_its_own_round_only(school: School) -> None:
    session, member = school.session, school.members[0]
    another = school.setup_named("2026秋")
    people.require_seat(session, actor=member, round_=school.round, kinds=[SeatKind.MEMBER])
    with pytest.raises(NotAllowed) as no:
        people.require_seat(session, actor=member, round_=another, kinds=[SeatKind.MEMBER, SeatKind.RESERVE])
    assert str(no.value) == "您没有权限做这件事：这需要考核组成员、候补的席位。"
    with pytest.raises(NotAllowed) as no:
        people.require_seat(session, actor=member, round_=school.round, kinds=[SeatKind.ARBITER, SeatKind.APPEAL])
    assert str(no.value) == "您没有权限做这件事：这需要仲裁人、申诉复核人的席位。"


def test_a_conflict_is_kept_once_whichever_way_round(school: School) -> None:
    session = school.session
    first, second, third = school.teachers[:3]
    admin = school.admin
    made = people.declare_conflict(session, actor=admin, one=second, other=first, reason="夫妻")
    assert (made.one_id, made.other_id, made.reason, made.declared_by_id) == (first.id, second.id, "夫妻", admin.id)
    again = people.declare_conflict(session, actor=admin, one=first, other=second, reason="同室")
    assert again is made
    assert [c.reason for c in session.scalars(select(Conflict))] == ["夫妻"]
    assert people.conflicting_with(session, person_id=first.id) == {first.id, second.id}
    assert people.conflicting_with(session, person_id=second.id) == {first.id, second.id}
    assert people.conflicting_with(session, person_id=third.id) == {third.id}


@pytest.mark.parametrize("who", [0, 2])
def test_teachers_declare_no_conflict_not_even_their_own(school: School, who: int) -> None:
    first, second = school.teachers[:2]
    with pytest.raises(NotAllowed) as no:
        people.declare_conflict(school.session, actor=school.teachers[who], one=first, other=second, reason="听说")
    assert str(no.value) == "您没有权限做这件事：这需要校级管理员的角色。"
    assert list(school.session.scalars(select(Conflict))) == []


def test_who_has_left_holds_no_role_and_no_seat(school: School) -> None:
    member = school.members[0]
    school.admin.active = member.active = False
    with pytest.raises(NotAllowed):
        people.require_admin(school.session, actor=school.admin, organization_id=school.organization.id)
    with pytest.raises(NotAllowed):
        people.require_seat(school.session, actor=member, round_=school.round, kinds=[SeatKind.MEMBER])
