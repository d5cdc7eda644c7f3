"""What workshops, classes and schools owe: told, gathered, judged, shown on the board, and reminded of in time."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import select

from models import AuditEvent, GroupResult, Message, Organization, Role, Workshop
from review_flow import schemes as scheme_files
from review_flow.clock import SCHOOL_ZONE, now
from review_flow.errors import BadInput, NotAllowed
from review_flow.outside.calendars import closed_on
from review_flow.rules.grading import grade
from review_flow.rules.lifecycle import RoundPhase
from review_flow.rules.words import ClassKind, FactKind, GroupFactKind, GroupLevel, OrganizationKind, RoleKind
from review_flow.steps import (
    advance,
    boards,
    classes,
    enrolments,
    gatherings,
    group_results,
    groups,
    programme,
    results,
)
from review_flow.steps.group_record import group_record_of, school_year
from review_flow.steps.groups import Group, GroupTelling
from review_flow.steps.nominations import NominationKind, NotNominable, Work, nominate
from tests.cast import School, queries

pytestmark = pytest.mark.usefixtures("clock")
WORKSHOP, FUYU, QUANZHOU, LISHU = (
    scheme_files.load(name)
    for name in ("fuqing-workshop-ops", "fuyu-2020-50", "quanzhou-2016-80", "lishu-2022-implementation")
)
COUNT, TASK, TARGET = GroupFactKind.COUNT, GroupFactKind.TASK, GroupFactKind.TARGET
REASON, COVERAGE = GroupFactKind.REASON, GroupFactKind.COVERAGE
WHOLE = {"lesson_video": True, "photos": True, "bulletin": True}


class Shop:
    """A school with one workshop that all its teachers are in, the first of them its leader."""

    def __init__(self, session, scheme=WORKSHOP, *, teachers: int = 5) -> None:
        self.school = School(session, teachers=teachers, scheme=scheme, abilities=())
        self.session = session
        self.workshop = Workshop(organization_id=self.school.organization.id, name="物理坊")
        session.add(self.workshop)
        session.flush()
        for one in self.school.teachers:
            one.workshop_id = self.workshop.id
        self.leader, self.member = self.school.teachers[:2]
        self.role(self.leader, RoleKind.WORKSHOP_LEADER)
        self.round = self.school.round
        self.group = groups.workshop_group(round_=self.round, workshop=self.workshop)
        self.own = Group(self.round, GroupLevel.SCHOOL)

    def role(self, person, kind: RoleKind, organization=None) -> None:
        self.session.add(
            Role(person_id=person.id, organization_id=(organization or self.school.organization).id, kind=kind)
        )
        self.session.flush()

    def county(self):
        """A county above the school, and the hearer who administers it."""
        county = Organization(kind=OrganizationKind.COUNTY, name="县")
        self.session.add(county)
        self.session.flush()
        self.school.organization.parent_id = county.id
        self.role(self.school.hearers[0], RoleKind.COUNTY_ADMIN, county)
        return self.school.hearers[0]

    def tell(self, kind: GroupFactKind, about: str, key: str = "1", *, by=None, group=None, **value) -> str:
        if "number" in value:
            value["number"] = Decimal(value["number"])
        telling = GroupTelling(kind, about, key, value.pop("source", "坊主登记"), **value)
        return groups.tell_group(self.session, actor=by or self.leader, group=group or self.group, telling=telling)

    def record(self, group=None) -> dict:
        return group_record_of(self.session, group=group or self.group)

    def board(self, by=None) -> dict:
        return boards.workshop_board(self.session, actor=by or self.leader, round_=self.round, workshop=self.workshop)

    def work(self, author, title: str, *, video: bool = False, kind=NominationKind.WORK):
        return nominate(
            self.session, actor=self.leader, round_=self.round, author=author, work=Work(kind, title, video)
        )

    def all_done(self) -> None:
        self.tell(COUNT, "work_plan")
        for number in "123":
            self.tell(COUNT, "offline_activity", number, details=WHOLE)
        self.tell(COUNT, "bulletin", number="3")
        self.tell(COUNT, "leader_resource", number="4")
        self.tell(COUNT, "polished_work")
        self.work(self.member, "浮力", video=True)


@pytest.fixture
def shop(session) -> Shop:
    return Shop(session)


def test_a_workshop_of_which_nobody_told_anything(shop: Shop) -> None:
    assert shop.record() == {
        "group": {"level": "workshop", "name": "物理坊"},
        "school_year": 2025,
        "as_of": now().isoformat(),
        "quota": {
            "work_plan": 0, "offline_activity": [], "bulletin": 0, "excellent_work": 0, "excellent_video": 0,
            "recommended_learner": 0, "leader_resource": 0, "polished_work": 0, "members": 5,
        },
        "reasons": {},
        "coverage": [],
        "tasks": {},
    }  # fmt: skip


def test_what_is_handed_in_counts_once_by_its_key_and_what_is_told_again_supersedes(shop: Shop) -> None:
    assert [shop.tell(COUNT, "bulletin", "第1期"), shop.tell(COUNT, "bulletin", "第1期")] == ["added", "unchanged"]
    assert shop.tell(COUNT, "bulletin", "第2期", number="2") == "added"
    assert shop.tell(COUNT, "bulletin", "第2期", number="1", storage_key="ab/abc", sha256="abc") == "superseded"
    assert shop.record()["quota"]["bulletin"] == 2
    (first, second) = groups.group_facts(shop.session, group=shop.group, kinds=[COUNT])
    assert (first.key, second.sha256, second.recorded_by_id) == ("第1期", "abc", shop.leader.id)
    groups.strike_group_fact(shop.session, actor=shop.leader, fact=first, reason="重复")
    assert shop.record()["quota"]["bulletin"] == 1
    with pytest.raises(groups.GroupFactStruck):
        groups.strike_group_fact(shop.session, actor=shop.leader, fact=first, reason="重复")
    with pytest.raises(BadInput):
        groups.strike_group_fact(shop.session, actor=shop.leader, fact=second, reason=" ")
    deeds = shop.session.scalars(select(AuditEvent.deed).where(AuditEvent.deed.startswith("group."))).all()
    assert deeds == ["group.tell", "group.tell", "group.tell", "group.strike"]


def test_who_tells_and_who_sees(shop: Shop) -> None:
    for other in (shop.member, shop.school.members[0]):
        with pytest.raises(NotAllowed):
            shop.tell(COUNT, "bulletin", by=other)
        with pytest.raises(NotAllowed):
            shop.board(by=other)
    with pytest.raises(NotAllowed):
        shop.tell(COUNT, "bulletin", group=shop.own)
    assert shop.tell(COUNT, "bulletin", by=shop.school.admin) == "added"
    above = shop.county()
    assert shop.board(by=above)["name"] == "物理坊"
    with pytest.raises(groups.GroupFactRefused):  # allowed, and nothing to tell
        shop.tell(COUNT, "bulletin", by=above, group=Group(shop.round, GroupLevel.COUNTY))
    with pytest.raises(NotAllowed):
        shop.tell(COUNT, "bulletin", by=shop.school.admin, group=Group(shop.round, GroupLevel.COUNTY))
    county = Group(shop.round, GroupLevel.COUNTY)
    assert groups.may_tell(shop.session, actor=above, group=county) is False  # the county's own way is above
    groups.require_group_reader(shop.session, actor=above, group=county)
    assert county.name == "区县"
    strange = Workshop(organization_id=shop.school.organization.parent_id, name="别坊")
    with pytest.raises(NotAllowed):
        groups.workshop_group(round_=shop.round, workshop=strange)


@pytest.mark.parametrize(
    ("kind", "about", "value"),
    [
        (COUNT, "nothing", {}),
        (COUNT, "members", {"number": "37"}),  # the database counts it
        (COUNT, "bulletin", {"number": "-1"}),
        (COUNT, "bulletin", {"number": "1.5"}),
        (COUNT, "bulletin", {"details": {"photos": True}}),
        (COUNT, "bulletin", {"happened_at": datetime(2026, 3, 1, tzinfo=UTC)}),
        (COUNT, "offline_activity", {"number": "3"}),
        (COUNT, "offline_activity", {"details": {"video": True}}),
        (TASK, "offline1", {}),
        (TASK, "offline1", {"happened_at": datetime(2026, 12, 1, tzinfo=UTC)}),
        (COVERAGE, "t3", {"number": "3"}),  # not of this scheme
        (REASON, "bulletins", {"details": {"reason": "人手不足"}}),  # nothing excuses what must be
    ],
)
def test_what_the_scheme_has_no_place_for_is_refused(shop: Shop, kind, about, value) -> None:
    with pytest.raises(groups.GroupFactRefused):
        shop.tell(kind, about, **value)


def test_what_is_told_besides_goes_by_its_names() -> None:
    assert groups.details_of() == {}
    assert groups.details_of(has=["photos"], of="40", value="0.9", reason="人手不足") == {
        "photos": True, "of": "40", "value": "0.9", "reason": "人手不足",
    }  # fmt: skip


def test_a_fact_has_a_source(shop: Shop) -> None:
    with pytest.raises(BadInput):
        shop.tell(COUNT, "bulletin", source=" ")


def test_meetings_held_in_the_house_are_offline_activities(shop: Shop, clock) -> None:
    held = gatherings.hold(
        shop.session,
        actor=shop.leader,
        round_=shop.round,
        activity="offline_activity",
        workshop=shop.workshop,
        held_at=datetime(2026, 3, 5, 6, tzinfo=UTC),
        place="报告厅",
    )
    assert shop.record()["quota"]["offline_activity"] == []
    clock.day(3, 5, 14, 5)
    code = gatherings.code_at(shop.session, actor=shop.leader, gathering=held)
    assert gatherings.sign_in(shop.session, actor=shop.member, gathering=held, code=code) == "added"
    assert shop.record()["quota"]["offline_activity"] == [dict.fromkeys(WHOLE, False)]
    shop.tell(COUNT, "offline_activity", f"gathering:{held.id}", details={"photos": True})
    shop.tell(COUNT, "offline_activity", "校外", details=WHOLE)
    assert shop.record()["quota"]["offline_activity"] == [
        {"lesson_video": False, "photos": True, "bulletin": False},
        WHOLE,
    ]


def test_a_workshop_is_graded_and_kept_and_graded_anew(shop: Shop, clock) -> None:
    def compose() -> GroupResult:
        return group_results.compose_group(shop.session, actor=shop.school.admin, group=shop.group)

    first = compose()
    assert (first.version, first.proposed_grade, first.grade) == (1, "未完成", None)
    clock.day(3, 3)
    assert compose().id == first.id
    shop.all_done()
    second = compose()
    assert (second.version, second.proposed_grade, first.current) == (2, "完成", False)
    assert group_results.replay_group(shop.session, result=second)
    assert group_results.current_group_result(shop.session, group=shop.group).id == second.id
    told = [(board["grade"], board["result"]) for board in (shop.board(), shop.board(shop.school.admin))]
    assert told == [(None, None), ("完成", "已合成")]  # its leader waits until it is published
    shop.tell(COUNT, "bulletin", "4")
    assert (compose().version, len(shop.session.scalars(select(GroupResult)).all())) == (3, 3)
    with pytest.raises(NotAllowed):
        group_results.compose_group(shop.session, actor=shop.leader, group=shop.group)
    with pytest.raises(group_results.GroupNotGraded):
        group_results.compose_group(shop.session, actor=shop.school.admin, group=shop.own)


def test_people_get_no_grade_where_workshops_are_judged(shop: Shop, clock) -> None:
    shop.school.open()
    advance.invite(shop.session, round_=shop.round)
    assert shop.session.scalars(select(Message)).all() == []
    clock.day(4, 4)
    advance.advance(shop.session, round_=shop.round)
    assert shop.round.phase is RoundPhase.SCORING
    with pytest.raises(results.NotComposed, match="考核的是工作坊"):
        results.compose(shop.session, enrolment=shop.school.enrolment(shop.member))
    assert (
        group_results.compose_group(shop.session, actor=shop.school.admin, group=shop.group).proposed_grade == "未完成"
    )


def test_the_board_says_what_is_needed_and_what_is_missing(shop: Shop) -> None:
    shop.tell(COUNT, "leader_resource", number="4")
    board = shop.board()
    quotas = {one["id"]: one for one in board["quotas"]}
    assert [quotas["bulletins"][key] for key in ("needed", "have", "met", "short")] == ["3", "0", False, "3"]
    assert [quotas["resources"][key] for key in ("met", "short", "warning")] == [True, "0", "一般不多于3"]
    assert quotas["best_learners"]["warning"] == "按比例向下取整为0"
    assert [one["id"] for one in board["duties"]] == [f"d{n}" for n in range(1, 11)]
    assert (board["members"], board["school_year"], board["grade"]) == (5, 2025, None)


def test_the_calendar_is_in_order_with_its_states_and_holidays(shop: Shop) -> None:
    shop.tell(TASK, "offline1", happened_at=datetime(2025, 12, 20, 15, 59, 59, tzinfo=UTC))
    shop.tell(TASK, "bulletin1", "迟", happened_at=datetime(2026, 1, 2, tzinfo=UTC))
    shop.tell(TASK, "bulletin1", "更早", happened_at=datetime(2026, 1, 1, tzinfo=UTC))
    tasks = shop.board()["tasks"]
    assert [one["day"] for one in tasks] == sorted(one["day"] for one in tasks)
    by_id = {one["id"]: one for one in tasks}
    assert {name: by_id[name]["state"] for name in ("offline1", "bulletin1", "offline2", "recommend")} == {
        "offline1": "done", "bulletin1": "late", "offline2": "due", "recommend": "open",
    }  # fmt: skip
    assert by_id["bulletin1"]["done_at"] == "2026-01-01T00:00:00+00:00"
    assert (by_id["offline2"]["day"], by_id["offline2"]["holiday"]) == ("2026-02-20", "休息日（由 2026-02-14 调休）")
    assert (by_id["recommend"]["day"], by_id["recommend"]["holiday"]) == ("2026-04-01", None)


def test_holidays_are_words_beside_a_day() -> None:
    usual = scheme_files.load("fuqing-workshop-ops").groups["vacations"]
    assert closed_on(date(2026, 2, 12), vacations=usual) == "通常在寒假中"
    assert closed_on(date(2026, 7, 15), vacations=usual) == "通常在暑假中"
    assert closed_on(date(2026, 3, 21), vacations=usual) == "周末"
    assert closed_on(date(2026, 3, 20), vacations=usual) is None
    over_new_year = [{"name_zh": "雪假", "from": "12-21", "to": "01-08"}]
    days = (date(2025, 12, 22), date(2026, 1, 8), date(2026, 1, 9))
    assert [closed_on(day, vacations=over_new_year) for day in days] == ["通常在雪假中", "通常在雪假中", None]
    assert closed_on(date(2026, 10, 1), vacations=usual) == "国庆节"


def test_a_school_year_begins_in_autumn(shop: Shop) -> None:
    assert school_year(shop.round) == 2025
    shop.round.opens_at = datetime(2025, 9, 1, tzinfo=SCHOOL_ZONE)
    assert school_year(shop.round) == 2025


def test_the_school_sees_its_workshops_side_by_side(shop: Shop) -> None:
    shop.all_done()
    other = Workshop(organization_id=shop.school.organization.id, name="语文坊")
    shop.session.add(other)
    shop.session.flush()
    with queries(shop.session) as few:
        board = boards.school_board(shop.session, actor=shop.school.admin, round_=shop.round)
    assert [(one["name"], one["members"], one["quotas_met"], one["quotas"]) for one in board["workshops"]] == [
        ("物理坊", 5, 8, 8),
        ("语文坊", 0, 3, 8),  # shares of nobody are none
    ]
    assert [one["id"] for one in board["duties"]] == ["c1", "c2", "c3", "c4", "c5"]
    shop.session.add_all(
        Workshop(organization_id=shop.school.organization.id, name=one) for one in ("数学坊", "美术坊")
    )
    shop.session.flush()
    with queries(shop.session) as more:
        board = boards.school_board(shop.session, actor=shop.school.admin, round_=shop.round)
    assert ([one["name"] for one in board["workshops"]], len(more)) == (
        ["物理坊", "语文坊", "数学坊", "美术坊"],
        len(few),
    )
    part = boards.school_board(shop.session, actor=shop.school.admin, round_=shop.round, most=2, skip=1)
    assert ([one["name"] for one in part["workshops"]], part["count"]) == (["语文坊", "数学坊"], 4)
    with pytest.raises(NotAllowed):
        boards.school_board(shop.session, actor=shop.leader, round_=shop.round)


def told_of_tasks(shop: Shop) -> list[tuple[int, str]]:
    found = select(Message.person_id, Message.kind).where(Message.kind.startswith("task.")).order_by(Message.id)
    return [tuple(row) for row in shop.session.execute(found)]


def test_the_leader_is_told_once_before_a_task_is_due_and_once_after(shop: Shop, clock) -> None:
    shop.school.open()
    clock.day(3, 13)
    advance.advance(shop.session, round_=shop.round)
    assert (
        told_of_tasks(shop) == []
    )  # 3-20 is eight days off by the last second, and earlier days were before the round
    clock.day(3, 14)
    for _again in range(2):
        advance.advance(shop.session, round_=shop.round)
    assert told_of_tasks(shop) == [(shop.leader.id, "task.due")]
    clock.day(3, 21)
    for _again in range(2):
        advance.advance(shop.session, round_=shop.round)
    assert told_of_tasks(shop)[1:] == [(shop.leader.id, "task.late")]
    for task in ("recommend", "guide_selection", "urge_observation", "bulletin3", "urge_summary"):
        shop.tell(TASK, task, happened_at=now())
    clock.day(3, 27)
    advance.advance(shop.session, round_=shop.round)
    assert len(told_of_tasks(shop)) == 2


def test_a_task_that_is_nobody_elses_is_the_schools(session, clock) -> None:
    shop = Shop(session, QUANZHOU)
    shop.school.open()
    shop.round.opens_at = datetime(2016, 2, 1, tzinfo=SCHOOL_ZONE)
    boards.remind_tasks(session, round_=shop.round)
    assert {person for person, _kind in told_of_tasks(shop)} == {shop.school.admin.id}


def test_members_take_a_themes_tasks_together(session) -> None:
    shop = Shop(session, QUANZHOU)
    with pytest.raises(groups.GroupFactRefused):
        shop.tell(COVERAGE, "t3")
    shop.tell(COVERAGE, "t3", number="6")
    for number, person in enumerate(shop.school.teachers):
        telling = programme.Telling(FactKind.THEME, "t3", "1", "坊主", details={"task": f"任务{number}"})
        programme.tell_fact(session, actor=shop.leader, enrolment=shop.school.enrolment(person), telling=telling)
    again = programme.Telling(FactKind.THEME, "t3", "2", "坊主", details={"task": "任务0"})
    programme.tell_fact(session, actor=shop.leader, enrolment=shop.school.enrolment(shop.leader), telling=again)
    assert shop.record()["coverage"] == [{"theme": "t3", "options": 6, "chosen": 5}]
    assert grade(QUANZHOU, shop.record()).quotas[0].text.endswith("坊主须协调补齐1项")


def test_indicators_are_counted_where_the_database_knows_and_told_where_not(session) -> None:
    shop = Shop(session, QUANZHOU)

    def found() -> dict:
        indicators = boards.indicators(session, actor=shop.school.admin, round_=shop.round)
        return {one["id"]: (one["have"], one["of"], one["met"]) for one in indicators}

    assert found() == {"backbone": (None, None, None), "trained": ("0", "5", False)}
    for person in shop.school.teachers[1:]:
        shop.school.hours(person, network="50", practice="30")
    shop.school.hours(shop.leader, network="50", practice="29.5")
    assert found()["trained"] == ("4", "5", False)
    enrolments.exempt(
        session, actor=shop.school.admin, enrolment=shop.school.enrolment(shop.leader), reason="距退休不满五年"
    )
    assert found()["trained"] == ("4", "4", True)  # who stays away is in neither part
    for wrong in ({}, {"number": "500"}, {"details": {"value": "many"}}, {"details": {"value": "1", "x": "1"}}):
        with pytest.raises(groups.GroupFactRefused):
            shop.tell(TARGET, "backbone", by=shop.school.admin, group=shop.own, **wrong)
    shop.tell(TARGET, "backbone", by=shop.school.admin, group=shop.own, details={"value": "512"})
    assert found()["backbone"] == (None, None, True)
    with pytest.raises(groups.GroupFactRefused):
        shop.tell(TARGET, "trained", by=shop.school.admin, group=shop.own, number="5", details={"of": "5"})
    with pytest.raises(NotAllowed):
        boards.indicators(session, actor=shop.leader, round_=shop.round)


def test_who_began_takes_part(session) -> None:
    shop = Shop(session, FUYU, teachers=4)
    first, second, third, _fourth = shop.school.teachers
    shop.school.enrolment(first).acknowledged_at = now()
    shop.school.hours(second, chosen="1")
    told = programme.Telling(FactKind.TEST, "diagnostic", "1", "平台", word="合格")
    programme.tell_fact(session, actor=shop.school.admin, enrolment=shop.school.enrolment(third), telling=told)
    assert shop.record(shop.own)["targets"]["participation"] == {"have": "3", "of": "4"}


def test_a_schools_quotas_and_what_nobody_told_the_base_of(session) -> None:
    shop = Shop(session, LISHU)
    admin = {"by": shop.school.admin, "group": shop.own}
    shop.tell(COUNT, "skill_shown", number="5", **admin)
    assert shop.record(shop.own)["quota"] == {
        "skill_shown": 5, "lesson_entered": 0, "group_plan": 0, "body": 0, "teachers": 5,
    }  # fmt: skip
    quotas = {one.id: one.met for one in grade(LISHU, shop.record(shop.own)).quotas}
    assert quotas == {"skill_show": True, "lesson_contest": False, "group_plans": None, "bodies": False}
    shop.tell(COUNT, "groups", number="4", **admin)
    shop.tell(COUNT, "group_plan", number="4", **admin)
    assert {one.id: one.met for one in grade(LISHU, shop.record(shop.own)).quotas}["group_plans"] is True
    assert shop.record(shop.own)["targets"]["appraisal_all"] == {"have": "0", "of": "5"}


def test_no_more_learners_are_recommended_than_the_share_allows(session) -> None:
    shop = Shop(session, teachers=20)
    shop.work(shop.member, "每周组织研讨", kind=NominationKind.LEARNER)
    with pytest.raises(NotNominable, match="不超过1"):
        shop.work(shop.leader, "作品多", kind=NominationKind.LEARNER)
    assert shop.record()["quota"]["recommended_learner"] == 1


# Classes.


def found(shop: Shop, name: str = "一班", kind: ClassKind = ClassKind.SINGLE, **value):
    value = {"actor": shop.school.admin, "admin": shop.leader} | value
    return classes.found_class(shop.session, round_=shop.round, name=name, kind=kind, **value)


def test_a_class_of_a_school(session) -> None:
    shop = Shop(session, FUYU)
    one, other = found(shop), found(shop, "二班")
    member = classes.join_class(session, actor=shop.leader, class_=one, person=shop.member)
    assert classes.join_class(session, actor=shop.school.admin, class_=one, person=shop.member).id == member.id
    with pytest.raises(classes.NotOfThisClass, match="另一个班"):
        classes.join_class(session, actor=shop.leader, class_=other, person=shop.member)
    with pytest.raises(NotAllowed):
        classes.join_class(session, actor=shop.member, class_=one, person=shop.member)
    assert shop.record(Group(shop.round, GroupLevel.CLASS, class_=one))["quota"] == {"class_members": 1}
    assert Group(shop.round, GroupLevel.CLASS, class_=one).name == "一班"
    classes.join_class(session, actor=shop.leader, class_=one, person=shop.leader)
    for person in (shop.leader, shop.member):
        classes.leave_class(session, actor=shop.leader, class_=one, person=person)
    assert classes.class_members(session, class_=one) == []
    with pytest.raises(classes.NotOfThisClass, match="不在这个班"):
        classes.leave_class(session, actor=shop.leader, class_=one, person=shop.member)
    for name in (" ", "一班"):
        with pytest.raises(BadInput):
            found(shop, name)
    with pytest.raises(NotAllowed):
        found(shop, "三班", actor=shop.leader)


def test_a_joint_class_is_the_countys(session) -> None:
    shop = Shop(session, FUYU)
    shop.county()
    neighbour = Organization(kind=OrganizationKind.SCHOOL, name="二中", parent_id=shop.school.organization.parent_id)
    far = Organization(kind=OrganizationKind.SCHOOL, name="外县中学")
    session.add_all([neighbour, far])
    session.flush()
    near, stranger = shop.school.person("N1", "邻校"), shop.school.person("N2", "外县")
    near.organization_id, stranger.organization_id = neighbour.id, far.id
    single, joint = found(shop), found(shop, "联片班", ClassKind.JOINT)
    with pytest.raises(classes.NotOfThisClass, match="不是本校"):
        classes.join_class(session, actor=shop.leader, class_=single, person=near)
    classes.join_class(session, actor=shop.leader, class_=joint, person=near)
    with pytest.raises(classes.NotOfThisClass, match="同一区县"):
        classes.join_class(session, actor=shop.leader, class_=joint, person=stranger)


def test_a_class_grows_beyond_a_soft_cap_with_a_reason_alone(session) -> None:
    """004-10 (X-48): 原则上 at most 50."""
    shop = Shop(session, FUYU, teachers=2)
    class_ = found(shop)
    others = [shop.school.person(f"C{number:02}", f"学员{number}") for number in range(53)]
    for person in others[:50]:
        classes.join_class(session, actor=shop.leader, class_=class_, person=person)
    for reason in (None, " "):
        with pytest.raises(classes.ClassFull, match="超出须写明理由"):
            classes.join_class(session, actor=shop.leader, class_=class_, person=others[50], reason=reason)
    classes.join_class(session, actor=shop.leader, class_=class_, person=others[50], reason="学科只有一个班")
    classes.join_class(session, actor=shop.leader, class_=class_, person=others[51])  # the reason stands for the class
    group = Group(shop.round, GroupLevel.CLASS, class_=class_)
    (judged,) = grade(FUYU, shop.record(group)).quotas
    assert (judged.have, judged.met, judged.excused) == (52, False, True)


def test_a_hard_cap_takes_no_reason(session) -> None:
    import copy

    document = copy.deepcopy(scheme_files.load("fuyu-2020-50").document)
    next(one for one in document["quotas"] if one["id"] == "class_size").update(strict="must", value=1)
    from review_flow.rules.scheme import Scheme

    shop = Shop(session, Scheme.from_document(document))
    class_ = found(shop)
    classes.join_class(session, actor=shop.leader, class_=class_, person=shop.member)
    with pytest.raises(classes.ClassFull, match="不能再进"):
        classes.join_class(session, actor=shop.leader, class_=class_, person=shop.leader, reason="很想进")


def test_more_workshops_than_suggested_is_a_warning(session) -> None:
    """004-14, P2: seven workshops."""
    shop = Shop(session, FUYU)
    session.add_all(Workshop(organization_id=shop.school.organization.id, name=f"坊{number}") for number in range(6))
    session.flush()
    board = boards.school_board(session, actor=shop.school.admin, round_=shop.round)
    quotas = {one["id"]: one for one in board["quotas"]}
    assert [quotas["workshops"][key] for key in ("have", "met", "warning")] == ["7", False, "超出须写明理由"]
    shop.tell(REASON, "workshops", by=shop.school.admin, group=shop.own, details={"reason": "学科齐全"})
    board = boards.school_board(session, actor=shop.school.admin, round_=shop.round)
    assert {one["id"]: one["excused"] for one in board["quotas"]}["workshops"] is True
    with pytest.raises(groups.GroupFactRefused):
        shop.tell(REASON, "workshops", "2", by=shop.school.admin, group=shop.own)


def test_every_count_and_indicator_that_is_declared_is_computed(shop: Shop) -> None:
    from review_flow.rules.counted import COUNTS, INDICATORS
    from review_flow.steps.group_record import SHARES, Known

    assert {one.id for one in INDICATORS} == set(SHARES)
    known = Known(shop.session, [shop.group])
    counted = {one.id: known.count(shop.group, one.id) for one in COUNTS if "workshop" in one.levels}
    assert counted == {
        "members": 5, "teachers": 5, "excellent_work": 0, "excellent_video": 0, "recommended_learner": 0,
    }  # fmt: skip
