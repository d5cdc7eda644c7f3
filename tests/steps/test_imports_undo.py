"""A look before, and a step back after."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import func, select

from models import Adjustment, AuditEvent, Enrolment, Fact, Hours, Message, Person, Role, SheetImport, Workshop
from review_flow import schemes as scheme_files
from review_flow.clock import now
from review_flow.errors import NotAllowed
from review_flow.outside.spreadsheets import Row, Sheet
from review_flow.outside.storage import MemoryStorage
from review_flow.rules.lifecycle import EnrolmentState
from review_flow.rules.words import AdjustmentState, JobState, SheetKind
from review_flow.steps import adjustments, advance, imports, imports_undo, people, results
from review_flow.steps.imports_tables import TABLES
from review_flow.steps.imports_undo import NotTakenBack
from review_flow.steps.imports_written import Written, listening, preview
from tests.cast import Clock, School
from tests.sheets import bring

ROSTER = ["工号", "姓名", "学科", "工作坊", "退休日期", "免训原因"]
HOURS = ["工号", "账本", "学时", "来源", "编号"]
PROGRESS = ["工号", "类别", "项目", "结果", "来源", "编号"]
ATTENDANCE = ["工号", "日期", "情况", "证明", "编号"]


class Desk:
    def __init__(self, school: School) -> None:
        self.school, self.session, self.storage = school, school.session, MemoryStorage()

    def bring(self, kind: SheetKind, header, *rows, look=False, to_round=True) -> SheetImport:
        return bring(self.school, kind, header, *rows, storage=self.storage, look=look, to_round=to_round)

    def run(self, brought: SheetImport) -> None:
        imports.run(self.session, sheet_import=brought, storage=self.storage)

    def undo(self, brought: SheetImport, actor: Person | None = None) -> None:
        imports_undo.take_back(self.session, actor=actor or self.school.admin, sheet_import=brought)

    def refused(self, brought: SheetImport) -> str:
        with pytest.raises(NotTakenBack) as no:
            self.undo(brought)
        assert brought.state is JobState.DONE
        return str(no.value)

    def counted(self) -> list[int]:
        tables = (Person, Role, Workshop, Enrolment)
        return [self.session.scalar(select(func.count()).select_from(one)) for one in tables]


@pytest.fixture
def desk(school: School) -> Desk:
    return Desk(school)


def test_a_look_says_what_each_row_would_do_and_does_nothing(desk: Desk) -> None:
    before = desk.counted()
    desk.school.teachers[2].retires_on = date(2030, 1, 1)
    seen = desk.bring(
        SheetKind.ROSTER,
        ROSTER,
        ["N1", "新人", "美术", "美术坊"],
        ["T01", "王芳", "化学"],
        ["T02", "李伟", "语文"],
        ["T03", "张敏", "数学", "", "2031-07-31"],
        look=True,
    )
    assert (seen.state, seen.made, desk.counted()) == (JobState.LOOKED, None, before)
    assert seen.preview["counts"] == {"new": 1, "changed": 2, "same": 1}
    assert [(one["row"], one["what"], one["told"]) for one in seen.preview["rows"]] == [
        (2, "new", []),
        (3, "changed", [{"name": "学科", "was": "物理", "now": "化学"}]),
        (4, "same", []),
        (5, "changed", [{"name": "退休日期", "was": "2030-01-01", "now": "2031-07-31"}]),
    ]
    assert seen.preview["rows"][0]["cells"] == ["N1", "新人", "美术", "美术坊", "", ""]


def test_a_long_sheet_is_not_gone_through_again_for_each_row(desk: Desk) -> None:
    class Counted(list):
        passes = 0

        def __iter__(self):
            self.passes += 1
            return super().__iter__()

    found = Written(desk.session, added=Counted(), changed=Counted())
    rows = [Row(number, {}, ()) for number in (2, 3, 4)]
    with listening(found):
        for row in found.each(rows):
            desk.session.add(Workshop(organization_id=desk.school.organization.id, name=f"{row.number}坊"))
            desk.school.teachers[0].subject = f"科{row.number}"
    seen = preview(found, Sheet([], rows), TABLES[SheetKind.ROSTER])
    assert [one["what"] for one in seen["rows"]] == ["changed", "changed", "changed"]
    assert (found.added.passes, found.changed.passes) == (1, 1)


def test_what_was_looked_through_is_taken_or_left_on_a_word(desk: Desk) -> None:
    seen = desk.bring(SheetKind.ROSTER, ROSTER, ["N1", "新人"], look=True)
    with pytest.raises(NotAllowed):
        imports.take(desk.session, actor=desk.school.teachers[0], sheet_import=seen)
    imports.take(desk.session, actor=desk.school.admin, sheet_import=seen)
    with pytest.raises(imports.NothingToTake) as no:
        imports.leave(desk.session, actor=desk.school.admin, sheet_import=seen)
    assert str(no.value) == "这张表现在是“等待”，不能这样做。"
    desk.run(seen)
    assert (seen.state, seen.preview["counts"]["new"]) == (JobState.DONE, 1)
    left = desk.bring(SheetKind.ROSTER, ROSTER, ["N2", "又一位"], look=True)
    imports.leave(desk.session, actor=desk.school.admin, sheet_import=left)
    desk.run(left)
    assert left.state is JobState.TAKEN_BACK
    numbers = desk.session.scalars(select(Person.number).where(Person.number.startswith("N"))).all()
    assert numbers == ["N1"]


def test_a_look_finds_what_is_wrong_at_once(desk: Desk) -> None:
    seen = desk.bring(SheetKind.HOURS, HOURS, ["T09", "total", "3", "县", "k"], look=True)
    assert (seen.state, seen.preview, seen.problems) == (
        JobState.REFUSED,
        None,
        {"2": ["第2行“工号”“T09”不在本轮考核的名单里。"]},
    )


def test_people_are_taken_back_as_if_they_had_never_come(desk: Desk) -> None:
    before = desk.counted()
    physics, exempt = desk.school.teachers[0], desk.school.teachers[1]
    brought = desk.bring(
        SheetKind.ROSTER,
        ROSTER,
        ["N1", "新人", "美术", "美术坊", "2031-07-31", "外出"],
        ["T01", "王芳", "化学", "美术坊", "2040-01-01"],
        ["T02", "李伟", "语文", "", "", "病假"],
    )
    assert desk.counted() == [before[0] + 1, before[1] + 1, before[2] + 1, before[3] + 1]
    desk.undo(brought)
    assert (desk.counted(), brought.state) == (before, JobState.TAKEN_BACK)
    assert (physics.subject, physics.workshop_id, physics.retires_on) == ("物理", None, None)
    enrolment = desk.school.enrolment(exempt)
    assert (enrolment.state, enrolment.exempt_reason) == (EnrolmentState.REGISTERED, None)
    assert (brought.taken_back_by_id, brought.taken_back_at) == (desk.school.admin.id, now())
    last = desk.session.scalars(select(AuditEvent.deed).order_by(AuditEvent.id.desc()).limit(1)).one()
    assert last == "sheet.take_back"
    again = desk.bring(SheetKind.ROSTER, ROSTER, ["N1", "新人"], to_round=False)
    desk.undo(again)
    assert (again.state, desk.counted()) == (JobState.TAKEN_BACK, before)


def test_hours_are_struck_and_what_they_superseded_stands_again(desk: Desk) -> None:
    def standing() -> list[str]:
        return [str(one) for one in desk.session.scalars(select(Hours.hours).where(Hours.struck_at.is_(None)))]

    first = desk.bring(SheetKind.HOURS, HOURS, ["T01", "total", "3", "县", "k"])
    wrong = desk.bring(SheetKind.HOURS, HOURS, ["T01", "total", "30", "县", "k"], look=True)
    assert wrong.preview["rows"][0]["told"] == [{"name": "学时", "was": "3.00", "now": "30"}]
    imports.take(desk.session, actor=desk.school.admin, sheet_import=wrong)
    desk.run(wrong)
    assert standing() == ["30.00"]
    assert desk.refused(first) == "不能撤销这次导入：之后又导入过别的表，请先撤销后来的。"
    desk.undo(wrong)
    assert (standing(), len(desk.session.scalars(select(Hours)).all())) == (["3.00"], 2)
    desk.bring(SheetKind.HOURS, HOURS, ["T01", "total", "30", "县", "k"])
    assert standing() == ["30.00"]


def test_a_fact_says_who_took_it_back_and_why(session, clock: Clock) -> None:
    desk = Desk(School(session, teachers=1, scheme=scheme_files.load("fuqing-30"), abilities=()))
    brought = desk.bring(SheetKind.PROGRESS, PROGRESS, ["T01", "到场", "off1", "到场", "校", "k"])
    desk.undo(brought)
    [fact] = session.scalars(select(Fact))
    assert (fact.struck_at, fact.struck_by_id) == (now(), desk.school.admin.id)
    assert fact.struck_reason == "登记有误，导入已撤销"


def test_attendance_is_struck_told_and_can_be_brought_again(desk: Desk, clock: Clock) -> None:
    clock.day(3, 6)
    row = ["T01", "2026-03-05", "迟到", "签到表", "k"]
    brought = desk.bring(SheetKind.ATTENDANCE, ATTENDANCE, row)
    desk.undo(brought)
    fact = desk.session.scalars(select(Adjustment)).one()
    assert (fact.state, fact.decision_reason) == (AdjustmentState.STRUCK, "登记有误，导入已撤销")
    told = desk.session.scalars(select(Message.text).order_by(Message.id.desc()).limit(1)).one()
    assert told == "之前为您登记的（2026-03-05，证明：签到表）已撤销。"
    again = desk.bring(SheetKind.ATTENDANCE, ATTENDANCE, row)
    facts = desk.session.scalars(select(Adjustment).order_by(Adjustment.id)).all()
    assert [one.state for one in facts] == [AdjustmentState.STRUCK, AdjustmentState.NOTIFIED]
    adjustments.contest(desk.session, actor=desk.school.teachers[0], adjustment=facts[1], reason="没有迟到")
    assert desk.refused(again) == "不能撤销这次导入：已有教师对其中的登记提出异议，或已处理。"


def test_what_was_never_taken_is_not_taken_back(desk: Desk) -> None:
    seen = desk.bring(SheetKind.ROSTER, ROSTER, ["N1", "新人"], look=True)
    with pytest.raises(NotTakenBack) as no:
        desk.undo(seen)
    assert str(no.value) == "不能撤销这次导入：它没有导入任何内容。"
    brought = desk.bring(SheetKind.ROSTER, ROSTER, ["N1", "新人"])
    with pytest.raises(NotAllowed):
        desk.undo(brought, actor=desk.school.teachers[0])


def test_nothing_is_taken_back_that_something_rests_on(desk: Desk) -> None:
    school = desk.school
    brought = desk.bring(SheetKind.ROSTER, ROSTER, ["N1", "新人", "美术"], ["T01", "王芳", "化学"])
    new = people.person_by_number(desk.session, organization_id=school.organization.id, number="N1")
    conflict = people.declare_conflict(
        desk.session, actor=school.admin, one=new, other=school.teachers[0], reason="亲属"
    )
    assert desk.refused(brought) == "不能撤销这次导入：导入的人员已有后续记录（conflict）。"
    desk.session.delete(conflict)
    school.teachers[0].subject = "生物"
    desk.session.flush()
    assert desk.refused(brought) == "不能撤销这次导入：它改过的内容后来又有改动。"
    assert new.active is True


def test_what_a_confirmed_grade_counts_stays(marked: School, clock: Clock) -> None:
    desk = Desk(marked)
    brought = desk.bring(SheetKind.HOURS, HOURS, ["T01", "total", "3", "县", "k"])
    clock.day(4, 4)
    advance.advance(marked.session, round_=marked.round)
    marked.compose()
    results.confirm_all(marked.session, actor=marked.members[0], round_=marked.round)
    assert desk.refused(brought) == "不能撤销这次导入：已有教师的等级确定，依据的就是它。"


def test_what_was_struck_since_is_not_struck_again(desk: Desk) -> None:
    brought = desk.bring(SheetKind.HOURS, HOURS, ["T01", "total", "3", "县", "k"])
    desk.session.scalars(select(Hours)).one().struck_at = now()
    assert desk.refused(brought) == "不能撤销这次导入：其中的登记已被后来的取代。"
    assert desk.session.scalars(select(Fact)).all() == []
