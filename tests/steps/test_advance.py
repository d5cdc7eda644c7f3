from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from models import Adjustment, AuditEvent, DueWork, Evidence, Finding, Message, Submission
from review_flow.clock import last_second_of, now
from review_flow.errors import NotAllowed
from review_flow.rules.lifecycle import ResultState, RoundPhase, SubmissionState
from review_flow.rules.words import (
    AdjustmentKind,
    AdjustmentState,
    AssignmentState,
    EvidenceState,
    SeatKind,
    Verdict,
    WorkKind,
)
from review_flow.steps import (
    advance,
    appeals,
    claims,
    enrolments,
    evidence,
    people,
    quarantine,
    results,
    reviews,
    rounds,
    submissions,
    validity,
)
from review_flow.steps.rounds import WrongPhase
from tests.cast import START, School, kept, waiting_marks
from tests.stages import stage
from tests.steps.test_results import fact, graded, published, scoring
from tests.steps.test_reviews import deeds, refused, submit
from tests.steps.test_validity import again

SECOND = timedelta(seconds=1)


@stage
def alone(session, clock) -> School:
    school = School(session, teachers=1).open()
    school.ready(school.teachers[0])
    return school


@stage
def pair(session, clock) -> School:
    """王芳 has sealed three works; 李伟 has chosen."""
    school = School(session, teachers=2).open()
    for person in school.teachers:
        school.ready(person)
    school.seal(school.teachers[0])
    return school


def tick(school: School) -> datetime | None:
    return advance.advance(school.session, round_=school.round)


def messages(school: School, kind: str) -> list[tuple[int, str]]:
    rows = school.session.execute(
        select(Message.person_id, Message.text).where(Message.kind == kind).order_by(Message.id)
    )
    return [(person, text) for person, text in rows]


def works(school: School, person: int = 0) -> list[Submission]:
    return enrolments.submissions_of(school.session, enrolment=school.enrolment(school.teachers[person]))


def due(school: School, kind: WorkKind) -> bool:
    found = school.session.scalars(select(DueWork.id).where(DueWork.kind == kind, DueWork.done_at.is_(None)))
    return found.first() is not None


def test_everybody_is_invited_once(alone: School) -> None:
    for _ in range(2):
        advance.invite(alone.session, round_=alone.round)
    assert messages(alone, "round.opened") == [
        (alone.teachers[0].id, "“2026春”已开始。请先阅读方案，完成自测，再选择微能力。")
    ]


def test_a_round_that_has_not_begun_or_is_over_asks_for_no_clock(school: School) -> None:
    assert tick(school) is None
    school.open()
    assert tick(school) == START + timedelta(hours=1)


def test_the_clock_asks_for_the_next_known_moment(alone: School, clock) -> None:
    clock.to(last_second_of(date(2026, 3, 20)) - timedelta(minutes=10))
    assert tick(alone) == last_second_of(date(2026, 3, 20)) + SECOND


def test_a_task_is_gently_reminded_of_in_the_schools_time_and_then_lapses(pair: School, clock) -> None:
    task = claims.claim(pair.session, actor=pair.teachers[1], round_=pair.round)
    sentence = (pair.teachers[1].id, "您有一份互评任务将在03-04 09:00到期，到期后会转给其他老师。")
    for number, hours in enumerate(pair.scheme.review.peer.remind_hours):
        clock.to(task.lease_until - timedelta(hours=hours, minutes=30))
        assert tick(pair) == task.lease_until - timedelta(hours=hours)
        assert messages(pair, "review.reminder") == [sentence] * number
        clock.to(task.lease_until - timedelta(hours=hours))
        tick(pair)
        tick(pair)
        assert messages(pair, "review.reminder") == [sentence] * (number + 1)
    clock.to(task.lease_until - timedelta(minutes=5))
    assert tick(pair) == task.lease_until + SECOND
    clock.to(task.lease_until + SECOND)
    tick(pair)
    assert task.state is AssignmentState.LAPSED
    assert due(pair, WorkKind.ALLOCATE_REVIEWS)


def test_what_is_not_corrected_in_its_days_is_invalid(alone: School, clock) -> None:
    work = alone.seal(alone.teachers[0], verdict="human", present=None)[0]
    submissions.submit(alone.session, actor=alone.teachers[0], submission=work)
    alone.vote(work, valid=False)
    assert work.correction_due_at == last_second_of(date(2026, 3, 9))
    clock.to(work.correction_due_at)
    assert tick(alone) == work.correction_due_at + SECOND
    assert work.state is SubmissionState.CORRECTING
    clock.to(work.correction_due_at + SECOND)
    tick(alone)
    assert (work.state, work.valid) == (SubmissionState.INVALID, False)
    assert messages(alone, "submission.invalid") == [
        (alone.teachers[0].id, "您的“A1”被认定无效：逾期未补正。提交期内可改选其他微能力。")
    ]


def test_the_panel_is_asked_for_validity_and_the_school_told_when_it_is_late(alone: School, clock) -> None:
    work = alone.seal(alone.teachers[0], verdict="human", present=None)[0]
    submissions.submit(alone.session, actor=alone.teachers[0], submission=work)
    people.declare_conflict(
        alone.session, actor=alone.admin, one=alone.teachers[0], other=alone.members[0], reason="夫妻"
    )
    for _ in range(2):
        tick(alone)
    sentence = "有一份“A1”成果待认定有效性。"
    assert messages(alone, "validity.asked") == [(alone.members[1].id, sentence), (alone.members[2].id, sentence)]
    clock.to(last_second_of(date(2026, 3, 9)))
    tick(alone)
    assert messages(alone, "validity.late") == []
    clock.to(last_second_of(date(2026, 3, 9)) + SECOND)
    for _ in range(2):
        tick(alone)
    assert messages(alone, "validity.late") == [(alone.admin.id, "有一份“A1”成果逾期未认定有效性，请督促考核组。")]


def test_nobody_is_asked_about_files_that_are_still_being_checked(alone: School) -> None:
    work = alone.seal(alone.teachers[0])[0]
    file = alone.session.scalars(select(Evidence).where(Evidence.submission_id == work.id)).first()
    assert file is not None
    file.state = EvidenceState.WAITING
    submissions.submit(alone.session, actor=alone.teachers[0], submission=work)
    tick(alone)
    assert messages(alone, "validity.asked") == []


def in_review(school: School) -> Submission:
    work = school.seal(school.teachers[0])[0]
    submissions.submit(school.session, actor=school.teachers[0], submission=work)
    assert (work.state, work.peer_due_at) == (SubmissionState.IN_PEER_REVIEW, last_second_of(date(2026, 3, 12)))
    return work


def test_peer_review_is_extended_once_and_then_goes_without(alone: School, clock) -> None:
    work = in_review(alone)
    clock.to(last_second_of(date(2026, 3, 12)))
    tick(alone)
    assert work.peer_extended_at is None
    clock.to(last_second_of(date(2026, 3, 12)) + SECOND)
    tick(alone)
    assert (work.state, work.peer_extended_at, work.peer_due_at) == (
        SubmissionState.IN_PEER_REVIEW,
        now(),
        last_second_of(date(2026, 3, 16)),
    )
    assert due(alone, WorkKind.ALLOCATE_REVIEWS)
    assert deeds(alone, work)[-1] == "peer.extend"
    clock.day(3, 17, 0)
    tick(alone)
    assert (work.state, work.peer_missing) == (SubmissionState.IN_PANEL, True)
    assert deeds(alone, work)[-2:] == ["panel.ask", "peer.missing"]


def test_the_least_number_of_reviews_is_enough_at_the_deadline(session, clock) -> None:
    school = School(session, teachers=3).open()
    school.ready(school.teachers[0])
    work = in_review(school)
    for number in (1, 2):
        task = claims.claim(session, actor=school.teachers[number], round_=school.round)
        while task.submission_id != work.id:
            task = claims.claim(session, actor=school.teachers[number], round_=school.round)
        submit(school, task, person=number)
    clock.day(3, 13, 0)
    tick(school)
    assert (work.state, work.peer_missing) == (SubmissionState.IN_PANEL, False)


def test_a_late_member_is_substituted_and_then_the_school_is_told_once(alone: School, clock) -> None:
    work = in_review(alone)
    reviews.close_short(alone.session, submission=work)
    first = {one.marker_id for one in waiting_marks(alone.session, work)}
    clock.day(3, 17, 0)
    for _ in range(2):
        tick(alone)
    standing = {one.marker_id for one in waiting_marks(alone.session, work)}
    assert standing == {alone.reserve.id, *(one.id for one in alone.members[1:])}
    assert first == {one.id for one in alone.members}
    assert messages(alone, "panel.short") == [(alone.admin.id, "没有可以接替的考核组成员：请先增补席位。")] * 2
    fresh = alone.person("P9", "新评委")
    rounds.seat(alone.session, actor=alone.admin, round_=alone.round, person=fresh, kind=SeatKind.MEMBER)
    tick(alone)
    assert fresh.id in {one.marker_id for one in waiting_marks(alone.session, work)}


def test_an_empty_place_is_filled_at_the_next_look(alone: School) -> None:
    for person in (*alone.members, alone.reserve):
        people.declare_conflict(alone.session, actor=alone.admin, one=alone.teachers[0], other=person, reason="同胞")
    work = in_review(alone)
    reviews.close_short(alone.session, submission=work)
    for _ in range(2):
        tick(alone)
    assert messages(alone, "panel.short") == [(alone.admin.id, "没有可以接替的考核组成员：请先增补席位。")]
    others = [alone.person(f"X{n}", f"外校{n}") for n in range(3)]
    for person in others:
        rounds.seat(alone.session, actor=alone.admin, round_=alone.round, person=person, kind=SeatKind.MEMBER)
    tick(alone)
    assert {one.marker_id for one in waiting_marks(alone.session, work)} == {one.id for one in others}


def test_n15_an_open_duty_costs_one_late_hand_in_after_the_grace_days(pair: School, clock) -> None:
    pair.seal(pair.teachers[1])
    clock.to(last_second_of(date(2026, 3, 23)))
    tick(pair)
    assert pair.session.scalars(select(Adjustment)).all() == []
    clock.to(last_second_of(date(2026, 3, 23)) + SECOND)
    for _ in range(2):
        tick(pair)
    noted = pair.session.scalars(select(Adjustment).order_by(Adjustment.enrolment_id)).all()
    assert [(one.kind, one.key, one.happened_on, one.recorded_by_id) for one in noted] == [
        (AdjustmentKind.LATE_MATERIAL, "duty", date(2026, 3, 24), None)
    ] * 2
    assert {one.proof for one in noted} == {"系统记录：截止并宽限后仍未完成应承担的互评"}
    mine = "您应承担的互评在宽限期后仍未完成，按方案记迟交一次；完成后成果即可提交。"
    admin = [f"{one.name}老师的互评任务逾期未完成。" for one in pair.teachers]
    assert sorted(messages(pair, "duty.overdue")) == sorted(
        [(one.id, mine) for one in pair.teachers] + [(pair.admin.id, sentence) for sentence in admin]
    )
    assert {one.state for one in works(pair)} == {SubmissionState.SEALED}


def test_who_owes_nothing_or_sealed_after_the_day_is_not_charged_for_the_duty(pair: School, clock) -> None:
    clock.day(3, 21)
    pair.seal(pair.teachers[1])  # late: charged for that, work by work, and not for the duty besides
    for work in works(pair, 1):
        task = claims.claim(pair.session, actor=pair.teachers[0], round_=pair.round)
        submit(pair, task)
        assert work.state is SubmissionState.SEALED
    clock.day(3, 25)
    tick(pair)
    keys = pair.session.scalars(select(Adjustment.key).order_by(Adjustment.id)).all()
    assert keys == [f"submission:{work.id}" for work in works(pair, 1)]


def test_the_hard_close_submits_whose_duty_is_done_and_ends_the_rest(pair: School, clock) -> None:
    session, (busy, idle) = pair.session, pair.teachers
    pair.seal(idle)
    for _ in range(3):
        submit(pair, claims.claim(session, actor=busy, round_=pair.round))
    task = claims.claim(session, actor=idle, round_=pair.round)
    clock.to(last_second_of(date(2026, 4, 3)))
    tick(pair)
    assert pair.round.phase is RoundPhase.OPEN
    clock.to(last_second_of(date(2026, 4, 3)) + SECOND)
    tick(pair)
    assert pair.round.phase is RoundPhase.SCORING
    assert {one.state for one in works(pair, 0)} == {SubmissionState.IN_PEER_REVIEW}
    assert {one.state for one in works(pair, 1)} == {SubmissionState.CLOSED}
    assert task.state is AssignmentState.LAPSED
    events = session.scalars(select(AuditEvent).where(AuditEvent.deed == "submission.submit")).all()
    assert [event.actor_id for event in events] == [None] * 3  # the clock did it, and says so
    assert deeds(pair, pair.round)[-1] == "round.score"


def test_a_draft_is_closed_at_the_end(alone: School, clock) -> None:
    scoring(alone, clock)
    assert {one.state for one in works(alone)} == {SubmissionState.CLOSED}
    assert due(alone, WorkKind.FINALISE_ROUND)


def test_the_round_goes_on_early_when_everything_is_judged(session, clock) -> None:
    school = School(session, teachers=1)
    graded(school, "85")
    tick(school)
    assert school.round.phase is RoundPhase.SCORING


def test_who_has_not_chosen_keeps_the_round_open(session, clock) -> None:
    school = School(session, teachers=2)
    graded(school, "85")
    tick(school)
    assert school.round.phase is RoundPhase.OPEN


def test_an_invalid_work_can_be_replaced_as_long_as_the_window_is_open_n19(session, clock) -> None:
    school = School(session, teachers=1)
    done = graded(school, "85")
    done[1].state, done[1].valid = SubmissionState.INVALID, False
    session.flush()
    tick(school)
    assert school.round.phase is RoundPhase.OPEN
    enrolments.replace(
        session, actor=school.teachers[0], enrolment=school.enrolment(school.teachers[0]), old="A3", new="A11"
    )
    tick(school)
    assert school.round.phase is RoundPhase.OPEN


def returned(school: School, clock) -> Submission:
    """A work whose file turned out broken after sealing, before it was submitted; the hand-in ends meanwhile."""
    work = works(school)[0]
    clock.day(4, 2)
    validity.ask_correction(school.session, scheme=school.scheme, submission=work, reasons="文件损坏")
    scoring(school, clock)
    assert work.state is SubmissionState.CORRECTING
    return work


def test_a_correction_that_comes_after_the_hand_in_goes_forward_by_itself(alone: School, clock) -> None:
    alone.seal(alone.teachers[0])
    work = returned(alone, clock)
    again(alone, work)
    assert work.state is SubmissionState.SEALED
    tick(alone)
    assert work.state is SubmissionState.IN_PEER_REVIEW


def test_or_its_author_sends_it(alone: School, clock) -> None:
    alone.seal(alone.teachers[0])
    work = returned(alone, clock)
    again(alone, work)
    submissions.submit(alone.session, actor=alone.teachers[0], submission=work)
    assert work.state is SubmissionState.IN_PEER_REVIEW


def test_a_late_correction_whose_duty_is_open_is_not_submitted(pair: School, clock) -> None:
    pair.seal(pair.teachers[1])
    for _ in range(3):
        submit(pair, claims.claim(pair.session, actor=pair.teachers[1], round_=pair.round), person=1)
    work = returned(pair, clock)
    again(pair, work)
    tick(pair)
    assert work.state is SubmissionState.CLOSED


def test_results_are_asked_for_when_all_is_over_and_again_when_facts_change(session, clock) -> None:
    school = School(session, teachers=1)
    graded(school, "85")
    scoring(school, clock)
    clock.day(4, 6)
    absent = fact(school, school.teachers[0])

    def asked() -> bool:
        for row in session.scalars(select(DueWork).where(DueWork.kind == WorkKind.FINALISE_ROUND)):
            row.done_at = now()
        session.flush()
        tick(school)
        return due(school, WorkKind.FINALISE_ROUND)

    assert not asked()  # the teacher may still contest
    clock.to(last_second_of(date(2026, 4, 9)) - timedelta(minutes=20))
    assert tick(school) == last_second_of(date(2026, 4, 9)) + SECOND
    clock.day(4, 10)
    assert asked()
    school.compose()
    assert not asked()
    absent.state, absent.contest_reason = AdjustmentState.CONTESTED, "请假"
    session.flush()
    assert asked()


def test_works_that_are_still_judged_hold_the_results(alone: School, clock) -> None:
    in_review(alone)
    scoring(alone, clock)
    assert not due(alone, WorkKind.FINALISE_ROUND)


def test_publicity_ends_with_its_last_second(session, clock) -> None:
    school = School(session, teachers=1)
    graded(school, "85")
    scoring(school, clock)
    (result,) = published(school)
    clock.to(last_second_of(date(2026, 4, 10)))
    assert tick(school) == last_second_of(date(2026, 4, 10)) + SECOND
    assert result.state is ResultState.PUBLISHED
    clock.to(last_second_of(date(2026, 4, 10)) + SECOND)
    tick(school)
    assert (school.round.phase, result.state) == (RoundPhase.SIGNING, ResultState.TO_SIGN)
    assert school.round.sign_due_at == school.round.appeal_due_at == last_second_of(date(2026, 4, 16))


def test_a_late_decision_on_an_appeal_is_told_once(session, clock) -> None:
    school = School(session, teachers=1)
    graded(school, "58")
    scoring(school, clock)
    (result,) = published(school)
    appeal = appeals.file(session, actor=school.teachers[0], result=result, reason="偏低")
    clock.to(appeal.due_at)
    tick(school)
    assert messages(school, "appeal.late") == []
    clock.to(appeal.due_at + SECOND)
    for _ in range(2):
        tick(school)
    assert messages(school, "appeal.late") == [(school.admin.id, "有一份申诉逾期未作决定，请督促或增补申诉复核人。")]


def test_a_round_is_closed_by_the_administrator_when_every_result_is_final(session, clock) -> None:
    school = School(session, teachers=1)
    close = lambda actor: lambda: advance.close(session, actor=actor, round_=school.round)  # noqa: E731 - four uses
    graded(school, "85")
    refused(WrongPhase, "本轮考核正处于“提交与互评”阶段，不能这样做。", close(school.admin))
    scoring(school, clock)
    (result,) = published(school)
    clock.day(4, 11, 0)
    tick(school)
    refused(advance.NotToClose, "还不能归档：还有1份结果未生效。签名和申诉都结束以后再归档。", close(school.admin))
    results.sign(session, actor=school.teachers[0], result=result)
    clock.day(4, 17, 0)
    tick(school)
    assert (result.state, deeds(school, result)[-1]) == (ResultState.FINAL, "result.final")
    refused(NotAllowed, "您没有权限做这件事：这需要校级管理员的角色。", close(school.members[0]))
    close(school.admin)()
    assert (school.round.phase, tick(school)) == (RoundPhase.CLOSED, None)
    assert deeds(school)[-1] == "round.close"
    assert due(school, WorkKind.PURGE_FACES)


def test_the_clock_may_tick_at_any_time_and_changes_nothing_twice(pair: School, clock) -> None:
    pair.seal(pair.teachers[1])
    clock.day(4, 4)
    tick(pair)
    before = (deeds(pair), messages(pair, "duty.overdue"))
    for _ in range(3):
        tick(pair)
    assert (deeds(pair), messages(pair, "duty.overdue")) == before


def test_times_are_kept_in_utc(alone: School) -> None:
    work = in_review(alone)
    assert work.peer_due_at == datetime(2026, 3, 12, 15, 59, 59, tzinfo=UTC)


def test_people_look_at_a_file_whose_check_was_given_up(alone, clock) -> None:
    school, session = alone, alone.session
    work = works(school)[0]
    file = evidence.add_evidence(
        session,
        actor=school.teachers[0],
        submission=work,
        slot="plan",
        file_name="方案.docx",
        stored=kept("方案"),
    )
    tick(school)
    assert file.state is EvidenceState.WAITING
    due = session.scalars(select(DueWork).where(DueWork.kind == WorkKind.CHECK_EVIDENCE)).one()
    due.parked_at, due.parked_reason = now(), "存储不可用"
    session.flush()
    tick(school)
    assert (file.state, file.verdict, file.teacher_present) == (EvidenceState.CHECKED, Verdict.HUMAN, None)
    texts = session.scalars(select(Finding.text).where(Finding.evidence_id == file.id)).all()
    assert texts == ["自动检查多次没有完成，请人工查看。"]
    assert due.parked_reason == "存储不可用"  # for the operator
    assert evidence.require_open(file, scanned=False) is file
    with pytest.raises(evidence.FileNotScanned):  # no scanner saw it
        evidence.require_open(file, scanned=True)


def test_a_file_that_the_scanner_passed_may_be_looked_at_when_its_check_was_given_up(alone, clock) -> None:
    school, session = alone, alone.session
    file = evidence.add_evidence(
        session,
        actor=school.teachers[0],
        submission=works(school)[0],
        slot="plan",
        file_name="方案.docx",
        stored=kept("方案"),
    )
    quarantine.note_clean(session, evidence=file)
    with pytest.raises(evidence.FileNotScanned):  # its check goes on
        evidence.require_open(file, scanned=True)
    due = session.scalars(select(DueWork).where(DueWork.kind == WorkKind.CHECK_EVIDENCE)).one()
    due.parked_at, due.parked_reason = now(), "内存不足"
    session.flush()
    tick(school)
    assert (file.state, evidence.require_open(file, scanned=True)) == (EvidenceState.CHECKED, file)
