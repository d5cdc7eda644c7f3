from __future__ import annotations

from datetime import timedelta

import pytest

from models import Role, Workshop
from review_flow import schemes as scheme_files
from review_flow.clock import now
from review_flow.errors import BadInput, NotAllowed
from review_flow.rules.words import RoleKind
from review_flow.steps import enrolments, gatherings
from review_flow.steps.facts import record_of
from tests.cast import Clock, School

F30 = scheme_files.load("fuqing-30")


@pytest.fixture
def fuqing(session, clock: Clock) -> School:
    school = School(session, teachers=3, scheme=F30, abilities=())
    workshop = Workshop(organization_id=school.organization.id, name="物理坊")
    session.add(workshop)
    session.flush()
    for teacher in school.teachers[:2]:
        teacher.workshop_id = workshop.id
    leader = school.teachers[1]
    session.add(Role(person_id=leader.id, organization_id=school.organization.id, kind=RoleKind.WORKSHOP_LEADER))
    session.flush()
    return school


def held(school: School, *, activity: str = "off1", by=None, workshop: Workshop | None = None, place: str = "录播室"):
    return gatherings.hold(
        school.session,
        actor=by or school.admin,
        round_=school.round,
        activity=activity,
        workshop=workshop,
        held_at=now() + timedelta(minutes=10),
        place=place,
    )


def came(school: School, number: int = 0) -> dict:
    return record_of(school.session, enrolment=school.enrolment(school.teachers[number]))["attendance"]


def workshop_of(school: School) -> Workshop:
    return school.session.get_one(Workshop, school.teachers[0].workshop_id)


def _full_width(digits: str) -> str:
    """As a Chinese keyboard may type them."""
    return "".join(chr(ord(one) - ord("0") + ord("０")) if one.isdigit() else one for one in digits)


def test_signing_in_with_the_code_of_the_minute(fuqing: School, clock: Clock) -> None:
    meeting, teacher = held(fuqing), fuqing.teachers[0]
    code = gatherings.code_at(fuqing.session, actor=fuqing.admin, gathering=meeting)
    assert (len(code), code.isdigit()) == (6, True)
    assert (
        gatherings.sign_in(fuqing.session, actor=teacher, gathering=meeting, code=_full_width(f" {code} ")) == "added"
    )
    assert gatherings.sign_in(fuqing.session, actor=teacher, gathering=meeting, code=code) == "unchanged"
    assert came(fuqing) == {"off1": True, "off2": False, "off3": False}
    assert came(fuqing, 1)["off1"] is False
    assert gatherings.attendance(fuqing.session, gathering=meeting) == {teacher.id: "present"}


def test_what_the_qr_code_says() -> None:
    assert gatherings.link("https://review.school.cn/", 7, "012345") == "https://review.school.cn/sign-in/7/012345"
    assert gatherings.link("https://review.school.cn", 7) == "https://review.school.cn/sign-in/7"
    assert gatherings.link(None, 7, "012345") == "review-flow:/sign-in/7/012345"


def test_a_code_passed_on_is_soon_too_old(fuqing: School, clock: Clock) -> None:
    meeting = held(fuqing)
    code = gatherings.code_at(fuqing.session, actor=fuqing.admin, gathering=meeting)
    start = now()
    clock.to(start + timedelta(seconds=61))
    assert gatherings.sign_in(fuqing.session, actor=fuqing.teachers[0], gathering=meeting, code=code) == "added"
    clock.to(start + timedelta(seconds=121))
    with pytest.raises(gatherings.WrongCode):
        gatherings.sign_in(fuqing.session, actor=fuqing.teachers[1], gathering=meeting, code=code)


def test_signing_in_has_its_time(fuqing: School, clock: Clock) -> None:
    meeting = held(fuqing)
    clock.to(meeting.sign_in_closes_at + timedelta(seconds=1))
    with pytest.raises(gatherings.NotOpen):
        gatherings.code_at(fuqing.session, actor=fuqing.admin, gathering=meeting)
    with pytest.raises(gatherings.NotOpen):
        gatherings.sign_in(fuqing.session, actor=fuqing.teachers[0], gathering=meeting, code="码")


def test_a_workshops_meeting_is_its_members(fuqing: School) -> None:
    leader, stranger = fuqing.teachers[1], fuqing.teachers[2]
    meeting = held(fuqing, by=leader, workshop=workshop_of(fuqing))
    code = gatherings.code_at(fuqing.session, actor=leader, gathering=meeting)
    with pytest.raises(gatherings.NotInvited):
        gatherings.sign_in(fuqing.session, actor=stranger, gathering=meeting, code=code)
    for wrong in (fuqing.teachers[0], stranger):
        with pytest.raises(NotAllowed):
            gatherings.code_at(fuqing.session, actor=wrong, gathering=meeting)
        with pytest.raises(NotAllowed):
            gatherings.require_host(fuqing.session, actor=wrong, gathering=meeting)
    with pytest.raises(NotAllowed):
        held(fuqing, by=leader)


def test_by_the_list_on_paper_and_made_up(fuqing: School) -> None:
    meeting, (one, two, three) = held(fuqing), fuqing.teachers
    counts = gatherings.sign_list(
        fuqing.session, actor=fuqing.admin, gathering=meeting, present=[one], absent=[two, three]
    )
    assert counts == {"added": 3, "superseded": 0, "unchanged": 0}
    again = gatherings.sign_list(fuqing.session, actor=fuqing.admin, gathering=meeting, present=[one, two])
    assert again == {"added": 0, "superseded": 1, "unchanged": 1}
    with pytest.raises(BadInput):
        gatherings.make_up(fuqing.session, actor=fuqing.admin, gathering=meeting, person=three, proof=" ")
    said = gatherings.make_up(
        fuqing.session, actor=fuqing.admin, gathering=meeting, person=three, proof="补看录像并交心得"
    )
    assert said == "superseded"
    assert [came(fuqing, number)["off1"] for number in range(3)] == [True, True, "made_up"]


def test_paper_is_the_hosts_and_of_their_own_members_a_leaders(fuqing: School) -> None:
    meeting, (stranger, leader, other) = held(fuqing), fuqing.teachers
    for absent in ([], [leader]):
        with pytest.raises(NotAllowed):
            gatherings.sign_list(fuqing.session, actor=stranger, gathering=meeting, present=[], absent=absent)
    with pytest.raises(NotAllowed):
        gatherings.make_up(fuqing.session, actor=stranger, gathering=meeting, person=stranger, proof="我补了")
    counts = gatherings.sign_list(fuqing.session, actor=leader, gathering=meeting, present=[leader])
    assert counts == {"added": 1, "superseded": 0, "unchanged": 0}
    with pytest.raises(NotAllowed):
        gatherings.sign_list(fuqing.session, actor=leader, gathering=meeting, present=[other])


def test_paper_of_another_workshop_s_meeting_is_not_a_leader_s(fuqing: School) -> None:
    other = Workshop(organization_id=fuqing.organization.id, name="语文坊")
    fuqing.session.add(other)
    fuqing.session.flush()
    theirs, leader = held(fuqing, workshop=other), fuqing.teachers[1]
    with pytest.raises(NotAllowed):
        gatherings.require_recorder(fuqing.session, actor=leader, gathering=theirs)
    own = held(fuqing, workshop=workshop_of(fuqing))
    counts = gatherings.sign_list(fuqing.session, actor=leader, gathering=own, present=[leader])
    assert counts == {"added": 1, "superseded": 0, "unchanged": 0}


def test_whoever_was_listed_absent_may_still_sign_in(fuqing: School) -> None:
    meeting, one = held(fuqing), fuqing.teachers[0]
    gatherings.sign_list(fuqing.session, actor=fuqing.admin, gathering=meeting, present=[], absent=[one])
    code = gatherings.code_at(fuqing.session, actor=fuqing.admin, gathering=meeting)
    assert gatherings.sign_in(fuqing.session, actor=one, gathering=meeting, code=code) == "superseded"
    assert came(fuqing)["off1"] is True


def test_the_same_meeting_is_held_once(fuqing: School) -> None:
    assert held(fuqing).id == held(fuqing).id
    assert held(fuqing, workshop=workshop_of(fuqing)).id != held(fuqing).id
    assert held(fuqing, activity="off2").activity == "off2"


def test_what_a_meeting_needs(fuqing: School) -> None:
    with pytest.raises(BadInput):
        held(fuqing, activity="off9")
    with pytest.raises(BadInput):
        held(fuqing, place=" ")


def test_who_is_not_of_the_round_does_not_sign_in(fuqing: School) -> None:
    meeting = held(fuqing)
    code = gatherings.code_at(fuqing.session, actor=fuqing.admin, gathering=meeting)
    with pytest.raises(NotAllowed):
        gatherings.sign_in(fuqing.session, actor=fuqing.members[0], gathering=meeting, code=code)
    exempt = fuqing.teachers[2]
    enrolments.exempt(fuqing.session, actor=fuqing.admin, enrolment=fuqing.enrolment(exempt), reason="支教")
    with pytest.raises(NotAllowed):
        gatherings.sign_in(fuqing.session, actor=exempt, gathering=meeting, code=code)
