from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select

from models import Appeal, AppealVote, AuditEvent, DueWork, Message, PanelMark, Person, Result, Submission
from review_flow import schemes
from review_flow.clock import last_second_of, now
from review_flow.errors import BadInput, NotAllowed
from review_flow.rules.lifecycle import ResultState, RoundPhase
from review_flow.rules.scheme import Scheme
from review_flow.rules.words import AppealState, SeatKind, WorkKind
from review_flow.steps import (
    advance,
    appeal_answers,
    appeals,
    claims,
    hearers,
    people,
    progress,
    results,
    reviews,
    rounds,
    standing,
)
from review_flow.steps.rounds import WrongPhase
from tests.cast import School, queries
from tests.stages import stage
from tests.steps.test_results import graded, published, scoring
from tests.steps.test_reviews import deeds, refused

# 王芳 got 58 of the panel and appeals.


@stage
def failed(session, clock) -> School:
    school = School(session, teachers=2)
    graded(school, "58")
    scoring(school, clock)
    published(school)
    return school


def result_of(school: School, person: Person | None = None) -> Result:
    found = results.current(school.session, enrolment=school.enrolment(person or school.teachers[0]))
    assert found is not None
    return found


def file(school: School, *, actor: Person | None = None, reason: str = "评分偏低", **late: object) -> Appeal:
    return appeals.file(
        school.session, actor=actor or school.teachers[0], result=result_of(school), reason=reason, **late
    )


def hear(school: School, appeal: Appeal, who: Person, *, marks: dict | None = None, reason: str = "复核意见") -> None:
    appeals.vote(school.session, actor=who, appeal=appeal, uphold=marks is not None, reason=reason, marks=marks)


def to_sign(school: School, clock) -> None:
    clock.day(4, 11, 0)
    advance.advance(school.session, round_=school.round)
    assert school.round.phase is RoundPhase.SIGNING


def test_an_appeal_stops_the_clock_of_its_result_alone_and_calls_the_hearers(failed: School, clock) -> None:
    appeal = file(failed)
    assert (appeal.state, appeal.due_at) == (AppealState.FILED, last_second_of(date(2026, 4, 17)))
    assert result_of(failed).state is ResultState.APPEALED
    assert deeds(failed, appeal) == ["appeal.file"]
    told = failed.session.execute(select(Message.person_id, Message.text).where(Message.kind == "appeal.filed")).all()
    assert [one.person_id for one in told] == [one.id for one in failed.hearers]
    assert {one.text for one in told} == {
        "有一份申诉待复核，请在2026-04-17 23:59:59前提出意见；参与过评分或有关联的请回避。"
    }
    to_sign(failed, clock)
    assert result_of(failed).state is ResultState.APPEALED
    assert result_of(failed, failed.teachers[1]).state is ResultState.TO_SIGN


def test_only_the_teacher_appeals_with_a_reason_and_in_its_phases(failed: School, clock) -> None:
    own = "您没有权限做这件事：只能对本人当前的考核结果申诉。"
    for stranger in (failed.teachers[1], failed.admin, failed.members[0]):
        refused(NotAllowed, own, lambda who=stranger: file(failed, actor=who))
    refused(BadInput, "申诉理由：请写明申诉的理由。", lambda: file(failed, reason=" "))
    failed.round.phase = RoundPhase.SCORING
    refused(WrongPhase, "本轮考核正处于“评审”阶段，不能这样做。", lambda: file(failed))
    failed.round.phase = RoundPhase.PUBLICITY
    result_of(failed).current = False
    found = failed.session.scalars(select(Result).where(~Result.current)).one()
    refused(
        NotAllowed,
        own,
        lambda: appeals.file(failed.session, actor=failed.teachers[0], result=found, reason="评分偏低"),
    )
    found.current = True


def test_one_appeal_in_a_round(failed: School) -> None:
    appeal = file(failed)
    refused(appeals.NoAppeal, "现在不能申诉：本轮已申诉过一次", lambda: file(failed))
    for hearer in failed.hearers[:2]:
        hear(failed, appeal, hearer)
    refused(appeals.NoAppeal, "现在不能申诉：本轮已申诉过一次", lambda: file(failed))


def changed(scheme: Scheme, **appeal: object) -> Scheme:
    document = scheme.document
    result = {**document["result"], "appeal": {**document["result"]["appeal"], **appeal}}
    return Scheme.from_document({**document, "result": result})


def test_a_scheme_without_appeals_has_none(session, clock) -> None:
    school = School(session, teachers=1, scheme=changed(schemes.load("xian-2022-appraisal"), allowed=False))
    graded(school, "58")
    scoring(school, clock)
    published(school)
    refused(appeals.NoAppeal, "现在不能申诉：方案没有申诉环节", lambda: file(school))


def test_the_window_closes_with_its_last_second(failed: School, clock) -> None:
    to_sign(failed, clock)
    assert failed.round.appeal_due_at == last_second_of(date(2026, 4, 16))
    clock.to(last_second_of(date(2026, 4, 16)))
    assert file(failed).state is AppealState.FILED


LATE = "现在不能申诉：申诉期已过，须由管理员写明理由受理"


@pytest.mark.parametrize("ticked", [False, True])
def test_a_late_appeal_is_taken_by_another_administrator_with_a_reason(failed: School, clock, *, ticked: bool) -> None:
    to_sign(failed, clock)
    clock.day(4, 17, 0)
    if ticked:
        advance.advance(failed.session, round_=failed.round)
        assert result_of(failed).state is ResultState.FINAL
    refused(appeals.NoAppeal, LATE, lambda: file(failed))
    refused(appeals.NoAppeal, LATE, lambda: file(failed, accepted_late_by=failed.admin))
    refused(appeals.NoAppeal, LATE, lambda: file(failed, accepted_late_by=failed.admin, late_reason=" "))
    refused(
        NotAllowed,
        "您没有权限做这件事：这需要校级管理员的角色。",
        lambda: file(failed, accepted_late_by=failed.members[0], late_reason="住院"),
    )
    appeal = file(failed, accepted_late_by=failed.admin, late_reason="住院")
    assert (appeal.late_reason, result_of(failed).state) == ("住院", ResultState.APPEALED)
    event = failed.session.scalars(select(AuditEvent).where(AuditEvent.deed == "appeal.file")).one()
    assert event.data == f'{{"accepted_late_by":{failed.admin.id}}}'
    for hearer in failed.hearers[:2]:
        hear(failed, appeal, hearer)
    assert result_of(failed).state is ResultState.FINAL


def test_no_administrator_takes_their_own_late_appeal(session, clock) -> None:
    school = School(session, teachers=1)
    rounds.enrol(session, actor=school.admin, round_=school.round, person=school.admin)
    graded(school, "58")
    scoring(school, clock)
    for one in reviews.participants(session, round_=school.round):
        results.compose(session, enrolment=one)
    results.confirm_all(session, actor=school.members[0], round_=school.round)
    results.publish(session, actor=school.admin, round_=school.round)
    to_sign(school, clock)
    clock.day(4, 17, 0)
    refused(
        NotAllowed,
        "您没有权限做这件事：不能受理自己的申诉。",
        lambda: appeals.file(
            session,
            actor=school.admin,
            result=result_of(school, school.admin),
            reason="评分偏低",
            accepted_late_by=school.admin,
            late_reason="忙",
        ),
    )


def test_two_hearers_dismiss_and_the_result_is_final(failed: School) -> None:
    appeal = file(failed)
    hear(failed, appeal, failed.hearers[0], reason="评分有据")
    assert appeal.state is AppealState.FILED
    hear(failed, appeal, failed.hearers[1], reason="同意原评")
    assert (appeal.state, appeal.decided_at) == (AppealState.DISMISSED, now())
    assert (result_of(failed).state, result_of(failed).version) == (ResultState.FINAL, 1)
    assert deeds(failed, appeal) == ["appeal.file", "appeal.vote", "appeal.vote", "appeal.decide"]
    message = failed.session.scalars(select(Message).where(Message.kind == "appeal.decided")).one()
    assert (message.person_id, message.text) == (
        failed.teachers[0].id,
        "您的申诉经复核维持原结果：评分有据；同意原评",
    )
    refused(
        appeals.NotAHearer,
        "您不能复核这份申诉：申诉已有决定",
        lambda: hear(failed, appeal, failed.hearers[2]),
    )


def test_two_hearers_uphold_and_both_versions_stay(failed: School) -> None:
    appeal = file(failed)
    first = result_of(failed)
    hear(failed, appeal, failed.hearers[0], marks={"A1": "66", "A3": "66", "A5": "66"}, reason="低估")
    hear(failed, appeal, failed.hearers[1], reason="不必改")
    hear(failed, appeal, failed.hearers[2], marks={"A1": "66", "A3": "66.00", "A5": "66"}, reason="确有低估")
    second = result_of(failed)
    assert appeal.state is AppealState.UPHELD
    assert (first.version, first.score, first.grade, first.state) == (1, 58, "不合格", ResultState.SUPERSEDED)
    assert (second.version, second.score, second.grade, second.state) == (2, 66, "合格", ResultState.FINAL)
    assert second.supersedes_reason == "申诉成立：低估；确有低估"
    assert second.confirmed_by_id == failed.hearers[2].id
    marks = failed.session.scalars(select(PanelMark.mark).where(PanelMark.seat == SeatKind.APPEAL)).all()
    assert marks == [66] * 6
    first_panel = failed.session.scalars(select(PanelMark.mark).where(PanelMark.seat == SeatKind.MEMBER)).all()
    assert first_panel == [58] * 9
    message = failed.session.scalars(select(Message).where(Message.kind == "appeal.decided")).one()
    assert message.text == "您的申诉成立，考核结果已变更，请查看新的计分明细。"
    assert results.published_list(failed.session, round_=failed.round)[0] == {"name": "王芳", "grade": "合格"}


def test_who_appealed_reads_the_decision_its_reasons_and_what_it_changed(failed: School) -> None:
    def answer(person: Person | None = None) -> appeal_answers.Answer | None:
        return appeal_answers.answer_to(failed.session, result=result_of(failed, person))

    assert answer() is None
    appeal = file(failed)
    first = result_of(failed)
    assert answer() == appeal_answers.Answer(appeal, [], None)
    hear(failed, appeal, failed.hearers[0], marks={"A1": "66", "A3": "66", "A5": "66"}, reason="低估")
    hear(failed, appeal, failed.hearers[1], reason="不必改")
    assert answer() == appeal_answers.Answer(appeal, [], None)
    hear(failed, appeal, failed.hearers[2], marks={"A1": "66", "A3": "66", "A5": "66"}, reason="确有低估")
    assert answer() == appeal_answers.Answer(appeal, ["低估", "确有低估"], first)
    assert answer(failed.teachers[1]) is None
    other = appeals.file(
        failed.session, actor=failed.teachers[1], result=result_of(failed, failed.teachers[1]), reason="漏收"
    )
    for hearer in failed.hearers[:2]:
        hear(failed, other, hearer, reason=f"{hearer.name}查过")
    assert answer(failed.teachers[1]) == appeal_answers.Answer(other, ["复核甲查过", "复核乙查过"], None)


def test_hearers_who_differ_wait_for_a_third_and_the_administrator_is_told_once(failed: School, clock) -> None:
    def short() -> list[str]:
        advance.advance(failed.session, round_=failed.round)
        asked = select(Message.text).where(Message.kind == "panel.short", Message.person_id == failed.admin.id)
        return list(failed.session.scalars(asked))

    def heard(who: Person) -> list[str]:
        return [one.text for one in hearers.heard_by(failed.session, person=who, round_=failed.round)]

    appeal, (first, second, third) = file(failed), failed.hearers
    people.declare_conflict(failed.session, actor=failed.admin, one=failed.teachers[0], other=third, reason="夫妻")
    assert (short(), heard(first)) == ([], [])
    hear(failed, appeal, first)
    assert (short(), heard(first)) == ([], ["您已提交意见，等其他复核人"])
    hear(failed, appeal, second, marks={"A1": "66"})
    due = failed.session.scalars(select(DueWork).where(DueWork.kind == WorkKind.ADVANCE_ROUND)).one()
    assert due.due_at <= now()
    said = f"申诉{appeal.id}：2位复核人意见不一，还缺1名申诉复核人，请增加席位"
    assert short() == short() == [f"{said}。"]
    waits = ["您已提交意见；2位复核人意见不一，等下一位复核人"]
    assert (heard(first), heard(second), heard(third)) == (waits, waits, [])
    seen = progress.board(failed.session, actor=failed.admin, round_=failed.round)
    assert [(one.text, one.name, one.due_at) for one in seen.appeals] == [(said, "王芳", appeal.due_at)]
    assert ("校级管理员", said) in [(one.who, one.why) for one in standing.waits(failed.session, round_=failed.round)]
    extra = failed.person("P9", "新复核")
    rounds.seat(failed.session, actor=failed.admin, round_=failed.round, person=extra, kind=SeatKind.APPEAL)
    assert short() == short() == [f"{said}。"]
    called = select(Message.person_id).where(Message.kind == "appeal.filed").order_by(Message.id)
    assert list(failed.session.scalars(called)) == [one.id for one in (*failed.hearers, extra)]
    (waiting,) = hearers.undecided(failed.session, round_=failed.round)
    assert (waiting.text, waiting.free, waiting.missing) == (f"申诉{appeal.id}没有复核", (extra.id,), 0)
    hear(failed, appeal, extra)
    assert (hearers.undecided(failed.session, round_=failed.round), heard(first)) == ([], [])


@pytest.mark.parametrize("conflict", [False, True])
def test_who_may_hear_is_told_of_all_as_of_each(failed: School, *, conflict: bool) -> None:
    """`undecided` counts for a whole round whom `why_not_hear` lets hear one by one, in as many questions for two."""
    for person in (*failed.members, *failed.teachers):
        rounds.seat(failed.session, actor=failed.admin, round_=failed.round, person=person, kind=SeatKind.APPEAL)
    if conflict:
        people.declare_conflict(
            failed.session, actor=failed.admin, one=failed.hearers[1], other=failed.teachers[1], reason="夫妻"
        )

    def found() -> tuple[dict[int, set[int]], int]:
        failed.session.flush()
        with queries(failed.session) as sent:
            seen = hearers.undecided(failed.session, round_=failed.round)
        return {one.id: set(one.free) for one in seen}, len(sent)

    file(failed)
    _one, few = found()
    appeals.file(failed.session, actor=failed.teachers[1], result=result_of(failed, failed.teachers[1]), reason="漏收")
    free, many = found()
    expected: dict[int, set[int]] = {key: set() for key in free}
    for person in (*failed.hearers, *failed.members, *failed.teachers):
        for key, why in appeals.why_not_hear(failed.session, actor=person, round_=failed.round).items():
            if why is None:
                expected[key].add(person.id)
    assert (free, many) == (expected, few)
    assert [len(one) for one in free.values()] == [4, 5 if conflict else 6]


def test_an_appeal_that_nobody_may_hear_is_told_of_at_once(failed: School) -> None:
    for hearer in failed.hearers[:2]:
        people.declare_conflict(failed.session, actor=failed.admin, one=failed.teachers[0], other=hearer, reason="同胞")
    appeal = file(failed)
    advance.advance(failed.session, round_=failed.round)
    asked = select(Message.text).where(Message.kind == "panel.short")
    assert failed.session.scalars(asked).all() == [f"申诉{appeal.id}缺1名申诉复核人，请增加席位。"]


def test_who_had_a_part_in_the_result_does_not_hear_its_appeal(failed: School) -> None:
    seats = [failed.members[0], failed.members[1], failed.teachers[0], failed.teachers[1]]
    for person in seats:
        rounds.seat(failed.session, actor=failed.admin, round_=failed.round, person=person, kind=SeatKind.APPEAL)
    appeal = file(failed)
    scored = "您不能复核这份申诉：您参加过首次评分"
    refused(appeals.NotAHearer, scored, lambda: hear(failed, appeal, failed.members[0]))
    refused(appeals.NotAHearer, scored, lambda: hear(failed, appeal, failed.members[1]))
    aside = "您不能复核这份申诉：应回避本人或有关联的教师"
    refused(appeals.NotAHearer, aside, lambda: hear(failed, appeal, failed.teachers[0]))
    people.declare_conflict(
        failed.session, actor=failed.admin, one=failed.teachers[0], other=failed.hearers[0], reason="夫妻"
    )
    refused(appeals.NotAHearer, aside, lambda: hear(failed, appeal, failed.hearers[0]))
    refused(
        NotAllowed,
        "您没有权限做这件事：这需要申诉复核人的席位。",
        lambda: hear(failed, appeal, failed.members[2]),
    )
    hear(failed, appeal, failed.teachers[1])
    refused(
        appeals.NotAHearer,
        "您不能复核这份申诉：您已提交复核意见",
        lambda: hear(failed, appeal, failed.teachers[1]),
    )


def test_a_peer_reviewer_and_a_confirmer_count_as_judges(session, clock) -> None:
    school = School(session, teachers=2)
    school.open()
    school.ready(school.teachers[0])
    school.seal(school.teachers[0])
    peer = school.teachers[1]
    task = claims.claim(session, actor=peer, round_=school.round)
    form = school.review_form(submission=session.get_one(Submission, task.submission_id))
    reviews.submit(session, actor=peer, assignment=task, form=form)
    scoring(school, clock)
    for work in session.scalars(select(Submission)):
        reviews.close_short(session, submission=work)
    school.panel_marks(mark="58")
    extra = school.person("P9", "新评委")
    rounds.seat(session, actor=school.admin, round_=school.round, person=extra, kind=SeatKind.MEMBER)
    for person in (peer, extra):
        rounds.seat(session, actor=school.admin, round_=school.round, person=person, kind=SeatKind.APPEAL)
    school.compose()
    results.confirm_all(session, actor=extra, round_=school.round)
    results.publish(session, actor=school.admin, round_=school.round)
    appeal = file(school)
    for judge in (peer, extra):
        refused(
            appeals.NotAHearer,
            "您不能复核这份申诉：您参加过首次评分",
            lambda who=judge: hear(school, appeal, who),
        )


def test_a_scheme_may_let_the_first_panel_hear_and_its_marks_are_superseded(session, clock) -> None:
    scheme = changed(schemes.load("xian-2022-appraisal"), outside_first_panel=False)
    school = School(session, teachers=1, scheme=scheme)
    graded(school, "58")
    scoring(school, clock)
    published(school)
    for person in school.members[:2]:
        rounds.seat(session, actor=school.admin, round_=school.round, person=person, kind=SeatKind.APPEAL)
    appeal = file(school)
    for person in school.members[:2]:
        hear(school, appeal, person, marks={"A1": "66", "A3": "66", "A5": "66"})
    assert result_of(school).score == 66
    released = session.scalars(select(PanelMark.mark).where(PanelMark.released_at.is_not(None))).all()
    assert released == [58] * 6


@pytest.mark.parametrize(
    ("marks", "sentence"),
    [
        ({}, "复核分：变更结果须给出至少一项微能力的复核分。"),
        ({"B2": "66"}, "B2：这位教师没有已评的这项微能力。"),
        ({"A1": "好"}, "A1：“好”不是分数。"),
        ({"A1": None}, "A1：“None”不是分数。"),
        ({"A1": []}, "A1：“[]”不是分数。"),
        ({"A1": "NaN"}, "A1：分数应在0–100之间，最多两位小数。"),
        ({"A1": "Infinity"}, "A1：分数应在0–100之间，最多两位小数。"),
        ({"A1": "100.01"}, "A1：分数应在0–100之间，最多两位小数。"),
        ({"A1": "-1"}, "A1：分数应在0–100之间，最多两位小数。"),
        ({"A1": "66.005"}, "A1：分数应在0–100之间，最多两位小数。"),
    ],
)
def test_marks_that_cannot_be_taken(failed: School, marks: dict, sentence: str) -> None:
    appeal = file(failed)
    refused(BadInput, sentence, lambda: hear(failed, appeal, failed.hearers[0], marks=marks))
    assert failed.session.scalars(select(AppealVote.id)).all() == []


def test_a_hearing_has_its_reason(failed: School) -> None:
    appeal = file(failed)
    refused(BadInput, "理由：请写明复核的理由。", lambda: hear(failed, appeal, failed.hearers[0], reason=" "))


def test_an_appeal_upheld_with_the_same_marks_is_a_new_version_all_the_same(session, clock) -> None:
    """Two marks of the panel and the same two of the hearers make the same record: the decision is on record."""
    document = schemes.load("xian-2022-appraisal").document
    review = {**document["review"], "panel": {**document["review"]["panel"], "size": 2}}
    school = School(session, teachers=1, scheme=Scheme.from_document({**document, "review": review}))
    graded(school, "58")
    scoring(school, clock)
    published(school)
    appeal = file(school)
    for hearer in school.hearers[:2]:
        hear(school, appeal, hearer, marks={"A1": "58", "A3": "58", "A5": "58"})
    assert (result_of(school).version, result_of(school).score) == (2, 58)
