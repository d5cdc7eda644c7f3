from __future__ import annotations

from sqlalchemy import select

from models import DueWork, PanelSeat, Person
from review_flow import schemes
from review_flow.clock import now
from review_flow.rules.words import SeatKind, WorkKind
from review_flow.steps import advance, dry_run, judges, people, progress, rounds, standing
from tests.cast import Clock, School, queries
from tests.steps.test_panel import at_panel, mark


def seat(school: School, person: Person, kind: SeatKind) -> PanelSeat:
    return rounds.seat(school.session, actor=school.admin, round_=school.round, person=person, kind=kind)


def panel_of(school: School, *members: Person) -> School:
    """Let these sit on the panel, and nobody else."""
    for place in school.session.scalars(
        select(PanelSeat).where(PanelSeat.kind.in_([SeatKind.MEMBER, SeatKind.RESERVE]))
    ):
        school.session.delete(place)
    for person in members:
        seat(school, person, SeatKind.MEMBER)
    return school


def hints(school: School) -> list[str]:
    return dry_run.gather(school.session, actor=school.admin, round_=school.round).lacking


def test_a_panel_of_the_round_s_own_teachers_cannot_mark_its_own_works(school: School) -> None:
    assert hints(school) == []
    panel_of(school, *school.teachers[:3])
    said = "能给王芳、李伟、张敏的成果评分的考核组成员和候补不足3人（本人和须回避的不算），请再增加1名成员或候补"
    assert rounds.obstacles(school.session, round_=school.round) == [said]
    assert hints(school) == [said]
    seat(school, school.teachers[3], SeatKind.RESERVE)
    assert rounds.obstacles(school.session, round_=school.round) == []
    assert hints(school) == [
        "考核组成员和候补中有4人自己也参加互评，互评过的成果不再由他们评分；最少时一份成果只有0人可评，应有3人，"
        "请再增加3名不参加本轮互评的候补"
    ]
    for person in school.members:
        seat(school, person, SeatKind.RESERVE)
    assert hints(school) == []


def test_relatives_do_not_count_and_many_names_are_cut(session, clock: Clock) -> None:
    school = School(session, teachers=7)
    for place in session.scalars(select(PanelSeat).where(PanelSeat.kind == SeatKind.RESERVE)):
        session.delete(place)
    first, second = school.teachers[:2]
    people.declare_conflict(session, actor=school.admin, one=first, other=school.members[0], reason="亲属")
    people.declare_conflict(session, actor=school.admin, one=first, other=school.members[1], reason="亲属")
    (said,) = rounds.obstacles(session, round_=school.round)
    assert (said.startswith("能给王芳的成果"), said.endswith("请再增加2名成员或候补")) == (True, True)
    for one in school.teachers[1:]:
        people.declare_conflict(session, actor=school.admin, one=one, other=school.members[2], reason="亲属")
    (said,) = rounds.obstacles(session, round_=school.round)
    assert said.startswith(f"能给王芳、{second.name}、张敏、刘洋、赵磊等7人的成果")


def test_a_scheme_that_asks_for_no_works_wants_no_judges_for_them(session, clock: Clock) -> None:
    school = School(session, teachers=3, scheme=schemes.load("fuqing-30"), abilities=())
    panel_of(school, *school.teachers)
    assert (rounds.obstacles(session, round_=school.round), hints(school)) == ([], [])


def test_hearers_who_mark_as_well_are_not_counted(school: School) -> None:
    for person in school.hearers[:2]:
        seat(school, person, SeatKind.MEMBER)
    assert hints(school) == [
        "申诉复核人中有2人兼任考核组成员或仲裁人，评过分的不能复核，其余只有1人；2人意见一致才能决定，"
        "意见不一时还要一人，请再增加2名不评分的申诉复核人"
    ]
    for number in (1, 2):
        seat(school, school.person(f"H{number}", "新复核"), SeatKind.APPEAL)
    assert hints(school) == []
    school.hearers[2].active = False
    assert "请再增加1名" in hints(school)[0]


def test_two_hearers_who_may_differ_want_a_third(school: School) -> None:
    third = select(PanelSeat).where(PanelSeat.person_id == school.hearers[2].id)
    school.session.delete(school.session.scalars(third).one())
    said = "申诉复核人只有2人；2人意见一致才能决定，意见不一时还要一人，请再增加1名申诉复核人"
    assert hints(school) == [said]


def test_who_asks_about_a_large_school_asks_no_more_often(school: School) -> None:
    def asked() -> int:
        school.session.flush()
        with queries(school.session) as sent:
            judges.too_few(school.session, round_=school.round, scheme=school.scheme)
            judges.taken_off(school.session, round_=school.round, scheme=school.scheme)
        return len(sent)

    seat(school, school.teachers[0], SeatKind.RESERVE)
    few = asked()
    for number in range(3):
        person = school.person(f"N{number}", "新人")
        rounds.enrol(school.session, actor=school.admin, round_=school.round, person=person)
        seat(school, person, SeatKind.RESERVE)
    assert asked() == few


def test_a_work_without_judges_is_seen_until_somebody_is_seated(alone: School, clock: Clock) -> None:
    alone.open()
    for person in (alone.members[2], alone.reserve):
        people.declare_conflict(alone.session, actor=alone.admin, one=alone.teachers[0], other=person, reason="同胞")
    work = at_panel(alone)
    for person in alone.members[:2]:
        mark(alone, work, person)
    text = f"A1（成果{work.id}）缺1名考核组成员，请增加席位"
    seen = progress.board(alone.session, actor=alone.admin, round_=alone.round)
    assert ([one.text for one in seen.short], seen.all_short, seen.judges) == ([text], 1, [])
    waits = standing.waits(alone.session, round_=alone.round)
    assert ("校级管理员", text) in [(one.who, one.why) for one in waits]
    due = alone.session.scalars(select(DueWork).where(DueWork.kind == WorkKind.ADVANCE_ROUND)).one()
    clock.day(3, 9)
    seat(alone, alone.person("P9", "新评委"), SeatKind.MEMBER)
    assert due.due_at <= now()
    advance.advance(alone.session, round_=alone.round)
    seen = progress.board(alone.session, actor=alone.admin, round_=alone.round)
    assert ([one.person.number for one in seen.judges], seen.short) == (["P9"], [])
