from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from models import Assignment, AuditEvent, Conflict, DueWork, Message, Person, Review, Submission
from review_flow.clock import now
from review_flow.rules.lifecycle import RoundPhase, SubmissionState
from review_flow.rules.words import LIVE, AssignmentState, SeatKind, WorkKind
from review_flow.steps import enrolments, panel, people, reviews, rounds, submissions
from review_flow.steps.taking_back import take_back
from tests.cast import School, tasks
from tests.stages import stage
from tests.steps.test_reviews import deeds


@stage
def sealed(session, clock) -> School:
    school = School(session).open()
    for person in school.teachers[:3]:
        school.ready(person)
        school.seal(person)
    return school


def test_every_work_gets_its_reviewers_and_nobody_their_own(sealed: School) -> None:
    found = sealed.allocate()
    made = tasks(sealed.session, sealed.round)
    works = set(sealed.session.scalars(select(Submission.id)))
    assert (found.unmet, found.blocked_by) == ({}, None)
    assert Counter(one.submission_id for one in made) == dict.fromkeys(works, 3)
    assert all(one.author_id != one.reviewer_id for one in made)
    assert {(one.reviewer_id, one.submission_id) for one in made} == set(found.pairs)
    assert {one.state for one in made} == {AssignmentState.ASSIGNED}
    loads = Counter(one.reviewer_id for one in made)
    assert max(loads.values()) - min(loads.values()) <= 1


def test_reviewers_are_told_how_many_and_the_deed_is_kept(sealed: School) -> None:
    found = sealed.allocate()
    loads = Counter(reviewer for reviewer, _work in found.pairs)
    told = sealed.session.execute(
        select(Message.person_id, Message.text).where(Message.kind == "review.assigned")
    ).all()
    assert sorted(map(tuple, told)) == sorted((person, f"您有{count}份成果待互评。") for person, count in loads.items())
    event = sealed.session.scalars(select(AuditEvent).where(AuditEvent.deed == "reviews.allocate")).one()
    assert json.loads(event.data) == {
        "pairs": [list(pair) for pair in found.pairs],
        "withdrawn": [],
        "unmet": {},
        "blocked_by": None,
    }


def test_what_has_its_reviewers_is_left_alone(sealed: School) -> None:
    sealed.allocate()
    again = sealed.allocate()
    assert (again.pairs, again.unmet) == ((), {})
    assert deeds(sealed).count("reviews.allocate") == 1


def test_conflicts_are_never_paired_and_what_is_short_stays_wanted(sealed: School) -> None:
    author = sealed.teachers[0]
    for other in sealed.teachers[1:4]:
        people.declare_conflict(sealed.session, actor=sealed.admin, one=author, other=other, reason="同一课题组")
    found = sealed.allocate()
    mine = [one for one in tasks(sealed.session, sealed.round) if one.author_id == author.id]
    assert {one.reviewer_id for one in mine} == {sealed.teachers[4].id}
    assert found.unmet == {one.submission_id: 2 for one in mine}
    assert not [
        one
        for one in tasks(sealed.session, sealed.round)
        if one.reviewer_id == author.id and one.author_id in {sealed.teachers[1].id, sealed.teachers[2].id}
    ]


def test_the_exempt_the_left_and_the_inactive_get_nothing(sealed: School) -> None:
    exempt, left = sealed.teachers[3], sealed.teachers[4]
    enrolments.exempt(sealed.session, actor=sealed.admin, enrolment=sealed.enrolment(exempt), reason="借调")
    enrolments.leave_reviewing(sealed.session, actor=sealed.admin, enrolment=sealed.enrolment(left))
    sealed.teachers[2].active = False
    sealed.allocate()
    assert {one.reviewer_id for one in tasks(sealed.session, sealed.round)} == {
        sealed.teachers[0].id,
        sealed.teachers[1].id,
    }


def test_a_lapsed_task_goes_to_somebody_else(sealed: School, clock) -> None:
    sealed.allocate()
    task = tasks(sealed.session, sealed.round)[0]
    others = {one.reviewer_id for one in tasks(sealed.session, sealed.round) if one.submission_id == task.submission_id}
    for one in tasks(sealed.session, sealed.round):
        if one is not task:
            one.lease_until = task.lease_until.replace(year=2027)
    clock.day(3, 5)
    assert reviews.lapse(sealed.session, round_=sealed.round) == 1
    found = sealed.allocate()
    assert [work for _reviewer, work in found.pairs] == [task.submission_id]
    ((reviewer, _work),) = found.pairs
    assert reviewer not in others


def test_a_cap_is_of_tasks_at_once(sealed: School) -> None:
    for person in sealed.teachers:
        sealed.enrolment(person).review_cap = 2
    sealed.allocate()
    made = tasks(sealed.session, sealed.round)
    assert Counter(one.reviewer_id for one in made) == {one.id: 2 for one in sealed.teachers}
    done = next(one for one in made if one.reviewer_id == sealed.teachers[4].id)
    form = sealed.review_form(submission=sealed.session.get_one(Submission, done.submission_id))
    reviews.submit(sealed.session, actor=sealed.teachers[4], assignment=done, form=form)
    found = sealed.allocate()
    assert [reviewer for reviewer, _work in found.pairs] == [sealed.teachers[4].id]


def test_outside_of_its_phases_nothing_is_assigned(sealed: School) -> None:
    sealed.round.phase = RoundPhase.PUBLICITY
    found = sealed.allocate()
    assert (found.pairs, found.unmet, found.blocked_by, found.optimal) == ((), {}, None, True)
    sealed.round.phase = RoundPhase.OPEN
    assert sealed.session.scalars(select(Assignment.id)).all() == []


def test_people_without_subject_or_workshop_are_assigned_too(sealed: School) -> None:
    for person in sealed.teachers:
        person.subject = None
    assert sealed.allocate().unmet == {}


def pairs(school: School, state: AssignmentState) -> set[tuple[int, int | None]]:
    return {(one.reviewer_id, one.submission_id) for one in tasks(school.session, school.round) if one.state is state}


def test_a_late_work_gets_reviewers_and_nobody_else_is_disturbed(sealed: School) -> None:
    sealed.allocate()
    before = pairs(sealed, AssignmentState.ASSIGNED)
    late = sealed.teachers[3]
    sealed.ready(late)
    sealed.seal(late)
    found = sealed.allocate()
    assert (found.withdrawn, found.unmet) == ((), {})
    assert {
        one.author_id
        for one in tasks(sealed.session, sealed.round)
        if (one.reviewer_id, one.submission_id) in found.pairs
    } == {late.id}
    assert pairs(sealed, AssignmentState.ASSIGNED) == before | set(found.pairs)


def test_what_a_gone_reviewer_had_not_begun_goes_to_others_at_once(sealed: School) -> None:
    sealed.allocate()
    gone = sealed.teachers[4]
    mine = [one for one in tasks(sealed.session, sealed.round) if one.reviewer_id == gone.id]
    reviews.save_draft(sealed.session, actor=gone, assignment=mine[0], draft={"comment": "写了一半"})
    enrolments.leave_reviewing(sealed.session, actor=sealed.admin, enrolment=sealed.enrolment(gone))
    found = sealed.allocate()
    assert set(found.withdrawn) == {(gone.id, one.submission_id) for one in mine[1:]}
    assert mine[0].state is AssignmentState.BEGUN
    assert {(one.state, one.ended_at is not None) for one in mine[1:]} == {(AssignmentState.WITHDRAWN, True)}
    assert Counter(work for _who, work in found.pairs) + Counter(found.unmet) == Counter(
        one.submission_id for one in mine[1:]
    )
    told = sealed.session.execute(
        select(Message.person_id, Message.text).where(Message.kind == "review.withdrawn")
    ).all()
    assert [tuple(one) for one in told] == [(gone.id, f"您有{len(mine) - 1}份尚未开始的互评已改由他人完成，不必再评。")]
    event = sealed.session.scalars(
        select(AuditEvent).where(AuditEvent.deed == "reviews.allocate").order_by(AuditEvent.id.desc())
    ).first()
    assert event is not None
    assert json.loads(event.data)["withdrawn"] == [list(pair) for pair in found.withdrawn]


def test_a_conflict_declared_meanwhile_takes_the_task_back(sealed: School) -> None:
    sealed.allocate()
    task = tasks(sealed.session, sealed.round)[0]
    people.declare_conflict(
        sealed.session,
        actor=sealed.admin,
        one=sealed.session.get_one(Person, task.reviewer_id),
        other=sealed.session.get_one(Person, task.author_id),
        reason="亲属",
    )
    found = sealed.allocate()
    assert (task.reviewer_id, task.submission_id) in found.withdrawn
    assert task.state is AssignmentState.WITHDRAWN


def test_a_declined_task_goes_to_somebody_else_and_never_back(sealed: School) -> None:
    sealed.allocate()
    task = tasks(sealed.session, sealed.round)[0]
    reviewer = sealed.session.get_one(Person, task.reviewer_id)
    reviews.decline(sealed.session, actor=reviewer, assignment=task, reason="不熟悉这门学科")
    found = sealed.allocate()
    assert found.withdrawn == ()
    assert [work for _who, work in found.pairs] in ([task.submission_id], [])
    assert task.reviewer_id not in {who for who, _work in found.pairs}


def test_a_work_that_came_back_for_correction_may_have_its_reviewers_again(sealed: School) -> None:
    sealed.allocate()
    work = sealed.session.scalars(select(Submission).order_by(Submission.id)).first()
    assert work is not None
    before = {one.reviewer_id for one in tasks(sealed.session, sealed.round) if one.submission_id == work.id}
    take_back(sealed.session, submission=work)
    found = sealed.allocate()
    assert found.unmet == {}
    assert len(before | {who for who, what in found.pairs if what == work.id}) <= 4  # of four who may


def reviewed_before(school: School, reviewers: list[Person], author: Person) -> None:
    """Reviews in a round that is over."""
    other = school.setup_named("2025秋")
    rounds.enrol(school.session, actor=school.admin, round_=other, person=author)
    enrolment = enrolments.enrolment_of(school.session, round_=other, person=author)
    work = Submission(
        enrolment_id=enrolment.id, round_id=other.id, author_id=author.id, ability="A1", state=SubmissionState.CLOSED
    )
    school.session.add(work)
    school.session.flush()
    for reviewer in reviewers:
        task = Assignment(
            round_id=other.id,
            reviewer_id=reviewer.id,
            submission_id=work.id,
            author_id=author.id,
            state=AssignmentState.DONE,
            assigned_at=now(),
            lease_until=now(),
        )
        school.session.add(task)
        school.session.flush()
        school.session.add(
            Review(
                assignment_id=task.id, form={}, mark=Decimal(80), scheme_digest=school.scheme.digest, submitted_at=now()
            )
        )
    school.session.flush()


@pytest.mark.parametrize("fresh", [1, 2, 3, 4])
def test_who_reviewed_whom_in_another_round_does_so_last(school: School, fresh: int) -> None:
    author = school.teachers[0]
    for person in school.teachers:
        person.subject = None
    school.open().ready(author)
    school.seal(author)
    others = [one for one in school.teachers[1:] if one is not school.teachers[fresh]]
    reviewed_before(school, others, author)
    found = school.allocate()  # nine reviews by four: somebody gives three
    assert Counter(who for who, _work in found.pairs) == {
        school.teachers[fresh].id: 3,
        **{other.id: 2 for other in others},
    }


def first_work(school: School) -> Submission:
    """One sealed work of the first teacher, whose reviewers are asked."""
    person = school.teachers[0]
    work = school.ready(person)[0]
    school.fill(work)
    submissions.seal(school.session, actor=person, submission=work, own_work=True)
    school.allocate()
    return work


def let_lapse(school: School, task: Assignment) -> None:
    """Let the time of one task pass, and only of it."""
    task.lease_until = now() - timedelta(seconds=1)
    reviews.lapse(school.session, round_=school.round)


def holders(school: School, work: Submission) -> list[int]:
    live = [one for one in tasks(school.session, school.round) if one.state in LIVE and one.submission_id == work.id]
    return sorted(one.reviewer_id for one in live)


def test_what_was_left_undone_goes_to_a_volunteer_before_whoever_has_less_to_do(opened: School) -> None:
    session = opened.session
    work = first_work(opened)
    held = [one for one in tasks(session, opened.round) if one.submission_id == work.id]
    free = next(one for one in opened.teachers[1:] if one.id not in {task.reviewer_id for task in held})
    newcomers = [opened.person(f"T9{n}", f"新来{n}", free.subject) for n in range(2)]
    for person in newcomers:
        rounds.enrol(session, actor=opened.admin, round_=opened.round, person=person)
    enrolments.volunteer(session, actor=newcomers[1], enrolment=opened.enrolment(newcomers[1]), willing=True)
    let_lapse(opened, held[0])
    found = opened.allocate()
    assert found.pairs == ((newcomers[1].id, work.id),)
    enrolments.volunteer(session, actor=newcomers[1], enrolment=opened.enrolment(newcomers[1]), willing=False)
    let_lapse(opened, held[1])
    assert {who for who, _work in opened.allocate().pairs} <= {free.id, newcomers[0].id}


def test_the_panel_steps_in_with_whom_it_can_spare_and_they_do_not_judge_that_work(session, clock) -> None:
    school = School(session, teachers=4).open()
    work = first_work(school)
    held = [one for one in tasks(session, school.round) if one.submission_id == work.id]
    assert len(held) == 3
    let_lapse(school, held[0])
    found = school.allocate()
    assert (found.pairs, found.unmet, found.blocked_by) == (((school.reserve.id, work.id),), {}, None)
    assert panel.free_seats(session, submission=work, kinds=(SeatKind.MEMBER, SeatKind.RESERVE)) == [
        one.id for one in school.members
    ]
    let_lapse(school, held[1])
    found = school.allocate()  # the three members are needed as judges
    assert (found.pairs, found.unmet) == ((), {work.id: 1})
    assert found.blocked_by is not None


def test_the_cut_is_of_what_is_missing_once_the_panel_has_stepped_in(session, clock) -> None:
    school = School(session, teachers=4).open()
    work = first_work(school)
    for one in [one for one in tasks(session, school.round) if one.submission_id == work.id][:2]:
        let_lapse(school, one)
    found = school.allocate()
    assert (found.pairs, found.unmet) == (((school.reserve.id, work.id),), {work.id: 1})
    assert found.blocked_by is not None
    assert (found.blocked_by.missing, found.blocked_by.wanted) == (1, 2)  # one stands
    event = session.scalars(
        select(AuditEvent).where(AuditEvent.deed == "reviews.allocate").order_by(AuditEvent.id.desc())
    ).first()
    assert json.loads(event.data)["blocked_by"] == {
        "works": [work.id],
        "reviewers": [],
        "subject": "物理",
        "wanted": 2,
        "room": 0,
        "apart": 1,
        "missing": 1,
        "unused": True,
        "remedies": ["reviewers"],
        "text": found.blocked_by.text,
    }


def test_administrators_are_told_who_stands_in_the_way_once_for_each_sentence(sealed: School) -> None:
    session, author = sealed.session, sealed.teachers[0]

    def told() -> list[tuple[int, str]]:
        said = select(Message.person_id, Message.text).where(Message.kind == "reviews.blocked").order_by(Message.id)
        return [tuple(row) for row in session.execute(said)]

    for other in sealed.teachers[1:4]:
        people.declare_conflict(session, actor=sealed.admin, one=author, other=other, reason="同一课题组")
    sentence = sealed.allocate().blocked_by.text
    assert told() == [(sealed.admin.id, sentence)]
    sealed.allocate()
    assert told() == [(sealed.admin.id, sentence)]
    people.declare_conflict(session, actor=sealed.admin, one=author, other=sealed.teachers[4], reason="师徒")
    other = sealed.allocate().blocked_by.text
    assert told() == [(sealed.admin.id, sentence), (sealed.admin.id, other)]
    for row in session.scalars(select(Conflict)):
        session.delete(row)
    session.flush()
    assert sealed.allocate().blocked_by is None
    assert len(told()) == 2


def test_a_stand_in_with_a_conflict_declared_meanwhile_is_let_off(session, clock) -> None:
    school = School(session, teachers=4).open()
    work = first_work(school)
    let_lapse(school, next(one for one in tasks(session, school.round) if one.submission_id == work.id))
    school.allocate()
    other = school.person("P9", "后补")
    rounds.seat(session, actor=school.admin, round_=school.round, person=other, kind=SeatKind.RESERVE)
    author, stand_in = school.teachers[0], school.reserve
    people.declare_conflict(session, actor=school.admin, one=author, other=stand_in, reason="夫妻")
    found = school.allocate()
    assert (found.withdrawn, found.pairs) == (((stand_in.id, work.id),), ((other.id, work.id),))
    assert reviews.tasks_of(session, person=stand_in, round_=school.round) == []


def test_a_late_review_counts_before_the_others_and_lets_them_off(session, clock) -> None:
    school = School(session, teachers=5).open()
    work = first_work(school)
    first, *others = (one for one in tasks(session, school.round) if one.submission_id == work.id)
    late = session.get_one(Person, first.reviewer_id)
    form = school.review_form(submission=work)
    reviews.save_draft(session, actor=late, assignment=first, draft={"comment": "写了一半"})
    let_lapse(school, first)
    ((substitute, _work),) = school.allocate().pairs
    reviews.save_draft(session, actor=late, assignment=first, draft={"comment": "又写了些"})
    assert (first.state, first.draft) == (AssignmentState.LAPSED, {"comment": "又写了些"})
    reviews.submit(session, actor=late, assignment=first, form=form)
    assert holders(school, work) == sorted([late.id, *(one.reviewer_id for one in others)])
    told = session.scalars(
        select(Message.text).where(Message.person_id == substitute, Message.kind == "review.withdrawn")
    )
    assert list(told) == ["您有1份尚未开始的互评已改由他人完成，不必再评。"]


def test_a_late_review_is_not_taken_once_the_others_have_done_it(session, clock) -> None:
    school = School(session, teachers=5).open()
    work = first_work(school)
    first = next(one for one in tasks(session, school.round) if one.submission_id == work.id)
    late = session.get_one(Person, first.reviewer_id)
    let_lapse(school, first)
    school.allocate()
    for person in school.teachers:
        school.do_reviews(person)
    with pytest.raises(reviews.ReviewOver):
        reviews.submit(session, actor=late, assignment=first, form=school.review_form(submission=work))


def test_a_conflict_declared_and_an_exemption_move_tasks_on(opened: School) -> None:
    session = opened.session
    first_work(opened)
    due = select(DueWork.due_at, DueWork.done_at).where(DueWork.kind == WorkKind.ALLOCATE_REVIEWS)
    for one in session.scalars(select(DueWork).where(DueWork.kind == WorkKind.ALLOCATE_REVIEWS)):
        one.done_at = now()
    author, other, gone = opened.teachers[:3]
    people.declare_conflict(session, actor=opened.admin, one=author, other=other, reason="夫妻")
    assert session.execute(due.where(DueWork.done_at.is_(None))).all() == [(now(), None)]
    for one in session.scalars(select(DueWork).where(DueWork.kind == WorkKind.ALLOCATE_REVIEWS)):
        one.done_at = now()
    enrolments.exempt(session, actor=opened.admin, enrolment=opened.enrolment(gone), reason="病休")
    assert session.execute(due.where(DueWork.done_at.is_(None))).all() == [(now(), None)]
    opened.allocate()
    live = [one.reviewer_id for one in tasks(session, opened.round) if one.state in LIVE]
    assert not {other.id, gone.id} & set(live)
