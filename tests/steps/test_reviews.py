from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from models import Assignment, AuditEvent, DueWork, Review, Submission
from review_flow.clock import now
from review_flow.errors import BadInput, NotAllowed, NotFound, Refusal
from review_flow.rules.lifecycle import RoundPhase, SubmissionState
from review_flow.rules.words import AssignmentState, WorkKind
from review_flow.steps import claims, enrolments, people, reviews, submissions
from review_flow.steps.duty import duty
from review_flow.steps.rounds import WrongPhase
from tests.cast import School, tasks
from tests.stages import stage

# 王芳, 李伟 and 张敏 have handed in; 刘洋 and 赵磊 have not begun.


@stage
def ready(session, clock) -> School:
    school = School(session).open()
    for person in school.teachers[:3]:
        school.ready(person)
        school.seal(person)
    return school


def claim(school: School, person: int = 0) -> Assignment:
    return claims.claim(school.session, actor=school.teachers[person], round_=school.round)


def submit(school: School, task: Assignment, *, person: int = 0, form: dict | None = None) -> Review:
    work = school.session.get(Submission, task.submission_id) if task.submission_id else None
    filled = school.review_form(submission=work) if form is None else form
    return reviews.submit(school.session, actor=school.teachers[person], assignment=task, form=filled)


def sample(school: School, title: str = "样例") -> None:
    reviews.add_sample(
        school.session,
        actor=school.admin,
        round_=school.round,
        ability="A1",
        title=title,
        form=school.review_form("82"),
    )


def deeds(school: School, about: object | None = None) -> list[str]:
    events = school.session.scalars(select(AuditEvent).order_by(AuditEvent.number))
    wanted = None if about is None else f"{about.__tablename__}:{about.id}"  # type: ignore[attr-defined]  # rows have both
    return [event.deed for event in events if wanted in {None, event.about}]


def refused(wanted: type[Refusal], sentence: str, act) -> None:
    with pytest.raises(wanted) as no:
        act()
    assert (type(no.value), str(no.value)) == (wanted, sentence)


def test_a_claim_is_a_leased_task_of_the_claimer(ready: School) -> None:
    task = claim(ready)
    assert (task.reviewer_id, task.state) == (ready.teachers[0].id, AssignmentState.ASSIGNED)
    assert task.author_id != ready.teachers[0].id
    assert (task.lease_until - now()).total_seconds() == 48 * 3600
    assert reviews.tasks_of(ready.session, person=ready.teachers[0], round_=ready.round) == [task]
    assert reviews.tasks_of(ready.session, person=ready.teachers[1], round_=ready.round) == []
    assert deeds(ready, task) == ["review.claim"]


def test_claims_take_the_least_reviewed_first_and_end_when_all_are_taken(ready: School) -> None:
    first = [claim(ready, 3).submission_id for _ in range(9)]
    assert len(set(first)) == 9
    second = claim(ready, 4)
    assert second.submission_id == first[0]
    mine = [claim(ready, 0) for _ in range(6)]
    assert {task.author_id for task in mine} == {ready.teachers[1].id, ready.teachers[2].id}
    refused(claims.NothingToReview, "目前没有可供您互评的成果；请稍后再来，或先评标准样例。", lambda: claim(ready, 0))


def test_a_declared_conflict_is_never_claimed(ready: School) -> None:
    people.declare_conflict(
        ready.session, actor=ready.admin, one=ready.teachers[0], other=ready.teachers[1], reason="夫妻"
    )
    assert {claim(ready).author_id for _ in range(3)} == {ready.teachers[2].id}
    with pytest.raises(claims.NothingToReview):
        claim(ready)


def test_who_is_exempt_or_not_in_the_round_claims_nothing(ready: School) -> None:
    exempt = ready.teachers[4]
    enrolments.exempt(ready.session, actor=ready.admin, enrolment=ready.enrolment(exempt), reason="临近退休")
    refused(NotAllowed, "您没有权限做这件事：免训教师不参加互评。", lambda: claim(ready, 4))
    refused(
        NotFound,
        "找不到参评教师“P1”。",
        lambda: claims.claim(ready.session, actor=ready.members[0], round_=ready.round),
    )
    refused(
        NotFound,
        "找不到参评教师“P1”。",
        lambda: claims.take_sample(ready.session, actor=ready.members[0], round_=ready.round),
    )


def test_nothing_is_claimed_after_the_marks_are_in(ready: School) -> None:
    sample(ready)
    task = claim(ready)
    ready.round.phase = RoundPhase.PUBLICITY
    sentence = "本轮考核正处于“公示”阶段，不能这样做。"
    refused(WrongPhase, sentence, lambda: claim(ready))
    refused(WrongPhase, sentence, lambda: submit(ready, task))
    refused(
        WrongPhase,
        sentence,
        lambda: claims.take_sample(ready.session, actor=ready.teachers[0], round_=ready.round),
    )
    ready.round.phase = RoundPhase.OPEN


def test_a_review_is_kept_with_its_mark_and_scheme(ready: School) -> None:
    task = claim(ready)
    review = submit(ready, task)
    assert (review.mark, review.scheme_digest, task.state) == (85, ready.scheme.digest, AssignmentState.DONE)
    assert review.submitted_at == task.ended_at == now()
    assert deeds(ready, task) == ["review.claim", "review.submit"]
    refused(reviews.ReviewOver, "这项互评任务已经结束（已评）。", lambda: submit(ready, task))


def test_a_task_is_its_reviewers_alone(ready: School) -> None:
    task = claim(ready)
    sentence = "这不是分配给您的互评任务。"
    refused(reviews.NotYours, sentence, lambda: submit(ready, task, person=1))
    session, other = ready.session, ready.teachers[1]
    refused(reviews.NotYours, sentence, lambda: reviews.save_draft(session, actor=other, assignment=task, draft={}))
    refused(reviews.NotYours, sentence, lambda: reviews.decline(session, actor=other, assignment=task, reason="忙"))


def test_a_form_with_mistakes_is_refused_naming_them(ready: School) -> None:
    task = claim(ready)
    work = ready.session.get_one(Submission, task.submission_id)
    bad = {**ready.review_form(submission=work), "comment": "好"}
    refused(reviews.FormRefused, "评审表还不完整：评语至少10字。", lambda: submit(ready, task, form=bad))
    assert task.state is AssignmentState.ASSIGNED


def test_a_form_without_any_mark_is_refused(ready: School) -> None:
    """Where a scheme asks for no component at all, somebody must still say a number."""
    from review_flow.rules.scheme import Scheme

    document = ready.scheme.document
    review = {**document["review"], "form": {**document["review"]["form"], "min_components": 0}}
    scheme = Scheme.from_document({**document, "review": review})
    form = {"components": {}, "comment": "教学设计完整，技术使用恰当，值得学习。"}
    refused(
        reviews.FormRefused,
        "评审表还不完整：请至少给一个考核项打分。",
        lambda: reviews.form_mark(scheme=scheme, form=form, slots=[]),
    )


def test_a_draft_renews_the_lease_and_goes_when_the_review_comes(ready: School, clock) -> None:
    task = claim(ready)
    clock.day(3, 3)
    reviews.save_draft(ready.session, actor=ready.teachers[0], assignment=task, draft={"comment": "一半"})
    assert (task.state, task.draft) == (AssignmentState.BEGUN, {"comment": "一半"})
    assert (task.lease_until - now()).total_seconds() == 48 * 3600
    submit(ready, task)
    assert task.draft is None
    refused(
        reviews.ReviewOver,
        "这项互评任务已经结束（已评）。",
        lambda: reviews.save_draft(ready.session, actor=ready.teachers[0], assignment=task, draft={}),
    )


def test_declining_needs_a_reason_and_gives_the_work_to_others(ready: School) -> None:
    task = claim(ready)
    session, actor = ready.session, ready.teachers[0]
    refused(
        BadInput, "理由：请写明谢绝的理由。", lambda: reviews.decline(session, actor=actor, assignment=task, reason=" ")
    )
    reviews.decline(session, actor=actor, assignment=task, reason="学科不熟")
    assert (task.state, task.declined_reason, task.ended_at) == (AssignmentState.DECLINED, "学科不熟", now())
    assert session.scalars(
        select(DueWork.subject_id).where(DueWork.kind == WorkKind.ALLOCATE_REVIEWS, DueWork.done_at.is_(None))
    ).all() == [ready.round.id]
    assert deeds(ready, task) == ["review.claim", "review.decline"]
    again = "这项互评任务已经结束（已谢绝）。"
    refused(
        reviews.ReviewOver, again, lambda: reviews.decline(session, actor=actor, assignment=task, reason="学科不熟")
    )
    refused(reviews.ReviewOver, again, lambda: submit(ready, task))


def test_declining_everything_neither_frees_from_the_duty_nor_leaves_one_stuck(ready: School) -> None:
    mine = enrolments.submissions_of(ready.session, enrolment=ready.enrolment(ready.teachers[0]))
    before = duty(ready.session, submission=mine[0])
    declined = [claim(ready) for _ in range(6)]
    for task in declined:
        reviews.decline(ready.session, actor=ready.teachers[0], assignment=task, reason="忙")
    assert duty(ready.session, submission=mine[0]) == before
    again = claim(ready)
    assert again.submission_id in {task.submission_id for task in declined}
    submit(ready, again)


def test_a_declined_work_comes_last(ready: School) -> None:
    first = claim(ready)
    reviews.decline(ready.session, actor=ready.teachers[0], assignment=first, reason="忙")
    others = [claim(ready).submission_id for _ in range(5)]
    assert first.submission_id not in others
    again = claim(ready)
    assert again.submission_id == first.submission_id
    told = [reviews.declined_before(ready.session, assignment=one) for one in (again, first)]
    assert told == ["忙", None]  # of itself, a declined task says so already


def test_who_declared_a_conflict_after_the_claim_gives_the_task_back(ready: School) -> None:
    task = claim(ready)
    author = ready.teachers[[one.id for one in ready.teachers].index(task.author_id)]
    people.declare_conflict(ready.session, actor=ready.admin, one=ready.teachers[0], other=author, reason="夫妻")
    refused(NotAllowed, "您没有权限做这件事：应回避本人或有关联的教师。", lambda: submit(ready, task))
    reviews.decline(ready.session, actor=ready.teachers[0], assignment=task, reason="夫妻")


def test_a_lapsed_task_comes_back_and_may_still_be_handed_in(ready: School, clock) -> None:
    task = claim(ready)
    clock.to(task.lease_until)
    assert reviews.lapse(ready.session, round_=ready.round) == 0
    clock.day(3, 5)
    assert reviews.lapse(ready.session, round_=ready.round) == 1
    assert (task.state, task.ended_at) == (AssignmentState.LAPSED, now())
    assert deeds(ready, task) == ["review.claim", "review.lapse"]
    submit(ready, task)
    assert task.state is AssignmentState.DONE


def test_a_lapsed_task_that_was_claimed_anew_is_over(ready: School, clock) -> None:
    task = claim(ready)
    clock.day(3, 5)
    reviews.lapse(ready.session, round_=ready.round)
    anew = claim(ready)
    assert anew.submission_id == task.submission_id
    refused(reviews.ReviewOver, "这项互评任务已经结束（已过期）。", lambda: submit(ready, task))
    submit(ready, anew)


def test_a_lapsed_sample_is_taken_anew(ready: School, clock) -> None:
    sample(ready)
    task = claims.take_sample(ready.session, actor=ready.teachers[0], round_=ready.round)
    clock.day(3, 5)
    reviews.lapse(ready.session, round_=ready.round)
    refused(reviews.ReviewOver, "这项互评任务已经结束（已过期）。", lambda: submit(ready, task))
    anew = claims.take_sample(ready.session, actor=ready.teachers[0], round_=ready.round)
    assert anew.sample_id == task.sample_id
    assert submit(ready, anew).mark == 85


def test_samples_come_once_each_and_count_for_the_duty(ready: School) -> None:
    sample(ready, "样例一")
    sample(ready, "样例二")
    person = ready.teachers[0]
    taken = [claims.take_sample(ready.session, actor=person, round_=ready.round) for _ in range(2)]
    assert len({task.sample_id for task in taken}) == 2
    with pytest.raises(claims.NothingToReview):
        claims.take_sample(ready.session, actor=person, round_=ready.round)
    for task in taken:
        submit(ready, task)
    mine = enrolments.submissions_of(ready.session, enrolment=ready.enrolment(person))
    owed, given = duty(ready.session, submission=mine[0])
    assert (owed.real, owed.samples, given) == (6, 2, 2)


def test_only_the_administrator_adds_samples_with_a_whole_form(ready: School) -> None:
    sample(ready)
    refused(
        NotAllowed,
        "您没有权限做这件事：这需要校级管理员的角色。",
        lambda: reviews.add_sample(
            ready.session,
            actor=ready.teachers[0],
            round_=ready.round,
            ability="A1",
            title="另一件",
            form=ready.review_form(),
        ),
    )
    assert "sample.add" in deeds(ready)


def test_a_work_that_was_sent_back_takes_no_review(ready: School) -> None:
    task = claim(ready)
    work = ready.session.get_one(Submission, task.submission_id)
    work.state = SubmissionState.CORRECTING
    refused(reviews.ReviewOver, "这项互评任务已经结束（待补正）。", lambda: submit(ready, task))
    work.state = SubmissionState.SEALED


def test_the_last_wanted_review_sends_a_valid_work_to_the_panel_and_takes_back_the_rest(school: School) -> None:
    school.open()
    for person in school.teachers:
        school.ready(person)
    author = school.teachers[0]
    first = enrolments.submissions_of(school.session, enrolment=school.enrolment(author))[0]
    school.fill(first)
    submissions.seal(school.session, actor=author, submission=first, own_work=True)
    submissions.submit(school.session, actor=author, submission=first)
    held = [claim(school, number) for number in range(1, 5)]  # the fourth owes reviews, and there is no other work
    assert {task.submission_id for task in held} == {first.id}
    for task in held[:3]:
        person = next(n for n, one in enumerate(school.teachers) if one.id == task.reviewer_id)
        submit(school, task, person=person)
    assert first.state is SubmissionState.IN_PANEL
    assert reviews.received(school.session, submission=first) == 3
    assert (held[3].state, held[3].ended_at) == (AssignmentState.WITHDRAWN, now())
    reviews.forward(school.session, submission=first)
    assert first.state is SubmissionState.IN_PANEL


def test_whose_duty_is_done_goes_on_though_nobody_reviewed_them(ready: School) -> None:
    """Design rule 6: a duty is reviews given, never reviews received."""
    for _ in range(6):
        submit(ready, claim(ready))
    mine = enrolments.submissions_of(ready.session, enrolment=ready.enrolment(ready.teachers[0]))
    assert [reviews.received(ready.session, submission=one) for one in mine] == [0, 0, 0]
    for one in mine:
        submissions.submit(ready.session, actor=ready.teachers[0], submission=one)
    assert {one.state for one in mine} == {SubmissionState.IN_PEER_REVIEW}


def test_participants_are_everybody_but_the_exempt(ready: School) -> None:
    enrolments.exempt(ready.session, actor=ready.admin, enrolment=ready.enrolment(ready.teachers[3]), reason="借调")
    found = [one.person_id for one in reviews.participants(ready.session, round_=ready.round)]
    assert found == [ready.teachers[n].id for n in (0, 1, 2, 4)]
    assert tasks(ready.session, ready.round) == []


@pytest.mark.parametrize(
    ("hours_left", "hours"), [(None, 48), (168, 48), (96, 48), (80, 40), (24, 12), (6, 12), (-3, 12)]
)
def test_a_task_takes_half_of_what_is_left_of_its_works_time(
    opened: School, hours_left: int | None, hours: int
) -> None:
    due_at = None if hours_left is None else now() + timedelta(hours=hours_left)
    assert reviews.lease_end(opened.scheme, due_at=due_at) == now() + timedelta(hours=hours)
