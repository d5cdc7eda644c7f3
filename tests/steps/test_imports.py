from __future__ import annotations

import io
import json
from datetime import date
from decimal import Decimal

import pytest
import python_calamine
from sqlalchemy import func, select

from models import Adjustment, AuditEvent, DueWork, Enrolment, Hours, Message, Person, Role, SheetImport, Workshop
from review_flow.clock import now
from review_flow.errors import BadInput, NotAllowed
from review_flow.outside.spreadsheets import MOST_BYTES
from review_flow.outside.storage import MemoryStorage, read
from review_flow.outside.workbooks import Page, write
from review_flow.rules.lifecycle import EnrolmentState, RoundPhase
from review_flow.rules.words import AdjustmentKind, AdjustmentState, JobState, RoleKind, SheetKind, WorkKind
from review_flow.steps import advance, door, imports, people, results, rounds
from tests.cast import School
from tests.sheets import bring

ROSTER = ["工号", "姓名", "学科", "学段", "工作坊", "角色", "联系方式", "退休日期", "免训原因", "家庭户号"]
PROGRESS = ["工号", "类别", "项目", "数值", "结果", "理由", "字数", "秒数", "评谁", "来源", "编号"]
HOURS = ["工号", "账本", "学时", "来源", "编号"]
ATTENDANCE = ["工号", "日期", "情况", "证明", "编号"]
AWARDS = ["工号", "日期", "加分", "证明", "编号"]


class Desk:
    """The administrator's desk: brings sheets to the school's round, or to the school alone."""

    def __init__(self, school: School) -> None:
        self.school, self.session, self.storage = school, school.session, MemoryStorage()

    def bring(self, kind: SheetKind, header, *rows, to_round=True, data=None) -> SheetImport:
        return bring(self.school, kind, header, *rows, storage=self.storage, data=data, to_round=to_round)

    def take(self, kind: SheetKind, header, *rows, to_round=True) -> SheetImport:
        brought = self.bring(kind, header, *rows, to_round=to_round)
        assert (brought.state, brought.problems) == (JobState.DONE, None)
        return brought

    def refused(self, kind: SheetKind, header, *rows, to_round=True) -> dict[str, list[str]]:
        before = self.counted()
        brought = self.bring(kind, header, *rows, to_round=to_round)
        assert (brought.state, self.counted()) == (JobState.REFUSED, before)
        return brought.problems

    def counted(self) -> list[int]:
        tables = (Person, Role, Workshop, Enrolment, Hours, Adjustment, Message)
        return [self.session.scalar(select(func.count()).select_from(table)) for table in tables]

    def person(self, number: str) -> Person:
        return people.person_by_number(self.session, organization_id=self.school.organization.id, number=number)

    def roles(self, person: Person) -> set[RoleKind]:
        return set(self.session.scalars(select(Role.kind).where(Role.person_id == person.id)))

    def audited(self) -> tuple[str, dict[str, object]]:
        event = self.session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1)).one()
        return event.deed, json.loads(event.data)


@pytest.fixture
def desk(school) -> Desk:
    return Desk(school)


@pytest.mark.parametrize("kind", list(SheetKind))
def test_template_has_the_columns_of_its_sheet(kind):
    header = {
        SheetKind.ROSTER: ROSTER,
        SheetKind.HOURS: HOURS,
        SheetKind.PROGRESS: PROGRESS,
        SheetKind.ATTENDANCE: ATTENDANCE,
        SheetKind.AWARDS: AWARDS,
        SheetKind.SURVEY: ["工号", "问卷", "得分", "份数", "来源", "编号"],
    }
    book = python_calamine.load_workbook(io.BytesIO(imports.template(kind)))
    assert book.sheet_names[1] == "填写说明"
    assert [str(cell).rstrip("*") for cell in book.get_sheet_by_index(0).to_python()[0]] == header[kind]


def test_start_keeps_the_file_and_asks_for_the_work(desk):
    data = write([Page("表", ["工号", "姓名"], [["N1", "新人"]])])
    brought = imports.start(
        desk.session,
        actor=desk.school.admin,
        organization=desk.school.organization,
        round_=None,
        kind=SheetKind.ROSTER,
        file_name="../../a/名单.xlsx",
        data=data,
        storage=desk.storage,
    )
    assert (brought.state, brought.file_name, brought.round_id) == (JobState.WAITING, "名单.xlsx", None)
    assert read(desk.storage, brought.storage_key) == data
    due = desk.session.scalars(select(DueWork.subject_id).where(DueWork.kind == WorkKind.IMPORT_SHEET)).all()
    assert due == [brought.id]
    assert desk.audited() == ("sheet.bring", {"kind": "roster"})


def test_only_the_administrator_of_this_school_brings_sheets(desk):
    other, other_admin = people.found_school(desk.session, name="外校", admin_number="A1", admin_name="外人")
    for actor, organization in (
        (desk.school.teachers[0], desk.school.organization),
        (other_admin, desk.school.organization),
        (other_admin, other),
    ):
        with pytest.raises(NotAllowed):
            imports.start(
                desk.session,
                actor=actor,
                organization=organization,
                round_=desk.school.round,
                kind=SheetKind.ROSTER,
                file_name="x",
                data=b"x",
                storage=desk.storage,
            )


def test_facts_need_a_round_and_files_have_a_limit(desk):
    with pytest.raises(BadInput, match="考核轮次：这张表要导入到某个考核轮次。"):
        desk.bring(SheetKind.HOURS, HOURS, to_round=False)
    with pytest.raises(BadInput, match="文件：超过10兆字节。"):
        desk.bring(SheetKind.ROSTER, ROSTER, data=b"x" * (MOST_BYTES + 1))


def test_sheets_come_in_their_phases(desk):
    desk.school.open().round.phase = RoundPhase.SCORING
    with pytest.raises(rounds.WrongPhase):
        desk.bring(SheetKind.ROSTER, ROSTER)
    desk.take(SheetKind.HOURS, HOURS, ["T01", "practice", 5, "校", "k"])
    desk.school.round.phase = RoundPhase.PUBLICITY
    with pytest.raises(rounds.WrongPhase):
        desk.bring(SheetKind.HOURS, HOURS)


def test_a_round_that_moved_on_meanwhile_refuses_the_sheet(desk):
    brought = imports.start(
        desk.session,
        actor=desk.school.admin,
        organization=desk.school.organization,
        round_=desk.school.round,
        kind=SheetKind.ROSTER,
        file_name="x",
        data=write([Page("表", ["工号", "姓名"], [["N1", "新人"]])]),
        storage=desk.storage,
    )
    desk.school.open().round.phase = RoundPhase.SCORING
    imports.run(desk.session, sheet_import=brought, storage=desk.storage)
    assert brought.problems == {"0": ["本轮考核正处于“评审”阶段，不能这样做。"]}


def test_an_unreadable_file_is_refused_without_a_sheet_of_problems(desk):
    brought = desk.bring(SheetKind.ROSTER, ROSTER, data=b"PK\x03\x04junk")
    assert (brought.state, brought.rows, brought.problems_key) == (JobState.REFUSED, None, None)
    assert brought.problems == {"0": ["这个文件读不出来：文件已损坏，或不是 Excel、ODS 文件。请另存为 xlsx 后再导入。"]}


def test_roster_makes_people_roles_workshops_and_enrolments(desk):
    brought = desk.take(
        SheetKind.ROSTER,
        ROSTER,
        ["N1", "林一", "语文", "初中", "语文坊", "教师、坊主", "lin@school.invalid", date(2031, 8, 31), ""],
        ["N2", "林二", "", "", "语文坊", "", 13800000000, "", ""],
        ["N3", "林三", "", "", "", "校级管理员，学科专家", "", "", ""],
        ["N4", "林四", "", "", "数学坊", "教师", "", "2027-08-31", "五年内退休"],
    )
    assert (brought.rows, brought.finished_at is not None) == (4, True)
    assert desk.audited() == ("sheet.take", {"added": 4, "changed": 0, "enrolled": 3})
    one, two, three, four = (desk.person(f"N{n}") for n in range(1, 5))
    assert (one.name, one.subject, one.stage, one.contact, one.retires_on) == (
        "林一",
        "语文",
        "初中",
        "lin@school.invalid",
        date(2031, 8, 31),
    )
    assert (two.contact, two.subject) == ("13800000000", None)
    assert one.workshop_id == two.workshop_id
    assert desk.session.scalars(select(Workshop.name).order_by(Workshop.id)).all() == ["语文坊", "数学坊"]
    assert desk.roles(one) == {RoleKind.TEACHER, RoleKind.WORKSHOP_LEADER}
    assert desk.roles(two) == {RoleKind.TEACHER}
    assert desk.roles(three) == {RoleKind.SCHOOL_ADMIN, RoleKind.SUBJECT_EXPERT}
    states = dict(
        desk.session.execute(select(Enrolment.person_id, Enrolment.state).where(Enrolment.person_id >= one.id)).all()
    )
    assert states == {
        one.id: EnrolmentState.REGISTERED,
        two.id: EnrolmentState.REGISTERED,
        four.id: EnrolmentState.EXEMPT,
    }
    assert desk.school.enrolment(four).exempt_reason == "五年内退休"


def test_roster_again_changes_nothing(desk):
    rows = [
        ["N1", "林一", "语文", "初中", "语文坊", "教师、坊主", "1", "2031-08-31", "病休"],
        ["T01", "王芳", "", "", "", "", "", "", ""],
    ]
    desk.take(SheetKind.ROSTER, ROSTER, *rows)
    before = desk.counted()
    brought = desk.take(SheetKind.ROSTER, ROSTER, *rows)
    assert desk.counted() == before
    assert desk.audited() == ("sheet.take", {"added": 0, "changed": 0, "enrolled": 2})
    imports.run(desk.session, sheet_import=brought, storage=desk.storage)
    assert desk.counted() == before


def test_roster_changes_what_it_says_and_keeps_what_it_leaves_blank(desk):
    teacher = desk.school.teachers[0]
    token = door.begin(desk.session, person=teacher, user_agent="")
    teacher.active = False
    desk.session.flush()
    desk.take(SheetKind.ROSTER, ROSTER, ["T01", "王芳芳", "", "高中", "", "坊主", "", "", ""], to_round=False)
    assert (teacher.name, teacher.subject, teacher.stage, teacher.active) == ("王芳芳", "物理", "高中", True)
    assert door.session_of(desk.session, token=token) is None  # who left and came back signs in anew
    assert desk.roles(teacher) == {RoleKind.TEACHER, RoleKind.WORKSHOP_LEADER}
    assert desk.audited() == ("sheet.take", {"added": 0, "changed": 1, "enrolled": 0})


def test_a_household_is_brought_and_its_people_step_aside_in_running_rounds(desk):
    session, header = desk.session, ["工号", "姓名", "家庭户号"]
    desk.school.open()
    for one in session.scalars(select(DueWork).where(DueWork.kind == WorkKind.ALLOCATE_REVIEWS)):
        one.done_at = one.due_at
    waiting = select(DueWork.subject_id).where(DueWork.kind == WorkKind.ALLOCATE_REVIEWS, DueWork.done_at.is_(None))
    desk.take(SheetKind.ROSTER, header, ["T01", "王芳", 12], ["T02", "李伟", "12"], ["T03", "张敏", ""], to_round=False)
    first, second, third = (desk.person(number) for number in ("T01", "T02", "T03"))
    assert people.conflicting_with(session, person_id=first.id) == {first.id, second.id}
    assert people.conflicting_with(session, person_id=third.id) == {third.id}
    assert session.scalars(waiting).all() == [desk.school.round.id]
    session.scalars(select(DueWork).where(DueWork.kind == WorkKind.ALLOCATE_REVIEWS)).one().done_at = now()
    desk.take(SheetKind.ROSTER, header, ["T01", "王芳芳", 12], to_round=False)
    assert session.scalars(waiting).all() == []


def test_roster_of_the_school_alone_enrols_nobody(desk):
    before = desk.session.scalar(select(func.count()).select_from(Enrolment))
    desk.take(SheetKind.ROSTER, ["工号", "姓名"], ["N1", "林一"], to_round=False)
    assert desk.session.scalar(select(func.count()).select_from(Enrolment)) == before


def test_roster_with_mistakes_brings_nothing_and_names_every_one(desk):
    problems = desk.refused(
        SheetKind.ROSTER,
        ROSTER,
        ["N1", "林一", "", "", "新坊", "", "", "", ""],
        ["N2", "", "", "", "", "", "", "", ""],
        ["N1", "林三", "", "", "", "", "", "", ""],
        ["N4", "林四", "", "", "", "班主任", "", "明年", ""],
        [123456789012345678, "林五", "", "", "", "", "", "", ""],
        ["", "林六", "", "", "", "", "", "", ""],
        ["N7", "林七", "", "", "", "学科专家", "", "", "病休"],
        ["", "林八", "", "", "", "", "", "", ""],
    )
    assert problems == {
        "3": ["第3行“姓名”不能为空。"],
        "4": ["第4行“工号”与第2行重复。"],
        "5": [
            "第5行“角色”里没有“班主任”，可填：教师、坊主、校级管理员、学科专家。",
            "第5行“退休日期”“明年”不是日期，应写成 2022-03-01 的样子。",
        ],
        "6": ["第6行“工号”是数字格式，末位已丢失：请把该列设为文本后重新填写"],
        "7": ["第7行“工号”不能为空。"],
        "8": ["第8行“免训原因”只适用于教师。"],
        "9": ["第9行“工号”不能为空。"],
    }
    assert desk.audited() == ("sheet.refuse", {"problems": 7})


def test_the_sheet_of_problems_holds_the_users_own_rows(desk):
    brought = desk.bring(SheetKind.ROSTER, ["姓名", "工号", "备注"], ["林一", "N1", "=1"], ["", "N2", "乙"])
    book = python_calamine.load_workbook(io.BytesIO(read(desk.storage, brought.problems_key)))
    assert book.get_sheet_by_index(0).to_python() == [
        ["姓名", "工号", "备注", "问题"],
        ["林一", "N1", "=1", ""],
        ["", "N2", "乙", "第3行“姓名”不能为空。"],
    ]


def test_an_exemption_needs_a_round_and_work_not_yet_sealed(desk):
    header = ["工号", "姓名", "免训原因"]
    assert desk.refused(SheetKind.ROSTER, header, ["T01", "王芳", "病休"], to_round=False) == {
        "2": ["第2行“免训原因”只能在导入某个考核轮次时填写。"]
    }
    school = desk.school.open()
    school.ready(school.teachers[0])
    school.seal(school.teachers[0])
    problems = desk.refused(SheetKind.ROSTER, header, ["N9", "新人", ""], ["T01", "王芳", "病休"])
    assert problems == {"3": ["第3行“免训原因”不能采用：不能设为免训：已有封存的成果"]}
    assert school.enrolment(school.teachers[0]).state is EnrolmentState.SELECTED


def standing(desk: Desk) -> list[tuple[str, str, str, bool]]:
    rows = desk.session.scalars(select(Hours).order_by(Hours.id))
    return [(row.ledger, str(row.hours), row.key, row.struck_at is None) for row in rows]


def test_hours_by_every_name_of_a_ledger(desk):
    names = [ledger.name_zh for ledger in desk.school.scheme.hours.ledgers]
    words = ["total", "practice", *names, "总学时", "实践学时"]
    desk.take(SheetKind.HOURS, HOURS, *(["T01", word, 1.5, "进修校", f"k{n}"] for n, word in enumerate(words)))
    assert [ledger for ledger, *_ in standing(desk)] == ["total", "practice"] * 3
    row = desk.session.scalars(select(Hours).limit(1)).one()
    assert (row.hours, row.source, row.recorded_by_id) == (Decimal("1.50"), "进修校", desk.school.admin.id)


def test_hours_again_change_nothing_and_another_value_supersedes(desk):
    desk.take(SheetKind.HOURS, HOURS, ["T01", "total", 25, "县", "k1"], ["T01", "practice", 10, "县", "k1"])
    desk.take(SheetKind.HOURS, HOURS, ["T01", "total", "25.00", "县", "k1"])
    assert desk.audited() == ("sheet.take", {"added": 0, "superseded": 0, "unchanged": 1})
    desk.take(SheetKind.HOURS, HOURS, ["T01", "total", 30, "县", "k1"])
    assert desk.audited() == ("sheet.take", {"added": 0, "superseded": 1, "unchanged": 0})
    assert standing(desk) == [
        ("total", "25.00", "k1", False),
        ("practice", "10.00", "k1", True),
        ("total", "30.00", "k1", True),
    ]


def test_wrong_hours(desk):
    names = "、".join(ledger.name_zh for ledger in desk.school.scheme.hours.ledgers)
    problems = desk.refused(
        SheetKind.HOURS,
        HOURS,
        ["T01", "total", 25, "县", "k1"],
        ["T01", "总学时", 26, "县", "k1"],
        ["X99", "total", 25, "县", "k1"],
        ["T02", "校外", 25, "县", "k1"],
        ["T02", "total", -1, "县", "k2"],
        ["T02", "total", 1.255, "县", "k3"],
        ["", "total", 1, "县", "k3"],
        ["T02", "total", 1, "县", ""],
    )
    assert problems == {
        "3": ["第3行“编号”与第2行重复。"],
        "4": ["第4行“工号”“X99”不在本轮考核的名单里。"],
        "5": [f"第5行“账本”里没有“校外”，可填：{names}。"],
        "6": ["第6行“学时”不能小于0。"],
        "7": ["第7行“学时”最多两位小数。"],
        "8": ["第8行“工号”不能为空。"],
        "9": ["第9行“编号”不能为空。"],
    }


def test_attendance_is_recorded_and_told_to_the_teacher_alone(desk):
    desk.take(
        SheetKind.ATTENDANCE,
        ATTENDANCE,
        ["T01", "2026-03-01", "迟到", "签到表", "a1"],
        ["T01", "2026-03-02", "旷到", "签到表", "a2"],
        ["T02", "2026-03-02", "请假", "假条", "a2"],
        ["T02", "2026-02-27", "迟交", "收件记录", "a3"],
    )
    facts = desk.session.scalars(select(Adjustment).order_by(Adjustment.id)).all()
    assert [(fact.kind, fact.happened_on, fact.approved_leave, fact.key) for fact in facts] == [
        (AdjustmentKind.LATE_ARRIVAL, date(2026, 3, 1), False, "a1"),
        (AdjustmentKind.ABSENCE, date(2026, 3, 2), False, "a2"),
        (AdjustmentKind.ABSENCE, date(2026, 3, 2), True, "a2"),
        (AdjustmentKind.LATE_MATERIAL, date(2026, 2, 27), False, "a3"),
    ]
    assert {(fact.state, fact.points, fact.recorded_by_id) for fact in facts} == {
        (AdjustmentState.NOTIFIED, None, desk.school.admin.id)
    }
    told = desk.session.scalars(select(Message).order_by(Message.id)).all()
    first, second = desk.school.teachers[:2]
    assert [message.person_id for message in told] == [first.id, first.id, second.id, second.id]
    assert told[0].text == "为您登记了：2026-03-01 迟到（证明：签到表）。如有异议，请在定等之前提出申辩。"
    due = desk.session.scalars(select(DueWork.subject_id).where(DueWork.kind == WorkKind.DELIVER_MESSAGES)).all()
    assert sorted(due) == [first.id, second.id]


def test_attendance_again_changes_nothing_and_tells_nobody_twice(desk):
    row = ["T01", "2026-03-01", "迟到", "签到表", "a1"]
    desk.take(SheetKind.ATTENDANCE, ATTENDANCE, row)
    before = desk.counted()
    desk.take(SheetKind.ATTENDANCE, ATTENDANCE, row)
    assert desk.counted() == before
    assert desk.audited() == ("sheet.take", {"added": 0, "unchanged": 1})


@pytest.mark.parametrize(("on", "what"), [("2026-02-28", "迟到"), ("2026-03-01", "旷到")])
def test_another_fact_under_a_known_key_is_refused(desk, on, what):
    desk.take(SheetKind.ATTENDANCE, ATTENDANCE, ["T01", "2026-03-01", "迟到", "签到表", "a1"])
    assert desk.refused(SheetKind.ATTENDANCE, ATTENDANCE, ["T01", on, what, "签到表", "a1"]) == {
        "2": ["第2行“编号”“a1”已登记为另一件事（2026-03-01）。请换一个编号；如要更正，先撤销原来的登记。"]
    }


def test_wrong_attendance(desk):
    desk.take(SheetKind.ROSTER, ["工号", "姓名", "免训原因"], ["T03", "张敏", "病休"])
    problems = desk.refused(
        SheetKind.ATTENDANCE,
        ATTENDANCE,
        ["T01", "2026-03-03", "迟到", "签到表", "a1"],
        ["T01", "2026-03-01", "早退", "签到表", "a2"],
        ["T03", "2026-03-01", "迟到", "签到表", "a3"],
        ["T02", "2026-03-01", "迟到", "", "a3"],
        ["T02", "2026-03-02", "迟到", "签到表", "a4"],
        ["T02", "2026-03-02", "旷到", "签到表", "a4"],
    )
    assert problems == {
        "2": ["第2行“日期”2026-03-03还没有到。"],
        "3": ["第3行“情况”里没有“早退”，可填：迟到、旷到、迟交、请假。"],
        "4": ["第4行“工号”“T03”本轮免训，不登记扣分和加分。"],
        "5": ["第5行“证明”不能为空。"],
        "7": ["第7行“编号”与第6行重复。"],
    }


def test_awards_with_their_points(desk):
    desk.take(SheetKind.AWARDS, AWARDS, ["T01", "2026-03-01", 3, "市赛证书", "w1"])
    fact = desk.session.scalars(select(Adjustment)).one()
    assert (fact.kind, fact.points, fact.state) == (AdjustmentKind.AWARD, Decimal("3.00"), AdjustmentState.NOTIFIED)
    message = desk.session.scalars(select(Message)).one()
    assert message.text == "为您登记了：2026-03-01 加分3分（证明：市赛证书）。如有异议，请在定等之前提出申辩。"
    desk.take(SheetKind.AWARDS, AWARDS, ["T01", "2026-03-01", "3.00", "市赛证书", "w1"])
    assert desk.audited() == ("sheet.take", {"added": 0, "unchanged": 1})
    assert desk.refused(SheetKind.AWARDS, AWARDS, ["T01", "2026-03-01", 4, "市赛证书", "w1"]) == {
        "2": ["第2行“编号”“w1”已登记为另一件事（2026-03-01）。请换一个编号；如要更正，先撤销原来的登记。"]
    }
    assert desk.refused(SheetKind.AWARDS, AWARDS, ["T01", "2026-03-01", 0, "市赛证书", "w2"]) == {
        "2": ["第2行“加分”应大于0。"]
    }


def test_an_award_and_an_absence_may_share_a_key(desk):
    desk.take(SheetKind.AWARDS, AWARDS, ["T01", "2026-03-01", 3, "证书", "k"])
    desk.take(SheetKind.ATTENDANCE, ATTENDANCE, ["T01", "2026-03-01", "迟到", "签到表", "k"])
    assert desk.session.scalar(select(func.count()).select_from(Adjustment)) == 2


def test_nothing_is_recorded_once_the_grade_is_confirmed(desk, clock):
    school = desk.school.open().whole()
    row = ["T01", "2026-03-01", "迟到", "签到表", "a1"]
    desk.take(SheetKind.ATTENDANCE, ATTENDANCE, row)
    clock.day(4, 6)
    advance.advance(desk.session, round_=school.round)
    school.compose()
    desk.take(SheetKind.ATTENDANCE, ATTENDANCE, row)
    results.confirm_all(desk.session, actor=school.members[0], round_=school.round)
    assert desk.refused(SheetKind.ATTENDANCE, ATTENDANCE, ["T01", "2026-03-02", "旷到", "签到表", "a2"]) == {
        "2": ["第2行“工号”“T01”的等级已经确定，不能再登记。"]
    }
    desk.take(SheetKind.ATTENDANCE, ATTENDANCE, row)
