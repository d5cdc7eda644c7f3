from __future__ import annotations

from datetime import date

import pytest

from review_flow.errors import NotAllowed, NotFound
from review_flow.rules.words import RoleKind
from review_flow.steps import audit, people, trail
from review_flow.steps.people import LastAdmin
from review_flow.steps.trail import Asked
from tests.cast import Clock, School
from tests.steps.test_county import above


def found(school: School, **asked: object) -> list[str]:
    return [one.event.deed for one in trail.search(school.session, actor=school.admin, asked=Asked(**asked))[0]]


def test_events_are_found_by_who_what_and_when(opened: School, clock: Clock) -> None:
    clock.day(3, 5)
    teacher = opened.teachers[0]
    opened.ready(teacher)
    assert found(opened)[0].startswith("submission.") or found(opened)[0].startswith("enrolment.")
    assert set(found(opened, who=teacher.number)) == set(found(opened, who=teacher.name))
    assert found(opened, deed="round.") == ["round.open", "round.create"]
    assert found(opened, deed="round.open") == ["round.open"]
    assert found(opened, deed="round") == []
    assert found(opened, thing="round", key=opened.round.id, who="陈静")[0] == "round.open"
    assert found(opened, thing="round") == found(opened, thing="round", key=opened.round.id)
    assert found(opened, thing="round", key=987_654) == []
    assert found(opened, who="没有这个人") == []
    assert "round.open" not in found(opened, since=date(2026, 3, 5))
    assert found(opened, until=date(2026, 3, 1)) == []
    assert found(opened, deed="%") == []


def test_an_event_is_told_in_words(opened: School) -> None:
    reason = "台风停课"
    audit.record(
        opened.session,
        organization_id=opened.organization.id,
        actor=None,
        deed="old.deed",
        about=opened.round,
        reason=reason,
    )
    found = trail.search(opened.session, actor=opened.admin, asked=Asked(thing="round"))[0]
    told = [(one.deed, one.thing, one.table, one.key, one.reason) for one in found]
    assert told[0] == ("old.deed", "考核轮次", "round", str(opened.round.id), reason)
    assert told[1] == ("启动考核轮次", "考核轮次", "round", str(opened.round.id), "")


def told(school: School, *, deed: str = "x", **noted: object) -> dict[str, str]:
    """What the administrator reads of the newest event."""
    organization = school.organization.id
    audit.record(school.session, organization_id=organization, actor=None, deed=deed, about=school.round, **noted)
    return dict(trail.search(school.session, actor=school.admin, asked=Asked())[0][0].details)


def test_why_a_file_was_reported_is_told_in_words(opened: School) -> None:
    assert told(opened, deed="file.report", reason="privacy") == {}
    [newest, *_others] = trail.search(opened.session, actor=opened.admin, asked=Asked())[0]
    assert newest.reason == "泄露了学生或他人的隐私"


def test_what_is_noted_is_told_in_words(school: School) -> None:
    first, second = school.teachers[:2]
    assert told(school, deed="panel.seat", kind="arbiter") == {"类别": "仲裁人"}
    assert told(school, deed="sheet.bring", kind="attendance") == {"类别": "考勤"}
    assert told(school, kind="fuqing") == {"类别": "fuqing"}
    assert told(school, deed="peer.more", why="band,straddle") == {
        "原因": "互评分落在不同等次、再有一份互评就可能改变教师的等次"
    }
    assert told(school, people=[first.id, second.id]) == {"相关人员": f"{first.name}、{second.name}"}
    assert told(school, by=first.id, uphold=True, own=False) == {
        "由谁": first.name,
        "认为申诉成立": "是",
        "本人作品": "否",
    }
    assert told(school, by="people", mark="85.50", version=2) == {"由谁": "考核组", "评分": "85.50", "版本": "2"}
    assert told(school, was=["2026-03-20T15:59:59+00:00"], days=["2026-03-01"]) == {
        "原期限": "2026-03-20 23:59:59",
        "日期": "2026-03-01",
    }
    assert told(school, removed=[f"person:{first.id}", "nothing:1"]) == {"已移除": f"人员 {first.id}、nothing:1"}
    assert told(school, abilities=[f"A{number}" for number in range(1, 23)])["微能力"].endswith("A19、A20、另有2项")
    assert told(school, superseded=None, tier=None, roles=[], unmet={}) == {}
    assert told(school, old_key="x", reason="同名") == {"old_key": "x"}


def test_nobody_reads_who_reviews_whom(school: School) -> None:
    first, second = school.teachers[:2]
    noted = {"pairs": [[first.id, 7], [second.id, 7]], "withdrawn": [], "unmet": {"7": 1}}
    blocked = {"works": [7], "text": "请增加评审人。"}
    assert told(school, deed="reviews.allocate", **noted, blocked_by=blocked) == {
        "新分配的互评数": "2",
        "收回的互评数": "0",
        "还差互评的成果": "7: 1",
        "为什么分配不足": "请增加评审人。",
    }
    assert told(school, deed="panel.ask", asked=[first.id, second.id]) == {"请了几人": "2"}


def test_whoever_is_of_another_school_keeps_a_number(school: School) -> None:
    stranger = above(school)
    assert told(school, people=[stranger.id]) == {"相关人员": str(stranger.id)}


def test_pages_go_by_a_cursor_that_new_events_do_not_move(school: School) -> None:
    for number in range(120):
        audit.record(
            school.session, organization_id=school.organization.id, actor=school.admin, deed="x", about=school.round,
            number=number,
        )  # fmt: skip
    seen: list[int] = []
    cursor: int | None = None
    while True:
        page, cursor = trail.search(school.session, actor=school.admin, asked=Asked(deed="x"), before=cursor)
        seen += [one.event.number for one in page]
        audit.record(school.session, organization_id=school.organization.id, actor=None, deed="y", about=school.round)
        if cursor is None:
            break
    assert (len(seen), seen) == (120, sorted(seen, reverse=True))


def test_the_trail_is_the_administrator_s(school: School) -> None:
    with pytest.raises(NotAllowed):
        trail.search(school.session, actor=school.teachers[0], asked=Asked())


def test_roles_are_given_and_taken_by_the_administrator(school: School) -> None:
    session, teacher = school.session, school.teachers[0]
    for _time in range(2):
        people.grant(session, actor=school.admin, person=teacher, kind=RoleKind.WORKSHOP_LEADER)
    assert people.roles_of(session, person=teacher) == {RoleKind.TEACHER, RoleKind.WORKSHOP_LEADER}
    people.withdraw(session, actor=school.admin, person=teacher, kind=RoleKind.WORKSHOP_LEADER)
    assert people.roles_of(session, person=teacher) == {RoleKind.TEACHER}
    with pytest.raises(NotFound):
        people.withdraw(session, actor=school.admin, person=teacher, kind=RoleKind.WORKSHOP_LEADER)
    with pytest.raises(NotAllowed):
        people.grant(session, actor=school.admin, person=teacher, kind=RoleKind.COUNTY_ADMIN)
    with pytest.raises(LastAdmin):
        people.withdraw(session, actor=school.admin, person=school.admin, kind=RoleKind.SCHOOL_ADMIN)
    people.grant(session, actor=school.admin, person=teacher, kind=RoleKind.SCHOOL_ADMIN)
    people.withdraw(session, actor=teacher, person=school.admin, kind=RoleKind.SCHOOL_ADMIN)
    for deed in (people.grant, people.withdraw):
        with pytest.raises(NotAllowed):
            deed(session, actor=school.admin, person=teacher, kind=RoleKind.TEACHER)
    assert found_by(school, "role.") == ["role.withdraw", "role.grant", "role.withdraw", "role.grant"]


def found_by(school: School, deed: str) -> list[str]:
    actor = school.teachers[0]
    return [one.event.deed for one in trail.search(school.session, actor=actor, asked=Asked(deed=deed))[0]]
