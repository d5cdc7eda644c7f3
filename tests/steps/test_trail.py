from __future__ import annotations

from datetime import date

import pytest

from review_flow.errors import NotAllowed, NotFound
from review_flow.rules.words import RoleKind
from review_flow.steps import audit, people, trail
from review_flow.steps.people import LastAdmin
from review_flow.steps.trail import Asked
from tests.cast import Clock, School


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


def test_why_a_file_was_reported_is_told_in_words(opened: School) -> None:
    audit.record(
        opened.session,
        organization_id=opened.organization.id,
        actor=None,
        deed="file.report",
        about=opened.round,
        reason="privacy",
    )
    [newest, *_others] = trail.search(opened.session, actor=opened.admin, asked=Asked())[0]
    assert newest.reason == "泄露了学生或他人的隐私"


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
