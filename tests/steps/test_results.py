from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from models import Adjustment, AuditEvent, DueWork, Message, Person, Result, Signature, Submission
from review_flow.clock import last_second_of, now
from review_flow.errors import BadInput, NotAllowed
from review_flow.rules.lifecycle import EnrolmentState, ResultState, RoundPhase
from review_flow.rules.words import AdjustmentKind, AdjustmentState, SeatKind, WorkKind
from review_flow.steps import adjustments, advance, panel, people, results, reviews, rounds, submissions
from review_flow.steps.rounds import WrongPhase
from tests.cast import School, waiting_marks
from tests.stages import stage
from tests.steps.test_reviews import deeds, refused

# 王芳 hands in three works, marked by the panel alone; 李伟 hands in nothing. After the hard close both are composed.


def graded(school: School, *points: str, level: str = "合格") -> list[Submission]:
    """The first teacher's works, each marked by the three members with these points; the hand-in is over."""
    person = school.teachers[0]
    school.open()
    school.ready(person)
    works = school.seal(person)
    for work in works:
        submissions.submit(school.session, actor=person, submission=work)
        reviews.close_short(school.session, submission=work)
        for one, number in zip(waiting_marks(school.session, work), points * 3, strict=False):
            marker = school.session.get_one(Person, one.marker_id)
            form = school.review_form(number, submission=work, level=level)
            panel.mark(school.session, actor=marker, submission=work, form=form)
    return works


def scoring(school: School, clock) -> None:
    clock.day(4, 4)
    advance.advance(school.session, round_=school.round)
    assert school.round.phase is RoundPhase.SCORING


@stage
def two(session, clock) -> School:
    school = School(session, teachers=2)
    graded(school, "85")
    scoring(school, clock)
    return school


def confirmed(school: School) -> list[Result]:
    made = school.compose()
    results.confirm_all(school.session, actor=school.members[0], round_=school.round)
    return made


def published(school: School) -> list[Result]:
    made = confirmed(school)
    results.publish(school.session, actor=school.admin, round_=school.round)
    return made


def fact(school: School, person: Person, kind: AdjustmentKind = AdjustmentKind.ABSENCE, **more: object) -> Adjustment:
    made = Adjustment(
        enrolment_id=school.enrolment(person).id,
        kind=kind,
        happened_on=date(2026, 3, 5),
        proof="签到表",
        key=f"{kind.value}-{more}",
        state=AdjustmentState.NOTIFIED,
        recorded_by_id=school.admin.id,
        recorded_at=now(),
        notified_at=now(),
        **more,
    )
    school.session.add(made)
    school.session.flush()
    return made


@pytest.mark.parametrize(
    ("mark", "level", "grade", "why"),
    [
        ("87.87", "不合格", "不合格", ["规定项数的微能力合格并覆盖规定维度：未满足"]),
        ("55", "不合格", "不合格", []),  # the number earns no more: no condition decided
        ("87.87", "合格", "优秀", []),
    ],
)
def test_a_grade_that_a_condition_decided_says_which(
    session, clock, *, mark: str, level: str, grade: str, why: list[str]
) -> None:
    school = School(session, teachers=1)
    graded(school, mark, level=level)
    scoring(school, clock)
    (made,) = school.compose()
    assert made.proposed_grade == grade
    assert results.notable(made, school.scheme) == [*why, *results.flags_of(made)]


def test_what_was_never_handed_in_is_not_called_invalid(session, clock) -> None:
    school = School(session, teachers=1)
    school.open()
    school.ready(school.teachers[0])
    scoring(school, clock)
    (made,) = school.compose()
    outcome = json.loads(made.outcome)
    told = [line["text"] for line in outcome["ledger"] if "不合格）" in line["text"]]
    assert [text[text.index("（") :] for text in told] == ["（未提交，不合格）"] * 3
    (gate,) = [one["text"] for one in outcome["gates"] if one["id"] == "G_EVID"]
    assert gate == "证据有效（证据有效：未提交）：未通过"
    assert results.replay(session, result=made) is True


def test_a_result_keeps_what_it_was_made_of(two: School) -> None:
    result, nothing = two.compose()
    assert (result.score, result.proposed_grade, result.version, result.state) == (
        85,
        "优秀",
        1,
        ResultState.COMPOSED,
    )
    assert (nothing.score, nothing.proposed_grade) == (0, "不合格")
    assert (result.grade, result.supersedes_reason, result.composed_at) == (None, None, now())
    assert two.enrolment(two.teachers[0]).state is EnrolmentState.ASSESSED
    assert json.loads(result.record)["teacher"] == {"name": "王芳", "number": "T01"}
    assert results.replay(two.session, result=result)
    event = two.session.scalars(select(AuditEvent).where(AuditEvent.deed == "result.compose")).first()
    assert event is not None
    assert json.loads(event.data) == {
        "version": 1,
        "score": "85.00",
        "grade": "优秀",
        "outcome": results.outcome_digest(result),
    }


def test_the_same_facts_are_composed_once(two: School) -> None:
    assert two.compose() == two.compose()
    assert deeds(two).count("result.compose") == 2


def test_nothing_is_composed_while_something_is_open(session, clock) -> None:
    school = School(session, teachers=1).open()
    person = school.teachers[0]
    school.ready(person)
    enrolment = school.enrolment(person)
    refused(
        results.NotComposed,
        "还不能合成成绩：本轮正处于“提交与互评”阶段",
        lambda: results.compose(session, enrolment=enrolment),
    )
    school.round.phase = RoundPhase.SCORING
    refused(
        results.NotComposed,
        "还不能合成成绩：A1为“草稿”；A3为“草稿”；A5为“草稿”",
        lambda: results.compose(session, enrolment=enrolment),
    )
    school.round.phase = RoundPhase.OPEN


def test_a_deduction_counts_only_after_its_notice(two: School, clock) -> None:
    clock.day(4, 6)
    fact(two, two.teachers[0])
    sentence = "还不能合成成绩：扣分告知期至2026-04-09 23:59:59"
    enrolment = two.enrolment(two.teachers[0])
    refused(results.NotComposed, sentence, lambda: results.compose(two.session, enrolment=enrolment))
    assert results.notice_over_at(two.session, enrolment=enrolment) == last_second_of(date(2026, 4, 9))
    clock.to(last_second_of(date(2026, 4, 9)))
    assert results.compose(two.session, enrolment=enrolment).score == 80


def test_facts_that_change_before_the_grade_is_confirmed_make_a_new_version(two: School, clock) -> None:
    clock.day(4, 6)
    absent = fact(two, two.teachers[0])
    clock.day(4, 13)
    first = two.compose()[0]
    assert (first.score, first.proposed_grade) == (80, "优秀")
    adjustments.contest(two.session, actor=two.teachers[0], adjustment=absent, reason="当天请假")
    assert results.stale(two.session, result=first)
    refused(
        results.CannotConfirm,
        "不能这样定等：有扣分异议尚未处理",
        lambda: results.confirm(two.session, actor=two.members[0], result=first),
    )
    assert results.confirm_all(two.session, actor=two.members[0], round_=two.round) == 1  # 李伟's
    adjustments.decide(two.session, actor=two.members[0], adjustment=absent, stands=False, reason="确有假条")
    refused(
        results.CannotConfirm,
        "不能这样定等：计分依据有变化，成绩正在重新合成",
        lambda: results.confirm(two.session, actor=two.members[0], result=first),
    )
    waiting = select(DueWork.subject_id).where(DueWork.kind == WorkKind.FINALISE_ROUND, DueWork.done_at.is_(None))
    assert two.session.scalars(waiting).all() == [two.round.id]
    second = two.compose()[0]
    assert (second.version, second.score, second.current) == (2, 85, True)
    assert (first.version, first.score, first.current, first.state) == (1, 80, False, ResultState.SUPERSEDED)
    results.confirm(two.session, actor=two.members[0], result=second)
    assert second.grade == "优秀"


def test_a_confirmed_result_is_not_composed_anew(two: School) -> None:
    made = confirmed(two)
    two.hours(two.teachers[1], total="50")
    assert two.compose() == made
    assert [one.state for one in made] == [ResultState.BANDED] * 2


def test_the_panel_confirms_and_the_deed_is_kept(two: School) -> None:
    result = two.compose()[0]
    results.confirm(two.session, actor=two.members[1], result=result)
    assert (result.grade, result.confirmed_by_id, result.state, result.lowered_reason) == (
        "优秀",
        two.members[1].id,
        ResultState.BANDED,
        None,
    )
    assert deeds(two, result) == ["result.compose", "result.confirm"]
    refused(
        results.CannotConfirm,
        "不能这样定等：现在是“已定等”",
        lambda: results.confirm(two.session, actor=two.members[1], result=result),
    )


def test_a_grade_may_be_lowered_one_band_with_a_reason_and_never_raised(two: School) -> None:
    excellent, failed = two.compose()

    def lower(result: Result, to: str, reason: str | None = "课堂观察不符"):
        return lambda: results.confirm(two.session, actor=two.members[0], result=result, lower_to=to, reason=reason)

    refused(results.CannotConfirm, "不能这样定等：方案没有“良好”这个等级", lower(excellent, "良好"))
    refused(results.CannotConfirm, "不能这样定等：只能降一等，不能升", lower(excellent, "不合格"))
    refused(BadInput, "理由：降等须写明理由。", lower(excellent, "合格", " "))
    refused(BadInput, "理由：降等须写明理由。", lower(excellent, "合格", None))
    refused(results.CannotConfirm, "不能这样定等：“不合格”是“应为”，不能改动", lower(failed, "合格"))
    lower(excellent, "合格")()
    assert (excellent.grade, excellent.proposed_grade, excellent.lowered_reason) == ("合格", "优秀", "课堂观察不符")
    lower(failed, "不合格")()  # what is proposed anyway is a plain confirmation
    assert (failed.grade, failed.lowered_reason) == ("不合格", None)


def test_a_merely_passing_grade_is_never_raised(session, clock) -> None:
    school = School(session, teachers=1)
    graded(school, "70")
    scoring(school, clock)
    (result,) = school.compose()
    assert result.proposed_grade == "合格"
    refused(
        results.CannotConfirm,
        "不能这样定等：只能降一等，不能升",
        lambda: results.confirm(session, actor=school.members[0], result=result, lower_to="优秀", reason="很好"),
    )


def test_nobody_confirms_their_own_or_a_relatives_grade(two: School) -> None:
    teacher, other = two.teachers
    rounds.seat(two.session, actor=two.admin, round_=two.round, person=teacher, kind=SeatKind.MEMBER)
    own, others = two.compose()
    sentence = "您没有权限做这件事：应回避本人或有关联的教师。"
    refused(NotAllowed, sentence, lambda: results.confirm(two.session, actor=teacher, result=own))
    people.declare_conflict(two.session, actor=two.admin, one=two.members[0], other=other, reason="夫妻")
    refused(NotAllowed, sentence, lambda: results.confirm(two.session, actor=two.members[0], result=others))
    seat = "您没有权限做这件事：这需要考核组成员的席位。"
    for stranger in (other, two.admin, two.reserve, two.arbiter, two.hearers[0]):
        refused(NotAllowed, seat, lambda who=stranger: results.confirm(two.session, actor=who, result=own))
    assert results.confirm_all(two.session, actor=teacher, round_=two.round) == 1
    assert (own.state, others.state) == (ResultState.COMPOSED, ResultState.BANDED)
    assert results.confirm_all(two.session, actor=two.members[0], round_=two.round) == 1


def test_publication_waits_for_everybodys_grade_and_is_the_administrators(two: School) -> None:
    first = results.compose(two.session, enrolment=two.enrolment(two.teachers[0]))
    publish = lambda actor: lambda: results.publish(two.session, actor=actor, round_=two.round)  # noqa: E731 - three uses
    refused(results.NotToPublish, "还不能公示：2位教师中有2位尚未定等", publish(two.admin))
    results.confirm(two.session, actor=two.members[0], result=first)
    refused(results.NotToPublish, "还不能公示：2位教师中有1位尚未定等", publish(two.admin))
    refused(NotAllowed, "您没有权限做这件事：这需要校级管理员的角色。", publish(two.members[0]))
    assert results.published_list(two.session, round_=two.round) == []
    made = confirmed(two)
    publish(two.admin)()
    assert two.round.phase is RoundPhase.PUBLICITY
    assert two.round.publicity_ends_at == last_second_of(date(2026, 4, 10))  # Saturday 4 April and five working days
    assert [one.state for one in made] == [ResultState.PUBLISHED] * 2
    assert results.published_list(two.session, round_=two.round) == [
        {"name": "王芳", "grade": "优秀"},
        {"name": "李伟", "grade": "不合格"},
    ]
    told = two.session.scalars(select(Message.person_id).where(Message.kind == "result.published")).all()
    assert told == [one.id for one in two.teachers]
    assert deeds(two)[-1] == "round.publish"
    refused(WrongPhase, "本轮考核正处于“公示”阶段，不能这样做。", publish(two.admin))


def test_only_the_teacher_signs_and_only_after_publication(two: School, clock) -> None:
    mine, other = published(two)
    sign = lambda actor, result: lambda: results.sign(two.session, actor=actor, result=result)  # noqa: E731 - as above
    refused(results.NotToSign, "考核结果现在是“公示中”，不能签名。", sign(two.teachers[0], mine))
    clock.day(4, 11, 0)
    advance.advance(two.session, round_=two.round)
    sentence = "只能签收本人当前有效的考核结果。"
    for stranger in (two.teachers[1], two.admin, two.members[0]):
        refused(results.NotYourResult, sentence, sign(stranger, mine))
    signature = results.sign(two.session, actor=two.teachers[0], result=mine, comment="无异议")
    assert two.session.scalars(select(Signature)).all() == [signature]
    assert (signature.outcome_digest, signature.comment, signature.at) == (
        results.outcome_digest(mine),
        "无异议",
        now(),
    )
    assert (mine.state, deeds(two, mine)[-1]) == (ResultState.SIGNED, "result.sign")
    refused(results.NotToSign, "考核结果现在是“已签名”，不能签名。", sign(two.teachers[0], mine))
    other.current = False
    refused(results.NotYourResult, sentence, sign(two.teachers[1], other))
    other.current = True


def test_scores_are_exact_decimals(session, clock) -> None:
    school = School(session, teachers=1)
    graded(school, "79.99", "80", "80.01")
    scoring(school, clock)
    (result,) = school.compose()
    assert (result.score, type(result.score)) == (Decimal("80.00"), Decimal)
