"""Worked examples of the domain that need the database, by their ids (domain §8.1)."""

from __future__ import annotations

import copy
from datetime import timedelta

import pytest
from sqlalchemy import select

from models import Adjustment, Message, Person, Submission
from review_flow import schemes as scheme_files
from review_flow.rules.duty import Duty
from review_flow.rules.grading import grade
from review_flow.rules.lifecycle import EnrolmentState, RoundPhase, SubmissionState
from review_flow.rules.scheme import Scheme
from review_flow.rules.words import AdjustmentKind
from review_flow.steps import advance, claims, duty, enrolments, evidence, reviews, submissions, validity
from review_flow.steps.facts import record_of
from review_flow.steps.schemes import AmendmentRefused
from review_flow.steps.submissions import DutyOpen, GateClosed
from tests.cast import Clock, School, kept


def works(school: School, person: Person) -> dict[str, Submission]:
    enrolment = school.enrolment(person)
    return {one.ability: one for one in enrolments.submissions_of(school.session, enrolment=enrolment)}


def deductions(school: School) -> list[tuple[str, str]]:
    rows = school.session.scalars(select(Adjustment).where(Adjustment.kind == AdjustmentKind.LATE_MATERIAL))
    return [(one.proof, one.happened_on.isoformat()) for one in rows]


def mend(school: School, work: Submission) -> None:
    """A new file for every standing one, sealed again."""
    author = school.session.get_one(Person, work.author_id)
    for old in evidence.standing_evidence(school.session, submission=work):
        new = evidence.add_evidence(
            school.session,
            actor=author,
            submission=work,
            slot=old.slot,
            file_name=f"新{old.file_name}",
            stored=kept(f"新{old.id}"),
            replaces=old,
        )
        school.check(new, verdict="human", present=None)
    submissions.seal(school.session, actor=author, submission=work, own_work=True)


def one_work_each(school: School, *, teachers: int) -> list[Submission]:
    """As the examples count: one work of each teacher is sealed, before the others were begun."""
    sealed = []
    for person in school.teachers[:teachers]:
        first = school.ready(person)[0]
        school.fill(first)
        submissions.seal(school.session, actor=person, submission=first, own_work=True)
        sealed.append(first)
    return sealed


def add_samples(school: School, count: int) -> None:
    for number in range(count):
        reviews.add_sample(
            school.session,
            actor=school.admin,
            round_=school.round,
            ability="A1",
            title=f"标准样例{number}",
            form=school.review_form("85"),
        )


def review_sample(school: School, person: Person) -> None:
    task = claims.take_sample(school.session, actor=person, round_=school.round)
    reviews.submit(school.session, actor=person, assignment=task, form=school.review_form("80"))


def two_of_three(school: School) -> tuple[Person, Submission]:
    """王芳 sealed one work in time and gave two of the three reviews it asks for."""
    person, mine = school.teachers[0], one_work_each(school, teachers=4)[0]
    school.allocate()
    for task in reviews.tasks_of(school.session, person=person, round_=school.round)[:2]:
        form = school.review_form("85", submission=school.session.get_one(Submission, task.submission_id))
        reviews.submit(school.session, actor=person, assignment=task, form=form)
    return person, mine


def one_more_review(school: School, person: Person) -> None:
    held = reviews.tasks_of(school.session, person=person, round_=school.round)
    task = held[0] if held else claims.claim(school.session, actor=person, round_=school.round)
    form = school.review_form("85", submission=school.session.get_one(Submission, task.submission_id))
    reviews.submit(school.session, actor=person, assignment=task, form=form)


def test_N15_two_of_three_reviews_block_and_the_rest_in_the_grace_costs_nothing(opened: School, clock: Clock) -> None:
    person, mine = two_of_three(opened)
    clock.to(opened.round.submit_due_at + timedelta(seconds=1))
    advance.advance(opened.session, round_=opened.round)
    with pytest.raises(DutyOpen) as no:
        submissions.submit(opened.session, actor=person, submission=mine)
    assert str(no.value) == "请先完成对他人成果的互评：还差1次（应完成3次，已完成2次）。"
    assert mine.state is SubmissionState.SEALED
    clock.day(3, 23, 23, 59)  # the third day of grace, 20 March + 3
    advance.advance(opened.session, round_=opened.round)
    one_more_review(opened, person)
    submissions.submit(opened.session, actor=person, submission=mine)
    clock.day(3, 24, 0)
    advance.advance(opened.session, round_=opened.round)
    mine_deducted = select(Adjustment).where(Adjustment.enrolment_id == opened.enrolment(person).id)
    assert list(opened.session.scalars(mine_deducted)) == []


def test_N15_after_the_grace_it_costs_one_point_once_and_is_no_failure_before_the_hard_close(
    opened: School, clock: Clock
) -> None:
    person, mine = two_of_three(opened)
    enrolment = opened.enrolment(person)
    clock.day(3, 24, 0)
    advance.advance(opened.session, round_=opened.round)
    advance.advance(opened.session, round_=opened.round)
    (noted,) = opened.session.scalars(select(Adjustment).where(Adjustment.enrolment_id == enrolment.id))
    assert (noted.kind, noted.proof) == (
        AdjustmentKind.LATE_MATERIAL,
        "系统记录：截止并宽限后仍未完成应承担的互评",
    )
    assert noted.recorded_by_id is None
    told = opened.session.scalars(
        select(Message.text).where(Message.person_id == person.id, Message.kind == "duty.overdue")
    )
    assert list(told) == ["您应承担的互评在宽限期后仍未完成，按方案记迟交一次；完成后成果即可提交。"]
    admin = opened.session.scalars(
        select(Message.text).where(Message.person_id == opened.admin.id, Message.kind == "duty.overdue")
    )
    assert "王芳老师的互评任务逾期未完成。" in list(admin)
    assert (mine.state, enrolment.state) == (SubmissionState.SEALED, EnrolmentState.SELECTED)
    one_more_review(opened, person)
    submissions.submit(opened.session, actor=person, submission=mine)
    assert mine.state is SubmissionState.IN_PEER_REVIEW


def test_N15_what_is_still_owed_at_the_hard_close_is_not_handed_in(opened: School, clock: Clock) -> None:
    _person, mine = two_of_three(opened)
    clock.to(opened.round.hard_close_at + timedelta(seconds=1))
    advance.advance(opened.session, round_=opened.round)
    assert (mine.state, opened.round.phase) == (SubmissionState.CLOSED, RoundPhase.SCORING)


def test_N16_the_first_submitter_passes_after_three_samples(opened: School) -> None:
    (mine,) = one_work_each(opened, teachers=1)
    person = opened.teachers[0]
    add_samples(opened, 3)
    assert duty.duty(opened.session, submission=mine) == (Duty(0, 3), 0)
    for done in range(3):
        with pytest.raises(DutyOpen) as no:
            submissions.submit(opened.session, actor=person, submission=mine)
        assert str(no.value) == f"请先完成对他人成果的互评：还差{3 - done}次（应完成3次，已完成{done}次）。"
        review_sample(opened, person)
    submissions.submit(opened.session, actor=person, submission=mine)
    assert mine.state is SubmissionState.IN_PEER_REVIEW


def test_N16_without_samples_nobody_waits_for_others(opened: School) -> None:
    (mine,) = one_work_each(opened, teachers=1)
    assert duty.duty(opened.session, submission=mine) == (Duty(0, 0), 0)
    submissions.submit(opened.session, actor=opened.teachers[0], submission=mine)
    assert mine.state is SubmissionState.IN_PEER_REVIEW


def test_N17_in_a_school_of_three_two_reviews_and_a_sample_pass(opened: School) -> None:
    mine, *_others = one_work_each(opened, teachers=3)
    person = opened.teachers[0]
    add_samples(opened, 1)
    assert duty.duty(opened.session, submission=mine) == (Duty(2, 1), 0)
    opened.allocate()
    assert opened.do_reviews(person) == 2
    with pytest.raises(DutyOpen):
        submissions.submit(opened.session, actor=person, submission=mine)
    review_sample(opened, person)
    submissions.submit(opened.session, actor=person, submission=mine)
    assert mine.state is SubmissionState.IN_PEER_REVIEW


def with_one_invalid(school: School) -> tuple[Person, dict[str, Submission]]:
    """王芳 chose A1, A3, B6; everybody's works are in; her A3 was said to be invalid once.

    The example names A5, but A1, A5 and B6 span two dimensions and can't be chosen (N20); A3 makes the third.
    """
    person = school.teachers[0]
    for teacher in school.teachers:
        school.ready(teacher, abilities=("A1", "A3", "B6"))
    for teacher in school.teachers:
        school.seal(teacher, verdict="human" if teacher is person else "valid")
    school.allocate()
    for teacher in school.teachers:
        school.do_reviews(teacher, mark="88")
    for teacher in school.teachers:
        school.submit(teacher)
    mine = works(school, person)
    for ability, work in mine.items():
        school.vote(work, valid=ability != "A3")
    return person, mine


def result_of(school: School, person: Person):
    return grade(school.scheme, record_of(school.session, enrolment=school.enrolment(person)))


def test_N18_an_uncured_invalid_work_fails_the_gate_of_three_abilities_although_the_mean_is_88(
    opened: School, clock: Clock
) -> None:
    person, mine = with_one_invalid(opened)
    assert mine["A3"].state is SubmissionState.CORRECTING
    opened.panel_marks(mark="88", level="合格")
    assert mine["A3"].correction_due_at is not None
    clock.to(mine["A3"].correction_due_at)
    advance.advance(opened.session, round_=opened.round)
    assert mine["A3"].state is SubmissionState.CORRECTING  # its last second
    clock.to(mine["A3"].correction_due_at + timedelta(seconds=1))
    advance.advance(opened.session, round_=opened.round)
    assert (mine["A3"].state, mine["A3"].valid) == (SubmissionState.INVALID, False)
    outcome = result_of(opened, person)
    assert (str(outcome.score), outcome.grade) == ("88.00", "不合格")
    assert [gate.id for gate in outcome.gates if gate.passed is False and gate.id == "G_ABIL"] == ["G_ABIL"]


def test_N18_a_correction_that_people_accept_cures_it(opened: School) -> None:
    _person, mine = with_one_invalid(opened)
    mend(opened, mine["A3"])
    assert mine["A3"].state is SubmissionState.SUBMITTED
    opened.vote(mine["A3"])
    assert mine["A3"].valid is True
    assert mine["A3"].state in {SubmissionState.IN_PEER_REVIEW, SubmissionState.IN_PANEL}


def test_N19_a_replacement_inside_the_window_opens_the_gate_again(opened: School, clock: Clock) -> None:
    person, mine = with_one_invalid(opened)
    mend(opened, mine["A3"])
    opened.vote(mine["A3"], valid=False)
    assert mine["A3"].state is SubmissionState.INVALID
    opened.panel_marks(mark="88", level="合格")
    advance.advance(opened.session, round_=opened.round)
    assert opened.round.phase is RoundPhase.OPEN  # the window stays open for the replacement
    enrolment = opened.enrolment(person)
    fresh = enrolments.replace(opened.session, actor=person, enrolment=enrolment, old="A3", new="A11")
    opened.fill(fresh)
    submissions.seal(opened.session, actor=person, submission=fresh, own_work=True)
    while True:  # a fourth sealed work asks for its own reviews of others
        try:
            submissions.submit(opened.session, actor=person, submission=fresh)
        except DutyOpen:
            one_more_review(opened, person)
        else:
            break
    opened.allocate()
    for teacher in opened.teachers[1:]:
        opened.do_reviews(teacher, mark="88")
    opened.panel_marks(mark="88", level="合格")
    assert fresh.state is SubmissionState.GRADED
    outcome = result_of(opened, person)
    assert (str(outcome.score), outcome.grade) == ("88.00", "优秀")
    assert [gate.id for gate in outcome.gates if gate.passed is False] == []


def votes(school: School, work: Submission, *, teacher_visible: bool, own_work: bool) -> None:
    for voter in school.members[:2]:
        validity.vote(
            school.session,
            actor=voter,
            submission=work,
            teacher_visible=teacher_visible,
            own_work=own_work,
            reason="课件与网上一致，不能确定为本人制作",
        )


def test_N23_a_visible_teacher_whose_authorship_is_undetermined_is_invalid(opened: School) -> None:
    person = opened.teachers[0]
    opened.ready(person)
    work = opened.seal(person, verdict="human", present=True)[0]
    submissions.submit(opened.session, actor=person, submission=work)
    votes(opened, work, teacher_visible=True, own_work=False)
    assert work.state is SubmissionState.CORRECTING
    mend(opened, work)
    votes(opened, work, teacher_visible=True, own_work=False)
    assert (work.state, work.valid) == (SubmissionState.INVALID, False)


def test_N24_courseware_without_the_teacher_beside_a_lesson_video_with_her_is_valid(opened: School) -> None:
    person = opened.teachers[0]
    work = opened.ready(person)[0]
    for slot, present in (("plan", False), ("report", True)):
        file = evidence.add_evidence(
            opened.session,
            actor=person,
            submission=work,
            slot=slot,
            file_name=f"{slot}.mp4",
            stored=kept(slot),
        )
        opened.check(file, verdict="valid", present=present)
    submissions.seal(opened.session, actor=person, submission=work, own_work=True)
    submissions.submit(opened.session, actor=person, submission=work)
    assert (work.valid, work.state) == (True, SubmissionState.IN_PEER_REVIEW)


@pytest.mark.parametrize(
    ("total", "practice"),
    [
        ("50", "24"),
        ("49.99", "25"),
    ],
    ids=["N25", "total"],
)
def test_N25_hours_that_are_short_block_the_submission(opened: School, total: str, practice: str) -> None:
    person = opened.teachers[0]
    opened.ready(person, total=total, practice=practice)
    work = opened.seal(person)[0]
    with pytest.raises(GateClosed) as no:
        submissions.submit(opened.session, actor=person, submission=work)
    assert str(no.value) == (
        f"还不能提交：完成规定学时（总学时{total}学时，应不少于50学时，"
        f"实践应用学时{practice}学时，应不少于25学时且不少于应修学时的50%）：未通过"
    )
    assert work.state is SubmissionState.SEALED


def test_N26_sixty_hours_with_twenty_nine_of_practice_may_submit(opened: School) -> None:
    person = opened.teachers[0]
    opened.ready(person, total="60", practice="29")
    work = opened.seal(person)[0]
    submissions.submit(opened.session, actor=person, submission=work)
    assert work.state is SubmissionState.IN_PEER_REVIEW


def amended(*path: str, value: object) -> Scheme:
    document = copy.deepcopy(dict(scheme_files.load("xian-2022-appraisal").document))
    place = document
    for folder in path[:-1]:
        place = place[folder]
    place[path[-1]] = value
    return Scheme.from_document(document)


def test_N30_weights_may_change_in_month_five_with_a_reason_and_works_handed_in_keep_theirs(
    opened: School, clock: Clock
) -> None:
    person = opened.teachers[0]
    opened.ready(person)
    opened.seal(person)
    clock.day(8, 3)
    version = opened.publish(
        amended("compose", "sources", value={"peer": "0.30", "panel": "0.70"}), reason="领导小组8月1日会议决定"
    )
    assert (version.version, version.reason) == (2, "领导小组8月1日会议决定")
    assert opened.round.scheme_version_id == opened.version.id
    assert opened.round.scheme_digest == opened.scheme.digest != version.digest


def test_N30_the_rule_of_composition_keeps_still_for_twelve_months(school: School, clock: Clock) -> None:
    clock.day(8, 3)
    another = amended("compose", "rule", value="sum")
    with pytest.raises(AmendmentRefused) as no:
        school.publish(another, reason="领导小组决定")
    assert str(no.value) == ("不能这样修订方案：compose.rule在2027-03-01之前不能修改（考核方法至少保持12个月一致）。")
