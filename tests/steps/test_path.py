from __future__ import annotations

from datetime import timedelta

import pytest

from review_flow.errors import NotFound
from review_flow.rules.lifecycle import RoundPhase
from review_flow.rules.path import Stage
from review_flow.steps import advance, enrolments, evidence, owners, path, people, results, reviews, rounds, submissions
from tests.cast import Clock, School


def at(school: School, number: int = 0) -> path.Standing:
    return path.standing_of(school.session, person=school.teachers[number], round_id=school.round.id)


def test_the_way_of_a_teacher_from_the_plan_to_the_panel(opened: School, clock: Clock) -> None:
    session, person = opened.session, opened.teachers[0]
    assert (at(opened).way.stage, at(opened).due_at) == (Stage.READ, opened.round.submit_due_at)
    enrolments.acknowledge(session, actor=person, enrolment=opened.enrolment(person))
    assert at(opened).way.stage is Stage.SELF_TEST
    for one in opened.teachers:
        opened.ready(one)
    assert at(opened).way.stage is Stage.EVIDENCE
    for one in opened.teachers:
        opened.seal(one)
        clock.to(reviews.now() + timedelta(minutes=1))
    opened.allocate()
    found = at(opened)
    tasks = reviews.tasks_of(session, person=person, round_=opened.round)
    assert (found.way.stage, found.given, found.due_at) == (Stage.REVIEW, 0, tasks[0].lease_until)
    assert found.owed == opened.scheme.review.peer.give * 3
    head = people.head(session, person=person)
    assert (head.to_review, head.review_due_at) == (len(tasks), tasks[0].lease_until)
    assert path.reviews_left(session, enrolment=opened.enrolment(person)) == found.owed
    opened.do_reviews(person)
    head = people.head(session, person=person)
    assert (head.to_review, head.review_due_at) == (0, None)
    assert (at(opened).way.stage, at(opened).due_at) == (Stage.SUBMIT, opened.round.submit_due_at)
    opened.submit(person)
    assert (at(opened).way.stage, at(opened).due_at) == (Stage.WAIT, None)


def test_a_correction_is_due_before_the_round_is(opened: School) -> None:
    session, person = opened.session, opened.teachers[0]
    work = opened.ready(person)[0]
    opened.seal(person)
    file = evidence.standing_evidence(session, submission=work)[0]
    opened.check(file, verdict="rejected")
    assert (at(opened).way.stage, at(opened).due_at) == (
        Stage.EVIDENCE,
        min(work.correction_due_at or opened.round.submit_due_at, opened.round.submit_due_at),
    )
    assert submissions.SubmissionState.CORRECTING is work.state


def test_a_result_is_signed_by_its_day(marked: School, clock: Clock) -> None:
    clock.day(4, 4)
    advance.advance(marked.session, round_=marked.round)
    marked.compose()
    results.confirm_all(marked.session, actor=marked.members[0], round_=marked.round)
    assert (at(marked).published, results.published(marked.session, enrolment=at(marked).enrolment)) == (None, None)
    assert at(marked).way.stage is Stage.WAIT
    results.publish(marked.session, actor=marked.admin, round_=marked.round)
    seen = at(marked).published
    assert seen is not None
    assert results.published(marked.session, enrolment=at(marked).enrolment) is seen
    assert owners.name_of(marked.session, result=seen) == "王芳"
    assert results.flags_of(seen) == []
    assert (at(marked).way.stage, at(marked).due_at) == (Stage.SIGN, marked.round.sign_due_at)


def test_a_round_is_shown_to_who_takes_part_once_it_is_open(school: School) -> None:
    assert path.enrolments_of(school.session, person=school.teachers[0]) == []
    with pytest.raises(NotFound):
        at(school)
    school.open()
    later = school.setup_named("2026秋")
    rounds.enrol(school.session, actor=school.admin, round_=later, person=school.teachers[0])
    later.phase, later.scheme_digest = RoundPhase.OPEN, school.round.scheme_digest
    school.session.flush()
    assert at(school).round is school.round
    later.phase = RoundPhase.SETUP
    school.session.flush()
    assert [one for _enrolment, one in path.enrolments_of(school.session, person=school.teachers[0])] == [school.round]
    assert path.enrolments_of(school.session, person=school.members[0]) == []
