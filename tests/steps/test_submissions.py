from __future__ import annotations

import pytest
from sqlalchemy import select

from models import Adjustment, DueWork, Message, Submission
from review_flow.clock import now
from review_flow.errors import NotAllowed
from review_flow.rules.lifecycle import RoundPhase, SubmissionState
from review_flow.rules.words import AdjustmentKind, AdjustmentState, WorkKind
from review_flow.steps import advance, submissions
from review_flow.steps.evidence import NotEditable, standing_evidence
from review_flow.steps.rounds import WrongPhase
from review_flow.steps.submissions import DutyOpen, GateClosed, Incomplete
from tests.cast import Clock, School


@pytest.fixture
def works(school: School) -> list[Submission]:
    return school.open().ready(school.teachers[0])


def seal(school: School, work: Submission, *, own_work: bool = True, actor=None) -> None:
    submissions.seal(school.session, actor=actor or school.teachers[0], submission=work, own_work=own_work)


def submit(school: School, work: Submission, *, actor=None) -> None:
    submissions.submit(school.session, actor=actor or school.teachers[0], submission=work)


def told(school: School, kind: str) -> list[str]:
    query = select(Message.text).where(Message.person_id == school.teachers[0].id, Message.kind == kind)
    return list(school.session.scalars(query.order_by(Message.id)))


def test_a_work_is_sealed_with_its_authors_word_and_opens_to_reviewers(school: School, works: list[Submission]) -> None:
    school.fill(works[0])
    seal(school, works[0])
    assert (works[0].state, works[0].sealed_at, works[0].statement_at) == (SubmissionState.SEALED, now(), now())
    due = school.session.scalars(select(DueWork).where(DueWork.kind == WorkKind.ALLOCATE_REVIEWS)).one()
    assert (due.subject_id, due.due_at) == (school.round.id, now())


def test_a_work_is_not_sealed_before_it_is_whole(school: School, works: list[Submission]) -> None:
    with pytest.raises(Incomplete) as no:
        seal(school, works[0])
    sentence = "还不能封存：“学情分析方案”还差1个文件；“学情分析报告”还差1个文件"
    assert (no.value.status, str(no.value)) == (409, sentence)
    school.fill(works[0])
    with pytest.raises(Incomplete) as no:
        seal(school, works[0], own_work=False)
    assert str(no.value) == "还不能封存：请确认全部证据由您本人制作"
    assert (works[0].state, works[0].statement_at) == (SubmissionState.DRAFT, None)


def test_nobody_else_seals_or_submits_it(school: School, works: list[Submission]) -> None:
    school.fill(works[0])
    for actor in (school.teachers[1], school.admin, school.members[0]):
        for deed in (seal, submit):
            with pytest.raises(NotAllowed) as no:
                deed(school, works[0], actor=actor)
            assert str(no.value) == "您没有权限做这件事：这是另一位教师的成果。"
    assert works[0].state is SubmissionState.DRAFT


def test_the_last_second_of_the_due_day_is_in_time(school: School, works: list[Submission], clock: Clock) -> None:
    clock.to(school.round.submit_due_at)
    school.fill(works[0])
    seal(school, works[0])
    assert list(school.session.scalars(select(Adjustment))) == []


def test_a_late_hand_in_is_noted_by_the_clock_and_told(school: School, works: list[Submission], clock: Clock) -> None:
    clock.day(3, 21, 0)
    for work in works[:2]:
        school.fill(work)
        seal(school, work)
    noted = list(school.session.scalars(select(Adjustment).order_by(Adjustment.id)))
    assert [(one.kind, one.state, one.recorded_by_id, one.key) for one in noted] == [
        (AdjustmentKind.LATE_MATERIAL, AdjustmentState.NOTIFIED, None, f"submission:{work.id}") for work in works[:2]
    ]
    assert str(noted[0].happened_on) == "2026-03-21"
    assert noted[0].proof == "系统记录：A1于2026-03-21 00:00:00封存，晚于截止时间"
    assert told(school, "adjustment.noted") == [
        f"您的“{ability}”晚于截止时间提交，按方案记迟交一次；如有异议请在公示前提出。" for ability in ("A1", "A3")
    ]


def test_others_works_come_first(school: School, works: list[Submission]) -> None:
    session, me, other = school.session, school.teachers[0], school.teachers[1]
    school.seal(me)
    school.ready(other)
    school.seal(other)
    with pytest.raises(DutyOpen) as no:
        submit(school, works[0])
    sentence = "请先完成对他人成果的互评：还差3次（应完成3次，已完成0次）。"
    assert (no.value.status, str(no.value)) == (409, sentence)
    assert works[0].state is SubmissionState.SEALED
    school.allocate()
    assert school.do_reviews(me) == 3
    submit(school, works[0])
    assert (
        session.scalars(select(Submission.state).where(Submission.id == works[0].id)).one()
        is not SubmissionState.SEALED
    )


def test_the_hours_gate_guards_submitting_and_says_so(school: School) -> None:
    works = school.open().ready(school.teachers[0], total="49", practice="24")
    school.seal(school.teachers[0])
    with pytest.raises(GateClosed) as no:
        submit(school, works[0])
    assert no.value.status == 409
    assert str(no.value) == (
        "还不能提交：完成规定学时（总学时49学时，应不少于50学时，实践应用学时24学时，应不少于25学时且不少于应修学时的50%）：未通过"
    )
    school.hours(school.teachers[0], total="1", practice="1")
    submit(school, works[0])


def test_only_a_sealed_work_goes_forward(school: School, works: list[Submission]) -> None:
    with pytest.raises(NotEditable) as no:
        submit(school, works[0])
    assert str(no.value) == "这项成果现在是“草稿”，不能再改动证据。"
    school.seal(school.teachers[0])
    school.round.phase = RoundPhase.PUBLICITY
    with pytest.raises(WrongPhase) as no:
        submit(school, works[0])
    assert str(no.value) == "本轮考核正处于“公示”阶段，不能这样做。"
    with pytest.raises(WrongPhase):
        seal(school, works[0])
    school.round.phase = RoundPhase.OPEN


def test_a_good_check_alone_carries_a_work_to_its_reviewers(school: School, works: list[Submission]) -> None:
    school.seal(school.teachers[0])
    submit(school, works[0])
    assert (works[0].state, works[0].valid) == (SubmissionState.IN_PEER_REVIEW, True)
    assert works[0].submitted_at == now()
    assert works[0].peer_due_at is not None
    assert works[0].peer_due_at.isoformat() == "2026-03-12T15:59:59+00:00"


def test_a_file_found_broken_before_sealing_is_said_at_once(school: School, works: list[Submission]) -> None:
    school.fill(works[0])
    file = standing_evidence(school.session, submission=works[0])[0]
    school.check(file, verdict="rejected")
    assert told(school, "evidence.rejected") == ["您的文件“学情分析方案0.mp4”不能使用：结论：rejected"]
    assert works[0].state is SubmissionState.DRAFT
    with pytest.raises(Incomplete):
        seal(school, works[0])


@pytest.mark.parametrize("forward", [False, True], ids=["sealed", "submitted"])
def test_a_file_found_broken_later_comes_back_for_correction(
    school: School, works: list[Submission], clock: Clock, *, forward: bool
) -> None:
    """The hand-in keeps its time, nothing is deducted, and it goes on from where it was."""
    school.seal(school.teachers[0], verdict="human")
    handed_in = works[0].sealed_at
    if forward:
        submit(school, works[0])
    file = standing_evidence(school.session, submission=works[0])[0]
    school.check(file, verdict="rejected")
    assert (works[0].state, works[0].corrections) == (SubmissionState.CORRECTING, 0)
    assert told(school, "submission.returned") == [
        "您的“A1”需要补正：学情分析方案0.mp4：结论：rejected。请在2026-03-09 23:59:59前补正并重新封存。"
    ]
    clock.day(3, 5)
    from review_flow.steps import evidence
    from tests.cast import kept

    evidence.add_evidence(
        school.session,
        actor=school.teachers[0],
        submission=works[0],
        slot=file.slot,
        file_name="方案.docx",
        stored=kept("好的"),
        replaces=file,
    )
    seal(school, works[0])
    assert (works[0].sealed_at, works[0].statement_at) == (handed_in, now())
    assert works[0].state is (SubmissionState.SUBMITTED if forward else SubmissionState.SEALED)
    assert list(school.session.scalars(select(Adjustment))) == []


def test_a_work_corrected_after_the_hand_in_still_goes_on(
    school: School, works: list[Submission], clock: Clock
) -> None:
    """Found broken on the last day: the round goes on to scoring, the correction's days still run."""
    school.seal(school.teachers[0], verdict="human")
    clock.day(4, 3, 20)
    file = standing_evidence(school.session, submission=works[0])[0]
    school.check(file, verdict="rejected")
    clock.day(4, 4)
    advance.advance(school.session, round_=school.round)
    assert (school.round.phase, works[0].state) == (RoundPhase.SCORING, SubmissionState.CORRECTING)
    from review_flow.steps import evidence
    from tests.cast import kept

    evidence.add_evidence(
        school.session,
        actor=school.teachers[0],
        submission=works[0],
        slot=file.slot,
        file_name="方案.docx",
        stored=kept("好的"),
        replaces=file,
    )
    seal(school, works[0])
    submit(school, works[0])
    assert works[0].state is SubmissionState.SUBMITTED


def test_a_check_that_ends_after_submitting_settles_the_work(school: School, works: list[Submission]) -> None:
    from review_flow.rules.words import EvidenceState

    school.seal(school.teachers[0])
    file = standing_evidence(school.session, submission=works[0])[0]
    file.state, file.verdict = EvidenceState.WAITING, None
    submit(school, works[0])
    assert works[0].state is SubmissionState.SUBMITTED  # nobody judges what was not looked at
    school.check(file)
    assert works[0].state is SubmissionState.IN_PEER_REVIEW
