from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from models import Adjustment, DueWork, Message
from review_flow import schemes as scheme_files
from review_flow.clock import now
from review_flow.errors import BadInput, NotAllowed
from review_flow.rules.lifecycle import EnrolmentState, ResultState
from review_flow.rules.words import AdjustmentKind, AdjustmentState, SeatKind, WorkKind
from review_flow.steps import adjustments, advance, facts, rounds
from review_flow.steps.adjustments import AlreadyDecided, NotPriced, Told, TooLateToContest, TooLateToRecord
from tests.cast import Clock, School


def noted(
    school: School, *, kind: AdjustmentKind = AdjustmentKind.ABSENCE, key: str = "1", teacher: int = 0, **names
) -> Adjustment:
    made = Adjustment(
        enrolment_id=school.enrolment(school.teachers[teacher]).id,
        kind=kind,
        happened_on=date(2026, 3, 4),
        proof="签到表",
        key=key,
        state=AdjustmentState.NOTIFIED,
        recorded_by_id=school.admin.id,
        recorded_at=now(),
        notified_at=now(),
        **names,
    )
    school.session.add(made)
    school.session.flush()
    return made


def contest(school: School, adjustment: Adjustment, *, actor=None, reason: str = "那天请了假") -> None:
    adjustments.contest(school.session, actor=actor or school.teachers[0], adjustment=adjustment, reason=reason)


def decide(
    school: School, adjustment: Adjustment, *, actor=None, stands: bool = True, reason: str = "查无假条"
) -> None:
    adjustments.decide(
        school.session, actor=actor or school.members[0], adjustment=adjustment, stands=stands, reason=reason
    )


def events(school: School) -> list[dict]:
    return facts.record_of(school.session, enrolment=school.enrolment(school.teachers[0]))["events"]


def told(school: School) -> list[str]:
    query = select(Message.text).where(Message.person_id == school.teachers[0].id, Message.kind == "adjustment.decided")
    return list(school.session.scalars(query))


def test_a_contested_fact_counts_for_nothing_until_it_is_decided(school: School) -> None:
    absence = noted(school)
    assert [(one["kind"], one["contested"]) for one in events(school)] == [("absence", False)]
    contest(school, absence)
    assert (absence.state, absence.contest_reason) == (AdjustmentState.CONTESTED, "那天请了假")
    assert [one["contested"] for one in events(school)] == [True]
    sentence = "有一条扣分记录被提出异议，决定之前该教师的等级不能确定，请考核组处理：那天请了假"
    asked = select(Message.person_id, Message.text).where(Message.kind == "adjustment.contested").order_by(Message.id)
    assert school.session.execute(asked).all() == [(one.id, sentence) for one in school.members]
    decide(school, absence)
    assert (absence.state, absence.decided_by_id) == (AdjustmentState.CONFIRMED, school.members[0].id)
    assert absence.decision_reason == "查无假条"
    assert [one["contested"] for one in events(school)] == [False]
    assert told(school) == ["您对扣分记录的异议已处理：维持。查无假条"]
    due = school.session.scalars(select(DueWork.subject_id).where(DueWork.kind == WorkKind.FINALISE_ROUND))
    assert list(due) == [school.round.id]


def test_a_struck_fact_is_gone_from_the_record_and_kept_in_the_books(school: School) -> None:
    absence = noted(school)
    contest(school, absence)
    decide(school, absence, stands=False, reason="假条属实")
    assert absence.state is AdjustmentState.STRUCK
    assert events(school) == []
    assert told(school) == ["您对扣分记录的异议已处理：撤销该记录。假条属实"]
    assert list(school.session.scalars(select(Adjustment))) == [absence]


def test_only_the_teacher_it_is_about_contests_it(school: School) -> None:
    absence = noted(school)
    for actor in (school.teachers[1], school.admin, school.members[0]):
        with pytest.raises(NotAllowed) as no:
            contest(school, absence, actor=actor)
        assert str(no.value) == "您没有权限做这件事：这是另一位教师的记录。"
    assert absence.state is AdjustmentState.NOTIFIED


def test_an_objection_and_a_decision_need_a_reason(school: School) -> None:
    absence = noted(school)
    with pytest.raises(BadInput) as no:
        contest(school, absence, reason=" ")
    assert (no.value.status, str(no.value)) == (422, "理由：请写明异议的理由。")
    contest(school, absence)
    with pytest.raises(BadInput) as no:
        decide(school, absence, reason="\n")
    assert str(no.value) == "理由：请写明决定的理由。"
    assert absence.state is AdjustmentState.CONTESTED


def test_a_decision_stands(school: School) -> None:
    absence = noted(school)
    sentence = "这条记录已有决定，不能重复处理。"
    with pytest.raises(AlreadyDecided) as no:
        decide(school, absence)
    assert (no.value.status, str(no.value)) == (409, sentence)
    contest(school, absence)
    with pytest.raises(AlreadyDecided):
        contest(school, absence)
    decide(school, absence)
    with pytest.raises(AlreadyDecided) as no:
        contest(school, absence)
    assert str(no.value) == sentence
    with pytest.raises(AlreadyDecided):
        decide(school, absence, stands=False)


def test_only_a_member_who_is_not_concerned_decides(school: School) -> None:
    absence = noted(school)
    absence.recorded_by_id = school.members[1].id
    contest(school, absence)
    for actor in (school.admin, school.reserve, school.arbiter, school.hearers[0], school.teachers[1]):
        with pytest.raises(NotAllowed) as no:
            decide(school, absence, actor=actor)
        assert str(no.value) == "您没有权限做这件事：这需要考核组成员的席位。"
    rounds.seat(
        school.session, actor=school.admin, round_=school.round, person=school.teachers[0], kind=SeatKind.MEMBER
    )
    for actor in (school.teachers[0], school.members[1]):
        with pytest.raises(NotAllowed) as no:
            decide(school, absence, actor=actor)
        assert str(no.value) == "您没有权限做这件事：应回避本人或自己登记的记录。"
    decide(school, absence)


def test_after_the_grade_is_confirmed_an_appeal_is_the_way(marked: School, clock: Clock) -> None:
    advance.advance(marked.session, round_=marked.round)
    absence = noted(marked)
    clock.day(3, 10)
    (result, *_others) = marked.compose()
    result.state, result.grade = ResultState.BANDED, result.proposed_grade
    with pytest.raises(TooLateToContest) as no:
        contest(marked, absence)
    assert (no.value.status, str(no.value)) == (409, "等级已经确定，不能再对扣分提出异议；可在申诉期内申诉。")


def test_an_award_is_a_fact_like_the_others(school: School) -> None:
    award = noted(school, kind=AdjustmentKind.AWARD, points=Decimal(3))
    record = facts.record_of(school.session, enrolment=school.enrolment(school.teachers[0]))
    assert (record["events"], record["awards"]) == ([], ["3.00"])
    contest(school, award, reason="应为5分")
    record = facts.record_of(school.session, enrolment=school.enrolment(school.teachers[0]))
    assert (record["events"], record["awards"]) == ([], [])


def test_a_result_that_is_only_composed_leaves_the_way_open(marked: School, clock: Clock) -> None:
    advance.advance(marked.session, round_=marked.round)
    absence = noted(marked)
    clock.day(3, 10)
    marked.compose()
    contest(marked, absence)
    assert absence.state is AdjustmentState.CONTESTED


def told_of(kind: AdjustmentKind = AdjustmentKind.ABSENCE, **names) -> Told:
    return Told(kind, names.pop("on", date(2026, 3, 2)), names.pop("proof", "签到表"), names.pop("key", "k1"), **names)


def add(school: School, told: Told | None = None, *, actor=None) -> Adjustment:
    enrolment = school.enrolment(school.teachers[0])
    return adjustments.add(
        school.session, actor=actor or school.members[0], enrolment=enrolment, told=told or told_of()
    )


def test_a_fact_is_recorded_once_and_told(marked: School) -> None:
    made = add(marked)
    assert (made.state, made.recorded_by_id, made.points) == (AdjustmentState.NOTIFIED, marked.members[0].id, None)
    assert add(marked, told_of(proof="另一份")) is made
    award = add(marked, told_of(AdjustmentKind.AWARD, points=Decimal("2.50")), actor=marked.admin)
    assert award.points == Decimal("2.50")
    add(marked, told_of(key="k2", approved_leave=True))
    texts = select(Message.text).where(Message.kind == "adjustment.notified").order_by(Message.id)
    assert marked.session.scalars(texts).all() == [
        f"为您登记了：2026-03-02 {what}（证明：签到表）。如有异议，请在定等之前提出申辩。"
        for what in ("旷到", "加分2.5分", "请假")
    ]


def test_what_a_fact_would_change_is_seen_before_and_kept_nowhere(marked: School) -> None:
    enrolment = marked.enrolment(marked.teachers[0])

    def effect(told: Told) -> tuple[Decimal | None, Decimal | None, list[str]]:
        found = adjustments.effect(marked.session, actor=marked.members[0], enrolment=enrolment, told=told)
        return found.before.score, found.after.score, [line.points for line in found.lines]

    assert effect(told_of()) == (Decimal("85.00"), Decimal("80.00"), ["-5.00", "0.00"])
    before, after, _lines = effect(told_of(AdjustmentKind.AWARD, points=Decimal(2)))
    assert (before, after) == (Decimal("85.00"), Decimal("87.00"))
    assert effect(told_of(approved_leave=True))[:2] == (Decimal("85.00"), Decimal("85.00"))
    assert marked.session.scalars(select(Adjustment)).all() == []


def test_who_may_record_what(marked: School, clock: Clock) -> None:
    session = marked.session
    for actor in (marked.teachers[1], marked.reserve):
        with pytest.raises(NotAllowed):
            add(marked, actor=actor)
    rounds.seat(session, actor=marked.admin, round_=marked.round, person=marked.teachers[0], kind=SeatKind.MEMBER)
    with pytest.raises(NotAllowed, match="回避"):
        add(marked, actor=marked.teachers[0])
    wrong = (told_of(on=date(2027, 1, 1)), told_of(proof=" "), told_of(points=Decimal(1)))
    awards = (told_of(AdjustmentKind.AWARD), told_of(AdjustmentKind.AWARD, points=Decimal(0)))
    for told in (*wrong, *awards):
        with pytest.raises(BadInput):
            add(marked, told)
    enrolment = marked.enrolment(marked.teachers[0])
    state, enrolment.state = enrolment.state, EnrolmentState.EXEMPT
    enrolment.exempt_reason = "病假"
    with pytest.raises(NotAllowed, match="免训"):
        add(marked)
    enrolment.state = state
    clock.day(4, 4)
    advance.advance(session, round_=marked.round)
    [first, *_others] = marked.compose()
    first.state, first.grade = ResultState.BANDED, first.proposed_grade
    session.flush()
    with pytest.raises(TooLateToRecord):
        add(marked)
    first.state, first.grade = ResultState.COMPOSED, None


def test_a_scheme_without_prices_records_nothing(session, clock: Clock) -> None:
    bare = scheme_files.load("fuqing-30")
    assert adjustments.kinds_of(bare) == []
    school = School(session, teachers=1, scheme=bare, abilities=()).open()
    with pytest.raises(NotPriced, match="旷到"):
        add(school)
