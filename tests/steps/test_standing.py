"""Where a round stands, phase by phase: who is waited for and why."""

from __future__ import annotations

from datetime import date

import pytest

from models import Adjustment, Person
from review_flow.clock import now
from review_flow.rules.lifecycle import EnrolmentState, ResultState, SubmissionState
from review_flow.rules.words import AdjustmentKind, AdjustmentState
from review_flow.steps import adjustments, advance, appeals, evidence, results, standing, submissions
from tests.cast import CHOICE, School, kept


def said(school: School, person: Person | None = None) -> list[tuple[str, str]]:
    """Who, why; of one person, or of everybody."""
    if person is None:
        return [(one.who, one.why) for one in standing.waits(school.session, round_=school.round)]
    return [(one.who, one.why) for one in standing.waits_for(school.session, person=person, round_=school.round)]


def sealed(school: School, *, present: bool | None = True) -> School:
    for person in school.teachers:
        school.ready(person)
        school.seal(person, present=present)
    return school


def test_before_it_opens_a_round_waits_for_what_it_lacks(school: School) -> None:
    assert said(school) == []
    school.round.abilities = ["A1"]
    assert {who for who, _why in said(school)} == {"校级管理员"}
    assert said(school, school.admin) == []


def test_a_teacher_is_waited_for_step_by_step(school: School) -> None:
    from review_flow.steps import enrolments

    person = school.teachers[0]
    school.open()
    enrolment = school.enrolment(person)
    assert said(school, person) == [("王芳", "还没有阅读方案")]
    enrolments.acknowledge(school.session, actor=person, enrolment=enrolment)
    assert said(school, person) == [("王芳", "还没有完成自测")]
    enrolments.self_test(school.session, actor=person, enrolment=enrolment)
    assert said(school, person) == [("王芳", "还没有选择微能力")]
    works = enrolments.choose(school.session, actor=person, enrolment=enrolment, abilities=CHOICE)
    lacking = said(school, person)
    assert [why.partition("：")[0] for _who, why in lacking] == [
        f"{one.ability}（成果{one.id}）还不能封存" for one in works
    ]
    school.fill(works[0])
    assert said(school, person)[0] == ("王芳", f"A1（成果{works[0].id}）还没有封存")
    submissions.seal(school.session, actor=person, submission=works[0], own_work=True)
    assert said(school, person)[0] == (
        "王芳",
        f"A1（成果{works[0].id}）已封存，还不能提交：完成规定学时（总学时0学时，应不少于50学时，实践应用学时0学时，应不少于25学时且不少于应修学时的50%）：未通过",
    )


def test_until_when_is_said_as_on_the_teacher_s_own_page(school: School, clock) -> None:
    school.open()

    def until() -> set[object]:
        return {one.until for one in standing.waits(school.session, round_=school.round)}

    assert until() == {school.round.submit_due_at}
    clock.day(3, 21)
    assert until() == {school.round.hard_close_at}


def test_a_sealed_work_waits_for_the_duty_then_for_a_click(school: School) -> None:
    school.open()
    sealed(school).allocate()
    person = school.teachers[0]
    whys = [why for _who, why in said(school, person)]
    assert whys[0].endswith("已封存，还差9次互评才能提交")
    assert whys[-1] == "9份互评没有完成"
    school.do_reviews(person)
    assert [why.partition("）")[2] for _who, why in said(school, person)] == ["已封存，可以提交了"] * 3


def test_submitted_works_wait_for_the_check_then_for_people(school: School) -> None:
    school.open()
    sealed(school, present=None).allocate()
    person = school.teachers[0]
    school.do_reviews(person)
    first = submitted(school, person)
    voter = school.members[0]
    assert (f"A1（成果{first.id}）等待有效性认定") in [why for who, why in said(school) if who == "考核组成员"]
    agenda = standing.agenda(school.session, person=voter, round_=school.round)
    assert [one.id for one in agenda.validity] == [first.id]
    school.vote(first, by=[voter])
    assert standing.agenda(school.session, person=voter, round_=school.round).validity == []
    waiting = evidence.standing_evidence(school.session, submission=first)[0]
    waiting.state = type(waiting.state).WAITING
    school.session.flush()
    assert ("后台流程", f"A1（成果{first.id}）的证据等待自动检查") in said(school)
    assert standing.agenda(school.session, person=school.members[1], round_=school.round).validity == []
    waiting.state = type(waiting.state).CHECKED


def submitted(school: School, person: Person):
    from review_flow.steps import enrolments

    first = enrolments.submissions_of(school.session, enrolment=school.enrolment(person))[0]
    submissions.submit(school.session, actor=person, submission=first)
    return first


def test_a_correction_waits_for_its_author(school: School) -> None:
    school.open()
    sealed(school, present=None).allocate()
    person = school.teachers[0]
    school.do_reviews(person)
    first = submitted(school, person)
    school.vote(first, valid=False)
    assert ("王芳", f"A1（成果{first.id}）待补正") in said(school, person)
    added = evidence.add_evidence(
        school.session, actor=person, submission=first, slot="plan", file_name="x.txt", stored=kept("new")
    )
    school.check(added)
    assert first.state is SubmissionState.CORRECTING


def test_the_panel_is_waited_for_until_everybody_signed(school: School, clock) -> None:
    school.open()
    sealed(school).allocate()
    for person in school.teachers:
        school.do_reviews(person)
    for person in school.teachers:
        school.submit(person)
    member, hearer = school.members[0], school.hearers[0]
    assert said(school, member) == [("评委1", "15份成果没有评分")]
    assert len(standing.agenda(school.session, person=member, round_=school.round).marks) == 15
    fact = late(school, school.teachers[1])
    assert ("考核组成员", f"扣分记录{fact.id}的异议没有处理") in said(school)
    assert standing.agenda(school.session, person=member, round_=school.round).adjustments == [fact]
    seen = {"session": school.session, "round_": school.round}
    assert standing.first_to_decide(**seen, person=member, most=1) == ([fact], 1)
    assert [standing.may_decide(**seen, person=one, adjustment=fact) for one in (member, hearer)] == [True, False]
    assert standing.agenda(school.session, person=hearer, round_=school.round) == standing.Agenda([], [], [], [], [])
    adjustments.decide(school.session, actor=member, adjustment=fact, stands=False, reason="属实")
    school.panel_marks()
    advance.advance(school.session, round_=school.round)
    made = school.compose()
    assert said(school) == [("考核组成员", "5份结果没有定等")]
    assert standing.count_to_confirm(school.session, person=member, round_=school.round) == 5
    assert standing.agenda(school.session, person=member, round_=school.round).results == made
    results.confirm_all(school.session, actor=member, round_=school.round)
    assert said(school) == [("校级管理员", "结果已全部定等，可以公示")]
    assert standing.counts(school.session, round_=school.round) == {
        "enrolments": {EnrolmentState.ASSESSED: 5},
        "submissions": {SubmissionState.GRADED: 15},
        "results": {ResultState.BANDED: 5},
    }
    results.publish(school.session, actor=school.admin, round_=school.round)
    clock.day(4, 20)
    advance.advance(school.session, round_=school.round)
    results.sign(school.session, actor=school.teachers[1], result=made[1])
    assert said(school) == [(one.name, "还没有签收结果") for one in school.teachers if one is not school.teachers[1]]
    appeal = appeals.file(school.session, actor=school.teachers[0], result=made[0], reason="偏低")
    assert ("申诉复核人", f"申诉{appeal.id}没有复核") in said(school)
    assert standing.agenda(school.session, person=hearer, round_=school.round).appeals == [appeal]
    seen = {"session": school.session, "round_": school.round}
    assert standing.first_to_hear(**seen, person=hearer, most=1) == ([appeal], 1)
    assert [standing.may_hear(**seen, person=one, appeal=appeal) for one in (hearer, member)] == [True, False]
    appeals.vote(school.session, actor=hearer, appeal=appeal, uphold=False, reason="维持")
    assert standing.agenda(school.session, person=hearer, round_=school.round).appeals == []


def late(school: School, person: Person) -> Adjustment:
    fact = Adjustment(
        enrolment_id=school.enrolment(person).id,
        kind=AdjustmentKind.LATE_ARRIVAL,
        happened_on=date(2026, 3, 2),
        proof="签到表",
        key="1",
        state=AdjustmentState.NOTIFIED,
        recorded_by_id=school.admin.id,
        recorded_at=now(),
        notified_at=now(),
    )
    school.session.add(fact)
    school.session.flush()
    adjustments.contest(school.session, actor=person, adjustment=fact, reason="在场")
    return fact


@pytest.mark.parametrize("kind", ["enrolments", "submissions", "results"])
def test_counts_of_a_round_that_has_nothing_yet(school: School, kind: str) -> None:
    found = standing.counts(school.session, round_=school.round)
    assert found[kind] == ({EnrolmentState.REGISTERED: 5} if kind == "enrolments" else {})
