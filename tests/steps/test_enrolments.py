from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from models import AuditEvent, Enrolment, Hours, Message, Submission
from review_flow.clock import now, shown
from review_flow.errors import BadInput, NotAllowed, NotFound
from review_flow.rules.lifecycle import EnrolmentState, RoundPhase, SubmissionState
from review_flow.steps import advance, enrolments, people, reviews, submissions
from review_flow.steps.enrolments import CannotReplace, NotExemptible, NotYet, Selection
from review_flow.steps.rounds import WrongPhase
from tests.cast import CHOICE, Clock, School, queries

STRANGER = "您没有权限做这件事：这是另一位教师的参评。"
NO_ADMIN = "您没有权限做这件事：这需要校级管理员的角色。"


@pytest.fixture
def mine(opened: School) -> Enrolment:
    return opened.enrolment(opened.teachers[0])


def choose(school: School, *abilities: str) -> list[Submission]:
    person = school.teachers[0]
    enrolment = school.enrolment(person)
    return enrolments.choose(school.session, actor=person, enrolment=enrolment, abilities=abilities)


def states(school: School) -> dict[str, str]:
    rows = school.session.scalars(select(Submission).order_by(Submission.id))
    return {one.ability: one.state.label for one in rows}


def invalid(school: School, submission: Submission) -> None:
    """Found invalid by two, corrected, and found invalid again (T11)."""
    person = school.teachers[0]
    from review_flow.steps import submissions

    school.vote(submission, valid=False)
    school.fill(submission, verdict="human")
    submissions.seal(school.session, actor=person, submission=submission, own_work=True)
    school.vote(submission, valid=False)
    assert submission.state is SubmissionState.INVALID


def submitted(school: School) -> list[Submission]:
    """王芳's works alone in the round: nobody to review, so she may submit at once."""
    person = school.teachers[0]
    school.ready(person)
    works = school.seal(person, verdict="human")
    school.submit(person)
    return works


def test_who_is_in_the_round_is_called_by_number_or_name(opened: School) -> None:
    def called(word: str) -> int:
        return enrolments.enrolment_called(opened.session, round_id=opened.round.id, word=word).person_id

    first, second = opened.teachers[:2]
    assert [called(word) for word in ("Ｔ０１", " 王芳 ", "李伟")] == [first.id, first.id, second.id]
    with pytest.raises(NotFound, match="找不到参评教师“P1”"):
        called("P1")
    second.name = first.name
    opened.session.flush()
    with pytest.raises(BadInput, match="叫“王芳”的不止一人，请写工号：T01、T02。"):
        called("王芳")
    assert called("T02") == second.id


def test_a_teacher_goes_from_reading_to_choosing(opened: School, mine: Enrolment, clock: Clock) -> None:
    session, person = opened.session, opened.teachers[0]
    assert mine.state is EnrolmentState.REGISTERED
    enrolments.acknowledge(session, actor=person, enrolment=mine)
    assert (mine.state, mine.acknowledged_at) == (EnrolmentState.INFORMED, now())
    first = now()
    clock.day(3, 3)
    enrolments.acknowledge(session, actor=person, enrolment=mine)
    assert mine.acknowledged_at == first  # once
    enrolments.self_test(session, actor=person, enrolment=mine)
    assert (mine.state, mine.self_tested_at) == (EnrolmentState.SELF_TESTED, now())
    second = now()
    clock.day(3, 4)
    enrolments.self_test(session, actor=person, enrolment=mine)
    assert mine.self_tested_at == second
    made = choose(opened, *CHOICE)
    assert (mine.state, [one.ability for one in made]) == (EnrolmentState.SELECTED, list(CHOICE))
    assert {(one.state, one.author_id, one.round_id) for one in made} == {
        (SubmissionState.DRAFT, person.id, opened.round.id)
    }
    deeds = session.scalars(select(AuditEvent.deed).where(AuditEvent.about == f"enrolment:{mine.id}"))
    assert list(deeds) == [f"enrolment.{deed}" for deed in ("register", "acknowledge", "self_test", "choose")]


def test_no_step_is_jumped(opened: School, mine: Enrolment) -> None:
    with pytest.raises(NotYet) as no:
        enrolments.self_test(opened.session, actor=opened.teachers[0], enrolment=mine)
    assert (no.value.status, str(no.value)) == (409, "请先完成前一步：您现在的状态是“已登记”。")
    enrolments.acknowledge(opened.session, actor=opened.teachers[0], enrolment=mine)
    with pytest.raises(NotYet) as no:
        choose(opened, *CHOICE)
    assert str(no.value) == "请先完成前一步：您现在的状态是“已告知”。"


def test_what_is_a_teachers_own_is_nobody_elses(opened: School, mine: Enrolment) -> None:
    session = opened.session
    deeds: list[Any] = [
        lambda actor: enrolments.acknowledge(session, actor=actor, enrolment=mine),
        lambda actor: enrolments.self_test(session, actor=actor, enrolment=mine),
        lambda actor: enrolments.choose(session, actor=actor, enrolment=mine, abilities=CHOICE),
        lambda actor: enrolments.replace(session, actor=actor, enrolment=mine, old="A1", new="A6"),
        lambda actor: enrolments.opt_in(session, actor=actor, enrolment=mine),
    ]
    for deed in deeds:
        for actor in (opened.teachers[1], opened.admin, opened.members[0]):
            with pytest.raises(NotAllowed) as no:
                deed(actor)
            assert str(no.value) == STRANGER
    assert mine.state is EnrolmentState.REGISTERED


def test_what_is_the_administrators_is_nobody_elses(opened: School, mine: Enrolment) -> None:
    session = opened.session
    _other, stranger = people.found_school(session, name="第二中学", admin_number="A01", admin_name="吴静")
    deeds: list[Any] = [
        lambda actor: enrolments.deliver_in_person(session, actor=actor, enrolment=mine),
        lambda actor: enrolments.exempt(session, actor=actor, enrolment=mine, reason="病休"),
        lambda actor: enrolments.leave_reviewing(session, actor=actor, enrolment=mine),
        lambda actor: enrolments.set_review_cap(session, actor=actor, enrolment=mine, cap=2),
    ]
    for deed in deeds:
        for actor in (opened.teachers[0], opened.members[0], stranger):
            with pytest.raises(NotAllowed) as no:
                deed(actor)
            assert str(no.value) == NO_ADMIN
    assert (mine.state, mine.reviewing) == (EnrolmentState.REGISTERED, True)


def test_the_plan_handed_over_in_person_counts_as_read(opened: School, mine: Enrolment) -> None:
    session = opened.session
    enrolments.deliver_in_person(session, actor=opened.admin, enrolment=mine)
    assert (mine.state, mine.acknowledged_at) == (EnrolmentState.INFORMED, now())
    assert mine.delivered_in_person_by_id == opened.admin.id
    other = opened.enrolment(opened.teachers[1])
    enrolments.acknowledge(session, actor=opened.teachers[1], enrolment=other)
    enrolments.deliver_in_person(session, actor=opened.admin, enrolment=other)
    assert other.delivered_in_person_by_id is None  # it had been read already


def test_nothing_of_it_is_done_before_the_round_is_open(school: School) -> None:
    enrolment = school.enrolment(school.teachers[0])
    with pytest.raises(WrongPhase) as no:
        enrolments.acknowledge(school.session, actor=school.teachers[0], enrolment=enrolment)
    assert str(no.value) == "本轮考核正处于“筹备”阶段，不能这样做。"
    with pytest.raises(WrongPhase):
        enrolments.deliver_in_person(school.session, actor=school.admin, enrolment=enrolment)


def test_who_is_not_in_the_round_is_not_found(school: School) -> None:
    with pytest.raises(NotFound) as no:
        school.enrolment(school.admin)
    assert str(no.value) == "找不到参评教师“A01”。"


@pytest.mark.parametrize(
    ("abilities", "sentence"),
    [
        (
            ("A1", "A3"),
            "至少选3项，还差1项。还差1个维度（应覆盖3个，现有学情分析、教学设计），可从学法指导、学业评价中选。",
        ),
        (("A5", "A6", "B6"), "还差2个维度（应覆盖3个，现有学法指导），可从学情分析、教学设计、学业评价中选。"),
        (
            ("A1", "A3", "A4"),
            "A4不在本校的微能力清单里。还差1个维度（应覆盖3个，现有学情分析、教学设计），可从学法指导、学业评价中选。",
        ),
        (("A1", "A3", "A5", "A5"), "A5选了两次。"),
    ],
)
def test_a_choice_that_does_not_fit_says_what_is_missing(
    opened: School, abilities: tuple[str, ...], sentence: str
) -> None:
    """N20, N21 at the step; N22 is the choice that goes."""
    opened.ready(opened.teachers[0])
    with pytest.raises(Selection) as no:
        choose(opened, *abilities)
    assert (no.value.status, str(no.value)) == (422, f"微能力选择不符合要求：{sentence}")
    assert states(opened) == dict.fromkeys(CHOICE, "草稿")
    choose(opened, "A1", "A3", "A5", "A6")


def test_an_unsealed_choice_may_be_changed_and_changed_back(opened: School) -> None:
    opened.ready(opened.teachers[0])
    before = {one.ability: one.id for one in choose(opened, *CHOICE)}
    choose(opened, "A1", "A3", "A6")
    assert states(opened) == {"A1": "草稿", "A3": "草稿", "A5": "已替换", "A6": "草稿"}
    back = {one.ability: one.id for one in choose(opened, *CHOICE)}
    assert back == before
    assert states(opened) == {"A1": "草稿", "A3": "草稿", "A5": "草稿", "A6": "已替换"}


def test_a_sealed_work_is_not_dropped(opened: School) -> None:
    opened.ready(opened.teachers[0])
    opened.seal(opened.teachers[0])
    with pytest.raises(CannotReplace) as no:
        choose(opened, "A1", "A3", "A6")
    assert (no.value.status, str(no.value)) == (409, "“A5”现在不能改选：已封存待互评")


def test_an_invalid_work_is_replaced_by_another_ability(opened: School, mine: Enrolment) -> None:
    person, work = opened.teachers[0], submitted(opened)[2]
    invalid(opened, work)
    made = enrolments.replace(opened.session, actor=person, enrolment=mine, old="A5", new="A6")
    assert (work.state, made.ability, made.state) == (SubmissionState.REPLACED, "A6", SubmissionState.DRAFT)
    assert [one.ability for one in enrolments.submissions_of(opened.session, enrolment=mine)] == ["A1", "A3", "A6"]


def test_a_replacement_must_fit_too(opened: School, mine: Enrolment, clock: Clock) -> None:
    session, person, works = opened.session, opened.teachers[0], submitted(opened)
    invalid(opened, works[2])

    def refused(kind: type[Exception], old: str, new: str) -> str:
        with pytest.raises(kind) as no:
            enrolments.replace(session, actor=person, enrolment=mine, old=old, new=new)
        assert works[2].state is SubmissionState.INVALID
        return str(no.value)

    assert refused(NotFound, "B6", "A6") == "找不到微能力“B6”。"
    assert refused(CannotReplace, "A1", "A6") == "“A1”现在不能改选：有效性检查"
    sentence = "微能力选择不符合要求：还差1个维度（应覆盖3个，现有学情分析、教学设计），可从学法指导、学业评价中选。"
    assert refused(Selection, "A5", "B2") == sentence
    assert refused(Selection, "A5", "A1").startswith("微能力选择不符合要求：A1选了两次。")
    assert refused(CannotReplace, "A5", "A5") == "“A5”现在不能改选：无效"
    clock.to(opened.round.hard_close_at)
    enrolments.replace(session, actor=person, enrolment=mine, old="A5", new="A6")  # the last second counts
    clock.day(4, 4, 0)
    works[2].state = SubmissionState.INVALID
    assert refused(CannotReplace, "A5", "A11") == "“A5”现在不能改选：提交期已结束"
    works[2].state = SubmissionState.REPLACED


def test_nothing_has_failed_before_anything_has_ended(opened: School, mine: Enrolment) -> None:
    opened.ready(opened.teachers[0])
    assert enrolments.failed_abilities(opened.session, enrolment=mine) == set()


def test_a_failed_ability_can_be_replaced_and_a_passed_one_not_x12(alone: School) -> None:
    session, person = alone.session, alone.open().teachers[0]
    works = alone.ready(person)
    alone.seal(person)
    for work, level in zip(works, ("合格", "合格", "不合格"), strict=True):
        submissions.submit(session, actor=person, submission=work)
        reviews.close_short(session, submission=work)
        alone.panel_marks(mark="85", level=level)
    enrolment = alone.enrolment(person)
    assert enrolments.failed_abilities(session, enrolment=enrolment) == {"A5"}
    told = session.scalars(select(Message.text).where(Message.kind == "submission.failed")).all()
    assert told == [f"您的“A5”未达到合格要求。{shown(alone.round.hard_close_at)}前可改选其他微能力，原成绩不再计入。"]
    advance.advance(session, round_=alone.round)
    assert alone.round.phase is RoundPhase.OPEN  # the window stays open for the replacement
    with pytest.raises(CannotReplace) as no:
        enrolments.replace(session, actor=person, enrolment=enrolment, old="A1", new="A6")
    assert str(no.value) == "“A1”现在不能改选：已定等级"
    made = enrolments.replace(session, actor=person, enrolment=enrolment, old="A5", new="A6")
    assert (made.state, works[2].state) == (SubmissionState.DRAFT, SubmissionState.REPLACED)


def test_what_was_sealed_once_is_not_taken_up_again(opened: School, mine: Enrolment) -> None:
    session, person, works = opened.session, opened.teachers[0], submitted(opened)
    invalid(opened, works[2])
    made = enrolments.replace(session, actor=person, enrolment=mine, old="A5", new="A6")
    with pytest.raises(CannotReplace) as no:
        choose(opened, "A1", "A3", "A5", "A6")
    assert str(no.value) == "“A5”现在不能改选：已替换"
    assert made.state is SubmissionState.DRAFT


def test_an_exempt_teacher_hands_in_nothing_and_may_take_part_after_all(opened: School, mine: Enrolment) -> None:
    session, person = opened.session, opened.teachers[0]
    opened.ready(person)
    enrolments.exempt(session, actor=opened.admin, enrolment=mine, reason="病休")
    assert (mine.state, mine.exempt_reason) == (EnrolmentState.EXEMPT, "病休")
    assert set(states(opened).values()) == {"已替换"}
    enrolments.exempt(session, actor=opened.admin, enrolment=mine, reason="别的")
    assert mine.exempt_reason == "病休"  # once
    enrolments.opt_in(session, actor=person, enrolment=mine)
    assert mine.state is EnrolmentState.REGISTERED
    enrolments.opt_in(session, actor=person, enrolment=mine)
    assert mine.state is EnrolmentState.REGISTERED
    enrolments.acknowledge(session, actor=person, enrolment=mine)
    enrolments.self_test(session, actor=person, enrolment=mine)
    assert [one.state for one in choose(opened, *CHOICE)] == [SubmissionState.DRAFT] * 3


def test_nobody_is_exempt_without_a_reason_or_with_sealed_work(opened: School, mine: Enrolment) -> None:
    session = opened.session
    with pytest.raises(BadInput) as no:
        enrolments.exempt(session, actor=opened.admin, enrolment=mine, reason=" ")
    assert str(no.value) == "免训原因：请写明原因。"
    opened.ready(opened.teachers[0])
    opened.seal(opened.teachers[0])
    with pytest.raises(NotExemptible) as no:
        enrolments.exempt(session, actor=opened.admin, enrolment=mine, reason="病休")
    assert (no.value.status, str(no.value)) == (409, "不能设为免训：已有封存的成果")
    opened.round.phase = RoundPhase.SCORING
    with pytest.raises(WrongPhase) as no:
        enrolments.exempt(session, actor=opened.admin, enrolment=mine, reason="病休")
    assert str(no.value) == "本轮考核正处于“评审”阶段，不能这样做。"


def test_who_has_left_gets_no_new_reviews(opened: School, mine: Enrolment) -> None:
    enrolments.leave_reviewing(opened.session, actor=opened.admin, enrolment=mine)
    assert mine.reviewing is False
    for person in opened.teachers:
        opened.ready(person)
        opened.seal(person)
    pairs = opened.allocate().pairs
    assert len(pairs) == 5 * 3 * 3
    assert opened.teachers[0].id not in {reviewer for reviewer, _work in pairs}


def test_the_administrator_caps_what_a_teacher_holds_at_once(opened: School, mine: Enrolment) -> None:
    session = opened.session
    for person in opened.teachers:
        opened.ready(person)
        opened.seal(person)
    for cap in (0, None, 2):
        enrolments.set_review_cap(session, actor=opened.admin, enrolment=mine, cap=cap)
        assert mine.review_cap == cap
    opened.allocate()
    assert len(reviews.tasks_of(session, person=opened.teachers[0], round_=opened.round)) == 2
    said = session.scalars(
        select(AuditEvent.data).where(AuditEvent.deed == "enrolment.cap").order_by(AuditEvent.id)
    ).all()
    assert said == ['{"cap":0}', '{"cap":null}', '{"cap":2}']
    for wrong in (-1, 1001):
        with pytest.raises(BadInput) as no:
            enrolments.set_review_cap(session, actor=opened.admin, enrolment=mine, cap=wrong)
        assert str(no.value) == "互评上限：应是0到1000的整数。"
    opened.round.phase = RoundPhase.PUBLICITY
    with pytest.raises(WrongPhase):
        enrolments.set_review_cap(session, actor=opened.admin, enrolment=mine, cap=1)
    opened.round.phase = RoundPhase.OPEN


def test_hours_are_added_up_by_ledger_without_what_was_superseded(opened: School, mine: Enrolment) -> None:
    session = opened.session
    opened.hours(opened.teachers[0], total="30", practice="12.5")
    opened.hours(opened.teachers[0], total="20.25")
    opened.hours(opened.teachers[1], total="99")
    session.add(
        Hours(
            enrolment_id=mine.id,
            ledger="total",
            hours=Decimal(70),
            source="平台",
            key="old",
            recorded_by_id=opened.admin.id,
            recorded_at=now(),
            struck_at=now(),
        )
    )
    session.flush()
    assert enrolments.hours_of(session, enrolment=mine) == {"total": Decimal("50.25"), "practice": Decimal("12.5")}


def test_choosing_costs_the_same_number_of_queries_for_any_number_of_abilities(opened: School) -> None:
    counts = []
    for number, extra in enumerate((("A6", "A11"), ("B2", "B6", "A6", "A11"))):
        person = opened.teachers[number]
        opened.ready(person)
        session, enrolment = opened.session, opened.enrolment(person)
        with queries(session) as sent:
            enrolments.choose(session, actor=person, enrolment=enrolment, abilities=[*CHOICE, *extra])
        counts.append(len(sent))
    assert counts[1] - counts[0] <= 4  # a look for an earlier draft, and a row, for each new one


def test_a_round_opened_ahead_begins_on_its_first_day(school: School, clock) -> None:
    clock.day(3, 1, hour=23, minute=59)
    school.open()
    person = school.teachers[0]
    with pytest.raises(enrolments.NotBegun) as no:
        enrolments.acknowledge(school.session, actor=person, enrolment=school.enrolment(person))
    assert (no.value.status, str(no.value)) == (409, "本轮考核从2026-03-02 00:00:00开始。")
    clock.day(3, 2, hour=0)
    enrolments.acknowledge(school.session, actor=person, enrolment=school.enrolment(person))
