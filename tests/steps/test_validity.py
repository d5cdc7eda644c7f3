from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select

from models import AuditEvent, Evidence, Message, Submission, ValidityVote
from review_flow.clock import last_second_of, now
from review_flow.errors import BadInput, NotAllowed
from review_flow.rules.lifecycle import SubmissionState
from review_flow.rules.words import EvidenceState, SeatKind
from review_flow.steps import corrections, evidence, people, rounds, submissions, validity
from tests.cast import School, kept
from tests.stages import stage
from tests.steps.test_reviews import deeds, refused

# One teacher, alone in the pool: no duty, so a sealed work goes straight to the validity check.


@stage
def alone(session, clock) -> School:
    school = School(session, teachers=1).open()
    school.ready(school.teachers[0])
    return school


def submitted(school: School, *, verdict: str = "human", present: bool | None = None) -> Submission:
    person = school.teachers[0]
    work = school.seal(person, verdict=verdict, present=present)[0]
    submissions.submit(school.session, actor=person, submission=work)
    return work


def say(school: School, work: Submission, voter, *, visible: bool = True, own: bool = True, reason: str = "") -> None:
    validity.vote(school.session, actor=voter, submission=work, teacher_visible=visible, own_work=own, reason=reason)


def again(school: School, work: Submission, *, verdict: str = "valid") -> None:
    """The author corrects: another file, sealed anew."""
    person = school.teachers[0]
    old = school.session.scalars(select(Evidence).where(Evidence.submission_id == work.id)).first()
    assert old is not None
    fresh = evidence.add_evidence(
        school.session,
        actor=person,
        submission=work,
        slot=old.slot,
        file_name="补正.mp4",
        stored=kept(f"补正-{work.id}-{work.corrections}"),
        replaces=old,
    )
    school.check(fresh, verdict=verdict, present=True)
    submissions.seal(school.session, actor=person, submission=work, own_work=True)


def test_a_check_that_passes_everything_passes_the_work(alone: School) -> None:
    work = submitted(alone, verdict="valid", present=True)
    assert (work.state, work.valid) == (SubmissionState.IN_PEER_REVIEW, True)
    event = alone.session.scalars(select(AuditEvent).where(AuditEvent.deed == "validity.accept")).one()
    assert (event.actor_id, event.data) == (None, '{"by":"check"}')


@pytest.mark.parametrize("present", [None, False])
def test_a_check_that_did_not_see_the_teacher_asks_people_and_fails_nobody(
    alone: School, *, present: bool | None
) -> None:
    work = submitted(alone, verdict="valid", present=present)
    assert (work.state, work.valid) == (SubmissionState.SUBMITTED, None)


def test_who_may_say_it_sees_the_first_works_and_how_many_there_are(alone: School) -> None:
    session, round_, member, author = alone.session, alone.round, alone.members[0], alone.teachers[0]
    works = alone.seal(author, verdict="human", present=None)
    for one in works:
        submissions.submit(session, actor=author, submission=one)
    assert validity.to_judge(session, person=member, round_=round_) == works
    assert validity.first_to_judge(session, person=member, round_=round_, most=2) == (works[:2], 3)
    assert validity.first_to_judge(session, person=author, round_=round_, most=2) == ([], 0)
    assert validity.to_judge(session, person=author, round_=round_) == []
    assert [validity.may_judge(session, person=one, submission=works[0]) for one in (member, author)] == [True, False]
    say(alone, works[0], member)
    assert validity.may_judge(session, person=member, submission=works[0]) is False
    people.declare_conflict(session, actor=alone.admin, one=author, other=member, reason="同胞")
    assert validity.first_to_judge(session, person=member, round_=round_, most=2) == ([], 0)


def test_two_people_say_valid(alone: School) -> None:
    work = submitted(alone)
    say(alone, work, alone.members[0])
    assert work.state is SubmissionState.SUBMITTED
    say(alone, work, alone.reserve)
    assert (work.state, work.valid) == (SubmissionState.IN_PEER_REVIEW, True)
    assert deeds(alone, work)[-3:] == ["validity.vote", "validity.vote", "validity.accept"]


def test_a_third_decides_where_two_differ(alone: School) -> None:
    work = submitted(alone)
    say(alone, work, alone.members[0])
    say(alone, work, alone.members[1], visible=False, reason="没有教师本人")
    assert work.state is SubmissionState.SUBMITTED
    say(alone, work, alone.arbiter)
    assert work.state is SubmissionState.IN_PEER_REVIEW


def test_authorship_alone_makes_invalid_n23(alone: School) -> None:
    work = submitted(alone)
    for voter in alone.members[:2]:
        say(alone, work, voter, own=False, reason="像是网上下载的课件")
    assert (work.state, work.corrections) == (SubmissionState.CORRECTING, 1)


def test_correction_is_granted_once_in_working_days_of_the_school(alone: School, clock) -> None:
    clock.day(3, 5, 23, 59)  # a Thursday, 15:59 in UTC
    work = submitted(alone)
    for voter in alone.members[:2]:
        say(alone, work, voter, visible=False, reason="没有教师本人")
    clock_day = last_second_of(date(2026, 3, 12))
    assert (work.state, work.correction_due_at, work.valid) == (SubmissionState.CORRECTING, clock_day, None)
    message = alone.session.scalars(select(Message).where(Message.kind == "submission.returned")).one()
    assert message.text == ("您的“A1”需要补正：没有教师本人。请在2026-03-12 23:59:59前补正并重新封存。")
    assert message.person_id == alone.teachers[0].id

    again(alone, work)
    assert work.state is SubmissionState.SUBMITTED  # refused by people once: people look again, whatever the check says
    for voter in alone.members[1:]:
        say(alone, work, voter, visible=False, reason="仍看不清")
    assert (work.state, work.valid) == (SubmissionState.INVALID, False)
    assert deeds(alone, work)[-1] == "submission.invalidate"
    said = alone.session.scalars(select(Message).where(Message.kind == "submission.invalid")).one()
    assert said.text == "您的“A1”被认定无效：仍看不清。提交期内可改选其他微能力。"
    votes = alone.session.scalars(select(ValidityVote.attempt).order_by(ValidityVote.id)).all()
    assert votes == [0, 0, 1, 1]


def test_a_correction_that_people_accept_goes_on(alone: School) -> None:
    work = submitted(alone)
    for voter in alone.members[:2]:
        say(alone, work, voter, own=False, reason="出处不明")
    again(alone, work)
    for voter in alone.members[:2]:
        say(alone, work, voter)
    assert (work.state, work.valid) == (SubmissionState.IN_PEER_REVIEW, True)


def test_a_file_refused_after_the_hard_close_buys_no_new_days(alone: School, clock) -> None:
    work = submitted(alone)
    scheme = alone.scheme
    clock.day(4, 2)
    validity.ask_correction(alone.session, scheme=scheme, submission=work, reasons="文件损坏")
    first = work.correction_due_at
    clock.day(4, 7)
    again(alone, work)
    validity.ask_correction(alone.session, scheme=scheme, submission=work, reasons="文件损坏")
    assert work.correction_due_at == first == last_second_of(date(2026, 4, 9))


def test_within_the_window_each_refused_file_has_its_days(alone: School, clock) -> None:
    work = submitted(alone)
    validity.ask_correction(alone.session, scheme=alone.scheme, submission=work, reasons="文件损坏")
    clock.day(3, 6)
    again(alone, work)
    validity.ask_correction(alone.session, scheme=alone.scheme, submission=work, reasons="文件损坏")
    assert work.correction_due_at == last_second_of(date(2026, 3, 13))


def test_a_file_that_is_still_being_checked_holds_the_decision(alone: School) -> None:
    work = submitted(alone)
    file = alone.session.scalars(select(Evidence).where(Evidence.submission_id == work.id)).first()
    assert file is not None
    say(alone, work, alone.members[0])
    file.state = EvidenceState.WAITING
    second = ValidityVote(  # as somebody gave it before this file came to be checked again
        submission_id=work.id,
        author_id=work.author_id,
        voter_id=alone.members[1].id,
        attempt=0,
        teacher_visible=True,
        own_work=True,
        reason="",
        at=now(),
    )
    alone.session.add(second)
    validity.settle(alone.session, submission=work)
    assert work.state is SubmissionState.SUBMITTED
    alone.check(file, verdict="human", present=None)
    assert work.state is SubmissionState.IN_PEER_REVIEW


def test_each_says_it_once_and_a_doubt_has_its_reason(alone: School) -> None:
    work = submitted(alone)
    refused(
        BadInput,
        "理由：认为无效时请写明理由。",
        lambda: say(alone, work, alone.members[0], visible=False, reason=" "),
    )
    refused(BadInput, "理由：认为无效时请写明理由。", lambda: say(alone, work, alone.members[0], own=False))
    say(alone, work, alone.members[0])
    refused(
        validity.AlreadySaid,
        "您已对这项成果作过有效性认定。",
        lambda: say(alone, work, alone.members[0]),
    )


def test_only_the_panel_says_it_and_never_of_own_or_conflicting_work(alone: School) -> None:
    work = submitted(alone)
    author = alone.teachers[0]
    seat = "您没有权限做这件事：这需要考核组成员、候补、仲裁人的席位。"
    refused(NotAllowed, seat, lambda: say(alone, work, author))
    refused(NotAllowed, seat, lambda: say(alone, work, alone.admin))
    refused(NotAllowed, seat, lambda: say(alone, work, alone.hearers[0]))
    rounds.seat(alone.session, actor=alone.admin, round_=alone.round, person=author, kind=SeatKind.MEMBER)
    people.declare_conflict(alone.session, actor=alone.admin, one=author, other=alone.members[0], reason="夫妻")
    aside = "您没有权限做这件事：应回避本人或有关联的教师。"
    refused(NotAllowed, aside, lambda: say(alone, work, author))
    refused(NotAllowed, aside, lambda: say(alone, work, alone.members[0]))


def test_what_is_not_waiting_is_not_judged(alone: School) -> None:
    person = alone.teachers[0]
    work = alone.seal(person, verdict="human", present=None)[0]
    refused(
        validity.NotWaiting,
        "这项成果现在是“已封存待互评”，不在等待有效性认定。",
        lambda: say(alone, work, alone.members[0]),
    )


def test_nobody_votes_while_a_file_is_being_checked(alone: School) -> None:
    work = submitted(alone)
    file = alone.session.scalars(select(Evidence).where(Evidence.submission_id == work.id)).first()
    assert file is not None
    file.state = EvidenceState.WAITING
    sentence = "还有文件在自动检查，请稍后再作有效性认定。"
    refused(validity.StillChecking, sentence, lambda: say(alone, work, alone.members[0]))


def test_a_returned_work_says_why_and_is_not_sealed_by_accident_as_it_was(alone: School) -> None:
    session, work, author = alone.session, submitted(alone), alone.teachers[0]
    assert corrections.last_return(session, submission=work) is None
    say(alone, work, alone.members[0], visible=False, reason="没有教师本人")
    say(alone, work, alone.members[1], visible=False, reason="看不清人脸")
    returned = corrections.last_return(session, submission=work)
    assert returned == corrections.Returned("没有教师本人；看不清人脸", frozenset())
    with pytest.raises(submissions.NothingChanged):
        submissions.seal(session, actor=author, submission=work, own_work=True, unchanged=False)
    assert work.state is SubmissionState.CORRECTING
    first = session.scalars(select(Evidence).where(Evidence.submission_id == work.id)).first()
    assert first is not None
    evidence.remove_evidence(session, actor=author, evidence=first)
    returned = corrections.last_return(session, submission=work)
    assert returned is not None
    assert returned.changed == {first.id}
    again(alone, work)
    assert work.state is SubmissionState.SUBMITTED


def test_an_author_may_say_that_a_returned_work_needs_no_other_file(alone: School) -> None:
    work = submitted(alone)
    for voter in alone.members[:2]:
        say(alone, work, voter, visible=False, reason="没有教师本人")
    submissions.seal(alone.session, actor=alone.teachers[0], submission=work, own_work=True, unchanged=True)
    assert work.state is SubmissionState.SUBMITTED
